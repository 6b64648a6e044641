"""What mocks on one database share beside the loads: parts, each a row that all of them read and change."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import ARRAY, Connection, Row, Text, all_, bindparam, insert, select, update
from starlette.types import Scope

from mock_server.decimal_json import decode, encode
from mock_server.problems import StateUnavailable
from mock_server.sharing import Part
from mock_server.spec import Operation
from mock_server.tables import PARTS
from mock_server.transactions import Database

T = TypeVar("T")

_FAILURE = "mock.state"
"""Where a request has the reason why it can't be served."""
_TO_CHANGE = select(PARTS).where(PARTS.c.name == bindparam("of")).with_for_update()
_CHANGED = select(PARTS).where(PARTS.c.mark != all_(bindparam("known", type_=ARRAY(Text))))
_CHANGE = update(PARTS).where(PARTS.c.name == bindparam("of"))


class Replicas:
    """Shares parts, by their names. The first mock gives each what it is; the others take that.

    In SQLite there is one mock: it keeps parts, and looks for no changes by others.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.notes: tuple[str, ...] = ()
        self.before = None if database.is_sqlite else self._before
        self.gates = () if database.is_sqlite else (self,)
        self._parts: dict[str, Part] = {}
        self._marks: dict[str, str] = {}
        """Of each part, the mark that it had in the database when it was as it is here."""
        self._turn = asyncio.Lock()
        self._begun = self._ended = self._failures = 0
        self._failure = StateUnavailable("")
        database.on_open.append(self._open)

    def keep(self, name: str, part: Part) -> None:
        self._parts[name] = part

    def share(self, name: str, part: Part) -> None:
        if self.before is not None:
            self._parts[name] = part

    def _open(self, connection: Connection) -> None:
        there, as_they_are = {row.name: row for row in connection.execute(select(PARTS))}, []
        for name, part in self._parts.items():
            if name in there:
                before = encode(part.kept()).decode()
                self._take(there[name])
                if before != there[name].kept and name != "tokens":  # whose key is always another
                    as_they_are.append(name)
            else:
                row = {"name": name, "mark": uuid4().hex, "kept": encode(part.kept()).decode()}
                connection.execute(insert(PARTS), row)
                self._marks[name] = row["mark"]

        if as_they_are:
            named = ", ".join(as_they_are)
            self.notes = (f"kept as they were: {named} (a reset goes back to those of a start)",)

    def _take(self, row: Row[Any]) -> None:
        self._parts[row.name].become(decode(row.kept.encode()))
        self._marks[row.name] = row.mark

    async def change(self, part: Part, work: Callable[[], T]) -> T:
        name = next((name for name, shared in self._parts.items() if shared is part), None)
        if name is None:
            return work()
        before: list[Row[Any]] = []

        def run(connection: Connection) -> T:
            row = connection.execute(_TO_CHANGE, {"of": name}).one()
            before[:] = [row]
            if row.mark != self._marks[name]:
                self._take(row)
            result = work()
            kept = encode(part.kept()).decode()
            if kept != row.kept:
                # First: while the database is busy, a look may find the part as it was before.
                mark = self._marks[name] = uuid4().hex
                connection.execute(_CHANGE, {"of": name, "mark": mark, "kept": kept})
            return result

        try:
            return await self._database.write(run)
        except BaseException:
            for row in before:  # what is not committed never was
                self._take(row)
            raise

    async def catch_up(self) -> None:
        if self.before is None:  # nobody else changes anything
            return
        # Who comes while another one looks waits for the next look, which is one for all who wait.
        wanted, failures = self._begun + 1, self._failures
        async with self._turn:
            if self._failures > failures:
                raise self._failure.with_traceback(None)
            if self._ended < wanted:
                self._begun += 1
                await self._look()
                self._ended = self._begun

    async def _look(self) -> None:
        known = {"known": [*self._marks.values()]}
        try:
            changed = await self._database.look(lambda connection: connection.execute(_CHANGED, known).all())
        except StateUnavailable as error:
            self._failures += 1
            self._failure = error
            raise
        for row in changed:
            self._take(row)

    async def _before(self, scope: Scope) -> bool:
        try:
            await self.catch_up()
        except StateUnavailable as error:
            scope[_FAILURE] = error
            return False
        return True

    def check_for(self, _operation: Operation | None) -> Callable[[Scope], None]:
        """The check for every operation; raises StateUnavailable."""
        return _check


def _check(scope: Scope) -> None:
    if _FAILURE in scope:
        raise scope[_FAILURE]
