"""The values of the reference implementation: loads, payments, and JSON with decimals."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

Json: TypeAlias = "bool | int | Decimal | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment on a load. `recorded_at` is an RFC 3339 instant; `date` is the text of the request."""

    id: str
    reference: str
    amount: Decimal
    currency: int
    date: str
    invoice: str | None = None
    method: str | None = None
    check: str | None = None
    note: str | None = None
    recorded_at: str = "2026-06-01T00:00:00Z"


@dataclass(slots=True)
class Load:
    """A load. `invoiced` is what the customer owes, in `currency` (an ISO 4217 number)."""

    number: str
    status: str
    invoiced: Decimal | None = Decimal("1850.00")
    currency: int = 840
    customer: str = "Acme Foods"
    payments: list[Payment] = field(default_factory=list)
    paid_at: str | None = None

    @property
    def id(self) -> str:
        """The load's id; derived from the number, so that it needs no second name."""
        return f"load-{self.number.lower()}"

    @property
    def order_number(self) -> str:
        """The order that the load belongs to."""
        return f"ORD-{self.number}"

    @property
    def customer_id(self) -> str:
        """The customer's id."""
        return f"CUS-{self.customer.replace(' ', '-').upper()}"


@dataclass(frozen=True, slots=True)
class Posted:
    """A payment as a request asks for it, after validation."""

    load_number: str
    amount: Decimal
    currency: int
    date: str
    reference: str
    invoice: str | None
    method: str | None
    check: str | None
    note: str | None


def encode(value: Json, number: Callable[[Decimal], str] = str) -> str:
    """JSON text. `number` writes the decimals, which are amounts; integers are written plainly."""
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, Mapping):
        fields = (f"{json.dumps(name)}:{encode(field, number)}" for name, field in value.items())
        return "{" + ",".join(fields) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(encode(item, number) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def without_nulls(value: Json) -> Json:
    """The value without the fields that are null."""
    if isinstance(value, Mapping):
        return {name: without_nulls(field) for name, field in value.items() if field is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_nulls(item) for item in value]
    return value


def one_decimal(value: Decimal) -> str:
    """`10` as `10.0`, the way many languages print a double."""
    text = f"{value:f}"
    return text if "." in text else f"{text}.0"


def exponent(value: Decimal) -> str:
    """`10` as `1.0E+1`."""
    return f"{value:E}"
