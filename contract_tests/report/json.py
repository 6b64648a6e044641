"""The report as JSON, for programs."""

import json
from dataclasses import asdict
from pathlib import Path

from contract_tests.report.build import SCHEMA_VERSION, ClauseRow, Report
from contract_tests.report.drift import Drift


def write_json(report: Report, path: Path, drift: Drift | None = None) -> None:
    """Writes the report, as docs/report.schema.json describes it."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "target": report.target,
        "revision": report.revision,
        "started": report.started,
        "verdict": report.verdict,
        "exit_status": report.exit_status,
        "stopped": report.stopped and asdict(report.stopped),
        "seed": report.seed,
        "run_id": report.run_id,
        "requests": report.requests,
        "payments": [asdict(payment) for payment in report.payments],
        "clauses": [_clause(row) for row in report.clauses],
        "observations": [asdict(row) for row in report.observations],
        "errors": [asdict(error) for error in report.errors],
        "drift": drift and asdict(drift),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _clause(row: ClauseRow) -> dict[str, object]:
    failures = [
        {"expected": shown.expected, "got": shown.got, "curl": shown.curl, "times": shown.times}
        for shown in row.failures
    ]
    return {
        "id": row.id,
        "grade": row.grade,
        "sentence": row.sentence,
        "outcome": row.outcome,
        "reason": row.reason,
        "evidence": {"responses": row.responses, "failures": failures},
    }
