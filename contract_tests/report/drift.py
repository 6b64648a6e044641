"""What changed since an earlier run, clause by clause and question by question."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract_tests.report.build import SCHEMA_VERSION, ClauseRow, ObservationRow, Report
from contract_tests.rules.values import visible

_RANKS: Final = {"failed": 0, "not_tested": 1, "passed": 2}


@dataclass(frozen=True, slots=True)
class Baseline:
    """The outcomes of clauses, and the answers to questions, of an earlier run; by id."""

    started: str
    outcomes: Mapping[str, str]
    observed: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """The baseline in a JSON report. Raises ValueError with a sentence if the file is none."""
        try:
            report: Any = json.loads(path.read_text("utf-8"))
            if report["schema_version"] != SCHEMA_VERSION:
                raise ValueError(
                    f"{path} has version {report['schema_version']} of the report, not {SCHEMA_VERSION}; "
                    "write it anew with --json"
                )
            return cls(
                str(report["started"]),
                {row["id"]: str(row["outcome"]) for row in report["clauses"]},
                {row["id"]: frozenset(row["observed"]) for row in report["observations"]},
            )
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        except (json.JSONDecodeError, UnicodeDecodeError, LookupError, TypeError, RecursionError) as error:
            raise ValueError(f"{path} is not a report that --json wrote") from error


@dataclass(frozen=True, slots=True)
class Change:
    """A clause or question whose outcome or answers differ. Texts are escaped; `worse` for a clause only."""

    id: str
    subject: str
    before: str
    now: str
    worse: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed since the run that started at `since`."""

    since: str
    clauses: tuple[Change, ...]
    observations: tuple[Change, ...]

    @property
    def is_worse(self) -> bool:
        """Whether a clause failed, or was not tested, that was better before."""
        return any(change.worse for change in self.clauses)


def drift(report: Report, baseline: Baseline) -> Drift:
    """Compares a run with an earlier one. A question that one of them did not answer is left out."""
    return Drift(
        visible(baseline.started),
        tuple(_changed_clauses(report.clauses, baseline.outcomes)),
        tuple(_changed_answers(report.observations, baseline.observed)),
    )


def _changed_clauses(rows: Iterable[ClauseRow], outcomes: Mapping[str, str]) -> Iterator[Change]:
    for row in rows:
        before = outcomes.get(row.id)
        if before in _RANKS and before != row.outcome:
            worse = _RANKS[row.outcome] < _RANKS[before]
            yield Change(row.id, row.sentence, _words(before), _words(row.outcome), worse)


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _changed_answers(
    rows: Iterable[ObservationRow], observed: Mapping[str, frozenset[str]]
) -> Iterator[Change]:
    for row in rows:
        before, now = observed.get(row.id), frozenset(row.observed)
        if before and now and before != now:
            yield Change(row.id, row.question, _listed(before), _listed(now))


def _listed(answers: Iterable[str]) -> str:
    return visible("; ".join(sorted(answers)))
