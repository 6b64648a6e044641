"""Which fields a response has: its schema names them, the tables here fill them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from msgspec import Raw

from mock_server.decimal_json import encode
from mock_server.domain import Load, Money, Payment, Recording
from mock_server.instants import instant_text
from mock_server.invoices import (
    PAID,
    amount_paid,
    invoice_id,
    invoice_number,
    invoice_status,
    overpayment,
    remaining_balance,
)
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
    names: Mapping[str, str] = field(default_factory=dict)
    """How a field is written that the schema writes otherwise, by the schema's name."""
    only: frozenset[str] | None = None
    """The fields of the schema that are written, in lowercase; None for all."""
    omits_null: bool = False


def compile_response(spec: Spec, schema: Mapping[str, Any], fields: Fields[T], where: str) -> Writer[T]:
    """Compiles a response schema: the function makes an object with exactly the schema's fields.

    Names are matched without case, so that a document may write them its own way. SpecError if the
    schema requires a field that nothing fills.
    """
    if spec.origin is not None:
        from mock_server.foreign.fitting import fitted  # noqa: PLC0415 - for documents that are not ours

        return fitted(spec, schema, fields, where)
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

    writers = [
        (fields.names.get(name, name), write_field)
        for name, write_field in writers
        if fields.only is None or name.lower() in fields.only
    ]

    def write(thing: T) -> dict[str, object]:
        return {name: write_field(thing) for name, write_field in writers}

    def write_what_is_there(thing: T) -> dict[str, object]:
        return {name: value for name, value in write(thing).items() if value is not None}

    return write_what_is_there if fields.omits_null else write


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
    shape = _not_null(spec, schema) if spec.origin is None else spec.examples.shape(schema)
    items: Mapping[str, Any] = shape["items"]
    return items


def _not_null(spec: Spec, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = spec.resolve(schema)
    branches = [spec.resolve(branch) for branch in schema.get("anyOf", ())]
    return next((branch for branch in branches if branch.get("type") != "null"), schema)


class PaymentsWriter:
    """Writes the payments of a load as one JSON text.

    Payments are only ever added, so the text of those that share a recording is kept, as long as that is,
    and grows: a load with thousands of payments costs no more than its bytes. This saves 8 % of a payment's
    CPU time on a load with one payment, 29 % with 10 and 96 % with 2,000, as `python -m
    benchmarks.shortcuts` measures it ("kept payments").
    """

    def __init__(self, write_payment: Writer[Payment]) -> None:
        self._write_payment = write_payment
        self._kept: WeakKeyDictionary[Recording, _Kept] = WeakKeyDictionary()

    def __call__(self, load: Load) -> Raw:
        payments = load.payments
        count = len(payments)
        if not count:  # Most loads have none: nothing is kept of those.
            return _NOTHING
        kept = self._kept.get(payments.recording)
        if kept is None:
            kept = self._kept[payments.recording] = _Kept()
        if kept.count > count:  # of a load as it was before
            kept = _Kept()
        if kept.count < count:
            kept.grow([encode(self._write_payment(each)) for each in payments.after(kept.count)])
        return Raw(kept.text)


class _Kept:
    """A list in JSON, and how many payments it has."""

    def __init__(self) -> None:
        self.count = 0
        self.text = bytearray(b"]")

    def grow(self, texts: list[bytes]) -> None:
        try:
            self.text.pop()
        except BufferError:  # who writes a response still has it
            self.text = self.text[:-1]
        for text in texts:
            self.text += b",%b" % text if self.count else b"[%b" % text
            self.count += 1
        self.text += b"]"


_NOTHING = Raw(b"[]")


class FoundPage(NamedTuple):
    """One page of a search, counted from 0, and the number of hits on all pages."""

    page: int
    size: int
    total: int
    loads: list[Load]


@dataclass(frozen=True, slots=True)
class Style:
    """How responses are written where the contract leaves it open; by default as the document writes them."""

    names: Mapping[str, str] = field(default_factory=dict)
    """How the fields of a load are written, by the document's names (A1)."""
    fields_in_load: frozenset[str] | None = None
    """The fields of a payment in a load, in lowercase; None for all of the document's (A1)."""
    order: Callable[[list[Payment]], Sequence[Payment]] | None = None
    """The order of payments, given oldest first; None for that."""
    payment: Callable[[Payment], Payment] | None = None
    """A payment as it is shown; None for as it is kept."""
    paid_at: Callable[[str], str] | None = None
    """When a load was paid as it is shown, given in UTC with `Z`; None for that."""
    omits_null: bool = False


STYLE = Style()


class Recorded(NamedTuple):
    """A load after a payment, and the payment that was recorded, now or before; None if none was."""

    load: Load
    payment: Payment | None


def load_fields(style: Style = STYLE) -> "Fields[Load]":
    """What is known of a load, for any schema that shows one."""
    write_time = style.paid_at or str
    paid_at = {"paidat": lambda payment: _instant(write_time, payment.recorded_at)}
    payment = replace(PAYMENT, known={**PAYMENT.known, **paid_at}, omits_null=style.omits_null)
    shown = _payments(style, payment)
    in_load = _payments(style, replace(payment, only=style.fields_in_load))
    known = {**_LOAD, "paidat": lambda load: _instant(write_time, load.paid_at)}
    return Fields(
        {**known, "customerpayments": shown, "payments": in_load},
        details=lambda load: load.details,
        names=style.names,
        omits_null=style.omits_null,
    )


def recorded_fields(style: Style = STYLE) -> "Fields[Recorded]":
    """What is known of a load after a payment; the id is the payment's."""
    of_load = {name: _of_load(writer) for name, writer in load_fields(style).known.items()}
    return Fields(
        {**of_load, "id": lambda recorded: recorded.payment and recorded.payment.id},
        details=lambda recorded: recorded.load.details,
        omits_null=style.omits_null,
    )


def _of_load(writer: Writer[Load] | Nested[Load]) -> Writer[Recorded] | Nested[Recorded]:
    if not isinstance(writer, Nested):
        return lambda recorded: writer(recorded.load)

    def compiled(spec: Spec, schema: Mapping[str, Any], where: str) -> Writer[Recorded]:
        write = writer.compile(spec, schema, where)
        return lambda recorded: write(recorded.load)

    return Nested(compiled)


def invoice_fields(style: Style = STYLE) -> "Fields[Load]":
    """What is known of the invoice of a load."""
    write_time = style.paid_at or str

    def paid_date(load: Load) -> str | None:
        return _instant(write_time, load.paid_at) if invoice_status(load) == PAID else None

    payments = _payments(style, replace(PAYMENT, omits_null=style.omits_null))
    return Fields(
        {**_INVOICE, "paiddate": paid_date, "payments": payments},
        details=lambda load: load.details,
        omits_null=style.omits_null,
    )


def page_fields(items: "Fields[Load]") -> "Fields[FoundPage]":
    """What is known of a page of hits, given what is of a hit."""
    return Fields({**_PAGE, "items": many(lambda found: found.loads, items)})


def _payments(style: Style, fields: Fields[Payment]) -> Nested[Load]:
    order, shown = style.order or list, style.payment

    def compiled(spec: Spec, schema: Mapping[str, Any], where: str) -> Writer[Load]:
        write = compile_response(spec, _items(spec, schema), fields, where)
        write_shown = write if shown is None else lambda payment: write(shown(payment))
        if style.order is None and spec.origin is None:  # a schema checks lists, and no texts
            return PaymentsWriter(write_shown)
        return lambda load: [write_shown(payment) for payment in order([*load.payments.values()])]

    return Nested(compiled)


def _instant(write: Callable[[str], str], at: datetime | None) -> str | None:
    return None if at is None else write(instant_text(at))


MONEY = Fields[Money]({"amount": lambda money: money.amount, "currency": lambda money: money.currency})

PAYMENT = Fields[Payment](
    {
        "id": lambda payment: payment.id,
        "amount": one(lambda payment: payment.amount, MONEY),
        "checknumber": lambda payment: payment.check_number,
        "invoicenumber": lambda payment: payment.invoice_number,
        "paidat": lambda payment: _instant(str, payment.recorded_at),
        "paymentdate": lambda payment: payment.date,
        "paymentmethod": lambda payment: payment.method,
        "paymentreference": lambda payment: payment.reference,
        "referencenumber": lambda payment: payment.reference,
    }
)

_LOAD: Mapping[str, Writer[Load] | Nested[Load]] = {
    "id": lambda load: load.id,
    "loadnumber": lambda load: load.number,
    "ordernumber": lambda load: load.order_number,
    "ponumber": lambda load: load.po_number,
    "customerid": lambda load: load.customer_id,
    "status": lambda load: load.status,
    "totalpaid": one(lambda load: load.total_paid, MONEY),
    "totalbillable": one(lambda load: load.billable, MONEY),
}
_INVOICE: Mapping[str, Writer[Load] | Nested[Load]] = {
    "id": lambda load: invoice_id(load.id),
    "number": lambda load: invoice_number(load.number),
    "customerid": lambda load: load.customer_id,
    "status": invoice_status,
    "total": one(lambda load: Money(load.billable.amount, load.currency), MONEY),
    "amountpaid": one(amount_paid, MONEY),
    "remainingbalance": one(remaining_balance, MONEY),
    "overpaymentamount": one(overpayment, MONEY),
    "loads": many(lambda load: (load,), Fields(_LOAD)),
}
_PAGE: Mapping[str, Writer[FoundPage] | Nested[FoundPage]] = {
    "page": lambda found: found.page,
    "pagesize": lambda found: found.size,
    "total": lambda found: found.total,
}

LOAD = load_fields()
"""What is known of a load, as the admin API and tests see it."""
PAGE = page_fields(LOAD)
"""A page of such loads."""
USERS = many(lambda users: users, Fields[Mapping[str, object]]({}, details=lambda user: user))
"""Users, of whom nothing is known: they are as the examples of the document."""
