"""The ledger in SQLite or PostgreSQL: each call is a transaction, in which the rule of the domain runs."""

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Row,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from mock_server.decimal_json import encode
from mock_server.domain import (
    NO_PAYMENTS,
    TERMS,
    Load,
    LoadIdTaken,
    LoadNotFound,
    Payment,
    Payments,
    Stamp,
    Terms,
)
from mock_server.ledger import LONGEST_COMPARED, LoadFilter, Page, no_load
from mock_server.tables import (
    LOADS,
    PAYMENTS,
    columns_of_load,
    columns_of_payment,
    key_of,
    load_of,
    payment_of,
    what_changes,
)
from mock_server.transactions import Database

T = TypeVar("T")

_MOST_KEPT = 1000
"""Loads whose payments are kept, so that a payment does not read all those before it."""
_AT_ONCE = 1000
"""Rows that one statement adds or reads."""
_FARTHEST = 2**62
"""The last row that a page can begin at."""

_BY_NUMBER = select(LOADS).where(LOADS.c.number_key == bindparam("key"))
_BY_ID = select(LOADS).where(LOADS.c.id_key == bindparam("key"))
_COUNT = select(func.count()).select_from(LOADS)
TO_CHANGE = _BY_NUMBER.with_for_update()
CHANGE = update(LOADS).where(LOADS.c.serial == bindparam("of"))
_ADD_PAYMENTS = insert(PAYMENTS)
_PAYMENTS_FROM = (
    select(PAYMENTS)
    .where(
        PAYMENTS.c.load == bindparam("load"),
        PAYMENTS.c.edition == bindparam("edition"),
        PAYMENTS.c.place >= bindparam("start"),
        PAYMENTS.c.place < bindparam("end"),
    )
    .order_by(PAYMENTS.c.place)
)


class SqlLedger:
    """Keeps the loads in a database, where other processes may change them too.

    A load keeps its serial, whatever happens to it, and its payments are only ever added, unless the load is
    put in place of itself, which gives it another edition.
    """

    def __init__(
        self,
        database: Database,
        loads: Iterable[Load],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        terms: Terms = TERMS,
    ) -> None:
        self.name = database.name
        self.notes: tuple[str, ...] = ()
        self.on_reset: list[Callable[[], object]] = []
        self.on_change: list[Callable[[Load, Load], object]] = []
        self._opening = tuple(loads)
        self._clock = clock
        self._terms = terms
        self.database = database
        self._payments: OrderedDict[tuple[int, int], Payments] = OrderedDict()
        """Payments that are in the database, by serial and edition of their load."""
        database.on_open.append(self._open)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Opens the database, with the opening loads if it has none; lets go of it in the end."""
        return self.database.opened()

    def _open(self, connection: Connection) -> None:
        there = connection.execute(_COUNT).scalar_one()
        if there:
            left_out = f"the {len(self._opening)} of the fixtures are not added to them"
            self.notes = (f"it has {there} loads; {left_out} (a reset goes back to the fixtures)",)
        else:
            self._add(connection, self._opening)

    # --- reading --------------------------------------------------------------------------------------

    async def check(self) -> None:
        await self.database.check()

    async def load(
        self, *, id: str | None = None, number: str | None = None, order_number: str | None = None
    ) -> Load:
        def find(connection: Connection) -> Load:
            if number is not None:
                row = connection.execute(_BY_NUMBER, {"key": key_of(number)}).one_or_none()
            elif id is not None:
                row = connection.execute(_BY_ID, {"key": key_of(id)}).one_or_none()
            else:
                with_it = select(LOADS).where(LOADS.c.order_number == order_number)
                row = connection.execute(with_it.order_by(LOADS.c.serial).limit(1)).one_or_none()
            if row is None or (id or row.id, order_number or row.order_number) != (row.id, row.order_number):
                raise LoadNotFound
            return self._load_of(connection, row)

        return await self.database.read(find)

    async def search(self, wanted: LoadFilter) -> list[Load]:
        return (await self.page(wanted, 0, _FARTHEST)).loads

    async def page(self, wanted: LoadFilter, start: int, count: int) -> Page:
        def find(connection: Connection) -> Page:
            conditions = list(self._conditions(wanted))
            found = select(LOADS).where(*conditions).order_by(LOADS.c.serial)
            if wanted.numbers:  # in the order in which they are asked for
                rows = {row.number: row for row in connection.execute(found)}
                hits = [rows[number] for number in dict.fromkeys(wanted.numbers) if number in rows]
                return Page(len(hits), self._loads_of(connection, hits[start : start + count]))
            total = connection.execute(
                select(func.count()).select_from(LOADS).where(*conditions)
            ).scalar_one()
            if start >= total:
                return Page(total, [])
            page = found.offset(start).limit(min(count, _FARTHEST))
            return Page(total, self._loads_of(connection, connection.execute(page).all()))

        return await self.database.read(find)

    def _conditions(self, wanted: LoadFilter) -> Iterable[ColumnElement[bool]]:
        columns = LOADS.c
        for column, values in (
            (columns.status, wanted.statuses),
            (columns.number_key, [key_of(number) for number in wanted.numbers]),
            (columns.order_number, wanted.order_numbers),
            (columns.po_number, wanted.po_numbers),
            (columns.customer_id, [wanted.customer_id] if wanted.customer_id else ()),
        ):
            if values:
                yield self._is_one_of(column, values)
        if wanted.created_from is not None:
            yield columns.created_at >= wanted.created_from
        if wanted.created_to is not None:
            yield columns.created_at <= wanted.created_to

    def _is_one_of(self, column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
        """All values in one parameter: a request may have more of them than a statement has room for."""
        if len(values) == 1:
            return column == next(iter(values))
        if not self.database.is_sqlite:
            return column == any_(literal(list(values), ARRAY(column.type)))
        bind = column.type.bind_processor(self.database.dialect) or str
        each = func.json_each(encode([bind(value) for value in values]).decode()).table_valued("value")
        return column.in_(select(each.c.value))

    async def statuses(self) -> Counter[str]:
        def count(connection: Connection) -> Counter[str]:
            first, status = func.min(LOADS.c.serial), LOADS.c.status
            counted = connection.execute(select(status, func.count()).group_by(status).order_by(first))
            return Counter(dict(iter(counted)))

        return await self.database.read(count)

    async def count(self) -> int:
        return await self.database.read(lambda connection: connection.execute(_COUNT).scalar_one())

    def _loads_of(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Load]:
        return [self._load_of(connection, row) for row in rows]

    def _load_of(self, connection: Connection, row: Row[Any]) -> Load:
        return load_of(row, self._payments_of(connection, row))

    def _payments_of(self, connection: Connection, row: Row[Any]) -> Payments:
        """The payments of the load in a row; only those are read that are new."""
        if not row.payment_count:
            return NO_PAYMENTS
        payments = self._payments.get((row.serial, row.edition), NO_PAYMENTS)
        if len(payments) > row.payment_count:  # a moment ago, when this transaction began
            payments = NO_PAYMENTS
        if len(payments) < row.payment_count:
            span = {"start": len(payments), "end": row.payment_count}
            of_load = {"load": row.serial, "edition": row.edition}
            for each in connection.execute(_PAYMENTS_FROM, {**of_load, **span}):
                payments = payments.plus(payment_of(each))
            self._keep(row, payments)
        return payments

    def _keep(self, row: Row[Any], payments: Payments) -> None:
        if self.database.is_undivided:  # what it reads may be its own, and never be there
            return
        key = row.serial, row.edition
        self._payments[key] = payments
        self._payments.move_to_end(key)
        if len(self._payments) > _MOST_KEPT:
            self._payments.popitem(last=False)

    # --- changing -------------------------------------------------------------------------------------

    async def record(self, number: str, payment: Payment) -> Load:
        def record(connection: Connection) -> tuple[Row[Any], Load, Load]:
            row = self._to_change(connection, number)
            before = self._load_of(connection, row)
            after = before.record(payment, self._stamp, self._terms)
            if after is not before:
                new = after.payments.after(len(before.payments))
                self._add_payments(connection, row, new, len(before.payments), self._reference_key)
                connection.execute(CHANGE, {"of": row.serial, **what_changes(after)})
            return row, before, after

        row, before, after = await self.database.write(record)
        self._keep(row, after.payments)
        if after is not before:
            self.database.once_committed(partial(self._tell, before, after))
        return after

    def _tell(self, before: Load, after: Load) -> None:
        for tell in self.on_change:
            tell(before, after)

    def _stamp(self) -> Stamp:
        return Stamp(str(uuid4()), self._clock())

    def _reference_key(self, payment: Payment) -> str:
        """The same for references that are the same; another terms' never is: it may compare otherwise."""
        common = self._terms.common
        return _exact_key(payment) if common is None else key_of(common(payment.reference))

    def _to_change(self, connection: Connection, number: str) -> Row[Any]:
        """The row of a load, which no other transaction changes until this one ends; LoadNotFound."""
        row = connection.execute(TO_CHANGE, {"key": key_of(number)}).one_or_none()
        if row is None:
            raise no_load(number, self._near(connection, number))
        return row

    def _near(self, connection: Connection, number: str) -> str | None:
        """The load that has the number in other case or without white space, or as its id or order number."""
        if len(number) > LONGEST_COMPARED:
            return None
        bare = number.strip()
        for condition in (
            *(LOADS.c.number_key == key_of(spelling) for spelling in (bare, bare.upper(), bare.lower())),
            LOADS.c.id_key == key_of(bare),
            LOADS.c.order_number == bare,
        ):
            found = select(LOADS.c.number).where(condition).order_by(LOADS.c.serial).limit(1)
            near = connection.execute(found).scalar_one_or_none()
            if near is not None:
                return str(near)
        return None

    @staticmethod
    def _add_payments(
        connection: Connection,
        row: Row[Any],
        payments: Sequence[Payment],
        start: int,
        reference_key: Callable[[Payment], str],
    ) -> None:
        if not payments:
            return
        of_load = {"load": row.serial, "edition": row.edition}
        rows = [
            {**of_load, "place": place, **columns_of_payment(each, reference_key(each))}
            for place, each in enumerate(payments, start)
        ]
        connection.execute(_ADD_PAYMENTS, rows[0] if len(rows) == 1 else rows)

    async def put(self, load: Load) -> None:
        def put(connection: Connection) -> None:
            self._lock(connection)
            row = connection.execute(_BY_NUMBER, {"key": key_of(load.number)}).one_or_none()
            other = connection.execute(_BY_ID, {"key": key_of(load.id)}).one_or_none()
            if other is not None and (row is None or other.serial != row.serial):
                raise LoadIdTaken(other.number)
            if row is None:
                self._add(connection, [load])
                return
            connection.execute(delete(PAYMENTS).where(PAYMENTS.c.load == row.serial))
            changed = {"edition": row.edition + 1, **columns_of_load(load)}
            connection.execute(CHANGE, {"of": row.serial, **changed})
            self._add_opening_payments(connection, [load])

        await self.database.write(put)

    def _add(self, connection: Connection, loads: Iterable[Load]) -> None:
        """Adds loads that are not there, with their payments."""
        left = iter(loads)
        while some := list(islice(left, _AT_ONCE)):
            connection.execute(insert(LOADS), [{"edition": 0, **columns_of_load(load)} for load in some])
            self._add_opening_payments(connection, [load for load in some if load.payments])

    def _add_opening_payments(self, connection: Connection, loads: Sequence[Load]) -> None:
        # That terms find two of them the same does not matter: they were not recorded by these terms.
        for load in loads:
            row = self._to_change(connection, load.number)
            self._add_payments(connection, row, load.payments.after(0), 0, _exact_key)

    async def set_status(self, number: str, status: str) -> Load:
        def change(connection: Connection) -> tuple[Load, Load]:
            row = self._to_change(connection, number)
            before = self._load_of(connection, row)
            connection.execute(CHANGE, {"of": row.serial, "status": status})
            return before, replace(before, status=status)

        before, after = await self.database.write(change)
        self.database.once_committed(partial(self._tell, before, after))
        return after

    async def remove(self, number: str) -> None:
        def remove(connection: Connection) -> None:
            row = self._to_change(connection, number)
            connection.execute(delete(PAYMENTS).where(PAYMENTS.c.load == row.serial))
            connection.execute(delete(LOADS).where(LOADS.c.serial == row.serial))

        await self.database.write(remove)

    async def reset(self) -> None:
        await self.restore(self._opening)

    async def restore(self, loads: Iterable[Load]) -> None:
        instead = tuple(loads)

        def restore(connection: Connection) -> None:
            self._lock(connection)
            connection.execute(delete(PAYMENTS))
            connection.execute(delete(LOADS))
            self._add(connection, instead)

        await self.database.write(restore, is_long=True)
        self._payments.clear()
        for forget in self.on_reset:
            forget()

    def _lock(self, connection: Connection) -> None:
        """Keeps others from changing loads until this transaction ends; in SQLite they can't anyway."""
        if not self.database.is_sqlite:
            connection.execute(text(f"LOCK TABLE {LOADS.name} IN EXCLUSIVE MODE"))

    async def undivided(self, work: Callable[[], Awaitable[T]]) -> T:
        return await self.database.undivided(self._lock, work)


def _exact_key(payment: Payment) -> str:
    return key_of(f":{payment.reference}")
