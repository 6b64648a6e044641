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
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error
    return Parsed(document, repeats)


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
        if currency != currency.to_integral_value():
            return None
        return Money(amount, currency)

    def __str__(self) -> str:
        return f"{self.amount} in currency {self.currency}"


def grain(*amounts: Decimal) -> Decimal:
    """How far a sum of these may be off when doubles added it: never a cent for ordinary money."""
    widest = max((abs(amount) for amount in amounts), default=Decimal(0))
    size = float(min(widest, Decimal(10) ** 300))
    return Decimal(4 * math.ulp(size))


def nearly(one: Decimal, other: Decimal, *scale: Decimal) -> bool:
    """Whether two amounts are the same but for what doubles lose."""
    return abs(EXACT.subtract(one, other)) <= grain(one, other, *scale)


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


def _marked(value: object) -> object:
    if isinstance(value, Mapping):
        return {_marked(name): _marked(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(each) for each in value]
    return _SURROGATE.sub(lambda one: f"{_MARK}{ord(one[0]):04x}", value) if isinstance(value, str) else value


_MARK = "\ufdd0"
_SURROGATE = re.compile("[\ud800-\udfff]")
_encoder = msgspec.json.Encoder(decimal_format="number")


def money_text(amount: Decimal) -> str:
    """A sum as people write it: with its cents, and without the zeros that follow the last digit."""
    if not amount.is_finite():
        return str(amount)
    written, needed = (-int(one.as_tuple().exponent) for one in (amount, amount.normalize(EXACT)))
    return f"{amount:.{max(needed, min(written, 2), 0)}f}"
