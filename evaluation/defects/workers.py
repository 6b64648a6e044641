"""Defects of services that run in several processes, of which not all know or do the same."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import Table, given, lists, then, witness
from evaluation.defects.memory import Counting, Remembering
from evaluation.reference.messages import (
    DISPATCHED,
    PAYMENTS,
    Sent,
    pay,
    read,
)
from evaluation.reference.service import Service
from evaluation.reference.values import Load, Payment

row = Table("workers", "production")
ABOUT_PAID = pay(LoadNumber=DISPATCHED)

row(
    "one-of-two-workers-knows-a-reference",
    "R6",
    "Two workers answer in turn, and each knows its own references.",
)(lists(1, pay(), pay()), parent=Remembering, stamp=lambda s: s.turn % 2)
row(
    "one-of-four-workers-knows-nothing",
    "R6",
    "One of four workers, which answer in turn, records every replay.",
)(lists(1, *[pay()] * 5), parent=Remembering, remembers=lambda s, _stamp: s.turn % 4 != 0)
row(
    "old-worker-lets-all-statuses-in",
    "R2",
    "Every third request is answered by an old release without the gate.",
)(
    witness(*[ABOUT_PAID] * 3, sees=lambda r: {one.status for one in r}, correct={400}),
    parent=Counting,
    is_payable=then(lambda s, payable, _load: payable or s.turn % 3 == 0),
)
row("old-worker-takes-zero", "R4", "Every second request is answered by an old release that takes zero.")(
    witness(*[pay(Number=0)] * 2, sees=lambda r: {one.status for one in r}, correct={400}),
    parent=Counting,
    is_positive=then(lambda s, positive, amount: positive or (amount == 0 and s.turn % 2 == 0)),
)
row(
    "old-worker-needs-no-reference",
    "R5",
    "Every third request is answered by an old release that makes up a reference.",
)(
    witness(*[pay(ReferenceNumber="")] * 3, sees=lambda r: {one.status for one in r}, correct={400}),
    parent=Counting,
    read_reference=given(
        lambda s, fields, _errors: (
            {"ReferenceNumber": s.trace_id()}
            if s.turn % 3 == 0 and not fields.get("ReferenceNumber")
            else fields
        )
    ),
)
row("one-of-two-replicas-is-stale", "R7", "Every second read comes from a replica that gets no payments.")(
    witness(pay(), read(), read(), sees=lambda r: [one.count("payments") for one in r[1:]], correct=[1, 1]),
    parent=Counting,
    wanted_load=then(
        lambda s, load, _query: load if s.turn % 2 else replace(load, payments=[], paid_at=None)
    ),
)
row(
    "replay-comes-from-a-replica",
    "R6",
    "A replay is looked up in a replica that lacks the payments of this request and the last.",
)(
    lists(1, pay(), pay()),
    parent=Remembering,
    stamp=lambda s: s.turn,
    remembers=lambda s, stamp: s.turn - stamp > 1,
)


@row.defect("R7", shown=lists(7, *[pay(ReferenceNumber=f"R-{n}") for n in range(7)], read(), of="payments"))
class SeventhPaymentIsDeliveredTwice(Service):
    """Every seventh payment is delivered twice by the queue, and recorded under two ids."""

    kept = 0

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        self.kept += 1
        super().keep(load, payment)
        if self.kept % 7 == 0:
            super().keep(load, replace(payment, id=f"{payment.id}-2"))


@row.defect(
    "D1",
    shown=witness(
        *[pay(ReferenceNumber=f"R-{n}") for n in range(5)],
        sees=lambda r: [one.count() for one in r],
        correct=[1, 2, 3, 4, 5],
    ),
)
class FifthAnswerIsEmpty(Counting):
    """The response to every fifth payment comes from a node that has not heard of it, and lists nothing."""

    posted = 0

    @override
    def listed(self, load: Load) -> Sequence[Payment]:
        self.posted += 1
        return super().listed(load) if self.posted % 5 else []


class Writing(Service):
    """Takes another method for POST."""

    method = "PUT"

    @override
    async def respond(self, request: Request) -> Response:
        if request.method == self.method and request.url.path == PAYMENTS:
            request.scope["method"] = "POST"
        return await super().respond(request)


def by(method: str) -> Sent:
    """The payment, sent by another method."""
    return replace(pay(), method=method)


for method in ("PUT", "HEAD", "PATCH"):
    row(f"{method.lower()}-records", "Q8 P9", f"{method} records a payment, as POST does.")(
        witness(by(method), read(), sees=lambda r: r[1].count("payments") == 1, correct=False),
        parent=Writing,
        method=method,
    )
row(
    "ids-are-provisional",
    "R6",
    "The response to a new payment shows a provisional id, which is replaced afterwards.",
)(
    witness(pay(), pay(), sees=lambda r: r[0].paid(0, "Id") == r[1].paid(0, "Id"), correct=True),
    response_fields=then(
        lambda s, fields, load, payment, _posted, replayed: (
            fields
            if replayed
            else {
                **fields,
                "CustomerPayments": [
                    s.payment_fields(replace(one, id=f"new-{one.id}") if one is payment else one)
                    for one in load.payments
                ],
            }
        )
    ),
)


@row.defect("R7", shown=lists(3, *[pay(ReferenceNumber=f"R-{n}") for n in range(3)]))
class PaymentReachesAnotherLoad(Service):
    """Every third payment is booked on another load of the same customer."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        others = [one for one in self.loads.values() if one.customer == load.customer and one is not load]
        super().keep(next(filter(self.is_payable, others)) if self.issued % 3 == 0 else load, payment)
