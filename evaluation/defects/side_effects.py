"""Defects of what a payment does to its load, and of what a refused one must not do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import Table, Witness, given, having, lists, responds, shows, then, witness
from evaluation.reference.messages import (
    DISPATCHED,
    INVOICED,
    INVOICED_CAD,
    MISSING,
    pay,
    read,
    read_by,
    search,
)
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

SECOND = pay(ReferenceNumber="R-2", Number=Decimal("0.25"))
TOTAL = shows(Decimal("10.75"), pay(), SECOND, read(), at="totalPaid/Amount")
LISTED = lists(2, pay(), SECOND, read(), of="payments")
row = Table("side effects")


def filled(name: str) -> Witness:
    """A payment fills this field of the load."""
    return witness(pay(), read(), sees=lambda r: r[1].at(name) in (None, MISSING), correct=False)


def unchanged(name: str) -> Witness:
    """A payment leaves this field of the load as it was."""
    return witness(read(), pay(), read(), sees=lambda r: r[0].at(name) == r[2].at(name), correct=True)


row("paid-at-stays-empty", "R7", "A payment does not fill `paidAt`.")(
    filled("paidAt"), paid_fields=having(paidAt=None)
)
row("total-paid-stays-empty", "R7", "A payment does not fill `totalPaid`.")(
    filled("totalPaid"), paid_fields=having(totalPaid=None)
)
row("payments-stay-empty", "R7", "A payment does not fill `payments`.")(
    filled("payments"), paid_fields=having(payments=None)
)
row("load-shows-nothing", "R7", "A read of the load never shows a payment.")(
    lists(1, pay(), read(), of="payments"), paid_fields=given(lambda _s, load: Load(load.number, load.status))
)
row(
    "paid-at-is-payment-date",
    "R7 A16",
    "`paidAt` is the date that the sender gave, not when the payment was recorded.",
)(
    witness(pay(), read(), sees=lambda r: r[1].at("paidAt") == r[0].paid(0, "PaymentDate"), correct=False),
    paid_at=lambda _s, _load, payment: payment.date,
)
row("paid-at-is-that-of-first", "A16", "`paidAt` stays at the first payment.")(
    witness(
        pay(), read(), SECOND, read(), sees=lambda r: r[1].at("paidAt") == r[3].at("paidAt"), correct=False
    ),
    paid_at=lambda _s, load, payment: load.paid_at or payment.recorded_at,
)
row("paid-at-is-epoch", "R7", "`paidAt` is the beginning of 1970.")(
    witness(pay(), read(), sees=lambda r: str(r[1].at("paidAt"))[:4] == "1970", correct=False),
    paid_at=lambda *_: "1970-01-01T00:00:00Z",
)
row("total-is-latest-payment", "R7", "`totalPaid` is the latest payment alone.")(
    TOTAL, counted=given(lambda _s, load: replace(load, payments=load.payments[-1:]))
)
row("total-lags-behind", "R7", "`totalPaid` leaves the latest payment out.")(
    TOTAL, counted=given(lambda _s, load: replace(load, payments=load.payments[:-1]))
)
row("total-is-largest-payment", "R7", "`totalPaid` is the largest payment instead of the sum.")(
    TOTAL, total=lambda s, load: max((payment.amount for payment in s.counted(load)), default=Decimal(0))
)
row("equal-amounts-count-once", "R7", "Payments of the same amount are summed once.")(
    shows(Decimal("21.00"), pay(), pay(ReferenceNumber="R-2"), read(), at="totalPaid/Amount"),
    total=lambda s, load: sum({payment.amount for payment in s.counted(load)}, Decimal(0)),
)
row("total-is-that-of-all-loads", "R7", "`totalPaid` sums the payments of all loads.")(
    shows(
        Decimal("10.50"),
        pay(),
        pay(LoadNumber=INVOICED_CAD, Currency=124, ReferenceNumber="R-2"),
        read(),
        at="totalPaid/Amount",
    ),
    total=lambda s, _load: sum(
        (one.amount for other in s.loads.values() for one in other.payments), Decimal(0)
    ),
)


@row.defect(
    "R7",
    shown=witness(
        pay(), read(INVOICED_CAD), sees=lambda r: r[1].count("payments") in (0, MISSING), correct=True
    ),
)
class LoadsShareTheirPayments(Service):
    """A payment appears on every invoiced load of all customers."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        for other in self.loads.values():
            if other is load or other.status == "Invoiced":
                other.payments.append(payment)


row("load-lists-latest-payment", "R7", "The load lists its latest payment alone.")(
    LISTED, listed_on_load=lambda _s, load: load.payments[-1:]
)
row("load-lists-first-payment", "R7", "The load lists its first payment alone.")(
    LISTED, listed_on_load=lambda _s, load: load.payments[:1]
)
row("load-shows-other-ids", "R7", "The load shows its payments under other ids than the response does.")(
    witness(pay(), read(), sees=lambda r: r[1].at("payments", 0, "Id") == r[0].paid(0, "Id"), correct=True),
    load_payment_fields=then(lambda _s, fields, payment: {**fields, "Id": f"load-{payment.id}"}),
)
row("load-shows-rounded-amounts", "R7", "The load shows each payment with a rounded amount.")(
    shows(Decimal("10.50"), pay(), read(), at="payments/0/Amount/Amount"),
    load_payment_fields=given(lambda _s, payment: replace(payment, amount=Decimal(round(payment.amount)))),
)


class Touching(Service):
    """Does something to the load although the payment is refused."""

    def touched(self, load: Load, posted: Posted) -> None:
        """What is done."""

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        load = self.find_load(posted.load_number)
        if load is not None:
            self.touched(load, posted)

    @override
    def check_gate(self, load: Load) -> None:
        if not self.is_payable(load):
            self.touched(load, Posted(load.number, Decimal(1), 840, "", "", None, None, None, None))
        super().check_gate(load)


AFTER_REFUSAL = (pay(), read(), pay(ReferenceNumber="R-2", Number=-1), read())


@row.defect(
    "R4 R7",
    shown=witness(*AFTER_REFUSAL, sees=lambda r: r[3].at("paidAt") == r[1].at("paidAt"), correct=True),
)
class RefusalMovesPaidAt(Touching):
    """A refused payment moves `paidAt`."""

    @override
    def touched(self, load: Load, posted: Posted) -> None:
        if load.payments:
            load.paid_at = self.now()


@row.defect(
    "R4 R7",
    shown=witness(*AFTER_REFUSAL, sees=lambda r: r[3].at("totalPaid") == r[1].at("totalPaid"), correct=True),
)
class RefusalChangesTotal(Touching):
    """A refused payment is added to the total."""

    refused: tuple[tuple[str, Decimal], ...] = ()

    @override
    def touched(self, load: Load, posted: Posted) -> None:
        self.refused += ((load.number, posted.amount),)

    @override
    def total(self, load: Load) -> Decimal:
        return super().total(load) + sum(amount for number, amount in self.refused if number == load.number)


@row.defect("R4 R7", shown=shows("Invoiced", pay(Number=-1), read(), at="Status"))
class RefusalChangesStatus(Touching):
    """A payment of zero or less reopens an invoiced load."""

    @override
    def touched(self, load: Load, posted: Posted) -> None:
        if load.status == "Invoiced":
            load.status = "Queued"


@row.defect(
    "R5 R7",
    shown=witness(
        pay(ReferenceNumber=""), read(), sees=lambda r: r[1].count("payments") in (0, MISSING), correct=True
    ),
)
class FaultyPaymentIsRecorded(Touching):
    """A payment without a reference is answered with 400, but recorded."""

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        load = self.find_load(posted.load_number)
        if load is not None and set(errors) == {"ReferenceNumber"} and self.is_payable(load):
            self.add(load, self.new_payment(load, posted))


@row.defect("R2", shown=shows(None, pay(LoadNumber=DISPATCHED), read(DISPATCHED), at="paidAt"))
class StoppedPaymentSetsPaidAt(Service):
    """A payment that the status stops sets `paidAt` all the same."""

    stopped: frozenset[str] = frozenset()

    @override
    def check_gate(self, load: Load) -> None:
        if not self.is_payable(load):
            self.stopped |= {load.number}
        super().check_gate(load)

    @override
    def paid_fields(self, load: Load) -> dict[str, Json]:
        fields = super().paid_fields(load)
        return fields | {"paidAt": self.now()} if load.number in self.stopped else fields


row("part-payment-completes", "A12", "Any payment completes the load.")(
    shows("Invoiced", pay(), at="Status"), status_after=lambda _s, _load: "Completed"
)
row("payment-makes-paid", "A12", "Any payment makes the load Paid, so that the next one is refused.")(
    shows("Invoiced", pay(), at="Status"), status_after=lambda _s, _load: "Paid"
)
row("full-payment-changes-nothing", "A12", "A load that is paid in full keeps its status.")(
    shows("Completed", pay(Number=1850), at="Status"), status_after=lambda _s, load: load.status
)


@row.defect(
    "D3",
    shown=witness(
        pay(Number=1850), read(), sees=lambda r: r[0].at("Status") == r[1].at("Status"), correct=True
    ),
)
class AnswerShowsStatusBefore(Service):
    """The response shows the status that the load had before the payment."""

    before = ""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        self.before = load.status
        return await super().record(load, posted)

    @override
    def response_fields(
        self, load: Load, payment: Payment, posted: Posted, *, replayed: bool
    ) -> Mapping[str, Json]:
        return {**super().response_fields(load, payment, posted, replayed=replayed), "Status": self.before}


row("answer-always-says-completed", "D3", "The response says Completed, whatever the load's status is.")(
    witness(pay(), read(), sees=lambda r: r[0].at("Status") == r[1].at("Status"), correct=True),
    response_fields=having(Status="Completed"),
)


@row.defect("P9", shown=unchanged("CustomerName"))
class PaymentClearsOtherMembers(Service):
    """A payment writes the load back without its customer."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        load.customer = ""


@row.defect("P9", shown=unchanged("InvoicedAmount"))
class PaymentReducesInvoice(Service):
    """A payment reduces what the load was invoiced for."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        if load.invoiced is not None:
            load.invoiced -= min(payment.amount, load.invoiced)


@row.defect(
    "R7",
    shown=shows(
        Decimal("10.50"), pay(), read(), search(LoadNumbers=[INVOICED]), at="Items/0/totalPaid/Amount"
    ),
)
class SearchShowsOldLoads(Service):
    """A search shows loads as they were before any payment."""

    searching = False

    @override
    def search(self, body: Json) -> Response:
        self.searching = True
        try:
            return super().search(body)
        finally:
            self.searching = False

    @override
    def paid_fields(self, load: Load) -> dict[str, Json]:
        return super().paid_fields(Load(load.number, load.status) if self.searching else load)


row("read-by-id-shows-old-load", "R7", "A read by id shows the load as it was before any payment.")(
    lists(1, pay(), read_by(id=f"load-{INVOICED.lower()}"), of="payments"),
    wanted_load=then(
        lambda _s, load, query: replace(load, payments=[], paid_at=None) if "id" in query else load
    ),
)


@row.defect(
    "R7",
    shown=witness(
        pay(), read(), read(), sees=lambda r: r[1].at("payments") == r[2].at("payments"), correct=True
    ),
)
class ReadConsumesPayments(Service):
    """A second read of the load shows one payment fewer."""

    reads: Mapping[str, int] = {}

    @override
    def listed_on_load(self, load: Load) -> Sequence[Payment]:
        count = self.reads.get(load.number, 0)
        self.reads = {**self.reads, load.number: count + 1}
        return load.payments[count % 2 :]


@row.defect("A21 R2", shown=responds(200, pay(Number=0), read(), pay()))
class RefusalLocksLoad(Service):
    """After a payment of zero or less the load takes no payment any more."""

    locked: frozenset[str] = frozenset()

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        if "Amount.Amount" in errors:
            self.locked |= {posted.load_number}

    @override
    def check_payment(self, load: Load, posted: Posted) -> None:
        if load.number in self.locked:
            raise Refusal(409, {"LoadNumber": ["The load is locked."]})


@row.defect("R6", shown=lists(1, pay(), read(), pay()))
class ReadForgetsReferences(Service):
    """A read of a load empties the cache that replays are looked up in."""

    known: frozenset[tuple[str, str]] = frozenset()

    @override
    async def respond(self, request: Request) -> Response:
        if request.method == "GET":
            self.known = frozenset()
        return await super().respond(request)

    @override
    def find_original(self, load: Load, posted: Posted) -> Payment | None:
        known = (load.number, posted.reference) in self.known
        self.known |= {(load.number, posted.reference)}
        return super().find_original(load, posted) if known else None
