"""Whether requests came as expected, and what is different about the nearest. Imported when asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mock_server.decimal_json import NotJson, decode, encode
from mock_server.journal import Entry, Journal
from mock_server.problems import InvalidRequest

_CONDITIONS = ("operation", "load", "reference", "status")
_MOST_SHOWN = 3
_LONGEST_SHOWN = 180
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether as many requests came as were expected; `text` says what was expected, and what came."""

    passed: bool
    count: int
    text: str


def verify(journal: Journal, wanted: Mapping[str, Any]) -> Verification:
    """Counts the requests in the journal that are as wanted, by the fields of admin.yaml. InvalidRequest."""
    expected, least, most = _expected(wanted)
    entries = [*journal]
    differing = [[*_differences(entry, wanted)] for entry in entries]
    count = differing.count([])
    lines = [
        f"Expected {expected} with {_conditions(wanted)}; there were {count}, of {_requests(len(entries))}."
    ]
    if forgotten := journal.count - journal.cleared_at - len(entries):
        lines.append(f"{forgotten} older requests are no longer in the journal.")
    passed = count >= least and (most is None or count <= most)
    if not passed:
        lines += _shown(entries, differing, too_many=count >= least)
    return Verification(passed, count, "\n".join(lines))


def _expected(wanted: Mapping[str, Any]) -> tuple[str, int, int | None]:
    """In words, and how many at least and at most."""
    exactly, least, most = (wanted.get(name) for name in ("exactly", "atLeast", "atMost"))
    if exactly is not None and (least is not None or most is not None):
        raise InvalidRequest({"exactly": ["The exactly field can't be combined with atLeast or atMost."]})
    if exactly is not None:
        return f"exactly {_requests(exactly)}", int(exactly), int(exactly)
    if least is None and most is None:
        least = 1
    if least is not None and most is not None and most < least:
        raise InvalidRequest({"atMost": ["The atMost field must be at least atLeast."]})
    bounds = [f"at {name} {_requests(n)}" for name, n in (("least", least), ("most", most)) if n is not None]
    return " and ".join(bounds), int(least or 0), None if most is None else int(most)


def _requests(count: int) -> str:
    return f"{count} request" if count == 1 else f"{count} requests"


def _conditions(wanted: Mapping[str, Any]) -> str:
    named = [f"{name} {wanted[name]}" for name in _CONDITIONS if name in wanted]
    if "body" in wanted:
        named.append(f"body {_text(wanted['body'])}")
    return ", ".join(named) or "any operation"


def _differences(entry: Entry, wanted: Mapping[str, Any]) -> Iterator[str]:
    """What of a request is not as wanted, in words."""
    for name in _CONDITIONS:
        found = getattr(entry, name)
        if name in wanted and found != wanted[name]:
            yield _told(name, found, wanted[name])
    if "body" in wanted:
        try:
            body = decode(entry.body)
        except NotJson:
            yield "body is no JSON, or was cut"
        else:
            yield from _different("body", body, wanted["body"])


def _different(name: str, found: object, wanted: object) -> Iterator[str]:
    """An object may have more fields than are wanted; all else must be equal, numbers by their value."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for field, value in wanted.items():
            yield from _different(f"{name}.{field}", found.get(field), value)
    elif found != wanted:
        yield _told(name, found, wanted)


def _told(name: str, found: object, wanted: object) -> str:
    return f"{name} is {_text(found)}, not {_text(wanted)}"


def _text(value: object) -> str:
    text = value if isinstance(value, str) else encode(value).decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _shown(entries: Sequence[Entry], differing: Sequence[Sequence[str]], *, too_many: bool) -> Iterator[str]:
    """Of too many requests the latest, else the nearest: those with the fewest differences."""
    pairs = [*zip(entries, differing, strict=True)][::-1]
    chosen = [pair for pair in pairs if bool(pair[1]) is not too_many]
    chosen.sort(key=lambda pair: len(pair[1]))
    for entry, differences in chosen[:_MOST_SHOWN]:
        told = "; ".join(differences) or "as expected"
        because = "" if entry.reason is None else f" ({entry.reason})"
        yield f"  request {entry.id}, {entry.method} {entry.path}: {told}{because}"
