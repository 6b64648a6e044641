"""What was asked of one load and what was seen of it, and whether that can have happened one after another.

A load is a list of payments, to which each new reference adds one, and every response shows the whole list.
So a history is linearizable exactly if all lists are beginnings of one, no shorter than what those saw that
had ended before, and nobody saw a payment before it was asked for.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple


class Shown(NamedTuple):
    """A payment as a response shows it."""

    reference: str
    id: str
    amount: Decimal


class Seen(NamedTuple):
    """What a response showed: how many payments, and a number that stands for all that it showed of them."""

    length: int
    digest: int

    @classmethod
    def of(cls, payments: Sequence[Shown]) -> "Seen":
        """What is kept of a response."""
        return cls(len(payments), hash(tuple(payments)))


class Call(NamedTuple):
    """A request about one load: from when to when it lasted, in seconds of one clock.

    `reference` is what it paid, None for a read. `seen` is None if there was no response, which leaves open
    whether it was done, and when.
    """

    began: float
    ended: float
    reference: str | None
    seen: Seen | None

    def __str__(self) -> str:
        """What is said about it."""
        what = "a read" if self.reference is None else f"the payment {self.reference}"
        return f"{what} from {self.began:.3f} to {self.ended:.3f} s"


def contradictions(calls: Sequence[Call], whole: Sequence[Shown], paid: Decimal) -> Iterator[str]:
    """What can't be, a sentence each. In the end the load shows `whole`, and `paid` as its total."""
    yield from _in_itself(whole, paid)
    asked: dict[str, float] = {}
    for call in sorted(calls, key=lambda call: call.began):
        if call.reference is not None:
            asked.setdefault(call.reference, call.began)
    places = {payment.reference: place for place, payment in enumerate(whole)}
    earliest = [0.0, *accumulate((asked.get(each.reference, float("inf")) for each in whole), max)]
    answered = [(call, call.seen) for call in calls if call.seen is not None]
    digests = {end: Seen.of(whole[:end]).digest for end in {seen.length for _, seen in answered}}
    for call, seen in answered:
        if seen.length > len(whole) or seen.digest != digests[seen.length]:
            yield f"{call} saw another list: a payment was lost, or changed"
        elif call.reference is not None and places[call.reference] >= seen.length:
            yield f"{call} was acknowledged without being there"
        elif earliest[seen.length] >= call.ended:
            yield f"{call} saw what was asked for later, or by nobody"
    yield from _in_order(answered)


def _in_itself(whole: Sequence[Shown], paid: Decimal) -> Iterator[str]:
    for what in ("reference", "id"):
        if len({getattr(payment, what) for payment in whole}) < len(whole):
            yield f"a payment is there twice, by its {what}"
    total = sum((payment.amount for payment in whole), Decimal(0))
    if total != paid:
        yield f"the total is {paid}, and the payments add up to {total}"


def _in_order(answered: Sequence[tuple[Call, Seen]]) -> Iterator[str]:
    """Each call sees at least what those saw that had ended before it began."""
    moments = [(call.began, 1, call, seen) for call, seen in answered]
    moments += [(call.ended, 0, call, seen) for call, seen in answered]
    most = 0
    for _, is_beginning, call, seen in sorted(moments, key=lambda moment: moment[:2]):
        if not is_beginning:
            most = max(most, seen.length)
        elif seen.length < most:
            yield f"{call} saw less than a call that had ended before it began"
