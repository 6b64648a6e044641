"""What pyproject.toml declares is what the code imports, and every command knows its version."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
import yaml

from mock_server.shipped import SPEC
from tests.mock.command import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"mock_server", "contract_tests"}
NEEDS_BUT_DOES_NOT_ASK_FOR = {"authlib.integrations.requests_client": "requests"}
"""A module that imports a package which its own distribution does not require."""


def imported(package: str) -> Iterator[str]:
    """The modules of other projects that a package imports."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in filter(None, names):
                yield from filter(None, (name, NEEDS_BUT_DOES_NOT_ASK_FOR.get(name)))


def distribution(name: str) -> str:
    """A distribution's name in its one normal form."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name, maxsplit=1)[0]).lower()


@pytest.mark.parametrize(
    ("package", "extras", "brought"),
    # The mock's pytest plugin is loaded by the pytest that somebody has.
    [("mock_server", ["state", "tls", "webhooks"], {"pytest"}), ("contract_tests", ["contract"], set())],
)
def test_every_import_is_declared(package: str, extras: list[str], brought: set[str]) -> None:
    declared = [
        *PROJECT["dependencies"],
        *(one for extra in extras for one in PROJECT["optional-dependencies"][extra]),
    ]
    known = packages_distributions()
    tops = {name.split(".")[0] for name in imported(package)} - OWN - sys.stdlib_module_names
    missing = {
        top
        for top in tops
        if not {*map(distribution, known.get(top, [top]))} & {*map(distribution, declared)}
    }
    assert missing - brought == set(), f"add to pyproject.toml what {package} imports"


def test_the_api_document_says_the_version_of_the_package() -> None:
    assert yaml.safe_load(SPEC.read_text())["info"]["version"] == PROJECT["version"]
