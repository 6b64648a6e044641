"""Where the documents and the fixtures are: in the wheel in this package, in the repository above it too."""

from pathlib import Path

_package = Path(__file__).parent
_home = _package if (_package / "openapi.yaml").exists() else _package.parent

SPEC = _home / "openapi.yaml"
ADMIN = _package / "admin.yaml"
FIXTURES = _home / "fixtures" / "loads.yaml"
CLAUSES = _home / "contract" / "clauses.yaml"
ASSUMPTIONS = _home / "contract" / "assumptions.yaml"
PROFILES = _home / "contract" / "profiles"
REVISIONS = {path.stem: path for path in sorted((_home / "contract" / "revisions").glob("*.yaml"))}
"""The overlays that change the document to another revision, by name."""
