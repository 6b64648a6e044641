"""A contract test without exactly one grade, its clauses and its suite doesn't run."""

import pytest

from contract_tests.run.grades import complaint_about

Marks = list[tuple[str, tuple[str, ...]]]
SUITE = ("suite", ("table",))


def complaint(request: pytest.FixtureRequest, marks: Marks) -> str | None:
    """What is wrong with a test that has these marks."""
    made: pytest.Function = pytest.Function.from_parent(
        request.node.parent, name="made", callobj=lambda: None
    )
    for name, ids in marks:
        request.config.addinivalue_line("markers", f"{name}(*ids): a mark of the contract tests")
        made.add_marker(getattr(pytest.mark, name)(*ids))
    return complaint_about(made)


@pytest.mark.parametrize(
    "grade", [("documented", ("R1", "D2")), ("published", ("P1",)), ("assumed", ("A9a", "Q1"))]
)
def test_one_grade_with_its_clauses_and_a_suite_is_right(
    request: pytest.FixtureRequest, grade: tuple[str, tuple[str, ...]]
) -> None:
    assert complaint(request, [grade, SUITE]) is None


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        pytest.param([SUITE], "exactly one of the marks", id="no grade"),
        pytest.param(
            [("documented", ("R1",)), ("assumed", ("A1",)), SUITE],
            "exactly one of the marks",
            id="two grades",
        ),
        pytest.param([("documented", ()), SUITE], "documented names no clause", id="no clause"),
        pytest.param([("documented", ("R99",)), SUITE], "'R99'", id="an unknown clause"),
        pytest.param([("documented", ("P1",)), SUITE], "'P1'", id="a clause of another grade"),
        pytest.param([("assumed", ("R1",)), SUITE], "'R1'", id="a clause for a question"),
        pytest.param([("documented", ("R1",))], "one mark suite", id="no suite"),
        pytest.param(
            [("documented", ("R1",)), ("suite", ("others",))], "one mark suite", id="an unknown suite"
        ),
        pytest.param(
            [("documented", ("R1",)), SUITE, ("suite", ("reads",))], "one mark suite", id="two suites"
        ),
    ],
)
def test_anything_else_is_refused(request: pytest.FixtureRequest, marks: Marks, sentence: str) -> None:
    assert sentence in str(complaint(request, marks))
