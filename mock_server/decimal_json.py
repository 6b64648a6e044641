"""JSON whose numbers stay decimal: strict when it reads, exact when it writes."""

import json
import math
from decimal import Decimal

import msgspec

MAX_DEPTH = 64
"""Levels of nesting that are read; deeper text is refused, as ASP.NET refuses it."""


class NotJson(ValueError):
    """The bytes are not JSON that can be trusted; the message says why."""


def _number(text: str) -> Decimal:
    # A double is the widest number that every JSON reader shares (RFC 8259, section 6). What it
    # can't hold becomes a number that no schema accepts; what it can't tell from zero is zero.
    # Without this, a sum with 1e-999999999 would have a billion digits.
    double = float(text)
    if math.isinf(double):
        return Decimal("NaN")
    return Decimal(text) if double else Decimal(0)


_decoder = msgspec.json.Decoder(float_hook=_number)
encode = msgspec.json.Encoder(decimal_format="number").encode


def decode(body: bytes) -> object:
    """The document in `body`, with `int` and `Decimal` for numbers.

    NotJson if it is no JSON in UTF-8, is nested deeper than MAX_DEPTH, holds a lone surrogate, or
    an object has a member twice (one of the two would be lost). A number beyond the range of a
    double is read as the decimal NaN, which fails every `type`.
    """
    try:
        document = _decoder.decode(body)
    except UnicodeDecodeError as error:
        raise NotJson("it is not UTF-8") from error
    except RecursionError as error:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels") from error
    except msgspec.DecodeError as error:
        raise NotJson(str(error)) from error
    # Every member has one colon outside strings. If the document read has as many colons as the
    # text, none was lost; only if not, or if a colon may hide in an escape, look closely.
    if body.count(b":") != _colons(document, MAX_DEPTH) or b"\\u003" in body:
        _refuse_repeated_members(body)
    return document


def _colons(value: object, depth: int) -> int:
    if isinstance(value, str):
        return value.count(":")
    if not isinstance(value, dict | list):
        return 0
    if not depth:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return sum(_colons(item, depth - 1) for item in value)
    return sum(1 + name.count(":") + _colons(item, depth - 1) for name, item in value.items())


def _refuse_repeated_members(body: bytes) -> None:
    def members(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotJson(f"the member {json.dumps(name)} stands there twice")
            seen.add(name)

    json.loads(body, object_pairs_hook=members, parse_int=str, parse_float=str)
