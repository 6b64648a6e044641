"""Rate limits that mocks on one PostgreSQL count together: a statement for each request."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Row, Text, bindparam, delete, select, text, tuple_

from mock_server.clock import Clock
from mock_server.limits import MOST_CALLERS, Limits, exceeded
from mock_server.rates import Rate
from mock_server.tables import CALLERS
from mock_server.transactions import Database

_COUNT = text("""
INSERT INTO alvys_callers AS c (operation, who, times, blocked_until, passed, times_back)
VALUES (:operation, :who, ARRAY[CAST(:now AS bigint)], 0, true, :times_back)
ON CONFLICT (operation, who) DO UPDATE SET (times, blocked_until, passed, times_back) = (
    SELECT
        CASE WHEN passes THEN recent || at WHEN free AND :blocked_for > 0 THEN '{}' ELSE recent END,
        CASE WHEN passes OR NOT free THEN until WHEN :blocked_for > 0 THEN at + :blocked_for
             ELSE recent[1] + :span END,
        passes,
        :times_back
    FROM (
        SELECT *, at >= until AS free, at >= until AND cardinality(recent) < :requests AS passes FROM (
            SELECT at, until, ARRAY(SELECT t FROM unnest(kept) AS t WHERE t > at - :span ORDER BY t) AS recent
            FROM (
                SELECT kept, until, greatest(CAST(:now AS bigint), kept[cardinality(kept)]) AS at
                FROM (
                    SELECT CASE WHEN goes_on THEN c.times ELSE '{}' END AS kept,
                           CASE WHEN goes_on THEN c.blocked_until ELSE 0 END AS until
                    FROM (SELECT c.times_back = :times_back AS goes_on) AS _
                ) AS _
            ) AS _
        ) AS _
    ) AS _
)
RETURNING passed, blocked_until, xmax = 0 AS is_new
""").bindparams(
    *(bindparam(name, type_=BigInteger) for name in ("now", "span", "blocked_for")),
    *(bindparam(name, type_=Integer) for name in ("requests", "times_back")),
    *(bindparam(name, type_=Text) for name in ("operation", "who")),
)
"""`kept` is what counts unless the clock was set back, `at` the time of the request: clocks differ a little.

Who reads it from the inside out finds what `limits` does in memory."""
_LATEST = select(CALLERS.c.operation, CALLERS.c.who).order_by(CALLERS.c.since.desc()).limit(bindparam("most"))
_FORGET = delete(CALLERS).where(tuple_(CALLERS.c.operation, CALLERS.c.who).not_in(_LATEST))
_NEW_AT_ONCE = 100
"""New callers after which the oldest are forgotten that are too many."""


class SharedLimits(Limits):
    """Counts in the database. The oldest callers are forgotten when there are too many, as in memory."""

    def __init__(self, clock: Clock, rate: Rate | None, database: Database) -> None:
        super().__init__(clock, rate)
        self._database = database
        self._new = 0

    async def reset(self) -> None:
        """Forgets every request so far. StateUnavailable."""
        await self._database.do(lambda connection: connection.execute(delete(CALLERS)))

    async def _count(self, operation: str, who: str, rate: Rate, blocked_seconds: int) -> None:
        now = math.floor(self._clock.seconds() * 1000)
        given = {
            "operation": operation,
            "who": who,
            "now": now,
            "span": rate.seconds * 1000,
            "requests": rate.requests,
            "blocked_for": blocked_seconds * 1000,
            "times_back": self._clock.times_back,
        }
        row = await self._database.do(partial(_counted, given))
        self._new += row.is_new
        if self._new >= _NEW_AT_ONCE:
            self._new = 0
            await self._database.do(lambda connection: connection.execute(_FORGET, {"most": MOST_CALLERS}))
        if not row.passed:
            raise exceeded(row.blocked_until - now)


def _counted(given: Mapping[str, object], connection: Connection) -> Row[Any]:
    return connection.execute(_COUNT, given).one()
