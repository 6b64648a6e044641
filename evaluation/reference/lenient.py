"""What Newtonsoft.Json takes that is not JSON, or not of the declared type."""

import json
import re
from collections.abc import Callable
from decimal import Context, Decimal

import json5

from evaluation.reference.values import Json

Pairs = list[tuple[str, Json]]
DECIMAL = re.compile(r"\s*-?(\d{1,3}(,\d{3})+|\d*)(\.\d+)?\s*")
INTEGER = re.compile(r"\s*-?\d+\s*")
# "2026-07-01", "2026-07-01 15:30", "2026-07-01T15:30:00+02" and what is between them.
DATE = re.compile(
    r"\s*(?P<date>\d{4}-\d\d-\d\d)"
    r"([T ](?P<minutes>\d\d:\d\d)(?P<seconds>:\d\d)?(?P<fraction>\.\d+)?\s?"
    r"(?P<zone>Z|[+-]\d\d(:?\d\d)?)?)?\s*",
    re.IGNORECASE,
)
OF_28_DIGITS = Context(prec=28)
LARGEST_OF_28_DIGITS = Decimal(2**96 - 1)


def loads(
    text: str,
    *,
    number: Callable[[str], Decimal],
    object_of: Callable[[Pairs], Json],
) -> Json:
    """JSON with comments, single quotes, bare names, `.01`, commas at the end, and text after it.

    The names of numbers that are none (`NaN`) come back as texts. Raises ValueError or RecursionError.
    """
    try:
        decoded: Json = json.loads(
            text, strict=False, parse_float=number, parse_constant=str, object_pairs_hook=object_of
        )
    except json.JSONDecodeError:
        decoded, error, _ = json5.parse(
            text,
            parse_float=number,
            parse_constant=str,
            object_pairs_hook=lambda pairs: object_of(list(pairs)),
            consume_trailing=False,
        )
        if error:
            raise ValueError(error) from None
    return decoded


def text_of(value: Json) -> Json:
    """A text for a bare value; anything else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | Decimal) else value


def number_of(value: Json) -> Json:
    """A number for a text that is one; null for an empty text; anything else as it is."""
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        return value
    return Decimal(value.replace(",", "").strip()) if any(map(str.isdigit, value)) else None


def integer_of(value: Json) -> Json:
    """An integer of 32 bits for a text that is one; null for an empty text; a text for any other number."""
    if isinstance(value, str) and (INTEGER.fullmatch(value) or not value.strip()):
        value = int(value) if value.strip() else None
    fits = isinstance(value, int) and -(2**31) <= value < 2**31
    return value if fits or value is None or isinstance(value, bool) else "out of range"


def date_of(text: str) -> str:
    """A date-time of RFC 3339 for one that lacks its zone, its seconds, its time; else as it is."""
    found = DATE.fullmatch(text)
    if not found:
        return text
    zone = (found["zone"] or "Z").replace(":", "")
    if zone not in "Zz":
        zone = f"{zone[:3]}:{zone[3:] or '00'}"
    clock = f"{found['minutes'] or '00:00'}{found['seconds'] or ':00'}{found['fraction'] or ''}"
    return f"{found['date']}T{clock}{zone}"
