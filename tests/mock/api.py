"""The API as the tests of the mock use it, and the one assertion for every refusal."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, cast

import httpx2

from mock_server.clock import Clock
from mock_server.documents import read_document
from mock_server.handlers import Handler, load_handlers
from mock_server.ledger import Ledger
from mock_server.router import Router, Routes
from mock_server.shipped import SPEC
from mock_server.spec import Spec
from mock_server.tokens import Tokens, token_handlers

TYPE_SECTIONS = {
    400: "5.1",
    401: "5.2",
    403: "5.4",
    404: "5.5",
    405: "5.6",
    408: "5.9",
    409: "5.10",
    413: "5.14",
    415: "5.16",
    503: "6.4",
}
TYPE_SECTIONS_OF_RFC_6585 = {429: "4", 431: "5"}

STATUSES = (
    "In Review",
    "Open",
    "Quoted",
    "Reserved",
    "Covered",
    "Dispatched",
    "In Transit",
    "Delivered",
    "TONU",
    "Released",
    "Queued",
    "Invoiced",
    "Financed",
    "Completed",
    "Paid",
    "Cancelled",
)
PAYABLE = ("Invoiced", "Completed", "Financed")
GATED = tuple(status for status in STATUSES if status not in PAYABLE)

KINDS: Mapping[str, Mapping[str, object]] = {status: {"Status": status} for status in STATUSES} | {
    "billed 100.30 USD": {"Status": "Invoiced", "InvoicedAmount": {"Amount": 100.30, "Currency": 840}},
    "billed 100 USD, rate 50": {
        "Status": "Financed",
        "InvoicedAmount": {"Amount": 100, "Currency": 840},
        "CustomerRate": {"Amount": 50, "Currency": 840},
    },
    "rate 50 CAD": {"Status": "Invoiced", "CustomerRate": {"Amount": 50, "Currency": 124}},
}
"""What a fresh load can be."""

PAYMENTS = "/api/p/v1.0/invoices/customer-payments"
LOADS = "/api/p/v1.0/loads"
SEARCH = "/api/p/v1.0/loads/search"

Json = Any  # a decoded JSON value, numbers as Decimal or int


def json_of(text: str | bytes) -> Json:
    return json.loads(text, parse_float=Decimal)


SCHEMAS = cast("dict[str, Json]", read_document(SPEC))["components"]["schemas"]


def app_of(spec: Spec, ledger: Ledger, **more: Handler[Any]) -> Router:
    """The API alone, on a ledger of the test's own, with `more` handlers by operationId. SpecError."""
    clock = Clock()
    tokens = Tokens(clock, spec.token_terms())
    return Router(clock, Routes(spec, {**load_handlers(ledger), **token_handlers(tokens), **more}))


def payment_of(
    number: str, reference: str, amount: object = 1, currency: int = 840, **fields: object
) -> dict[str, Json]:
    """A valid request body; `fields` are added, or replace."""
    return {
        "LoadNumber": number,
        "Amount": {"Amount": amount, "Currency": currency},
        "PaymentDate": "2026-07-01T15:30:00Z",
        "ReferenceNumber": reference,
        **fields,
    }


@dataclass
class Api:
    """A running mock and its fresh loads. Every load number is handed out once."""

    client: httpx2.Client
    fresh: Mapping[str, Iterator[str]]
    references: Iterator[int] = field(default_factory=lambda: count(1))

    def reference(self) -> str:
        return f"T-{next(self.references)}"

    def new_load(self, kind: str = "billed 100.30 USD") -> str:
        return next(self.fresh[kind])

    def payment(
        self, number: str, amount: object = 1, currency: int = 840, **fields: object
    ) -> dict[str, Json]:
        """A body with a reference of its own."""
        return payment_of(number, self.reference(), amount, currency, **fields)

    def post(
        self, body: object, media_type: str | None = "application/json-patch+json", path: str = PAYMENTS
    ) -> httpx2.Response:
        """Sends bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if media_type is None else {"content-type": media_type}
        return self.client.post(path, content=content, headers=headers)

    def pay(self, number: str, amount: object = 1, currency: int = 840, **fields: object) -> Json:
        """Records a payment and returns the response's document."""
        response = self.post(self.payment(number, amount, currency, **fields))
        assert response.status_code == 200, response.text
        return json_of(response.text)

    def load(self, number: str) -> Json:
        return json_of(self.load_text(number))

    def load_text(self, number: str) -> bytes:
        response = self.client.get(LOADS, params={"loadNumber": number})
        assert response.status_code == 200
        return response.content

    def raw(self, request: bytes) -> bytes:
        """Sends bytes over a socket of its own, and reads until the server closes it."""
        with self.connection() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def connection(self) -> socket.socket:
        url = self.client.base_url
        return socket.create_connection((url.host, url.port or 80), timeout=60)


def problem_of(response: httpx2.Response, status: int) -> Json:
    """The problem document of a refusal, after a look at everything that all of them share."""
    assert response.status_code == status, response.text
    assert response.headers.get_list("content-type") == ["application/problem+json"]
    return checked_problem(response.content, status)


def checked_problem(body: bytes, status: int) -> Json:
    document = json_of(body)
    schema = SCHEMAS["ValidationProblem" if status == 400 else "Problem"]
    assert set(document) == set(schema["properties"])
    if section := TYPE_SECTIONS_OF_RFC_6585.get(status):
        assert document["type"] == f"https://tools.ietf.org/html/rfc6585#section-{section}"
    else:
        section = TYPE_SECTIONS[status]
        assert document["type"] == f"https://tools.ietf.org/html/rfc9110#section-15.{section}"
    assert document["status"] == status
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", document["traceId"])
    assert isinstance(document["title"], str)
    assert b"Traceback" not in body
    if status == 400:
        assert document["title"] == "One or more validation errors occurred."
        sentences = [sentence for about_field in document["errors"].values() for sentence in about_field]
        assert {type(sentence) for sentence in sentences} == {str}
        assert document["detail"] == sentences[0]
    return document
