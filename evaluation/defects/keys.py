"""Defects of what is looked up by another key than it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from typing_extensions import override

from evaluation.defects.defect import Table, Witness, lists, shows, then, witness
from evaluation.defects.idempotency import among
from evaluation.defects.memory import REQUEST, Remembering
from evaluation.reference.freedoms import NATURAL, WITH_TOKENS
from evaluation.reference.messages import (
    FIRST_TOKEN,
    GET_TOKEN,
    INVOICED,
    PAYMENTS,
    authorized,
    pay,
    read_by,
    search,
)
from evaluation.reference.service import Service
from evaluation.reference.values import Json, Load, Payment, Posted

row = Table("keys", "production")


def differ(length: int) -> Witness:
    """References that differ first after so many characters are two payments."""
    return lists(2, *(pay(ReferenceNumber="x" * length + last) for last in "12"))


for length in (50, 100, 255, 1000):
    row(
        f"first-{length}-characters-are-the-reference",
        "R6 A9",
        f"References are compared by {length} characters.",
    )(differ(length), key=lambda _s, reference, length=length: reference[:length])
row("reference-is-compared-by-checksum", "R6 A9", "References are compared by the sum of their characters.")(
    lists(2, pay(ReferenceNumber="R-12"), pay(ReferenceNumber="R-21")),
    key=lambda _s, reference: str(sum(map(ord, reference))),
)
row("invoice-number-is-the-reference", "R6", "Two payments for one invoice are taken for replays.")(
    lists(2, pay(InvoiceNumber="I-1"), pay(InvoiceNumber="I-1", ReferenceNumber="R-2")),
    find_original=lambda _s, load, posted: (
        next((one for one in load.payments if one.invoice == posted.invoice), None)
        if posted.invoice
        else among(load.payments, posted)
    ),
)
row(
    "check-number-is-part-of-the-key",
    "R6",
    "The same reference with another check number is another payment.",
)(
    lists(1, pay(CheckNumber="1"), pay(CheckNumber="2")),
    find_original=then(
        lambda _s, found, _load, posted: found if found and found.check == posted.check else None
    ),
)
row("invoice-number-is-part-of-the-key", "R6", "The same reference for another invoice is another payment.")(
    lists(1, pay(InvoiceNumber="1"), pay(InvoiceNumber="2")),
    find_original=then(
        lambda _s, found, _load, posted: found if found and found.invoice == posted.invoice else None
    ),
)
row("reference-belongs-to-version", "R6", "A replay to another version of the path is recorded.")(
    lists(1, pay(), pay().to(PAYMENTS.replace("1.0", "2.0"))),
    parent=Remembering,
    stamp=lambda _s: REQUEST.get().url.path.lower().replace(".0", "")[:10],
)
row("reference-belongs-to-path", "R6", "A replay to the same path in other letters is recorded.")(
    lists(1, pay(), pay().to(PAYMENTS.replace("invoices", "Invoices"))),
    parent=Remembering,
    stamp=lambda _s: REQUEST.get().url.path,
)
row("reference-belongs-to-media-type", "R6", "A replay of another media type is recorded.")(
    lists(1, pay(), pay().typed("application/json")),
    parent=Remembering,
    stamp=lambda _s: REQUEST.get().headers.get("content-type"),
)
row(
    "reference-belongs-to-body-length", "R6", "A replay is recognised only if the body is as long as before."
)(
    lists(1, pay(), pay(Note="once more")),
    parent=Remembering,
    stamp=lambda _s: REQUEST.get().headers.get("content-length"),
)
row("reads-by-order-number-are-stale", "R7", "A read by order number shows the load as it was at first.")(
    lists(1, pay(), read_by(orderNumber=f"ORD-{INVOICED}"), of="payments"),
    wanted_load=then(
        lambda _s, load, query: replace(load, payments=[], paid_at=None) if "orderNumber" in query else load
    ),
)
row("paid-loads-leave-the-index", "P5", "A search by status finds no load that has a payment.")(
    shows(2, pay(), search(Status=["Invoiced"]), at="Total"),
    matches=then(
        lambda _s, matches, load, lists, _customer: matches and not (lists["Status"] and load.payments)
    ),
)


@row.defect("P5", shown=shows(1, pay(Number=Decimal("1850.00")), search(Status=["Invoiced"]), at="Total"))
class StatusIsIndexedOnce(Service):
    """A search goes by the status that a load had before its first payment."""

    indexed: Mapping[str, str] = MappingProxyType({})

    @override
    def status_after(self, load: Load) -> str:
        self.indexed = {load.number: load.status, **self.indexed}
        return super().status_after(load)

    @override
    def matches(self, load: Load, lists: Mapping[str, Sequence[str]], customer: Json) -> bool:
        known = self.indexed.get(load.number, load.status)
        return super().matches(replace(load, status=known), lists, customer)


row("pages-overlap", "P6", "Each page of a search but the first begins with the last hit of the one before.")(
    witness(
        *(search(Status=["Invoiced"], PageSize=1, Page=page) for page in (0, 1)),
        sees=lambda r: r[0].at("Items", 0, "Id") == r[1].at("Items", 0, "Id"),
        correct=False,
    ),
    page_of=lambda _s, hits, page, size: hits[max(0, page * size - 1) :][:size] if page else hits[:size],
)

tokens = Table("keys", "production", WITH_TOKENS)
tokens("reference-belongs-to-token", "R6", "A replay with a new token is recorded.")(
    lists(
        1,
        GET_TOKEN,
        authorized(pay(), f"Bearer {FIRST_TOKEN}"),
        GET_TOKEN,
        authorized(pay(), "Bearer Reference-Token-0002"),
    ),
    parent=Remembering,
    stamp=lambda _s: REQUEST.get().headers.get("authorization"),
)
natural = Table("keys", "production", NATURAL)


@natural.defect("R6", shown=lists(1, pay(), pay(LoadNumber=INVOICED.lower())))
class ReferenceBelongsToSpelling(Remembering):
    """A replay that spells the load number in other letters, which finds the load, is recorded."""

    spelling = ""

    @override
    def stamp(self) -> str:
        return self.spelling

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        self.spelling = posted.load_number
        return await super().record(load, posted)
