"""The terminal of `alvys-contract`: a bar while it runs, and the summary in place of pytest's."""

from collections.abc import Generator

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from contract_tests.run.session import SESSION
from contract_tests.safety.guard import Guard


class _Left(ProgressColumn):
    """Requests and payments: sent, and left in the budget."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._config = config

    def render(self, task: Task) -> Text:  # noqa: ARG002 - the budget is the run's
        run = self._config.stash[SESSION].run
        return Text("starting" if run is None else _left(run.guard))


def _left(guard: Guard) -> str:
    def of(sent: int, most: int | None, what: str) -> str:
        return f"{sent} {what}" if most is None else f"{most - sent} {what} left"

    requests = of(guard.requests, guard.budget.requests, "requests")
    return f"{requests}, {of(guard.payments, guard.budget.payments, 'payments')}"


class ProgressBar:
    """A pytest plugin: takes the place of pytest's own terminal output."""

    def __init__(self, console: Console) -> None:
        """Draws on the console, if it is a terminal."""
        self._console = console
        self._progress: Progress | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Takes the terminal from pytest."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            config.pluginmanager.unregister(reporter)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Starts the bar; under pytest-xdist the length is not known here."""
        self._progress = Progress(
            BarColumn(bar_width=14),
            MofNCompleteColumn(),
            _Left(session.config),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._progress.add_task("tests", total=len(session.items) or None)
        self._progress.start()

    def pytest_runtest_logfinish(self) -> None:
        """Moves the bar."""
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Takes the bar away, and shows the report once it is made."""
        if self._progress is not None:
            self._progress.stop()
        yield
        session.config.stash[SESSION].show(self._console)
