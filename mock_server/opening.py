"""Fixture files -> the opening loads, with errors that name the file, the scenario and the field."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mock_server.decimal_json import encode
from mock_server.documents import (
    LINES,
    STDIN,
    SUFFIXES,
    UnreadableDocument,
    document_in,
    lines_in,
    name_of,
    read_bytes,
)
from mock_server.domain import Load, Payment, Payments, Recording
from mock_server.handlers import money_in, payment_in
from mock_server.instants import instant, instant_text
from mock_server.schemas import beyond_a_double, unknown_field
from mock_server.spec import Spec


class FixtureError(Exception):
    """A fixture does not describe a load; the message names the file, the scenario and the field."""


def opening_loads(spec: Spec, paths: Sequence[Path]) -> list[Load]:
    """The loads in the fixture files: YAML or JSON (scenario -> load), or JSON Lines (a load a line).

    A folder stands for the files of these kinds in it, by name, and `-` for standard input.
    Of a load, `LoadNumber` and `Status` are required. What else the spec's `Load` has is filled with
    the example that its schema gives, or with null. A payment is written as it is posted, and may have an
    `Id` and, when it was recorded, `PaidAt`. FixtureError, UnreadableDocument.
    """
    with spec.in_use():
        filler = Filler(spec)
    origins = _Origins()
    loads: list[Load] = []
    with spec.in_use(), _without_collecting():
        for path in _files(paths):
            loads += _loads(filler, path, _fixtures(path), origins)
    return loads


def loads_in(filler: "Filler", fixtures: object, name: str) -> list[Load]:
    """The loads in fixtures (scenario -> load) that come from elsewhere than a file; FixtureError."""
    if not isinstance(fixtures, dict):
        raise _not_fixtures(name)
    return [*_loads(filler, Path(name), fixtures.items(), _Origins())]


def _loads(
    filler: "Filler", path: Path, fixtures: Iterable[tuple[str | int, object]], origins: "_Origins"
) -> Iterator[Load]:
    origins.begin(path)
    for scenario, fixture in fixtures:
        try:
            load = filler.load(fixture)
            origins.add(load, scenario)
        except FixtureError as error:
            raise FixtureError(f"{_at((path, scenario))}: {error}") from error
        yield load


def fixture_of(load: Load) -> dict[str, object]:
    """The fixture that describes a load as it is, with its payments: what `Filler.load` makes it of."""
    fixture: dict[str, object] = {
        "LoadNumber": load.number,
        "Id": load.id,
        "OrderNumber": load.order_number,
        "PONumber": load.po_number,
        "CustomerId": load.customer_id,
        "Status": load.status,
        **load.details,
    }
    if load.payments:
        fixture["payments"] = [_fixture_of_payment(payment) for payment in load.payments.values()]
        fixture["paidAt"] = load.paid_at and instant_text(load.paid_at)
    return fixture


def _fixture_of_payment(payment: Payment) -> dict[str, object]:
    return {
        "Id": payment.id,
        "ReferenceNumber": payment.reference,
        "Amount": {"Amount": payment.amount.amount, "Currency": payment.amount.currency},
        "PaymentDate": payment.date,
        "InvoiceNumber": payment.invoice_number,
        "PaymentMethod": payment.method,
        "CheckNumber": payment.check_number,
        "Note": payment.note,
        "PaidAt": payment.recorded_at and instant_text(payment.recorded_at),
    }


_Origin = tuple[Path, str | int]
"""A file, and a scenario or a line in it."""


def _at(origin: _Origin) -> str:
    path, scenario = origin
    what = "line" if isinstance(scenario, int) else "scenario"
    return f"{name_of(path)}, {what} {scenario}"


class _Origins:
    """Where each load comes from; for a million loads, so there is no object for each."""

    def __init__(self) -> None:
        self._files: list[tuple[int, Path]] = []
        self._scenarios: dict[str, str | int] = {}
        self._numbers: dict[str, str] = {}

    def begin(self, path: Path) -> None:
        """From now on, loads come from that file."""
        self._files.append((len(self._scenarios), path))

    def add(self, load: Load, scenario: str | int) -> None:
        """Notes where a load comes from; FixtureError if another has its number or its id."""
        if load.number in self._scenarios:
            raise self._already("LoadNumber", load.number, load.number)
        if load.id in self._numbers:
            raise self._already("Id", load.id, self._numbers[load.id])
        self._scenarios[load.number] = scenario
        self._numbers[load.id] = load.number

    def _already(self, what: str, key: str, number: str) -> FixtureError:
        place = list(self._scenarios).index(number)
        path = [path for start, path in self._files if start <= place][-1]
        return FixtureError(f"{what} {key!r} is already used in {_at((path, self._scenarios[number]))}")


@contextmanager
def _without_collecting() -> Iterator[None]:
    # Every load stays, so looking for garbage among them is most of the time that many loads take.
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        files = [
            each for each in sorted(path.iterdir()) if each.suffix.lower() in SUFFIXES and each.is_file()
        ]
        if not files:
            raise FixtureError(f"{path} has no fixtures: no file whose name ends with {', '.join(SUFFIXES)}")
        yield from files


def _fixtures(path: Path) -> Iterator[tuple[str | int, object]]:
    text = read_bytes(path)
    if path.suffix.lower() in LINES or (path == STDIN and _is_of_lines(text)):
        yield from lines_in(text, path)
        return
    document = document_in(text, path)
    if not isinstance(document, dict):
        raise _not_fixtures(name_of(path))
    yield from document.items()


def _not_fixtures(name: str) -> FixtureError:
    return FixtureError(f"{name} must be a mapping: scenario -> load")


def _is_of_lines(text: bytes) -> bool:
    """Whether the first line of a text without a name is a load, rather than a part of a mapping."""
    try:
        _, first = next(lines_in(text, STDIN), (0, None))
    except UnreadableDocument:
        return False
    return isinstance(first, dict) and "LoadNumber" in first


_NAMES = {name.lower(): name for name in ("paidAt", "totalPaid", "payments")}
"""The fields of a load that each revision spells its own way, as the page does; here in any case."""


def _respelled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {_NAMES.get(name.lower(), name): value for name, value in fields.items()}


def _opening_payment(spec: Spec) -> dict[str, Any]:
    """The schema of a payment in a fixture: that of the request without the load, and what is given to it."""
    posted = spec.resolve(spec.schema("CustomerPaymentRequest"))
    given = {"Id": {"type": "string"}, "PaidAt": {"type": ["string", "null"], "format": "date-time"}}
    fields = {**given, **posted["properties"]}
    del fields["LoadNumber"]
    return {
        **posted,
        "properties": fields,
        "required": [name for name in posted["required"] if name in fields],
    }


_KEPT_BY_A_LOAD = frozenset(
    ("Id", "LoadNumber", "OrderNumber", "PONumber", "CustomerId", "Status", "paidAt", "totalPaid", "payments")
)
"""The fields that are no details of a load: it has them itself, or they follow from its payments."""
_UNIQUE = frozenset(("Id", "LoadNumber", "OrderNumber", "PONumber"))
"""The fields that differ from load to load."""
_NO_DETAILS: Mapping[str, object] = {}
_MOST_SHARED = 10_000
"""Texts of which loads have one object."""


class Filler:
    """Completes a fixture to a whole load, and checks it, by the document's schema of a load."""

    def __init__(self, spec: Spec) -> None:
        schema = spec.resolve(spec.schema("Load"))
        fields = _respelled(schema["properties"])
        payment = _opening_payment(spec)
        # What a load shows of a payment is another matter: perhaps not even its reference.
        checked = {**fields, "payments": {**fields["payments"], "items": payment}}
        required = [*_respelled(dict.fromkeys(schema.get("required", ())))]
        whole = spec.checker({**schema, "properties": checked, "required": required}, whole="load")
        self._blank = {name: spec.example(field) for name, field in fields.items()}
        self._blank_payment: dict[str, object] = dict.fromkeys(payment["properties"])
        # What is filled in is not checked again with every load.
        missing = [name for name in required if name in whole.errors(self._blank)]
        self._check = spec.checker({**schema, "properties": checked, "required": missing}, whole="load")
        self._shared: dict[str, str] = {}

    def load(self, fixture: object) -> Load:
        """The load that a fixture describes; FixtureError names the field."""
        if not isinstance(fixture, dict):
            raise FixtureError("A load must be an object.")
        if not fixture.keys() <= self._blank.keys():
            fixture = _respelled(fixture)
            self._refuse_unknown("", fixture, self._blank)
        number = fixture.get("LoadNumber")
        identity = {"Id": _derived_id("load", str(number)), "OrderNumber": f"ORD-{number}"}
        stated = {**identity, **fixture}
        payments = fixture.get("payments")
        if isinstance(payments, list):
            stated["payments"] = [self._payment(str(number), payment) for payment in payments]
        if not self._check.accepts(stated):
            name, sentences = next(iter(self._check.errors(stated).items()))
            raise FixtureError(f"{name}: {sentences[0]}")
        _refuse_beyond_a_double(fixture)
        for name in stated.keys() - _UNIQUE:
            stated[name] = self._shared_text(stated[name])
        details = {name: stated[name] for name in fixture if name not in _KEPT_BY_A_LOAD}
        return self._consistent({**self._blank, **stated}, details or _NO_DETAILS)

    def _shared_text(self, value: Any) -> Any:
        """The same text in many loads is one object."""
        if type(value) is not str:
            return value
        return (
            self._shared.setdefault(value, value)
            if len(self._shared) < _MOST_SHARED
            else self._shared.get(value, value)
        )

    def load_numbered(self, number: str, fixture: Mapping[str, object]) -> Load:
        """The load of that number; the fixture may leave the number out. FixtureError."""
        if fixture.get("LoadNumber", number) != number:
            raise FixtureError(f"LoadNumber: It must be {number}, or be left out.")
        return self.load({"LoadNumber": number, **fixture})

    def _payment(self, number: str, payment: object) -> object:
        if not isinstance(payment, dict):
            return payment
        self._refuse_unknown("payments.", payment, self._blank_payment)
        identity = _derived_id("payment", number, str(payment.get("ReferenceNumber")))
        return {**self._blank_payment, "Id": identity, **payment}

    @staticmethod
    def _refuse_unknown(within: str, given: Mapping[str, object], known: Mapping[str, object]) -> None:
        for name in given:
            if name not in known:
                raise FixtureError(f"{within}{name}: {unknown_field(name, known)}")

    @staticmethod
    def _consistent(document: Mapping[str, Any], fixture: Mapping[str, object]) -> Load:
        load = _load_in(document, fixture)
        if len(load.payments) != len(document["payments"] or ()):
            raise FixtureError("payments: Two of them have the same ReferenceNumber.")
        stated = document["totalPaid"]
        if stated is not None and money_in(stated) != load.total_paid:
            counted = load.total_paid.amount if load.total_paid else 0
            raise FixtureError(f"totalPaid: The payments add up to {counted}.")
        return load


def _refuse_beyond_a_double(fixture: Mapping[str, object]) -> None:
    # In what a schema leaves open there may be one, and no JSON could show it. Rare, and cheap to suspect.
    if b"NaN" in encode(fixture):
        for name, value in fixture.items():
            if _holds_nan(value):
                raise FixtureError(f"{name}: {beyond_a_double(name)}")


def _holds_nan(value: object) -> bool:
    match value:
        case Decimal():
            return value.is_nan()
        case dict():
            return any(map(_holds_nan, value.values()))
        case list():
            return any(map(_holds_nan, value))
        case _:
            return False


def _load_in(document: Mapping[str, Any], details: Mapping[str, object]) -> Load:
    """A load, with its payments, from a document that has every field of a load.

    `details` are the fields that were stated, rather than filled in. `totalPaid` is not read: it follows
    from the payments. Without `paidAt`, the latest payment counts as recorded when it was made.
    """
    billed = document["InvoicedAmount"] or document["CustomerRate"]
    load = Load(
        id=document["Id"],
        number=document["LoadNumber"],
        order_number=document["OrderNumber"],
        status=document["Status"],
        customer_id=document["CustomerId"],
        created_at=instant(document["CreatedAt"]),
        po_number=document["PONumber"],
        billed=money_in(billed) if billed else None,
        details=details,
    )
    for payment in document["payments"] or ():
        paid_at = instant(payment["PaidAt"] or document["paidAt"] or payment["PaymentDate"])
        load = load.with_payment(payment_in(payment, load.currency)._replace(id=payment["Id"]), paid_at)
    # What is recorded on the load from now on is kept apart: a reset forgets it.
    if not load.payments:
        return load
    stated = document["paidAt"]
    return replace(
        load,
        payments=Payments(Recording(load.payments.values())),
        paid_at=instant(stated) if stated else load.paid_at,
    )


def _derived_id(*names: str) -> str:
    # The same at every start, and shaped like a UUID; the module `uuid` takes three times as long for it.
    digest = blake2b("\0".join(names).encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"
