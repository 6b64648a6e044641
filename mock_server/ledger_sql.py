"""The ledger in SQLite or PostgreSQL: each call is a transaction, in which the rule of the domain runs."""

import asyncio
import logging
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    Engine,
    Row,
    any_,
    bindparam,
    delete,
    event,
    func,
    insert,
    inspect,
    literal,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_, greenlet_spawn

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
from mock_server.ledger import LONGEST_COMPARED, LoadFilter, Page, UnusableState, no_load
from mock_server.problems import StateUnavailable
from mock_server.tables import (
    LOADS,
    PAYMENTS,
    SQLITE,
    STATE,
    TABLES,
    VERSION,
    columns_of_load,
    columns_of_payment,
    key_of,
    load_of,
    payment_of,
    what_changes,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)

POSTGRESQL = "postgresql"
_DRIVERS = {SQLITE: "sqlite+aiosqlite", POSTGRESQL: "postgresql+asyncpg"}
_PATIENCE = 5
"""Seconds that a transaction waits for what another one has locked, or for a connection."""
_LONGEST = 3 * _PATIENCE
"""Seconds after which a transaction is given up, whatever it waits for."""
_SOON = 2
"""Seconds within which it is known whether the state can be read."""
_CONNECTIONS = 10
"""Connections to PostgreSQL that one mock opens."""
_ATTEMPTS = 5
"""How often a transaction is tried that another one got in the way of."""
_PATIENT_ATTEMPTS = 24
"""The same for one that is long: it waits for two minutes."""
_CONFLICTS = frozenset(("40001", "40P01"))
"""PostgreSQL's codes for a serialization failure and for a deadlock."""
_LOCKED = frozenset(("55P03", "SQLITE_BUSY"))
"""Codes for a lock that somebody else had for too long."""
_MOST_KEPT = 1000
"""Loads whose payments are kept, so that a payment does not read all those before it."""
_AT_ONCE = 1000
"""Rows that one statement adds or reads."""
_FARTHEST = 2**62
"""The last row that a page can begin at."""
_OPENING_LOCK = 4_015_021
"""What replicas lock in PostgreSQL that open the state at the same time; a number of ours."""

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


def state_url(written: str) -> URL:
    """The database that a setting names: sqlite:///FILE or postgresql://...; UnusableState."""
    try:
        url = make_url(written)
    except (ArgumentError, ValueError) as error:
        raise UnusableState("it must be memory, sqlite:///FILE or postgresql://…") from error
    if url.drivername not in _DRIVERS or (
        url.drivername == SQLITE and url.database in (None, "", ":memory:")
    ):
        raise UnusableState(f"{shown(url)} is not memory, sqlite:///FILE or postgresql://…")
    return url


def shown(url: URL) -> str:
    """A URL as it may be printed: without its password, and without its query, which can have one too."""
    return url.set(query={}).render_as_string(hide_password=True)


class SqlLedger:
    """Keeps the loads in a database, where other processes may change them too.

    A load keeps its serial, whatever happens to it, and its payments are only ever added, unless the load is
    put in place of itself, which gives it another edition.
    """

    def __init__(
        self,
        url: URL,
        loads: Iterable[Load],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        terms: Terms = TERMS,
    ) -> None:
        self.name = shown(url)
        self.notes: tuple[str, ...] = ()
        self.on_reset: list[Callable[[], object]] = []
        self.on_change: list[Callable[[Load, Load], object]] = []
        self._opening = tuple(loads)
        self._clock = clock
        self._terms = terms
        self._is_sqlite = url.drivername == SQLITE
        self._engine = _engine(url)
        # What a transaction reads is all of one moment; in SQLite it always is.
        self._reading = (
            self._engine.execution_options(begins="DEFERRED")
            if self._is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._payments: OrderedDict[tuple[int, int], Payments] = OrderedDict()
        """Payments that are in the database, by serial and edition of their load."""
        self._look: asyncio.Task[str | None] | None = None
        """The latest look whether the state can be read; it may not be over."""
        self._whole: ContextVar[_Whole | None] = ContextVar("whole", default=None)
        """The transaction that the current task is in, if it is a longer one."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Has the tables and the opening loads there; lets go of the database in the end. UnusableState."""
        try:
            try:
                if self._is_sqlite:  # the asynchronous driver leaves a thread behind if it can't
                    given: tuple[Any, Any] = self._engine.dialect.create_connect_args(self._engine.url)
                    sqlite3.connect(*given[0], **given[1]).close()
                await self._write(self._open, is_long=True)
            except (StateUnavailable, sqlite3.Error) as error:
                reason = getattr(error, "reason", error)
                raise UnusableState(f"{self.name} can't be used: {reason}") from error
            yield
        finally:
            await self._engine.dispose()

    def _open(self, connection: Connection) -> None:
        if not self._is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING_LOCK})
        if not inspect(connection).has_table(STATE.name):
            TABLES.create_all(connection)
            connection.execute(insert(STATE), {"version": VERSION})
        version = connection.execute(select(STATE.c.version)).scalar_one()
        if version != VERSION:
            raise UnusableState(
                f"{self.name} has tables of version {version}, and this program those of version {VERSION}. "
                "Use a new database, or the program that made them."
            )
        there = connection.execute(_COUNT).scalar_one()
        if there:
            left_out = f"the {len(self._opening)} of the fixtures are not added to them"
            self.notes = (f"it has {there} loads; {left_out} (a reset goes back to the fixtures)",)
        else:
            self._add(connection, self._opening)

    # --- reading --------------------------------------------------------------------------------------

    async def check(self) -> None:
        # One look for all who ask: while the database hangs, it has one connection, and not one for each.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._why_unavailable())
        done, _ = await asyncio.wait([self._look], timeout=_SOON)
        if not done:
            raise _unavailable(TimeoutError())
        reason = self._look.result()
        if reason is not None:
            raise StateUnavailable(reason)

    async def _why_unavailable(self) -> str | None:
        try:
            await self._read(lambda connection: connection.execute(select(STATE.c.version)).one())
        except StateUnavailable as error:
            return error.reason
        return None

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

        return await self._read(find)

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

        return await self._read(find)

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
        if not self._is_sqlite:
            return column == any_(literal(list(values), ARRAY(column.type)))
        bind = column.type.bind_processor(self._engine.dialect) or str
        each = func.json_each(encode([bind(value) for value in values]).decode()).table_valued("value")
        return column.in_(select(each.c.value))

    async def statuses(self) -> Counter[str]:
        def count(connection: Connection) -> Counter[str]:
            first, status = func.min(LOADS.c.serial), LOADS.c.status
            counted = connection.execute(select(status, func.count()).group_by(status).order_by(first))
            return Counter(dict(iter(counted)))

        return await self._read(count)

    async def count(self) -> int:
        return await self._read(lambda connection: connection.execute(_COUNT).scalar_one())

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
        if (
            self._whole.get() is not None
        ):  # what a longer transaction reads may be its own, and never be there
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

        row, before, after = await self._write(record)
        self._keep(row, after.payments)
        if after is not before:
            self._tell(before, after)
        return after

    def _tell(self, before: Load, after: Load) -> None:
        """Tells of a change that is committed; of one in a longer transaction, once that is."""
        whole = self._whole.get()
        if whole is not None:
            whole.changes.append((before, after))
            return
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

        await self._write(put)

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

        before, after = await self._write(change)
        self._tell(before, after)
        return after

    async def remove(self, number: str) -> None:
        def remove(connection: Connection) -> None:
            row = self._to_change(connection, number)
            connection.execute(delete(PAYMENTS).where(PAYMENTS.c.load == row.serial))
            connection.execute(delete(LOADS).where(LOADS.c.serial == row.serial))

        await self._write(remove)

    async def reset(self) -> None:
        await self.restore(self._opening)

    async def restore(self, loads: Iterable[Load]) -> None:
        instead = tuple(loads)

        def restore(connection: Connection) -> None:
            self._lock(connection)
            connection.execute(delete(PAYMENTS))
            connection.execute(delete(LOADS))
            self._add(connection, instead)

        await self._write(restore, is_long=True)
        self._payments.clear()
        for forget in self.on_reset:
            forget()

    def _lock(self, connection: Connection) -> None:
        """Keeps others from changing loads until this transaction ends; in SQLite they can't anyway."""
        if not self._is_sqlite:
            connection.execute(text(f"LOCK TABLE {LOADS.name} IN EXCLUSIVE MODE"))

    # --- transactions ---------------------------------------------------------------------------------

    async def undivided(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._whole.get() is not None:
            return await work()

        async def inside(whole: _Whole) -> T:
            token = self._whole.set(whole)
            try:
                return await work()
            finally:
                self._whole.reset(token)

        def run(connection: Connection) -> tuple[T, list[tuple[Load, Load]]]:
            self._lock(connection)
            whole = _Whole(connection, [])
            return await_(inside(whole)), whole.changes

        result, changes = await self._write(run)
        for change in changes:
            self._tell(*change)
        return result

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._run(self._reading, work)

    async def _write(self, work: Callable[[Connection], T], *, is_long: bool = False) -> T:
        return await self._run(self._engine, work, is_long=is_long)

    async def _run(self, engine: AsyncEngine, work: Callable[[Connection], T], *, is_long: bool = False) -> T:
        """What `work` returns, once that is committed; what gets in its way, it waits for and tries again.

        StateUnavailable: nothing is changed, unless the connection broke in the very moment of the commit.
        """
        whole = self._whole.get()
        if whole is not None:
            return await greenlet_spawn(work, whole.connection)
        conflicts, attempts = (
            (_CONFLICTS | _LOCKED, _PATIENT_ATTEMPTS) if is_long else (_CONFLICTS, _ATTEMPTS)
        )
        try:
            async with asyncio.timeout(None if is_long else _LONGEST):
                for _ in range(attempts):
                    try:
                        # One greenlet for all of it: AsyncConnection has one for each call.
                        return await greenlet_spawn(_committed, engine.sync_engine, work, conflicts)
                    except _InTheWay as error:
                        reason = error.__cause__
                raise _unavailable(reason)
        except (SQLAlchemyError, OSError) as error:  # among them, TimeoutError
            raise _unavailable(error) from error


class _Whole(NamedTuple):
    """A transaction of several calls, and what they have changed so far: a load before and after."""

    connection: Connection
    changes: list[tuple[Load, Load]]


class _InTheWay(Exception):
    """Another transaction got in the way, or the connection was an old one; nothing is changed."""


def _committed(engine: Engine, work: Callable[[Connection], T], conflicts: Collection[str]) -> T:
    """What `work` returns, in a transaction of its own; _InTheWay."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(engine.connect())
        except SQLAlchemyError:
            raise
        except Exception as error:  # whatever the driver has for a host, a user or an option that is wrong
            raise _unavailable(error) from error
        transaction = connection.begin()
        try:
            result = work(connection)
        except DBAPIError as error:
            if isinstance(error, IntegrityError) or error.connection_invalidated or _code(error) in conflicts:
                raise _InTheWay from error
            raise
        transaction.commit()
        return result


def _code(error: DBAPIError) -> str | None:
    """What the database calls an error: SQLSTATE in PostgreSQL, a name in SQLite."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)


def _unavailable(error: BaseException | None) -> StateUnavailable:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, PoolTimeout):
        reason = "all its connections are busy"
    elif isinstance(cause, TimeoutError):
        reason = "it does not respond"
    else:
        reason = str(getattr(cause, "__cause__", None) or cause).partition("\n")[0]
    _log.warning("The state can't be used: %s", reason)
    return StateUnavailable(reason)


def _engine(url: URL) -> AsyncEngine:
    """Connects when it is first needed. UnusableState."""
    name = url.drivername
    url = url.set(drivername=_DRIVERS[name])
    if name == SQLITE:
        # It has one writer at a time: to queue for one connection is fairer than to queue for its lock.
        engine = create_async_engine(
            url,
            connect_args={"isolation_level": None, "timeout": _PATIENCE},
            pool_size=1,
            max_overflow=0,
            pool_timeout=2 * _PATIENCE,
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    if "sslmode" in url.query:  # as libpq spells it
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    milliseconds = str(_PATIENCE * 1000)
    return create_async_engine(
        url,
        isolation_level="READ COMMITTED",
        connect_args={
            "timeout": _PATIENCE,
            "command_timeout": 2 * _PATIENCE,
            "server_settings": {
                "application_name": "alvys-mock",
                "lock_timeout": milliseconds,
                # So long, a replica that stops in the middle of a payment keeps others from the load.
                "idle_in_transaction_session_timeout": milliseconds,
            },
        },
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=2 * _PATIENCE,
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")  # a commit waits for the disk once
        cursor.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    # Who will write says so at once: to get the lock later could fail however long one waits.
    kind = connection.get_execution_options().get("begins", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _exact_key(payment: Payment) -> str:
    return key_of(f":{payment.reference}")
