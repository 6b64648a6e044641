"""What one response shows: clauses that passed or failed, and observations."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from contract_tests.rules.exchange import Exchange
from contract_tests.rules.findings import Failure
from contract_tests.rules.values import Json

_MAY_LAG = ("R6", "R7", "D3", "D4")


@dataclass(slots=True)
class Verdict:
    """Collects what is judged. `exchanges` are shown with every failure."""

    passed: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    observations: list[tuple[str, str]] = field(default_factory=list)
    exchanges: tuple[Exchange, ...] = ()
    original: Json = None
    """The fields of the payment that the last exchange is a replay of."""

    @property
    def may_lag(self) -> bool:
        """Whether all that failed may be due to a load that was read too early."""
        return bool(self.failures) and all(one.clause in _MAY_LAG for one in self.failures)

    @property
    def shows_payment(self) -> bool:
        """Whether a load was seen to show a new payment."""
        return "R7" in self.passed

    def require(self, clause: str, passed: object, expected: str, got: str) -> bool:
        """Counts the clause as passed, or keeps a failure. Returns which."""
        if passed:
            self.passed.append(clause)
        else:
            self.fail(clause, expected, got)
        return bool(passed)

    def fail(self, clause: str, expected: str, got: str) -> None:
        """Keeps a failure."""
        failure = Failure(clause, expected, got, self.exchanges, original=self.original)
        self.failures.append(failure)

    def require_unchanged(self, clause: str, changes: Iterable[str], expected: str) -> bool:
        """Requires that nothing is different from before."""
        changed = ", ".join(changes)
        return self.require(clause, not changed, expected, f"changed: {changed}")

    def observe(self, question: str, behaviour: str) -> None:
        """Keeps what the target does about an open question."""
        self.observations.append((question, behaviour))
