"""The load after a new payment: its payments, total, status and time, and nothing else changed."""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime

from contract_tests.oracle.payment import PaymentExchange
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.responses import LoadView, PaymentResponse, PaymentView
from contract_tests.rules.values import EXACT, Money, date_time, instant, nearly

_CLOCKS_DIFFER_BY = Decimal(600)
_FURTHEST_ZONE = 86400


def judge_load(verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, new: PaymentView) -> None:
    """The load before and after `new` was recorded; nothing to judge where nobody looked."""
    if payment.around is None:
        return
    before, after = payment.around
    same = shown.status == after.status
    verdict.require("D3", same, f"Status {after.status}", f"Status {shown.status}")
    _judge_payments(verdict, before, after, new)
    require_told_total(verdict, "R7", shown, after)
    verdict.require_unchanged("P9", before.fixed_changes(after), "the load's other fields as before")
    _judge_total(verdict, new.amount, before, after)
    _observe_status(verdict, before, after)
    _judge_paid_at(verdict, payment.exchange, before, after)


def require_told_total(verdict: Verdict, clause: str, shown: PaymentResponse, after: LoadView) -> None:
    """The total that a response of July 2026 tells is that of the load."""
    if shown.total is not None and after.total is not None:
        told = shown.total.currency == after.total.currency and nearly(shown.total.amount, after.paid)
        verdict.require(clause, told, f"TotalPaid {after.total}, as on the load", f"TotalPaid {shown.total}")


def _judge_payments(verdict: Verdict, before: LoadView, after: LoadView, new: PaymentView) -> None:
    listed = after.payments.keys()
    expected = f"the payments before and {new.id} in the load's payments"
    verdict.require("R7", listed == before.payments.keys() | {new.id}, expected, ", ".join(listed))
    for key, old in before.payments.items():
        changes = old.differences(after.payments.get(key, old))
        verdict.require_unchanged("R7", changes, f"payment {key} as before")
    changes = new.differences(after.payments.get(new.id, new))
    verdict.require_unchanged("R7", changes, "the payment as the response shows it")


def _judge_total(verdict: Verdict, booked: Money, before: LoadView, after: LoadView) -> None:
    """The total grows by what the response shows, however the service rounded it."""
    amount, currency, own = booked.amount, booked.currency, before.currency
    if after.total is None and own not in (None, currency):
        verdict.observe("A14b" if currency else "A14c", "does not count")
        return
    if not verdict.require("R7", after.total, "totalPaid, filled", "totalPaid null") or after.total is None:
        return
    if own is None and before.payments:
        return
    if own is not None and currency != own:
        grown = EXACT.subtract(after.paid, before.paid)
        verdict.observe("A14b" if currency else "A14c", _share(grown, amount, after))
        return
    _judge_sum(verdict, amount, _paid_before(before, amount, after), after)
    if own is None:
        same = after.total.currency == currency
        verdict.observe("Q20", "that of the payment" if same else str(after.total.currency))
    else:
        expected = f"totalPaid in currency {own}"
        verdict.require("R7", after.total.currency == own, expected, f"{after.total}")


def _paid_before(before: LoadView, amount: Decimal, after: LoadView) -> Decimal:
    """The total before; where payments had none, what the new total says that they count."""
    if before.total is not None or not before.payments:
        return before.paid
    earlier = Decimal(0)
    for one in before.payments.values():
        earlier = EXACT.add(earlier, one.amount.amount)
    total, additions = EXACT.add(earlier, amount), len(after.payments)
    return earlier if nearly(after.paid, total, additions=additions) else Decimal(0)


def _share(grown: Decimal, amount: Decimal, after: LoadView) -> str:
    if not grown:
        return "does not count"
    counts = nearly(grown, amount, after.paid, additions=len(after.payments))
    return "counts" if counts else "counts with another amount"


def _judge_sum(verdict: Verdict, amount: Decimal, paid: Decimal, after: LoadView) -> None:
    total, grown = EXACT.add(paid, amount), EXACT.subtract(after.paid, paid)
    adds_up = nearly(grown, amount, paid, additions=len(after.payments))
    if verdict.require("R7", adds_up, f"totalPaid {total}", f"{after.total}"):
        exact = "exact" if grown == amount else "off by less than a cent"
        verdict.observe("A20d", exact)
        if Decimal(repr(float(paid) + float(amount))) != total:
            verdict.observe("A20a", exact)


def _observe_status(verdict: Verdict, before: LoadView, after: LoadView) -> None:
    billed, total = before.billed, after.total
    status = "unchanged" if after.status == before.status else after.status
    # What is Completed already does not tell whether a payment makes a load Completed.
    tells = before.status != "Completed" or after.status != "Completed"
    if billed is None:
        if tells:
            verdict.observe("A12c", status)
    elif total and total.currency == billed.currency:
        if tells:
            verdict.observe("A12a" if total.amount < billed.amount else "A12b", status)
        if total.amount > billed.amount:
            verdict.observe("A13", "accepted")


def _judge_paid_at(verdict: Verdict, exchange: Exchange, before: LoadView, after: LoadView) -> None:
    if not verdict.require("R7", after.paid_at, "paidAt, filled", "paidAt null") or after.paid_at is None:
        return
    moment = date_time(after.paid_at)
    recorded, now = None if moment is None else moment.instant, _now(exchange)
    # Without an offset it may be in the service's own zone, and without a time it is a day.
    slack = _CLOCKS_DIFFER_BY + (0 if moment and moment.offset is not None else _FURTHEST_ZONE)
    is_now = recorded is not None and abs(recorded - now) < slack
    if after.paid_at != before.paid_at:
        verdict.require("R7", is_now, "paidAt, the time of recording", f"paidAt {after.paid_at}")
        verdict.observe("A16a", "the time of recording")
    elif not is_now or _is_fine(recorded):
        verdict.observe("A16a", "unchanged")


def _is_fine(recorded: Decimal | None) -> bool:
    """Whether a time tells microseconds, so that two payments cannot share it."""
    return recorded is not None and bool(recorded * 1000 % 1)


def _now(exchange: Exchange) -> Decimal:
    """The time of the exchange by the target's own clock, or by ours where it does not tell."""
    told = exchange.response.headers.get("date")
    try:
        at = parsedate_to_datetime(told) if told else datetime.fromisoformat(exchange.started)
    except (ValueError, TypeError, IndexError):
        at = datetime.fromisoformat(exchange.started)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return instant(at.isoformat(timespec="seconds")) or Decimal(0)
