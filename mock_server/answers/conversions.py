"""What a lenient reader makes of a document before its schema judges it: names, numbers, texts and dates."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mock_server.decimal_json import number
from mock_server.instants import instant, instant_text, is_instant
from mock_server.spec import Spec

NAMES_IN_ANY_CASE = "names in any case"
NUMBERS_IN_TEXTS = "numbers in texts"
TEXTS_FROM_NUMBERS = "texts from numbers"
TEXTS_FROM_BOOLEANS = "texts from booleans"
NUMBERS_FROM_BOOLEANS = "numbers from booleans"
BLANK_TEXTS_AS_NULL = "blank texts as null"
TRIMMED_TEXTS = "trimmed texts"
DATES_FROM_NUMBERS = "dates from numbers"
INTEGERS_FROM_FRACTIONS = "integers from fractions"

Convert = Callable[[Any], object]

_NUMBER = re.compile(r"\s*[+]?(-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*", re.ASCII)
_LONGEST_NUMBER = 1000


def is_number_text(value: object) -> bool:
    """Whether the value is a text with a number in it."""
    return isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value) is not None


def conversion(spec: Spec, schema: Mapping[str, Any], taken: Collection[str]) -> Convert:
    """Compiles the conversions that are `taken` for documents of a schema.

    `taken` are the names above, and forms of dates: keys of DATES.
    """
    schema = spec.resolve(schema)
    types = _types(schema)
    if "object" in types:
        properties: Mapping[str, Any] = schema.get("properties", {})
        converted = {name: conversion(spec, each, taken) for name, each in properties.items()}
        return _object(converted, taken)
    if "array" in types and "items" in schema:
        return _array(conversion(spec, schema["items"], taken))
    kinds = _kinds(types, schema)
    return _scalar([convert for name, kind, convert in _STEPS if name in taken and kind in kinds])


def _types(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _object(converted: Mapping[str, Convert], taken: Collection[str]) -> Convert:
    own = {name.lower(): name for name in converted}
    any_case = NAMES_IN_ANY_CASE in taken

    def convert(value: object) -> object:
        if not isinstance(value, dict):
            return value
        if any_case:
            value = {own.get(str(name).lower(), str(name)): each for name, each in value.items()}
        return {name: converted.get(name, _as_it_is)(each) for name, each in value.items()}

    return convert


def _as_it_is(value: object) -> object:
    return value


def _array(convert: Convert) -> Convert:
    return lambda value: [convert(each) for each in value] if isinstance(value, list) else value


def _scalar(steps: list[Convert]) -> Convert:
    def convert(value: object) -> object:
        for step in steps:
            value = step(value)
        return value

    return convert


def _kinds(types: list[str], schema: Mapping[str, Any]) -> set[str]:
    """What the values of a schema are, in the words of _STEPS."""
    if "number" in types or "integer" in types:
        return {"number", *types}
    if "string" not in types:
        return set()
    if schema.get("format") == "date-time":
        return {"text", "date"}
    return {"text", "plain text", "optional text" if "null" in types else "required text"}


def _number_of(text: str) -> int | Decimal:
    match = _NUMBER.fullmatch(text)
    return number(match[1] if match else text)


def _text_of(value: object) -> object:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return str(value) if is_number and value == value else value  # noqa: PLR0124 - NaN is no number


def _whole(value: object) -> object:
    return int(value) if isinstance(value, Decimal) and value.is_finite() else value


# --- dates --------------------------------------------------------------------------------------------

_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_ZONE = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"


@dataclass(frozen=True, slots=True)
class DateForm:
    """A form of dates that RFC 3339 does not have, and what it becomes; which may still be no date."""

    pattern: re.Pattern[str]
    become: Callable[[re.Match[str]], str]

    def match(self, value: object) -> re.Match[str] | None:
        """The match of a value that has this form, and is no date as it is."""
        return self.pattern.fullmatch(value) if isinstance(value, str) and not is_instant(value) else None

    def __call__(self, value: object) -> object:
        match = self.match(value)
        if match is None:
            return value
        try:
            return self.become(match)
        except (ValueError, OverflowError):
            return value


def _form(pattern: str, become: Callable[[re.Match[str]], str]) -> DateForm:
    return DateForm(re.compile(pattern, re.ASCII), become)


def _moved(match: re.Match[str], time: str, *, days: int = 0, hours: int = 0) -> str:
    """The instant of a day in `match` and a time, moved."""
    first = datetime.fromisoformat(f"{match[1]}-{match[2]}-01T00:00:00Z")
    day = (first + timedelta(days=int(match[3]) - 1 + days)).date()
    return instant_text(instant(f"{day}T{time}Z") - timedelta(hours=hours))


DATES: Mapping[str, DateForm] = {
    "white space around": _form(r"\s+(\S.*?)\s*|(\S.*?)\s+", lambda match: match[1] or match[2]),
    "a space for the T": _form(rf"({_DAY}) ({_TIME}.*)", lambda match: f"{match[1]}T{match[5]}"),
    "an offset without minutes": _form(rf"({_DAY}T{_TIME}[+-][0-9]{{2}})", lambda match: f"{match[1]}:00"),
    "no offset": _form(
        rf"({_DAY}T[0-9]{{2}}:[0-9]{{2}})(:[0-9]{{2}}(?:\.[0-9]+)?)?",
        lambda match: f"{match[1]}{match[5] or ':00'}Z",
    ),
    "no time": _form(f"({_DAY})", lambda match: f"{match[1]}T00:00:00Z"),
    "a day that does not exist": _form(rf"{_DAY}T({_TIME}){_ZONE}", lambda match: _moved(match, match[4])),
    "hour 24": _form(rf"{_DAY}T24:00:00(?:\.0+)?{_ZONE}", lambda match: _moved(match, "00:00:00", days=1)),
    "empty": _form("", lambda _match: "0001-01-01T00:00:00Z"),
    "seconds since 1970": _form(
        "[0-9]{1,11}", lambda match: instant_text(datetime.fromtimestamp(int(match[0]), UTC))
    ),
    "an offset of 24 hours": _form(
        rf"{_DAY}T({_TIME})([+-](?:2[4-9]|[3-9][0-9])):[0-9]{{2}}",
        lambda match: _moved(match, match[4], hours=int(match[5])),
    ),
}
"""In the order in which they are looked for."""

_STEPS: tuple[tuple[str, str, Convert], ...] = (
    (NUMBERS_IN_TEXTS, "number", lambda value: _number_of(value) if is_number_text(value) else value),
    (NUMBERS_FROM_BOOLEANS, "number", lambda value: int(value) if isinstance(value, bool) else value),
    (INTEGERS_FROM_FRACTIONS, "integer", _whole),
    (TEXTS_FROM_BOOLEANS, "text", lambda value: str(value).lower() if isinstance(value, bool) else value),
    (TEXTS_FROM_NUMBERS, "plain text", _text_of),
    (DATES_FROM_NUMBERS, "date", _text_of),
    (DATES_FROM_NUMBERS, "date", DATES["seconds since 1970"]),
    *((name, "date", form) for name, form in DATES.items()),
    (BLANK_TEXTS_AS_NULL, "optional text", lambda value: None if value == "" else value),
    (TRIMMED_TEXTS, "optional text", lambda value: value.strip() if isinstance(value, str) else value),
)
"""Each conversion: its name, the kind of value that it is for, and what it does; in the order of doing it."""
