"""Defects that show only when requests arrive at once: an await between a look and a write.

The wait stands for the round trip to a database. It is long enough that requests which are sent at
once are all looked up before the first of them is written.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from typing_extensions import override

from evaluation.defects.asking import INVOICED, INVOICED_CAD, Together, pay, read
from evaluation.defects.defect import defect, witness
from evaluation.reference.service import Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

ROUND_TRIP_SECONDS = 0.02
TWENTY_ALIKE = Together((pay(),) * 20)
TWENTY = Together(tuple(pay(ReferenceNumber=f"R-{n:02}") for n in range(20)))


async def round_trip() -> None:
    """Lets the other requests run, as a query does."""
    await asyncio.sleep(ROUND_TRIP_SECONDS)


@defect(
    "concurrency",
    "R6",
    shown=witness(TWENTY_ALIKE, read(), sees=lambda a: a[20].count("payments"), correct=1),
)
class RepeatsRace(Service):
    """Between the look for a repeat and the recording another request may record."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        original = self.find_repeat(load, posted)
        if original is not None:
            return original, True
        self.check_gate(load)
        await round_trip()
        payment = self.new_payment(load, posted)
        self.add(load, payment)
        return payment, False


@defect(
    "concurrency", "R7", shown=witness(TWENTY, read(), sees=lambda a: a[20].count("payments"), correct=20)
)
class PaymentsOverwriteEachOther(Service):
    """The list of payments is read, extended and written back, so that payments get lost."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        before = list(load.payments)
        await round_trip()
        original = self.find_repeat(load, posted)
        if original is not None:
            return original, True
        self.check_gate(load)
        payment = self.new_payment(load, posted)
        load.payments = before
        self.add(load, payment)
        return payment, False


@defect(
    "concurrency",
    "R7",
    shown=witness(TWENTY, read(), sees=lambda a: a[20].at("totalPaid", "Amount"), correct=Decimal("210.00")),
)
class TotalsOverwriteEachOther(Service):
    """The total is kept beside the payments; it is read, added to and written back."""

    totals: Mapping[str, Decimal] = {}

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        before = self.total(load)
        payment, repeated = await super().record(load, posted)
        if not repeated:
            await round_trip()
            self.totals = {**self.totals, load.number: before + payment.amount}
        return payment, repeated

    @override
    def total(self, load: Load) -> Decimal:
        return self.totals.get(load.number, Decimal(0))


@defect(
    "concurrency",
    "A22",
    shown=witness(TWENTY_ALIKE, sees=lambda a: {one.status for one in a}, correct={200}),
)
class RepeatAtOnceIsConflict(Service):
    """A repeat that arrives while the original is being recorded is answered with 409."""

    pending: frozenset[tuple[str, str]] = frozenset()

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        key = (load.number, posted.reference)
        if key in self.pending:
            raise Refusal(409, {"ReferenceNumber": ["The payment is being recorded."]})
        self.pending |= {key}
        try:
            await round_trip()
            return await super().record(load, posted)
        finally:
            self.pending -= {key}


@defect(
    "concurrency",
    "A22",
    "R6",
    shown=witness(TWENTY_ALIKE, sees=lambda a: {one.status for one in a}, correct={200}),
)
class RepeatAtOnceIsServerError(Service):
    """The unique key of the database turns a repeat at the same time into 500."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        known = self.find_repeat(load, posted)
        await round_trip()
        if known is None and self.find_repeat(load, posted) is not None:
            raise RuntimeError
        return await super().record(load, posted)


@defect(
    "concurrency",
    "D4",
    shown=witness(
        TWENTY, read(), sees=lambda a: len(set(map(str, a[20].each("Id", member="payments")))), correct=20
    ),
)
class IdsAreCountedApart(Service):
    """The next id is read from the number of payments before the payment is written."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        number = len(load.payments)
        await round_trip()
        payment, repeated = await super().record(load, posted)
        if repeated:
            return payment, True
        numbered = replace(payment, id=f"{load.id}-{number}")
        load.payments[load.payments.index(payment)] = numbered
        return numbered, False


@defect(
    "concurrency",
    "D1",
    shown=witness(
        Together((pay(), pay(LoadNumber=INVOICED_CAD, ReferenceNumber="R-2"))),
        sees=lambda a: [one.at("LoadNumber") for one in a],
        correct=[INVOICED, INVOICED_CAD],
    ),
)
class RequestsShareTheirLoad(Service):
    """The load of a request is kept in the service, where the next request replaces it."""

    current: Load | None = None

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        recorded = await super().record(load, posted)
        self.current = load
        await round_trip()
        return recorded

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        return super().answer_members(self.current or load, payment, posted, repeated=repeated)


@defect(
    "concurrency",
    "D4",
    shown=witness(
        TWENTY,
        sees=lambda a: all(f"R-{n:02}" in one.text for n, one in enumerate(a)),
        correct=True,
    ),
)
class AnswerIsReadBeforeRecording(Service):
    """The payments of the answer are read from a replica that lags behind when writes come at once."""

    writing = 0

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        self.replica = {**self.replica, posted.reference: list(load.payments)} if self.writing else {}
        self.writing += 1
        try:
            await round_trip()
            return await super().record(load, posted)
        finally:
            self.writing -= 1

    replica: Mapping[str, list[Payment]] = {}

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        behind = self.replica.get(posted.reference)
        if behind is None or repeated:
            return members
        return {**members, "CustomerPayments": [self.payment_members(one) for one in behind]}
