"""Instants as RFC 3339 writes them."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_RFC_3339 = re.compile(
    r"([0-9]{4})-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:[0-5][0-9])",
    re.IGNORECASE | re.ASCII,
)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def instant(text: str) -> datetime:
    """The instant in an RFC 3339 text; ValueError if it is none.

    Python can't hold a leap second, the year 0, or what an offset moves out of the years 1 to 9999:
    they become the nearest instant that it can.
    """
    return _kept_instant(text) if len(text) <= _LONGEST_KEPT else _instant(text)


def is_instant(text: str) -> bool:
    """Whether the text is an instant in RFC 3339, with `Z` or an offset (A17)."""
    try:
        instant(text)
    except ValueError:
        return False
    return True


def _instant(text: str) -> datetime:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, second = match.groups()
    text = text.upper()
    if year == "0000":
        datetime.fromisoformat("0004" + text[4:])  # a leap year, as the year 0 is
        return _FIRST
    if second == "60":
        at = _in_utc(datetime.fromisoformat(text.replace(":60", ":59")))
        if (at.hour, at.minute) != (23, 59):
            raise ValueError(text)
        return at
    at = datetime.fromisoformat(text)
    return at if 1 < at.year < _LAST.year else _in_utc(at)


_LONGEST_KEPT = 64
"""Characters of a text whose instant is kept: the payments of a batch, and loads, share theirs."""
_kept_instant = lru_cache(maxsize=256)(_instant)


def instant_text(at: datetime) -> str:
    """An instant in RFC 3339, in UTC with `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return _FIRST if at.year == 1 else _LAST
