"""What each room of the contract suite may import, and that no arrow runs backward."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "contract_tests"

ROOMS: dict[str, set[str]] = {
    "rules": set(),
    "safety": {"rules"},
    "oracle": {"rules"},
    "report": {"rules", "safety"},
    "run": {"rules", "safety", "report"},
    "suites": {"rules", "safety", "oracle", "run"},
}
"""Room -> the rooms that it may import."""

LIBRARIES: dict[str, set[str]] = {
    "rules": {"msgspec", "yaml"},
    "safety": {"authlib", "httpcore2", "httpx2", "portalocker", "requests"},
    "oracle": set(),
    "report": {"jinja2", "rich", "yaml"},
    "run": {"click", "pytest", "rich", "yaml"},
    "suites": {"httpx2", "hypothesis", "pytest", "schemathesis", "yaml"},
}
"""Room -> what it imports beside the standard library and this package."""

OF_THE_MOCK: dict[str, set[str]] = {
    "run.target": {"mock_server.ledger", "mock_server.sandbox", "mock_server.shipped", "mock_server.testing"},
    "suites.generated": {"mock_server.revisions"},
    "run.settings": {"mock_server.rates"},
    "run.cli": {"mock_server.rates"},
}
"""Module -> what it may import of the mock: how a target is started, a rate read, an overlay applied."""


def modules() -> dict[str, ast.Module]:
    """Every module in a room, as `room.module`."""
    found = (path for room in ROOMS for path in sorted((PACKAGE / room).glob("*.py")))
    return {f"{path.parent.name}.{path.stem}": ast.parse(path.read_text()) for path in found}


MODULES = modules()


def imports_of(tree: ast.Module) -> Iterator[str]:
    """The full names of the modules that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def imported_by(room: str) -> set[str]:
    """The full names of all that the modules of a room import."""
    trees = (tree for name, tree in MODULES.items() if name.startswith(f"{room}."))
    return {name for tree in trees for name in imports_of(tree)}


def rooms_in(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("contract_tests.")}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_that_it_may(room: str) -> None:
    assert rooms_in(imported_by(room)) - {room} == ROOMS[room]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_libraries_that_it_may(room: str) -> None:
    ours = {"contract_tests", "mock_server", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in imported_by(room)} - ours == LIBRARIES[room]


def test_the_suite_knows_nothing_of_the_mock_but_how_to_start_it() -> None:
    for name, tree in MODULES.items():
        of_the_mock = {one for one in imports_of(tree) if one.split(".")[0] == "mock_server"}
        assert of_the_mock <= OF_THE_MOCK.get(name, set()), name


@pytest.mark.parametrize("room", ROOMS)
def test_the_modules_of_a_room_import_each_other_in_one_direction(room: str) -> None:
    prefix = f"contract_tests.{room}."
    inner = {
        name: {one.removeprefix("contract_tests.") for one in imports_of(tree) if one.startswith(prefix)}
        for name, tree in MODULES.items()
        if name.startswith(f"{room}.")
    }
    try:
        list(TopologicalSorter(inner).static_order())
    except CycleError as cycle:
        pytest.fail(f"these import each other: {cycle.args[1]}")


def test_no_arrow_between_rooms_runs_backward() -> None:
    assert list(TopologicalSorter(ROOMS).static_order())
    above: set[str] = set()
    for room, below in ROOMS.items():
        assert below <= above, f"{room} imports a room that is further up"
        above.add(room)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_in_one_sentence_what_it_owns_and_may_import(room: str) -> None:
    sentence = ast.get_docstring(MODULES[f"{room}.__init__"]) or ""
    owns, said, rooms = sentence.partition(" may import ")
    assert re.fullmatch(r"[^.]+\.", sentence)
    assert owns
    assert said
    assert set(re.findall("|".join(ROOMS), rooms)) == ROOMS[room]


def test_every_module_is_in_a_room() -> None:
    outside = {path.stem for path in PACKAGE.glob("*.py")}
    assert outside == {"__init__", "__main__", "conftest", "schemathesis_hooks"}
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ROOMS)
