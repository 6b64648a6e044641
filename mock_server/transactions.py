"""A database, SQLite or PostgreSQL: it opens with our tables, and what is done in it is one transaction."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Connection, Engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_, greenlet_spawn

from mock_server.ledger import UnusableState
from mock_server.problems import StateUnavailable
from mock_server.tables import REPLICA_TABLES, SQLITE, STATE, TABLES, VERSION

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
"""Connections to PostgreSQL that one mock opens for what it reads and writes."""
_ATTEMPTS = 5
"""How often a transaction is tried that another one got in the way of."""
_PATIENT_ATTEMPTS = 24
"""The same for one that is long: it waits for a minute at least."""
_SHORTEST_PAUSE = 10
"""Milliseconds that one that is long lets pass before it is tried again; each time twice as many.

SQLite does not wait by itself where a file gets its log, for a lock that somebody else has.
"""
_CONFLICTS = frozenset(("40001", "40P01"))
"""PostgreSQL's codes for a serialization failure and for a deadlock."""
_LOCKED = frozenset(("55P03", "SQLITE_BUSY"))
"""Codes for a lock that somebody else had for too long."""
_OPENING_LOCK = 4_015_021
"""What replicas lock in PostgreSQL that open the state at the same time; a number of ours."""


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


class Database:
    """What is done in it is committed when it returns, or leaves no trace."""

    def __init__(self, url: URL) -> None:
        self.name = shown(url)
        self.is_sqlite = url.drivername == SQLITE
        self.on_open: list[Callable[[Connection], object]] = []
        """Called in the transaction that has made the tables, or has found them."""
        self.on_close: list[Callable[[], Awaitable[None]]] = []
        """Awaited before it closes; what raises StateUnavailable, or takes long, is given up."""
        self._engine = _engine(url)
        self.dialect = self._engine.dialect
        # What a transaction reads is all of one moment; in SQLite it always is.
        self._reading = (
            self._engine.execution_options(begins="DEFERRED")
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._doing = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._check: asyncio.Task[str | None] | None = None
        """The latest check whether the state can be read; it may not be over."""
        self._looking: Any = None
        """A connection of the bare driver for `look` alone: it waits for no payment, and none for it."""
        self._whole: ContextVar[_Whole | None] = ContextVar("whole", default=None)
        """The transaction that the current task is in, if it is a longer one."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Has the tables there, and what `on_open` adds; lets go of it all in the end. UnusableState."""
        try:
            try:
                if self.is_sqlite:  # the asynchronous driver leaves a thread behind if it can't
                    given: tuple[Any, Any] = self.dialect.create_connect_args(self._engine.url)
                    sqlite3.connect(*given[0], **given[1]).close()
                await self.write(self._open, is_long=True)
            except (StateUnavailable, sqlite3.Error) as error:
                reason = getattr(error, "reason", error)
                raise UnusableState(f"{self.name} can't be used: {reason}") from error
            yield
            with suppress(StateUnavailable, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    for finish in self.on_close:
                        await finish()
        finally:
            await self._engine.dispose()
            self._stop_looking()

    def _open(self, connection: Connection) -> None:
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING_LOCK})
        if not inspect(connection).has_table(STATE.name):
            TABLES.create_all(connection)
            if not self.is_sqlite:
                REPLICA_TABLES.create_all(connection)
            connection.execute(insert(STATE), {"version": VERSION})
        version = connection.execute(select(STATE.c.version)).scalar_one()
        if version != VERSION:
            raise UnusableState(
                f"{self.name} has tables of version {version}, and this program those of version {VERSION}. "
                "Use a new database, or the program that made them."
            )
        for add in self.on_open:
            add(connection)

    async def check(self) -> None:
        """Nothing, within two seconds, if it can be read now; StateUnavailable."""
        # One check for all who ask: while the database hangs, it has one connection, and not one for each.
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._why_unavailable())
        done, _ = await asyncio.wait([self._check], timeout=_SOON)
        if not done:
            raise _unavailable(TimeoutError())
        reason = self._check.result()
        if reason is not None:
            raise StateUnavailable(reason)

    async def _why_unavailable(self) -> str | None:
        try:
            await self.read(lambda connection: connection.execute(select(STATE.c.version)).one())
        except StateUnavailable as error:
            return error.reason
        return None

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; all that it reads is of one moment. StateUnavailable."""
        return await self._run(self._reading, work)

    async def look(self, statement: str, *values: object) -> Sequence[Any]:
        """The rows of a statement in PostgreSQL, by the bare driver: a sixth of the CPU. StateUnavailable.

        For one caller at a time, and for what waits for no lock.
        """
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - not for SQLite

        is_old = self._looking is not None
        try:
            async with asyncio.timeout(_LONGEST):
                if not is_old:
                    self._looking = await asyncpg.connect(**self._arguments())
                rows: Sequence[Any] = await self._looking.fetch(statement, *values)
                return rows
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # PostgreSQL has said that it ends the connection, and has not yet
            OSError,  # among them, TimeoutError
        ) as error:
            self._stop_looking()
            if isinstance(error, TimeoutError) or not is_old:
                raise _unavailable(error) from error
        return await self.look(statement, *values)  # it was restarted since

    def _arguments(self) -> dict[str, Any]:
        """What the driver connects with, but for what only SQLAlchemy knows."""
        _, given = self.dialect.create_connect_args(self._engine.url)
        own = {"prepared_statement_cache_size", "prepared_statement_name_func"}
        return {**{name: given[name] for name in given.keys() - own}, **_connect_args()}

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.terminate()
            self._looking = None

    async def do(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for one statement in PostgreSQL."""
        return await self._run(self._doing, work)

    async def write(self, work: Callable[[Connection], T], *, is_long: bool = False) -> T:
        """What `work` returns, once that is committed; what gets in its way, it waits for and tries again.

        StateUnavailable: nothing is changed, unless the connection broke in the very moment of the commit.
        """
        return await self._run(self._engine, work, is_long=is_long)

    async def undivided(self, first: Callable[[Connection], object], work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns, all of whose reading and writing here is one transaction, after `first`."""
        if self.is_undivided:
            return await work()

        async def inside(whole: _Whole) -> T:
            token = self._whole.set(whole)
            try:
                return await work()
            finally:
                self._whole.reset(token)

        def run(connection: Connection) -> tuple[T, list[Callable[[], object]]]:
            first(connection)
            whole = _Whole(connection, [])
            return await_(inside(whole)), whole.later

        result, later = await self.write(run)
        for call in later:
            call()
        return result

    @property
    def is_undivided(self) -> bool:
        """Whether the current task is in a longer transaction: what it reads may never be there."""
        return self._whole.get() is not None

    def once_committed(self, call: Callable[[], object]) -> None:
        """Calls it: at once, or once the longer transaction is committed that the current task is in."""
        whole = self._whole.get()
        if whole is None:
            call()
        else:
            whole.later.append(call)

    async def _run(self, engine: AsyncEngine, work: Callable[[Connection], T], *, is_long: bool = False) -> T:
        whole = self._whole.get()
        if whole is not None:
            return await greenlet_spawn(work, whole.connection)
        conflicts, attempts = (
            (_CONFLICTS | _LOCKED, _PATIENT_ATTEMPTS) if is_long else (_CONFLICTS, _ATTEMPTS)
        )
        try:
            async with asyncio.timeout(None if is_long else _LONGEST):
                for attempt in range(attempts):
                    try:
                        # One greenlet for all of it: AsyncConnection has one for each call.
                        return await greenlet_spawn(_committed, engine.sync_engine, work, conflicts)
                    except _InTheWay as error:
                        reason = error.reason
                    if is_long:
                        await asyncio.sleep(min(_SHORTEST_PAUSE * 2**attempt / 1000, _PATIENCE))
                raise _unavailable(reason)
        except (SQLAlchemyError, OSError) as error:  # among them, TimeoutError
            raise _unavailable(error) from error


class _Whole(NamedTuple):
    """A transaction of several calls, and what is to be called once it is committed."""

    connection: Connection
    later: list[Callable[[], object]]


class _InTheWay(Exception):
    """Another transaction got in the way, or the connection was an old one; nothing is changed."""

    def __init__(self, reason: DBAPIError) -> None:
        super().__init__(reason)
        self.reason = reason


def _committed(engine: Engine, work: Callable[[Connection], T], conflicts: Collection[str]) -> T:
    """What `work` returns, in a transaction of its own; _InTheWay."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(engine.connect())
        except Exception as error:  # noqa: BLE001 - all are raised again
            if isinstance(error, DBAPIError) and _code(error) in conflicts:
                raise _InTheWay(error) from error.__cause__
            # Some are the driver's own: for a host, a user or an option that is wrong.
            is_own = not isinstance(error, SQLAlchemyError)
            raise (_unavailable(error) if is_own else error) from error.__cause__
        transaction = connection.begin()
        try:
            result = work(connection)
        except DBAPIError as error:
            is_in_the_way = (
                isinstance(error, IntegrityError) or error.connection_invalidated or _code(error) in conflicts
            )
            raise (_InTheWay(error) if is_in_the_way else error) from error.__cause__
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


def _connect_args() -> dict[str, Any]:
    milliseconds = str(_PATIENCE * 1000)
    return {
        "timeout": _PATIENCE,
        "command_timeout": 2 * _PATIENCE,
        "server_settings": {
            "application_name": "alvys-mock",
            "lock_timeout": milliseconds,
            # So long, a replica that stops in the middle of a payment keeps others from the load.
            "idle_in_transaction_session_timeout": milliseconds,
        },
    }


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
    return create_async_engine(
        url,
        isolation_level="READ COMMITTED",
        connect_args=_connect_args(),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=2 * _PATIENCE,
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # A commit waits for the disk, once.
    script = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
    connection.run_async(lambda driver: driver.executescript(script))


def _begin_sqlite(connection: Connection) -> None:
    # Who will write says so at once: to get the lock later could fail however long one waits.
    kind = connection.get_execution_options().get("begins", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {kind}")
