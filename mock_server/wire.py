"""The wire's names for loads and payments, in both directions."""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Raw

from mock_server.decimal_json import encode
from mock_server.domain import Load, Money, Payment
from mock_server.instants import instant, instant_text
from mock_server.shapes import Facts, Picker

JsonObject = Mapping[str, Any]
"""An object that its schema has accepted. Its members are read only by the functions below."""


def money_from_wire(money: JsonObject) -> Money:
    """Money from `{Amount, Currency}`."""
    amount, currency = money["Amount"], money["Currency"]
    return Money(
        amount if type(amount) is Decimal else Decimal(amount),
        currency if type(currency) is int else int(currency),
    )


def payment_from_wire(body: JsonObject) -> Payment:
    """A payment from the members of a request; its id is still to be given."""
    return Payment(
        body["ReferenceNumber"],
        money_from_wire(body["Amount"]),
        body["PaymentDate"],
        body.get("InvoiceNumber"),
        body.get("PaymentMethod"),
        body.get("CheckNumber"),
        body.get("Note"),
    )


def load_identity(number: str) -> JsonObject:
    """The id and the order number of a load that a fixture gives neither: the same at every start."""
    return {"Id": _derived_id("load", number), "OrderNumber": f"ORD-{number}"}


def payment_identity(number: str, reference: str) -> JsonObject:
    """The id of a payment that a fixture gives none: the same at every start."""
    return {"Id": _derived_id("payment", number, reference)}


def _derived_id(*names: str) -> str:
    # Shaped like a UUID; the module `uuid` takes three times as long for it.
    digest = blake2b("\0".join(names).encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def load_from_wire(document: JsonObject, details: Mapping[str, object]) -> Load:
    """A load, with its payments, from a document that has every member of a load.

    `details` are the members that were stated, rather than filled in.
    `totalPaid` is not read: it follows from the payments. Without `paidAt`, the latest payment
    counts as recorded when it was made.
    """
    billed = document["InvoicedAmount"] or document["CustomerRate"]
    load = Load(
        id=document["Id"],
        number=document["LoadNumber"],
        order_number=document["OrderNumber"],
        status=document["Status"],
        customer_id=document["CustomerId"],
        created_at=instant(document["CreatedAt"]),
        po_number=document["PONumber"],
        billed=money_from_wire(billed) if billed else None,
        details=details,
    )
    for payment in document["payments"] or ():
        paid_at = instant(document["paidAt"] or payment["PaymentDate"])
        load = load.with_payment(payment_from_wire(payment)._replace(id=payment["Id"]), paid_at)
    return load


class _PaymentsWriter:
    """Writes the payments of a load as one JSON text.

    Payments are only ever added, so the text of a load is kept and grows: a load with thousands of
    payments costs no more than its bytes.
    """

    def __init__(self, write_payment: Picker) -> None:
        self._write_payment = write_payment
        self._kept: dict[str, _Kept] = {}

    def __call__(self, load: Load) -> Raw:
        kept = self._kept.get(load.number, _NOTHING)
        if kept.payments is load.payments:
            return kept.text
        if not load.payments:  # Most loads have none: nothing is kept of those.
            return _NOTHING.text
        # Written already, if what was last written last is still in its place.
        since = max(len(load.payments) - len(kept.payments), 0) + 1
        newer = list(islice(reversed(load.payments.values()), since))
        if kept.last is None or newer.pop() is not kept.last:
            newer, kept = list(reversed(load.payments.values())), _NOTHING
        added = b",".join(encode(self._write_payment(payment)) for payment in reversed(newer))
        separator = b"," if added and kept.payments else b""
        text = b"%b%b%b]" % (bytes(kept.text)[:-1], separator, added)
        kept = self._kept[load.number] = _Kept(load.payments, newer[0] if newer else kept.last, Raw(text))
        return kept.text


class _Kept(NamedTuple):
    """The payments that the text has, and the last of them."""

    payments: dict[str, Payment]
    last: Payment | None
    text: Raw


_NOTHING = _Kept({}, None, Raw(b"[]"))


_MONEY = Facts(plain={"amount": attrgetter("amount"), "currency": attrgetter("currency")})

_PAYMENT = Facts(
    plain={
        "id": attrgetter("id"),
        "checknumber": attrgetter("check_number"),
        "invoicenumber": attrgetter("invoice_number"),
        "paymentdate": attrgetter("date"),
        "paymentmethod": attrgetter("method"),
        "referencenumber": attrgetter("reference"),
    },
    things={"amount": (attrgetter("amount"), _MONEY)},
)

LOAD = Facts(
    plain={
        "id": attrgetter("id"),
        "loadnumber": attrgetter("number"),
        "ordernumber": attrgetter("order_number"),
        "status": attrgetter("status"),
        "paidat": lambda load: load.paid_at and instant_text(load.paid_at),
    },
    things={"totalpaid": (attrgetter("total_paid"), _MONEY)},
    lists={"customerpayments": (_PaymentsWriter, _PAYMENT), "payments": (_PaymentsWriter, _PAYMENT)},
    rest=lambda name, example: lambda load: load.details.get(name, example),
)
"""What is known about a load, for any schema that shows one."""

PAGE = Facts(
    plain={
        "page": attrgetter("page"),
        "pagesize": attrgetter("size"),
        "total": attrgetter("total"),
    },
    lists={"items": (lambda pick: lambda found: [pick(load) for load in found.loads], LOAD)},
)
"""What is known about a page of a search."""
