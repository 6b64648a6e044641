"""What a run found out: clauses that passed, failed or were not tested, and observations."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from contract_tests.rules.exchange import Exchange
from contract_tests.rules.values import Json, visible


@dataclass(frozen=True, slots=True)
class Failure:
    """A clause that a response broke. The last exchange shows it, the ones before led there.

    `after` is the read of the load that followed, if there was one; `original` are the fields of the payment
    that a replay is of.
    """

    clause: str
    expected: str
    got: str
    exchanges: tuple[Exchange, ...]
    after: Exchange | None = None
    original: Json = None


class ClauseFailedError(AssertionError):
    """Responses broke clauses."""

    def __init__(self, failures: Iterable[Failure]) -> None:
        """Keeps them, and words for people."""
        self.failures = tuple(failures)
        lines = (f"{one.clause}: expected {one.expected}; got {one.got}" for one in self.failures)
        super().__init__("\n".join(map(visible, lines)))


@dataclass(slots=True)
class Findings:
    """Collects what the oracle and the suites see. Ids are those of `clauses`.

    `remember` is told of the first failure of each clause, so that a run which is resumed knows it.
    """

    passed: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    untested: dict[str, str] = field(default_factory=dict)
    observed: dict[str, dict[str, int]] = field(default_factory=dict)
    remember: Callable[[Failure], None] | None = None

    def passes(self, clause: str) -> None:
        """Counts one response in which the clause could have been broken, and was not."""
        self.passed[clause] = self.passed.get(clause, 0) + 1

    def fails(self, clause: str, expected: str, got: str, *exchanges: Exchange) -> None:
        """Keeps a failure with what led to it."""
        self.failures.append(Failure(clause, expected, got, exchanges))

    def keep(self, failures: Iterable[Failure]) -> None:
        """Keeps the failures that are not known yet: of each kind, one."""
        kept = {(one.clause, one.expected) for one in self.failures}
        for one in failures:
            if (one.clause, one.expected) in kept:
                continue
            if self.remember is not None and one.clause not in {each for each, _ in kept}:
                self.remember(one)
            kept.add((one.clause, one.expected))
            self.failures.append(one)

    def cannot_test(self, clause: str, reason: str) -> None:
        """Says why a clause was not tested; tested elsewhere in the run, it counts as tested."""
        self.untested[clause] = reason

    def observes(self, question: str, behaviour: str) -> None:
        """Counts what the target does about a question that the contract leaves open."""
        seen = self.observed.setdefault(question, {})
        seen[behaviour] = seen.get(behaviour, 0) + 1
