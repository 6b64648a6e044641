"""Defects of the status gate: which loads take a payment."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import COMPLETED, DELIVERED, DISPATCHED, FINANCED, PAID, QUEUED, pay, read
from evaluation.defects.defect import defect, witness
from evaluation.reference.service import GATE_SENTENCE, Refusal, Service
from evaluation.reference.values import Load, Payment, Posted

ON_DISPATCHED = pay(LoadNumber=DISPATCHED)


@defect("status gate", "R2", shown=witness(ON_DISPATCHED, sees=lambda a: a[0].status, correct=400))
class GateIsOpen(Service):
    """Every load takes payments."""

    @override
    def is_payable(self, load: Load) -> bool:
        return True


@defect("status gate", "R2", shown=witness(pay(LoadNumber=PAID), sees=lambda a: a[0].status, correct=400))
class GateLetsPaidIn(Service):
    """A load that is Paid takes payments."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status == "Paid" or super().is_payable(load)


@defect(
    "status gate", "R2", shown=witness(pay(LoadNumber=DELIVERED), sees=lambda a: a[0].status, correct=400)
)
class GateLetsDeliveredIn(Service):
    """A load that is Delivered takes payments."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status == "Delivered" or super().is_payable(load)


@defect("status gate", "R2", shown=witness(pay(LoadNumber=QUEUED), sees=lambda a: a[0].status, correct=400))
class GateLetsBillingIn(Service):
    """A load that is Released or Queued for billing takes payments."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status in ("Released", "Queued") or super().is_payable(load)


@defect(
    "status gate", "R2", shown=witness(pay(LoadNumber=DELIVERED), sees=lambda a: a[0].status, correct=400)
)
class GateOnlyStopsDispatched(Service):
    """Only the page's example of a status is refused."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status != "Dispatched"


@defect("status gate", "R1", shown=witness(pay(LoadNumber=FINANCED), sees=lambda a: a[0].status, correct=200))
class GateStopsFinanced(Service):
    """A load that is Financed takes no payment."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status in ("Invoiced", "Completed")


@defect(
    "status gate", "R1", shown=witness(pay(LoadNumber=COMPLETED), sees=lambda a: a[0].status, correct=200)
)
class GateStopsCompleted(Service):
    """A load that is Completed takes no payment, because it is paid in full."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status in ("Invoiced", "Financed")


@defect("status gate", "R1", shown=witness(pay(), sees=lambda a: a[0].status, correct=200))
class GateStopsInvoiced(Service):
    """A load that is Invoiced takes no payment."""

    @override
    def is_payable(self, load: Load) -> bool:
        return load.status in ("Completed", "Financed")


@defect(
    "status gate",
    "R1",
    shown=witness(pay(), pay(ReferenceNumber="R-2"), sees=lambda a: a[1].status, correct=200),
)
class GateClosesAfterPayment(Service):
    """A load takes one payment, then no more."""

    @override
    def is_payable(self, load: Load) -> bool:
        return not load.payments and super().is_payable(load)


@defect(
    "status gate",
    "R2",
    shown=witness(ON_DISPATCHED, read(DISPATCHED), sees=lambda a: a[1].at("payments"), correct=None),
)
class GateComesAfterRecording(Service):
    """The payment is recorded, then refused because of the status."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        if not self.is_payable(load):
            self.keep(load, self.new_payment(load, posted))
        return await super().record(load, posted)


class GateAnswering(Service):
    """Refuses at the gate with another status."""

    status: int

    @override
    def check_gate(self, load: Load) -> None:
        if not self.is_payable(load):
            raise Refusal(self.status, {"Status": [GATE_SENTENCE]})


@defect("status gate", "R2", shown=witness(ON_DISPATCHED, sees=lambda a: a[0].status, correct=400))
class GateAnswersConflict(GateAnswering):
    """A load that is not payable is answered with 409."""

    status = 409


@defect("status gate", "R2", shown=witness(ON_DISPATCHED, sees=lambda a: a[0].status, correct=400))
class GateAnswersNotFound(GateAnswering):
    """A load that is not payable is answered with 404."""

    status = 404


@defect("status gate", "R2", shown=witness(ON_DISPATCHED, sees=lambda a: a[0].status, correct=400))
class GateIgnoresSilently(Service):
    """A payment on a load that is not payable is answered with 200, and dropped."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        if not self.is_payable(load):
            return self.new_payment(load, posted), False
        return await super().record(load, posted)


class GateSaying(Service):
    """Refuses at the gate with another sentence."""

    sentence: str

    @override
    def problem(self, status: int, faults: Mapping[str, Sequence[str]]) -> Response:
        if "Status" in faults:
            faults = {"Status": [self.sentence]}
        return super().problem(status, faults)


SAID = witness(ON_DISPATCHED, sees=lambda a: a[0].at("errors", "Status"), correct=[GATE_SENTENCE])


@defect("status gate", "R2", "A24", shown=SAID)
class GateNamesOtherStatuses(GateSaying):
    """The sentence of the status rule leaves Financed out."""

    sentence = "Load must be in one of: Invoiced, Completed."


@defect("status gate", "R2", "A24", shown=SAID)
class GateSaysNothing(GateSaying):
    """The status rule is refused with a sentence that names no status."""

    sentence = "The load cannot be paid."
