"""A pytest plugin: every test has one grade, its clauses and its suite; its failures are kept."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract_tests.rules.clauses import CLAUSES, GRADES, QUESTIONS
from contract_tests.rules.findings import ClauseFailedError, Findings
from contract_tests.run.session import RUN
from contract_tests.run.settings import SUITES
from contract_tests.safety.guard import Refused

_HERE = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marks."""
    for grade in GRADES:
        config.addinivalue_line(
            "markers", f"{grade}(*ids): why the test is true, with its clauses or questions"
        )
    config.addinivalue_line("markers", "suite(name): the suite that the test belongs to")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses to run a test that does not say why it is true; puts the suites in their order.

    The order goes from what costs nothing to what leaves loads in odd states.
    """
    wrong = [
        f"{item.nodeid}: {complaint}"
        for item in items
        if _HERE in item.path.parents and (complaint := complaint_about(item))
    ]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))
    items.sort(key=_position)


def _position(item: pytest.Item) -> int:
    mark = item.get_closest_marker("suite")
    return SUITES.index(mark.args[0]) if mark else -1


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Keeps what a fixture found violated."""
    with _kept(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Keeps what a test found violated, and says what the guard did not let it test."""
    with _kept(pyfuncitem):
        return (yield)


@contextmanager
def _kept(item: pytest.Item) -> Iterator[None]:
    try:
        yield
    except ClauseFailedError as failed:
        findings = _findings_of(item)
        if findings is not None:
            findings.keep(failed.failures)
        raise
    except BaseExceptionGroup as group:
        # What Hypothesis could not repeat; on a service with state that is no excuse.
        findings = _findings_of(item)
        if findings is not None:
            for one in _leaves(group.subgroup(ClauseFailedError)):
                findings.keep(one.failures)
        raise
    except Refused as refused:
        findings = _findings_of(item)
        if findings is None:
            raise
        for clause in ids_of(item):
            findings.cannot_test(clause, refused.reason)
        pytest.skip(refused.reason)


def _findings_of(item: pytest.Item) -> Findings | None:
    run = item.config.stash.get(RUN, None)
    return None if run is None else run.findings


def _leaves(group: BaseExceptionGroup[ClauseFailedError] | None) -> list[ClauseFailedError]:
    if group is None:
        return []
    return [
        leaf
        for one in group.exceptions
        for leaf in ([one] if isinstance(one, ClauseFailedError) else _leaves(one))
    ]
