"""Defects that show only when requests arrive at once: an await between a look and a write.

The wait stands for the round trip to a database. It is long enough that requests which are sent at
once are all looked up before the first of them is written.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from typing_extensions import override

from evaluation.defects.defect import Table, witness
from evaluation.reference.messages import INVOICED, INVOICED_CAD, Together, pay, read
from evaluation.reference.service import Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

ROUND_TRIP_SECONDS = 0.02
row = Table("concurrency")
TWENTY_ALIKE = Together((pay(),) * 20)
TWENTY = Together(tuple(pay(ReferenceNumber=f"R-{n:02}") for n in range(20)))


async def round_trip() -> None:
    """Lets the other requests run, as a query does."""
    await asyncio.sleep(ROUND_TRIP_SECONDS)


@row.defect(
    "R6",
    shown=witness(TWENTY_ALIKE, read(), sees=lambda r: r[20].count("payments"), correct=1),
)
class RepeatsRace(Service):
    """Between the look for a replay and the recording another request may record."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        original = self.find_original(load, posted)
        if original is not None:
            return original, True
        self.check_gate(load)
        await round_trip()
        payment = self.new_payment(load, posted)
        self.add(load, payment)
        return payment, False


@row.defect("R7", shown=witness(TWENTY, read(), sees=lambda r: r[20].count("payments"), correct=20))
class PaymentsOverwriteEachOther(Service):
    """The list of payments is read, extended and written back, so that payments get lost."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        before = list(load.payments)
        await round_trip()
        original = self.find_original(load, posted)
        if original is not None:
            return original, True
        self.check_gate(load)
        payment = self.new_payment(load, posted)
        load.payments = before
        self.add(load, payment)
        return payment, False


@row.defect(
    "R7",
    shown=witness(TWENTY, read(), sees=lambda r: r[20].at("totalPaid", "Amount"), correct=Decimal("210.00")),
)
class TotalsOverwriteEachOther(Service):
    """The total is kept beside the payments; it is read, added to and written back."""

    totals: Mapping[str, Decimal] = {}

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        before = self.total(load)
        payment, replayed = await super().record(load, posted)
        if not replayed:
            await round_trip()
            self.totals = {**self.totals, load.number: before + payment.amount}
        return payment, replayed

    @override
    def total(self, load: Load) -> Decimal:
        return self.totals.get(load.number, Decimal(0))


@row.defect(
    "A22",
    shown=witness(TWENTY_ALIKE, sees=lambda r: {one.status for one in r}, correct={200}),
)
class RepeatAtOnceIsConflict(Service):
    """A replay that arrives while the original is being recorded is answered with 409."""

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


@row.defect(
    "A22 R6",
    shown=witness(TWENTY_ALIKE, sees=lambda r: {one.status for one in r}, correct={200}),
)
class RepeatAtOnceIsServerError(Service):
    """The unique key of the database turns a replay at the same time into 500."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        known = self.find_original(load, posted)
        await round_trip()
        if known is None and self.find_original(load, posted) is not None:
            raise RuntimeError
        return await super().record(load, posted)


@row.defect(
    "D4",
    shown=witness(
        TWENTY, read(), sees=lambda r: len(set(map(str, r[20].each("Id", of="payments")))), correct=20
    ),
)
class IdsAreCountedApart(Service):
    """The next id is read from the number of payments before the payment is written."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        number = len(load.payments)
        await round_trip()
        payment, replayed = await super().record(load, posted)
        if replayed:
            return payment, True
        numbered = replace(payment, id=f"{load.id}-{number}")
        load.payments[load.payments.index(payment)] = numbered
        return numbered, False


@row.defect(
    "D1",
    shown=witness(
        Together((pay(), pay(LoadNumber=INVOICED_CAD, ReferenceNumber="R-2"))),
        sees=lambda r: [one.at("LoadNumber") for one in r],
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
    def response_fields(
        self, load: Load, payment: Payment, posted: Posted, *, replayed: bool
    ) -> Mapping[str, Json]:
        return super().response_fields(self.current or load, payment, posted, replayed=replayed)


@row.defect(
    "D4",
    shown=witness(
        TWENTY,
        sees=lambda r: all(f"R-{n:02}" in one.text for n, one in enumerate(r)),
        correct=True,
    ),
)
class AnswerIsReadBeforeRecording(Service):
    """The payments of the response are read from a replica that lags behind when writes come at once."""

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
    def response_fields(
        self, load: Load, payment: Payment, posted: Posted, *, replayed: bool
    ) -> Mapping[str, Json]:
        fields = super().response_fields(load, payment, posted, replayed=replayed)
        behind = self.replica.get(posted.reference)
        if behind is None or replayed:
            return fields
        return {**fields, "CustomerPayments": [self.payment_fields(one) for one in behind]}
