"""The road is not the rule: what lies between here and a target is borne, or named as the cause."""

from dataclasses import replace

import pytest

from contract_tests.rules.exchange import NO_RESPONSE, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.guard import Refused, Stop
from contract_tests.safety.road import Patience
from tests.suite.counting_server import (
    LOADS,
    LOST,
    PAYMENTS,
    SEARCH,
    Answer,
    Books,
    Received,
    Reply,
    counting_server,
)
from tests.suite.payments import IMPOSSIBLE, body, guarded, payment

READ = Request("GET", LOADS, (("loadNumber", "LD-1"),))
PAGE = Reply(200, b"<!doctype html><p>Sign in", {"Content-Type": "text/html"})
BAD = {"500": Reply(500), "502": Reply(502), "503": Reply(503), "HTML": PAGE, "lost": LOST}


def badly(bad: Reply, times: int) -> Answer:
    """Answers so for the first requests, and then well."""
    left = [bad] * times
    return lambda _: left.pop() if left else Reply()


@pytest.mark.parametrize(("name", "times"), [("500", 2), ("502", 5), ("503", 5), ("HTML", 2)])
def test_a_read_is_sent_again_with_longer_and_longer_waits(name: str, times: int) -> None:
    waits: list[float] = []
    with (
        counting_server(badly(BAD[name], times)) as server,
        guarded(server.url, sleep=waits.append) as (client, guard, _),
    ):
        exchange = client.send(READ)
        assert (exchange.response.status, exchange.earlier) == (200, (BAD[name].status,) * times)
        assert not exchange.response.is_html
        assert guard.requests == len(server.received) == times + 1
    assert waits == [1, 2, 4, 8, 16][:times]


def test_a_connection_that_breaks_is_borne_once_the_target_has_answered() -> None:
    with counting_server() as server, guarded(server.url) as (client, _, _):
        client.send(READ)
        server.answer = badly(LOST, 5)
        assert client.send(READ).response.status == 200
    assert len(server.received) == 7


@pytest.mark.parametrize(("name", "times"), [("500", 3), ("502", 6), ("503", 6), ("HTML", 3), ("lost", 6)])
def test_what_one_read_gets_again_and_again_comes_back_while_others_are_answered(
    name: str, times: int
) -> None:
    def answer(one: Received) -> Reply:
        return BAD[name] if "LD-1" in one.path else Reply(404)

    with counting_server(answer) as server, guarded(server.url) as (client, guard, _):
        client.send(Request("GET", LOADS))
        exchange = client.send(READ)
        assert (exchange.response.status, exchange.attempts) == (BAD[name].status or NO_RESPONSE, times)
        assert guard.requests == len(server.received)
    assert [one.path for one in server.received[1:]] == [
        *[f"{LOADS}?loadNumber=LD-1"] * times,
        f"{LOADS}?loadNumber=ct-no-such-load-pulse",
    ]


def test_a_search_shows_too_that_others_are_answered() -> None:
    with (
        counting_server(lambda one: Reply(500 if one.method == "GET" else 404)) as server,
        guarded(server.url) as (client, _, _),
    ):
        assert client.send(READ).attempts == 3
    assert [one.method for one in server.received] == ["GET"] * 4 + ["POST"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("500", "the target responds with 500 to everything"),
        ("502", "the target responds with 502 to everything"),
        ("HTML", "the target responds with 200 in HTML to everything"),
        ("lost", "the target does not respond .RemoteProtocolError."),
    ],
)
def test_what_everything_gets_ends_the_run_with_its_cause(name: str, cause: str) -> None:
    with counting_server() as server, guarded(server.url) as (client, _, _):
        client.send(READ)
        server.answer = lambda _: BAD[name]
        with pytest.raises(Stop, match=cause) as stop:
            client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST


def test_a_load_that_cannot_be_read_after_a_payment_is_named() -> None:
    with (
        counting_server(lambda _: Reply(502)) as server,
        guarded(server.url) as (client, _, record),
        pytest.raises(Stop, match="load LD-1 cannot be read any more, and what was sent to it may have been"),
    ):
        client.send(payment())
    assert len([one for one in server.writes if "payments" in one.path]) == 1
    assert [kept.outcome for kept in record.payments] == ["unknown"]


def test_what_can_book_nothing_is_a_write_all_the_same_and_repeated_like_one() -> None:
    def answer(one: Received) -> Reply:
        return LOST if "payments" in one.path else Reply(404)

    with counting_server(answer) as server, guarded(server.url) as (client, _, _):
        client.send(READ)
        exchange = client.send(payment(IMPOSSIBLE, amount="0.01"))
    assert (exchange.response.status, exchange.attempts) == (NO_RESPONSE, 2)
    assert sum("payments" in one.path for one in server.received) == 2


@pytest.mark.parametrize(("wait", "times"), [(10, 60), (60, 10), (100, 6)])
def test_a_rate_limit_is_waited_for_as_often_as_the_patience_allows(wait: int, times: int) -> None:
    waits: list[float] = []
    answers = [Reply(429, headers={"Retry-After": str(wait)})] * times
    with counting_server() as server, guarded(server.url, sleep=waits.append) as (client, _, _):
        server.answer = lambda _: answers.pop() if answers else Reply()
        assert client.send(READ).response.status == 200
        assert waits == [wait] * times
        answers = [Reply(429, headers={"Retry-After": str(wait)})] * (times + 1)
        with pytest.raises(Stop, match="429, and to try again would take") as stop:
            client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST


@pytest.mark.parametrize("value", ["601", "99999999999999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_nobody_waits_longer_than_the_patience(value: str, status: int) -> None:
    waits: list[float] = []
    bad = Reply(status, headers={"Retry-After": value})
    with (
        counting_server(lambda _: bad) as server,
        guarded(server.url, sleep=waits.append) as (client, _, _),
        pytest.raises(Stop, match=rf"{status}, and to try again .* \(--patience 600\)") as stop,
    ):
        client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert waits == []


def test_the_patience_is_that_of_the_run() -> None:
    waits: list[float] = []
    with (
        counting_server(badly(Reply(502), 2)) as server,
        guarded(server.url, patience=Patience(7, 0.5), sleep=waits.append) as (client, _, _),
    ):
        client.send(READ)
        server.answer = lambda _: Reply(429, headers={"Retry-After": "8"})
        with pytest.raises(Stop, match="--patience 7"):
            client.send(READ)
    assert waits == [0.5, 1]


def test_what_a_test_sends_without_a_token_comes_back_refused() -> None:
    with counting_server(lambda _: Reply(401)) as server, guarded(server.url) as (client, _, _):
        for request in (Request("GET", LOADS, anonymous=True), Request("GET", LOADS, token="bad")):  # noqa: S106
            assert client.send(request).response.status == 401
    assert len(server.received) == 2


OFFENSIVE = replace(payment(), content=body().replace(b"2026", b"<script>2026"))
FIREWALL = {
    "a read": (Request("GET", LOADS, (("loadNumber", "<script>"),)), ["GET", "GET"]),
    "a search": (Request("POST", SEARCH, content=b'{"LoadNumbers": ["<script>"]}'), ["POST", "POST"]),
    "a payment": (OFFENSIVE, ["POST", "GET", "POST"]),
    "a payment of nothing": (
        replace(payment(IMPOSSIBLE, amount="0"), path=f"{PAYMENTS}?q=<script>"),
        ["POST", "POST"],
    ),
    "another method": (Request("PUT", f"{PAYMENTS}?q=<script>", content=body(IMPOSSIBLE)), ["PUT", "POST"]),
}


@pytest.mark.parametrize("name", FIREWALL)
@pytest.mark.parametrize("page", [b"{}", b"<html>Blocked"], ids=["JSON", "HTML"])
def test_what_a_firewall_refuses_for_what_it_says_is_not_tested(name: str, page: bytes) -> None:
    """The run goes on, for a plain request of the same kind is answered with the same token."""
    books = Books()

    def answer(one: Received) -> Reply:
        said = one.path.encode() + one.body
        if b"script" in said:
            return Reply(403, page)
        return Reply(404) if b"ct-no-such-load" in said else books(one)

    request, methods = FIREWALL[name]
    with counting_server(answer) as server, guarded(server.url) as (client, guard, record):
        with pytest.raises(Refused, match="is refused with 403, though a plain one is answered"):
            client.send(request)
        assert [one.method for one in server.received] == methods
        assert client.send(payment(reference="ct-run-2")).response.status == 200
        assert (guard.stopped, guard.payments) == (None, 1)
    assert [kept.reference for kept in record.payments] == ["ct-run-2"]


@pytest.mark.parametrize("plain", [Reply(403), Reply(401), Reply(429), Reply(500), LOST])
def test_what_is_refused_like_a_plain_one_ends_the_run(plain: Reply) -> None:
    """A payment may be refused for its scope although reads are answered."""
    books = Books()

    def answer(one: Received) -> Reply:
        is_plain = b"ct-no-such-load" in one.body
        return plain if is_plain else Reply(403) if one.body else books(one)

    with (
        counting_server(answer) as server,
        guarded(server.url) as (client, _, _),
        pytest.raises(Stop, match="is refused with 403: the target wants a token") as stop,
    ):
        client.send(payment())
    assert stop.value.status is ExitStatus.COULD_NOT_TEST


def test_a_plain_payment_that_is_taken_stops_the_run() -> None:
    """It is worth nothing, and its load does not exist."""
    books = Books()
    with (
        counting_server(lambda one: Reply(403) if b"LD-1" in one.body else books(one)) as server,
        guarded(server.url) as (client, _, record),
        pytest.raises(Stop, match="accepted a payment on a load that does not exist") as stop,
    ):
        client.send(payment())
    assert stop.value.status is ExitStatus.FAILED
    assert [kept.outcome for kept in record.payments] == ["recorded"]


@pytest.mark.parametrize(
    ("content", "media_type", "is_page"),
    [
        (b"<!DOCTYPE html>", "", True),
        (b"\xef\xbb\xbf\r\n <HTML><body>", "application/json", True),
        (b"Bad gateway", "text/html; charset=utf-8", True),
        (b'{"a": 1}', "text/html", False),
        (b"", "text/html", False),
        (b"Not found", "text/plain", False),
    ],
)
def test_a_page_of_html_is_known_by_its_type_or_its_beginning(
    content: bytes,
    media_type: str,
    is_page: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert Response(200, {"content-type": media_type}, content).is_html is is_page
