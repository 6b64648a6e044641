"""What every client of this API must get right, whatever library it is made with. Nobody waits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.mock.api import PAYMENTS, Json, json_of, payment_of
from tests.mock.clients.libraries import LIBRARIES, Post, Response, ResponseLost

NUMBER = "LD-1001"
ATTEMPTS = 3


@dataclass
class Payer:
    """A client made with one library, and the sandbox that it pays to."""

    library: str
    mock: MockServer
    post: Post

    def send(self, reference: str, number: str = NUMBER) -> Response:
        """Sends a payment once; ResponseLost."""
        payment = payment_of(number, reference, 125.10)
        return self.post(self.mock.url + PAYMENTS, json.dumps(payment).encode())

    def pay(self, reference: str) -> Json:
        """Sends a payment, always with the same reference, until it is recorded; returns the response.

        Where another client would sleep, this one moves the sandbox's clock.
        """
        for _ in range(ATTEMPTS):
            try:
                response = self.send(reference)
            except ResponseLost:
                continue
            if response.status == 200:
                return json_of(response.body)
            assert response.status == 429
            self.mock.move_clock(int(response.headers["Retry-After"]))
        raise AssertionError(f"There was no response to {ATTEMPTS} attempts.")

    def recorded(self) -> list[Json]:
        payments: list[Json] = self.mock.load(NUMBER)["payments"] or []
        return payments

    def statuses(self) -> list[int | None]:
        """What became of each request; None if the connection was dropped."""
        return [request.status for request in self.mock.requests]


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(settings=Settings(rate_limit="documented")) as mock:
        yield mock


@pytest.fixture(params=LIBRARIES)
def payer(request: pytest.FixtureRequest, mock: MockServer) -> Iterator[Payer]:
    mock.reset()
    mock.freeze_clock(datetime(2030, 1, 1, 12, tzinfo=UTC))
    with LIBRARIES[request.param]() as post:
        yield Payer(request.param, mock, post)


def test_payment_is_recorded(payer: Payer) -> None:
    (payment,) = payer.pay("R-1")["CustomerPayments"]
    assert payment["ReferenceNumber"] == "R-1"
    assert payment["Amount"] == {"Amount": Decimal("125.10"), "Currency": 840}
    assert payer.recorded() == [payment]


def test_replay_returns_the_original(payer: Payer) -> None:
    assert payer.pay("R-1") == payer.pay("R-1")
    assert payer.statuses() == [200, 200]
    assert len(payer.recorded()) == 1


def test_journal_tells_which_library_called(payer: Payer) -> None:
    payer.pay("R-1")
    (request,) = payer.mock.requests
    assert payer.library in str(request.user_agent)


def test_payment_passes_the_rate_limit_after_the_seconds_it_was_told(payer: Payer) -> None:
    for number in range(11):
        payer.pay(f"R-{number}")
    assert payer.statuses() == [200] * 10 + [429, 200]
    assert [payment["ReferenceNumber"] for payment in payer.recorded()] == [f"R-{n}" for n in range(11)]


@pytest.mark.parametrize("connection", ["new", "kept"])
@pytest.mark.parametrize(("drop", "recorded"), [("before", 0), ("after", 1)])
def test_one_payment_is_left_of_a_dropped_connection_and_a_replay(
    payer: Payer, drop: str, recorded: int, connection: str
) -> None:
    if connection == "kept":
        assert payer.send("R-0", number="LD-1002").status == 200
    payer.mock.fail_next(drop=drop)
    with pytest.raises(ResponseLost):
        payer.send("R-1")
    before = payer.recorded()
    assert len(before) == recorded

    (payment,) = payer.pay("R-1")["CustomerPayments"]
    assert payer.recorded() == [payment]
    assert payer.recorded()[:recorded] == before
    assert payer.statuses()[-2:] == [None, 200]
