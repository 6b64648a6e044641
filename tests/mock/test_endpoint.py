"""Endpoints: requests at the same time, and an error of the mock itself."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping
from decimal import Decimal

import httpx2
import pytest
from starlette.types import Message

from mock_server.domain import Load, Money, Payment
from mock_server.ledger import MemoryLedger
from mock_server.opening import opening_loads
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Spec
from tests.mock.api import PAYMENTS, app_of, json_of, payment_of

PAYMENT = payment_of("LD-1001", "R")


def posted(ledger: MemoryLedger, *bodies: Mapping[str, object]) -> list[httpx2.Response]:
    """The responses to requests that one event loop serves at the same time."""

    async def post_all() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app_of(Spec.read(SPEC), ledger))
        async with httpx2.AsyncClient(transport=transport, base_url="http://mock") as client:
            return await asyncio.gather(*(client.post(PAYMENTS, json=body) for body in bodies))

    return asyncio.run(post_all())


class Piece(bytes):
    """Counts the bytes that it is added to and that are copied for it."""

    copied = 0

    def __radd__(self, before: bytes) -> bytes:
        if isinstance(before, bytearray):  # which grows
            return NotImplemented
        Piece.copied += len(before)
        return before + bytes(self)


def test_body_in_many_pieces_is_not_copied_for_each() -> None:
    body = json.dumps(PAYMENT).encode()
    pieces = deque([*([Piece(b" ")] * 5_000), *(Piece([byte]) for byte in body)])
    sent: list[Message] = []

    async def receive() -> Message:
        piece = pieces.popleft()
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": PAYMENTS, "query_string": b"", "headers": headers}
    app = app_of(Spec.read(SPEC), shipped_ledger())
    asyncio.run(app({**scope, "server": ("mock", 80), "client": None}, receive, send))
    assert (sent[0]["status"], len(pieces), Piece.copied) == (200, 0, 0)


def shipped_ledger() -> MemoryLedger:
    return MemoryLedger(opening_loads(Spec.read(SPEC), [FIXTURES]))


@pytest.mark.clause("R6", "A22")
def test_interleaved_replays_record_one_payment() -> None:
    """Over sockets the requests may happen to come one by one; here each step of them alternates."""
    responses = posted(shipped_ledger(), *[PAYMENT] * 50)
    assert {response.status_code for response in responses} == {200}
    assert {response.text for response in responses} == {responses[0].text}
    assert len(json_of(responses[0].text)["CustomerPayments"]) == 1


@pytest.mark.clause("R7")
def test_interleaved_payments_are_all_recorded() -> None:
    ledger = shipped_ledger()
    posted(ledger, *({**PAYMENT, "ReferenceNumber": f"R-{i}"} for i in range(100)))
    load = asyncio.run(ledger.load(number="LD-1001"))
    assert len(load.payments) == 100
    assert load.total_paid == Money(Decimal(100), 840)


class BrokenLedger(MemoryLedger):
    async def record(self, number: str, payment: Payment) -> Load:
        raise RuntimeError(f"a secret about {number} and {payment}")


def test_error_of_the_mock_itself_is_a_problem_without_details(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        (response,) = posted(BrokenLedger([]), PAYMENT)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    problem = json_of(response.text)
    assert set(problem) == {"type", "title", "status", "traceId"}
    assert problem["type"] == "https://tools.ietf.org/html/rfc9110#section-15.6.1"
    assert "a secret" in caplog.text
