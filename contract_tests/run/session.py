"""What a pytest session keeps of a run, and what becomes of it at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from contract_tests.report.build import Report, build
from contract_tests.report.drift import Baseline, Drift, drift
from contract_tests.report.html import write_html
from contract_tests.report.json import write_json
from contract_tests.report.junit import write_junit
from contract_tests.report.profile import write_profile
from contract_tests.report.results import BrokenTest, Results, Stopped
from contract_tests.report.summary import write_summary
from contract_tests.report.terminal import show
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.run.preflight import CannotRun
from contract_tests.run.run import Run
from contract_tests.run.settings import Settings
from contract_tests.safety.payment_log import now


@dataclass(slots=True)
class Session:
    """What a process of pytest knows of the run. `parts` are what workers of pytest-xdist handed over."""

    settings: Settings
    started: str = field(default_factory=now)
    run: Run | None = None
    cannot: CannotRun | None = None
    errors: list[BrokenTest] = field(default_factory=list)
    parts: list[Results] = field(default_factory=list)
    report: Report | None = None
    drift: Drift | None = None
    unwritten: list[str] = field(default_factory=list)
    """A sentence for each file that could not be written, and a baseline that could not be read."""
    failures_before: int = 0
    """How many failures were known before the present test."""

    @property
    def failures(self) -> int:
        """How many failures are known."""
        return 0 if self.run is None else len(self.run.findings.failures)

    def results(self) -> Results:
        """What this process found out so far; without a target if it never reached one."""
        stopped = None
        if self.cannot is not None:
            stopped = Stopped(self.cannot.sentence.rstrip("."), self.cannot.status)
        if self.run is None:
            return Results(errors=self.errors, stopped=stopped)
        guard, target = self.run.guard, self.run.target
        if guard.stopped is not None:
            broken = f", which breaks {guard.stopped.clause}" if guard.stopped.clause else ""
            stopped = Stopped(f"{guard.stopped.reason}{broken}", ExitStatus(guard.stopped.status))
        return Results(
            findings=self.run.findings,
            requests=guard.requests,
            payments=self.run.record.payments,
            errors=self.errors,
            stopped=stopped,
            target=target.name,
            base_url=target.base_url,
            with_token=target.wants_token,
            revision=self.settings.revision,
            budget=guard.budget,
            **_unseen(self.settings),
        )

    def finish(self, status: int, summary: Path | None = None) -> int:
        """Makes the report of the whole run and writes its files; returns the exit status of pytest.

        To `summary`, the file of a job on GitHub, the report is appended as Markdown.
        """
        if self.cannot is not None and self.cannot.status == ExitStatus.USAGE:
            return ExitStatus.USAGE
        results = Results.merged([*self.parts, self.results()])
        results.stopped = results.stopped or _stopped_by_pytest(results, status)
        if not results.target and results.stopped is None:
            return status
        if self.settings.plan and self.cannot is None:
            return ExitStatus.PASSED
        results.target = results.target or self.settings.target
        built = build(results, started=self.started, seed=self.settings.seed, run_id=self.settings.run_id)
        self.report = self._compare(built)
        self.unwritten += _write(self.report, self.drift, self.settings, summary)
        return self.report.exit_status or (ExitStatus.USAGE if self.unwritten else status)

    def _compare(self, report: Report) -> Report:
        """The report, beside its baseline if there is one: what is worse than there is a failure."""
        if self.settings.baseline is None:
            return report
        try:
            # Before the reports are written: the new one may take the place of the old one.
            self.drift = drift(report, Baseline.read(self.settings.baseline))
        except ValueError as error:
            self.unwritten.append(f"{error}.")
            return report
        fails = self.drift.is_worse or (self.settings.fail_on_change and bool(self.drift.observations))
        return replace(report, exit_status=report.exit_status or ExitStatus.FAILED) if fails else report

    def show(self, console: Console) -> None:
        """Prints the report, or the plan if one was asked for, or why there is neither."""
        if self.report is not None:
            show(self.report, console, list_payments=not self.settings.is_mock, drift=self.drift)
            for sentence in self.unwritten:
                console.print(Text(sentence, style="bold red"), soft_wrap=True)
        elif self.cannot is not None:
            console.print(Text(self.cannot.sentence, style="bold red"), soft_wrap=True)
        elif self.run is not None and self.settings.plan:
            guard, settings = self.run.guard, self.settings
            money = guard.payments, guard.amount
            self.run.plan.show(console, settings.target, money, settings.limits, settings.spacing)


def _unseen(settings: Settings) -> dict[str, str]:
    only_reads = settings.suites == ("reads",)
    return {"unseen": "a run that only reads sees no payment, and none refused"} if only_reads else {}


SESSION = pytest.StashKey[Session]()


def _stopped_by_pytest(results: Results, status: int) -> Stopped | None:
    if not results.target and results.errors:
        return Stopped("the suites could not run", ExitStatus.COULD_NOT_TEST)
    if not results.target and status == pytest.ExitCode.NO_TESTS_COLLECTED:
        return Stopped("no test was selected", ExitStatus.COULD_NOT_TEST)
    if results.target and status == pytest.ExitCode.INTERRUPTED:
        return Stopped("it was interrupted", ExitStatus.COULD_NOT_TEST)
    return None


def _write(report: Report, changes: Drift | None, settings: Settings, summary: Path | None) -> Iterator[str]:
    writers: list[tuple[Path | None, Callable[[Report, Path], None]]] = [
        (settings.report, partial(write_html, drift=changes)),
        (settings.json, partial(write_json, drift=changes)),
        (settings.junit, write_junit),
        (settings.profile, write_profile),
        (summary, partial(write_summary, drift=changes)),
    ]
    for path, write in writers:
        if path is not None:
            try:
                write(report, path)
            except OSError as error:
                # What was paid for is still to be shown.
                yield f"{path} could not be written: {error.strerror}."
