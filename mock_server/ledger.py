"""The loads and their payments: the only mutable state."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from typing import NamedTuple, Protocol, TypeVar
from uuid import uuid4

from mock_server.domain import TERMS, Load, LoadIdTaken, LoadNotFound, Payment, Stamp, Terms

T = TypeVar("T")

MEMORY = "memory"
LONGEST_COMPARED = 250
"""Characters of an unknown load number that is compared with the known ones."""


class UnusableState(Exception):
    """What should keep the loads can't; the message says which and why."""


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

    @property
    def asks_for_one_thing(self) -> bool:
        """Whether there is one filter: who found loads by it need not look at them."""
        keys = (self.statuses, self.numbers, self.order_numbers, self.po_numbers, self.customer_id)
        return sum(map(bool, keys)) == 1 and self.created_from is None and self.created_to is None

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


class Page(NamedTuple):
    """Some of the loads that a search finds, and how many it finds in all."""

    total: int
    loads: list[Load]


class Ledger(Protocol):
    """Keeps loads. Asynchronous, because a database keeps them too."""

    name: str
    """Where the loads are kept."""
    notes: tuple[str, ...]
    """What was not done when it was opened, a line each."""
    on_reset: list[Callable[[], object]]
    """Called after a reset, by which what else remembers the loads forgets them."""
    on_change: list[Callable[[Load, Load], object]]
    """Called after each change of a load by a payment or of its status, with the load before and after it."""

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Has the loads there for as long as the block lasts; nothing works outside it. UnusableState."""

    async def check(self) -> None:
        """Nothing, within two seconds, if loads can be read now; StateUnavailable."""

    async def load(
        self, *, id: str | None = None, number: str | None = None, order_number: str | None = None
    ) -> Load:
        """The load that has everything given; LoadNotFound if there is none."""

    async def record(self, number: str, payment: Payment) -> Load:
        """Records the payment and returns the load after it.

        Two calls with one reference record one payment, also when they run at once (A22).
        LoadNotFound if no load has the number; LoadNotPayable as `Load.record` says.
        """

    async def undivided(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns, whose calls of this ledger no change by another caller divides."""

    async def search(self, wanted: LoadFilter) -> list[Load]:
        """The loads that pass the filter, in a fixed order."""

    async def page(self, wanted: LoadFilter, start: int, count: int) -> Page:
        """The loads that pass the filter, from one on, counted from 0, and so many at most."""

    async def put(self, load: Load) -> None:
        """Adds the load, in place of the one that has its number; LoadIdTaken."""

    async def set_status(self, number: str, status: str) -> Load:
        """Moves a load to a status, whatever it was in, and returns it; LoadNotFound."""

    async def remove(self, number: str) -> None:
        """Forgets a load and its payments; LoadNotFound."""

    async def reset(self) -> None:
        """Goes back to the opening loads."""

    async def restore(self, loads: Iterable[Load]) -> None:
        """Puts these loads in the place of all that there are; a reset goes back to the opening loads."""

    async def count(self) -> int:
        """How many loads there are."""

    async def statuses(self) -> Counter[str]:
        """How many loads there are in each status."""


class _Index:
    """The rows of loads by one of their fields, in order: a single one as it is, several as a list."""

    def __init__(self, key_of: Callable[[Load], str | None], loads: Mapping[int, Load]) -> None:
        """`loads` are by their rows, in order."""
        self._key_of = key_of
        self._rows: dict[str, int | list[int]] = {}
        self._fill(zip(loads, map(key_of, loads.values()), strict=True))

    def _fill(self, keys: Iterable[tuple[int, str | None]]) -> None:
        known = self._rows
        for row, key in keys:
            if key is None:
                continue
            rows = known.setdefault(key, row)
            if isinstance(rows, list):
                rows.append(row)
            elif rows != row:
                known[key] = [rows, row]

    def rows(self, key: str) -> Sequence[int]:
        """The rows of the loads that have this key."""
        rows = self._rows.get(key, [])
        return (rows,) if isinstance(rows, int) else rows

    def add(self, load: Load, row: int) -> None:
        key = self._key_of(load)
        if key is None:
            return
        rows = self._rows.get(key)
        if rows is None:
            self._rows[key] = row
        elif isinstance(rows, int):
            self._rows[key] = sorted((rows, row))
        else:
            insort(rows, row)

    def remove(self, load: Load, row: int) -> None:
        key = self._key_of(load)
        if key is None:
            return
        rows = self._rows[key]
        if isinstance(rows, int) or len(rows) == 1:
            del self._rows[key]
        else:
            del rows[bisect_left(rows, row)]


class MemoryLedger:
    """Keeps the loads in this process. Every call runs to its end without letting another in.

    A load keeps its row, whatever happens to it, and rows are in the order in which loads were added.
    """

    def __init__(
        self,
        loads: Iterable[Load],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        terms: Terms = TERMS,
    ) -> None:
        self._opening = tuple(loads)
        self._clock = clock
        self._terms = terms
        self.name = MEMORY
        self.notes: tuple[str, ...] = ()
        self.on_reset: list[Callable[[], object]] = []
        self.on_change: list[Callable[[Load, Load], object]] = []
        self._open(self._opening)

    def _open(self, loads: Sequence[Load]) -> None:
        self._next_row = count(len(loads))
        self._rows = dict(enumerate(loads))
        self._row_of = {load.number: row for row, load in self._rows.items()}
        self._row_of_id = {load.id: row for row, load in self._rows.items()}
        self._by_status = _Index(lambda load: load.status, self._rows)
        self._by_order = _Index(lambda load: load.order_number, self._rows)
        self._by_po_number = _Index(lambda load: load.po_number, self._rows)
        self._by_customer = _Index(lambda load: load.customer_id, self._rows)
        self._indexes = (self._by_status, self._by_order, self._by_po_number, self._by_customer)

    def opened(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def check(self) -> None:
        pass

    async def undivided(self, work: Callable[[], Awaitable[T]]) -> T:
        return await work()

    async def load(
        self, *, id: str | None = None, number: str | None = None, order_number: str | None = None
    ) -> Load:
        row = None
        if number is not None:
            row = self._row_of.get(number)
        elif id is not None:
            row = self._row_of_id.get(id)
        elif order_number is not None:
            row = next(iter(self._by_order.rows(order_number)), None)
        load = self._rows[row] if row is not None else None
        if load is None or (id or load.id, order_number or load.order_number) != (load.id, load.order_number):
            raise LoadNotFound(near=None if number is None or load is not None else self._near(number))
        return load

    async def record(self, number: str, payment: Payment) -> Load:
        row = self._row_of.get(number)
        if row is None:
            raise self._no_load(number)
        before = self._rows[row]
        after = before.record(payment, self._stamp, self._terms)
        if after is not before:
            self._change(row, before, after)
        return after

    def _stamp(self) -> Stamp:
        return Stamp(str(uuid4()), self._clock())

    def _change(self, row: int, before: Load, after: Load) -> None:
        """Puts a load in the place of what it was before; the indexes know it by no more than its status."""
        self._rows[row] = after
        if after.status != before.status:
            self._by_status.remove(before, row)
            self._by_status.add(after, row)
        if self.on_change:
            for tell in self.on_change:
                tell(before, after)

    async def search(self, wanted: LoadFilter) -> list[Load]:
        if wanted.numbers:
            numbers = dict.fromkeys(wanted.numbers)
            rows: Iterable[int] = [self._row_of[number] for number in numbers if number in self._row_of]
        else:
            rows = self._narrowest(wanted)
        if wanted.asks_for_one_thing:
            return [self._rows[row] for row in rows]
        return [load for row in rows if wanted.accepts(load := self._rows[row])]

    async def page(self, wanted: LoadFilter, start: int, count: int) -> Page:
        found = await self.search(wanted)
        return Page(len(found), found[start : start + count])

    def _narrowest(self, wanted: LoadFilter) -> Iterable[int]:
        """The rows of all loads that may be wanted, by the index that has the fewest of them."""
        customers = (wanted.customer_id,) if wanted.customer_id else ()
        asked = (wanted.statuses, wanted.order_numbers, wanted.po_numbers, customers)
        candidates = [
            [index.rows(key) for key in dict.fromkeys(keys)]
            for index, keys in zip(self._indexes, asked, strict=True)
            if keys
        ]
        if not candidates:
            return self._rows
        return sorted(chain(*min(candidates, key=lambda some: sum(map(len, some)))))

    async def put(self, load: Load) -> None:
        row, taken = self._row_of.get(load.number), self._row_of_id.get(load.id)
        if taken not in (None, row):
            raise LoadIdTaken(self._rows[taken].number)
        if row is None:
            row = next(self._next_row)
        else:
            self._forget(row)
        self._rows[row] = load
        self._row_of[load.number] = self._row_of_id[load.id] = row
        for index in self._indexes:
            index.add(load, row)

    def _forget(self, row: int) -> None:
        """Forgets all that leads to a row."""
        load = self._rows[row]
        del self._row_of[load.number], self._row_of_id[load.id]
        for index in self._indexes:
            index.remove(load, row)

    async def set_status(self, number: str, status: str) -> Load:
        row = self._row_of.get(number)
        if row is None:
            raise self._no_load(number)
        before = self._rows[row]
        after = replace(before, status=status)
        self._change(row, before, after)
        return after

    async def remove(self, number: str) -> None:
        row = self._row_of.get(number)
        if row is None:
            raise self._no_load(number)
        self._forget(row)
        del self._rows[row]

    async def reset(self) -> None:
        await self.restore(self._opening)

    async def restore(self, loads: Iterable[Load]) -> None:
        self._open(tuple(loads))
        for forget in self.on_reset:
            forget()

    async def count(self) -> int:
        return len(self._rows)

    async def statuses(self) -> Counter[str]:
        return Counter(load.status for load in self._rows.values())

    def _no_load(self, number: str) -> LoadNotFound:
        return no_load(number, self._near(number))

    def _near(self, number: str) -> str | None:
        """The load that has the number in other case or without white space, or as its order number or id."""
        if len(number) > LONGEST_COMPARED:
            return None
        bare = number.strip()
        for spelling in (bare, bare.upper(), bare.lower()):
            if spelling in self._row_of:
                return spelling
        row = self._row_of_id.get(bare, next(iter(self._by_order.rows(bare)), None))
        return None if row is None else self._rows[row].number


def no_load(number: str, near: str | None = None) -> LoadNotFound:
    """That no load has the number; `near` is that of one that may be meant."""
    return LoadNotFound(f"No load has the number {number}.", near)
