"""What a database keeps beside the loads, and what mocks on one PostgreSQL share: parts, a row for each."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select, update
from starlette.types import Scope

from mock_server.clock import Clock
from mock_server.decimal_json import decode, encode
from mock_server.journal import Journal
from mock_server.journal_sql import NAME, SharedJournal
from mock_server.origins import is_probe
from mock_server.problems import StateUnavailable
from mock_server.rates import Rate
from mock_server.sharing import PAST, Alone, Part
from mock_server.spec import Operation
from mock_server.tables import PARTS
from mock_server.transactions import Database

if TYPE_CHECKING:
    from mock_server.limits import Limits

T = TypeVar("T")

_FAILURE = "mock.state"
"""Where a request has the reason why it can't be served."""
_METRICS = "readMetrics"
"""The operation that tells of a state that can't be used, as the probes do."""
_TO_CHANGE = select(PARTS).where(PARTS.c.name == bindparam("of")).with_for_update()
_CHANGED = "SELECT name, mark, kept FROM alvys_parts WHERE mark <> ALL ($1::text[])"
_CHANGE = update(PARTS).where(PARTS.c.name == bindparam("of"))


class Kept(Alone):
    """Keeps parts over restarts. The first mock gives each what it is; those after it take that."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parts: dict[str, Part] = {}
        self._marks: dict[str, str] = {}
        """Of each part, the mark that it had in the database when it was as it is here."""
        database.on_open.append(self._open)

    def keep(self, name: str, part: Part) -> None:
        self._parts[name] = part

    def _open(self, connection: Connection) -> None:
        there, as_they_are = {row.name: row for row in connection.execute(select(PARTS))}, []
        for name, part in self._parts.items():
            if name in there:
                opening = part.kept()
                self._take(*there[name])
                # Whoever starts has another key, and no journal.
                if name not in {"tokens", NAME} and not _is_same(part.kept(), opening):
                    as_they_are.append(name)
            else:
                row = {"name": name, "mark": uuid4().hex, "kept": encode(part.kept()).decode()}
                connection.execute(insert(PARTS), row)
                self._marks[name] = row["mark"]
        if as_they_are:
            named = ", ".join(as_they_are)
            self.notes = (f"kept as they were: {named} (a reset goes back to those of a start)",)

    def _take(self, name: str, mark: str, kept: str) -> None:
        if name in self._parts:  # not what is switched off here
            self._parts[name].become(decode(kept.encode()))
        self._marks[name] = mark

    async def change(self, part: object, work: Callable[[], T]) -> T:
        found = next(((name, kept) for name, kept in self._parts.items() if kept is part), None)
        if found is None:
            return work()
        name, mine = found
        before: list[Any] = []

        def run(connection: Connection) -> T:
            row = connection.execute(_TO_CHANGE, {"of": name}).one()
            before[:] = [row]
            if row.mark != self._marks[name]:
                self._take(*row)
            result = work()
            kept = encode(mine.kept()).decode()
            if kept != row.kept:
                # First: while the database is busy, a look may find the part as it was before.
                mark = self._marks[name] = uuid4().hex
                connection.execute(_CHANGE, {"of": name, "mark": mark, "kept": kept})
            return result

        try:
            return await self._database.write(run)
        except BaseException:
            for row in before:  # what is not committed never was
                self._take(*row)
            raise


class Replicas(Kept):
    """Shares parts with other mocks: before each request it looks for what they have changed."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.before = self._before
        self.gates = (self,)
        self._turn = asyncio.Lock()
        self._begun = self._ended = self._failures = 0
        self._failure = StateUnavailable("")

    def share(self, name: str, part: Part) -> None:
        self.keep(name, part)

    def limits(self, clock: Clock, rate: Rate | None) -> "Limits":
        from mock_server.limits_sql import SharedLimits  # noqa: PLC0415 - its library is for those who limit

        return SharedLimits(clock, rate, self._database)

    def journal(self, most: int, body_limit: int) -> Journal:
        journal = SharedJournal(most, body_limit, self._database, self.catch_up)
        self.share(NAME, journal)
        return journal

    async def catch_up(self) -> None:
        # Who comes while another one looks waits for the next look, which is one for all who wait.
        wanted, failures = self._begun + 1, self._failures
        async with self._turn:
            await self._look_for(wanted, failures)

    async def _look_for(self, wanted: int, failures: int) -> None:
        if self._failures > failures:
            raise self._failure.with_traceback(None)
        if self._ended < wanted:
            self._begun += 1
            await self._look()
            self._ended = self._begun

    async def _look(self) -> None:
        try:
            changed = await self._database.look(_CHANGED, [*self._marks.values()])
        except StateUnavailable as error:
            self._failures += 1
            self._failure = error
            raise
        for row in changed:
            self._take(*row)

    async def _before(self, scope: Scope, operation: Operation | None) -> bool:
        try:
            if _needs_state(operation):
                await self.catch_up()
        except StateUnavailable as error:
            scope[_FAILURE] = error
            return False
        return True

    def check_for(self, operation: Operation | None) -> Callable[[Scope], None] | None:
        """The check for what needs the state; raises StateUnavailable."""
        return _check if _needs_state(operation) else None


def _needs_state(operation: Operation | None) -> bool:
    return operation is None or not (is_probe(operation) or operation.id == _METRICS)


def _is_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return encode({**one, PAST: 0}) == encode({**other, PAST: 0})


def _check(scope: Scope) -> None:
    if _FAILURE in scope:
        raise scope[_FAILURE]
