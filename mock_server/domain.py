"""The rule: what a customer payment does to a load. Standard library only.

R and A numbers are clauses of the contract; the README lists them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import MAX_PREC, Context, Decimal
from typing import NamedTuple

PAYABLE_STATUSES = ("Invoiced", "Completed", "Financed")
SETTLED_STATUS = "Completed"
LOAD_CURRENCY = 0
"""The currency code that stands for the load's own currency (A14)."""

_EXACT = Context(prec=MAX_PREC)
"""Adds without rounding, however many digits a payment has (A20)."""


class LoadNotFound(Exception):
    """No load has the number, or everything else that a request asks for (R3)."""

    def __init__(self, sentence: str = "No load matches the request.") -> None:
        super().__init__(sentence)


class LoadNotPayable(Exception):
    """The load's status takes no payments (R2)."""

    def __init__(self) -> None:
        super().__init__(f"Load must be in one of: {', '.join(PAYABLE_STATUSES)}.")


class LoadIdTaken(Exception):
    """Another load has the id; `number` is its number."""

    def __init__(self, number: str) -> None:
        super().__init__(f"The load {number} has this id.")


class Money(NamedTuple):
    """An amount in a currency, which is an ISO 4217 numeric code, or 0 for the load's own."""

    amount: Decimal
    currency: int


class Payment(NamedTuple):
    """A customer payment.

    `reference` is the sender's and identifies the payment within its load; `id` is ours, is given
    when the payment is recorded, and identifies it everywhere; `recorded_at` is when that was. `date`
    is the sender's instant in RFC 3339, as sent (A15).
    """

    reference: str
    amount: Money
    date: str
    invoice_number: str | None = None
    method: str | None = None
    check_number: str | None = None
    note: str | None = None
    id: str = ""
    recorded_at: datetime | None = None


class Stamp(NamedTuple):
    """What recording gives to a payment: its id, and the instant."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Load:
    """A load and the payments recorded on it: by reference, oldest first, never changed in place.

    `billed` is what the customer owes (the invoiced amount, else the agreed rate), `total_paid` the
    sum of the payments in the load's own currency, `paid_at` when the latest was recorded; all are
    None where there is none. `details` are the fields that no rule looks at.
    """

    id: str
    number: str
    order_number: str
    status: str
    customer_id: str
    created_at: datetime
    po_number: str | None = None
    billed: Money | None = None
    payments: dict[str, Payment] = field(default_factory=dict)
    total_paid: Money | None = None
    paid_at: datetime | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def currency(self) -> int:
        """The load's own: that of what was paid or billed; LOAD_CURRENCY if neither names one."""
        money = self.total_paid or self.billed
        return money.currency if money else LOAD_CURRENCY

    @property
    def billable(self) -> Money:
        """What the customer owes; zero if nothing was billed."""
        return self.billed or Money(Decimal(0), self.currency)

    def record(self, payment: Payment, stamp: Callable[[], Stamp]) -> "Load":
        """The load after `payment`; `stamp` is asked only if there is something to record.

        A reference that the load already has changes nothing, whatever else the payment says and
        whatever status the load is in by now (R6, A6, A7, A10). Otherwise the load must be payable
        (R1; LoadNotPayable if not, R2), and becomes Completed once what was billed is paid (A12).
        Overpaying is allowed (A13).
        """
        if payment.reference in self.payments:
            return self
        if self.status not in PAYABLE_STATUSES:
            raise LoadNotPayable
        given = stamp()
        after = self.with_payment(payment._replace(id=given.id), given.at)
        settled = self.billed and after.total_paid and after.total_paid.amount >= self.billed.amount
        return replace(after, status=SETTLED_STATUS) if settled else after

    def with_payment(self, payment: Payment, at: datetime | None) -> "Load":
        """The load with one more payment and the total that follows (R7); its status stays.

        The load's own currency is that of what was billed, else the first that a payment names. A
        payment in another currency is kept, and does not count towards the total (A14).
        """
        own = self.total_paid or Money(Decimal(0), self.currency)
        currency = own.currency or payment.amount.currency
        counts = payment.amount.currency in (currency, LOAD_CURRENCY)
        amount = _EXACT.add(own.amount, payment.amount.amount) if counts else own.amount
        return replace(
            self,
            payments={**self.payments, payment.reference: payment._replace(recorded_at=at)},
            total_paid=Money(amount, currency),
            paid_at=at,
        )
