"""What the tests of tokens, limits, faults, the journal and the admin API share."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Json, payment_of

OAUTH = "/oauth/token"
CREDENTIALS = {
    "client_id": "sandbox",
    "client_secret": "sandbox-secret",
    "audience": "https://api.alvys.com/public/",
    "grant_type": "client_credentials",
}


def until(holds: Callable[[], object]) -> None:
    """Waits until something holds that the server does on its own."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


class Team:
    """A mock with settings, and a client that keeps its connections."""

    def __init__(self, mock: MockServer, client: httpx2.Client) -> None:
        self.mock = mock
        self.client = client

    def pay(
        self, reference: str = "R-1", number: str = "LD-1001", access: str | None = None
    ) -> httpx2.Response:
        return self.client.post(PAYMENTS, json=payment_of(number, reference), headers=bearer(access))

    def read(self, number: str = "LD-1001", access: str | None = None) -> httpx2.Response:
        return self.client.get(LOADS, params={"loadNumber": number}, headers=bearer(access))

    def search(self, access: str | None = None) -> httpx2.Response:
        return self.client.post(SEARCH, json={"LoadNumbers": ["LD-1001"]}, headers=bearer(access))

    def references(self, number: str = "LD-1001") -> list[str]:
        """The references of the payments that are recorded."""
        payments: list[Json] = self.mock.load(number)["payments"]
        return [payment["ReferenceNumber"] for payment in payments]


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@contextmanager
def running(settings: Settings | None = None) -> Iterator[Team]:
    with MockServer(settings=settings) as mock, httpx2.Client(base_url=mock.url) as client:
        yield Team(mock, client)
