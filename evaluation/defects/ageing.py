"""Defects of what was right for a while: forgotten references, lost payments, ids that change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import Function, Table, lists, responds, then, witness
from evaluation.defects.idempotency import all_payments, among
from evaluation.defects.memory import Remembering
from evaluation.reference.messages import COMPLETED, INVOICED, Sent, pay, read
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

row = Table("ageing", "production")
OLDEST = pay(ReferenceNumber="R-0")


def many(count: int, load: str = INVOICED) -> list[Sent]:
    """So many payments on a load: R-0, R-1 and so on."""
    return [pay(ReferenceNumber=f"R-{n}", LoadNumber=load) for n in range(count)]


def among_last(known: int) -> Function:
    """Finds an original among so many payments of the load."""
    return lambda _s, load, posted: among(load.payments[-known:], posted)


for known in (5, 10, 50):
    row(
        f"last-{known}-references-are-known", "R6", f"A replay of any but a load's last {known} is recorded."
    )(lists(known + 1, *many(known + 1), OLDEST), find_original=among_last(known))
row(
    "references-share-a-cache-of-six",
    "R6",
    "The references of all loads share a cache of six entries, so that those of other loads push them out.",
)(
    lists(1, OLDEST, *many(6, COMPLETED), OLDEST),
    find_original=then(
        lambda s, found, _load, _posted: (
            found if found in sorted(all_payments(s), key=lambda one: one.recorded_at)[-6:] else None
        )
    ),
)
row(
    "restart-forgets-references", "R6", "After every 25 requests the process starts again without references."
)(lists(1, OLDEST, *[read()] * 25, OLDEST), parent=Remembering, stamp=lambda s: s.turn // 25)


@row.defect("R6", shown=lists(1, OLDEST, pay(Number=0, ReferenceNumber="R-9"), OLDEST))
class RefusalForgetsReferences(Remembering):
    """A refused payment rolls back the cache that references are looked up in."""

    refused = 0

    @override
    def stamp(self) -> int:
        return self.refused

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        self.refused += 1


@row.defect("R6", shown=lists(1, *[pay()] * 5))
class FourthRepeatRecords(Service):
    """A reference is dropped after it was recognised three times."""

    recognised: Mapping[str, int] = {}

    @override
    def find_original(self, load: Load, posted: Posted) -> Payment | None:
        found = super().find_original(load, posted)
        if found is None or self.recognised.get(found.id, 0) == 3:
            return None
        self.recognised = {**self.recognised, found.id: self.recognised.get(found.id, 0) + 1}
        return found


class Closing(Service):
    """A load is Paid, and takes no payment any more, once it has two."""

    @override
    def status_after(self, load: Load) -> str:
        return "Paid" if len(load.payments) > 1 else load.status


CLOSED = (pay(), pay(ReferenceNumber="R-2"), pay())
row(
    "repeat-is-refused-on-closed-load", "A10", "A replay is refused once the load takes no payment any more."
)(
    responds(200, *CLOSED),
    parent=Closing,
    find_original=lambda s, load, posted: among(load.payments, posted) if s.is_payable(load) else None,
)
row(
    "repeat-is-recorded-on-closed-load",
    "R6 R1",
    "A replay is recorded once the load takes no payment any more.",
)(
    lists(2, *CLOSED),
    parent=Closing,
    find_original=lambda s, load, posted: among(load.payments, posted) if s.is_payable(load) else None,
    check_gate=lambda s, load: None if load.payments else Service.check_gate(s, load),
)
row(
    "completion-forgets-references",
    "R6",
    "Completing a load archives its references, and they are forgotten.",
)(
    lists(1, pay(Number=1850), pay(Number=1850)),
    find_original=lambda _s, load, posted: (
        None if load.status == "Completed" else among(load.payments, posted)
    ),
)


@row.defect("R7", shown=lists(20, *many(20), read(), of="payments"))
class TwentiethPaymentIsLost(Service):
    """Every twentieth payment is answered, but not stored."""

    kept = 0

    @override
    def add(self, load: Load, payment: Payment) -> None:
        self.kept += 1
        if self.kept % 20:
            super().add(load, payment)


@row.defect("R7", shown=lists(6, *many(6), read(), of="payments"))
class SixthPaymentEvictsFirst(Service):
    """A load keeps five payments; the sixth takes the place of the first."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        load.payments = load.payments[-5:]


@row.defect(
    "R7",
    shown=witness(
        pay(),
        read(),
        CLOSED[1],
        read(),
        sees=lambda r: r[1].at("payments", 0, "Id") == r[3].at("payments", 0, "Id"),
        correct=True,
    ),
)
class IdsCountFromTheEnd(Service):
    """An id in a load is the payment's position from the end, and changes with the next payment."""

    @override
    def listed_on_load(self, load: Load) -> Sequence[Payment]:
        last = len(load.payments)
        return [replace(one, id=f"{load.id}-{last - at}") for at, one in enumerate(load.payments)]


@row.defect(
    "R6",
    shown=witness(
        pay(), *[read()] * 30, pay(), sees=lambda r: r[0].paid(0, "Id") == r[31].paid(0, "Id"), correct=True
    ),
)
class IdsChangeWithRestart(Remembering):
    """An id is salted anew whenever the process starts again, after every 30 requests."""

    @override
    def remembers(self, stamp: object) -> bool:
        return True

    @override
    def payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().payment_fields(payment), "Id": f"{payment.id}-{self.turn // 30}"}


@row.defect("R3", shown=responds(404, pay(LoadNumber="SL-NONE"), pay(LoadNumber="SL-NONE")))
class UnknownLoadIsKnownLater(Service):
    """A payment on an unknown load leaves a stub behind, and the next one is recorded on it."""

    asked: frozenset[str] = frozenset()

    @override
    def find_load(self, number: str) -> Load | None:
        found = super().find_load(number)
        if found is None and number in self.asked:
            found = self.loads[number] = Load(number, "Invoiced")
        self.asked |= {number}
        return found


@row.defect("D8", shown=responds(404, pay(LoadNumber="SL-NONE"), pay(LoadNumber="SL-NONE")))
class UnknownLoadFailsLater(Service):
    """That a load is unknown is cached as null, which the next payment on it stumbles over."""

    asked: frozenset[str] = frozenset()

    @override
    def find_load(self, number: str) -> Load | None:
        found = super().find_load(number)
        if found is None and number in self.asked:
            raise RuntimeError
        self.asked |= {number}
        return found


@row.defect("R4", shown=responds(400, pay(Number=0), pay(Number=0)))
class RefusedAttemptIsAcceptedLater(Service):
    """The answer to a reference that was refused before is 200, although nothing is recorded."""

    tried: frozenset[str] = frozenset()

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        if posted.reference in self.tried and posted.load_number in self.loads:
            raise Refusal(200, {"LoadNumber": [posted.load_number]})
        self.tried |= {posted.reference}

    @override
    def refuse(self, refusal: Refusal) -> Response:
        if refusal.status != 200:
            return super().refuse(refusal)
        load = self.loads[refusal.errors["LoadNumber"][0]]
        payments = [self.payment_fields(one) for one in self.listed(load)]
        return self.ok({"LoadNumber": load.number, "Status": load.status, "CustomerPayments": payments})


@row.defect("R4", shown=lists(1, pay(Number=-1, ReferenceNumber="R-0"), pay(), read(), of="payments"))
class RefusedPaymentIsBookedWithTheNext(Service):
    """A payment of zero or less is refused, but stays in the session, and is saved with the next one."""

    pending: tuple[Posted, ...] = ()

    @override
    def on_errors(self, posted: Posted, errors: Errors) -> None:
        if list(errors) == ["Amount.Amount"]:
            self.pending += (posted,)

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        for posted in self.pending:
            if posted.load_number == load.number:
                super().keep(load, self.new_payment(load, posted))
        self.pending = ()
        super().keep(load, payment)
