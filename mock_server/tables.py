"""What a database keeps: its tables, and how exact values get in and out of them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import MAX_PREC, Context, Decimal
from hashlib import blake2b
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Row,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
)
from sqlalchemy.engine import Dialect

from mock_server.decimal_json import decode, encode
from mock_server.domain import Load, Money, Payment, Payments

VERSION = 2
"""The version of these tables, which one of them holds. Nothing leads from one version to another: the loads
of a sandbox can be made again, so there is nothing worth a tool for migrations."""

SQLITE = "sqlite"
_UNKEEPABLE = re.compile("[\0\x01\ud800-\udfff]")
_ESCAPED = re.compile("\x01([0-9a-f]{4})")
_MOST_PLACES = 16_383
"""Decimal places of a `numeric` in PostgreSQL."""
_SMALLEST = Decimal(1).scaleb(-_MOST_PLACES)
_ANY_LENGTH = Context(prec=MAX_PREC)


class _Exact(TypeDecorator[str]):
    """Any text; what PostgreSQL has no place for, U+0000 and lone surrogates, is escaped."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or _UNKEEPABLE.search(value) is None:
            return value
        return _UNKEEPABLE.sub(lambda found: f"\x01{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or "\x01" not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class _Number(TypeDecorator[Decimal]):
    """A decimal: `numeric` in PostgreSQL; a text in SQLite, which has doubles only."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == SQLITE else Numeric())

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Any:
        return str(value) if value is not None and dialect.name == SQLITE else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return Decimal(value) if value is not None and dialect.name == SQLITE else value


class _Instant(TypeDecorator[datetime]):
    """An instant in UTC; in SQLite a text, always of one length, so that texts sort as instants do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == SQLITE else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != SQLITE:
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # To the driver of PostgreSQL the first and the last instant are infinite, and without a zone.
        return datetime.fromisoformat(value) if dialect.name == SQLITE else value.replace(tzinfo=UTC)


def _money(name: str) -> list[Column[Any]]:
    """The columns of money; `_as_sent` is the amount where the first would write it otherwise."""
    return [Column(name, _Number), Column(f"{name}_as_sent", _Exact), Column(f"{name}_currency", _Number)]


TABLES = MetaData()

STATE = Table("alvys_state", TABLES, Column("version", Integer, nullable=False))

_SERIAL = BigInteger().with_variant(Integer, SQLITE)  # the only type that SQLite counts up

LOADS = Table(
    "alvys_loads",
    TABLES,
    Column("serial", _SERIAL, primary_key=True, comment="the order in which loads were added"),
    Column("edition", Integer, nullable=False, comment="grows when the load is put in place of itself"),
    Column("payment_count", Integer, nullable=False),
    Column("number_key", Text, nullable=False, unique=True),
    Column("id_key", Text, nullable=False, unique=True),
    Column("number", _Exact, nullable=False),
    Column("id", _Exact, nullable=False),
    Column("order_number", _Exact, nullable=False),
    Column("po_number", _Exact),
    Column("status", _Exact, nullable=False),
    Column("customer_id", _Exact, nullable=False),
    Column("created_at", _Instant, nullable=False),
    *_money("billed"),
    *_money("paid"),
    Column("paid_at", _Instant),
    Column("details", Text, nullable=False),
    # By hash, because a text may be longer than an entry of the usual index.
    *(
        Index(f"alvys_loads_{name}", name, postgresql_using="hash")
        for name in ("order_number", "po_number", "customer_id")
    ),
    Index("alvys_loads_status", "status", "serial"),
    sqlite_autoincrement=True,
)

PAYMENTS = Table(
    "alvys_payments",
    TABLES,
    Column("load", _SERIAL, primary_key=True, comment="its serial"),
    Column("edition", Integer, primary_key=True),
    Column("place", Integer, primary_key=True, comment="from 0, in the order in which they were recorded"),
    Column("reference_key", Text, nullable=False),
    Column("id", _Exact, nullable=False),
    Column("reference", _Exact, nullable=False),
    *_money("amount"),
    Column("date", _Exact, nullable=False),
    Column("invoice_number", _Exact),
    Column("method", _Exact),
    Column("check_number", _Exact),
    Column("note", _Exact),
    Column("recorded_at", _Instant),
    UniqueConstraint("load", "edition", "reference_key"),
)


PARTS = Table(
    "alvys_parts",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("mark", Text, nullable=False, comment="another one after each change"),
    Column("kept", Text, nullable=False, comment="the part, as JSON"),
)


REPLICA_TABLES = MetaData()
"""What is in PostgreSQL only, and is not logged: it is lost when the database crashes, and costs no disk."""

CALLERS = Table(
    "alvys_callers",
    REPLICA_TABLES,
    Column("operation", Text, primary_key=True),
    Column("who", Text, primary_key=True, comment="a digest of the token, or an address"),
    Column("times", ARRAY(BigInteger), nullable=False, comment="requests that count, in milliseconds"),
    Column("blocked_until", BigInteger, nullable=False),
    Column("passed", Boolean, nullable=False, comment="whether the latest request did"),
    Column("times_back", Integer, nullable=False, comment="how often the clock had been set back"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("alvys_callers_since", "since"),
    prefixes=["UNLOGGED"],
)

JOURNAL = Table(
    "alvys_journal",
    REPLICA_TABLES,
    Column("id", Integer, primary_key=True, comment="always 1"),
    Column("count", BigInteger, nullable=False, comment="the id of the latest request"),
    prefixes=["UNLOGGED"],
)

ENTRIES = Table(
    "alvys_entries",
    REPLICA_TABLES,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("clears", Integer, nullable=False, comment="how often the journal had been cleared"),
    Column("size", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    prefixes=["UNLOGGED"],
)


def key_of(text: str) -> str:
    """What stands for a text where it must be unique: as short for a long one."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def columns_of_load(load: Load) -> dict[str, Any]:
    """A load in the columns of LOADS, but for those that the database counts."""
    return {
        "number_key": key_of(load.number),
        "id_key": key_of(load.id),
        "number": load.number,
        "id": load.id,
        "order_number": load.order_number,
        "po_number": load.po_number,
        "customer_id": load.customer_id,
        "created_at": load.created_at,
        **_columns_of_money("billed", load.billed),
        "details": encode(load.details).decode(),
        **what_changes(load),
    }


def what_changes(load: Load) -> dict[str, Any]:
    """The columns that a payment or a new status changes."""
    return {
        "payment_count": len(load.payments),
        "status": load.status,
        **_columns_of_money("paid", load.total_paid),
        "paid_at": load.paid_at,
    }


def load_of(row: Row[Any], payments: Payments) -> Load:
    """The load in a row of LOADS, with its payments."""
    return Load(
        id=row.id,
        number=row.number,
        order_number=row.order_number,
        status=row.status,
        customer_id=row.customer_id,
        created_at=row.created_at,
        po_number=row.po_number,
        billed=_money_in(row.billed, row.billed_as_sent, row.billed_currency),
        payments=payments,
        total_paid=_money_in(row.paid, row.paid_as_sent, row.paid_currency),
        paid_at=row.paid_at,
        details=cast("Mapping[str, object]", decode(row.details.encode())),
    )


def columns_of_payment(payment: Payment, reference_key: str) -> dict[str, Any]:
    """A payment in the columns of PAYMENTS, but for those that say where it belongs."""
    return {
        "reference_key": reference_key,
        "id": payment.id,
        "reference": payment.reference,
        **_columns_of_money("amount", payment.amount),
        "date": payment.date,
        "invoice_number": payment.invoice_number,
        "method": payment.method,
        "check_number": payment.check_number,
        "note": payment.note,
        "recorded_at": payment.recorded_at,
    }


def payment_of(row: Row[Any]) -> Payment:
    """The payment in a row of PAYMENTS."""
    amount = _money_in(row.amount, row.amount_as_sent, row.amount_currency)
    return Payment(
        reference=row.reference,
        amount=cast("Money", amount),
        date=row.date,
        invoice_number=row.invoice_number,
        method=row.method,
        check_number=row.check_number,
        note=row.note,
        id=row.id,
        recorded_at=row.recorded_at,
    )


def _columns_of_money(name: str, money: Money | None) -> dict[str, Any]:
    if money is None:
        return {name: None, f"{name}_as_sent": None, f"{name}_currency": None}
    places, kept, as_sent = -int(money.amount.as_tuple().exponent), money.amount, None
    if not 0 <= places <= _MOST_PLACES:
        kept, as_sent = (kept if places < 0 else kept.quantize(_SMALLEST, context=_ANY_LENGTH)), str(kept)
    return {name: kept, f"{name}_as_sent": as_sent, f"{name}_currency": money.currency}


def _money_in(amount: Decimal | None, as_sent: str | None, currency: Decimal | None) -> Money | None:
    if amount is None or currency is None:
        return None
    return Money(amount if as_sent is None else Decimal(as_sent), int(currency))
