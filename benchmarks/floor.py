"""The floor of a payment in a database: its transaction, sent by the bare driver and by nothing else.

The statements are those of the ledger; their parameters are made before, and nothing of what they return is
looked at, so that there is no rule, no load and no HTTP.
"""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiosqlite
import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import URL, insert, make_url

from mock_server.domain import Load, Money, Payment
from mock_server.ledger_sql import CHANGE, TO_CHANGE
from mock_server.tables import PAYMENTS, columns_of_payment, key_of, what_changes

_PAYMENT = Payment(
    "R",
    Money(Decimal("0.01"), 840),
    "2026-07-01T15:30:00Z",
    "INV-1001",
    "ACH",
    note="A payment as long as they usually are",
    id="6f1b2c3d-0000-4000-8000-000000000000",
    recorded_at=datetime(2026, 7, 1, tzinfo=UTC),
)
_LOAD = Load("", "", "", "Invoiced", "", datetime(2026, 7, 1, tzinfo=UTC), total_paid=_PAYMENT.amount)

Statement = tuple[str, tuple[Any, ...]]


def _compiled(dialect: Any, statement: Any, values: dict[str, Any]) -> Statement:
    """A statement and its parameters, as the driver takes them."""
    compiled = statement.compile(dialect=dialect, column_keys=list(values))
    processors = compiled._bind_processors  # noqa: SLF001 - there is no public way to just one step
    ready = {name: processors.get(name, lambda value: value)(value) for name, value in values.items()}
    return str(compiled), tuple(ready[name] for name in compiled.positiontup)


def _statements(dialect: Any, number: str, serial: int, turn: int) -> list[Statement]:
    """What a payment does to the load of that number: locks and reads it, adds the payment, changes it."""
    added = {"load": serial, "edition": 0, "place": turn, **columns_of_payment(_PAYMENT, key_of(str(turn)))}
    changed = {"of": serial, **what_changes(_LOAD)}
    return [
        _compiled(dialect, TO_CHANGE, {"key": key_of(number)}),
        _compiled(dialect, insert(PAYMENTS), added),
        _compiled(dialect, CHANGE, changed),
    ]


async def _on_postgresql(url: URL, number: str, serial: int, count: int, start: int) -> float:
    dialect = url.set(drivername="postgresql+asyncpg").get_dialect()()
    turns = [_statements(dialect, number, serial, start + turn) for turn in range(count)]
    host = str(url.query["host"])
    connection = await asyncpg.connect(user=url.username, database=url.database, host=host)
    try:
        before = time.process_time()
        for statements in turns:
            async with connection.transaction(isolation="read_committed"):
                for statement, values in statements:
                    await connection.fetch(statement, *values)
        return (time.process_time() - before) / count
    finally:
        await connection.close()


async def _on_sqlite(url: URL, number: str, serial: int, count: int, start: int) -> float:
    dialect = url.set(drivername="sqlite+aiosqlite").get_dialect()()
    turns = [_statements(dialect, number, serial, start + turn) for turn in range(count)]
    async with aiosqlite.connect(str(url.database), isolation_level=None) as connection:
        await connection.execute("PRAGMA synchronous=FULL")
        before = time.process_time()
        for statements in turns:
            await connection.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                cursor = await connection.execute(statement, values)
                await cursor.fetchall()
                await cursor.close()
            await connection.execute("COMMIT")
        return (time.process_time() - before) / count


def seconds_per_payment(state: str, number: str, serial: int, count: int, start: int) -> float:
    """CPU seconds of this process for each transaction, of a payment on a load that is there.

    `start` is the place of the first payment: nothing else may have it, or those after it.
    """
    url = make_url(state)
    on = _on_sqlite if url.drivername == "sqlite" else _on_postgresql
    return asyncio.run(on(url, number, serial, count, start))
