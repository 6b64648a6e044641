"""Which fields a response has: its schema names them, the tables here fill them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Raw

from mock_server.decimal_json import encode
from mock_server.domain import Load, Money, Payment
from mock_server.instants import instant_text
from mock_server.spec import Spec, SpecError

T = TypeVar("T")
Part = TypeVar("Part")

Writer = Callable[[T], object]
"""Makes the JSON value of one thing."""


@dataclass(frozen=True)
class Nested(Generic[T]):
    """A field whose own fields a schema picks: given its schema, says how it is written."""

    compile: Callable[[Spec, Mapping[str, Any], str], Writer[T]]


@dataclass(frozen=True)
class Fields(Generic[T]):
    """What is known of one kind of thing, by field name in lowercase.

    `details` are further fields that are kept by their exact names. What they lack is written as the
    example that the schema gives for it, or as null.
    """

    known: Mapping[str, Writer[T] | Nested[T]]
    details: Callable[[T], Mapping[str, object]] | None = None


def compile_response(spec: Spec, schema: Mapping[str, Any], fields: Fields[T], where: str) -> Writer[T]:
    """Compiles a response schema: the function makes an object with exactly the schema's fields.

    Names are matched without case, so that a document may write them its own way. SpecError if the
    schema requires a field that nothing fills.
    """
    schema = _not_null(spec, schema)
    writers: list[tuple[str, Writer[T]]] = []
    for name, field_schema in schema["properties"].items():
        known = fields.known.get(name.lower())
        if isinstance(known, Nested):
            writers.append((name, known.compile(spec, field_schema, f"{where}.{name}")))
        elif known is not None:
            writers.append((name, known))
        elif name in schema.get("required", ()) and not _is_filled(spec, field_schema, fields):
            raise SpecError(
                f"{spec.name}: {where} requires {name}, which nothing fills: give its schema an example, "
                "or add it to the fields in mock_server/responses.py"
            )
        elif fields.details is not None:
            writers.append((name, _detail(fields.details, name, spec.example(field_schema))))

    def write(thing: T) -> dict[str, object]:
        return {name: write_field(thing) for name, write_field in writers}

    return write


def _is_filled(spec: Spec, schema: Mapping[str, Any], fields: Fields[T]) -> bool:
    # By its example, or by null. A detail that a load does state may be of another type; its own schema says.
    return fields.details is not None and spec.checker(schema).accepts(spec.example(schema))


def _detail(details: Callable[[T], Mapping[str, object]], name: str, example: object) -> Writer[T]:
    return lambda thing: details(thing).get(name, example)


def one(get: Callable[[T], Part | None], fields: Fields[Part]) -> Nested[T]:
    """A field that is another thing, or null."""

    def compiled(spec: Spec, schema: Mapping[str, Any], where: str) -> Writer[T]:
        write_part = compile_response(spec, schema, fields, where)

        def write(thing: T) -> object:
            part = get(thing)
            return None if part is None else write_part(part)

        return write

    return Nested(compiled)


def many(get: Callable[[T], Iterable[Part]], fields: Fields[Part]) -> Nested[T]:
    """A field that is a list of other things."""

    def compiled(spec: Spec, schema: Mapping[str, Any], where: str) -> Writer[T]:
        write_part = compile_response(spec, _items(spec, schema), fields, where)
        return lambda thing: [write_part(part) for part in get(thing)]

    return Nested(compiled)


def _items(spec: Spec, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    items: Mapping[str, Any] = _not_null(spec, schema)["items"]
    return items


def _not_null(spec: Spec, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = spec.resolve(schema)
    branches = [spec.resolve(branch) for branch in schema.get("anyOf", ())]
    return next((branch for branch in branches if branch.get("type") != "null"), schema)


class PaymentsWriter:
    """Writes the payments of a load as one JSON text.

    Payments are only ever added, so the text of a load is kept and grows: a load with thousands of
    payments costs no more than its bytes. This saves 8 % of a payment's CPU time on a load with one
    payment, 29 % with 10 and 96 % with 2,000, as `python -m benchmarks.shortcuts` measures it ("kept
    payments").
    """

    def __init__(self, write_payment: Writer[Payment]) -> None:
        self._write_payment = write_payment
        self._kept: dict[str, _Kept] = {}

    def __call__(self, load: Load) -> Raw:
        kept = self._kept.get(load.number, _NOTHING)
        if kept.payments is load.payments:
            return kept.text
        if not load.payments:  # Most loads have none: nothing is kept of those.
            return _NOTHING.text
        # Written already, if what was last written last is still in its place.
        since = max(len(load.payments) - len(kept.payments), 0) + 1
        newer = list(islice(reversed(load.payments.values()), since))
        if kept.last is None or newer.pop() is not kept.last:
            newer, kept = list(reversed(load.payments.values())), _NOTHING
        added = b",".join(encode(self._write_payment(payment)) for payment in reversed(newer))
        separator = b"," if added and kept.payments else b""
        text = b"%b%b%b]" % (bytes(kept.text)[:-1], separator, added)
        kept = self._kept[load.number] = _Kept(load.payments, newer[0] if newer else kept.last, Raw(text))
        return kept.text


class _Kept(NamedTuple):
    """The payments that the text has, and the last of them."""

    payments: dict[str, Payment]
    last: Payment | None
    text: Raw


_NOTHING = _Kept({}, None, Raw(b"[]"))


class Recorded(NamedTuple):
    """A payment that was recorded, now or before, and its load."""

    load: Load
    payment: Payment


class FoundPage(NamedTuple):
    """One page of a search, counted from 0, and the number of hits on all pages."""

    page: int
    size: int
    total: int
    loads: list[Load]


def _payments(spec: Spec, schema: Mapping[str, Any], where: str) -> Writer[Load]:
    return PaymentsWriter(compile_response(spec, _items(spec, schema), PAYMENT, where))


MONEY = Fields[Money]({"amount": lambda money: money.amount, "currency": lambda money: money.currency})

PAYMENT = Fields[Payment](
    {
        "id": lambda payment: payment.id,
        "amount": one(lambda payment: payment.amount, MONEY),
        "checknumber": lambda payment: payment.check_number,
        "invoicenumber": lambda payment: payment.invoice_number,
        "paymentdate": lambda payment: payment.date,
        "paymentmethod": lambda payment: payment.method,
        "referencenumber": lambda payment: payment.reference,
        "paidat": lambda payment: payment.recorded_at and instant_text(payment.recorded_at),
    }
)

LOAD = Fields[Load](
    {
        "id": lambda load: load.id,
        "loadnumber": lambda load: load.number,
        "ordernumber": lambda load: load.order_number,
        "status": lambda load: load.status,
        "paidat": lambda load: load.paid_at and instant_text(load.paid_at),
        "totalpaid": one(lambda load: load.total_paid, MONEY),
        "totalbillable": one(lambda load: load.billable, MONEY),
        "customerpayments": Nested(_payments),
        "payments": Nested(_payments),
    },
    details=lambda load: load.details,
)
"""What is known of a load, for any schema that shows one."""


def _of_load(field: Writer[Load] | Nested[Load]) -> Writer[Recorded] | Nested[Recorded]:
    if not isinstance(field, Nested):
        return lambda recorded: field(recorded.load)

    def compiled(spec: Spec, schema: Mapping[str, Any], where: str) -> Writer[Recorded]:
        write = field.compile(spec, schema, where)
        return lambda recorded: write(recorded.load)

    return Nested(compiled)


RECORDED = Fields[Recorded](
    {**{name: _of_load(field) for name, field in LOAD.known.items()}, "id": lambda made: made.payment.id},
    details=lambda recorded: recorded.load.details,
)
"""What is known of a payment and its load: all that is known of the load, but the id is the payment's."""

PAGE = Fields[FoundPage](
    {
        "page": lambda found: found.page,
        "pagesize": lambda found: found.size,
        "total": lambda found: found.total,
        "items": many(lambda found: found.loads, LOAD),
    }
)
