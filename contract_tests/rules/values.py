"""Values as the wire carries them, compared by what they mean: JSON, instants, money."""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import TypeAlias

import msgspec

Json: TypeAlias = "bool | Decimal | str | list[Json] | dict[str, Json] | None"
"""A JSON document whose numbers are all decimals, so that `==` compares values (10 and 1E+1)."""

EXACT = Context(prec=4000)
"""Adds and subtracts amounts without rounding: wide enough for any two doubles."""


class NotJsonError(ValueError):
    """The bytes are not a JSON document."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A JSON document. Of a field that appears twice in an object the last counts, and `repeats` is set."""

    document: Json
    repeats: bool


def parse_json(content: bytes) -> Parsed:
    """The document in `content`; NotJsonError if it is not one."""
    repeats = False

    def fields(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal repeats
        found = dict(pairs)
        repeats = repeats or len(found) < len(pairs)
        return found

    try:
        document: Json = json.loads(
            content.decode(),
            object_pairs_hook=fields,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NotJsonError(str(error)) from error
    if content.count(b"[") + content.count(b"{") > _DEEPEST and _depth(document) > _DEEPEST:
        raise NotJsonError(f"the document is nested more than {_DEEPEST} levels deep")
    return Parsed(document, repeats)


_DEEPEST = 200
"""Levels: what is nested deeper could not be compared, searched or printed."""


def _depth(document: Json) -> int:
    deepest, pending = 0, [(document, 1)]
    while pending:
        node, level = pending.pop()
        deepest = max(deepest, level)
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        pending.extend((each, level + 1) for each in inner)
    return deepest


def _refuse(constant: str) -> Json:
    raise NotJsonError(f"{constant} is not a JSON number")


def strings_in(document: Json) -> list[str]:
    """Every string value of the document, in order, field names left out."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [text for item in document for text in strings_in(item)]
    return []


def near(text: str) -> str:
    """What two references share that a target might take for one (A9): case, outer space, normal form."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


_DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def instant(text: str) -> Decimal | None:
    """The seconds since the first of January of year 1 in UTC, exactly; None if `text` is not RFC 3339."""
    match = _DATE_TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    offset = (int(offset_hours or 0) * 60 + int(offset_minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        days = date(year, month, day).toordinal()
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 59 or abs(offset) > 24 * 60 - 1 or int(offset_minutes or 0) > 59:
        return None
    whole = days * 86400 + hour * 3600 + minute * 60 + second - offset * 60
    return EXACT.add(Decimal(whole), Decimal(fraction or 0))


_LENIENT_DATE_TIME = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?)?\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date-time as it is written. `seconds` since year 1 are by its own clock, without the offset.

    `offset` is in seconds, None where none is written; `digits` are those of the second's fraction, None
    where the day alone is written.
    """

    seconds: Decimal
    offset: int | None
    digits: int | None

    @property
    def instant(self) -> Decimal:
        """The seconds in UTC; without an offset, its own clock is taken for that of UTC."""
        return EXACT.subtract(self.seconds, Decimal(self.offset or 0))

    @property
    def days(self) -> set[Decimal]:
        """The day that is written, and the day in UTC."""
        return {self.seconds // _DAY, self.instant // _DAY}


_DAY = Decimal(86400)


def date_time(text: str) -> DateTime | None:
    """What a service wrote for a date-time, its time or its offset left out too; None if it is none."""
    match = _LENIENT_DATE_TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, zone = match[7] or "", match[8]
    try:
        days = date(year, month, day).toordinal()
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    whole = Decimal(days * 86400 + hour * 3600 + minute * 60 + second)
    seconds = EXACT.add(whole, Decimal(fraction or 0))
    return DateTime(seconds, _offset(zone), None if match[4] is None else len(fraction[1:]))


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    digits = re.sub(r"\D", "", zone)
    seconds = int(digits[:2] or 0) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone.startswith("-") else seconds


def same_day(one: str, other: str) -> bool:
    """Whether two date-times share a day, as it is written or in UTC."""
    first, second = date_time(one), date_time(other)
    return first is not None and second is not None and not first.days.isdisjoint(second.days)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency, which is an ISO 4217 numeric code."""

    amount: Decimal
    currency: Decimal

    @staticmethod
    def of(value: Json) -> "Money | None":
        """What `{Amount, Currency}` says, extra fields allowed; None if it is something else."""
        if not isinstance(value, dict):
            return None
        amount, currency = value.get("Amount"), value.get("Currency")
        if not isinstance(amount, Decimal) or not isinstance(currency, Decimal):
            return None
        if abs(amount.adjusted()) > _LARGEST_EXPONENT or abs(currency.adjusted()) > _LARGEST_EXPONENT:
            return None
        if currency != currency.to_integral_value():
            return None
        return Money(amount, currency)

    def __str__(self) -> str:
        return f"{self.amount} in currency {self.currency}"


_LARGEST_EXPONENT = 400
"""Beyond that of any double; no sum of such numbers could be computed."""


def grain(*amounts: Decimal) -> Decimal:
    """How far a sum of these may be off when doubles added it: never a cent for ordinary money."""
    widest = max((abs(amount) for amount in amounts), default=Decimal(0))
    size = float(min(widest, Decimal(10) ** 300))
    return Decimal(4 * math.ulp(size))


def nearly(one: Decimal, other: Decimal, *scale: Decimal, additions: int = 1) -> bool:
    """Whether two amounts are the same but for what doubles lose, each time that one is added."""
    return abs(EXACT.subtract(one, other)) <= grain(one, other, *scale) * max(additions, 1)


def visible(text: str, keep: str = "") -> str:
    r"""The text with everything escaped that could steer a terminal or turn the order of what is read.

    Control characters, C1, bidirectional marks and lone surrogates become `\x1b`, `\u202e` and so on;
    the characters of `keep` stay.
    """
    return _UNSEEN.sub(lambda one: one[0] if one[0] in keep else ascii(one[0])[1:-1], text)


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def encode_json(value: object) -> bytes:
    """A document as JSON; decimals are numbers, as written (`Decimal('0.10')` is `0.10`).

    A lone surrogate, which a response may have held, is escaped.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        # The encoder writes no surrogate: a character that no text has stands for its backslash.
        marked = _encoder.encode(_marked(value))
        return marked.replace(_MARK.encode(), b"\\u")


def as_json(value: Json) -> str:
    """A value of a document, for people to read: as JSON writes it."""
    return encode_json(value).decode()


def _marked(value: object) -> object:
    if isinstance(value, Mapping):
        return {_marked(name): _marked(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(each) for each in value]
    return _SURROGATE.sub(lambda one: f"{_MARK}{ord(one[0]):04x}", value) if isinstance(value, str) else value


_MARK = "\ufdd0"
_SURROGATE = re.compile("[\ud800-\udfff]")
_encoder = msgspec.json.Encoder(decimal_format="number")


_DECIMALS_FOR_PEOPLE = 4


def money_text(amount: Decimal) -> str:
    """A sum as people write it: with its cents, at most four decimals, and no zeros after the last digit."""
    if not amount.is_finite():
        return str(amount)
    if amount.as_tuple().exponent < -_DECIMALS_FOR_PEOPLE:  # type: ignore[operator]  # it is finite
        amount = amount.quantize(Decimal(1).scaleb(-_DECIMALS_FOR_PEOPLE), context=EXACT)
    written, needed = (-int(one.as_tuple().exponent) for one in (amount, amount.normalize(EXACT)))
    return f"{amount:.{max(needed, min(written, 2), 0)}f}"
