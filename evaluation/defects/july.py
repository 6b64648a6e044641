"""Defects that the revision of July 2026 can show, which shows no payment in its answer."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from typing_extensions import override

from evaluation.defects.defect import Table, having, lists, responds, shows, then, witness
from evaluation.reference.freedoms import JULY
from evaluation.reference.messages import DISPATCHED, pay, read
from evaluation.reference.service import Service
from evaluation.reference.values import Json, Load, Payment, Posted

row = Table("july", "july", JULY)
SECOND = pay(ReferenceNumber="R-2")
SAME_ID = witness(pay(), pay(), sees=lambda r: r[0].at("Id") == r[1].at("Id"), correct=True)

row("july-repeat-records-again", "R6", "In July, a replay records a second payment.")(
    lists(1, pay(), pay(), read(), of="Payments"), find_original=lambda *_: None
)
row("july-repeat-has-new-id", "R6", "In July, a replay shows another id, although nothing is recorded.")(
    SAME_ID,
    july_fields=then(lambda s, fields, *_: {**fields, "Id": s.trace_id()}),
)


@row.defect("R6", shown=shows(Decimal("10.50"), pay(), pay(), at="TotalPaid/Amount"))
class JulyRepeatMovesTotal(Service):
    """In July, a replay is added to the total of the answer."""

    replayed = 0

    @override
    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        self.replayed += 1
        return super().on_replay(load, original, posted)

    @override
    def july_fields(self, load: Load, payment: Payment) -> Mapping[str, Json]:
        total = self.total(load) + self.replayed * payment.amount
        return {**super().july_fields(load, payment), "TotalPaid": self.money_fields(total, load.currency)}


row("july-amount-is-wrong", "R7", "In July, a payment is booked with a cent less.")(
    shows(Decimal("10.50"), pay(), at="TotalPaid/Amount"),
    stored_amount=then(lambda _s, stored, _amount: stored - Decimal("0.01") if stored > 1 else stored * 2),
)
row("july-load-shows-other-amount", "R7", "In July, a load shows a payment in cents; its total is right.")(
    shows(Decimal("10.50"), pay(), read(), at="Payments/0/Amount/Amount"),
    load_payment_fields=then(
        lambda s, fields, payment: {
            **fields,
            "Amount": s.money_fields(payment.amount * 100, payment.currency),
        }
    ),
)
row("july-gate-is-open", "R2", "In July, a load of any status takes payments.")(
    responds(400, pay(LoadNumber=DISPATCHED)), is_payable=lambda *_: True
)
row("july-takes-zero", "R4", "In July, a payment of zero is recorded.")(
    responds(400, pay(Number=0)), is_positive=lambda _s, amount: amount >= 0
)
row("july-payment-is-lost", "R7", "In July, a payment is answered with its id, but not stored.")(
    lists(1, pay(), read(), of="Payments"), keep=lambda *_: None
)
row("july-ids-are-the-same", "R7", "In July, all payments of a load have one id.")(
    witness(pay(), SECOND, sees=lambda r: r[0].at("Id") == r[1].at("Id"), correct=False),
    new_id=lambda _s, load: load.id,
)
row("july-answer-names-the-load", "R7", "In July, the answer's id is that of the load, not of the payment.")(
    witness(pay(), read(), sees=lambda r: r[0].at("Id") == r[1].at("Payments", 0, "Id"), correct=True),
    july_fields=then(lambda _s, fields, load, _payment: {**fields, "Id": load.id}),
)
row("july-total-lags-behind", "R7", "In July, the total of an answer leaves the new payment out.")(
    shows(Decimal("10.50"), pay(), at="TotalPaid/Amount"),
    july_fields=then(
        lambda s, fields, load, payment: {
            **fields,
            "TotalPaid": s.total_fields(
                replace(load, payments=[one for one in load.payments if one is not payment])
            ),
        }
    ),
)
row("july-load-hides-payments", "R7", "In July, a load shows its total, but no payments.")(
    lists(1, pay(), read(), of="Payments"), paid_fields=having(Payments=[])
)
row("july-status-is-null", "D3", "In July, the answer's status is null.")(
    shows("Invoiced", pay(), at="Status"), july_fields=having(Status=None)
)
