"""The loads and their payments: the only mutable state."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from mock_server.domain import TERMS, Load, LoadIdTaken, LoadNotFound, Payment, Stamp, Terms


@dataclass(frozen=True, slots=True)
class LoadFilter:
    """What a search asks for. A filter that is None or empty lets every load through."""

    statuses: Collection[str] = ()
    numbers: Collection[str] = ()
    order_numbers: Collection[str] = ()
    po_numbers: Collection[str] = ()
    customer_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def accepts(self, load: Load) -> bool:
        """Whether the load passes every filter."""
        return (
            (not self.statuses or load.status in self.statuses)
            and (not self.numbers or load.number in self.numbers)
            and (not self.order_numbers or load.order_number in self.order_numbers)
            and (not self.po_numbers or load.po_number in self.po_numbers)
            and (not self.customer_id or load.customer_id == self.customer_id)
            and (self.created_from is None or load.created_at >= self.created_from)
            and (self.created_to is None or load.created_at <= self.created_to)
        )


class Ledger(Protocol):
    """Keeps loads. Asynchronous, because a database will keep them too."""

    on_reset: list[Callable[[], object]]
    """Called after a reset, by which what else remembers the loads forgets them."""

    async def load(
        self, *, id: str | None = None, number: str | None = None, order_number: str | None = None
    ) -> Load:
        """The load that has everything given; LoadNotFound if there is none."""

    async def record(self, number: str, payment: Payment) -> Load:
        """Records the payment and returns the load after it.

        Two calls with one reference record one payment, also when they run at once (A22).
        LoadNotFound if no load has the number; LoadNotPayable as `Load.record` says.
        """

    async def search(self, wanted: LoadFilter) -> list[Load]:
        """The loads that pass the filter, in a fixed order."""

    async def put(self, load: Load) -> None:
        """Adds the load, in place of the one that has its number; LoadIdTaken."""

    async def set_status(self, number: str, status: str) -> Load:
        """Moves a load to a status, whatever it was in, and returns it; LoadNotFound."""

    async def remove(self, number: str) -> None:
        """Forgets a load and its payments; LoadNotFound."""

    async def reset(self) -> None:
        """Goes back to the opening loads."""

    async def count(self) -> int:
        """How many loads there are."""


class MemoryLedger:
    """Keeps the loads in this process. Every call runs to its end without letting another in."""

    def __init__(
        self,
        loads: Iterable[Load],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        terms: Terms = TERMS,
    ) -> None:
        self._opening = {load.number: load for load in loads}
        self._clock = clock
        self._terms = terms
        self.on_reset: list[Callable[[], object]] = []
        self._open()

    def _open(self) -> None:
        self._loads = self._opening.copy()
        self._number_of_id = {load.id: load.number for load in self._loads.values()}
        self._number_of_order: dict[str, str] = {}
        for load in self._loads.values():
            self._number_of_order.setdefault(load.order_number, load.number)

    def __iter__(self) -> Iterator[Load]:
        return iter(self._loads.values())

    async def load(
        self, *, id: str | None = None, number: str | None = None, order_number: str | None = None
    ) -> Load:
        if number is None and id is not None:
            number = self._number_of_id.get(id)
        if number is None and order_number is not None:
            number = self._number_of_order.get(order_number)
        load = self._loads.get(number) if number is not None else None
        if load is None or (id or load.id, order_number or load.order_number) != (load.id, load.order_number):
            raise LoadNotFound
        return load

    async def record(self, number: str, payment: Payment) -> Load:
        before = self._loads.get(number)
        if before is None:
            raise _no_load(number)
        after = self._loads[number] = before.record(payment, self._stamp, self._terms)
        return after

    def _stamp(self) -> Stamp:
        return Stamp(str(uuid4()), self._clock())

    async def search(self, wanted: LoadFilter) -> list[Load]:
        if wanted.numbers:
            candidates = (
                self._loads[number] for number in dict.fromkeys(wanted.numbers) if number in self._loads
            )
            return [load for load in candidates if wanted.accepts(load)]
        return [load for load in self if wanted.accepts(load)]

    async def put(self, load: Load) -> None:
        taken_by = self._number_of_id.get(load.id, load.number)
        if taken_by != load.number:
            raise LoadIdTaken(taken_by)
        before = self._loads.get(load.number)
        if before is not None and before.id != load.id:
            del self._number_of_id[before.id]
        self._loads[load.number] = load
        self._number_of_id[load.id] = load.number
        if before is not None and before.order_number != load.order_number:
            self._forget_order(before)
        self._number_of_order.setdefault(load.order_number, load.number)

    async def set_status(self, number: str, status: str) -> Load:
        before = self._loads.get(number)
        if before is None:
            raise _no_load(number)
        after = self._loads[number] = replace(before, status=status)
        return after

    async def remove(self, number: str) -> None:
        load = self._loads.pop(number, None)
        if load is None:
            raise _no_load(number)
        del self._number_of_id[load.id]
        self._forget_order(load)

    def _forget_order(self, load: Load) -> None:
        # Several loads may share an order number; then the next of them is found by it.
        if self._number_of_order[load.order_number] == load.number:
            del self._number_of_order[load.order_number]
            for other in self:
                if other.order_number == load.order_number:
                    self._number_of_order[load.order_number] = other.number
                    break

    async def reset(self) -> None:
        self._open()
        for forget in self.on_reset:
            forget()

    async def count(self) -> int:
        return len(self._loads)


def _no_load(number: str) -> LoadNotFound:
    return LoadNotFound(f"No load has the number {number}.")
