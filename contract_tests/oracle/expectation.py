"""What is expected of a payment request before it is sent, as far as the contract tells."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from contract_tests.oracle.model import Model
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.clauses import NOT_PAYABLE, PAYABLE_STATUSES
from contract_tests.rules.refusals import Doubt, RefusalReason, exactly
from contract_tests.rules.responses import TEXT_FIELDS, LoadView, PaymentView
from contract_tests.rules.values import EXACT, Money, instant, same_day

_COMMON_CURRENCIES = (840, 124, 484)


class Kind(Enum):
    """What a reference is to the load that it is sent to."""

    NEW = "new"
    REPLAY = "a replay"
    CHANGED_REPLAY = "a replay with other values"
    NEAR = "near a known one"
    ELSEWHERE = "known on another load"
    REFUSED_BEFORE = "refused before"

    @property
    def is_replay(self) -> bool:
        """Whether the load is known to have exactly this reference."""
        return self in (Kind.REPLAY, Kind.CHANGED_REPLAY)

    @property
    def may_be_replay(self) -> bool:
        """Whether a target might take the reference for one that it has."""
        return self.is_replay or self in (Kind.NEAR, Kind.ELSEWHERE)


@dataclass(frozen=True, slots=True)
class LoadBefore:
    """What is known of a load before a payment: as it was read, or else what is said of it.

    `view` is None where nobody looked. `exists` is False for a number that no load has. `nominal` is
    the status that a load is said to have which nobody read.
    """

    view: LoadView | None = None
    exists: bool = True
    nominal: str | None = None

    @property
    def status(self) -> str | None:
        """The load's status, as it was read or is said to be."""
        return self.view.status if self.view else self.nominal

    @property
    def reasons(self) -> list[RefusalReason]:
        """Why the load refuses every payment."""
        if not self.exists:
            return [RefusalReason("R3", "no load has that number", exactly(404))]
        if self.status is not None and self.status not in PAYABLE_STATUSES:
            return [RefusalReason("R2", f"the load's status is {self.status}", exactly(400), NOT_PAYABLE)]
        return []


@dataclass(frozen=True, slots=True)
class Expectation:
    """A payment request with all that decides, before it is sent, what its response must be."""

    attempt: Attempt
    load: LoadBefore
    kind: Kind
    reasons: list[RefusalReason]
    doubts: frozenset[Doubt]

    @property
    def forbidding(self) -> list[RefusalReason]:
        """Why the contract says that the request records nothing; none if it may record something."""
        return [] if self.kind.is_replay or self.kind is Kind.NEAR else self.reasons

    @property
    def stopping(self) -> list[RefusalReason]:
        """Those that are rules of the page, R1 to R5: a run ends where one is broken."""
        return [reason for reason in self.forbidding if reason.clause.startswith("R")]

    @property
    def must_be_refused(self) -> bool:
        """Whether a payment that is recorded all the same ends the run."""
        return bool(self.stopping)

    @property
    def clause(self) -> str:
        """The clause that a payment breaks which is recorded all the same; nothing if it may be."""
        reasons = self.stopping or self.forbidding
        return reasons[0].clause if reasons else ""


def expect(model: Model, attempt: Attempt, load: LoadBefore, doubts: Iterable[Doubt]) -> Expectation:
    """Joins what the request says with what is known of its load; `doubts` are those of the caller."""
    kind = _kind_of(attempt, model)
    own = attempt.doubts | _doubts_about(attempt, load.view) | _known(attempt, model)
    if kind is Kind.REPLAY:
        own = attempt.doubts - _settled_doubts(attempt, model)
    return Expectation(attempt, load, kind, attempt.reasons + load.reasons, frozenset({*own, *doubts}))


def _settled_doubts(attempt: Attempt, model: Model) -> set[Doubt]:
    """What spoke against the first request of this reference too, which was recorded all the same."""
    first = model.load(attempt.load or "").sent.get(attempt.reference or "")
    return first.doubts if first else set()


def _doubts_about(attempt: Attempt, before: LoadView | None) -> set[Doubt]:
    """What the load leaves open: its currency (A14), and how much of it is still to pay (A13)."""
    doubts = set()
    own = before.currency if before else None
    currencies = _COMMON_CURRENCIES if own is None else (own,)
    if attempt.currency is not None and attempt.currency not in currencies:
        doubts.add(Doubt.OTHER_CURRENCY)
    if before and attempt.amount is not None and _overpays(attempt.amount, before):
        doubts.add(Doubt.OVERPAYMENT)
    return doubts


def _known(attempt: Attempt, model: Model) -> set[Doubt]:
    """Whether the invoice is known to be another load's (A19)."""
    invoice = attempt.text("InvoiceNumber")
    elsewhere = invoice and attempt.load is not None and model.has_invoice_elsewhere(attempt.load, invoice)
    return {Doubt.INVOICE_OF_ANOTHER_LOAD} if elsewhere else set()


def _overpays(amount: Decimal, before: LoadView) -> bool:
    if before.billed is None or amount.adjusted() >= 300:
        return False
    return EXACT.add(before.paid, amount) > before.billed.amount


def _kind_of(attempt: Attempt, model: Model) -> Kind:
    number, reference = attempt.load, attempt.reference
    if number is None or reference is None:
        return Kind.NEW
    original = model.original(number, reference)
    if original is not None:
        sent = model.load(number).sent.get(reference)
        other = _asks_otherwise(attempt, sent) if sent else _differs(attempt, original)
        changed = attempt.reasons or attempt.vague or other
        return Kind.CHANGED_REPLAY if changed else Kind.REPLAY
    if model.has_elsewhere(number, reference):
        return Kind.ELSEWHERE
    if model.was_refused(number, reference):
        return Kind.REFUSED_BEFORE
    return Kind.NEAR if model.has_near(number, reference) else Kind.NEW


def _asks_otherwise(attempt: Attempt, first: Attempt) -> bool:
    """Whether a replay asks for something else than the request that was recorded first."""

    def asked(one: Attempt) -> tuple[object, ...]:
        texts = (one.text(name) or None for name in TEXT_FIELDS)
        return one.amount, one.currency, instant(one.date or ""), *texts

    return asked(attempt) != asked(first)


def _differs(attempt: Attempt, original: PaymentView) -> bool:
    """Whether a replay asks for something else than what was recorded first, as far as responses tell."""
    money = Money(attempt.amount or Decimal(0), attempt.currency or Decimal(0))
    date = original.fields.get("PaymentDate")
    texts = [name for name in TEXT_FIELDS if name in original.fields]
    return (
        money != original.amount
        or any((attempt.text(name) or None) != (original.fields.get(name) or None) for name in texts)
        or not isinstance(date, str)
        or not same_day(attempt.date or "", date)
    )
