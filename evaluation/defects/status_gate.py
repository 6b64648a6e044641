"""Defects of the status gate: which loads take a payment."""

from typing_extensions import override

from evaluation.defects.defect import Function, Table, Then, Witness, refuse, responds, shows, then
from evaluation.reference.messages import COMPLETED, DELIVERED, DISPATCHED, FINANCED, PAID, QUEUED, pay, read
from evaluation.reference.service import GATE_SENTENCE, Service
from evaluation.reference.values import Load, Payment, Posted

ON_DISPATCHED = pay(LoadNumber=DISPATCHED)
row = Table("status gate")


def stopped(number: str) -> Witness:
    """This load takes no payment."""
    return responds(400, pay(LoadNumber=number))


def taken(number: str) -> Witness:
    """This load takes a payment."""
    return responds(200, pay(LoadNumber=number))


def letting_in(*statuses: str) -> Then:
    """Takes payments in these statuses, too."""
    return then(lambda _s, payable, load: payable or load.status in statuses)


def stopping(status: str) -> Then:
    """Takes no payment in this status."""
    return then(lambda _s, payable, load: payable and load.status != status)


row("gate-is-open", "R2", "Every load takes payments.")(
    stopped(DISPATCHED), is_payable=lambda _s, _load: True
)
row("gate-lets-paid-in", "R2", "A load that is Paid takes payments.")(
    stopped(PAID), is_payable=letting_in("Paid")
)
row("gate-lets-delivered-in", "R2", "A load that is Delivered takes payments.")(
    stopped(DELIVERED), is_payable=letting_in("Delivered")
)
row("gate-lets-billing-in", "R2", "A load that is Released or Queued for billing takes payments.")(
    stopped(QUEUED), is_payable=letting_in("Released", "Queued")
)
row("gate-only-stops-dispatched", "R2", "Only the page's example of a status is refused.")(
    stopped(DELIVERED), is_payable=lambda _s, load: load.status != "Dispatched"
)
row("gate-stops-financed", "R1", "A load that is Financed takes no payment.")(
    taken(FINANCED), is_payable=stopping("Financed")
)
row("gate-stops-completed", "R1", "A load that is Completed takes no payment, because it is paid in full.")(
    taken(COMPLETED), is_payable=stopping("Completed")
)
row("gate-stops-invoiced", "R1", "A load that is Invoiced takes no payment.")(
    responds(200, pay()), is_payable=stopping("Invoiced")
)
row("gate-closes-after-payment", "R1", "A load takes one payment, then no more.")(
    responds(200, pay(), pay(ReferenceNumber="R-2")),
    is_payable=then(lambda _s, payable, load: payable and not load.payments),
)


@row.defect("R2", shown=shows(None, ON_DISPATCHED, read(DISPATCHED), at="payments"))
class GateComesAfterRecording(Service):
    """The payment is recorded, then refused because of the status."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        if not self.is_payable(load):
            self.keep(load, self.new_payment(load, posted))
        return await super().record(load, posted)


@row.defect("R2", shown=stopped(DISPATCHED))
class GateIgnoresSilently(Service):
    """A payment on a load that is not payable is answered with 200, and dropped."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        if not self.is_payable(load):
            return self.new_payment(load, posted), False
        return await super().record(load, posted)


def answering(status: int) -> Function:
    """Refuses at the gate with another status."""
    return lambda s, load: None if s.is_payable(load) else refuse(status, "Status", GATE_SENTENCE)


def saying(sentence: str) -> Function:
    """Refuses at the gate with another sentence."""
    return lambda s, status, errors: Service.problem(
        s, status, {"Status": [sentence]} if "Status" in errors else errors
    )


SAID = shows([GATE_SENTENCE], ON_DISPATCHED, at="errors/Status")
row("gate-answers-conflict", "R2", "A load that is not payable is answered with 409.")(
    stopped(DISPATCHED), check_gate=answering(409)
)
row("gate-answers-not-found", "R2", "A load that is not payable is answered with 404.")(
    stopped(DISPATCHED), check_gate=answering(404)
)
row("gate-names-other-statuses", "R2 A24", "The sentence of the status rule leaves Financed out.")(
    SAID, problem=saying("Load must be in one of: Invoiced, Completed.")
)
row("gate-says-nothing", "R2 A24", "The status rule is refused with a sentence that names no status.")(
    SAID, problem=saying("The load cannot be paid.")
)
