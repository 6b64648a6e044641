"""What a run found out: clauses that held, were violated or not tested, and observations."""

from dataclasses import dataclass, field

from contract_tests.rules.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Failure:
    """A clause that an answer broke. The last exchange shows it, the ones before led there."""

    clause: str
    expected: str
    got: str
    exchanges: tuple[Exchange, ...]


@dataclass(slots=True)
class Findings:
    """Collects what the oracle and the suites see. Ids are those of `clauses`."""

    passed: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    untested: dict[str, str] = field(default_factory=dict)
    observed: dict[str, dict[str, int]] = field(default_factory=dict)

    def passes(self, clause: str) -> None:
        """Counts one answer in which the clause could have been broken, and was not."""
        self.passed[clause] = self.passed.get(clause, 0) + 1

    def fails(self, clause: str, expected: str, got: str, *exchanges: Exchange) -> None:
        """Keeps a failure with what led to it."""
        self.failures.append(Failure(clause, expected, got, exchanges))

    def cannot_test(self, clause: str, reason: str) -> None:
        """Says why a clause was not tested; tested elsewhere in the run, it counts as tested."""
        self.untested[clause] = reason

    def observes(self, question: str, answer: str) -> None:
        """Counts what the target does about a question that the contract leaves open."""
        answers = self.observed.setdefault(question, {})
        answers[answer] = answers.get(answer, 0) + 1
