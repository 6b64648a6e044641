"""What a run found out: clauses that held, were violated or not tested, and observations."""

from dataclasses import dataclass, field

from contract_tests.rules.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Violation:
    """A clause that an answer broke. The last exchange shows it, the ones before led there."""

    clause: str
    expected: str
    got: str
    exchanges: tuple[Exchange, ...]


@dataclass(slots=True)
class Findings:
    """Collects what the oracle and the suites see. Ids are those of `clauses`."""

    held: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    untested: dict[str, str] = field(default_factory=dict)
    observed: dict[str, dict[str, int]] = field(default_factory=dict)

    def holds(self, clause: str) -> None:
        """Counts one answer in which the clause could have been broken, and was not."""
        self.held[clause] = self.held.get(clause, 0) + 1

    def violates(self, clause: str, expected: str, got: str, *exchanges: Exchange) -> None:
        """Keeps a violation with what led to it."""
        self.violations.append(Violation(clause, expected, got, exchanges))

    def cannot_test(self, clause: str, reason: str) -> None:
        """Says why a clause was not tested; tested elsewhere in the run, it counts as tested."""
        self.untested[clause] = reason

    def observes(self, question: str, answer: str) -> None:
        """Counts what the target does about a question that the contract leaves open."""
        answers = self.observed.setdefault(question, {})
        answers[answer] = answers.get(answer, 0) + 1
