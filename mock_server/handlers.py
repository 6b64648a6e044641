"""One function per operationId: wire -> domain -> ledger. What comes back, the spec shapes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from mock_server.domain import Load, LoadNotFound
from mock_server.instants import instant
from mock_server.ledger import Ledger, LoadFilter
from mock_server.problems import Refusal, problem
from mock_server.shapes import Facts
from mock_server.wire import LOAD, PAGE, payment_from_wire


class Call(NamedTuple):
    """A request that its schemas have accepted: the body, the query and the path's parameters."""

    body: Mapping[str, Any]
    query: Mapping[str, str]
    path: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of a search, counted from 0, and the number of hits on all pages."""

    page: int
    size: int
    total: int
    loads: list[Load]


def record_customer_payment(ledger: Ledger, call: Call) -> Awaitable[Load]:
    """Records a payment; LoadNotFound (R3), LoadNotPayable (R2)."""
    return ledger.record(call.body["LoadNumber"], payment_from_wire(call.body))


def get_load(ledger: Ledger, call: Call) -> Awaitable[Load]:
    """Reads the load that has every key given; LoadNotFound."""
    query = call.query
    return ledger.load(
        id=query.get("id"), number=query.get("loadNumber"), order_number=query.get("orderNumber")
    )


async def search_loads(ledger: Ledger, call: Call) -> FoundPage:
    """Searches loads; LoadNotFound for a page without any (A23)."""
    body = call.body
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


Keeper = TypeVar("Keeper")


@dataclass(frozen=True, slots=True)
class Handler(Generic[Keeper]):
    """A function and the kind of thing that it returns; None for one that is JSON already.

    `refuse` makes the answer of what the function, or a check before it, raises; `headers` are what a
    success has besides its media type.
    """

    handle: Callable[[Keeper, Call], Awaitable[object]]
    returns: Facts | None
    refuse: Callable[[Exception], Refusal] = problem
    headers: Mapping[str, str] = field(default_factory=dict)

    def bound_to(self, keeper: Keeper) -> "BoundHandler":
        """The same, of what keeps the state that the function works on."""
        return BoundHandler(partial(self.handle, keeper), self.returns, self.refuse, self.headers)


class BoundHandler(NamedTuple):
    """A handler that needs nothing but the call."""

    handle: Callable[[Call], Awaitable[object]]
    returns: Facts | None
    refuse: Callable[[Exception], Refusal]
    headers: Mapping[str, str]


def bound(handlers: Mapping[str, Handler[Keeper]], keeper: Keeper) -> dict[str, BoundHandler]:
    """Every handler, bound to one keeper of state."""
    return {name: handler.bound_to(keeper) for name, handler in handlers.items()}


HANDLERS: Mapping[str, Handler[Ledger]] = {
    "recordCustomerPayment": Handler(record_customer_payment, LOAD),
    "getLoad": Handler(get_load, LOAD),
    "searchLoads": Handler(search_loads, PAGE),
}


def subject(scope: Mapping[str, Any]) -> tuple[object, object]:
    """The load number and the reference that a request names, as far as it was read; None where none."""
    document = scope.get("mock.document")
    if isinstance(document, dict):
        return document.get("LoadNumber"), document.get("ReferenceNumber")
    query = scope.get("mock.query", {})
    return query.get("loadNumber"), None


def with_load_number(example: Mapping[str, Any], number: str) -> dict[str, object]:
    """A payment's example, for another load."""
    return {**example, "LoadNumber": number}
