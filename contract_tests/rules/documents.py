"""Where the documents of the contract are: beside this package, or in the wheel in the mock's."""

from pathlib import Path

_above = Path(__file__).parents[2]
_home = _above if (_above / "openapi.yaml").exists() else _above / "mock_server"

SPEC = _home / "openapi.yaml"
CLAUSES = _home / "contract" / "clauses.yaml"
ASSUMPTIONS = _home / "contract" / "assumptions.yaml"


def overlay_of(revision: str) -> Path:
    """The overlay that makes a revision of the document."""
    return _home / "contract" / "revisions" / f"{revision}.yaml"
