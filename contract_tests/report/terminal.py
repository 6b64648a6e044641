"""The end of a run, for the terminal."""

from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract_tests.report.build import Report, amount_of
from contract_tests.report.causes import Cause
from contract_tests.report.drift import Drift
from contract_tests.rules.values import visible
from contract_tests.safety.payment_log import RECORDED

_STYLES = {"passed": "green", "failed": "bold red", "not_tested": "yellow"}
_MARKS = {"passed": "ok", "failed": "FAILED", "not_tested": "-"}
_MOST_OBSERVED = 3


def show(report: Report, console: Console, *, list_payments: bool, drift: Drift | None = None) -> None:
    """Prints the report; its first line is verdict, target and counts, and failures come before the rest."""
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
    for cause in report.causes:
        _show_cause(cause, report, console)
    for clause, times in report.hidden.items():
        _say(console, f"\n{clause} failed {times} more times in other ways.", "red")
    for error in report.errors:
        _say(console, f"\n{error.test} broke:", "bold red")
        _say(console, error.message)
    _show_strip(report, console)
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


def _show_cause(cause: Cause, report: Report, console: Console) -> None:
    times = f" ({cause.times} times)" if cause.times > 1 else ""
    first, *others = [row for row in report.clauses if row.id in cause.clauses]
    _say(console, f"\n{', '.join(cause.clauses)} failed{times}: {first.sentence}", "bold red")
    for row in others:
        _say(console, f"  and {row.id}    {row.sentence}")
    if cause.expected not in {row.sentence for row in report.clauses}:
        _say(console, f"  expected  {cause.expected}")
    _say(console, f"  got       {cause.got}")
    if cause.shown.curl:
        _say(console, f"  {cause.shown.curl}")


def _show_strip(report: Report, console: Console) -> None:
    """A word for each clause."""
    cells = [Text(f"{row.id} {_MARKS[row.outcome]}", _STYLES[row.outcome]) for row in report.clauses]
    console.print()
    console.print(Columns(cells, padding=(0, 2)))
    for reason, ids in report.untested.items():
        _say(console, f"not tested: {', '.join(ids)} ({reason})", "yellow")


def _show_observations(report: Report, console: Console) -> None:
    console.print()
    if report.differing:
        table = Table(
            box=None, padding=(0, 1, 0, 0), title="Observed to differ, not judged", title_justify="left"
        )
        table.add_column("")
        table.add_column("question", ratio=2)
        table.add_column("the target", ratio=2)
        table.add_column("the mock", ratio=2)
        for row in report.differing:
            seen = row.most_frequent
            shown = "; ".join(seen[:_MOST_OBSERVED]) + (" …" if len(seen) > _MOST_OBSERVED else "")
            table.add_row(Text(row.id), Text(row.question), Text(shown), Text(row.expected, style="dim"))
        console.print(table)
    _say(console, f"{report.folded}; --report and --json list them all", "dim")


def _show_payments(report: Report, console: Console) -> None:
    _say(console, "\nPayments that this run recorded, or may have; they stay until somebody reverses them:")
    for payment in report.payments:
        style = "" if payment.outcome == RECORDED else "bold red"
        line = (
            f"  {payment.time}  load {payment.load}  {payment.reference}  {amount_of(payment)} "
            f"(currency {payment.currency})  {payment.outcome}  id {payment.id}"
        )
        _say(console, visible(line), style)
