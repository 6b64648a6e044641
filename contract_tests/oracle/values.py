"""The values of a new payment: as they were sent (D2), with room for what is open.

Open are outer white space, empty texts, digits beyond cents and currency 0.
"""

from decimal import Decimal

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.refusals import Doubt
from contract_tests.rules.responses import TEXT_FIELDS, PaymentView
from contract_tests.rules.values import instant, nearly

_FINEST_INSTANT = Decimal("0.001")


def judge_values(verdict: Verdict, attempt: Attempt, shown: PaymentView, own: int | None) -> None:
    """What the response shows of the payment that was just recorded; `own` is the load's currency."""
    _judge_reference(verdict, attempt.reference or "", shown.reference or "")
    if attempt.amount is not None:
        _judge_amount(verdict, attempt.amount, shown.amount.amount, attempt.doubts)
    _judge_currency(verdict, attempt.currency, shown.amount.currency, own)
    for name in TEXT_FIELDS:
        _judge_text(verdict, name, attempt.text(name), shown.fields[name])
        if attempt.body.get(name) is None:
            verdict.observe("Q35", "are null" if name in shown.fields else "are left out")
    note = shown.fields.get("Note")
    verdict.require("D1", note is None, "no Note in a payment", repr(note))
    date = shown.fields["PaymentDate"]
    if isinstance(date, str) and attempt.date is not None and Doubt.UNUSUAL_DATE not in attempt.doubts:
        _judge_date(verdict, attempt.date, date)


def _judge_reference(verdict: Verdict, sent: str, got: str) -> None:
    verdict.require("D2", got in (sent, sent.strip()), f"ReferenceNumber {sent!r}", repr(got))
    if sent != sent.strip():
        verdict.observe("A9e", "as sent" if got == sent else "trimmed")


def _judge_amount(verdict: Verdict, sent: Decimal, got: Decimal, doubts: set[Doubt]) -> None:
    if Doubt.PRECISE_AMOUNT not in doubts:
        verdict.require("D2", got == sent, f"Amount {sent}", f"Amount {got}")
    elif got == sent:
        verdict.observe("A20c", "exact")
    elif nearly(got, sent):
        verdict.observe("A20c", "as a double")
    elif abs(got - sent) <= Decimal("0.00005"):
        verdict.observe("A20c", "rounded to four digits")
    elif abs(got - sent) <= Decimal("0.01"):
        verdict.observe("A20c", "rounded to cents")
    else:
        verdict.fail("D2", f"Amount {sent}", f"Amount {got}")


def _judge_currency(verdict: Verdict, sent: Decimal | None, got: Decimal, own: int | None) -> None:
    if sent == 0:
        verdict.observe("A14d", "that of the load" if got == own else str(int(got)))
    elif sent is not None:
        verdict.require("D2", got == sent, f"Currency {sent}", str(got))


def _judge_text(verdict: Verdict, name: str, sent: str | None, got: object) -> None:
    if sent is None:
        verdict.require("D2", got is None, f"{name} null", repr(got))
    elif not sent:
        verdict.observe("Q18", "stored empty" if got == "" else "stored as null")
        verdict.require("D2", not got, f"{name} empty", repr(got))
    elif sent == sent.strip():
        verdict.require("D2", got == sent, f"{name} {sent!r}", repr(got))
    else:
        _judge_spaced(verdict, name, sent, got)


def _judge_spaced(verdict: Verdict, name: str, sent: str, got: object) -> None:
    """A text with white space around, or of nothing else."""
    if not sent.strip() or got == sent.strip():
        verdict.observe("Q19", "kept" if got == sent else "trimmed")
    else:
        verdict.require("D2", got == sent, f"{name} {sent!r}", repr(got))
        verdict.observe("Q19", "kept")


def _judge_date(verdict: Verdict, sent: str, got: str) -> None:
    meant, returned = instant(sent), instant(got)
    if meant is None:
        return
    expected = f"PaymentDate {sent}, or the same instant written otherwise"
    same = returned is not None and abs(returned - meant) < _FINEST_INSTANT
    if not verdict.require("D2", same, expected, f"PaymentDate {got}"):
        return
    if got == sent and not sent.endswith("Z"):
        verdict.observe("A15", "as sent")
    elif got != sent:
        zone = "in UTC" if got.endswith(("Z", "+00:00")) else "with another offset"
        verdict.observe("A15", f"the same instant {zone}" if returned == meant else f"rounded, {zone}")
