"""The values of a new payment: as they were sent (D2), with room for what is open.

Open are outer white space, empty texts, digits beyond cents, currency 0, what a reader converted, and all
of a date but its day.
"""

from decimal import Decimal

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.refusals import Doubt
from contract_tests.rules.responses import TEXT_FIELDS, PaymentView
from contract_tests.rules.values import DateTime, date_time, nearly, same_day

_FINEST_INSTANT = Decimal("0.001")


def judge_values(verdict: Verdict, attempt: Attempt, shown: PaymentView, own: int | None) -> None:
    """What the response shows of the payment that was just recorded; `own` is the load's currency."""
    _judge_reference(verdict, attempt.reference or "", shown.reference or "")
    judge_money(verdict, attempt, shown, own)
    for name in TEXT_FIELDS:
        if attempt.body.get(name) is None or attempt.text(name) is not None:
            _judge_text(verdict, name, attempt.text(name), shown.fields.get(name))
        if attempt.body.get(name) is None:
            verdict.observe("Q35", "are null" if name in shown.fields else "are left out")
    note = shown.fields.get("Note")
    verdict.require("D1", note is None, "no Note in a payment", repr(note))
    date = shown.fields["PaymentDate"]
    if isinstance(date, str) and attempt.date is not None and Doubt.UNUSUAL_DATE not in attempt.doubts:
        _judge_date(verdict, attempt.date, date)


def judge_money(verdict: Verdict, attempt: Attempt, shown: PaymentView, own: int | None) -> None:
    """The amount and the currency, which is all that a load of July 2026 shows of a payment."""
    if attempt.amount is not None:
        _judge_amount(verdict, attempt.amount, shown.amount.amount, attempt.doubts)
    _judge_currency(verdict, attempt.currency, shown.amount.currency, own)


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
    if not sent:
        told = "that of the load" if got and got == own else str(int(got))
        verdict.observe("Q50" if sent is None else "A14d", told)
    else:
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
    expected = f"PaymentDate on the day of {sent}, in its zone or in UTC"
    if not verdict.require("D2", same_day(sent, got), expected, f"PaymentDate {got}"):
        return
    meant, returned = date_time(sent), date_time(got)
    if meant is None or returned is None:
        return
    if not sent.endswith("Z"):
        verdict.observe("A15", _zone_kept(meant, returned, is_same=got == sent))
    if meant.digits or meant.seconds % 60:
        verdict.observe("Q43", _precision_kept(meant, returned))


def _zone_kept(sent: DateTime, got: DateTime, *, is_same: bool) -> str:
    if is_same:
        return "as sent"
    if got.digits is None:
        return "the day only"
    written_alike = abs(got.seconds - sent.seconds) < 1
    if got.offset is None:
        return f"without an offset, {'as sent' if written_alike else 'in UTC'}"
    if got.offset == sent.offset and written_alike:
        return "as sent"
    if abs(got.instant - sent.instant) >= 1:
        return "another instant of the day"
    return "the same instant in UTC" if not got.offset else "the same instant with another offset"


def _precision_kept(sent: DateTime, got: DateTime) -> str:
    """How exactly the time is kept; of zones that differ, only what is within a minute tells."""
    if got.digits is None or (not got.seconds % _DAY and sent.seconds % _DAY):
        return "the day"
    lost = abs(got.seconds % 60 - sent.seconds % 60)
    if not lost:
        return "as sent"
    if lost < _FINEST_INSTANT:
        return "a part of a millisecond is lost"
    return "rounded within a second" if lost < 1 else "rounded to a minute or more"


_DAY = 86400
