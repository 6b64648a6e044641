"""How a profile records payments: the terms of the rule, and how a recorded payment is shown."""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Any, NamedTuple

from mock_server.answers.envelope import refusal
from mock_server.domain import (
    EXACT,
    LOAD_CURRENCY,
    PAYABLE_STATUSES,
    TERMS,
    Load,
    LoadNotPayable,
    Money,
    Payment,
    Payments,
    Stamp,
    Terms,
)
from mock_server.instants import instant
from mock_server.problems import InvalidRequest
from mock_server.responses import Style

UNCHANGED = "unchanged"
SAME = "the same payment"

RECORDING = (
    *(
        "A7",
        "A7b",
        "A9a",
        "A9b",
        "A9d",
        "A10f",
        "A12a",
        "A12b",
        "A12c",
        "A13",
        "A14a",
        "A14b",
        "A14c",
        "A14d",
    ),
    *("A16a", "A16b", "A20a", "A20c", "A20d", "Q20"),
)
"""The questions whose answers the terms play."""
SHOWING = ("A1", "A1b", "A6", "A9e", "A15", "Q1", "Q35", "Q41", "Q43")
"""The questions whose answers the style plays."""

_FOLDS: Mapping[str, Callable[[str], str]] = {
    "A9a": str.casefold,
    "A9b": str.strip,
    "A9d": partial(unicodedata.normalize, "NFKC"),
}


def terms_of(chosen: Mapping[str, str]) -> Terms:
    """The terms, given the answers that are not the default."""
    same = [key for key in _FOLDS if chosen.get(key) == SAME]
    made: dict[str, Any] = {
        "find": _find(same),
        "common": partial(_common, same) if same else None,
        "replay": _replay(chosen),
        "checks": tuple(_checks(chosen)),
        "kept": _kept(chosen),
        "currency": int(chosen["Q20"]) if "Q20" in chosen else None,
        "paid_at_stays": "A16a" in chosen,
    }
    if {"A20a", "A20d"} & chosen.keys():
        made["add"] = _add_doubles
    for question, name in (("A14b", "share_of_other_currency"), ("A14c", "share_of_load_currency")):
        if question in chosen and not chosen[question].isdigit():
            made[name] = _SHARES[chosen[question]]
    for question, name in (
        ("A12a", "status_when_part_paid"),
        ("A12b", "status_when_paid"),
        ("A12c", "status_without_amount"),
    ):
        if question in chosen:
            made[name] = None if chosen[question] == UNCHANGED else chosen[question]
    return replace(TERMS, **made)


def _folded(questions: Iterable[str], text: str) -> str:
    for question in questions:
        text = _FOLDS[question](text)
    return text


def _common(questions: Sequence[str], reference: str) -> str:
    """The folded reference, and by what it was folded."""
    return f"{','.join(questions)}:{_folded(questions, reference)}"


def _find(same: Sequence[str]) -> Callable[[Payments, str], Payment | None]:
    """What finds a payment by a reference that may differ in what the questions are about."""
    if not same:
        return TERMS.find

    def find(payments: Payments, reference: str) -> Payment | None:
        wanted = _folded(same, reference)
        near = (payment for known, payment in payments.items() if _folded(same, known) == wanted)
        return payments.get(reference) or next(near, None)

    return find


def _replay(
    chosen: Mapping[str, str],
) -> Callable[[Load, Payment, Payment, Callable[[], Stamp]], Load] | None:
    if not {"A7", "A7b", "A10f", "A16b"} & chosen.keys():
        return None
    closed = chosen.get("A10f", "")
    statuses = [chosen.get(question, "") for question in ("A7", "A7b")]
    kept = _kept(chosen) or _as_it_is

    def replay(load: Load, original: Payment, sent: Payment, stamp: Callable[[], Stamp]) -> Load:
        if closed and load.status not in PAYABLE_STATUSES:
            by_status = LoadNotPayable(load.status)
            raise _refused(closed, "The load takes no payment.") if closed.isdigit() else by_status
        for status, now, first in zip(statuses, _facts(kept(load, sent)), _facts(original), strict=True):
            if status and now != first:
                raise _refused(status, "The reference was used for another payment.")
        return replace(load, paid_at=stamp().at) if "A16b" in chosen else load

    return replay


def _as_it_is(_load: Load, payment: Payment) -> Payment:
    return payment


def _facts(payment: Payment) -> tuple[object, object]:
    """What a payment says that its response shows: the money, and the rest."""
    texts = (payment.invoice_number or None, payment.method or None, payment.check_number or None)
    return payment.amount, (instant(payment.date), *texts)


def _refused(status: str, sentence: str) -> InvalidRequest:
    return refusal(status, sentence, "ReferenceNumber")


# --- what is refused ------------------------------------------------------------------------------


def _checks(chosen: Mapping[str, str]) -> list[Callable[[Load, Payment], None]]:
    checks: list[Callable[[Load, Payment], None]] = [
        partial(_refuse_near, fold, chosen[key])
        for key, fold in _FOLDS.items()
        if chosen.get(key, "").isdigit()
    ]
    for question, reason in (("A13", _overpays), ("A14a", _is_in_other_currency)):
        if question in chosen:
            checks.append(partial(_refuse_if, reason, chosen[question]))
    return checks


def _refuse_near(fold: Callable[[str], str], status: str, load: Load, payment: Payment) -> None:
    wanted = fold(payment.reference)
    if any(fold(known) == wanted for known in load.payments):
        raise _refused(status, "The reference is nearly another's.")


def _refuse_if(reason: Callable[[Load, Payment], bool], status: str, load: Load, payment: Payment) -> None:
    if reason(load, payment):
        raise refusal(status, "The load takes no such amount.", "Amount")


def _overpays(load: Load, payment: Payment) -> bool:
    paid = load.total_paid.amount if load.total_paid else Decimal(0)
    return load.billed is not None and EXACT.add(paid, payment.amount.amount) > load.billed.amount


def _is_in_other_currency(load: Load, payment: Payment) -> bool:
    own = load.currency
    return own != LOAD_CURRENCY and payment.amount.currency not in (own, LOAD_CURRENCY)


# --- what is kept ---------------------------------------------------------------------------------


def _kept(chosen: Mapping[str, str]) -> Callable[[Load, Payment], Payment] | None:
    amount_of = _AMOUNTS.get(chosen.get("A20c", ""))
    currency = chosen.get("A14d")
    if amount_of is None and currency is None:
        return None

    def kept(load: Load, payment: Payment) -> Payment:
        amount, sent_in = payment.amount
        if amount_of is not None:
            amount = amount_of(amount)
        if currency is not None and sent_in == LOAD_CURRENCY:
            sent_in = load.currency if currency == "that of the load" else int(currency)
        return payment._replace(amount=Money(amount, sent_in))

    return kept


def _as_double(amount: Decimal) -> Decimal:
    return Decimal(repr(float(amount)))


def _rounded(digits: int, amount: Decimal) -> Decimal:
    if -int(amount.as_tuple().exponent) <= digits:
        return amount
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN, EXACT)


_AMOUNTS: Mapping[str, Callable[[Decimal], Decimal]] = {
    "as a double": _as_double,
    "rounded to cents": partial(_rounded, 2),
    "rounded to four digits": partial(_rounded, 4),
}


def _add_doubles(one: Decimal, other: Decimal) -> Decimal:
    largest = sys.float_info.max
    return _as_double(Decimal(min(max(float(one) + float(other), -largest), largest)))


_SHARES = {"counts": Decimal(1), "does not count": Decimal(0), "counts with another amount": Decimal("0.92")}


# --- what is shown --------------------------------------------------------------------------------


def style_of(chosen: Mapping[str, str], names: Sequence[str]) -> Style:
    """The style, given the answers that are not the default, and the names of a load's payment fields."""
    made: dict[str, Any] = {}
    if "A1" in chosen:
        made["names"] = dict(zip(names, chosen["A1"].split(", "), strict=True))
    if "A1b" in chosen:
        made["fields_in_load"] = frozenset(chosen["A1b"].lower().split(", "))
    if {"Q1", "A6"} & chosen.keys():
        made["order"] = _ORDERS.get(chosen.get("Q1", ""), list)
    if {"A9e", "A15", "Q43"} & chosen.keys():
        made["payment"] = partial(_shown, _date_writer(chosen), "A9e" in chosen)
    if "Q41" in chosen:
        made["paid_at"] = lambda text: text.removesuffix("Z")
    made["omits_null"] = "Q35" in chosen
    return Style(**made)


def _shown(date_of: Callable[[str], str], trims: bool, payment: Payment) -> Payment:  # noqa: FBT001
    payment = payment._replace(date=date_of(payment.date))
    return payment._replace(reference=payment.reference.strip()) if trims else payment


_ORDERS: Mapping[str, Callable[[list[Payment]], Sequence[Payment]]] = {
    "newest first": lambda payments: payments[::-1],
    "some other": lambda payments: payments[::2] + payments[1::2][::-1],
}

_INSTANT = re.compile(r"(.{10})T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


class Written(NamedTuple):
    """A date as it is written: `2026-07-01`, `15:30:00`, `.5`, `+02:00`."""

    day: str
    time: str
    fraction: str
    zone: str

    def text(self) -> str:
        """The whole; of nothing but a day, the day."""
        return f"{self.day}T{self.time}{self.fraction}{self.zone}" if self.time else self.day


def _date_writer(chosen: Mapping[str, str]) -> Callable[[str], str]:
    """What writes a date, which RFC 3339 wrote before."""
    zone, precision = _ZONES.get(chosen.get("A15", "")), _PRECISIONS.get(chosen.get("Q43", ""))

    def write(match: re.Match[str]) -> str:
        written = Written(*match.groups(default=""))
        for step in (zone, precision):
            if step is not None and written.time:
                written = step(written)
        return written.text()

    return partial(_INSTANT.sub, write)


def _moved(hours: int, written: Written) -> Written:
    """The same instant with another offset."""
    try:
        at = instant(written._replace(fraction="").text()).astimezone(timezone(timedelta(hours=hours)))
    except OverflowError:
        return written
    text = at.isoformat(timespec="seconds")
    return Written(text[:10], text[11:19], written.fraction, text[19:].replace("+00:00", "Z"))


_ZONES: Mapping[str, Callable[[Written], Written]] = {
    "the same instant in UTC": partial(_moved, 0),
    "the same instant with another offset": partial(_moved, -5),
    "without an offset, as sent": lambda written: written._replace(zone=""),
    "without an offset, in UTC": lambda written: _moved(0, written)._replace(zone=""),
    "another instant of the day": lambda written: Written(written.day, "00:00:00", "", "Z"),
    "the day only": lambda written: Written(written.day, "", "", ""),
}
"""The zone of a date that is shown, by the answers to A15."""
_PRECISIONS: Mapping[str, Callable[[Written], Written]] = {
    "a part of a millisecond is lost": lambda written: written._replace(fraction=written.fraction[:4]),
    "rounded within a second": lambda written: written._replace(fraction=""),
    "rounded to a minute or more": lambda written: written._replace(
        time=f"{written.time[:5]}:00", fraction=""
    ),
    "the day": lambda written: written._replace(time="00:00:00", fraction=""),
}
"""Its precision, by the answers to Q43."""
