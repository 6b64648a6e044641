"""Several mocks on one PostgreSQL: what one is told, all know."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx2
import pytest

from evaluation.durability.database import PostgreSQL
from mock_server.sandbox import Settings
from mock_server.testing import MockServer, WebhookReceiver, verify_signature
from mock_server.transactions import state_url
from tests.mock.api import LOADS, PAYMENTS, json_of, payment_of
from tests.mock.command import serving
from tests.mock.team import until

Pair = tuple[MockServer, MockServer]


@pytest.fixture(scope="module")
def database(postgresql: PostgreSQL) -> Iterator[str]:
    with postgresql.database() as state:
        yield state


@pytest.fixture(scope="module")
def running(database: str) -> Iterator[Pair]:
    settings = Settings(require_token=True, state=database)
    with MockServer(settings=settings) as one, MockServer(settings=settings) as other:
        yield one, other


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


def test_who_comes_at_once_looks_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, or together: each sees what was changed before."""
    sharing: Any = pair[0].admin.sharing
    looks: list[object] = []
    look = sharing._look  # noqa: SLF001

    async def counted() -> None:
        looks.append(None)
        await look()

    async def come() -> None:
        await asyncio.gather(*(sharing.catch_up() for _ in range(50)))

    monkeypatch.setattr(sharing, "_look", counted)
    pair[0]._do(come())  # noqa: SLF001
    assert len(looks) == 3  # one of `_do` itself, one that somebody began, one for all who came meanwhile


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
    assert datetime.fromisoformat(change(other, "GET", "clock")["now"]) < datetime(2031, 1, 1, tzinfo=UTC)


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


# --- faults -------------------------------------------------------------------------------------------


def statuses(pair: Pair, count: int) -> list[int]:
    """Of so many reads at once, by turns from the two."""
    token = pair[0].token()
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda i: status_of_read(pair[i % 2], token), range(count)))


def test_next_three_are_three_in_all(pair: Pair) -> None:
    one, other = pair
    change(one, "POST", "faults", operation="getLoad", load="LD-1001", next=3, status=503)
    change(other, "POST", "faults", operation="getLoad", load="LD-1002", next=1, status=500)
    assert sorted(statuses(pair, 30)) == [200] * 27 + [503] * 3
    for mock in pair:
        (left,) = change(mock, "GET", "faults")["items"]
        assert (left["applied"], left["fault"]["load"]) == (0, "LD-1002")


def test_every_third_is_the_third_whoever_serves_it(pair: Pair) -> None:
    change(pair[1], "POST", "faults", operation="getLoad", every=3, status=503)
    token = pair[0].token()
    assert [status_of_read(pair[i % 2], token) for i in range(6)] == [200, 200, 503, 200, 200, 503]


def test_chance_with_a_seed_is_the_same_for_several_as_for_one(pair: Pair) -> None:
    one, other = pair
    fault = {"operation": "getLoad", "probability": 0.5, "seed": 7, "status": 503}
    token = one.token()
    change(one, "POST", "faults", **fault)
    alone = [status_of_read(one, token) for _ in range(12)]
    change(other, "DELETE", "faults")
    change(other, "POST", "faults", **fault)
    assert [status_of_read(pair[i % 2], token) for i in range(12)] == alone


def test_fault_that_one_removes_strikes_nobody(pair: Pair) -> None:
    one, other = pair
    fault = change(one, "POST", "faults", operation="getLoad", status=503)
    change(other, "DELETE", f"faults/{fault['id']}")
    assert statuses(pair, 4) == [200] * 4
    refused = httpx2.post(f"{other.url}/_mock/faults", json={"next": 0})
    assert refused.status_code == 400


def test_start_leaves_all_as_others_have_it_and_says_so(pair: Pair, database: str) -> None:
    """A reset goes back to the start of the mock that is asked."""
    settings = Settings(require_token=True, state=database, faults=("operation=getLoad,status=503",))
    with MockServer(settings=settings) as third:
        assert third._sandbox.sharing.notes == (  # noqa: SLF001
            "kept as they were: faults (a reset goes back to those of a start)",
        )
        assert statuses((third, pair[0]), 2) == [200] * 2
        third.reset()
        assert statuses(pair, 2) == [503] * 2


# --- rate limits --------------------------------------------------------------------------------------


def test_requests_at_once_are_counted_together(postgresql: PostgreSQL) -> None:
    with postgresql.database() as state:
        settings = Settings(require_token=True, rate_limit="10/hour", state=state)
        with MockServer(settings=settings) as one, MockServer(settings=settings) as other:
            assert sorted(statuses((one, other), 25)) == [200] * 10 + [429] * 15
            assert pay(one, "P").status_code == 200
            other.reset()
            assert statuses((one, other), 2) == [200] * 2


# --- journal ------------------------------------------------------------------------------------------


def listed(mock: MockServer, **filters: object) -> list[Any]:
    items: list[Any] = change(mock, "GET", "requests", **filters)["items"]
    return items


def settle(mock: MockServer, count: int) -> list[Any]:
    """The requests that a mock lists, once it lists so many: what others served comes a moment later."""
    until(lambda: len(listed(mock)) >= count)
    return listed(mock)


def test_journal_of_each_lists_the_requests_of_all(pair: Pair) -> None:
    one, other = pair
    assert pay(one, "A-1").status_code == 200
    assert [entry["reference"] for entry in listed(one)] == ["A-1"]
    settle(other, 1)
    assert pay(other, "A-1").status_code == 200
    assert httpx2.post(other.url + PAYMENTS, json=payment_of("LD-1001", "B-1")).status_code == 401
    in_each = [settle(mock, 3) for mock in pair]
    assert in_each[0] == in_each[1]
    assert [entry["id"] - in_each[0][0]["id"] for entry in in_each[0]] == [0, 1, 2]
    assert [entry["status"] for entry in in_each[0]] == [200, 200, 401]
    assert [entry["reason"]["rule"] for entry in in_each[0]] == ["R1", "R6", "P8"]
    one.verify(reference="A-1", exactly=2)
    assert len(other.requests) == 3


def test_requests_at_once_are_listed_once_each(pair: Pair) -> None:
    assert sorted(statuses(pair, 120)) == [200] * 120
    entries = [settle(mock, 120) for mock in pair]
    assert entries[0] == entries[1]
    ids = [entry["id"] for entry in entries[0]]
    assert ids == list(range(ids[0], ids[0] + 120))


def test_journal_that_one_clears_is_empty_for_all(pair: Pair) -> None:
    one, other = pair
    for turn in range(5):
        assert {pay(mock, f"P{turn}").status_code for mock in pair} == {200}
        change(other, "DELETE", "requests")
        assert [listed(mock) for mock in pair] == [[], []]
    assert pay(one, "Q").status_code == 200
    assert [entry["reference"] for entry in settle(other, 1)] == ["Q"]


def test_journal_begins_again_after_a_crash_of_the_database(
    pair: Pair, postgresql: PostgreSQL, database: str
) -> None:
    """What is not logged is empty then."""
    pay(pair[0], "P")
    settle(pair[1], 1)
    postgresql.do("TRUNCATE alvys_journal, alvys_entries", database=str(state_url(database).database))
    assert [listed(mock) for mock in pair] == [[], []]
    pay(pair[0], "Q")
    assert [[entry["reference"] for entry in settle(mock, 1)] for mock in pair] == [["Q"], ["Q"]]


def test_journal_keeps_to_its_limits(
    pair: Pair, postgresql: PostgreSQL, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here and in the database, of entries and of bytes."""
    monkeypatch.setattr("mock_server.journal_sql.MOST_BYTES", 20_000)
    monkeypatch.setattr("mock_server.journal_sql._WEIGHED", 1)
    statuses(pair, 60)
    until(lambda: 5 < len(listed(pair[0])) < 20)
    assert pay(pair[1], "P").status_code == 200
    name = str(state_url(database).database)
    ((rows, size),) = postgresql.do("SELECT count(*), sum(size) FROM alvys_entries", database=name)
    assert 5 < rows < 40
    assert size < 40_000


def test_who_listens_to_one_hears_of_requests_to_all(pair: Pair) -> None:
    one, other = pair
    with httpx2.stream("GET", f"{one.url}/_mock/requests/events", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        heard: list[None] = []
        one._soon(one.admin.journal.watch, partial(heard.append, None))  # noqa: SLF001
        pay(other, "P")
        assert "event: request" in lines
        assert heard
        one.admin.journal.watchers.pop()
        change(other, "DELETE", "requests")
        assert "event: cleared" in lines
    until(lambda: not one.admin.journal.watchers)


def test_mock_without_a_journal_shares_the_rest(pair: Pair, database: str) -> None:
    one, _ = pair
    with MockServer(settings=Settings(journal=0, require_token=True, state=database)) as third:
        assert pay(third, "P").status_code == 200
        change(one, "DELETE", "requests")
        change(one, "POST", "faults", operation="recordCustomerPayment", next=1, status=503)
        assert [pay(third, "P").status_code for _ in range(2)] == [503, 200]
        assert listed(one) == []


# --- webhooks -----------------------------------------------------------------------------------------


def test_receiver_that_one_was_told_of_hears_of_payments_to_all(pair: Pair) -> None:
    one, other = pair
    with WebhookReceiver() as receiver:
        webhook = change(one, "POST", "webhooks", url=receiver.url)
        silent = change(other, "POST", "webhooks", url=receiver.url, events=["load.status.changed"])
        for mock, reference in ((one, "A"), (other, "B")):
            assert pay(mock, reference).status_code == 200
        events = receiver.wait_for(2)
        assert {event.json["data"]["payment"]["referenceNumber"] for event in events} == {"A", "B"}
        for event in events:
            assert verify_signature(webhook["secret"], event.headers, event.body)
        change(other, "PATCH", f"webhooks/{webhook['id']}", enabled=False)
        assert [each["enabled"] for each in change(one, "GET", "webhooks")["items"]] == [False, True]
        change(one, "DELETE", f"webhooks/{webhook['id']}")
        assert [each["id"] for each in change(other, "GET", "webhooks")["items"]] == [silent["id"]]
        assert len(change(other, "GET", "webhooks/deliveries")["items"]) == 1
        change(one, "POST", "reset/webhooks")
        assert change(other, "GET", "webhooks/deliveries")["items"] == []


def test_event_is_sent_again_when_the_other_is_told_that_it_is_time(pair: Pair) -> None:
    one, other = pair
    change(one, "PATCH", "clock", at="2031-01-01T00:00:00Z", frozen=True)
    with WebhookReceiver(503) as receiver:
        change(one, "POST", "webhooks", url=receiver.url)
        pay(other, "P")
        until(lambda: [each.state for each in other.deliveries if each.attempts] == ["waiting"])
        change(one, "PATCH", "clock", move=10)
        assert len(receiver.wait_for(2)) == 2


def test_receiver_that_fails_too_often_is_switched_off_for_all(pair: Pair) -> None:
    one, other = pair
    change(one, "PATCH", "clock", at="2031-01-01T00:00:00Z", frozen=True)
    with WebhookReceiver(*[503] * 40) as receiver:
        change(one, "POST", "webhooks", url=receiver.url)
        for turn in range(10):
            pay(other, f"P{turn}")
        for turn in range(1, 5):
            until(lambda: all(len(each.attempts) == turn for each in other.deliveries))  # noqa: B023
            change(one, "PATCH", "clock", move=60)
        until(lambda: not change(one, "GET", "webhooks")["items"][0]["enabled"])


def test_receiver_is_left_out_where_nothing_can_be_sent(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a mock that lacks the library."""
    one, other = pair
    change(one, "POST", "webhooks", url="http://127.0.0.1:9/")
    monkeypatch.setitem(sys.modules, "mock_server.courier", None)
    assert change(other, "GET", "webhooks")["items"] == []
    assert len(change(one, "GET", "webhooks")["items"]) == 1


def test_start_prints_no_secret_of_a_receiver_that_the_admin_api_registered(
    pair: Pair, database: str
) -> None:
    """Who registered it has seen it once; the log of whoever starts later is not for it."""
    secret = change(pair[0], "POST", "webhooks", url="http://127.0.0.1:9/")["secret"]
    with serving("--port", "0", "--state", database) as third:
        assert "\nWebhook: http://127.0.0.1:9/\n" in third.greeting
        assert secret not in third.greeting


# --- what can go wrong --------------------------------------------------------------------------------


@contextmanager
def locked(postgresql: PostgreSQL, state: str, statement: str) -> Iterator[None]:
    """Holds what a statement locks for as long as the block lasts."""
    done, held = threading.Event(), threading.Event()

    async def hold() -> None:
        name = state_url(state).database
        connection = await asyncpg.connect(user="postgres", database=name, host=str(postgresql.socket))
        async with connection.transaction():
            await connection.execute(statement)
            held.set()
            await asyncio.to_thread(done.wait)
        await connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(asyncio.run, hold())
        try:
            assert held.wait(60)
            yield
        finally:
            done.set()
            holding.result()


def test_what_is_locked_for_too_long_is_refused_but_the_journal_is_waited_for_by_nobody(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mock_server.transactions._PATIENCE", 1)
    settings = Settings(journal=3, rate_limit="1000/second")
    with postgresql.database() as state, MockServer(settings=settings, state=state) as mock:
        mock.fail_next(operation="recordCustomerPayment", status=504)
        with locked(postgresql, state, "LOCK TABLE alvys_parts IN SHARE MODE"):  # to change, not to read
            assert pay(mock, "P0").status_code == 503
            assert [entry.reference for entry in mock.requests] == ["P0"]
            for part in ("faults", "requests"):
                refused = httpx2.delete(f"{mock.url}/_mock/{part}")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert [entry.reference for entry in mock.requests] == ["P0"]
        assert pay(mock, "P1").status_code == 504
        assert mock.load("LD-1001")["payments"] == []
        with locked(postgresql, state, "LOCK TABLE alvys_callers"):
            assert pay(mock, "P2").status_code == 503
        with locked(postgresql, state, "LOCK TABLE alvys_entries"):
            assert [pay(mock, f"Q{turn}").status_code for turn in range(5)] == [200] * 5
            assert httpx2.get(f"{mock.url}/_mock/requests").status_code == 503
        assert [entry.reference for entry in mock.requests] == ["Q2", "Q3", "Q4"]
