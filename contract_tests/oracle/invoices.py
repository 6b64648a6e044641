"""An invoice that is read, and what a payment does to it."""

from decimal import Decimal
from typing import NamedTuple

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.invoices import InvoiceView, amount_in, invoice_of
from contract_tests.rules.responses import UnexpectedFormError
from contract_tests.rules.values import EXACT, Json, nearly


def judge_invoice(verdict: Verdict, document: Json, number: str) -> InvoiceView | None:
    """The invoice that a response shows; None if it is none."""
    try:
        view = invoice_of(document)
    except UnexpectedFormError as error:
        verdict.fail("P13", "an invoice with an Id, a Number and a published Status", str(error))
        return None
    verdict.passed.append("P13")
    verdict.require("P10", view.number == number, f"the invoice {number}", view.number)
    judge_balance(verdict, view)
    if view.total is not None and view.paid is not None and not view.is_overpaid:
        over = view.fields.get("OverPaymentAmount")
        verdict.observe("A27", "zero" if amount_in(over) == 0 else "null" if over is None else "an amount")
    return view


def judge_balance(verdict: Verdict, view: InvoiceView) -> None:
    """What remains and what is paid are the total, where all three are shown and no more was paid."""
    if view.adds_up is not None:
        expected = f"RemainingBalance and AmountPaid that are {view.total} together"
        verdict.require("P16", view.adds_up, expected, f"{view.remaining} and {view.paid}")


class Booked(NamedTuple):
    """A payment as the response to it shows it; its currency is the load's own."""

    reference: str
    id: str
    amount: Decimal


def judge_paid(verdict: Verdict, before: InvoiceView, after: InvoiceView, booked: Booked) -> None:
    """The invoice before and after a payment, which may have come again since."""
    reference, payment_id, amount = booked
    if before.paid is not None and after.paid is not None:
        grown = EXACT.subtract(after.paid, before.paid)
        additions = len(after.payments or ()) + 1
        same = nearly(grown, amount, after.paid, additions=additions)
        verdict.require(
            "P15", same, f"AmountPaid {EXACT.add(before.paid, amount)}", f"AmountPaid {after.paid}"
        )
    if before.total is not None and after.total is not None:
        same = nearly(before.total, after.total)
        verdict.require("P15", same, f"Total {before.total}, as before", f"Total {after.total}")
    if after.payments is None:
        return
    mine = after.paid_as(reference, payment_id)
    if not verdict.require("P15", len(mine) == 1, f"the payment {reference} once", f"{len(mine)} times"):
        return
    shown, worth = mine[0].get("PaymentReference"), amount_in(mine[0].get("Amount"))
    verdict.require("P15", shown in (None, reference), f"PaymentReference {reference}", f"{shown}")
    if worth is not None:
        verdict.require("P15", nearly(worth, amount), f"the payment with {amount}", f"{worth}")
