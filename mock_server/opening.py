"""Fixture files -> the opening loads, with errors that name the file, the scenario and the member."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mock_server.documents import read_document, read_lines
from mock_server.domain import Load
from mock_server.spec import Spec
from mock_server.wire import identity_of, load_from_wire, money_from_wire, payment_identity_of


class FixtureError(Exception):
    """A fixture can't be a load; the message names the file, the scenario and the member."""


def opening_loads(spec: Spec, paths: Sequence[Path]) -> list[Load]:
    """The loads in the fixture files: YAML or JSON (scenario -> load), or JSON Lines (a load a line).

    Of a load, `LoadNumber` and `Status` are required. What else the spec's `Load` requires is filled
    with plausible values, the rest with null. FixtureError, UnreadableDocument.
    """
    with spec.in_use():
        filler = _Filler(spec)
    origins: dict[str, str] = {}
    ids: dict[str, str] = {}
    loads = []
    for path in paths:
        for scenario, fixture in _fixtures(path):
            origin = f"{path}, {scenario}"
            with spec.in_use():
                load = filler.load(origin, fixture)
            for what, key, seen in (("LoadNumber", load.number, origins), ("Id", load.id, ids)):
                if key in seen:
                    raise FixtureError(f"{origin}: {what} {key!r} is already that of {seen[key]}")
                seen[key] = origin
            loads.append(load)
    return loads


def _fixtures(path: Path) -> Iterator[tuple[str, object]]:
    if path.suffix == ".jsonl":
        yield from ((f"line {number}", fixture) for number, fixture in read_lines(path))
        return
    document = read_document(path)
    if not isinstance(document, dict):
        raise FixtureError(f"{path} must be a mapping: scenario -> load")
    yield from ((f"scenario {name}", fixture) for name, fixture in document.items())


class _Filler:
    """Completes a fixture to a whole load, and checks it, by the spec's own schema of a load."""

    def __init__(self, spec: Spec) -> None:
        schema = spec.resolve(spec.schema("Load"))
        self._check = spec.checker(schema, whole="load")
        self._blank = {name: self._example(spec, member) for name, member in schema["properties"].items()}
        payment = spec.resolve(spec.resolve(schema["properties"]["payments"])["items"])
        self._blank_payment: dict[str, object] = dict.fromkeys(payment["properties"])

    @staticmethod
    def _example(spec: Spec, member: Mapping[str, Any]) -> object:
        examples = spec.resolve(member).get("examples")
        return examples[0] if examples else None

    def load(self, origin: str, fixture: object) -> Load:
        if not isinstance(fixture, dict):
            raise FixtureError(f"{origin}: a load must be an object")
        self._refuse_unknown(origin, fixture, self._blank)
        number = fixture.get("LoadNumber")
        document = {**self._blank, **identity_of(str(number)), **fixture}
        payments = fixture.get("payments")
        if isinstance(payments, list):
            document["payments"] = [self._payment(origin, str(number), payment) for payment in payments]
        if not self._check.accepts(document):
            member, sentences = next(iter(self._check.faults(document).items()))
            raise FixtureError(f"{origin}: {member}: {sentences[0]}")
        return self._consistent(origin, document)

    def _payment(self, origin: str, number: str, payment: object) -> object:
        if not isinstance(payment, dict):
            return payment
        self._refuse_unknown(f"{origin}, payments", payment, self._blank_payment)
        identity = payment_identity_of(number, str(payment.get("ReferenceNumber")))
        return {**self._blank_payment, **identity, **payment}

    @staticmethod
    def _refuse_unknown(origin: str, given: Mapping[str, object], known: Mapping[str, object]) -> None:
        for name in given:
            if name not in known:
                close = get_close_matches(name, known, n=1) or [", ".join(known)]
                raise FixtureError(f"{origin}: {name} is no member; did you mean {close[0]}?")

    @staticmethod
    def _consistent(origin: str, document: Mapping[str, Any]) -> Load:
        load = load_from_wire(document)
        if len(load.payments) != len(document["payments"] or ()):
            raise FixtureError(f"{origin}: payments: two of them have the same ReferenceNumber")
        stated = document["totalPaid"]
        if stated is not None and money_from_wire(stated) != load.total_paid:
            counted = load.total_paid.amount if load.total_paid else 0
            raise FixtureError(f"{origin}: totalPaid: its payments add up to {counted}")
        return load
