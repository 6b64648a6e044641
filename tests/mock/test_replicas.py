"""Several mocks on one PostgreSQL: what one is told, all know."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from evaluation.durability.database import PostgreSQL
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.mock.api import LOADS, PAYMENTS, json_of, payment_of

Pair = tuple[MockServer, MockServer]


@contextmanager
def two(server: PostgreSQL, settings: Settings) -> Iterator[Pair]:
    """Two mocks on a new database."""
    with server.database() as state, ExitStack() as stack:
        one, other = (stack.enter_context(MockServer(settings=settings, state=state)) for _ in range(2))
        yield one, other


@pytest.fixture(scope="module")
def running(postgresql: PostgreSQL) -> Iterator[Pair]:
    with two(postgresql, Settings(require_token=True)) as pair:
        yield pair


@pytest.fixture
def pair(running: Pair) -> Pair:
    """Two mocks, as at their start. They want tokens."""
    running[0].reset()
    return running


def send(
    mock: MockServer, method: str, path: str, *, token: str | None = None, **more: Any
) -> httpx2.Response:
    """Sends a request with a token of the mock itself, or with the one that is given."""
    headers = {"Authorization": f"Bearer {token or mock.token()}"}
    return httpx2.request(method, mock.url + path, headers=headers, timeout=60, **more)


def pay(mock: MockServer, reference: str, **more: Any) -> httpx2.Response:
    return send(mock, "POST", PAYMENTS, json=payment_of("LD-1001", reference), **more)


def status_of_read(mock: MockServer, token: str) -> int:
    return send(mock, "GET", LOADS, params={"loadNumber": "LD-1001"}, token=token).status_code


def change(mock: MockServer, method: str, path: str, **document: object) -> Any:
    """Uses the admin API."""
    response = httpx2.request(method, f"{mock.url}/_mock/{path}", json=document or None)
    assert response.status_code == 200, response.text
    return json_of(response.text)


# --- tokens -------------------------------------------------------------------------------------------


def test_token_of_one_is_valid_at_the_other_until_either_is_reset(pair: Pair) -> None:
    one, other = pair
    token = one.token()
    assert status_of_read(other, token) == 200
    change(other, "POST", "reset/tokens")
    assert [status_of_read(mock, token) for mock in pair] == [401, 401]
    assert status_of_read(one, other.token()) == 200


def test_token_outlives_the_mock_that_issued_it(tmp_path: Path) -> None:
    settings = Settings(require_token=True, state=f"sqlite:///{tmp_path / 'state.db'}")
    with MockServer(settings=settings) as mock:
        old = mock.token()
        mock.reset()
        token = mock.token()
    with MockServer(settings=settings) as mock:
        assert status_of_read(mock, token) == 200
        assert status_of_read(mock, old) == 401


# --- clock --------------------------------------------------------------------------------------------


def test_clock_that_one_is_told_is_that_of_both(pair: Pair) -> None:
    one, other = pair
    change(one, "PATCH", "clock", at="2031-05-06T07:08:09Z", frozen=True)
    assert pay(other, "P").status_code == 200
    change(other, "PATCH", "clock", move=60)
    assert change(one, "GET", "clock")["now"] == "2031-05-06T07:09:09Z"
    (load,) = [mock.load("LD-1001") for mock in pair][1:]
    assert load["paidAt"].startswith("2031-05-06T07:08:09")
    change(one, "POST", "reset/clock")
    assert datetime.fromisoformat(change(other, "GET", "health")["now"]) < datetime(2031, 1, 1, tzinfo=UTC)


def test_clock_that_cannot_be_set_so_stays_as_it_was(pair: Pair) -> None:
    one, other = pair
    change(one, "PATCH", "clock", at="2031-05-06T07:08:09Z", frozen=True)
    refused = httpx2.patch(f"{other.url}/_mock/clock", json={"frozen": False, "at": "9999-01-01T00:00:00Z"})
    assert refused.status_code == 400
    for mock in pair:
        assert change(mock, "GET", "clock") == {"now": "2031-05-06T07:08:09Z", "frozen": True}


def test_changes_at_once_are_one_after_the_other(pair: Pair) -> None:
    change(pair[0], "PATCH", "clock", at="2031-01-01T00:00:00Z", frozen=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: change(pair[i % 2], "PATCH", "clock", move=1), range(40)))
    assert {change(mock, "GET", "clock")["now"] for mock in pair} == {"2031-01-01T00:00:40Z"}
