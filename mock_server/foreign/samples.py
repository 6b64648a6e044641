"""Sample numbers and texts for a schema: the n-th is always the same, and another than the one before."""

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random
from typing import Any

_DAYS = 28
_FORMATS = {
    "date-time": "2026-07-{day:02}T12:00:00Z",
    "date": "2026-07-{day:02}",
    "time": "12:{day:02}:00Z",
    "duration": "P{n}D",
    "time-span": "{day:02}:00:00",
    "date-span": "{day:02}:00:00",
    "uuid": "00000000-0000-4000-8000-{n:012}",
    "guid": "00000000-0000-4000-8000-{n:012}",
    "uri": "https://example.com/{n}",
    "url": "https://example.com/{n}",
    "iri": "https://example.com/{n}",
    "uri-reference": "/{n}",
    "iri-reference": "/{n}",
    "uri-template": "/{n}",
    "email": "person{n}@example.com",
    "idn-email": "person{n}@example.com",
    "hostname": "host{n}.example.com",
    "idn-hostname": "host{n}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{n}",
    "json-pointer": "/{n}",
    "relative-json-pointer": "{n}",
    "regex": "^{n}$",
    "byte": "ZXhhbXBsZQ==",
    "base64": "ZXhhbXBsZQ==",
    "int32": "{n}",
    "int64": "{n}",
    "decimal": "{n}",
    "double": "{n}",
    "float": "{n}",
    "phone": "+1202555{n:04}",
}
_GUESSES = ("example", "Example1!", "A", "a", "1", "AA", "12345", "0001", "2026-07-01", "1.0", "USD", "", " ")
"""What many patterns take, also some that the library can't invert."""
_TRIES = 20
_FAR = 30
"""So many steps away from a limit is the number that fits it and every other."""
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OTHERWISE = ((r"\\p\{L[a-z]?\}", "[A-Za-z]"), (r"\\p\{N[a-z]?\}", "[0-9]"), (r"\(\?<(?![=!])", "(?P<"))
"""How Python writes what other regular expressions write otherwise."""


def numbers(node: Mapping[str, Any], n: int, *, whole: bool) -> Iterator[int | Decimal]:
    """Numbers that a schema accepts as far as limits, steps and the type say it."""
    step = abs(Decimal(str(node.get("multipleOf", 1))))
    low = _limit(node, "minimum", "exclusiveMinimum", max)
    high = _limit(node, "maximum", "exclusiveMaximum", min)
    # Readers with doubles divide by the step, which is exact for whole numbers.
    near = [Decimal(n + 1), step * (n + 1)]
    if low is not None:
        start = (low / step).to_integral_value(ROUND_CEILING) * step
        near += [start + more * step for more in range(n, n + _FAR)]
    if high is not None:
        start = (high / step).to_integral_value(ROUND_FLOOR) * step
        near += [start - less * step for less in range(n, n + _FAR)]
    if low is not None and high is not None:
        near += [low + (high - low) * (n + 1) / (n + 2)]
    if whole:
        near += [(number // 1) for number in near]
    yield from (_number(number) for number in near if _fits(number, node, step, whole=whole))


def _limit(node: Mapping[str, Any], inclusive: str, exclusive: str, tightest: Any) -> Decimal | None:
    limits = [Decimal(str(node[name])) for name in (inclusive, exclusive) if name in node]
    return tightest(limits) if limits else None


def _fits(number: Decimal, node: Mapping[str, Any], step: Decimal, *, whole: bool) -> bool:
    limits = {name: Decimal(str(node[name])) for name in _LIMITS if name in node}
    return (
        number >= limits.get("minimum", number)
        and number <= limits.get("maximum", number)
        and number > limits.get("exclusiveMinimum", number - 1)
        and number < limits.get("exclusiveMaximum", number + 1)
        and ("multipleOf" not in node or number % step == 0)
        and not (whole and number % 1)
    )


def _number(value: Decimal) -> int | Decimal:
    return int(value) if value == value.to_integral_value() else value.normalize()


def texts(node: Mapping[str, Any], n: int) -> Iterator[str]:
    """Texts of the format, the lengths or the pattern of a schema, most of the time."""
    shortest, longest = int(node.get("minLength", 0)), int(node.get("maxLength", 1000))
    text = "example" if n == 0 else f"example {n + 1}"
    if node.get("format") in _FORMATS:
        text = _FORMATS[node["format"]].format(n=n + 1, day=n % _DAYS + 1)
        yield text
    if "pattern" in node:
        yield from _matching(str(node["pattern"]), shortest, longest, n)
    number = str(n + 1)
    yield text.ljust(shortest, "x") if len(text) <= longest else number.rjust(min(longest, 9), "0")[:longest]


def _matching(pattern: str, shortest: int, longest: int, n: int) -> Iterator[str]:
    from rstr import Rstr  # noqa: PLC0415 - for documents with patterns only

    if n == 0:
        yield from _GUESSES
    for other, ours in _OTHERWISE:
        pattern = re.sub(other, ours, pattern)
    found = []
    for seed in range(_TRIES):
        try:
            found.append(Rstr(Random(seed + n * _TRIES)).xeger(pattern))  # noqa: S311 - samples, not secrets
        except Exception:  # noqa: BLE001 - whatever it can't invert; the guesses are left
            break
    fitting = sorted((text for text in found if shortest <= len(text) <= longest), key=len)
    yield from fitting
    yield from (text.rstrip() for text in fitting)
    yield from (guess * max(1, shortest // max(1, len(guess)) + 1) for guess in _GUESSES)
