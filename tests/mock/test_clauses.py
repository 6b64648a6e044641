"""No clause of the contract is without a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

CLAUSES = {f"R{number}" for number in range(1, 9)} | {f"A{number}" for number in range(1, 29)}


def test_every_clause_has_a_test() -> None:
    assert set(marked_clauses()) == CLAUSES


def marked_clauses() -> Iterator[str]:
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            for mark in getattr(node, "decorator_list", ()):
                if ast.unparse(mark).startswith("pytest.mark.clause("):
                    yield from (ast.literal_eval(argument) for argument in mark.args)
