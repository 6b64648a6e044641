"""The report of a run: what passed, what failed, what was not tested, what was observed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from contract_tests.report.causes import Cause, causes
from contract_tests.report.failures import ShownFailure, phrase, shown_failures
from contract_tests.report.results import BrokenTest, Results, Stopped
from contract_tests.rules.clauses import Clause
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.questions import QUESTIONS, Question
from contract_tests.rules.revisions import NOT_IN_JULY, PAGE, REVISIONS, Revision, clauses_of
from contract_tests.rules.values import money_text, visible
from contract_tests.safety.guard import Budget
from contract_tests.safety.payment_log import RECORDED, LoggedPayment

Outcome = Literal["passed", "failed", "not_tested"]

SCHEMA_VERSION: Final = 1
"""Of docs/report.schema.json. It grows when a field changes or goes, not when one is added."""


@dataclass(frozen=True, slots=True)
class ClauseRow:
    """A clause and its outcome. `responses` counts those that kept it."""

    id: str
    grade: str
    sentence: str
    outcome: Outcome
    reason: str
    responses: int
    failures: tuple[ShownFailure, ...]
    times_failed: int


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """What the target does about an open question, beside what the mock does: what -> how often."""

    id: str
    question: str
    expected: str
    observed: Mapping[str, int]

    @property
    def differs(self) -> bool:
        """Whether the target was seen to do otherwise than the mock."""
        return bool(self.observed.keys() - {self.expected})

    @property
    def most_frequent(self) -> list[str]:
        """What was observed, the most frequent first."""
        return sorted(self.observed, key=lambda one: -self.observed[one])


@dataclass(frozen=True, slots=True)
class Spent:
    """How much of a budget was used: `used` of `most`, None where there is no limit.

    A payment that may have been recorded counts.
    """

    what: str
    used: Decimal
    most: Decimal | None

    @property
    def phrase(self) -> str:
        """Both, for people."""
        most = "no limit" if self.most is None else f"of {money_text(self.most)}"
        return (
            f"{money_text(self.used)} {most}" if self.most is not None else f"{money_text(self.used)}, {most}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a person or a machine is told about a run.

    What the target sent is escaped in every text, but not in `payments`, whose values somebody may need.
    """

    target: str
    started: str
    verdict: Outcome
    requests: int
    payments: tuple[LoggedPayment, ...]
    clauses: tuple[ClauseRow, ...]
    observations: tuple[ObservationRow, ...]
    errors: tuple[BrokenTest, ...]
    stopped: Stopped | None
    seed: int
    run_id: str
    exit_status: ExitStatus
    revision: Revision
    budget: Budget

    @property
    def booked(self) -> list[LoggedPayment]:
        """The payments that the target recorded."""
        return [payment for payment in self.payments if payment.outcome == RECORDED]

    @property
    def causes(self) -> list[Cause]:
        """The failures, each cause once."""
        return causes([shown for row in self.clauses for shown in row.failures])

    @property
    def hidden(self) -> dict[str, int]:
        """How many failures of a clause are of none of the kinds that are shown; by its id."""
        counts = {row.id: row.times_failed - sum(one.times for one in row.failures) for row in self.clauses}
        return {key: count for key, count in counts.items() if count}

    @property
    def differing(self) -> list[ObservationRow]:
        """What was observed to be otherwise than in the mock."""
        return [row for row in self.observations if row.differs]

    @property
    def folded(self) -> str:
        """How many observations are not among them, as a phrase."""
        unseen = sum(not row.observed for row in self.observations)
        alike = len(self.observations) - unseen - len(self.differing)
        return f"{_counted(alike, 'question')} answered as by the mock, {unseen} not observed"

    @property
    def spent(self) -> list[Spent]:
        """What the run used of its budgets."""
        amount = sum((abs(one.money) for one in self.payments if one.is_bookable), Decimal(0))
        return [
            Spent("requests", Decimal(self.requests), _decimal(self.budget.requests)),
            Spent("payments", Decimal(len(self.payments)), _decimal(self.budget.payments)),
            Spent("amount", amount, self.budget.amount),
        ]

    @property
    def money(self) -> Decimal:
        """What they are worth in all."""
        return sum((payment.money for payment in self.booked if payment.is_bookable), Decimal(0))

    def count(self, outcome: Outcome) -> int:
        """How many clauses have this outcome."""
        return sum(row.outcome == outcome for row in self.clauses)

    @property
    def untested(self) -> dict[str, list[str]]:
        """Why clauses were not tested: reason -> their ids."""
        found: dict[str, list[str]] = {}
        for row in self.clauses:
            if row.outcome == "not_tested":
                found.setdefault(row.reason, []).append(row.id)
        return found

    @property
    def counts(self) -> list[str]:
        """The counts of the run, each as a phrase."""
        uncertain = len(self.payments) - len(self.booked)
        return [
            _counted(self.requests, "request"),
            f"{_counted(len(self.booked), 'payment')} worth {money_text(self.money)}",
            *([f"{_counted(uncertain, 'payment')} UNKNOWN"] if uncertain else []),
            f"{_counted(self.count('passed'), 'clause')} passed",
            f"{self.count('failed')} failed",
            f"{self.count('not_tested')} not tested",
            *([f"{_counted(len(self.errors), 'test')} broke"] if self.errors else []),
        ]

    @property
    def headline(self) -> str:
        """Verdict, target and counts, in one line."""
        verdict = {"passed": "PASSED", "failed": "FAILED", "not_tested": "NOT TESTED"}[self.verdict]
        return f"{verdict} · {self.target} · " + ", ".join(self.counts)


def _decimal(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def build(  # noqa: PLR0913 - the facts of a report
    results: Results,
    *,
    started: str,
    seed: int,
    run_id: str,
    clauses: Mapping[str, Clause] | None = None,
    questions: Mapping[str, Question] = QUESTIONS,
) -> Report:
    """Makes the report of what a run came to. A clause that nothing judged is not tested, never passed."""
    revision = _revision(results)
    if revision != PAGE:
        results.findings.untested |= NOT_IN_JULY
    rows = tuple(_row(clause, results) for clause in (clauses or clauses_of(revision)).values())
    verdict, status = _verdict(rows, results)
    observed = results.findings.observed
    return Report(
        target=results.target,
        started=started,
        verdict=verdict,
        requests=results.requests,
        payments=tuple(results.payments),
        clauses=rows,
        observations=tuple(
            ObservationRow(
                question.id,
                question.question,
                question.expected,
                {phrase(seen): times for seen, times in observed.get(question.id, {}).items()},
            )
            for question in questions.values()
        ),
        errors=tuple(
            BrokenTest(visible(error.test), visible(error.message, "\n\t")) for error in results.errors
        ),
        stopped=results.stopped and Stopped(phrase(results.stopped.reason), results.stopped.status),
        seed=seed,
        run_id=run_id,
        exit_status=status,
        revision=revision,
        budget=results.budget,
    )


def _revision(results: Results) -> Revision:
    """The one that was asked for, else that of the responses to payments, else that of the loads."""
    observed = results.findings.observed
    found = observed.get("A1c") or observed.get("A1d") or {}
    own: list[Revision] = [one for one in REVISIONS if one in found]
    return results.revision or (own[0] if own else PAGE)


def _verdict(rows: tuple[ClauseRow, ...], results: Results) -> tuple[Outcome, ExitStatus]:
    judged = any(row.outcome == "passed" for row in rows)
    if results.findings.failures or (results.errors and judged):
        return "failed", ExitStatus.FAILED
    if results.stopped is not None:
        status = results.stopped.status
        return ("failed" if status == ExitStatus.FAILED else "not_tested"), status
    return ("passed", ExitStatus.PASSED) if judged else ("not_tested", ExitStatus.COULD_NOT_TEST)


def _row(clause: Clause, results: Results) -> ClauseRow:
    findings = results.findings
    found = [failure for failure in findings.failures if failure.clause == clause.id]
    responses = findings.passed.get(clause.id, 0)
    outcome: Outcome = "failed" if found else "passed" if responses else "not_tested"
    unseen = results.unseen if results.stopped is None else "the run ended before"
    reason = findings.untested.get(clause.id, unseen)
    return ClauseRow(
        clause.id,
        clause.grade,
        clause.sentence,
        outcome,
        phrase(reason) if outcome == "not_tested" else "",
        responses,
        shown_failures(found, results),
        len(found),
    )


def amount_of(payment: LoggedPayment) -> str:
    """The amount as people write it; as it was sent, where it is none that a sum can hold."""
    return money_text(payment.money) if payment.is_bookable else payment.amount
