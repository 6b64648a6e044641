"""The invoice of a load: made from the load and its payments, and nothing else. Standard library only."""

from collections.abc import Collection
from decimal import Decimal

from mock_server.domain import EXACT, Load, Money

DRAFT = "Draft"
AWAITING_PAYMENT = "AwaitingPayment"
PAID = "Paid"

_STATUSES = {
    "Released": DRAFT,
    "Queued": DRAFT,
    "Invoiced": AWAITING_PAYMENT,
    "Financed": AWAITING_PAYMENT,
    "Completed": PAID,
    "Paid": PAID,
}
"""The status of a load that is billed -> that of its invoice, unless all that was billed is paid (A25)."""

_OURS = "LD-"
"""How the numbers of the fixtures' loads begin."""
_OF_OURS, _OF_OTHERS = "INV-", "INV_"
_ID = "inv-"


def invoice_number(load_number: str) -> str:
    """INV-7 for LD-7, and INV_7 for 7: no two loads have the same (A26)."""
    if load_number.startswith(_OURS):
        return _OF_OURS + load_number.removeprefix(_OURS)
    return _OF_OTHERS + load_number


def billed_number(invoice_number: str) -> str | None:
    """The number of the load whose invoice has this number; None if no invoice can."""
    if invoice_number.startswith(_OF_OURS):
        return _OURS + invoice_number.removeprefix(_OF_OURS)
    number = invoice_number.removeprefix(_OF_OTHERS)
    return None if number == invoice_number or number.startswith(_OURS) else number


def invoice_id(load_id: str) -> str:
    """The id of a load's invoice."""
    return _ID + load_id


def billed_id(invoice_id: str) -> str | None:
    """The id of the load whose invoice has this id; None if no invoice can."""
    return invoice_id.removeprefix(_ID) if invoice_id.startswith(_ID) else None


def invoice_status(load: Load) -> str | None:
    """Draft, AwaitingPayment or Paid; None for a load that has no invoice."""
    status = _STATUSES.get(load.status)
    is_paid = load.billed is not None and amount_paid(load).amount >= load.billed.amount
    return PAID if status == AWAITING_PAYMENT and is_paid else status


def load_statuses(invoice_statuses: Collection[str]) -> list[str]:
    """The statuses of the loads whose invoices can have one of these; without any, of all that have one."""
    wanted = {*invoice_statuses, *([AWAITING_PAYMENT] if PAID in invoice_statuses else ())}
    return [status for status, of_invoice in _STATUSES.items() if not wanted or of_invoice in wanted]


def amount_paid(load: Load) -> Money:
    """What was paid in the load's own currency (A27)."""
    return load.total_paid or Money(Decimal(0), load.currency)


def remaining_balance(load: Load) -> Money:
    """What is left to pay, never below zero."""
    return _at_least_nothing(load, load.billable.amount, amount_paid(load).amount)


def overpayment(load: Load) -> Money:
    """What was paid beyond the total; zero if nothing was."""
    return _at_least_nothing(load, amount_paid(load).amount, load.billable.amount)


def _at_least_nothing(load: Load, of: Decimal, less: Decimal) -> Money:
    return Money(max(EXACT.subtract(of, less), Decimal(0)), load.currency)
