"""A payment with its response: what was expected, what came back, what the load is afterwards."""

from dataclasses import dataclass
from decimal import Decimal

from contract_tests.oracle.expectation import Expectation, Kind
from contract_tests.oracle.model import Model
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.exchange import Exchange, Response
from contract_tests.rules.responses import LoadView
from contract_tests.rules.values import Money


@dataclass(frozen=True, slots=True)
class PaymentExchange:
    """A payment request, sent and answered.

    `after` is the load as it is now; None where nobody looked. `alone` is False while other payments
    may be under way for the same load.
    """

    expected: Expectation
    exchange: Exchange
    after: LoadView | None
    alone: bool

    @property
    def response(self) -> Response:
        """What came back."""
        return self.exchange.response

    @property
    def attempt(self) -> Attempt:
        """What was asked for."""
        return self.expected.attempt

    @property
    def kind(self) -> Kind:
        """What the reference is to the load."""
        return self.expected.kind

    @property
    def before(self) -> LoadView | None:
        """The load before, where it was read and nothing else was under way."""
        return self.expected.load.view if self.alone else None

    @property
    def around(self) -> tuple[LoadView, LoadView] | None:
        """The load before and after, where both were read and nothing else was under way."""
        return None if self.before is None or self.after is None else (self.before, self.after)


def replay_question(attempt: Attempt, model: Model) -> str:
    """Which row of A7 a replay with other values is about: its money is another, or only the rest."""
    original = model.original(attempt.load or "", attempt.reference or "")
    money = Money(attempt.amount or Decimal(0), attempt.currency or Decimal(0))
    return "A7b" if original is not None and original.amount == money else "A7"


def near_question(attempt: Attempt, model: Model) -> str:
    """Which row of A9 a reference near a known one is about."""
    reference = attempt.reference or ""
    known = model.load(attempt.load or "")
    others = {*known.originals, *known.refused} - {reference}
    if reference.strip() in {other.strip() for other in others}:
        return "A9b"
    return "A9a" if reference.casefold() in {other.casefold() for other in others} else "A9d"
