"""What a run, or each of several processes of one, came to, as plain data."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Findings
from contract_tests.rules.revisions import Revision
from contract_tests.safety.guard import Budget
from contract_tests.safety.payment_log import LoggedPayment


@dataclass(frozen=True, slots=True)
class BrokenTest:
    """A test that failed without a clause to show for it: `test` is its name, `message` why."""

    test: str
    message: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a run ended early, as a phrase, and the exit status that follows."""

    reason: str
    status: ExitStatus


@dataclass(slots=True)
class Results:
    """The findings of a run with its counts. `with_token`: requests carried an access token.

    `unseen` says why the clauses of which nothing else is known were not tested.
    """

    findings: Findings = field(default_factory=Findings)
    requests: int = 0
    payments: list[LoggedPayment] = field(default_factory=list)
    errors: list[BrokenTest] = field(default_factory=list)
    stopped: Stopped | None = None
    target: str = ""
    base_url: str = ""
    with_token: bool = False
    revision: Revision | None = None
    """The one that the target was said to speak."""
    budget: Budget = field(default_factory=Budget)
    """The most that it was allowed."""
    unseen: str = "no suite that ran tests it"

    @classmethod
    def merged(cls, parts: Iterable["Results"]) -> "Results":
        """One result of the processes of a run. An error that several of them met is kept once."""
        whole = cls()
        for part in parts:
            whole.requests += part.requests
            whole.payments += part.payments
            whole.errors += [error for error in part.errors if error not in whole.errors]
            whole.stopped = whole.stopped or part.stopped
            whole.target = whole.target or part.target
            whole.base_url = whole.base_url or part.base_url
            whole.with_token = whole.with_token or part.with_token
            whole.revision = whole.revision or part.revision
            whole.budget = part.budget
            whole.unseen = part.unseen
            _merge(whole.findings, part.findings)
        return whole


def _merge(whole: Findings, part: Findings) -> None:
    for clause, count in part.passed.items():
        whole.passed[clause] = whole.passed.get(clause, 0) + count
    whole.failures += part.failures
    whole.untested.update(part.untested)
    for question, answers in part.observed.items():
        counts = whole.observed.setdefault(question, {})
        for answer, count in answers.items():
            counts[answer] = counts.get(answer, 0) + count
