"""Exposure: every transmission that may have booked money, until a response or a read shows what it did."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from contract_tests.rules.values import grain
from contract_tests.safety.sight import SeenLoad, SeenPayment

_CENT: Final = Decimal("0.01")
"""A service may round an amount with smaller parts by so much when it adds it to a total."""


class Fate(Enum):
    """What became of a transmission that may have booked something."""

    OPEN = auto()
    """It is under way."""
    REFUSED = auto()
    """It was refused, and no read has shown yet that it left no trace."""
    UNKNOWN = auto()
    """No response, or one that tells nothing."""
    BOOKED = auto()


@dataclass(eq=False, slots=True)
class Exposure:
    """One transmission: on which loads it could book, under which reference, how much at most.

    `planned` is False for what must be refused. `ended` tells when its fate was known, in the order of
    the run's events; `attempt` is its number in the payment log.
    """

    loads: frozenset[str]
    reference: str | None
    amount: Decimal
    planned: bool
    attempt: int
    currency: int | None = None
    fate: Fate = Fate.OPEN
    id: str | None = None
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A payment that a read shows first. `exposure` is what booked it, None if nothing explains it.

    `was` is what its fate was believed to be; `again` whether its reference was booked before.
    """

    load: str
    payment: SeenPayment
    exposure: Exposure | None
    was: Fate | None = None
    again: bool = False


@dataclass(slots=True)
class _Known:
    """What was seen of a load: the ids of its payments, and its total without what this run booked."""

    ids: set[str]
    total: Decimal


class Exposures:
    """All exposures of a run, and what is known of their loads. Not for threads: the guard locks."""

    def __init__(self) -> None:
        """Starts with nothing sent and nothing seen."""
        self._all: list[Exposure] = []
        self._known: dict[str, _Known] = {}
        self._touched: set[str] = set()
        self._events = 0

    def __iter__(self) -> Iterator[Exposure]:
        return iter(self._all)

    def now(self) -> int:
        """The number of the latest event; a read that begins now shows what ended before."""
        self._events += 1
        return self._events

    def add(self, exposure: Exposure) -> Exposure:
        """Keeps a transmission that is about to leave."""
        self._all.append(exposure)
        self._touched |= exposure.loads
        return exposure

    def has_touched(self, load: str) -> bool:
        """Whether anything was sent that could book on the load."""
        return load in self._touched

    def drop(self, exposure: Exposure) -> None:
        """Forgets a transmission that booked nothing."""
        if exposure in self._all:
            self._all.remove(exposure)

    def end(
        self, exposure: Exposure, fate: Fate, *, id: str | None = None, amount: Decimal | None = None
    ) -> None:
        """Says what became of a transmission. An amount that is larger than what was sent counts."""
        exposure.fate, exposure.ended = fate, self.now()
        if fate is Fate.BOOKED:
            exposure.id = id
            exposure.amount = max(exposure.amount, amount or exposure.amount)

    def ids_of(self, loads: frozenset[str], reference: str | None) -> set[str]:
        """The ids under which a reference was booked on a load."""
        return {
            one.id
            for one in self._all
            if one.fate is Fate.BOOKED and one.loads == loads and one.reference == reference and one.id
        }

    def knows(self, load: str, id: str | None) -> bool:
        """Whether a payment of the load was seen before."""
        if load in self._known and id in self._known[load].ids:
            return True
        return any(one.id == id and load in one.loads for one in self._all if one.id)

    def shown(self) -> tuple[str, set[str]] | None:
        """A load on which payments were booked, and their ids: what a search shows that is up to date."""
        booked = [one for one in self._all if one.fate is Fate.BOOKED and one.id and len(one.loads) == 1]
        if not booked:
            return None
        (load,) = booked[-1].loads
        return load, {one.id for one in booked if load in one.loads and one.id}

    def to_read(self) -> list[str]:
        """The loads that a read must show before their refusals count for nothing."""
        loads = (load for one in self._all if one.fate is Fate.REFUSED for load in one.loads)
        return list(dict.fromkeys(loads))

    def see(self, load: SeenLoad, began: int | None) -> list[Found]:
        """Compares a read with what is known: the payments that it shows first.

        What was refused before the read began and is not in it, left no trace, and is forgotten. So is
        what has an unknown fate, if the read shows a payment that was sent later. A search, which may
        lag behind, has no beginning: it only shows what is new on loads that were read.
        """
        mine = [one for one in self._all if load.number in one.loads]
        known = self._known.get(load.number)
        if known is None:
            if began is None:
                return []
            known = self._begin(load, mine)
        found = list(self._fresh(load, known, mine))
        if not any(one.fate is Fate.OPEN for one in mine):
            found += self._grown(load, known, mine, found)
        known.ids |= {one.payment.id for one in found if one.payment.id}
        if began is not None:
            explained = [one.exposure for one in found]
            self._clear(load, [one for one in mine if one not in explained], began)
        return found

    def _begin(self, load: SeenLoad, mine: list[Exposure]) -> _Known:
        """What a load has when it is read first: everything but what this run may have sent already."""
        booked = {one.id for one in mine if one.id}
        sent = [
            payment
            for payment in load.payments
            if payment.reference and payment.id not in booked and self._explains(payment, mine)
        ]
        ids = {one.id for one in load.payments if one.id and one not in sent}
        known = _Known(ids, (load.total or Decimal(0)) - sum(_worth(mine, sent)))
        self._known[load.number] = known
        return known

    def _fresh(self, load: SeenLoad, known: _Known, mine: list[Exposure]) -> Iterator[Found]:
        booked = {one.id for one in mine if one.id}
        left = [one for one in mine if one.fate is not Fate.BOOKED]
        under_way = any(one.fate is Fate.OPEN for one in left)
        for payment in load.payments:
            if payment.id in known.ids | booked:
                continue
            exposure = self._explains(payment, left)
            if exposure is not None:
                left.remove(exposure)
            if exposure is None and under_way and payment.reference is None:
                continue  # it may be what is under way
            if exposure is not None and exposure.fate is Fate.OPEN:
                continue  # its own response is still to come
            yield Found(load.number, payment, exposure)

    @staticmethod
    def _explains(payment: SeenPayment, candidates: list[Exposure]) -> Exposure | None:
        """The transmission that booked a payment: one that is under way rather than one that was refused.

        One with exactly its reference rather than one that a lenient service may take for it.
        """
        fates = (Fate.OPEN, Fate.UNKNOWN, Fate.REFUSED)
        left = sorted((one for one in candidates if one.fate in fates), key=lambda one: fates.index(one.fate))
        if payment.reference is None:
            return next((one for one in left if payment.amount in (None, one.amount)), None)
        alike = [one for one in left if same_reference(one.reference, payment.reference)]
        exact = (one for one in alike if one.reference == payment.reference)
        return next(exact, alike[0] if alike else None)

    @staticmethod
    def _grown(load: SeenLoad, known: _Known, mine: list[Exposure], found: list[Found]) -> Iterator[Found]:
        """What the total says was booked, and no payment of the list shows."""
        if load.total is None or any(_is_foreign(one, load) for one in mine):
            return  # what a payment in another currency adds to the total is open (A14)
        worth = _worth(mine, [one.payment for one in found])
        slack = sum(_CENT for amount in worth if amount % _CENT)
        more = load.total - known.total - sum(worth)
        doubles = min(grain(load.total, *worth) * (len(mine) + 1), _CENT / 2)  # what they lose in adding
        if more > slack + doubles:
            unseen = next((one for one in mine if one.fate in (Fate.UNKNOWN, Fate.REFUSED)), None)
            yield Found(load.number, SeenPayment(None, None, more), unseen)

    def _clear(self, load: SeenLoad, mine: Iterable[Exposure], began: int) -> None:
        shown = {payment.id for payment in load.payments}
        latest = max((one.ended for one in mine if one.fate is Fate.BOOKED and one.id in shown), default=0)
        for one in mine:
            refused = one.fate is Fate.REFUSED and one.ended < began
            if refused or (one.fate is Fate.UNKNOWN and one.ended < latest):
                one.loads -= {load.number}
                if not one.loads:
                    self.drop(one)


def _is_foreign(one: Exposure, load: SeenLoad) -> bool:
    return one.fate is Fate.BOOKED and one.currency not in (None, 0, load.currency)


def _worth(mine: Iterable[Exposure], shown: Iterable[SeenPayment]) -> list[Decimal]:
    """The amounts of what was booked, and of payments that are shown first."""
    booked = (one.amount for one in mine if one.fate is Fate.BOOKED)
    return [amount for amount in (*booked, *(one.amount for one in shown)) if amount and amount.is_finite()]


def same_reference(one: str | None, other: str | None) -> bool:
    """Whether a lenient service may take one for the other: no case, no outer white space."""
    return (one or "").strip().casefold() == (other or "").strip().casefold()
