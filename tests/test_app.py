"""The app around the handlers: what happens when the mock itself fails."""

import asyncio
import logging

import httpx2
import pytest

from mock_server.app import create_app
from mock_server.domain import Load, Payment
from mock_server.ledger import MemoryLedger
from mock_server.shipped import SPEC
from mock_server.spec import Spec
from tests.api import PAYMENTS, json_of


class BrokenLedger(MemoryLedger):
    async def record(self, number: str, payment: Payment) -> Load:
        raise RuntimeError(f"a secret about {number} and {payment}")


def test_fault_of_the_mock_is_a_problem_without_details(caplog: pytest.LogCaptureFixture) -> None:
    async def post() -> httpx2.Response:
        app = create_app(Spec.read(SPEC), BrokenLedger([]))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://mock") as client:
            return await client.post(
                PAYMENTS,
                json={
                    "LoadNumber": "X",
                    "Amount": {"Amount": 1, "Currency": 840},
                    "PaymentDate": "2026-07-01T00:00:00Z",
                    "ReferenceNumber": "R",
                },
            )

    with caplog.at_level(logging.ERROR):
        response = asyncio.run(post())
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    problem = json_of(response.text)
    assert set(problem) == {"type", "title", "status", "traceId"}
    assert problem["type"] == "https://tools.ietf.org/html/rfc9110#section-15.6.1"
    assert "a secret" in caplog.text
