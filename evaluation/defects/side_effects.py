"""Defects of what a payment does to its load, and of what a refused one must not do."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import DISPATCHED, INVOICED, INVOICED_CAD, MISSING, pay, read, read_by, search
from evaluation.defects.defect import Witness, defect, witness
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

SECOND = pay(ReferenceNumber="R-2", Number=Decimal("0.25"))


def filled(member: str) -> Witness:
    """A payment fills this member of the load."""
    return witness(pay(), read(), sees=lambda a: a[1].at(member) in (None, MISSING), correct=False)


class Leaving(Service):
    """Leaves a member of the load empty."""

    member: str

    @override
    def paid_members(self, load: Load) -> dict[str, Json]:
        return super().paid_members(load) | {self.member: None}


@defect("side effects", "R7", shown=filled("paidAt"))
class PaidAtStaysEmpty(Leaving):
    """A payment does not fill `paidAt`."""

    member = "paidAt"


@defect("side effects", "R7", shown=filled("totalPaid"))
class TotalPaidStaysEmpty(Leaving):
    """A payment does not fill `totalPaid`."""

    member = "totalPaid"


@defect("side effects", "R7", shown=filled("payments"))
class PaymentsStayEmpty(Leaving):
    """A payment does not fill `payments`."""

    member = "payments"


@defect("side effects", "R7", shown=witness(pay(), read(), sees=lambda a: a[1].count("payments"), correct=1))
class LoadShowsNothing(Service):
    """A read of the load never shows a payment."""

    @override
    def paid_members(self, load: Load) -> dict[str, Json]:
        return super().paid_members(Load(load.number, load.status))


@defect(
    "side effects",
    "R7",
    "A16",
    shown=witness(
        pay(), read(), sees=lambda a: a[1].at("paidAt") == a[0].paid(0, "PaymentDate"), correct=False
    ),
)
class PaidAtIsPaymentDate(Service):
    """`paidAt` is the date that the sender gave, not when the payment was recorded."""

    @override
    def paid_at(self, load: Load, payment: Payment) -> str | None:
        return payment.date


@defect(
    "side effects",
    "A16",
    shown=witness(
        pay(), read(), SECOND, read(), sees=lambda a: a[1].at("paidAt") == a[3].at("paidAt"), correct=False
    ),
)
class PaidAtIsThatOfFirst(Service):
    """`paidAt` stays at the first payment."""

    @override
    def paid_at(self, load: Load, payment: Payment) -> str | None:
        return load.paid_at or payment.recorded_at


@defect(
    "side effects",
    "R7",
    shown=witness(pay(), read(), sees=lambda a: str(a[1].at("paidAt"))[:4] == "1970", correct=False),
)
class PaidAtIsEpoch(Service):
    """`paidAt` is the beginning of 1970."""

    @override
    def paid_at(self, load: Load, payment: Payment) -> str | None:
        return "1970-01-01T00:00:00Z"


class Summing(Service):
    """Sums something else."""

    def summed(self, load: Load) -> Sequence[Payment]:
        """The payments that are summed."""
        raise NotImplementedError

    @override
    def counted(self, load: Load) -> list[Payment]:
        return [one for one in self.summed(load) if one.currency in (0, load.currency)]


TOTAL = witness(
    pay(), SECOND, read(), sees=lambda a: a[2].at("totalPaid", "Amount"), correct=Decimal("10.75")
)


@defect("side effects", "R7", shown=TOTAL)
class TotalIsLatestPayment(Summing):
    """`totalPaid` is the latest payment alone."""

    @override
    def summed(self, load: Load) -> Sequence[Payment]:
        return load.payments[-1:]


@defect("side effects", "R7", shown=TOTAL)
class TotalLagsBehind(Summing):
    """`totalPaid` leaves the latest payment out."""

    @override
    def summed(self, load: Load) -> Sequence[Payment]:
        return load.payments[:-1]


@defect("side effects", "R7", shown=TOTAL)
class TotalIsLargestPayment(Service):
    """`totalPaid` is the largest payment instead of the sum."""

    @override
    def total(self, load: Load) -> Decimal:
        return max((payment.amount for payment in self.counted(load)), default=Decimal(0))


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(),
        pay(ReferenceNumber="R-2"),
        read(),
        sees=lambda a: a[2].at("totalPaid", "Amount"),
        correct=Decimal("21.00"),
    ),
)
class EqualAmountsCountOnce(Service):
    """Payments of the same amount are summed once."""

    @override
    def total(self, load: Load) -> Decimal:
        return sum({payment.amount for payment in self.counted(load)}, Decimal(0))


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(),
        pay(LoadNumber=INVOICED_CAD, Currency=124, ReferenceNumber="R-2"),
        read(),
        sees=lambda a: a[2].at("totalPaid", "Amount"),
        correct=Decimal("10.50"),
    ),
)
class TotalIsThatOfAllLoads(Service):
    """`totalPaid` sums the payments of all loads."""

    @override
    def total(self, load: Load) -> Decimal:
        return sum((one.amount for other in self.loads.values() for one in other.payments), Decimal(0))


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(), read(INVOICED_CAD), sees=lambda a: a[1].count("payments") in (0, MISSING), correct=True
    ),
)
class LoadsShareTheirPayments(Service):
    """A payment appears on every invoiced load of all customers."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        for other in self.loads.values():
            if other is load or other.status == "Invoiced":
                other.payments.append(payment)


LISTED = witness(pay(), SECOND, read(), sees=lambda a: a[2].count("payments"), correct=2)


@defect("side effects", "R7", shown=LISTED)
class LoadListsLatestPayment(Service):
    """The load lists its latest payment alone."""

    @override
    def listed_on_load(self, load: Load) -> Sequence[Payment]:
        return load.payments[-1:]


@defect("side effects", "R7", shown=LISTED)
class LoadListsFirstPayment(Service):
    """The load lists its first payment alone."""

    @override
    def listed_on_load(self, load: Load) -> Sequence[Payment]:
        return load.payments[:1]


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(), read(), sees=lambda a: a[1].at("payments", 0, "Id") == a[0].paid(0, "Id"), correct=True
    ),
)
class LoadShowsOtherIds(Service):
    """The load shows its payments under other ids than the answer does."""

    @override
    def load_payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().load_payment_members(payment), "Id": f"load-{payment.id}"}


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(), read(), sees=lambda a: a[1].at("payments", 0, "Amount", "Amount"), correct=Decimal("10.50")
    ),
)
class LoadShowsRoundedAmounts(Service):
    """The load shows each payment with a rounded amount."""

    @override
    def load_payment_members(self, payment: Payment) -> Mapping[str, Json]:
        money = self.money_members(Decimal(round(payment.amount)), payment.currency)
        return {**super().load_payment_members(payment), "Amount": money}


class Touching(Service):
    """Does something to the load although the payment is refused."""

    def touched(self, load: Load, posted: Posted) -> None:
        """What is done."""

    @override
    def on_faults(self, posted: Posted, faults: Errors) -> None:
        load = self.find_load(posted.load_number)
        if load is not None:
            self.touched(load, posted)

    @override
    def check_gate(self, load: Load) -> None:
        if not self.is_payable(load):
            self.touched(load, Posted(load.number, Decimal(1), 840, "", "", None, None, None, None))
        super().check_gate(load)


AFTER_REFUSAL = (pay(), read(), pay(ReferenceNumber="R-2", Number=-1), read())


@defect(
    "side effects",
    "R4",
    "R7",
    shown=witness(*AFTER_REFUSAL, sees=lambda a: a[3].at("paidAt") == a[1].at("paidAt"), correct=True),
)
class RefusalMovesPaidAt(Touching):
    """A refused payment moves `paidAt`."""

    @override
    def touched(self, load: Load, posted: Posted) -> None:
        if load.payments:
            load.paid_at = self.now()


@defect(
    "side effects",
    "R4",
    "R7",
    shown=witness(*AFTER_REFUSAL, sees=lambda a: a[3].at("totalPaid") == a[1].at("totalPaid"), correct=True),
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


@defect(
    "side effects",
    "R4",
    "R7",
    shown=witness(pay(Number=-1), read(), sees=lambda a: a[1].at("Status"), correct="Invoiced"),
)
class RefusalChangesStatus(Touching):
    """A payment of zero or less reopens an invoiced load."""

    @override
    def touched(self, load: Load, posted: Posted) -> None:
        if load.status == "Invoiced":
            load.status = "Queued"


@defect(
    "side effects",
    "R5",
    "R7",
    shown=witness(
        pay(ReferenceNumber=""), read(), sees=lambda a: a[1].count("payments") in (0, MISSING), correct=True
    ),
)
class FaultyPaymentIsRecorded(Touching):
    """A payment without a reference is answered with 400, but recorded."""

    @override
    def on_faults(self, posted: Posted, faults: Errors) -> None:
        load = self.find_load(posted.load_number)
        if load is not None and set(faults) == {"ReferenceNumber"} and self.is_payable(load):
            self.add(load, self.new_payment(load, posted))


@defect(
    "side effects",
    "R2",
    shown=witness(
        pay(LoadNumber=DISPATCHED), read(DISPATCHED), sees=lambda a: a[1].at("paidAt"), correct=None
    ),
)
class StoppedPaymentSetsPaidAt(Service):
    """A payment that the status stops sets `paidAt` all the same."""

    stopped: frozenset[str] = frozenset()

    @override
    def check_gate(self, load: Load) -> None:
        if not self.is_payable(load):
            self.stopped |= {load.number}
        super().check_gate(load)

    @override
    def paid_members(self, load: Load) -> dict[str, Json]:
        members = super().paid_members(load)
        return members | {"paidAt": self.now()} if load.number in self.stopped else members


@defect(
    "side effects",
    "A12",
    shown=witness(pay(), sees=lambda a: a[0].at("Status"), correct="Invoiced"),
)
class PartPaymentCompletes(Service):
    """Any payment completes the load."""

    @override
    def status_after(self, load: Load) -> str:
        return "Completed"


@defect(
    "side effects",
    "A12",
    shown=witness(pay(), sees=lambda a: a[0].at("Status"), correct="Invoiced"),
)
class PaymentMakesPaid(Service):
    """Any payment makes the load Paid, so that the next one is refused."""

    @override
    def status_after(self, load: Load) -> str:
        return "Paid"


@defect(
    "side effects",
    "A12",
    shown=witness(pay(Number=1850), sees=lambda a: a[0].at("Status"), correct="Completed"),
)
class FullPaymentChangesNothing(Service):
    """A load that is paid in full keeps its status."""

    @override
    def status_after(self, load: Load) -> str:
        return load.status


@defect(
    "side effects",
    "D3",
    shown=witness(
        pay(Number=1850), read(), sees=lambda a: a[0].at("Status") == a[1].at("Status"), correct=True
    ),
)
class AnswerShowsStatusBefore(Service):
    """The answer shows the status that the load had before the payment."""

    before = ""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        self.before = load.status
        return await super().record(load, posted)

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        return {**super().answer_members(load, payment, posted, repeated=repeated), "Status": self.before}


@defect(
    "side effects",
    "D3",
    shown=witness(pay(), read(), sees=lambda a: a[0].at("Status") == a[1].at("Status"), correct=True),
)
class AnswerAlwaysSaysCompleted(Service):
    """The answer says Completed, whatever the load's status is."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        return {**super().answer_members(load, payment, posted, repeated=repeated), "Status": "Completed"}


@defect(
    "side effects",
    "P9",
    shown=witness(
        read(), pay(), read(), sees=lambda a: a[0].at("CustomerName") == a[2].at("CustomerName"), correct=True
    ),
)
class PaymentClearsOtherMembers(Service):
    """A payment writes the load back without its customer."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        load.customer = ""


@defect(
    "side effects",
    "P9",
    shown=witness(
        read(),
        pay(),
        read(),
        sees=lambda a: a[0].at("InvoicedAmount") == a[2].at("InvoicedAmount"),
        correct=True,
    ),
)
class PaymentReducesInvoice(Service):
    """A payment reduces what the load was invoiced for."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        if load.invoiced is not None:
            load.invoiced -= min(payment.amount, load.invoiced)


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(),
        read(),
        search(LoadNumbers=[INVOICED]),
        sees=lambda a: a[2].at("Items", 0, "totalPaid", "Amount"),
        correct=Decimal("10.50"),
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
    def paid_members(self, load: Load) -> dict[str, Json]:
        return super().paid_members(Load(load.number, load.status) if self.searching else load)


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(),
        read_by(id=f"load-{INVOICED.lower()}"),
        sees=lambda a: a[1].count("payments"),
        correct=1,
    ),
)
class ReadByIdShowsOldLoad(Service):
    """A read by id shows the load as it was before any payment."""

    @override
    def wanted_load(self, query: Mapping[str, str]) -> Load:
        load = super().wanted_load(query)
        return Load(load.number, load.status, load.invoiced, load.currency) if "id" in query else load


@defect(
    "side effects",
    "R7",
    shown=witness(
        pay(), read(), read(), sees=lambda a: a[1].at("payments") == a[2].at("payments"), correct=True
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


@defect(
    "side effects",
    "A21",
    "R2",
    shown=witness(
        pay(Number=0),
        read(),
        pay(),
        sees=lambda a: a[2].status,
        correct=200,
    ),
)
class RefusalLocksLoad(Service):
    """After a payment of zero or less the load takes no payment any more."""

    locked: frozenset[str] = frozenset()

    @override
    def on_faults(self, posted: Posted, faults: Errors) -> None:
        if "Amount.Amount" in faults:
            self.locked |= {posted.load_number}

    @override
    def check_payment(self, load: Load, posted: Posted) -> None:
        if load.number in self.locked:
            raise Refusal(409, {"LoadNumber": ["The load is locked."]})


@defect(
    "side effects",
    "R6",
    shown=witness(pay(), read(), pay(), sees=lambda a: a[2].count(), correct=1),
)
class ReadForgetsReferences(Service):
    """A read of a load empties the cache that repeats are looked up in."""

    known: frozenset[tuple[str, str]] = frozenset()

    @override
    async def answer(self, request: Request) -> Response:
        if request.method == "GET":
            self.known = frozenset()
        return await super().answer(request)

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        known = (load.number, posted.reference) in self.known
        self.known |= {(load.number, posted.reference)}
        return super().find_repeat(load, posted) if known else None
