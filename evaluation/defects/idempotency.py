"""Defects of replays: the same reference again on the same load."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import Table, Then, given, lists, refuse, responds, shows, then, witness
from evaluation.reference.messages import INVOICED_CAD, pay, read
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

TWICE = (pay(), pay())
OTHER_AMOUNT = (pay(), pay(Number=Decimal("11.00")))
OTHER_CURRENCY = (pay(), pay(Currency=124))
OTHER_LOAD = (pay(), pay(LoadNumber=INVOICED_CAD, Currency=124))
TWO_AND_REPLAY = (pay(), pay(ReferenceNumber="R-2"), pay())
row = Table("idempotency")


def among(payments: Iterable[Payment], posted: Posted) -> Payment | None:
    """The payment with the reference of the request."""
    return next((one for one in payments if one.reference == posted.reference), None)


def all_payments(service: Service) -> list[Payment]:
    """The payments of all loads."""
    return [payment for load in service.loads.values() for payment in load.payments]


row("repeat-records-again", "R6", "A replay records a second payment.")(
    lists(1, *TWICE), find_original=lambda *_: None
)
row("repeat-is-conflict", "R6", "A replay is answered with 409.")(
    responds(200, *TWICE), on_replay=lambda *_: refuse(409, "ReferenceNumber", "The payment exists.")
)
row("repeat-is-bad-request", "R6", "A replay is answered with 400, as a duplicate.")(
    responds(200, *TWICE),
    on_replay=lambda *_: refuse(400, "ReferenceNumber", "The ReferenceNumber field must be unique."),
)
row("repeat-has-no-body", "R6", "A replay is answered with 204 and no body.")(
    lists(1, *TWICE),
    response_fields=then(lambda _s, fields, _load, _payment, _posted, replayed: {} if replayed else fields),
    ok=lambda s, fields: Service.ok(s, fields) if fields else Response(status_code=204),
)


class Overwriting(Service):
    """Replaces the original of a replay by another payment."""

    def overwritten(self, original: Payment, posted: Posted) -> Payment:
        """What takes the original's place."""
        raise NotImplementedError

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        other = self.overwritten(original, posted)
        load.payments[load.payments.index(original)] = other
        return other


row("repeat-overwrites-amount", "R6", "A replay with another amount replaces the amount of the original.")(
    shows(Decimal("10.50"), *OTHER_AMOUNT, at="CustomerPayments/0/Amount/Amount"),
    parent=Overwriting,
    overwritten=lambda _s, original, posted: replace(original, amount=posted.amount),
)
row(
    "repeat-overwrites-currency", "R6", "A replay in another currency replaces the currency of the original."
)(
    shows(840, *OTHER_CURRENCY, at="CustomerPayments/0/Amount/Currency"),
    parent=Overwriting,
    overwritten=lambda _s, original, posted: replace(original, currency=posted.currency),
)
row("repeat-updates-payment-date", "R6", "A replay with another date replaces the date of the original.")(
    shows(
        "2026-07-01T15:30:00Z",
        pay(),
        pay(PaymentDate="2026-07-09T00:00:00Z"),
        at="CustomerPayments/0/PaymentDate",
    ),
    parent=Overwriting,
    overwritten=lambda _s, original, posted: replace(original, date=posted.date),
)
row("repeat-fills-gaps", "R6", "A replay fills the optional fields that the original had left out.")(
    shows(None, pay(), pay(CheckNumber="77"), at="CustomerPayments/0/CheckNumber"),
    parent=Overwriting,
    overwritten=lambda _s, original, posted: replace(
        original,
        check=original.check or posted.check,
        invoice=original.invoice or posted.invoice,
        method=original.method or posted.method,
    ),
)
row("repeat-updates-texts", "R6", "A replay replaces the optional texts of the original.")(
    shows("ACH", pay(PaymentMethod="ACH"), pay(PaymentMethod="Wire"), at="CustomerPayments/0/PaymentMethod"),
    parent=Overwriting,
    overwritten=lambda _s, original, posted: replace(
        original, check=posted.check, invoice=posted.invoice, method=posted.method
    ),
)
row("repeat-gives-new-id", "R6", "A replay gives the original a new id.")(
    witness(*TWICE, sees=lambda r: r[0].paid(0, "Id") == r[1].paid(0, "Id"), correct=True),
    parent=Overwriting,
    overwritten=lambda _s, original, _posted: replace(original, id=f"{original.id}-2"),
)


@row.defect("R6", shown=lists(1, pay(), pay(), pay()))
class SecondRepeatRecords(Service):
    """The first replay is recognised, the second one records a payment."""

    replayed: frozenset[str] = frozenset()

    @override
    def find_original(self, load: Load, posted: Posted) -> Payment | None:
        return None if posted.reference in self.replayed else super().find_original(load, posted)

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.replayed |= {posted.reference}
        return original


row("only-latest-reference-is-known", "R6", "Only the latest payment of a load is compared with a replay.")(
    lists(2, *TWO_AND_REPLAY), find_original=lambda _s, load, posted: among(load.payments[-1:], posted)
)
row("references-are-forgotten", "R6", "References are kept in a cache of three entries.")(
    lists(4, *(pay(ReferenceNumber=f"R-{n}") for n in range(4)), pay(ReferenceNumber="R-0")),
    find_original=lambda _s, load, posted: among(load.payments[-3:], posted),
)


def comparing(name: str) -> Then:
    """Finds an original only if this is the same, too."""
    return then(
        lambda _s, found, _load, posted: (
            found if found and getattr(found, name) == getattr(posted, name) else None
        )
    )


row("key-includes-amount", "R6", "The same reference with another amount is another payment.")(
    lists(1, *OTHER_AMOUNT), find_original=comparing("amount")
)
row("key-includes-currency", "R6", "The same reference in another currency is another payment.")(
    lists(1, *OTHER_CURRENCY), find_original=comparing("currency")
)
row("key-includes-date", "R6", "The same reference with another date is another payment.")(
    lists(1, pay(), pay(PaymentDate="2026-07-02T00:00:00Z")), find_original=comparing("date")
)
row("key-includes-method", "R6", "The same reference with another payment method is another payment.")(
    lists(1, pay(), pay(PaymentMethod="Wire")), find_original=comparing("method")
)
row(
    "key-includes-note",
    "R6",
    "The key is a hash of the whole body, so that another note makes another payment.",
)(lists(1, pay(), pay(Note="again")), find_original=comparing("note"))
row("reference-is-unique-everywhere", "A8", "The same reference on another load is refused.")(
    responds(200, *OTHER_LOAD),
    check_payment=lambda s, _load, posted: (
        refuse(409, "ReferenceNumber", "The payment exists.") if among(all_payments(s), posted) else None
    ),
)
row(
    "repeat-is-found-on-other-loads",
    "A8",
    "The same reference on another load returns that load's payment, and records nothing.",
)(
    witness(*OTHER_LOAD, sees=lambda r: r[0].paid(0, "Id") == r[1].paid(0, "Id"), correct=False),
    find_original=lambda s, _load, posted: among(all_payments(s), posted),
    response_fields=given(
        lambda s, _load, payment, _posted: next(one for one in s.loads.values() if payment in one.payments)
    ),
)


@row.defect("A21", shown=responds(200, pay(Number=-1), pay()))
class RefusedAttemptUsesReference(Service):
    """A reference that was sent with an amount of zero or less cannot be used any more."""

    used: frozenset[str] = frozenset()

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        if "Amount.Amount" in errors:
            self.used |= {posted.reference}

    @override
    def check_payment(self, load: Load, posted: Posted) -> None:
        if posted.reference in self.used:
            raise Refusal(409, {"ReferenceNumber": ["The reference was used."]})


row(
    "changed-repeat-is-refused",
    "A7",
    "A replay with another amount is answered with 409 instead of the original.",
)(
    responds(200, *OTHER_AMOUNT),
    on_replay=lambda _s, _load, original, posted: (
        original
        if original.amount == posted.amount
        else refuse(409, "ReferenceNumber", "The payment exists.")
    ),
)


def listing(chosen: Callable[[Load, Payment, Posted], Sequence[Payment]]) -> Then:
    """Lists other payments in the response to a replay."""
    return then(
        lambda s, fields, load, payment, posted, replayed: (
            {**fields, "CustomerPayments": [s.payment_fields(one) for one in chosen(load, payment, posted)]}
            if replayed
            else fields
        )
    )


def echoed(load: Load, payment: Payment, posted: Posted) -> list[Payment]:
    """The load's payments, the original with what the request says."""
    echo = replace(payment, amount=posted.amount, date=posted.date, method=posted.method)
    return [echo if one.id == payment.id else one for one in load.payments]


row(
    "repeat-returns-latest", "R6", "A replay returns the latest payment of the load instead of its original."
)(
    witness(*TWO_AND_REPLAY, sees=lambda r: r[2].each("ReferenceNumber"), correct=["R-1", "R-2"]),
    response_fields=listing(lambda load, _payment, _posted: load.payments[-1:]),
)
row(
    "repeat-returns-only-original",
    "A6",
    "A replay returns the original alone, without the other payments of the load.",
)(lists(2, *TWO_AND_REPLAY), response_fields=listing(lambda _load, payment, _posted: [payment]))
row(
    "repeat-echoes-request", "R6", "A replay shows the values of the request, although the original is kept."
)(
    shows(Decimal("10.50"), *OTHER_AMOUNT, at="CustomerPayments/0/Amount/Amount"),
    response_fields=listing(echoed),
)


@row.defect(
    "A6",
    shown=witness(*TWO_AND_REPLAY, sees=lambda r: r[2].each("ReferenceNumber"), correct=["R-1", "R-2"]),
)
class RepeatMovesOriginalToEnd(Service):
    """A replay moves the original to the end of the list."""

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        load.payments.remove(original)
        load.payments.append(original)
        return original


@row.defect("R6", shown=shows(Decimal("10.50"), *TWICE, read(), at="totalPaid/Amount"))
class RepeatAddsToTotal(Service):
    """A replay is added to the total, although it is not listed."""

    replays: tuple[tuple[str, Decimal], ...] = ()

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.replays += ((load.number, original.amount),)
        return original

    @override
    def total(self, load: Load) -> Decimal:
        return super().total(load) + sum(amount for number, amount in self.replays if number == load.number)


@row.defect(
    "A16",
    shown=witness(
        pay(), read(), pay(), read(), sees=lambda r: r[1].at("paidAt") == r[3].at("paidAt"), correct=True
    ),
)
class RepeatMovesPaidAt(Service):
    """A replay moves the load's `paidAt`."""

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        load.paid_at = self.now()
        return original


@row.defect("A6", shown=responds(200, *TWICE))
class RepeatIsAccepted(Service):
    """A replay is answered with 202 instead of 200."""

    replaying = False

    @override
    def response_fields(
        self, load: Load, payment: Payment, posted: Posted, *, replayed: bool
    ) -> Mapping[str, Json]:
        self.replaying = replayed
        return super().response_fields(load, payment, posted, replayed=replayed)

    @override
    def ok(self, fields: Json) -> Response:
        status, self.replaying = 202 if self.replaying else 200, False
        return self.send(status, fields, "application/json")
