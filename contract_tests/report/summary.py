"""The report as Markdown, for the summary of a job on GitHub."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from contract_tests.report.build import Report
from contract_tests.report.causes import Cause
from contract_tests.report.drift import Drift

_MARKS: Final = {"passed": "✅ passed", "failed": "❌ failed", "not_tested": "🔸 not tested"}
_MOST_CAUSES: Final = 12
_LONGEST_TEXT: Final = 1500
"""Characters, so that the summary stays far below the megabyte that GitHub shows."""


def write_summary(report: Report, path: Path, drift: Drift | None = None) -> None:
    """Appends the report to the summary. What a service sent is code there, and becomes no link or HTML."""
    blocks = [
        f"## Contract: {_MARKS[report.verdict]}",
        f"{code(report.target)} · {', '.join(report.counts)}",
        *([f"The run was stopped: {code(report.stopped.reason)}"] if report.stopped else []),
        *_drift(drift),
        *(block for cause in report.causes[:_MOST_CAUSES] for block in _cause(cause, report)),
        *([f"… and {more} more causes"] if (more := len(report.causes) - _MOST_CAUSES) > 0 else []),
        *(f"Broke: {code(error.test)}" for error in report.errors),
        "### Clauses",
        *_clauses(report),
        "### Observed to differ from the mock",
        *_observations(report),
        f"{report.folded}. Revision {report.revision}, run {report.run_id}, seed {report.seed}.",
    ]
    with path.open("a", encoding="utf-8") as file:
        file.write("\n\n".join(blocks) + "\n")


def _drift(drift: Drift | None) -> Iterable[str]:
    if drift is None:
        return
    changes = drift.clauses + drift.observations
    yield f"### Changed since {drift.since}{', for the worse' if drift.is_worse else ''}"
    rows = [(one.id, code(one.subject), code(one.before), code(one.now)) for one in changes]
    yield _table(("", "what", "before", "now"), rows) if rows else "Nothing."


def _cause(cause: Cause, report: Report) -> Iterable[str]:
    times = f", {cause.times} times" if cause.times > 1 else ""
    yield f"### ❌ {', '.join(cause.clauses)}{times}"
    yield "\n".join(f"- {row.id}: {code(row.sentence)}" for row in report.clauses if row.id in cause.clauses)
    is_said = cause.expected in {row.sentence for row in report.clauses}
    yield f"Got {code(cause.got)}" if is_said else f"Expected {code(cause.expected)}, got {code(cause.got)}"
    if cause.shown.curl:
        curl = _cut(cause.shown.curl)
        fence = "`" * max(3, 1 + _longest_run(curl))
        yield f"{fence}sh\n{curl}\n{fence}"


def _clauses(report: Report) -> Iterable[str]:
    for outcome, mark in _MARKS.items():
        ids = [row.id for row in report.clauses if row.outcome == outcome]
        if ids:
            yield f"{mark}: {' '.join(ids)}"
    for reason, untested in report.untested.items():
        yield f"Not tested: {', '.join(untested)} ({code(reason)})"


def _observations(report: Report) -> Iterable[str]:
    rows = [
        (row.id, code(row.question), code("; ".join(row.most_frequent)), code(row.expected))
        for row in report.differing
    ]
    yield _table(("", "question", "the target", "the mock"), rows) if rows else "None."


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """A code span that shows exactly this text, in which nothing else of Markdown or HTML is read."""
    text = _cut(text)
    if not text.strip():
        return "(empty)"
    ticks = "`" * (1 + _longest_run(text))
    return f"{ticks} {text} {ticks}" if text[0] in "` " or text[-1] in "` " else f"{ticks}{text}{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
