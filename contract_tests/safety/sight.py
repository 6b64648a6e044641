"""What a response shows of payments, read leniently: names in any case, either shape of the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from contract_tests.rules.exchange import Response
from contract_tests.rules.values import Json


@dataclass(frozen=True, slots=True)
class SeenPayment:
    """A payment as a response shows it, with all its texts. The shape of July 2026 shows no reference."""

    id: str | None
    reference: str | None
    amount: Decimal | None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenLoad:
    """A load as a response shows it. `total` is what was paid to date; None where nothing was, or is said.

    `currency` is that of the total. `tells` says whether the response shows what was paid at all: a
    search may leave it out.
    """

    number: str
    status: str | None
    payments: tuple[SeenPayment, ...]
    total: Decimal | None
    tells: bool = True
    currency: Decimal | None = None

    @property
    def hides_who_paid(self) -> bool:
        """Whether something was paid, and no payment shows a reference: the shape of July 2026."""
        return bool(self.total) and not any(payment.reference for payment in self.payments)


def loads_in(response: Response) -> list[SeenLoad]:
    """The loads that a response shows: one, or the Items of a search."""
    fields = _fields(response.document)
    items = fields.get("items")
    candidates = items if isinstance(items, list) else [fields]
    return [load for load in map(_load, candidates) if load is not None]


def payments_in(response: Response) -> list[SeenPayment]:
    """The payments that the response to a payment shows.

    The page's list, or where there is none the one payment whose Id the shape of July 2026 gives.
    """
    fields = _fields(response.document)
    listed = fields.get("customerpayments")
    if isinstance(listed, list):
        return list(_payments(listed))
    if "customerpayments" not in fields and _text(fields.get("id")) and "loadnumber" in fields:
        return [SeenPayment(_text(fields["id"]), None, None)]
    return []


def _load(value: Json) -> SeenLoad | None:
    fields = _fields(value)
    number = _text(fields.get("loadnumber"))
    if number is None:
        return None
    return SeenLoad(
        number,
        _text(fields.get("status")),
        tuple(_payments(fields.get("payments"))),
        _amount(fields.get("totalpaid")),
        tells="payments" in fields and "totalpaid" in fields,
        currency=_currency(fields.get("totalpaid")),
    )


def _payments(listed: Json) -> Iterator[SeenPayment]:
    for item in listed if isinstance(listed, list) else []:
        fields = _fields(item)
        reference = _text(fields.get("referencenumber")) or _text(fields.get("paymentreference"))
        texts = tuple(text for text in fields.values() if isinstance(text, str))
        yield SeenPayment(_text(fields.get("id")), reference, _amount(fields.get("amount")), texts)


def _amount(money: Json) -> Decimal | None:
    amount = _fields(money).get("amount") if isinstance(money, dict) else money
    return amount if isinstance(amount, Decimal) else None


def _currency(money: Json) -> Decimal | None:
    currency = _fields(money).get("currency")
    return currency if isinstance(currency, Decimal) else None


def _text(value: Json) -> str | None:
    if isinstance(value, Decimal):
        return str(value)
    return value if isinstance(value, str) else None


def _fields(value: Json) -> dict[str, Json]:
    """The fields of an object with names in lowercase; none of anything else."""
    return {name.lower(): field for name, field in value.items()} if isinstance(value, dict) else {}
