"""JSON whose numbers stay decimal: read strictly, written exactly."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import islice

import msgspec


class NotJson(ValueError):
    """The bytes are not JSON that can be relied on; the message says why."""


def number(text: str) -> int | Decimal:
    """The number in a JSON text: an `int` if it is written as one, else a `Decimal`.

    Beyond the range of a double it is the decimal NaN, which no schema accepts.
    """
    decimal = _decimal(text)
    return decimal if decimal.is_nan() or not text.removeprefix("-").isdigit() else int(text)


def _decimal(text: str) -> Decimal:
    # A double is the widest number that every JSON reader shares (RFC 8259, section 6). What it
    # can't hold becomes a number that no schema accepts; what it can't tell from zero is zero.
    # Without this, a sum with 1e-999999999 would have a billion digits.
    double = float(text)
    if double in _INFINITIES:
        return _BEYOND
    return Decimal(text) if double else _ZERO


_INFINITIES = (float("inf"), float("-inf"))
_BEYOND = Decimal("NaN")
_ZERO = Decimal(0)

_decoder = msgspec.json.Decoder(float_hook=_decimal)
encode = msgspec.json.Encoder(decimal_format="number").encode

_LONGEST_INTEGER = 308
"""Digits that an integer can have and certainly be within the range of a double."""
_LONGEST_NUMBER = 100_000
"""Digits that a number can have and be compared and written in milliseconds."""
_LONG_INTEGER = re.compile(rb"(?<![0-9])[0-9]{%d}" % (_LONGEST_INTEGER + 1))


Pairs = list[tuple[str, object]]


def decode(body: bytes, object_of: "Callable[[Pairs], dict[str, object]] | None" = None) -> object:
    """The document in `body`, with `int` and `Decimal` for numbers.

    NotJson if it is not JSON in UTF-8, is nested too deeply to be read, holds a lone surrogate, or an
    object has a field twice (one of the two would be lost), unless `object_of` makes objects of those. A
    number beyond the range of a double is read as the decimal NaN, which fails every `type`.
    """
    try:
        document = _decoder.decode(body)
        # The fast decoder forgives a repeated field and an integer beyond a double; both are rare,
        # and cheap to suspect. Every field has one colon outside strings: a document with fewer
        # colons than its text has lost a field, unless a colon hides in an escape. To read every body
        # carefully would be 14 % of a payment's CPU time, as `python -m benchmarks.shortcuts`
        # measures it ("counted colons").
        if (
            body.count(b":") != encode(document).count(b":")
            or body.find(b"\\") >= 0
            or (len(body) > _LONGEST_INTEGER and _LONG_INTEGER.search(body))
        ):
            return _decode_carefully(body, object_of or _object)
    except UnicodeDecodeError as error:
        raise NotJson("it is not UTF-8") from error
    except RecursionError as error:
        raise NotJson("it is nested too deeply") from error
    except msgspec.DecodeError as error:
        raise NotJson(str(error)) from error
    return document


def _decode_carefully(body: bytes, object_of: Callable[[Pairs], dict[str, object]]) -> object:
    """The same, of JSON that `_decoder` has read, with an eye on every field and every long number."""
    return json.loads(body, object_pairs_hook=object_of, parse_float=_of_bearable_length, parse_int=number)


def _of_bearable_length(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise NotJson(f"a number has more than {_LONGEST_NUMBER} digits")
    return _decimal(text)


MOST_VALUES = 50_000
"""Values of a body that is read, or a few more: a load with some 5,000 payments."""


def _up_to(mark: bytes) -> re.Pattern[bytes]:
    """A pattern for what ends with a mark, or with the document; marks in its texts are none."""
    return re.compile(rb'(?:[^"%b]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"|")*+(?:[%b]|\Z)' % (mark, mark), re.DOTALL)


_UP_TO_COMMA, _UP_TO_OPENING = _up_to(b","), _up_to(rb"\[{")


def refuse_many_values(body: bytes) -> None:
    """NotJson if a text has more values than can be read in some milliseconds, however short each is."""
    if _has_more(_UP_TO_COMMA, body):
        raise NotJson(f"it has more than {MOST_VALUES} values")
    if _has_more(_UP_TO_OPENING, body):  # with as few commas as that
        raise NotJson("it is nested too deeply")


def _has_more(up_to_mark: re.Pattern[bytes], body: bytes) -> bool:
    # Behind the last mark there are two more matches: what follows it, and the end.
    return next(islice(up_to_mark.finditer(body), MOST_VALUES + 2, None), None) is not None


def last_of_each(pairs: Pairs) -> dict[str, object]:
    """An object in which the last of the fields of one name counts."""
    return dict(pairs)


def _object(pairs: Pairs) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise NotJson(f"the field {json.dumps(name)} appears twice")
        fields[name] = value
    return fields
