"""The terminal of `alvys-contract`: a bar or lines while it runs, and the summary in place of pytest's."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final, TextIO

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from contract_tests.report.plan import how_long
from contract_tests.rules.values import visible
from contract_tests.run.session import SESSION, Session
from contract_tests.safety.guard import Guard

EVERY: Final = 30.0
"""Seconds between two lines, at most: whoever reads the log of a job sees that it lives."""


class _Left(ProgressColumn):
    """Requests and payments: sent, and left in the budget."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._config = config

    def render(self, task: Task) -> Text:  # noqa: ARG002 - the budget is the run's
        run = self._config.stash[SESSION].run
        return Text("starting" if run is None else ", ".join(_left(run.guard)))


def _left(guard: Guard) -> list[str]:
    def of(sent: int, most: int | None, what: str) -> str:
        return f"{sent} {what}" if most is None else f"{most - sent} {what} left"

    budget = guard.budget
    return [of(guard.requests, budget.requests, "requests"), of(guard.payments, budget.payments, "payments")]


@dataclass(slots=True)
class _Suite:
    """How far a suite is. `total` is None where pytest-xdist deals out the tests."""

    began: float
    requests: int
    payments: int
    total: int | None
    done: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Lines:
    """Says how far a run is where no bar can be drawn: a line after each suite, and one every so often."""

    def __init__(
        self,
        stream: TextIO,
        session: Session,
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Writes to the stream; `every` is in seconds."""
        self._stream = stream
        self._session = session
        self._every = every
        self._clock = clock
        self._began = clock()
        self._totals: Counter[str] = Counter()
        self._suites: dict[str, _Suite] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._keep_saying, daemon=True)

    def begin(self, tests: Iterable[str]) -> None:
        """Starts with the node ids of the tests that will run, if they are known."""
        self._totals = Counter(map(_suite_in, tests))
        self._beat.start()

    def start(self, test: str) -> None:
        """Takes the time of a suite from its first test."""
        with self._lock:
            self._suite(test)

    def note(self, report: pytest.TestReport) -> None:
        """Counts how a test, or its preparation, ended."""
        with self._lock:
            if not report.passed:
                self._suite(report.nodeid).outcomes[report.outcome] += 1

    def finish(self, test: str) -> None:
        """Counts a test that is over; says so if it was the last of its suite."""
        with self._lock:
            suite = self._suite(test)
            suite.done += 1
            if suite.done == suite.total:
                self._say_ended(_suite_in(test))

    def end(self) -> None:
        """Says how far the suites came that did not get to their end."""
        self._ended.set()
        if self._beat.is_alive():
            self._beat.join()
        with self._lock:
            for name in self._suites:
                if name not in self._said:
                    self._say_ended(name)

    def _suite(self, test: str) -> _Suite:
        name = _suite_in(test)
        if name not in self._suites:
            requests, payments = self._sent()
            total = self._totals[name] or None
            self._suites[name] = _Suite(self._clock(), requests, payments, total)
        return self._suites[name]

    def _sent(self) -> tuple[int, int]:
        run = self._session.run
        return (0, 0) if run is None else (run.guard.requests, run.guard.payments)

    def _say_ended(self, name: str) -> None:
        suite, (requests, payments) = self._suites[name], self._sent()
        self._said.add(name)
        words = [f"{name}: {_so_far(suite)} in {how_long(self._clock() - suite.began)}"]
        if self._session.run is not None:
            words += [f"{requests - suite.requests} requests", f"{payments - suite.payments} payments"]
        words += [f"{count} {outcome}" for outcome, count in sorted(suite.outcomes.items())]
        self._say(words)

    def _keep_saying(self) -> None:
        while not self._ended.wait(self._every):
            with self._lock:
                underway = [
                    f"{name}: {_so_far(suite)}"
                    for name, suite in self._suites.items()
                    if name not in self._said
                ]
                passed = f"{how_long(self._clock() - self._began)} so far"
                self._say([*(underway or ["waiting"]), passed])

    def _say(self, words: list[str]) -> None:
        line = "; ".join([", ".join(words), *self._what_is_left()])
        # A log that nobody can write to is no reason to end a run that may have recorded payments.
        with suppress(OSError, ValueError):
            self._stream.write(f"{visible(line)}\n")
            self._stream.flush()

    def _what_is_left(self) -> list[str]:
        done = {name: suite.done for name, suite in self._suites.items()}
        left = {name: total - done.get(name, 0) for name, total in self._totals.items()}
        still = [f"{name} ({count})" for name, count in left.items() if count > 0]
        run = self._session.run
        tests = [f"tests left: {', '.join(still) or 'none'}"] if self._totals else []
        return [*tests, *([] if run is None else [", ".join(_left(run.guard))])]


def _so_far(suite: _Suite) -> str:
    of = "" if suite.done == (suite.total or suite.done) else f" of {suite.total}"
    return f"{suite.done}{of} test{'' if suite.done == 1 and not of else 's'}"


def _suite_in(test: str) -> str:
    """The suite of a test, by its file: workers of pytest-xdist tell no more."""
    return PurePath(test.partition("::")[0]).stem.removeprefix("test_")


class ProgressBar:
    """A pytest plugin: takes the place of pytest's own terminal output."""

    def __init__(self, console: Console, log: TextIO) -> None:
        """Draws on the console, if it is a terminal; else writes lines to the log."""
        self._console = console
        self._log = log
        self._progress: Progress | None = None
        self._lines: Lines | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Takes the terminal from pytest."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            config.pluginmanager.unregister(reporter)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Starts; under pytest-xdist the tests are not known here."""
        if session.config.option.collectonly:
            return
        if not self._console.is_terminal:
            self._lines = Lines(self._log, session.config.stash[SESSION])
            self._lines.begin(item.nodeid for item in session.items)
            return
        self._progress = Progress(
            BarColumn(bar_width=14),
            MofNCompleteColumn(),
            _Left(session.config),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._progress.add_task("tests", total=len(session.items) or None)
        self._progress.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tells when a suite begins."""
        if self._lines is not None:
            self._lines.start(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts what did not pass."""
        if self._lines is not None:
            self._lines.note(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Moves on by a test."""
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])
        if self._lines is not None:
            self._lines.finish(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Ends the bar or the lines, and shows the report once it is made."""
        if self._progress is not None:
            self._progress.stop()
        if self._lines is not None:
            self._lines.end()
        yield
        session.config.stash[SESSION].show(self._console)
