"""The journal that mocks on one PostgreSQL write together, behind their responses."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Text,
    TextClause,
    bindparam,
    text,
)

from mock_server.causes import Cause
from mock_server.decimal_json import encode
from mock_server.journal import MOST_BYTES, Entry, Journal
from mock_server.problems import ROWS, StateUnavailable
from mock_server.trace import Trace
from mock_server.transactions import Database

NAME = "requests"
"""That of the part which says when the journal was cleared."""
_PAUSE = 250
"""Milliseconds after which somebody who listens hears of what others have written."""
_GRACE = 50
"""Milliseconds in which another mock has written what it responded to before, unless it is overloaded."""
_AT_ONCE = 100
"""Entries that one statement writes."""
_WEIGHED = MOST_BYTES // 32
"""Bytes that are written before all are weighed."""

_WRITE = text("""
WITH valid AS (SELECT 1 FROM alvys_parts WHERE name = 'requests' AND kept = :kept),
head AS (
    INSERT INTO alvys_journal AS j (id, count) SELECT 1, :cleared_at + :many FROM valid
    ON CONFLICT (id) DO UPDATE SET count = greatest(j.count, :cleared_at) + :many
    RETURNING count
),
written AS (
    INSERT INTO alvys_entries (id, clears, size, content)
    SELECT head.count - :many + place, :clears, size, content
    FROM head, unnest(:sizes, :contents) WITH ORDINALITY AS new (size, content, place)
)
DELETE FROM alvys_entries USING head WHERE id <= head.count - :most OR clears <> :clears
""").bindparams(
    bindparam("kept", type_=Text),
    *(bindparam(name, type_=BigInteger) for name in ("many", "most", "cleared_at")),
    bindparam("clears", type_=Integer),
    bindparam("sizes", type_=ARRAY(BigInteger)),
    bindparam("contents", type_=ARRAY(LargeBinary)),
)
"""Writes nothing if somebody has cleared the journal since.

The row of `head` is locked until it is committed, so that entries appear in the order of their ids.
"""
_LIGHTEN = text("""
DELETE FROM alvys_entries WHERE id <= (
    SELECT max(id) FROM (SELECT id, sum(size) OVER (ORDER BY id DESC) AS bytes FROM alvys_entries) AS _
    WHERE bytes > :most
)
""").bindparams(bindparam("most", type_=BigInteger))
_READ = text("""
SELECT j.count AS latest, e.id, e.clears, e.content FROM alvys_journal AS j
LEFT JOIN alvys_entries AS e ON e.id > :known AND e.clears = :clears ORDER BY e.id
""").bindparams(bindparam("known", type_=BigInteger), bindparam("clears", type_=Integer))
_ERRORS = {error.__name__: error for error in ROWS}


class SharedJournal(Journal):
    """As it is here, it is what this mock has read so far of the entries of all."""

    is_shared = True

    def __init__(
        self, most: int, body_limit: int, database: Database, catch_up: Callable[[], Awaitable[None]]
    ) -> None:
        """`catch_up` lets others clear it."""
        super().__init__(most, body_limit)
        self._database = database
        self._catch_up = catch_up
        self._pen = Journal(1, body_limit)
        self._unwritten: deque[tuple[int, Entry]] = deque()
        """Entries, with the `clears` of then: what is cleared before it is written never is."""
        self._bytes_unwritten = self._bytes_written = 0
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        database.on_close.append(self._write)

    def kept(self) -> Mapping[str, object]:
        """When it was cleared."""
        return {"clears": self.clears, "clearedAt": self.cleared_at}

    def become(self, kept: Any) -> None:
        """Forgets what somebody has cleared; what is there is read again."""
        if kept["clears"] != self.clears:
            self.clear()
            self.clears, self.cleared_at = kept["clears"], kept["clearedAt"]
            self.count = self.cleared_at

    def add(self, trace: Trace) -> None:
        """Keeps a request that is over, and sees to it that it is written."""
        self._pen.add(trace)
        for entry in self._pen:
            self._unwritten.append((self.clears, entry))
            self._bytes_unwritten += entry.size
        while len(self._unwritten) > self._most or self._bytes_unwritten > MOST_BYTES:
            self._next()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write_behind())

    def _next(self) -> tuple[int, Entry]:
        taken = self._unwritten.popleft()
        self._bytes_unwritten -= taken[1].size
        return taken

    async def _write_behind(self) -> None:
        with suppress(StateUnavailable):  # then with the next entry, or when somebody reads
            await self._write()

    async def _write(self) -> None:
        """Writes all that is not written. StateUnavailable."""
        async with self._turn:
            while self._unwritten:
                taken = [self._next() for _ in range(min(_AT_ONCE, len(self._unwritten)))]
                entries = [entry for clears, entry in taken if clears == self.clears]
                try:
                    await self._do(
                        _WRITE,
                        kept=encode(self.kept()).decode(),
                        many=len(entries),
                        most=self._most,
                        cleared_at=self.cleared_at,
                        clears=self.clears,
                        sizes=[entry.size for entry in entries],
                        contents=[_content_of(entry) for entry in entries],
                    )
                except StateUnavailable:
                    self._unwritten.extendleft(reversed(taken))
                    self._bytes_unwritten += sum(entry.size for _, entry in taken)
                    raise
                self._bytes_written += sum(entry.size for entry in entries)
                if self._bytes_written > _WEIGHED:
                    self._bytes_written = 0
                    await self._do(_LIGHTEN, most=MOST_BYTES)

    async def refresh(self) -> None:
        """Has read what all have written so far, and this mock has had to write. StateUnavailable."""
        await self._write()
        await self._read()

    async def settle(self) -> None:
        await asyncio.sleep(_GRACE / 1000)

    async def _read(self) -> None:
        known = self.count
        rows = await self._do(_READ, known=known, clears=self.clears)
        count = rows[0].latest if rows else 0
        if count < known and known > self.cleared_at:  # the database has crashed, and begins again
            self._entries.clear()
            self._bytes, self.count = 0, self.cleared_at
            await self._read()
            return
        for row in rows:
            # Meanwhile, others may have read the same, or somebody may have cleared it.
            if row.clears == self.clears and row.id > self.count:
                entry = _entry_of(row.id, row.content)
                self._entries.append(entry)
                self._bytes += entry.size
                self.count = entry.id
        self.count = max(self.count, count)
        while len(self._entries) > self._most or self._bytes > MOST_BYTES:
            self._bytes -= self._entries.popleft().size
        if self.count > known:
            self._tell()

    async def _do(self, statement: TextClause, **given: object) -> Sequence[Row[Any]]:
        def do(connection: Connection) -> Sequence[Row[Any]]:
            result = connection.execute(statement, given)
            return result.all() if result.returns_rows else []

        return await self._database.do(do)

    def watch(self, told: Callable[[], object]) -> None:
        """Tells of everything that is added from now on, by others a moment later."""
        super().watch(told)
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        while self.watchers:
            with suppress(StateUnavailable):
                await self._catch_up()
                await self.refresh()
            await asyncio.sleep(_PAUSE / 1000)
        self._following = None


def _content_of(entry: Entry) -> bytes:
    fields = entry._asdict()
    cause = entry.cause
    if cause is not None:
        error = None if cause.error is None else cause.error.__name__
        at = None if cause.at is None else cause.at.isoformat()
        fields["cause"] = {**cause._asdict(), "error": error, "at": at}
    sent = {name: value for name, value in fields.items() if isinstance(value, bytes)}
    # As JSON writes them, texts may be any.
    told = json.dumps({name: value for name, value in fields.items() if name not in sent})
    return msgspec.msgpack.encode((told, sent))


def _entry_of(id: int, content: bytes) -> Entry:
    told, sent = msgspec.msgpack.decode(content)
    fields = {**json.loads(told), **sent, "id": id}
    cause = fields["cause"]
    if cause is not None:
        cause["error"] = None if cause["error"] is None else _ERRORS.get(cause["error"], Exception)
        cause["fields"] = tuple((name, sentence) for name, sentence in cause["fields"])
        cause["at"] = None if cause["at"] is None else datetime.fromisoformat(cause["at"])
        fields["cause"] = Cause(**cause)
    return Entry(**fields)
