"""Where the spec and the fixtures are: beside this package in the wheel, above it in the repository."""

from pathlib import Path

_package = Path(__file__).parent
_home = _package if (_package / "openapi.yaml").exists() else _package.parent

SPEC = _home / "openapi.yaml"
FIXTURES = _home / "fixtures" / "loads.yaml"
