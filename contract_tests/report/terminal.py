"""The end of a run, for the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract_tests.report.build import ClauseRow, Report
from contract_tests.report.drift import Drift
from contract_tests.rules.values import visible
from contract_tests.safety.payment_log import RECORDED

_STYLES = {"passed": "green", "failed": "bold red", "not_tested": "yellow"}
_WORDS = {"passed": "passed", "failed": "FAILED", "not_tested": "not tested"}
_MOST_OBSERVED = 3


def show(report: Report, console: Console, *, list_payments: bool, drift: Drift | None = None) -> None:
    """Prints the report; its first line is verdict, target and counts."""
    _say(console, report.headline, _STYLES[report.verdict])
    if report.stopped:
        _say(console, f"The run was stopped: {report.stopped.reason}.", "bold red")
    _say(
        console,
        f"revision {report.revision}, run {report.run_id}, seed {report.seed}, started {report.started}",
        "dim",
    )
    if drift is not None:
        _show_drift(drift, console)
    _show_clauses(report, console)
    for row in report.clauses:
        _show_failures(row, console)
    for error in report.errors:
        _say(console, f"\n{error.test} broke:", "bold red")
        _say(console, error.message)
    _show_observations(report, console)
    if list_payments and report.payments:
        _show_payments(report, console)


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(visible(text, "\n"), style=style), soft_wrap=True)


def _show_drift(drift: Drift, console: Console) -> None:
    changes = drift.clauses + drift.observations
    how = ", for the worse" if drift.is_worse else ""
    _say(console, f"Changed since {drift.since}{how}: {'' if changes else 'nothing'}".rstrip(), "bold")
    for change in changes:
        line = f"  {change.id}  {change.subject}  {change.before} → {change.now}"
        _say(console, line, "bold red" if change.worse else "")


def _show_clauses(report: Report, console: Console) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True)
    for row in report.clauses:
        outcome = Text(_WORDS[row.outcome], style=_STYLES[row.outcome])
        if row.outcome == "passed":
            outcome.append(f" ({row.responses})", style="dim")
        table.add_row(Text(row.id), Text(row.sentence), outcome)
    console.print(table)
    for reason, ids in report.untested.items():
        _say(console, f"not tested: {', '.join(ids)} ({reason})", "yellow")


def _show_failures(row: ClauseRow, console: Console) -> None:
    for shown in row.failures:
        times = f" ({shown.times} times)" if shown.times > 1 else ""
        _say(console, f"\n{row.id} failed{times}: {row.sentence}", "bold red")
        _say(console, f"  expected  {shown.expected}")
        _say(console, f"  got       {shown.got}")
        _say(console, f"  {shown.curl}")
    hidden = row.times_failed - sum(shown.times for shown in row.failures)
    if hidden > 0:
        _say(console, f"\n{row.id} failed {hidden} more times in other ways.", "red")


def _show_observations(report: Report, console: Console) -> None:
    rows = [row for row in report.observations if row.observed]
    if not rows:
        return
    table = Table(box=None, padding=(0, 1, 0, 0), title="Observed, not judged", title_justify="left")
    table.add_column("")
    table.add_column("question", ratio=2)
    table.add_column("the target", ratio=2)
    table.add_column("the mock", ratio=2)
    for row in rows:
        seen = sorted(row.observed, key=lambda one: -row.observed[one])
        shown = "; ".join(seen[:_MOST_OBSERVED]) + (" …" if len(seen) > _MOST_OBSERVED else "")
        table.add_row(Text(row.id), Text(row.question), Text(shown), Text(row.expected, style="dim"))
    console.print()
    console.print(table)


def _show_payments(report: Report, console: Console) -> None:
    _say(console, "\nPayments that this run recorded, or may have; they stay until somebody reverses them:")
    for payment in report.payments:
        style = "" if payment.outcome == RECORDED else "bold red"
        line = (
            f"  {payment.time}  load {payment.load}  {payment.reference}  {payment.amount} "
            f"(currency {payment.currency})  {payment.outcome}  id {payment.id}"
        )
        _say(console, visible(line), style)
