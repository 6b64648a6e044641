"""Requests to an implementation and its responses, without a socket."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeAlias

import httpx2
from starlette.types import ASGIApp

from evaluation.reference.loads import by_status, opening_loads
from evaluation.reference.tokens import CLIENT, TOKEN_PATH
from evaluation.reference.values import Json, encode

INVOICED, INVOICED_CAD = by_status(opening_loads())["Invoiced"]
COMPLETED = by_status(opening_loads())["Completed"][0]
FINANCED = by_status(opening_loads())["Financed"][0]
DISPATCHED = by_status(opening_loads())["Dispatched"][0]
DELIVERED = by_status(opening_loads())["Delivered"][0]
QUEUED = by_status(opening_loads())["Queued"][0]
PAID = by_status(opening_loads())["Paid"][0]
MEDIA_TYPE = "application/json-patch+json"
PAYMENTS = "/api/p/v1.0/invoices/customer-payments"
ABSENT = object()
"""A field with this value is left out."""


class Missing:
    """What `Received.at` gives where the response has nothing; equal to nothing but itself."""

    def __repr__(self) -> str:
        """A word for messages."""
        return "missing"


MISSING = Missing()
Found: TypeAlias = "Json | Missing"


def inside(value: Found, step: str | int) -> Found:
    """The field or the item of a value."""
    if isinstance(step, str):
        return value.get(step, MISSING) if isinstance(value, Mapping) else MISSING
    if isinstance(value, list) and -len(value) <= step < len(value):
        item: Json = value[step]
        return item
    return MISSING


@dataclass(frozen=True, slots=True)
class Sent:
    """A request."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def typed(self, media_type: str) -> "Sent":
        """The same request with another media type."""
        return replace(self, headers={"content-type": media_type})

    def to(self, path: str) -> "Sent":
        """The same request to another path."""
        return replace(self, path=path)


@dataclass(frozen=True, slots=True)
class Together:
    """Requests that are sent at once."""

    requests: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds in which nothing is sent."""

    seconds: float


class Clock:
    """Counts the seconds of pauses, and no others."""

    def __init__(self) -> None:
        """Begins at a time that is not special."""
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass(frozen=True, slots=True)
class Received:
    """A response. `body` is MISSING unless it is JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Found

    @property
    def media_type(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    def at(self, *steps: str | int) -> Found:
        """The value that is found by these fields and positions."""
        value = self.body
        for step in steps:
            value = inside(value, step)
        return value

    def paid(self, *steps: str | int) -> Found:
        """A value in the list of the customer's payments."""
        return self.at("CustomerPayments", *steps)

    def count(self, name: str = "CustomerPayments") -> int | Missing:
        """How long a list is."""
        value = self.at(name)
        return len(value) if isinstance(value, list) else MISSING

    def each(self, *steps: str, of: str = "CustomerPayments") -> list[Found]:
        """The same value of every item of a list."""
        count = self.count(of)
        return [self.at(of, i, *steps) for i in range(count)] if isinstance(count, int) else []


def pay(**fields: object) -> Sent:
    """A payment of 10.50 USD on an invoiced load, with these changes. `Number` is the amount's number."""
    body = {
        "LoadNumber": INVOICED,
        "Amount": {
            "Amount": fields.pop("Number", Decimal("10.50")),
            "Currency": fields.pop("Currency", 840),
        },
        "PaymentDate": "2026-07-01T15:30:00Z",
        "ReferenceNumber": "R-1",
    } | fields
    return raw(encode(present(body)).encode())


def present(fields: Mapping[str, object]) -> dict[str, Json]:
    """The fields that are not ABSENT."""
    kept: dict[str, Json] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            kept[name] = present(value)
        elif value is not ABSENT:
            kept[name] = as_json(value)
    return kept


def as_json(value: object) -> Json:
    """The value, if it is one of JSON."""
    if value is None or isinstance(value, bool | int | Decimal | str):
        return value
    if isinstance(value, list):
        return [as_json(item) for item in value]
    raise TypeError(value)


def raw(content: bytes) -> Sent:
    """A payment with this body."""
    return Sent("POST", PAYMENTS, headers={"content-type": MEDIA_TYPE}, content=content)


def authorized(request: Sent, authorization: str) -> Sent:
    """The same request with this header."""
    return replace(request, headers={**request.headers, "authorization": authorization})


def read(number: str = INVOICED) -> Sent:
    """A read of a load."""
    return read_by(loadNumber=number)


def read_by(**keys: str) -> Sent:
    """A read of a load by other keys."""
    return Sent("GET", "/api/p/v2.0/loads", keys)


def search(**filters: object) -> Sent:
    """A search for loads."""
    content = encode(present(filters)).encode()
    return Sent("POST", "/api/p/v2.0/loads/search", {}, {"content-type": "application/json"}, content)


def read_invoice(**keys: str) -> Sent:
    """A read of an invoice."""
    return Sent("GET", "/api/p/v1.0/invoices", keys)


def search_invoices(**filters: object) -> Sent:
    """A search for invoices."""
    content = encode(present(filters)).encode()
    return Sent("POST", "/api/p/v1.0/invoices/search", {}, {"content-type": "application/json"}, content)


GET_TOKEN = Sent(
    "POST",
    TOKEN_PATH,
    headers={"content-type": "application/json"},
    content=json.dumps({**CLIENT, "grant_type": "client_credentials"}).encode(),
)
FIRST_TOKEN = "Reference-Token-0001"  # noqa: S105 - what the first request for a token gives


def exchange(
    app: ASGIApp, requests: Sequence[Sent | Together | Pause], clock: Clock | None = None
) -> list[Received]:
    """Sends the requests in order, those of a Together at once; the responses in the same order.

    A Pause only moves the clock, which should be the application's, too.
    """
    return asyncio.run(_exchange(app, requests, clock or Clock()))


async def _exchange(
    app: ASGIApp, requests: Sequence[Sent | Together | Pause], clock: Clock
) -> list[Received]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    received: list[Received] = []
    async with httpx2.AsyncClient(transport=transport, base_url="http://loopback") as client:
        for request in requests:
            if isinstance(request, Pause):
                clock.now += request.seconds
                continue
            together = request.requests if isinstance(request, Together) else (request,)
            received += await asyncio.gather(*(_send(client, one) for one in together))
    return received


async def _send(client: httpx2.AsyncClient, sent: Sent) -> Received:
    response = await client.request(
        sent.method,
        sent.path,
        params=dict(sent.query) or None,
        headers=dict(sent.headers),
        content=sent.content,
    )
    text = response.content.decode(errors="replace")
    try:
        body: Found = json.loads(text, parse_float=Decimal)
    except ValueError:
        body = MISSING
    return Received(response.status_code, dict(response.headers), text, body)
