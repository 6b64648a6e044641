"""How far a run is, where no bar can be drawn."""

import io
import threading
from types import SimpleNamespace

import pytest

from contract_tests.run.cli import settings_from
from contract_tests.run.progress import EVERY, Lines
from contract_tests.run.session import Session
from contract_tests.safety.guard import Budget
from tests.suite.shell import Shell

TESTS = ["suites/test_reads.py::a", "suites/test_reads.py::b", "suites/test_smoke.py::a"]


class Time:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Log(io.StringIO):
    """A log that tells when a line was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


@pytest.fixture
def guard() -> SimpleNamespace:
    return SimpleNamespace(requests=0, payments=0, budget=Budget(600, 8, None))


@pytest.fixture
def session(guard: SimpleNamespace) -> Session:
    made = Session(settings_from({}))
    made.run = SimpleNamespace(guard=guard)  # type: ignore[assignment]  # nothing else of it matters
    return made


def report(test: str, outcome: str) -> pytest.TestReport:
    return pytest.TestReport(test, ("", 0, ""), {}, outcome, None, "call")  # type: ignore[arg-type]


def test_a_suite_that_ends_has_a_line_with_counts_time_and_what_is_left(
    session: Session, guard: SimpleNamespace
) -> None:
    log, time = Log(), Time()
    lines = Lines(log, session, clock=time)
    lines.begin(TESTS)
    lines.start(TESTS[0])
    guard.requests, guard.payments, time.now = 64, 2, 75.0
    lines.note(report(TESTS[0], "failed"))
    lines.note(report(TESTS[1], "passed"))
    lines.finish(TESTS[0])
    assert log.getvalue() == ""
    lines.finish(TESTS[1])
    assert log.getvalue() == (
        "reads: 2 tests in 1 min 15 s, 64 requests, 2 payments, 1 failed; tests left: smoke (1); "
        "536 requests left, 6 payments left\n"
    )
    lines.start(TESTS[2])
    guard.requests = 70
    lines.end()
    assert log.getvalue().splitlines()[1].startswith("smoke: 0 of 1 tests in 0 s, 6 requests, 0 payments; ")


def test_a_run_that_waits_says_every_half_minute_that_it_lives(session: Session) -> None:
    log, time = Log(), Time()
    lines = Lines(log, session, every=0.001, clock=time)
    time.now = 30.0
    lines.begin(TESTS)
    lines.start(TESTS[0])
    assert log.written.wait(60), "nothing was said while a test went on"
    lines.end()
    assert "reads: 0 of 2 tests, 30 s so far; tests left: reads (2), smoke (1); " in log.getvalue()
    assert EVERY <= 30


def test_where_processes_share_the_tests_each_suite_is_said_at_the_end(session: Session) -> None:
    session.run, log = None, Log()
    lines = Lines(log, session, clock=Time())
    lines.begin([])
    for test in TESTS:
        lines.start(test)
        lines.finish(test)
    assert log.getvalue() == ""
    lines.end()
    assert log.getvalue().splitlines() == ["reads: 2 tests in 0 s", "smoke: 1 test in 0 s"]


def test_a_log_that_cannot_be_written_to_ends_no_run(session: Session) -> None:
    log = Log()
    log.close()
    lines = Lines(log, session, clock=Time())
    lines.begin(TESTS[2:])
    lines.start(TESTS[2])
    lines.finish(TESTS[2])
    lines.end()


def test_off_a_terminal_each_suite_has_a_line_beside_the_report(run: Shell) -> None:
    ended = run("--suite=reads", "--suite=smoke")
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["reads", "smoke"]
    assert "tests left: smoke (1); " in ended.err.splitlines()[0]
    assert ended.first_line.startswith("PASSED")
