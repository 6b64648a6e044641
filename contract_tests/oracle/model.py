"""What is known of each load between two requests, in plain dicts: the oracle's memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from contract_tests.rules.attempt import Attempt
from contract_tests.rules.responses import LoadView, PaymentView
from contract_tests.rules.revisions import Revision
from contract_tests.rules.values import near


@dataclass(slots=True)
class KnownLoad:
    """The payments that a load was seen to have, and the references that it refused."""

    originals: dict[str, PaymentView] = field(default_factory=dict)
    """Reference -> the payment as it was first returned."""
    payments: dict[str, PaymentView] = field(default_factory=dict)
    """Id -> the payment as it was first returned."""
    refused: set[str] = field(default_factory=set)
    sent: dict[str, Attempt] = field(default_factory=dict)
    """Reference -> the request that was recorded."""

    @property
    def invoices(self) -> set[str]:
        """The invoice numbers of its payments, as they were sent or are shown, in a form to compare."""
        numbers = [payment.fields.get("InvoiceNumber") for payment in self.payments.values()]
        numbers += [attempt.text("InvoiceNumber") for attempt in self.sent.values()]
        return {near(number) for number in numbers if isinstance(number, str)}

    def remember(self, payment: PaymentView) -> None:
        """Keeps a payment; the first sight of it counts."""
        known = self.payments.get(payment.id)
        if known is None or len(known.fields) < len(payment.fields):
            self.payments[payment.id] = payment
        if payment.reference is not None:
            self.originals.setdefault(payment.reference, payment)


@dataclass(slots=True)
class Model:
    """Load number -> what is known of it. A resumed run may meet payments that it has not seen."""

    resumed: bool = False
    revision: Revision | None = None
    """That of the first response to a payment, or the one that the target is said to speak."""
    loads: dict[str, KnownLoad] = field(default_factory=dict)

    def load(self, number: str) -> KnownLoad:
        """What is known of this load; nothing at first."""
        return self.loads.setdefault(number, KnownLoad())

    def see(self, view: LoadView) -> None:
        """Learns from a read."""
        self.learn(view.number, view.payments.values())

    def learn(self, number: str, payments: Iterable[PaymentView]) -> None:
        """Learns the payments of a load."""
        for payment in payments:
            self.load(number).remember(payment)

    def original(self, number: str, reference: str) -> PaymentView | None:
        """The payment that this load is known to have under exactly this reference."""
        return self.load(number).originals.get(reference)

    def has_near(self, number: str, reference: str) -> bool:
        """Whether the load has, or refused, a reference that a target might take for this one."""
        known = self.load(number)
        return near(reference) in {near(other) for other in (*known.originals, *known.refused)}

    def has_elsewhere(self, number: str, reference: str) -> bool:
        """Whether another load has such a reference."""
        wanted = near(reference)
        return any(
            wanted in {near(other) for other in known.originals}
            for other_number, known in self.loads.items()
            if other_number != number
        )

    def has_invoice_elsewhere(self, number: str, invoice: str) -> bool:
        """Whether a payment of another load is known to have such an invoice number."""
        return any(
            near(invoice) in known.invoices
            for other_number, known in self.loads.items()
            if other_number != number
        )

    def was_refused(self, number: str, reference: str) -> bool:
        """Whether this reference was refused before and never taken."""
        return reference in self.load(number).refused
