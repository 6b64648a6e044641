"""A failure as a picture: what was sent, what the response shows, what the load shows afterwards."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

from contract_tests.rules.exchange import Exchange
from contract_tests.rules.findings import Failure
from contract_tests.rules.values import Json, NotJsonError, parse_json, same_day, visible

_MOST_FACTS: Final = 16
_LONGEST_VALUE: Final = 60
_OF_A_LOAD: Final = ("loadnumber", "status", "totalpaid", "paidat")
"""The fields of a load that tell of its payments; its Id is not that of a payment."""
_PAYMENTS: Final = ("customerpayments", "payments")


@dataclass(frozen=True, slots=True)
class Fact:
    """A field with its value. `note` says from what the value differs; empty where nothing is wrong."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One message of three. `note` says what is wrong with its first line; empty where nothing is."""

    title: str
    line: str
    note: str
    facts: tuple[Fact, ...]


def picture(failure: Failure) -> tuple[Step, ...]:
    """The request that a failure is about, its response and, if the load was read, the read after it.

    For a replay the original payment comes first. Every text is escaped. Fields that differ from those of an
    earlier step have a note, and so have the field and the status that the failure names. Empty where no
    exchange shows the failure.
    """
    if not failure.exchanges:
        return ()
    asked, read = _parts(failure)
    sent = _document_of(asked)
    shown = asked.response.document
    steps = [
        Step("Request", _phrase(f"{asked.request.method} {asked.request.path}"), "", _facts(_leaves(sent))),
        Step(
            "Response", _status_line(asked), _status_note(failure, asked), _facts(_of_response(shown, sent))
        ),
    ]
    if read is not None:
        steps.append(
            Step("Read-back", _status_line(read), "", _facts(_of_load(read.response.document, shown, sent)))
        )
    if failure.original is not None:
        steps.insert(0, Step("Original", "as it was recorded", "", _facts(_leaves(failure.original))))
    return tuple(_marked(steps, failure.expected))


def _parts(failure: Failure) -> tuple[Exchange, Exchange | None]:
    *before, last = failure.exchanges
    if failure.after is not None:
        return last, failure.after
    writes = [one for one in before if one.request.method == "POST"]
    return (writes[-1], last) if last.request.method == "GET" and writes else (last, None)


def _document_of(exchange: Exchange) -> Json:
    try:
        return parse_json(exchange.request.content or b"").document
    except NotJsonError:
        return None


def _status_line(exchange: Exchange) -> str:
    status = exchange.response.status or "no response"
    return f"{status} · {round(exchange.seconds * 1000)} ms"


def _status_note(failure: Failure, asked: Exchange) -> str:
    wanted = re.match(r"[1-5]\d\d\b", failure.expected)
    return f"expected {wanted[0]}" if wanted and wanted[0] != str(asked.response.status) else ""


def _of_response(shown: Json, sent: Json) -> Iterator[tuple[str, Json]]:
    if not isinstance(shown, dict):
        return
    yield from _leaves({name: value for name, value in shown.items() if name.lower() not in _PAYMENTS})
    yield from _leaves(_payment_in(shown, "referencenumber", _get(sent, "referencenumber")))


def _of_load(load: Json, shown: Json, sent: Json) -> Iterator[tuple[str, Json]]:
    if not isinstance(load, dict):
        return
    yield from _leaves({name: value for name, value in load.items() if name.lower() in _OF_A_LOAD})
    told = _payment_in(shown, "referencenumber", _get(sent, "referencenumber"))
    own = _get(told, "id") if told is not None else _get(shown, "id")
    payment = _payment_in(load, "id", own) or _payment_in(
        load, "referencenumber", _get(sent, "referencenumber")
    )
    if payment is None:
        yield "payments", "without this payment"
    else:
        yield from _leaves({name: value for name, value in payment.items() if name.lower() != "paidat"})


def _payment_in(document: Json, name: str, value: Json) -> dict[str, Json] | None:
    listed = next((each for key in _PAYMENTS if isinstance(each := _get(document, key), list)), [])
    found = (each for each in listed if isinstance(each, dict) and _get(each, name) == value)
    return next(found, None) if value is not None else None


def _get(document: Json, name: str) -> Json:
    if not isinstance(document, dict):
        return None
    return next((value for key, value in document.items() if key.lower() == name), None)


def _leaves(document: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, value in document.items() if isinstance(document, dict) else ():
        if isinstance(value, dict) and not prefix:
            yield from _leaves(value, f"{name}.")
        else:
            yield prefix + name, value


def _facts(fields: Iterator[tuple[str, Json]]) -> tuple[Fact, ...]:
    return tuple(Fact(_phrase(name), _phrase(_written(value))) for name, value in islice(fields, _MOST_FACTS))


def _written(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(map(_written, value)) if all(isinstance(one, str) for one in value) else "[…]"
    words = {True: "true", False: "false", None: "null"}
    return "{…}" if isinstance(value, dict) else f"{value}" if isinstance(value, Decimal) else words[value]


def _phrase(text: str) -> str:
    return visible(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…")


def _marked(steps: list[Step], expected: str) -> Iterator[Step]:
    known: dict[str, tuple[str, str]] = {}
    for step in steps:
        facts = tuple(Fact(one.name, one.value, _note(one, known, expected, step)) for one in step.facts)
        for one in facts:
            known.setdefault(one.name.lower(), (step.title, one.value))
        yield Step(step.title, step.line, step.note, facts)


def _note(fact: Fact, known: Mapping[str, tuple[str, str]], expected: str, step: Step) -> str:
    if step.title == "Request":  # which may ask for anything
        return ""
    name = fact.name.lower()
    if name in known and not _alike(known[name][1], fact.value):
        return f"{known[name][0].lower()}: {known[name][1]}"
    if step.title == "Read-back" and fact.name == "payments":
        return "the response shows it" if "id" in known else "there must be one"
    field, _, wanted = expected.partition(" ")
    is_meant = name in {field.lower(), f"{field.lower()}.amount"}
    return _phrase(f"expected {wanted}") if is_meant and wanted and not _alike(wanted, fact.value) else ""


def _alike(one: str, other: str) -> bool:
    if one == other or same_day(one, other):
        return True
    try:
        return Decimal(one) == Decimal(other)
    except ArithmeticError:
        return False
