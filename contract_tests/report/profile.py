"""What the target does about each open question, as a profile: a mock that is given it behaves that way."""

from pathlib import Path

import yaml

from contract_tests.report.build import Report


def write_profile(report: Report, path: Path) -> None:
    """Writes the revision and the answers, as `alvys-mock --profile` reads them.

    A question that was answered in several ways has a list, the most frequent answer first.
    """
    observed = {
        row.id: sorted(row.observed, key=lambda one: -row.observed[one]) for row in report.observations
    }
    answers = {key: seen[0] if len(seen) == 1 else seen for key, seen in observed.items() if seen}
    content = yaml.safe_dump(
        {"revision": report.revision, "answers": answers}, sort_keys=False, allow_unicode=True, width=1000
    )
    heading = f"# What {report.target} did on {report.started}: run {report.run_id}, seed {report.seed}.\n"
    path.write_text(heading + content, "utf-8")
