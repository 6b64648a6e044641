"""Defects of invoices, in services that have them: what a payment does to one, and how it is found."""

from decimal import Decimal

from typing_extensions import override

from evaluation.defects.defect import Table, crash, lists, responds, shows, then
from evaluation.reference.freedoms import WITH_INVOICES
from evaluation.reference.messages import pay, read_invoice, search_invoices
from evaluation.reference.service import Service
from evaluation.reference.values import Load, Payment, Posted

row = Table("invoices", "invoices", WITH_INVOICES)
READ = read_invoice(invoiceNumber="F-2011")
"""The invoice of the load that `pay` pays."""

row("invoice-lags-one-payment-behind", "P15", "AmountPaid of an invoice leaves the latest payment out.")(
    shows(Decimal("10.50"), pay(), READ, at="AmountPaid/Amount"),
    invoice_paid=then(lambda s, paid, load: paid - s.counted(load)[-1].amount if s.counted(load) else paid),
)
row("invoice-lacks-its-latest-payment", "P15", "An invoice lists all payments but the latest.")(
    lists(1, pay(), READ, of="Payments"), listed_on_invoice=lambda _s, load: load.payments[:-1]
)
row("invoice-shows-another-reference", "P15", "An invoice shows a payment's id for its reference.")(
    shows("R-1", pay(), READ, at="Payments/0/PaymentReference"),
    invoice_payment_fields=then(lambda _s, fields, payment: {**fields, "PaymentReference": payment.id}),
)
row("balance-of-an-invoice-stays", "P16", "RemainingBalance of an invoice is always its Total.")(
    shows(Decimal("1839.50"), pay(), READ, at="RemainingBalance/Amount"),
    remaining=lambda _s, total, _paid: total,
)


@row.defect("P15", shown=shows(Decimal("10.50"), pay(), pay(), READ, at="AmountPaid/Amount"))
class ReplayIsAddedToTheInvoice(Service):
    """A replay is added to AmountPaid of the invoice once more; the load stays right."""

    again = Decimal(0)

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.again += original.amount
        return super().on_replay(load, original, posted)

    @override
    def invoice_paid(self, load: Load) -> Decimal:
        return super().invoice_paid(load) + self.again


@row.defect("P15", shown=lists(1, pay(), pay(), READ, of="Payments"))
class ReplayIsListedOnTheInvoice(Service):
    """A replay is listed on the invoice as a second payment; the amounts are right."""

    again: tuple[Payment, ...] = ()

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.again = (*self.again, original)
        return super().on_replay(load, original, posted)

    @override
    def listed_on_invoice(self, load: Load) -> list[Payment]:
        return [*load.payments, *(one for one in self.again if one in load.payments)]


row("unknown-invoice-is-found", "P12", "A read of an unknown invoice finds the first one.")(
    responds(404, read_invoice(invoiceNumber="F-NONE")),
    wanted_invoice=lambda s, query: next(
        (load for load in s.invoiced() if s.invoice_number(load) == query.get("invoiceNumber")),
        s.invoiced()[0],
    ),
)
row("search-of-invoices-is-server-error", "D8", "Each search of invoices is answered with 500.")(
    responds(200, search_invoices(Status=["AwaitingPayment"])),
    search_invoices=lambda _s, _body: crash(),
)
row("search-of-invoices-shows-one-page", "P14", "Each page of a search of invoices is the first one.")(
    shows("F-2511", search_invoices(Status=["AwaitingPayment"], Page=1, PageSize=1), at="Items/0/Number"),
    invoices_on=lambda _s, hits, _page, size: hits[:size],
)
