"""Defects of repeats: the same reference again on the same load."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import INVOICED_CAD, pay, read
from evaluation.defects.defect import defect, witness
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

TWICE = (pay(), pay())


@defect("idempotency", "R6", shown=witness(*TWICE, sees=lambda a: a[1].count(), correct=1))
class RepeatRecordsAgain(Service):
    """A repeat records a second payment."""

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        return None


@defect("idempotency", "R6", shown=witness(*TWICE, sees=lambda a: a[1].status, correct=200))
class RepeatIsConflict(Service):
    """A repeat is answered with 409."""

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        raise Refusal(409, {"ReferenceNumber": ["The payment exists."]})


@defect("idempotency", "R6", shown=witness(*TWICE, sees=lambda a: a[1].status, correct=200))
class RepeatIsBadRequest(Service):
    """A repeat is answered with 400, as a duplicate."""

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        raise Refusal(400, {"ReferenceNumber": ["The ReferenceNumber field must be unique."]})


@defect("idempotency", "R6", shown=witness(*TWICE, sees=lambda a: a[1].count(), correct=1))
class RepeatHasNoBody(Service):
    """A repeat is answered with 204 and no body."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        return {} if repeated else super().answer_members(load, payment, posted, repeated=repeated)

    @override
    def ok(self, members: Json) -> Response:
        return super().ok(members) if members else Response(status_code=204)


class Overwriting(Service):
    """Replaces the original of a repeat by another payment."""

    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        """What takes the original's place."""
        raise NotImplementedError

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        other = self.overwritten(original, posted)
        load.payments[load.payments.index(original)] = other
        return other


@defect(
    "idempotency",
    "R6",
    shown=witness(
        pay(),
        pay(Number=Decimal("11.00")),
        sees=lambda a: a[1].paid(0, "Amount", "Amount"),
        correct=Decimal("10.50"),
    ),
)
class RepeatOverwritesAmount(Overwriting):
    """A repeat with another amount replaces the amount of the original."""

    @override
    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        return replace(original, amount=posted.amount)


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(Currency=124), sees=lambda a: a[1].paid(0, "Amount", "Currency"), correct=840),
)
class RepeatOverwritesCurrency(Overwriting):
    """A repeat in another currency replaces the currency of the original."""

    @override
    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        return replace(original, currency=posted.currency)


@defect(
    "idempotency",
    "R6",
    shown=witness(
        pay(),
        pay(PaymentDate="2026-07-09T00:00:00Z"),
        sees=lambda a: a[1].paid(0, "PaymentDate"),
        correct="2026-07-01T15:30:00Z",
    ),
)
class RepeatUpdatesPaymentDate(Overwriting):
    """A repeat with another date replaces the date of the original."""

    @override
    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        return replace(original, date=posted.date)


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(CheckNumber="77"), sees=lambda a: a[1].paid(0, "CheckNumber"), correct=None),
)
class RepeatFillsGaps(Overwriting):
    """A repeat fills the optional members that the original had left out."""

    @override
    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        return replace(
            original,
            check=original.check or posted.check,
            invoice=original.invoice or posted.invoice,
            method=original.method or posted.method,
        )


@defect(
    "idempotency",
    "R6",
    shown=witness(
        pay(PaymentMethod="ACH"),
        pay(PaymentMethod="Wire"),
        sees=lambda a: a[1].paid(0, "PaymentMethod"),
        correct="ACH",
    ),
)
class RepeatUpdatesTexts(Overwriting):
    """A repeat replaces the optional texts of the original."""

    @override
    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        return replace(original, check=posted.check, invoice=posted.invoice, method=posted.method)


@defect(
    "idempotency",
    "R6",
    shown=witness(*TWICE, sees=lambda a: a[0].paid(0, "Id") == a[1].paid(0, "Id"), correct=True),
)
class RepeatGivesNewId(Overwriting):
    """A repeat gives the original a new id."""

    @override
    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        return replace(original, id=f"{original.id}-2")


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(), pay(), sees=lambda a: a[2].count(), correct=1),
)
class SecondRepeatRecords(Service):
    """The first repeat is recognised, the second one records a payment."""

    repeated: frozenset[str] = frozenset()

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        return None if posted.reference in self.repeated else super().find_repeat(load, posted)

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.repeated |= {posted.reference}
        return original


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(ReferenceNumber="R-2"), pay(), sees=lambda a: a[2].count(), correct=2),
)
class OnlyLatestReferenceIsKnown(Service):
    """Only the latest payment of a load is compared with a repeat."""

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        return next((one for one in load.payments[-1:] if one.reference == posted.reference), None)


@defect(
    "idempotency",
    "R6",
    shown=witness(
        *(pay(ReferenceNumber=f"R-{n}") for n in range(4)),
        pay(ReferenceNumber="R-0"),
        sees=lambda a: a[4].count(),
        correct=4,
    ),
)
class ReferencesAreForgotten(Service):
    """References are kept in a cache of three entries."""

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        return next((one for one in load.payments[-3:] if one.reference == posted.reference), None)


class Comparing(Service):
    """Compares more than the reference."""

    def same(self, payment: Payment, posted: Posted) -> bool:
        """Whether the rest is the same too."""
        raise NotImplementedError

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        found = super().find_repeat(load, posted)
        return found if found and self.same(found, posted) else None


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(Number=Decimal("11.00")), sees=lambda a: a[1].count(), correct=1),
)
class KeyIncludesAmount(Comparing):
    """The same reference with another amount is another payment."""

    @override
    def same(self, payment: Payment, posted: Posted) -> bool:
        return payment.amount == posted.amount


@defect("idempotency", "R6", shown=witness(pay(), pay(Currency=124), sees=lambda a: a[1].count(), correct=1))
class KeyIncludesCurrency(Comparing):
    """The same reference in another currency is another payment."""

    @override
    def same(self, payment: Payment, posted: Posted) -> bool:
        return payment.currency == posted.currency


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(PaymentDate="2026-07-02T00:00:00Z"), sees=lambda a: a[1].count(), correct=1),
)
class KeyIncludesDate(Comparing):
    """The same reference with another date is another payment."""

    @override
    def same(self, payment: Payment, posted: Posted) -> bool:
        return payment.date == posted.date


@defect(
    "idempotency",
    "R6",
    shown=witness(pay(), pay(PaymentMethod="Wire"), sees=lambda a: a[1].count(), correct=1),
)
class KeyIncludesMethod(Comparing):
    """The same reference with another payment method is another payment."""

    @override
    def same(self, payment: Payment, posted: Posted) -> bool:
        return payment.method == posted.method


@defect("idempotency", "R6", shown=witness(pay(), pay(Note="again"), sees=lambda a: a[1].count(), correct=1))
class KeyIncludesNote(Comparing):
    """The key is a hash of the whole body, so that another note makes another payment."""

    @override
    def same(self, payment: Payment, posted: Posted) -> bool:
        return payment.note == posted.note


ACROSS = (pay(), pay(LoadNumber=INVOICED_CAD, Currency=124))


@defect("idempotency", "A8", shown=witness(*ACROSS, sees=lambda a: a[1].status, correct=200))
class ReferenceIsUniqueEverywhere(Service):
    """The same reference on another load is refused."""

    @override
    def check_payment(self, load: Load, posted: Posted) -> None:
        if any(one.reference == posted.reference for other in self.loads.values() for one in other.payments):
            raise Refusal(409, {"ReferenceNumber": ["The payment exists."]})


@defect(
    "idempotency",
    "A8",
    shown=witness(*ACROSS, sees=lambda a: a[0].paid(0, "Id") == a[1].paid(0, "Id"), correct=False),
)
class RepeatIsFoundOnOtherLoads(Service):
    """The same reference on another load returns that load's payment, and records nothing."""

    @override
    def find_repeat(self, load: Load, posted: Posted) -> Payment | None:
        payments = (one for other in self.loads.values() for one in other.payments)
        return next((one for one in payments if one.reference == posted.reference), None)

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        home = next(other for other in self.loads.values() if payment in other.payments)
        return super().answer_members(home, payment, posted, repeated=repeated)


@defect(
    "idempotency",
    "A21",
    shown=witness(pay(Number=-1), pay(), sees=lambda a: a[1].status, correct=200),
)
class RefusedAttemptUsesReference(Service):
    """A reference that was sent with an amount of zero or less cannot be used any more."""

    used: frozenset[str] = frozenset()

    @override
    def on_faults(self, posted: Posted, faults: Errors) -> None:
        if "Amount.Amount" in faults:
            self.used |= {posted.reference}

    @override
    def check_payment(self, load: Load, posted: Posted) -> None:
        if posted.reference in self.used:
            raise Refusal(409, {"ReferenceNumber": ["The reference was used."]})


@defect(
    "idempotency",
    "A7",
    shown=witness(pay(), pay(Number=Decimal("11.00")), sees=lambda a: a[1].status, correct=200),
)
class ChangedRepeatIsRefused(Service):
    """A repeat with another amount is answered with 409 instead of the original."""

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        if original.amount != posted.amount:
            raise Refusal(409, {"ReferenceNumber": ["The payment exists."]})
        return original


TWO_AND_REPEAT = (pay(), pay(ReferenceNumber="R-2"), pay())


@defect(
    "idempotency",
    "R6",
    shown=witness(*TWO_AND_REPEAT, sees=lambda a: a[2].each("ReferenceNumber"), correct=["R-1", "R-2"]),
)
class RepeatReturnsLatest(Service):
    """A repeat returns the latest payment of the load instead of the one it repeats."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        return (
            {**members, "CustomerPayments": [self.payment_members(load.payments[-1])]}
            if repeated
            else members
        )


@defect(
    "idempotency",
    "A6",
    shown=witness(*TWO_AND_REPEAT, sees=lambda a: a[2].count(), correct=2),
)
class RepeatReturnsOnlyOriginal(Service):
    """A repeat returns the original alone, without the other payments of the load."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        return {**members, "CustomerPayments": [self.payment_members(payment)]} if repeated else members


@defect(
    "idempotency",
    "A6",
    shown=witness(*TWO_AND_REPEAT, sees=lambda a: a[2].each("ReferenceNumber"), correct=["R-1", "R-2"]),
)
class RepeatMovesOriginalToEnd(Service):
    """A repeat moves the original to the end of the list."""

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        load.payments.remove(original)
        load.payments.append(original)
        return original


@defect(
    "idempotency",
    "R6",
    shown=witness(
        pay(),
        pay(Number=Decimal("11.00")),
        sees=lambda a: a[1].paid(0, "Amount", "Amount"),
        correct=Decimal("10.50"),
    ),
)
class RepeatEchoesRequest(Service):
    """A repeat shows the values of the request, although the original is kept."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        if not repeated:
            return members
        echo = replace(payment, amount=posted.amount, date=posted.date, method=posted.method)
        listed = [echo if one.id == payment.id else one for one in load.payments]
        return {**members, "CustomerPayments": [self.payment_members(one) for one in listed]}


@defect(
    "idempotency",
    "R6",
    shown=witness(*TWICE, read(), sees=lambda a: a[2].at("totalPaid", "Amount"), correct=Decimal("10.50")),
)
class RepeatAddsToTotal(Service):
    """A repeat is added to the total, although it is not listed."""

    repeats: tuple[tuple[str, Decimal], ...] = ()

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.repeats += ((load.number, original.amount),)
        return original

    @override
    def total(self, load: Load) -> Decimal:
        return super().total(load) + sum(amount for number, amount in self.repeats if number == load.number)


@defect(
    "idempotency",
    "A16",
    shown=witness(
        pay(), read(), pay(), read(), sees=lambda a: a[1].at("paidAt") == a[3].at("paidAt"), correct=True
    ),
)
class RepeatMovesPaidAt(Service):
    """A repeat moves the load's `paidAt`."""

    @override
    def on_repeat(self, load: Load, original: Payment, posted: Posted) -> Payment:
        load.paid_at = self.now()
        return original


@defect("idempotency", "A6", shown=witness(*TWICE, sees=lambda a: a[1].status, correct=200))
class RepeatIsAccepted(Service):
    """A repeat is answered with 202 instead of 200."""

    repeating = False

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        self.repeating = repeated
        return super().answer_members(load, payment, posted, repeated=repeated)

    @override
    def ok(self, members: Json) -> Response:
        status, self.repeating = 202 if self.repeating else 200, False
        return self.send(status, members, "application/json")
