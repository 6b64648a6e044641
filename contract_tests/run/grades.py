"""The marks of a contract test: why it is true, with its clauses, and the suite it belongs to."""

import pytest

from contract_tests.rules.clauses import CLAUSES, GRADES
from contract_tests.rules.questions import QUESTIONS
from contract_tests.run.settings import SUITES


def complaint_about(item: pytest.Item) -> str | None:
    """What is wrong with the marks of a contract test; None if they are right."""
    grades = [mark for mark in item.iter_markers() if mark.name in GRADES]
    if len(grades) != 1:
        return f"needs exactly one of the marks {', '.join(GRADES)}, has {len(grades)}"
    grade, ids = grades[0].name, grades[0].args
    if not ids:
        return f"the mark {grade} names no clause"
    for one in ids:
        clause = CLAUSES.get(one)
        known = one in QUESTIONS if grade == "assumed" else clause is not None and clause.grade == grade
        if not known:
            return f"there is no {grade} clause or question {one!r}"
    suites = [mark.args for mark in item.iter_markers("suite")]
    if len(suites) != 1 or len(suites[0]) != 1 or suites[0][0] not in SUITES:
        return f"needs exactly one mark suite(name), with one of {', '.join(SUITES)}"
    return None


def ids_of(item: pytest.Item) -> tuple[str, ...]:
    """The clauses or questions that a test names."""
    return tuple(one for mark in item.iter_markers() if mark.name in GRADES for one in mark.args)


def suite_of(item: pytest.Item) -> str | None:
    """The suite that the test belongs to."""
    mark = item.get_closest_marker("suite")
    return mark.args[0] if mark else None


def position_of(item: pytest.Item) -> int:
    """The place of the test's suite in the order of the suites; tests of no suite come first."""
    suite = suite_of(item)
    return SUITES.index(suite) if suite else -1
