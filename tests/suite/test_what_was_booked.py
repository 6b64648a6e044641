"""What became of a write: what a response, a read or silence says of money, and what follows from it."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from contract_tests.rules.exchange import Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.guard import Budget, Refused, Stop
from contract_tests.safety.payment_log import (
    RECORDED,
    REFUSED,
    SENDING,
    UNKNOWN,
    LoggedPayment,
    PaymentLog,
    settled,
)
from contract_tests.safety.sight import SeenPayment
from contract_tests.safety.transport import Limits
from tests.suite.counting_server import (
    LOADS,
    LOST,
    SEARCH,
    Answer,
    Books,
    CountingServer,
    Received,
    Reply,
    as_json,
    counting_server,
)
from tests.suite.payments import IMPOSSIBLE, body, guarded, payment, post

READ = Request("GET", LOADS, (("loadNumber", "LD-1"),))
SEARCHED = Request("POST", SEARCH, content=b'{"LoadNumbers": ["LD-1"]}')
PAGE = Reply(200, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html; charset=utf-8"})
SENT = LoggedPayment("2026-07-01T00:00:00.000Z", "LD-1", "ct-run-1", "0.10", 840, SENDING, attempt=1)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def server(books: Books) -> Iterator[CountingServer]:
    with counting_server(books) as running:
        yield running


def methods(server: CountingServer) -> str:
    return " ".join(one.method for one in server.received)


def booking(books: Books, reply: Reply) -> Answer:
    """Books, and says something else."""

    def pay(one: Received) -> Reply:
        books.book(one)
        return reply

    return pay


def one_after_another(*answers: Answer) -> Answer:
    """Responds to each write in its own way."""
    left = iter(answers)

    def answer(one: Received) -> Reply:
        return next(left)(one)

    return answer


# --- traces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("must_be_refused", [True, False])
@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_that_left_a_trace_stops_the_run_at_the_next_read(
    status: int,
    must_be_refused: bool,  # noqa: FBT001 - a column of the table
    server: CountingServer,
    books: Books,
) -> None:
    books.pay = booking(books, Reply(status))
    with guarded(server.url) as (client, guard, record):
        client.send(payment(must_be_refused=must_be_refused))
        with pytest.raises(Stop, match="LD-1 shows the payment ct-run-1, which the target refused") as stop:
            client.send(READ)
        assert (guard.payments, guard.amount) == (1, Decimal("0.10"))
    assert stop.value.status is ExitStatus.FAILED
    [kept] = record.payments
    assert (kept.outcome, kept.id, kept.planned) == ("recorded", "id-1", not must_be_refused)
    assert (kept.response is not None) is must_be_refused


def test_a_response_that_says_nothing_of_the_payment_is_followed_by_a_read(
    server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: Reply(303)
    with guarded(server.url) as (client, guard, record):
        assert client.send(payment()).response.status == 303
        assert guard.payments == 0
    assert methods(server) == "POST GET"
    assert record.payments == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_payment_whose_caller_is_refused_ends_the_run_after_a_read(
    status: int, server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: Reply(status)
    with guarded(server.url) as (client, guard, record):
        with pytest.raises(Stop, match=f"customer-payments is refused with {status}") as stop:
            client.send(payment())
        assert guard.payments == 0
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert methods(server) == ("POST GET POST" if status == 403 else "POST GET")
    assert record.payments == []


@pytest.mark.parametrize("status", [401, 403, 429, 303])
def test_a_trace_of_what_such_a_response_denied_stops_the_run(
    status: int, server: CountingServer, books: Books
) -> None:
    books.pay = booking(books, Reply(status, headers={"Retry-After": "0"}))
    with guarded(server.url) as (client, guard, record):
        with pytest.raises(Stop, match="which the target refused"):
            client.send(payment())
        assert guard.payments == 1
    assert methods(server) == "POST GET"
    assert [kept.outcome for kept in record.payments] == ["recorded"]


def test_what_must_be_refused_and_is_accepted_stops_the_run(server: CountingServer) -> None:
    with guarded(server.url) as (client, guard, record):
        with pytest.raises(Stop, match="accepted a payment that it must refuse") as stop:
            client.send(payment(must_be_refused=True))
        for further in (payment(reference="ct-run-2"), READ):
            with pytest.raises(Stop):
                client.send(further)
        assert (guard.payments, guard.amount) == (1, Decimal("0.10"))
    assert stop.value.status is ExitStatus.FAILED
    assert len(server.received) == 1
    [kept] = record.payments
    assert (kept.load, kept.id, kept.planned) == ("LD-1", "id-1", False)
    assert "id-1" in (kept.response or "")


def test_an_amount_that_is_larger_in_the_response_is_what_counts(
    server: CountingServer, books: Books
) -> None:
    def tenfold(one: Received) -> Reply:
        body = json.loads(one.body)
        body["Amount"]["Amount"] *= 10
        return books.record(replace(one, body=json.dumps(body).encode()))

    books.pay = tenfold
    with guarded(server.url) as (client, guard, record):
        client.send(payment())
        assert guard.amount == 1
        client.send(READ)
    assert [kept.amount for kept in record.payments] == ["1.0"]


# --- what is unknown -----------------------------------------------------------------------------------


def test_an_error_that_comes_again_leaves_the_payment_unknown(server: CountingServer, books: Books) -> None:
    books.pay = lambda _: Reply(500)
    with guarded(server.url) as (client, guard, record):
        exchange = client.send(payment())
        assert (exchange.response.status, exchange.attempts) == (500, 2)
        client.send(READ)
        assert (guard.payments, guard.amount) == (2, Decimal("0.20"))
    assert methods(server) == "POST GET POST GET GET"
    assert [(kept.outcome, kept.status) for kept in record.payments] == [("unknown", 500)] * 2


@pytest.mark.parametrize("bad", [Reply(500), Reply(502), PAGE, replace(PAGE, status=404)])
def test_what_the_road_does_to_a_payment_is_resolved_by_a_read_and_a_replay(
    bad: Reply, server: CountingServer, books: Books
) -> None:
    books.pay = one_after_another(lambda _: bad, books.record)
    with guarded(server.url) as (client, guard, record):
        exchange = client.send(payment())
        assert (exchange.response.status, exchange.earlier) == (200, (bad.status,))
        client.send(READ)
        assert (guard.payments, guard.amount) == (1, Decimal("0.10"))
    assert methods(server) == "POST GET POST GET"
    assert server.received[0].body == server.received[2].body
    assert record.payments[0].outcome == "recorded"


def test_a_gateway_that_stumbles_three_times_is_borne(server: CountingServer, books: Books) -> None:
    bad = [lambda _: Reply(502), lambda _: Reply(504), lambda _: Reply(502)]
    waits: list[float] = []
    books.pay = one_after_another(*bad, books.record)
    with guarded(server.url, sleep=waits.append) as (client, _, _):
        assert client.send(payment()).response.status == 200
    assert methods(server) == "POST GET POST GET POST GET POST"
    assert waits == [1, 2, 4]


@pytest.mark.parametrize(
    ("bad", "transmissions", "cause"),
    [
        (Reply(502), 4, "502 came again and again for the payment ct-run-1 on load LD-1"),
        (Reply(503), 4, "503 came again and again"),
        (PAGE, 2, "200 in HTML came again and again"),
        (LOST, 2, "no response .* came again and again"),
    ],
    ids=["502", "503", "HTML", "lost"],
)
def test_what_goes_on_for_a_payment_ends_the_run_with_its_cause(
    bad: Reply, transmissions: int, cause: str, server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: bad
    with guarded(server.url) as (client, _, record), pytest.raises(Stop, match=cause) as stop:
        client.send(payment())
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert len(server.writes) == transmissions
    assert methods(server) == " ".join(["POST GET"] * transmissions)
    assert [kept.outcome for kept in record.payments] == ["unknown"] * transmissions


def test_payments_that_are_switched_off_end_the_run_after_a_read(
    server: CountingServer, books: Books
) -> None:
    problem = {"type": "https://example.com/EndpointDisabled", "status": 503}
    books.pay = lambda _: replace(as_json(problem, 503), headers={"Retry-After": "3600"})
    with (
        guarded(server.url) as (client, _, _),
        pytest.raises(Stop, match=r"503 EndpointDisabled, and .* 3600 seconds .* \(--patience 600\)") as stop,
    ):
        client.send(payment())
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert methods(server) == "POST GET"


def test_a_read_tells_that_an_unknown_payment_was_recorded(server: CountingServer, books: Books) -> None:
    books.pay = booking(books, Reply(202))
    with guarded(server.url) as (client, guard, record):
        assert client.send(payment()).response.status == 202
        assert guard.payments == 1
    assert [(kept.outcome, kept.id) for kept in record.payments] == [("recorded", "id-1")]


def test_what_was_recorded_with_an_error_is_replayed_and_not_recorded_again(
    server: CountingServer, books: Books
) -> None:
    books.pay = one_after_another(booking(books, Reply(500)), books.record)
    with guarded(server.url) as (client, guard, record):
        assert client.send(payment()).response.status == 200
        assert guard.payments == 1
    assert methods(server) == "POST GET POST"
    assert [(kept.outcome, kept.id) for kept in record.payments] == [("recorded", "id-1")]


def test_a_lost_response_is_resolved_by_a_read_and_one_replay(server: CountingServer, books: Books) -> None:
    books.pay = one_after_another(lambda _: LOST, books.record)
    with guarded(server.url) as (client, guard, record):
        assert client.send(payment()).response.status == 200
        assert guard.payments == 2
        client.send(READ)
        assert guard.payments == 1
    assert methods(server) == "POST GET POST GET"
    assert server.received[0].body == server.received[2].body
    assert [(kept.outcome, kept.attempt) for kept in record.payments] == [("recorded", 2), ("unknown", 1)]


def test_what_a_read_finds_of_a_lost_payment_is_not_recorded_again(
    server: CountingServer, books: Books
) -> None:
    books.pay = one_after_another(booking(books, LOST), books.record)
    with guarded(server.url) as (client, guard, record):
        assert client.send(payment()).response.status == 200
        assert guard.payments == 1
    assert [(kept.outcome, kept.attempt) for kept in record.payments] == [("recorded", 1)]


def test_a_lost_payment_that_fills_the_budget_is_not_sent_again(server: CountingServer, books: Books) -> None:
    books.pay = lambda _: LOST
    with (
        guarded(server.url, budget=Budget(payments=1)) as (client, _, record),
        pytest.raises(Refused, match="budget"),
    ):
        client.send(payment())
    assert methods(server) == "POST GET"
    assert [kept.outcome for kept in record.payments] == ["unknown"]


def test_a_payment_that_is_lost_twice_is_unknown_and_stops_the_run(
    server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: LOST
    with guarded(server.url) as (client, _, record):
        with pytest.raises(Stop, match="unknown") as stop:
            client.send(payment())
        with pytest.raises(Stop):
            client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert methods(server) == "POST GET POST GET"
    assert [kept.outcome for kept in record.payments] == ["unknown", "unknown"]


def test_a_payment_that_times_out_is_resolved(server: CountingServer, books: Books) -> None:
    given_up = threading.Event()

    def hang(one: Received) -> Reply:
        given_up.wait(20)
        return books.record(one)

    books.pay = one_after_another(hang, books.record)
    try:
        with guarded(server.url, limits=Limits(timeout=1)) as (client, _, record):
            assert client.send(payment()).response.status == 200
    finally:
        given_up.set()
    assert methods(server) == "POST GET POST"
    assert [kept.outcome for kept in record.payments] == ["recorded", "unknown"]


def test_a_load_that_cannot_be_read_any_more_stops_the_run(server: CountingServer) -> None:
    server.answer = lambda _: Reply(500)
    with guarded(server.url) as (client, guard, record):
        with pytest.raises(Stop, match="LD-1 cannot be read any more") as stop:
            client.send(payment())
        assert guard.payments == 1
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert [kept.outcome for kept in record.payments] == ["unknown"]


def test_a_target_that_is_gone_took_nothing() -> None:
    with counting_server() as server:
        pass
    with guarded(server.url) as (client, guard, record):
        with pytest.raises(Stop, match="cannot be reached"):
            client.send(payment())
        assert guard.payments == 0
    assert record.payments == []


def test_a_payment_waits_for_retry_after_before_anything_is_sent(
    server: CountingServer, books: Books
) -> None:
    waits: list[tuple[float, int]] = []
    books.pay = one_after_another(lambda _: Reply(429, headers={"Retry-After": "7"}), books.record)
    with guarded(server.url, sleep=lambda seconds: waits.append((seconds, len(server.received)))) as (
        client,
        guard,
        record,
    ):
        assert client.send(payment()).response.status == 200
        assert (guard.requests, guard.payments) == (3, 1)
    assert waits == [(7, 1)]
    assert methods(server) == "POST GET POST"
    assert [(kept.outcome, kept.attempt) for kept in record.payments] == [("recorded", 2)]


# --- replays -------------------------------------------------------------------------------------------


def test_a_replay_reserves_until_the_target_has_shown_that_it_recognises_references(
    server: CountingServer,
) -> None:
    with guarded(server.url, budget=Budget(payments=1)) as (client, guard, _):
        client.send(payment())
        with pytest.raises(Refused, match="budget"):
            client.send(payment())
        assert guard.payments == 1
    assert methods(server) == "POST"


def test_a_replay_is_free_once_references_are_recognised(server: CountingServer, books: Books) -> None:
    with guarded(server.url, budget=Budget(payments=2)) as (client, guard, record):
        client.send(payment())
        client.send(payment())
        client.send(payment("LD-2"))
        for load in ("LD-1", "LD-2"):
            client.send(payment(load, amount="0.20"))
        assert (guard.requests, guard.payments) == (5, 2)
        assert guard.amount == Decimal("0.20")
    assert [kept.id for kept in record.payments] == ["id-1", "id-2"]
    assert len(books.booked) == 2


def test_a_replay_may_not_carry_more_than_the_whole_budget(server: CountingServer) -> None:
    with guarded(server.url) as (client, _, _):
        client.send(payment())
        client.send(payment())
        with pytest.raises(Refused, match="budget"):
            client.send(payment(amount="3.01"))
    assert len(server.received) == 2


@pytest.mark.parametrize("july_2026", [True, False])
def test_a_second_id_for_one_reference_stops_the_run(
    july_2026: bool,  # noqa: FBT001 - a column of the table
) -> None:
    books = Books(july_2026=july_2026, forgets=True)
    with counting_server(books) as server, guarded(server.url) as (client, guard, record):
        client.send(READ)
        client.send(payment())
        with pytest.raises(Stop, match="recorded the reference ct-run-1 on load LD-1 more than once"):
            client.send(payment())
        assert (guard.payments, guard.amount) == (2, Decimal("0.20"))
    assert [kept.id for kept in record.payments] == ["id-1", "id-2"]


def test_a_replay_that_the_response_hides_is_seen_by_a_read(server: CountingServer, books: Books) -> None:
    responses: list[Reply] = []

    def first_response_again(one: Received) -> Reply:
        responses.append(books.record(one))
        return responses[0]

    books.forgets = True
    books.pay = first_response_again
    with guarded(server.url) as (client, guard, record):
        client.send(READ)
        client.send(payment())
        client.send(payment())
        with pytest.raises(Stop, match=r"this run cannot explain \(id id-2, 0.1\)"):
            client.send(READ)
        assert guard.payments == 2
    assert [(kept.id, kept.planned) for kept in record.payments] == [("id-1", True), ("id-2", False)]


def test_an_id_of_another_reference_does_not_show_that_references_are_recognised(
    server: CountingServer, books: Books
) -> None:
    books.july_2026 = True
    with guarded(server.url, budget=Budget(payments=2)) as (client, _, _):
        client.send(READ)
        client.send(payment())
        books.pay = lambda _: as_json({"Id": "id-1", "LoadNumber": "LD-1"})
        client.send(payment(reference="ct-run-2"))
        client.send(payment(reference="ct-run-3"))
        books.pay = books.record
        client.send(payment("LD-2", reference="ct-run-4"))
        with pytest.raises(Refused, match="budget"):
            client.send(payment("LD-2", reference="ct-run-4"))


def test_two_threads_with_one_reference_book_and_count_one_payment(
    server: CountingServer, books: Books
) -> None:
    both = threading.Barrier(2)

    def together(one: Received) -> Reply:
        both.wait(20)
        return books.record(one)

    books.pay = together
    with guarded(server.url) as (client, guard, record), ThreadPoolExecutor(2) as pool:
        client.send(READ)
        statuses = pool.map(lambda _: client.send(payment()).response.status, range(2))
        assert list(statuses) == [200, 200]
        client.send(READ)
        assert guard.payments == 1
    assert [kept.outcome for kept in record.payments] == ["recorded"]


def test_with_a_budget_of_one_only_one_of_two_threads_may_pay(server: CountingServer, books: Books) -> None:
    released = threading.Event()

    def hold(one: Received) -> Reply:
        released.wait(20)
        return books.record(one)

    def pay(_number: int) -> bool:
        try:
            client.send(payment())
        except Refused:
            released.set()
            return False
        return True

    books.pay = hold
    with guarded(server.url, budget=Budget(payments=1)) as (client, _, _), ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(pay, range(2))) == [False, True]
    assert len(books.booked) == len(server.writes) == 1


@pytest.mark.parametrize("july_2026", [True, False])
def test_a_read_while_a_payment_is_under_way_blames_nobody(
    july_2026: bool,  # noqa: FBT001 - a column of the table
) -> None:
    booked, released = threading.Event(), threading.Event()
    books = Books(july_2026=july_2026)

    def round_slowly(one: Received) -> Reply:
        body = json.loads(one.body)
        body["Amount"]["Amount"] = 0.11
        reply = books.record(replace(one, body=json.dumps(body).encode()))
        booked.set()
        released.wait(20)
        return reply

    books.pay = round_slowly
    with (
        counting_server(books) as server,
        guarded(server.url) as (client, guard, _),
        ThreadPoolExecutor(1) as pool,
    ):
        client.send(READ)
        paid = pool.submit(client.send, payment(amount="0.1050"))
        assert booked.wait(20)
        client.send(READ)
        released.set()
        assert paid.result().response.status == 200
        client.send(READ)
        assert guard.payments == 1


# --- what nobody explains ------------------------------------------------------------------------------


@pytest.mark.parametrize("july_2026", [True, False])
def test_a_payment_of_somebody_else_on_a_nominated_load_stops_the_run(
    july_2026: bool,  # noqa: FBT001 - a column of the table
) -> None:
    books = Books(july_2026=july_2026)
    books.add("LD-1", "BANK-1", 5)
    with counting_server(books) as server, guarded(server.url) as (client, guard, record):
        client.send(READ)
        client.send(payment())
        client.send(READ)
        books.add("LD-1", "BANK-2", 1250.1)
        with pytest.raises(Stop, match="this run cannot explain") as stop:
            client.send(READ)
        assert guard.amount == Decimal("1250.20")
    assert stop.value.status is ExitStatus.FAILED
    kept = record.payments[-1]
    assert (kept.id, kept.amount, kept.planned) == ("id-3", "1250.1", False)
    assert "1250.1" in (kept.response or "")


def test_a_payment_of_somebody_else_on_a_load_that_was_only_read_is_his_own(
    server: CountingServer, books: Books
) -> None:
    with guarded(server.url) as (client, guard, _):
        client.send(READ)
        books.add("LD-1", "BANK-2", 1250.1)
        client.send(READ)
        assert guard.payments == 0


def test_a_total_that_grew_by_more_than_was_paid_stops_the_run(server: CountingServer, books: Books) -> None:
    with guarded(server.url) as (client, _, record):
        client.send(READ)
        client.send(payment())
        books.hidden.add(books.add("LD-1", None, 0.02)["Id"])
        with pytest.raises(Stop, match=r"cannot explain \(id None, 0.02\)"):
            client.send(READ)
    assert [(kept.amount, kept.planned) for kept in record.payments] == [("0.1", True), ("0.02", False)]


def test_a_total_tells_of_a_lost_payment_that_is_not_listed(server: CountingServer, books: Books) -> None:
    def book_secretly(one: Received) -> Reply:
        books.hidden.add(books.book(one)[1]["Id"])
        return Reply(202)

    books.pay = book_secretly
    with guarded(server.url) as (client, guard, record):
        client.send(READ)
        client.send(payment())
        client.send(READ)
        assert guard.payments == 1
        books.hidden.add(books.add("LD-1", None, 0.1)["Id"])
        with pytest.raises(Stop, match="cannot explain"):
            client.send(READ)
    assert record.payments[0].outcome == "recorded"


def test_a_total_that_rounds_a_small_amount_is_explained(server: CountingServer, books: Books) -> None:
    def round_up(one: Received) -> Reply:
        books.add("LD-1", json.loads(one.body)["ReferenceNumber"], 0.11)
        fields = {"Id": "id-1", "Amount": {"Amount": 0.1050}, "ReferenceNumber": "ct-run-1"}
        return as_json({"LoadNumber": "LD-1", "CustomerPayments": [fields]})

    books.pay = round_up
    with guarded(server.url) as (client, guard, _):
        client.send(READ)
        client.send(payment(amount="0.1050"))
        client.send(READ)
        assert guard.payments == 1


@pytest.mark.parametrize("stale", [{"TotalPaid": {"Amount": 5}}, {"TotalPaid": None}, {}])
def test_a_search_that_lags_behind_does_not_make_a_payment_strange(
    stale: dict[str, object], server: CountingServer, books: Books
) -> None:
    old = {"LoadNumber": "LD-1", "Status": "Invoiced", "Payments": [], **stale}
    books.add("LD-1", "BANK-1", 5)
    server.answer = lambda one: as_json({"Items": [old]}) if "search" in one.path else books(one)
    with guarded(server.url) as (client, guard, _):
        client.send(READ)
        client.send(payment())
        client.send(SEARCHED)
        client.send(READ)
        assert guard.payments == 1
        books.hidden.add(books.add("LD-1", None, 0.1)["Id"])
        with pytest.raises(Stop, match="cannot explain"):
            client.send(READ)


# --- the shape of July 2026 ----------------------------------------------------------------------------


def test_in_july_2026_a_replay_gives_the_same_id_and_a_payment_another() -> None:
    books = Books(july_2026=True)
    with (
        counting_server(books) as server,
        guarded(server.url, budget=Budget(payments=3)) as (
            client,
            guard,
            record,
        ),
    ):
        client.send(READ)
        for reference in ("ct-run-1", "ct-run-1", "ct-run-2", "ct-run-2"):
            client.send(payment(reference=reference))
            client.send(READ)
        assert (guard.payments, guard.amount) == (2, Decimal("0.20"))
    assert [(kept.reference, kept.id) for kept in record.payments] == [
        ("ct-run-1", "id-1"),
        ("ct-run-2", "id-2"),
    ]


@pytest.mark.parametrize("is_hidden", [True, False])
def test_in_july_2026_a_forgotten_reference_is_seen_by_the_ids_or_the_total(
    is_hidden: bool,  # noqa: FBT001 - a column of the table
) -> None:
    books = Books(july_2026=True, forgets=True)
    with counting_server(books) as server, guarded(server.url) as (client, guard, _):
        client.send(READ)
        client.send(payment())

        def same_id(one: Received) -> Reply:
            _, booked = books.book(one)
            if is_hidden:
                books.hidden.add(booked["Id"])
            return as_json({"Id": "id-1", "LoadNumber": "LD-1", "Status": "Invoiced"})

        books.pay = same_id
        client.send(payment())
        with pytest.raises(Stop, match="this run cannot explain"):
            client.send(READ)
        assert guard.amount == Decimal("0.20")


def test_in_july_2026_a_trace_of_a_refusal_is_known_by_its_amount() -> None:
    books = Books(july_2026=True)
    with counting_server(books) as server, guarded(server.url) as (client, _, record):
        client.send(READ)
        books.pay = booking(books, Reply(400))
        client.send(payment(must_be_refused=True))
        with pytest.raises(Stop, match="which the target refused"):
            client.send(READ)
    assert [(kept.reference, kept.id) for kept in record.payments] == [("ct-run-1", "id-1")]


# --- a run that is resumed -----------------------------------------------------------------------------


def log_of(path: Path, *lines: LoggedPayment) -> PaymentLog:
    record = PaymentLog(path)
    for line in lines:
        record.write(line)
    record.close()
    return PaymentLog(path)


def test_a_resumed_payment_is_counted_and_its_replay_is_known(
    server: CountingServer, books: Books, tmp_path: Path
) -> None:
    books.add("LD-1", "ct-run-1", 0.1)
    record = log_of(tmp_path / "log", SENT, settled(SENT, RECORDED, 200, SeenPayment("id-1", None, None)))
    with guarded(server.url, record=record, budget=Budget(payments=2)) as (client, guard, _):
        assert (guard.payments, guard.amount) == (1, Decimal("0.10"))
        client.send(READ)
        client.send(payment())
        client.send(READ)
        client.send(payment(reference="ct-run-2"))
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-3"))
        assert guard.payments == 2
    assert [kept.attempt for kept in record.payments] == [1, 3]


@pytest.mark.parametrize("was_booked", [True, False])
@pytest.mark.parametrize("outcome", [SENDING, UNKNOWN])
def test_what_was_unknown_when_the_run_was_killed_is_resolved_by_a_read_or_stays_so(
    outcome: str,
    was_booked: bool,  # noqa: FBT001 - a column of the table
    server: CountingServer,
    books: Books,
    tmp_path: Path,
) -> None:
    if was_booked:
        books.add("LD-1", "ct-run-1", 0.1)
    record = log_of(tmp_path / "log", replace(SENT, outcome=outcome))
    with guarded(server.url, record=record) as (client, guard, _):
        assert guard.payments == 1
        client.send(READ)
        assert guard.payments == 1
        client.send(payment())
        client.send(READ)
        assert guard.payments == 1
    assert len(books.booked) == 1
    expected = [RECORDED] if was_booked else [RECORDED, outcome]
    assert [kept.outcome for kept in record.payments] == expected


def test_a_replay_that_was_under_way_when_the_run_was_killed_is_not_another_payment(
    server: CountingServer, books: Books, tmp_path: Path
) -> None:
    books.add("LD-1", "ct-run-1", 0.1)
    first = settled(SENT, RECORDED, 200, SeenPayment("id-1", None, None))
    record = log_of(tmp_path / "log", SENT, first, replace(SENT, attempt=2))
    with guarded(server.url, record=record) as (client, guard, _):
        client.send(READ)
        client.send(payment())
        client.send(READ)
        assert guard.payments == 2
    assert [kept.outcome for kept in record.payments] == [RECORDED, SENDING]


def test_what_was_booked_before_the_run_was_killed_does_not_hide_what_is_booked_since(
    server: CountingServer, books: Books, tmp_path: Path
) -> None:
    books.add("LD-1", "ct-run-1", 0.1)
    with guarded(server.url, record=log_of(tmp_path / "log", SENT)) as (client, _, _):
        client.send(READ)
        books.hidden.add(books.add("LD-1", None, 0.1)["Id"])
        with pytest.raises(Stop, match="cannot explain"):
            client.send(READ)


def test_a_reference_that_was_refused_before_the_run_was_killed_may_go_anywhere(
    server: CountingServer, tmp_path: Path
) -> None:
    record = log_of(tmp_path / "log", SENT, settled(SENT, REFUSED, 400))
    with guarded(server.url, record=record) as (client, _, _):
        assert client.send(payment("LD-2")).response.status == 200


def test_a_refusal_before_the_run_was_killed_is_read_before_it_counts_for_nothing(
    server: CountingServer, books: Books, tmp_path: Path
) -> None:
    books.add("LD-1", "ct-run-1", 0.1)
    record = log_of(tmp_path / "log", SENT, settled(SENT, REFUSED, 400))
    with guarded(server.url, record=record) as (client, guard, _):
        with pytest.raises(Stop, match="which the target refused"):
            client.send(READ)
        assert guard.payments == 1


def test_what_nobody_planned_is_counted_in_the_resumed_run_too(
    server: CountingServer, tmp_path: Path
) -> None:
    unplanned = replace(settled(SENT, RECORDED, 200, SeenPayment("id-1", None, None)), planned=False)
    on_no_load = replace(unplanned, load=IMPOSSIBLE, amount="0.01", attempt=2)
    record = log_of(tmp_path / "log", unplanned, on_no_load, replace(SENT, load=IMPOSSIBLE, attempt=3))
    with guarded(server.url, record=record) as (client, guard, _):
        assert (guard.payments, guard.amount) == (2, Decimal("0.11"))
        client.send(payment("LD-2"))
        assert guard.payments == 3


def test_a_reference_of_the_resumed_run_goes_to_its_load_first(
    server: CountingServer, tmp_path: Path
) -> None:
    record = log_of(tmp_path / "log", SENT)
    with guarded(server.url, record=record) as (client, _, _):
        with pytest.raises(Refused, match="ct-run-1 went to load LD-1 first"):
            client.send(payment("LD-2"))
        client.send(payment("LD-1"))
        client.send(payment("LD-2"))
    assert len(server.received) == 2


def test_a_payment_that_named_two_loads_is_looked_for_on_both(
    server: CountingServer, books: Books, tmp_path: Path
) -> None:
    books.add("LD-2", "ct-run-1", 0.1)
    record = log_of(tmp_path / "log", replace(SENT, load="LD-1, LD-2", outcome=UNKNOWN, planned=False))
    with guarded(server.url, record=record) as (client, _, _), pytest.raises(Stop, match="LD-2 shows"):
        client.send(replace(READ, query=(("loadNumber", "LD-2"),)))


def test_no_amount_of_a_resumed_run_gives_room_for_another(server: CountingServer, tmp_path: Path) -> None:
    lines = [
        replace(SENT, amount=amount, attempt=number, outcome=UNKNOWN, reference=f"ct-run-{number}")
        for number, amount in enumerate(("-2.90", "Infinity", "1e400"), 1)
    ]
    record = log_of(tmp_path / "log", *lines)
    with guarded(server.url, record=record) as (client, guard, _):
        assert guard.payments == 3
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-9", amount="0.11"))


def test_a_total_that_converts_another_currency_is_no_trace(server: CountingServer) -> None:
    books = Books()
    server.answer = books
    foreign = body(amount="1.00").replace(b"840", b"978")
    with guarded(server.url) as (client, guard, _):
        client.send(READ)
        client.send(post(foreign))
        books.converted = 0.08
        client.send(READ)
        assert guard.stopped is None


def test_the_end_of_a_run_reads_what_no_suite_has_read(server: CountingServer) -> None:
    books = Books()
    server.answer = books
    books.pay = lambda one: (books.book(one), as_json({}, 400))[1]
    with guarded(server.url) as (client, guard, log):
        client.send(READ)
        client.send(payment(must_be_refused=True))
        assert guard.stopped is None
        with pytest.raises(Stop, match="which the target refused"):
            client.read_what_is_left()
        assert [one.outcome for one in log.payments] == ["recorded"]
