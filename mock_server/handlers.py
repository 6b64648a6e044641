"""One function per operationId: request -> domain -> ledger. Which fields come back, the schema says."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Generic, NamedTuple

from mock_server.domain import LOAD_CURRENCY, Load, LoadNotFound, Money, Payment, Payments
from mock_server.instants import instant
from mock_server.invoices import (
    billed_id,
    billed_number,
    invoice_id,
    invoice_number,
    invoice_status,
    load_statuses,
)
from mock_server.ledger import Ledger, LoadFilter
from mock_server.problems import InvalidRequest, problem
from mock_server.responses import (
    STYLE,
    USERS,
    Fields,
    FoundPage,
    Nested,
    Recorded,
    Style,
    T,
    invoice_fields,
    load_fields,
    page_fields,
    recorded_fields,
)
from mock_server.trace import Response


class ValidRequest(NamedTuple):
    """A request that its schemas have accepted: the body, the query and the path's parameters."""

    body: Mapping[str, Any]
    query: Mapping[str, str]
    path: Mapping[str, str]


@dataclass(frozen=True)
class Handler(Generic[T]):
    """What serves an operation, and the fields of what it returns; None if that is JSON already.

    `refuse` makes the response of what the function, or a check before it, raises; `headers` are what a
    success has besides its media type. `instead` is asked about a body that its schema refuses, and raises
    the refusal, or another one, or returns what the function does.
    """

    handle: Callable[[ValidRequest], Awaitable[T]]
    fields: Fields[T] | Nested[T] | None
    refuse: Callable[[Exception], Response] = problem
    headers: Mapping[str, str] = field(default_factory=dict)
    instead: Callable[[object, InvalidRequest], Awaitable[T]] | None = None


def money_in(money: Mapping[str, Any], own_currency: int = LOAD_CURRENCY) -> Money:
    """The money in `{Amount, Currency}`; `own_currency` is the load's, for money that names none."""
    currency = money.get("Currency")
    return Money(Decimal(money["Amount"]), own_currency if currency is None else int(currency))


def payment_in(body: Mapping[str, Any], own_currency: int = LOAD_CURRENCY) -> Payment:
    """The payment in a request body, or in a fixture; it has no id yet. `own_currency` is the load's."""
    return Payment(
        body["ReferenceNumber"],
        money_in(body["Amount"], own_currency),
        body["PaymentDate"],
        body.get("InvoiceNumber"),
        body.get("PaymentMethod"),
        body.get("CheckNumber"),
        body.get("Note"),
    )


def is_replay(payment: Payment, body: Mapping[str, Any]) -> bool:
    """Whether an earlier request recorded the payment that a request with this body got.

    A payment keeps the very texts that were read from the body of its request.
    """
    return payment.date is not body.get("PaymentDate") or payment.reference is not body.get("ReferenceNumber")


_MAY_DIFFER = (
    "Amount.Amount",
    "Amount.Currency",
    "PaymentDate",
    "InvoiceNumber",
    "PaymentMethod",
    "CheckNumber",
    "Note",
)


def ignored_of(body: Mapping[str, Any], original: Payment) -> Sequence[tuple[str, str]]:
    """What a replay says otherwise than the original payment, which wins (A7): field -> what was sent."""
    money = body.get("Amount")
    amount, currency = (
        (money.get("Amount"), money.get("Currency")) if isinstance(money, dict) else (None, None)
    )
    sent = (amount, currency, *map(body.get, _MAY_DIFFER[2:]))
    kept = (
        *original.amount,
        original.date,
        original.invoice_number,
        original.method,
        original.check_number,
        original.note,
    )
    if sent == kept:
        return ()
    return [
        (name, str(value))
        for name, value, first in zip(_MAY_DIFFER, sent, kept, strict=True)
        if value not in (None, first)
    ]


async def record_customer_payment(ledger: Ledger, request: ValidRequest) -> Load:
    """Records a payment; LoadNotFound (R3), LoadNotPayable (R2)."""
    body = request.body
    if body["Amount"].get("Currency") is None:  # where the document lets a payment leave it out
        return await ledger.undivided(partial(_record_in_own_currency, ledger, body))
    return await ledger.record(body["LoadNumber"], payment_in(body))


async def _record_in_own_currency(ledger: Ledger, body: Mapping[str, Any]) -> Load:
    load = await ledger.load(number=body["LoadNumber"])
    return await ledger.record(load.number, payment_in(body, load.currency))


def showing_payment(
    handler: Handler[Load], find: Callable[[Payments, str], Payment | None], style: Style
) -> Handler[Recorded]:
    """The handler of a payment, whose response may show that payment; `find` is that of the terms."""

    def recorded(load: Load, body: Mapping[str, Any]) -> Recorded:
        return Recorded(load, find(load.payments, body["ReferenceNumber"]))

    async def handle(request: ValidRequest) -> Recorded:
        load = await handler.handle(request)
        return Recorded(load, find(load.payments, request.body["ReferenceNumber"]))

    instead = handler.instead

    async def handle_refused(document: Any, refusal: InvalidRequest) -> Recorded:
        return recorded(await instead(document, refusal), document)  # type: ignore[misc]

    other: Any = handle_refused if instead is not None else None
    shown: Any = replace(handler, handle=handle, fields=recorded_fields(style), instead=other)  # type: ignore[arg-type]
    return shown  # type: ignore[no-any-return]


def get_load(ledger: Ledger, request: ValidRequest) -> Awaitable[Load]:
    """Reads the load that has every key given; LoadNotFound."""
    query = request.query
    return ledger.load(
        id=query.get("id"), number=query.get("loadNumber"), order_number=query.get("orderNumber")
    )


async def search_loads(ledger: Ledger, request: ValidRequest) -> FoundPage:
    """Searches loads; LoadNotFound for a page without any (A23)."""
    body = request.body
    span = body.get("DateRange") or {}
    start, end = span.get("Start"), span.get("End")
    wanted = LoadFilter(
        statuses=body.get("Status") or (),
        numbers=body.get("LoadNumbers") or (),
        order_numbers=body.get("OrderNumbers") or (),
        po_numbers=body.get("PONumbers") or (),
        customer_id=body.get("CustomerId"),
        created_from=instant(start) if start else None,
        created_to=instant(end) if end else None,
    )
    page, size = _asked_page(body)
    return _page_with(page, size, *await ledger.page(wanted, page * size, size), LoadNotFound)


def _asked_page(body: Mapping[str, Any]) -> tuple[int, int]:
    return int(body.get("Page", 0)), int(body.get("PageSize", 20))


def _page_with(
    page: int, size: int, total: int, loads: list[Load], none: Callable[[], LoadNotFound]
) -> FoundPage:
    if not loads:
        raise none()
    return FoundPage(page, size, total, loads)


_no_invoice = partial(LoadNotFound, "No invoice matches the request.")


async def get_invoice(ledger: Ledger, request: ValidRequest) -> Load:
    """Reads the load whose invoice has every key given; LoadNotFound, also for a load without one (A25)."""
    given_id, number = request.query.get("id"), request.query.get("invoiceNumber")
    with suppress(LoadNotFound):
        load = await ledger.load(id=billed_id(given_id or ""), number=billed_number(number or ""))
        has_both = given_id in (None, invoice_id(load.id)) and number in (None, invoice_number(load.number))
        if has_both and invoice_status(load) is not None:
            return load
    raise _no_invoice()


async def search_invoices(ledger: Ledger, request: ValidRequest) -> FoundPage:
    """Searches the loads whose invoices match (A28); LoadNotFound for a page without any (A23)."""
    body = request.body
    statuses, load_numbers = body.get("Status") or (), body.get("LoadNumbers") or ()
    numbers = load_numbers
    if body.get("InvoiceNumbers"):
        billed = [number for each in body["InvoiceNumbers"] if (number := billed_number(each)) is not None]
        numbers = [number for number in billed if not load_numbers or number in load_numbers]
        if not numbers:
            raise _no_invoice()
    found = await ledger.search(
        LoadFilter(statuses=load_statuses(statuses), numbers=numbers, customer_id=body.get("CustomerId"))
    )
    loads = [load for load in found if not statuses or invoice_status(load) in statuses]
    page, size = _asked_page(body)
    return _page_with(page, size, len(loads), loads[page * size : (page + 1) * size], _no_invoice)


async def list_users(_request: ValidRequest) -> list[Mapping[str, object]]:
    """One user, by which a client sees that its credentials are good."""
    return [{}]


def load_handlers(
    ledger: Ledger, style: Style = STYLE, refuse: Callable[[Exception], Response] = problem
) -> Mapping[str, Handler[Any]]:
    """The handlers of the operations on loads, their payments and their invoices, by operationId."""
    load, invoice = load_fields(style), invoice_fields(style)
    return {
        "recordCustomerPayment": Handler(partial(record_customer_payment, ledger), load, refuse),
        "getLoad": Handler(partial(get_load, ledger), load, refuse),
        "searchLoads": Handler(partial(search_loads, ledger), page_fields(load), refuse),
        "getInvoice": Handler(partial(get_invoice, ledger), invoice, refuse),
        "searchInvoices": Handler(partial(search_invoices, ledger), page_fields(invoice), refuse),
        "listUsers": Handler(list_users, USERS, refuse),
    }


def with_load_number(example: Mapping[str, Any], number: str) -> dict[str, object]:
    """A payment's example, for another load."""
    return {**example, "LoadNumber": number}
