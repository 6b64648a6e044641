"""The failures of a run by what caused them: each cause once, with how often it was met, and where."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from contract_tests.report.failures import ShownFailure, kind
from contract_tests.rules.values import money_text

_LONG_AMOUNT = re.compile(r"(?<!\d:)(?<![\w.])\d{1,400}\.\d{5,400}(?![\w.])")


@dataclass(slots=True)
class Cause:
    """One way in which a target fails. `failures` are all that it led to, the simplest first.

    `clauses` are the ids of those that it broke, `expected` and `got` of the simplest failure, for people.
    """

    failures: list[ShownFailure] = field(default_factory=list)

    @property
    def clauses(self) -> list[str]:
        """Ids, each once, in the order of the clauses."""
        return list(dict.fromkeys(failure.clause for failure in self.failures))

    @property
    def times(self) -> int:
        """How many failures it led to."""
        return sum(failure.times for failure in self.failures)

    @property
    def shown(self) -> ShownFailure:
        """The failure that stands for all."""
        return self.failures[0]

    @property
    def expected(self) -> str:
        """What was expected, with its amounts rounded."""
        return rounded(self.shown.expected, self.shown.got)[0]

    @property
    def got(self) -> str:
        """What came instead, with its amounts rounded."""
        return rounded(self.shown.expected, self.shown.got)[1]


def causes(failures: Sequence[ShownFailure]) -> list[Cause]:
    """Folds failures of the same kind, and those that one and the same response shows."""
    found: list[Cause] = []
    by_trait: dict[object, Cause] = {}
    for failure in failures:
        traits = list(_traits(failure))
        cause = next((by_trait[trait] for trait in traits if trait in by_trait), None)
        if cause is None:
            cause = Cause()
            found.append(cause)
        cause.failures.append(failure)
        for trait in traits:
            by_trait.setdefault(trait, cause)
    return found


def _traits(failure: ShownFailure) -> Iterator[object]:
    yield kind(failure.expected, failure.got)
    if re.match(r"5\d\d\b", failure.got):  # the service broke down, whatever it was asked
        yield kind("", failure.got)
    if failure.exchanges:
        last = failure.exchanges[-1]
        yield (last.started, last.curl, last.response_body)


def rounded(expected: str, got: str) -> tuple[str, str]:
    """Both with their amounts as people write them, unless the difference is in the digits left out."""
    short = _rounded(expected), _rounded(got)
    return short if short[0] != short[1] else (expected, got)


def _rounded(text: str) -> str:
    return _LONG_AMOUNT.sub(lambda one: money_text(Decimal(one[0])), text)
