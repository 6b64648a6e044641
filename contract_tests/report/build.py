"""The report of a run: what passed, what failed, what was not tested, what was observed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from contract_tests.report.curl import curl
from contract_tests.report.results import BrokenTest, Results, Stopped
from contract_tests.rules.clauses import Clause
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Failure
from contract_tests.rules.questions import QUESTIONS, Question
from contract_tests.rules.revisions import NOT_IN_JULY, PAGE, REVISIONS, Revision, clauses_of
from contract_tests.rules.values import money_text, visible
from contract_tests.safety.payment_log import RECORDED, LoggedPayment

Outcome = Literal["passed", "failed", "not_tested"]

SCHEMA_VERSION: Final = 1
"""Of docs/report.schema.json. It grows when a field changes or goes, not when one is added."""
_MOST_FAILURES: Final = 5
"""So many different failures of a clause are shown; the rest is only counted."""
_LONGEST_TEXT: Final = 4000


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """A request and its response as text. `curl` is without a token."""

    curl: str
    method: str
    url: str
    request_headers: str
    request_body: str
    status: int
    response_headers: str
    response_body: str
    started: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ShownFailure:
    """How a clause was broken: the last exchange shows it, the ones before led there."""

    expected: str
    got: str
    curl: str
    times: int
    exchanges: tuple[ShownExchange, ...]


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

    @property
    def booked(self) -> list[LoggedPayment]:
        """The payments that the target recorded."""
        return [payment for payment in self.payments if payment.outcome == RECORDED]

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
                {_phrase(seen): times for seen, times in observed.get(question.id, {}).items()},
            )
            for question in questions.values()
        ),
        errors=tuple(
            BrokenTest(visible(error.test), visible(error.message, "\n\t")) for error in results.errors
        ),
        stopped=results.stopped and Stopped(_phrase(results.stopped.reason), results.stopped.status),
        seed=seed,
        run_id=run_id,
        exit_status=status,
        revision=revision,
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
        _phrase(reason) if outcome == "not_tested" else "",
        responses,
        _shown(found, results),
        len(found),
    )


def _shown(found: list[Failure], results: Results) -> tuple[ShownFailure, ...]:
    """The different ways in which a clause was broken, each by its shortest request."""
    shortest: dict[tuple[str, str], Failure] = {}
    times: dict[tuple[str, str], int] = {}
    for failure in found:
        key = (failure.expected, failure.got)
        times[key] = times.get(key, 0) + 1
        if key not in shortest or _size(failure) < _size(shortest[key]):
            shortest[key] = failure
    ordered = sorted(shortest.values(), key=_size)[:_MOST_FAILURES]
    return tuple(
        _shown_failure(failure, times[failure.expected, failure.got], results) for failure in ordered
    )


def _size(failure: Failure) -> int:
    if not failure.exchanges:
        return 0
    request = failure.exchanges[-1].request
    return len(request.path) + len(request.content or b"") + sum(map(len, request.headers.values()))


def _shown_failure(failure: Failure, times: int, results: Results) -> ShownFailure:
    exchanges = tuple(_shown_exchange(exchange, results) for exchange in failure.exchanges)
    last = exchanges[-1].curl if exchanges else ""
    return ShownFailure(_phrase(failure.expected), _phrase(failure.got), last, times, exchanges)


def _shown_exchange(exchange: Exchange, results: Results) -> ShownExchange:
    request, response = exchange.request, exchange.response
    query = "&".join(f"{name}={value}" for name, value in request.query)
    return ShownExchange(
        curl=visible(curl(request, results.base_url, with_token=results.with_token)),
        method=request.method,
        url=visible(results.base_url + request.path + (f"?{query}" if query else "")),
        request_headers=_lines(request.headers),
        request_body=_text(request.content or b""),
        status=response.status,
        response_headers=_lines(response.headers),
        response_body=_text(response.content),
        started=exchange.started,
        milliseconds=round(exchange.seconds * 1000),
    )


def _lines(headers: Mapping[str, str]) -> str:
    shown = (f"{name}: {value}" for name, value in headers.items() if name.lower() != "authorization")
    return "\n".join(map(_phrase, shown))


def _text(content: bytes) -> str:
    return visible(_cut(content.decode("utf-8", "backslashreplace")), "\n\t")


def _phrase(text: str) -> str:
    """A text in one line, so that none of its lines passes for one of the report."""
    return visible(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text)} characters)"
