"""One function per operationId: request -> domain -> ledger. Which fields come back, the schema says."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Generic, NamedTuple

from mock_server.domain import LOAD_CURRENCY, TERMS, Find, Load, LoadNotFound, Money, Payment
from mock_server.instants import instant
from mock_server.ledger import Ledger, LoadFilter
from mock_server.problems import InvalidRequest, problem
from mock_server.responses import (
    STYLE,
    Fields,
    FoundPage,
    Recorded,
    Style,
    T,
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
    fields: Fields[T] | None
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


async def record_customer_payment(ledger: Ledger, find: Find, request: ValidRequest) -> Recorded:
    """Records a payment, and finds it among those of its load; LoadNotFound (R3), LoadNotPayable (R2)."""
    body, own_currency = request.body, LOAD_CURRENCY
    if body["Amount"].get("Currency") is None:  # where the document lets a payment leave it out
        own_currency = (await ledger.load(number=body["LoadNumber"])).currency
    load = await ledger.record(body["LoadNumber"], payment_in(body, own_currency))
    return Recorded(load, find(load.payments, body["ReferenceNumber"]))


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
    found = await ledger.search(
        LoadFilter(
            statuses=body.get("Status") or (),
            numbers=body.get("LoadNumbers") or (),
            order_numbers=body.get("OrderNumbers") or (),
            po_numbers=body.get("PONumbers") or (),
            customer_id=body.get("CustomerId"),
            created_from=instant(start) if start else None,
            created_to=instant(end) if end else None,
        )
    )
    page, size = int(body.get("Page", 0)), int(body.get("PageSize", 20))
    loads = found[page * size : (page + 1) * size]
    if not loads:
        raise LoadNotFound
    return FoundPage(page, size, len(found), loads)


def load_handlers(
    ledger: Ledger,
    style: Style = STYLE,
    refuse: Callable[[Exception], Response] = problem,
    find: Find = TERMS.find,
) -> Mapping[str, Handler[Any]]:
    """The handlers of the operations on loads and their payments, by operationId."""
    load, page = load_fields(style), page_fields(style)
    return {
        "recordCustomerPayment": Handler(
            partial(record_customer_payment, ledger, find), recorded_fields(style), refuse
        ),
        "getLoad": Handler(partial(get_load, ledger), load, refuse),
        "searchLoads": Handler(partial(search_loads, ledger), page, refuse),
    }


def with_load_number(example: Mapping[str, Any], number: str) -> dict[str, object]:
    """A payment's example, for another load."""
    return {**example, "LoadNumber": number}
