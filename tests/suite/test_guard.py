"""Each safety of the money guard, by trying to get around it: what reached the server is what counts."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from contract_tests.rules.exchange import Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.client import NO_RESPONSE
from contract_tests.safety.guard import Budget, Refused, Stop
from contract_tests.safety.payment_log import PaymentLog
from contract_tests.safety.rate import Pace
from tests.suite.counting_server import (
    LOADS,
    LOST,
    PAYMENTS,
    SEARCH,
    CountingServer,
    Received,
    Reply,
    counting_server,
    recorded,
)
from tests.suite.payments import IMPOSSIBLE, MEDIA_TYPE, STRANGER, body, guarded, payment, post


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


READ = Request("GET", LOADS, (("loadNumber", "LD-1"),))

WRITES = [
    payment(),
    payment(STRANGER),
    replace(payment(), method="post"),
    replace(payment(), method="PUT"),
    replace(payment(), path=PAYMENTS.upper()),
    replace(payment(), path=PAYMENTS.replace("/invoices", "//%69nvoices/.")),
    replace(payment(), path=f"{SEARCH}/../../invoices/customer-payments"),
    replace(payment(), path=f"{PAYMENTS}/"),
    replace(payment(), path="/api/p/v1.0/invoices"),
    replace(payment(), method="GET", headers={"X-HTTP-Method-Override": "POST"}),
    replace(payment(), headers={**MEDIA_TYPE, "Content-Encoding": "gzip"}, content=b"\x1f\x8b"),
    replace(payment(), query=(("LoadNumber", "LD-1"),), content=b"{}"),
    post(b'{"LoadNumber": "ct-no-such-load-1", "LoadNumber": "LD-1"}'),
    post(body().decode().encode("utf-16")),
    post(body()[:-1]),
    replace(payment(), must_be_refused=True),
    Request("DELETE", LOADS, (("loadNumber", "LD-1"),)),
    Request("DELETE", LOADS),
    Request("PATCH", LOADS, content=b'{"Status": "Paid"}'),
]


@pytest.mark.parametrize("write", WRITES)
def test_without_consent_nothing_that_could_record_reaches_the_target(
    write: Request, server: CountingServer
) -> None:
    with guarded(server.url, consent=False) as (client, guard, _), pytest.raises(Refused):
        client.send(write)
    assert server.received == []
    assert guard.requests == 0


@pytest.mark.parametrize(
    "harmless",
    [
        READ,
        Request("HEAD", LOADS),
        Request("OPTIONS", PAYMENTS),
        Request("POST", SEARCH, content=b'{"LoadNumbers": ["LD-1"]}'),
        payment(IMPOSSIBLE),
        post(b""),
        post(b"{"),
        post(b"null"),
        replace(payment(IMPOSSIBLE), method="PUT"),
    ],
)
def test_without_consent_reads_and_what_cannot_record_reach_the_target(
    harmless: Request, server: CountingServer
) -> None:
    server.answer = lambda one: Reply(200 if one.method in {"GET", "HEAD"} else 404)
    with guarded(server.url, consent=False) as (client, _, _):
        client.send(harmless)
    assert len(server.received) == 1


def test_with_consent_a_nominated_load_is_paid_and_no_other(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url) as (client, _, record):
        client.send(payment())
        for stranger in (
            payment(STRANGER),
            payment("LD-1 x"),
            payment("ld-1"),
            post(b'{"LoadNumber": "LD-1", "loadNumber": "LD-9", "ReferenceNumber": "ct-run-1"}'),
            replace(payment(), method="PUT"),
            replace(payment(), path=f"{PAYMENTS}/LD-1"),
        ):
            with pytest.raises(Refused):
                client.send(stranger)
    assert len(server.received) == 1
    assert [kept.id for kept in record.payments] == ["id-1"]


def test_a_nominated_number_may_be_lengthened_to_see_that_it_is_unknown(server: CountingServer) -> None:
    server.answer = lambda _: Reply(404)
    with guarded(server.url) as (client, _, record):
        client.send(payment(f"LD-1-{IMPOSSIBLE}", must_be_refused=True))
        for stranger in (
            payment(f"LD-1-{IMPOSSIBLE}"),
            payment(f"{STRANGER}-{IMPOSSIBLE}", must_be_refused=True),
            payment("LD-1-1", must_be_refused=True),
        ):
            with pytest.raises(Refused):
                client.send(stranger)
    assert len(server.received) == 1
    assert not record.payments
    with guarded(server.url, consent=False) as (client, _, _), pytest.raises(Refused, match="consent"):
        client.send(payment(f"LD-1-{IMPOSSIBLE}", must_be_refused=True))


def test_with_consent_a_body_that_hides_its_load_is_refused(server: CountingServer) -> None:
    hidden = replace(payment(must_be_refused=True), headers={**MEDIA_TYPE, "Content-Encoding": "gzip"})
    with guarded(server.url) as (client, _, _), pytest.raises(Refused, match="hides"):
        client.send(replace(hidden, content=gzip.compress(body(STRANGER))))
    assert server.received == []


def test_payments_wait_until_the_nominated_loads_were_read(server: CountingServer) -> None:
    with guarded(server.url, opened=False) as (client, _, _), pytest.raises(Refused, match="not read"):
        client.send(payment())
    assert server.received == []


@pytest.mark.parametrize("reference", ["BANK-1", "ct-other-1", "x ct-run-1", ""])
def test_a_payment_has_a_reference_of_this_run(reference: str, server: CountingServer) -> None:
    with guarded(server.url) as (client, _, _), pytest.raises(Refused, match="reference"):
        client.send(payment(reference=reference))
    assert server.received == []


@pytest.mark.parametrize("reference", ["ct-run-1", "CT-RUN-1", " ct-run-1 ", "ct-run-1-ä"])
def test_a_reference_of_this_run_may_be_varied(reference: str, server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url) as (client, _, _):
        assert client.send(payment(reference=reference)).response.status == 200


def test_the_budget_of_requests_is_never_exceeded(server: CountingServer) -> None:
    with guarded(server.url, budget=Budget(requests=3)) as (client, guard, _):
        for _ in range(3):
            client.send(READ)
        with pytest.raises(Refused, match=r"^budget: 3 requests"):
            client.send(READ)
    assert len(server.received) == guard.requests == 3


def test_a_payment_leaves_a_request_for_its_resolution(server: CountingServer) -> None:
    with (
        guarded(server.url, budget=Budget(requests=1)) as (client, _, _),
        pytest.raises(Refused, match="budget"),
    ):
        client.send(payment())
    assert server.received == []


def test_the_budget_of_payments_counts_before_sending(server: CountingServer) -> None:
    server.answer = lambda _: Reply(400)
    with guarded(server.url, budget=Budget(payments=2)) as (client, _, _):
        client.send(payment(reference="ct-run-1"))
        client.send(payment(reference="ct-run-2"))
        with pytest.raises(Refused, match=r"^budget: 2 payments"):
            client.send(payment(reference="ct-run-3"))
    assert len(server.received) == 2


def test_the_budget_of_money_counts_before_sending(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url, budget=Budget(amount=Decimal("3.00"))) as (client, guard, _):
        client.send(payment(reference="ct-run-1", amount="2.50"))
        for amount in ("0.51", "1e2", '"0.51"', "NaN", "1e400"):
            with pytest.raises(Refused, match=r"^budget"):
                client.send(payment(reference="ct-run-2", amount=amount))
        client.send(payment(reference="ct-run-3", amount="0.5"))
    assert guard.amount == Decimal("3.0")
    assert len(server.received) == 2


def test_parallel_payments_do_not_exceed_the_budget(server: CountingServer) -> None:
    server.answer = recorded

    def pay(number: int) -> bool:
        try:
            client.send(payment(reference=f"ct-run-{number}"))
        except Refused:
            return False
        return True

    with guarded(server.url) as (client, _, record), ThreadPoolExecutor(20) as pool:
        sent = sum(pool.map(pay, range(20)))
    assert sent == len(server.received) == len(record.payments) == 8


def test_a_replay_is_a_request_and_not_a_payment(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url, budget=Budget(payments=1)) as (client, guard, record):
        client.send(payment())
        client.send(payment(amount="0.20"))
        with pytest.raises(Refused, match="budget"):
            client.send(payment("LD-2"))
    assert (guard.requests, guard.payments) == (2, 1)
    assert len(record.payments) == 1


def test_a_replay_may_not_carry_more_than_the_whole_budget(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url) as (client, _, _):
        client.send(payment())
        with pytest.raises(Refused, match="budget"):
            client.send(payment(amount="3.01"))
    assert len(server.received) == 1


def test_a_larger_amount_is_not_a_replay_of_what_was_refused(server: CountingServer) -> None:
    server.answer = lambda _: Reply(400)
    with guarded(server.url) as (client, guard, _):
        client.send(payment(amount="0.01"))
        server.answer = recorded
        client.send(payment(amount="2.00"))
        for reference in ("ct-run-1", "ct-run-2"):
            client.send(payment(reference=reference, amount="0.01"))
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-2", load="LD-2", amount="1.00"))
    assert (guard.payments, guard.amount) == (3, Decimal("2.02"))


def test_a_duplicate_that_the_target_made_is_counted_and_recorded(server: CountingServer) -> None:
    payments: list[object] = []

    def duplicate(one: Received) -> Reply:
        sent = json.loads(one.body)
        payments.append({**sent, "Id": f"id-{len(payments)}"})
        return Reply(body=json.dumps({"CustomerPayments": payments}).encode())

    server.answer = duplicate
    with guarded(server.url) as (client, guard, record):
        client.send(payment())
        client.send(payment())
    assert [kept.id for kept in record.payments] == ["id-0", "id-1"]
    assert guard.payments == 2


def test_what_must_be_refused_and_is_counts_as_a_request(server: CountingServer) -> None:
    server.answer = lambda _: Reply(400)
    with guarded(server.url, budget=Budget(payments=0)) as (client, guard, record):
        client.send(payment(amount="-5", must_be_refused=True))
    assert (guard.requests, guard.payments) == (1, 0)
    assert record.payments == []


def test_what_must_be_refused_and_is_accepted_stops_the_run(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url) as (client, _, record):
        with pytest.raises(Stop) as stop:
            client.send(payment(must_be_refused=True))
        for further in (payment(reference="ct-run-2"), READ):
            with pytest.raises(Stop):
                client.send(further)
    assert stop.value.status is ExitStatus.FAILED
    assert len(server.received) == 1
    assert [(kept.load, kept.id) for kept in record.payments] == [("LD-1", "id-1")]


@pytest.mark.parametrize("status", [302, 500])
def test_what_must_be_refused_and_may_be_recorded_counts_as_a_payment(
    status: int, server: CountingServer
) -> None:
    server.answer = lambda _: Reply(status)
    with guarded(server.url, budget=Budget(payments=2)) as (client, guard, record):
        for number in (1, 2):
            client.send(payment(reference=f"ct-run-{number}", must_be_refused=True))
        for refused in (True, False):
            with pytest.raises(Refused, match="budget"):
                client.send(payment(reference="ct-run-3", must_be_refused=refused))
    assert len(server.received) == guard.payments == len(record.payments) == 2


def test_no_amount_gives_room_for_another(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url) as (client, guard, _):
        guard.resume("LD-1", "ct-run-1", Decimal(-1000))
        guard.count_unplanned(Decimal(-1000))
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-9", amount="3.01"))
        client.send(payment(reference="ct-run-9", amount="2.99"))
        guard.count_unplanned(Decimal("1e400"))
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-10", amount="0.01"))


def test_calling_a_payment_refused_does_not_lift_the_budget_of_money(server: CountingServer) -> None:
    with guarded(server.url) as (client, _, _), pytest.raises(Refused, match="budget"):
        client.send(payment(amount="3.01", must_be_refused=True))
    assert server.received == []


def test_a_payment_accepted_on_an_impossible_load_stops_the_run(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url, consent=False) as (client, _, record):
        with pytest.raises(Stop):
            client.send(payment(IMPOSSIBLE))
        with pytest.raises(Stop):
            client.send(READ)
    assert len(server.received) == 1
    assert [kept.load for kept in record.payments] == [IMPOSSIBLE]


def test_the_stop_is_not_caught_by_what_catches_errors() -> None:
    assert not issubclass(Stop, Exception)


def test_the_mock_may_be_paid_without_consent(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url, consent=False, is_mock=True, budget=Budget()) as (client, _, _):
        client.send(payment(STRANGER, "any", "1000000"))
        client.send(payment(STRANGER, "other", must_be_refused=True))
    assert len(server.received) == 2


def test_a_redirect_is_not_followed(server: CountingServer) -> None:
    with counting_server() as elsewhere:
        server.answer = lambda _: Reply(307, headers={"Location": f"{elsewhere.url}{PAYMENTS}"})
        with guarded(server.url) as (client, _, _):
            assert client.send(payment()).response.status == 307
            assert client.send(READ).response.status == 307
    assert elsewhere.received == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(
    variable: str, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for exception in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(exception, raising=False)
    with counting_server() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with guarded(server.url) as (client, _, _):
            client.send(READ)
    assert proxy.received == []
    assert len(server.received) == 1


def test_no_path_leads_to_another_host(server: CountingServer) -> None:
    with counting_server() as elsewhere:
        host = elsewhere.url.removeprefix("http://")
        for path in (
            f"//{host}/",
            f"/\\{host}/",
            f"/@{host}/",
            f"/..//{host}",
            f"@{host}/",
            f"{elsewhere.url}/",
            "",
        ):
            with guarded(server.url) as (client, _, _):
                try:
                    client.send(Request("GET", path))
                except Refused:
                    continue
        assert elsewhere.received == []


@pytest.mark.parametrize(
    "header",
    [
        "Host",
        "host",
        "Content-Length",
        "Transfer-Encoding",
        "Upgrade",
        "Expect",
        "Trailer",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Proxy-Authorization",
    ],
)
def test_no_header_makes_one_request_look_like_another(header: str, server: CountingServer) -> None:
    smuggled = Request("POST", SEARCH, headers={header: "0"}, content=b"POST " + PAYMENTS.encode())
    for is_mock in (False, True):
        with guarded(server.url, is_mock=is_mock) as (client, _, _), pytest.raises(Refused):
            client.send(smuggled)
    assert server.received == []


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\x00", "\ud800"])
def test_a_header_that_cannot_be_one_is_not_sent(value: str, server: CountingServer) -> None:
    with guarded(server.url) as (client, _, _), suppress(Refused):
        assert client.send(replace(READ, headers={"X-Text": value})).response.status == NO_RESPONSE
    assert server.received == []


def test_a_header_in_any_letters_is_sent_as_utf_8(server: CountingServer) -> None:
    with guarded(server.url) as (client, _, _):
        client.send(replace(READ, headers={"X-Text": "\u20ac"}))
    assert server.received[0].headers["x-text"].encode("latin-1") == "\u20ac".encode()


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\x00"])
def test_a_payment_that_cannot_be_written_is_refused_and_not_unknown(
    value: str, server: CountingServer
) -> None:
    with guarded(server.url) as (client, guard, record):
        with pytest.raises(Refused, match="header"):
            client.send(replace(payment(), headers={**MEDIA_TYPE, "X-Text": value}))
        assert guard.payments == 0
        assert record.payments == []
    assert server.received == []


def test_no_cookie_is_kept(server: CountingServer) -> None:
    server.answer = lambda _: Reply(headers={"Set-Cookie": "session=1; Path=/"})
    with guarded(server.url) as (client, _, _):
        client.send(READ)
        client.send(READ)
    assert "cookie" not in server.received[1].headers


def test_a_lost_response_is_resolved_by_one_replay_of_the_same_request(server: CountingServer) -> None:
    server.answer = lambda one: LOST if len(server.received) == 1 else recorded(one)
    with guarded(server.url) as (client, guard, record):
        assert client.send(payment()).response.status == 200
    first, second = server.received
    assert first.body == second.body
    assert (guard.requests, guard.payments) == (2, 1)
    assert [kept.outcome for kept in record.payments] == ["recorded"]


def test_a_payment_that_is_lost_twice_is_unknown_and_stops_the_run(server: CountingServer) -> None:
    server.answer = lambda _: LOST
    with guarded(server.url) as (client, _, record):
        with pytest.raises(Stop, match="unknown") as stop:
            client.send(payment())
        with pytest.raises(Stop):
            client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert len(server.received) == 2
    assert [kept.outcome for kept in record.payments] == ["unknown"]


def test_a_payment_that_times_out_is_resolved(server: CountingServer) -> None:
    answered = threading.Event()

    def hang_first(one: Received) -> Reply:
        if len(server.received) == 1:
            answered.wait(10)
        return recorded(one)

    server.answer = hang_first
    with guarded(server.url, timeout_seconds=1) as (client, _, record):
        assert client.send(payment()).response.status == 200
        answered.set()
    assert len(server.received) == 2
    assert [kept.outcome for kept in record.payments] == ["recorded"]


def test_a_lost_payment_without_a_reference_is_not_repeated(server: CountingServer) -> None:
    server.answer = lambda _: LOST
    with guarded(server.url) as (client, _, record), pytest.raises(Stop):
        client.send(payment(reference=" ", must_be_refused=True))
    assert len(server.received) == 1
    assert [kept.outcome for kept in record.payments] == ["unknown"]


def test_a_lost_read_is_asked_once_more_and_then_has_no_response(server: CountingServer) -> None:
    server.answer = lambda _: LOST
    with guarded(server.url) as (client, _, _):
        assert client.send(READ).response.status == NO_RESPONSE
        assert len(server.received) == 2
        for _ in range(3):
            client.send(READ)
        with pytest.raises(Stop, match="does not respond"):
            client.send(READ)


def test_the_rate_is_kept(server: CountingServer) -> None:
    moments: list[float] = []
    clock = threading.Lock()

    def stamp(_one: Received) -> Reply:
        with clock:
            moments.append(time.monotonic())
        return Reply()

    server.answer = stamp
    with guarded(server.url, pace=Pace(5, 1)) as (client, _, _), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.send(READ), range(12)))
    moments.sort()
    assert len(moments) == 12
    assert all(later - earlier >= 0.95 for earlier, later in zip(moments, moments[5:], strict=False))


@pytest.mark.parametrize("request_", [READ, payment()])
def test_retry_after_is_waited_for_and_the_request_sent_again(
    request_: Request, server: CountingServer
) -> None:
    waits: list[float] = []
    limited = Reply(429, headers={"Retry-After": "7"})
    server.answer = lambda one: (
        limited if len(server.received) < 3 else recorded(one) if one.body else Reply()
    )
    with guarded(server.url, sleep=waits.append) as (client, guard, _):
        assert client.send(request_).response.status == 200
    assert waits == [7, 7]
    assert guard.requests == 3
    assert guard.payments <= 1


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 0), ("", 60), ("soon", 60), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
def test_every_retry_after_is_understood(value: str, seconds: float, server: CountingServer) -> None:
    waits: list[float] = []
    server.answer = lambda _: Reply(429 if len(server.received) == 1 else 200, headers={"Retry-After": value})
    with guarded(server.url, sleep=waits.append) as (client, _, _):
        client.send(READ)
    assert waits == [seconds]


@pytest.mark.parametrize("value", ["301", "99999999999999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_nobody_waits_longer_than_five_minutes(value: str, server: CountingServer) -> None:
    waits: list[float] = []
    server.answer = lambda _: Reply(429, headers={"Retry-After": value})
    with guarded(server.url, sleep=waits.append) as (client, _, _), pytest.raises(Stop) as stop:
        client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert waits == []


def test_a_target_that_responds_with_nothing_but_429_ends_the_run(server: CountingServer) -> None:
    server.answer = lambda _: Reply(429, headers={"Retry-After": "1"})
    with guarded(server.url) as (client, _, _), pytest.raises(Stop, match="429"):
        client.send(READ)
    assert len(server.received) == 4


def test_the_record_is_on_the_disk_before_the_payment_leaves(server: CountingServer, tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    seen: list[list[dict[str, object]]] = []

    def look(one: Received) -> Reply:
        seen.append([json.loads(line) for line in path.read_text().splitlines()])
        return recorded(one)

    server.answer = look
    with guarded(server.url, record=PaymentLog(path)) as (client, _, _):
        client.send(payment())
    [[before]] = seen
    assert (before["load"], before["reference"], before["amount"], before["outcome"]) == (
        "LD-1",
        "ct-run-1",
        "0.10",
        "sending",
    )
    after = json.loads(path.read_text().splitlines()[-1])
    assert (after["outcome"], after["status"], after["id"]) == ("recorded", 200, "id-1")


def test_the_record_of_a_killed_run_names_what_was_under_way(server: CountingServer, tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    server.answer = lambda _: LOST
    with guarded(server.url, record=PaymentLog(path)) as (client, _, _), pytest.raises(Stop):
        client.send(payment())
    with closing(PaymentLog(path)) as record:
        assert [kept.outcome for kept in record.payments] == ["unknown"]


def test_a_resumed_payment_is_a_replay(server: CountingServer) -> None:
    server.answer = recorded
    with guarded(server.url, budget=Budget(payments=1)) as (client, guard, _):
        guard.resume("LD-1", "ct-run-1", Decimal("0.10"))
        client.send(payment())
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-2"))
    assert guard.payments == 1
