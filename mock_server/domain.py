"""The rule: what a customer payment does to a load. Standard library only.

R and A numbers are clauses of the contract; the README lists them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import MAX_PREC, Context, Decimal
from typing import NamedTuple

PAYABLE_STATUSES = ("Invoiced", "Completed", "Financed")
SETTLED_STATUS = "Completed"
LOAD_CURRENCY = 0
"""The currency code that stands for the load's own currency (A14)."""

EXACT = Context(prec=MAX_PREC)
"""Adds without rounding, however many digits a payment has (A20)."""


class LoadNotFound(Exception):
    """No load has the number, or everything else that a request asks for (R3).

    `near` is the number of a load that may have been meant.
    """

    def __init__(self, sentence: str = "No load matches the request.", near: str | None = None) -> None:
        self.near = near
        super().__init__(sentence)


class LoadNotPayable(Exception):
    """The load's status takes no payments (R2)."""

    def __init__(self, status: str) -> None:
        self.status = status
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


class Recording:
    """Payments in the order in which they were recorded, and the place of each by its reference."""

    __slots__ = ("__weakref__", "payments", "places")

    def __init__(self, payments: Iterable[Payment] = ()) -> None:
        self.payments: list[Payment] = []
        self.places: dict[str, int] = {}
        for payment in payments:
            self.add(payment)

    def add(self, payment: Payment) -> None:
        """Adds a payment, or puts it in the place of one with its reference."""
        place = self.places.setdefault(payment.reference, len(self.payments))
        self.payments[place : place + 1] = [payment]


class Payments(Mapping[str, Payment]):
    """The payments of a load by reference, oldest first: the start of a recording. Never changes.

    `plus` copies nothing, so that recording costs the same however many there are: the longer one shares the
    recording. Only the longest may add to it, and none that does not grow: it stays what it is.
    """

    __slots__ = ("_count", "_grows", "recording")

    def __init__(self, recording: Recording, *, grows: bool = False) -> None:
        self.recording = recording
        self._count = len(recording.payments)
        self._grows = grows

    def plus(self, payment: Payment) -> "Payments":
        """These and one more, which takes the place of one with its reference."""
        recording = self.recording
        is_longest = self._grows and self._count == len(recording.payments)
        if not is_longest or payment.reference in recording.places:
            recording = Recording(self.after(0))
        recording.add(payment)
        return Payments(recording, grows=True)

    def after(self, count: int) -> Sequence[Payment]:
        """All but the first `count`."""
        return self.recording.payments[count : self._count]

    def find(self, reference: str) -> Payment | None:
        """The payment with a reference; None if there is none."""
        place = self.recording.places.get(reference, self._count)
        return self.recording.payments[place] if place < self._count else None

    def __getitem__(self, reference: str) -> Payment:
        payment = self.find(reference)
        if payment is None:
            raise KeyError(reference)
        return payment

    def __iter__(self) -> Iterator[str]:
        return (payment.reference for payment in self.after(0))

    def __len__(self) -> int:
        return self._count


NO_PAYMENTS = Payments(Recording())


class Stamp(NamedTuple):
    """What recording gives to a payment: its id, and the instant."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What the contract leaves open about recording, as chosen; by default as the README says it."""

    find: Callable[[Payments, str], Payment | None] = Payments.find
    """The payment that a reference names, among those of a load (A9)."""
    common: Callable[[str], str] | None = None
    """What all references have in common that name the same payment, and no others, under these terms and
    any other; None if a reference names one only by being the same text."""
    replay: "Callable[[Load, Payment, Payment, Callable[[], Stamp]], Load] | None" = None
    """The load after a replay, given the original and what was sent; None for the load as it is (A7, A16)."""
    checks: "Sequence[Callable[[Load, Payment], None]]" = ()
    """What raises, if it refuses a new payment that breaks no rule."""
    kept: "Callable[[Load, Payment], Payment] | None" = None
    """The payment as it is kept; None for as it was sent."""
    add: Callable[[Decimal, Decimal], Decimal] = EXACT.add
    """Adds an amount to a total (A20)."""
    share_of_load_currency: Decimal = Decimal(1)
    """How much of a payment in LOAD_CURRENCY counts towards the total (A14)."""
    share_of_other_currency: Decimal = Decimal(0)
    currency: int | None = None
    """The total's currency where nothing was billed; None for that of the first payment."""
    status_when_part_paid: str | None = None
    """The status after a payment; None for what it was (A12)."""
    status_when_paid: str | None = SETTLED_STATUS
    status_without_amount: str | None = None
    paid_at_stays: bool = False
    """Whether `paid_at` is when the first payment was recorded, not the latest (A16)."""


TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Load:
    """A load and the payments recorded on it, never changed in place.

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
    payments: Payments = field(default_factory=lambda: NO_PAYMENTS)
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

    def record(self, payment: Payment, stamp: Callable[[], Stamp], terms: Terms = TERMS) -> "Load":
        """The load after `payment`; `stamp` is asked only if there is something to record.

        A reference that the load already has records nothing, whatever else the payment says and
        whatever status the load is in by now (R6, A6, A7, A10). Otherwise the load must be payable
        (R1; LoadNotPayable if not, R2), and becomes Completed once what was billed is paid (A12).
        Overpaying is allowed (A13). `terms` say otherwise where the contract lets them.
        """
        original = terms.find(self.payments, payment.reference)
        if original is not None:
            return self if terms.replay is None else terms.replay(self, original, payment, stamp)
        if self.status not in PAYABLE_STATUSES:
            raise LoadNotPayable(self.status)
        for check in terms.checks:
            check(self, payment)
        given = stamp()
        after = self.with_payment(payment._replace(id=given.id), given.at, terms)
        status = self._status_after(after.total_paid, terms)
        return after if status is None else replace(after, status=status)

    def _status_after(self, total: Money | None, terms: Terms) -> str | None:
        if self.billed is None:
            return terms.status_without_amount
        is_paid = total is not None and total.amount >= self.billed.amount
        return terms.status_when_paid if is_paid else terms.status_when_part_paid

    def with_payment(self, payment: Payment, at: datetime | None, terms: Terms = TERMS) -> "Load":
        """The load with one more payment and the total that follows (R7); its status stays.

        The load's own currency is that of what was billed, else the first that a payment names. A
        payment in another currency is kept, and does not count towards the total (A14).
        """
        kept = payment if terms.kept is None else terms.kept(self, payment)
        return replace(
            self,
            payments=self.payments.plus(kept._replace(recorded_at=at)),
            total_paid=self._total_with(kept.amount, payment.amount.currency, terms),
            paid_at=self.paid_at if terms.paid_at_stays and self.paid_at else at,
        )

    def _total_with(self, paid: Money, sent_in: int, terms: Terms) -> Money:
        billed_in = self.billed.currency if self.billed else LOAD_CURRENCY
        own = self.total_paid or Money(Decimal(0), billed_in)
        currency = own.currency or terms.currency or paid.currency
        share = (
            terms.share_of_load_currency
            if sent_in == LOAD_CURRENCY
            else Decimal(1)
            if sent_in == currency
            else terms.share_of_other_currency
        )
        if not share:
            return Money(own.amount, currency)
        return Money(terms.add(own.amount, EXACT.multiply(paid.amount, share)), currency)
