"""Payments of one load that were sent at once: each reference once, and an order that explains it all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.responses import (
    LoadView,
    PaymentResponse,
    PaymentView,
    UnexpectedFormError,
    payment_response_of,
)
from contract_tests.rules.revisions import PAGE
from contract_tests.rules.values import EXACT, nearly

_FEW = 8
"""More requests than these have too many orders to try."""


@dataclass(frozen=True)
class TimedExchange:
    """One exchange of a burst, with when it began and ended on one clock."""

    attempt: Attempt
    exchange: Exchange
    began: float
    ended: float

    @property
    def reference(self) -> str:
        """The reference that was sent."""
        return self.attempt.reference or ""

    @cached_property
    def shown(self) -> PaymentResponse | None:
        """What a 200 says; None for a refusal, or a response without form."""
        if self.exchange.response.status != 200:
            return None
        try:
            return payment_response_of(self.exchange.response)
        except UnexpectedFormError:
            return None

    @cached_property
    def payments(self) -> frozenset[str]:
        """The ids of all payments that the response shows."""
        return self.shown.ids if self.shown else frozenset()

    @property
    def _own(self) -> Sequence[PaymentView]:
        return self.shown.paid_as(self.reference) if self.shown else ()

    @cached_property
    def own(self) -> frozenset[str]:
        """The ids that the response gives to the payment that was sent; one, or something is wrong."""
        if self.shown is not None and self.shown.id is not None:
            return self.shown.ids
        return frozenset(payment.id for payment in self._own)

    @property
    def won(self) -> bool:
        """Whether the response's payment is the one that was sent, not another's of the same reference."""
        return any(payment.amount.amount == self.attempt.amount for payment in self._own)


def in_order(calls: Sequence[TimedExchange]) -> list[TimedExchange]:
    """As they were probably recorded, and the first of each reference before all replays.

    A response must not tell of a payment that is still to be judged: it would pass for a replay.
    """
    ordered = sorted(calls, key=lambda one: (not one.won, len(one.payments), one.ended))
    first = {one.reference: one for one in reversed(ordered)}
    return sorted(ordered, key=lambda one: one is not first[one.reference])


def lost_a_race(one: TimedExchange, calls: Iterable[TimedExchange]) -> bool:
    """Whether it was refused and its reference was paid by another: what it is told is open (A22)."""
    return one.exchange.response.is_refusal and any(
        other.shown is not None and other.reference == one.reference for other in calls
    )


def judge_together(
    verdict: Verdict, calls: Sequence[TimedExchange], before: LoadView, after: LoadView
) -> None:
    """What the responses of a burst must agree on, with the load before and after it."""
    answered = [one for one in calls if one.shown is not None]
    added = [payment for key, payment in after.payments.items() if key not in before.payments]
    promised = {key for one in answered for key in one.own} - before.payments.keys()
    expected = f"{len(promised)} new payments, one for each new reference"
    verdict.require("R6", {payment.id for payment in added} == promised, expected, f"{len(added)} payments")
    if all(payment.amount.currency == before.currency for payment in added):
        _judge_total(verdict, added, before, after)
    for reference in {one.reference for one in answered}:
        _observe_race(verdict, [one for one in calls if one.reference == reference], before)
    if len(calls) <= _FEW and all(one.shown.revision == PAGE for one in answered if one.shown):
        explained = explains(frozenset(before.payments), answered)
        verdict.require(
            "D4", explained, "responses that some order of the requests explains", "no such order"
        )


def _judge_total(verdict: Verdict, added: Iterable[PaymentView], before: LoadView, after: LoadView) -> None:
    amounts = [payment.amount.amount for payment in added]
    wanted = before.paid
    for amount in amounts:
        wanted = EXACT.add(wanted, amount)
    exact = nearly(after.paid, wanted, *amounts, additions=len(after.payments))
    if verdict.require("R7", exact, f"totalPaid {wanted}", f"totalPaid {after.paid}"):
        verdict.observe("A20d", "exact" if after.paid == wanted else "off by less than a cent")


def _observe_race(verdict: Verdict, same: Sequence[TimedExchange], before: LoadView) -> None:
    """What those are told that sent one reference at once."""
    if len(same) > 1 and all(one.own.isdisjoint(before.payments) for one in same):
        statuses = sorted({str(one.exchange.response.status) for one in same})
        told = "both 200" if statuses == ["200"] else " and ".join(statuses)
        if any(status >= HTTPStatus.INTERNAL_SERVER_ERROR for one in same for status in one.exchange.earlier):
            told = f"{told}, once it is repeated after a failure"
        verdict.observe("A22", f"one payment, {told}")


def explains(recorded: frozenset[str], calls: Sequence[TimedExchange]) -> bool:
    """Whether the calls could have run one after the other and given these responses.

    `recorded` are the ids before. A call that ended before another began comes first. Each response shows
    its own payment; a new one's shows exactly what was recorded by then, a replay's nothing else.
    """
    if not calls:
        return True
    first_end = min(one.ended for one in calls)
    for one in calls:
        if one.began > first_end or one.shown is None:
            continue
        is_replay = one.own <= recorded
        fits = one.payments <= recorded if is_replay else one.payments == recorded | one.own
        if fits and explains(recorded | one.own, [other for other in calls if other is not one]):
            return True
    return False
