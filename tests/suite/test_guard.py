"""Each safety of the money guard, by trying to get around it: what reached the server is what counts."""

import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from contract_tests.rules.exchange import NO_RESPONSE, Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.credentials import Credentials, Secret
from contract_tests.safety.guard import Budget, Refused, Stop
from contract_tests.safety.payment_log import PaymentLog
from contract_tests.safety.rate import Pace
from tests.suite.counting_server import (
    LOADS,
    PAYMENTS,
    SEARCH,
    Books,
    CountingServer,
    Received,
    Reply,
    as_json,
    counting_server,
)
from tests.suite.payments import IMPOSSIBLE, MEDIA_TYPE, STRANGER, body, guarded, payment, post


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def server(books: Books) -> Iterator[CountingServer]:
    with counting_server(books) as running:
        yield running


def credentials_of(url: str) -> Credentials:
    return Credentials(client_id="client", client_secret=Secret("secret"), token_url=f"{url}/token")


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
    post(b""),
    post(b"{"),
    post(b"null"),
    post(b"[]"),
    post(body("")),
    post(body(" ")),
    post(body().replace(b'"LD-1"', b"null")),
    post(body().replace(b'"LD-1"', b"{}")),
    post(body().replace(b"LoadNumber", b"Load")),
    post(body().replace(b'"LD-1"', b'["ct-no-such-load-1", "LD-1"]')),
    replace(post(b""), method="PUT"),
    replace(post(b"{}"), method="PATCH"),
    replace(post(b""), method="DELETE"),
    replace(post(b""), path=f"{PAYMENTS}/LD-1"),
    replace(payment(IMPOSSIBLE, amount="0.02"), method="PUT"),
    payment(IMPOSSIBLE, amount="0.011"),
    payment(IMPOSSIBLE, amount="-5"),
    payment(IMPOSSIBLE, amount='"0.01 USD, or 5"'),
    payment(IMPOSSIBLE, amount="null"),
    payment(IMPOSSIBLE, amount="1e400"),
    payment(IMPOSSIBLE, "BANK-1", "0.01"),
    post(body(IMPOSSIBLE, amount="0.01").replace(b"PaymentDate", b"InvoiceNumber")),
    post(body(IMPOSSIBLE, amount="0.01").replace(b"PaymentDate", b"check_number")),
    post(body(IMPOSSIBLE).replace(b'"Amount": {"Amount": 0.10, "Currency": 840}, ', b"")),
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
        payment(IMPOSSIBLE, amount="0.01"),
        payment(IMPOSSIBLE, amount="-0.01"),
        payment(IMPOSSIBLE, amount='"0.01"'),
        post(body(IMPOSSIBLE, amount="0").replace(b"PaymentDate", b'InvoiceNumber": "CT-1", "PaymentDate')),
        replace(payment(IMPOSSIBLE, amount="0.01"), method="PUT"),
        Request("PUT", LOADS),
    ],
)
def test_without_consent_reads_and_what_cannot_record_reach_the_target(
    harmless: Request, server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: Reply(404)
    with guarded(server.url, consent=False) as (client, _, _):
        client.send(harmless)
    assert len(server.received) == 1


def test_with_consent_a_nominated_load_is_paid_and_no_other(server: CountingServer) -> None:
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


@pytest.mark.parametrize("content", [b"", b"{}", body(""), body().replace(b'"LD-1"', b"null")])
def test_a_payment_that_names_no_load_never_leaves(content: bytes, server: CountingServer) -> None:
    for must_be_refused in (True, False):
        with guarded(server.url) as (client, _, _), pytest.raises(Refused, match="names no load"):
            client.send(post(content, must_be_refused=must_be_refused))
    assert server.received == []


@pytest.mark.parametrize("amount", ["null", "{}", '"ten"', "NaN", "1e400", "-1e400"])
def test_an_amount_that_cannot_be_read_goes_to_impossible_loads_only(
    amount: str, server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: Reply(400)
    with guarded(server.url, budget=Budget()) as (client, _, _):
        with pytest.raises(Refused, match="amount cannot be read"):
            client.send(payment(amount=amount, must_be_refused=True))
        client.send(payment(IMPOSSIBLE, amount=amount, must_be_refused=True))
    assert len(server.received) == 1


def test_a_nominated_number_may_be_lengthened_to_see_that_it_is_unknown(
    server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: Reply(404)
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
    with guarded(server.url) as (client, _, _):
        assert client.send(payment(reference=reference)).response.status == 200


def test_the_budget_of_requests_is_never_exceeded(server: CountingServer) -> None:
    with guarded(server.url, budget=Budget(requests=3)) as (client, guard, _):
        for _ in range(3):
            client.send(READ)
        with pytest.raises(Refused, match=r"^budget: 3 requests"):
            client.send(READ)
    assert len(server.received) == guard.requests == 3


def test_a_payment_leaves_requests_for_its_resolution(server: CountingServer) -> None:
    with (
        guarded(server.url, budget=Budget(requests=2)) as (client, _, _),
        pytest.raises(Refused, match="budget"),
    ):
        client.send(payment())
    assert server.received == []


@pytest.mark.parametrize("budget", [Budget(payments=0), Budget(amount=Decimal(0))])
@pytest.mark.parametrize("must_be_refused", [True, False])
@pytest.mark.parametrize("amount", ["0.10", "0", "-5"])
def test_a_budget_of_nothing_sends_nothing_that_may_record(
    budget: Budget,
    must_be_refused: bool,  # noqa: FBT001 - a column of the table
    amount: str,
    server: CountingServer,
) -> None:
    with guarded(server.url, budget=budget) as (client, _, _), pytest.raises(Refused, match="budget"):
        client.send(payment(amount=amount, must_be_refused=must_be_refused))
    assert server.received == []


def test_the_budget_of_payments_counts_before_sending(server: CountingServer) -> None:
    with guarded(server.url, budget=Budget(payments=2)) as (client, _, _):
        client.send(payment(reference="ct-run-1"))
        client.send(payment(reference="ct-run-2"))
        with pytest.raises(Refused, match=r"^budget: 2 payments"):
            client.send(payment(reference="ct-run-3"))
    assert len(server.received) == 2


def test_the_budget_of_money_counts_before_sending(server: CountingServer) -> None:
    with guarded(server.url, budget=Budget(amount=Decimal("3.00"))) as (client, guard, _):
        client.send(payment(reference="ct-run-1", amount="2.50"))
        for amount in ("0.51", "-0.51", "1e2", '"0.51"', '"0.1 or 0,51"'):
            with pytest.raises(Refused, match=r"^budget"):
                client.send(payment(reference="ct-run-2", amount=amount))
        client.send(payment(reference="ct-run-3", amount="0.5"))
    assert guard.amount == Decimal("3.0")
    assert len(server.received) == 2


@pytest.mark.parametrize("amount", ["3.01", "-3.01"])
def test_calling_a_payment_refused_does_not_lift_the_budget_of_money(
    amount: str, server: CountingServer
) -> None:
    with guarded(server.url) as (client, _, _), pytest.raises(Refused, match="budget"):
        client.send(payment(amount=amount, must_be_refused=True))
    assert server.received == []


def test_parallel_payments_do_not_exceed_the_budget(server: CountingServer, books: Books) -> None:
    def pay(number: int) -> bool:
        try:
            client.send(payment(reference=f"ct-run-{number}"))
        except Refused:
            return False
        return True

    with guarded(server.url) as (client, _, record), ThreadPoolExecutor(20) as pool:
        sent = sum(pool.map(pay, range(20)))
    assert sent == len(server.received) == len(record.payments) == len(books.booked) == 8


@pytest.mark.parametrize("must_be_refused", [True, False])
def test_a_full_budget_of_refusals_is_read_before_more_is_sent(
    must_be_refused: bool,  # noqa: FBT001 - a column of the table
    server: CountingServer,
    books: Books,
) -> None:
    books.pay = lambda _: Reply(400)
    with guarded(server.url, budget=Budget(payments=1)) as (client, guard, record):
        for number in range(3):
            client.send(payment(reference=f"ct-run-{number}", must_be_refused=must_be_refused))
    assert [one.method for one in server.received] == ["POST", "GET", "POST", "GET", "POST"]
    assert guard.requests == 5
    assert guard.payments == 0
    assert record.payments == []


def test_a_read_of_the_run_serves_as_well(server: CountingServer, books: Books) -> None:
    books.pay = lambda _: Reply(400)
    with guarded(server.url, budget=Budget(payments=1)) as (client, _, _):
        client.send(payment(must_be_refused=True))
        client.send(READ)
        client.send(payment(must_be_refused=True))
    assert [one.method for one in server.received] == ["POST", "GET", "POST"]


def test_a_search_does_not_show_that_a_refusal_left_no_trace(server: CountingServer, books: Books) -> None:
    books.pay = lambda _: Reply(400)
    with guarded(server.url, budget=Budget(payments=1)) as (client, _, _):
        client.send(payment(must_be_refused=True))
        client.send(Request("POST", SEARCH, content=b'{"LoadNumbers": ["LD-1"]}'))
        client.send(payment(must_be_refused=True))
    assert [one.path.partition("?")[0] for one in server.received] == [PAYMENTS, SEARCH, LOADS, PAYMENTS]


def test_beyond_the_budget_what_must_be_refused_leaves_and_nothing_planned(
    server: CountingServer, books: Books
) -> None:
    with guarded(server.url, budget=Budget(payments=1, amount=Decimal("0.10"))) as (client, guard, _):
        client.send(payment())
        with pytest.raises(Refused, match="budget"):
            client.send(payment(reference="ct-run-2"))
        books.pay = lambda _: Reply(400)
        for number in (3, 4):
            client.send(payment(reference=f"ct-run-{number}", must_be_refused=True))
    assert [one.method for one in server.received] == ["POST", "POST", "GET", "POST"]
    assert (guard.payments, len(books.booked)) == (1, 1)


def test_only_one_probe_may_be_unknown_beyond_the_budget(server: CountingServer, books: Books) -> None:
    books.pay = lambda _: Reply(500)
    with guarded(server.url, budget=Budget(payments=2)) as (client, guard, record):
        assert client.send(payment(reference="ct-run-0", must_be_refused=True)).attempts == 2
        for must_be_refused in (True, True, False):
            with pytest.raises(Refused, match="budget"):
                client.send(payment(reference="ct-run-9", must_be_refused=must_be_refused))
    assert len(server.writes) == guard.payments == 3
    assert [kept.outcome for kept in record.payments] == ["unknown"] * 3


def test_two_probes_at_once_share_the_one_beyond_the_budget(server: CountingServer, books: Books) -> None:
    released = threading.Event()

    def hold(_one: Received) -> Reply:
        released.wait(20)
        return Reply(400)

    def probe(number: int) -> bool:
        try:
            client.send(payment(reference=f"ct-run-{number}", must_be_refused=True))
        except Refused:
            return False
        return True

    with guarded(server.url, budget=Budget(payments=1)) as (client, _, _), ThreadPoolExecutor(2) as pool:
        client.send(payment())
        books.pay = hold
        probes = [pool.submit(probe, number) for number in (2, 3)]
        first = next(as_completed(probes))
        assert first.result() is False
        released.set()
        assert sorted(one.result() for one in probes) == [False, True]


@pytest.mark.parametrize("consent", [True, False])
def test_a_payment_accepted_on_an_impossible_load_stops_the_run(
    consent: bool,  # noqa: FBT001 - a column of the table
    server: CountingServer,
) -> None:
    with guarded(server.url, consent=consent) as (client, guard, record):
        with pytest.raises(Stop, match="accepted a payment on a load that does not exist") as stop:
            client.send(payment(IMPOSSIBLE, amount="0.01"))
        with pytest.raises(Stop):
            client.send(READ)
    assert stop.value.status is ExitStatus.FAILED
    assert len(server.received) == 1
    assert (guard.payments, guard.amount) == (1, Decimal("0.01"))
    [kept] = record.payments
    assert (kept.load, kept.outcome, kept.id, kept.planned) == (IMPOSSIBLE, "recorded", "id-1", False)
    assert "CustomerPayments" in (kept.response or "")


def test_an_acceptance_that_shows_nothing_counts_what_was_sent(server: CountingServer, books: Books) -> None:
    books.pay = lambda _: Reply(202, b"")
    with guarded(server.url, consent=False) as (client, guard, record), pytest.raises(Stop):
        client.send(payment(IMPOSSIBLE, amount="0.01"))
    assert (guard.payments, guard.amount) == (1, Decimal("0.01"))
    assert [(kept.amount, kept.status) for kept in record.payments] == [("0.01", 202)]


def test_only_the_payment_that_was_sent_is_taken_from_what_is_accepted(
    server: CountingServer, books: Books
) -> None:
    books.add(IMPOSSIBLE, "BANK-1", 1250.1)
    with guarded(server.url, consent=False) as (client, guard, record), pytest.raises(Stop):
        client.send(payment(IMPOSSIBLE, amount="0.01"))
    assert guard.amount == Decimal("0.01")
    assert [kept.id for kept in record.payments] == ["id-2"]


def test_a_method_that_is_not_there_and_is_accepted_is_not_a_payment(server: CountingServer) -> None:
    with guarded(server.url, consent=False) as (client, guard, record):
        assert client.send(Request("PUT", LOADS)).response.status == 200
    assert guard.payments == 0
    assert record.payments == []


@pytest.mark.parametrize(("status", "outcome"), [(404, []), (302, ["unknown"]), (500, ["unknown"])])
def test_what_an_impossible_load_took_stays_unknown_unless_it_was_refused(
    status: int, outcome: list[str], server: CountingServer, books: Books
) -> None:
    books.pay = lambda _: Reply(status)
    with guarded(server.url, consent=False) as (client, _, record):
        client.send(payment(IMPOSSIBLE, amount="0.01"))
    assert [kept.outcome for kept in record.payments] == outcome


def test_the_stop_is_not_caught_by_what_catches_errors() -> None:
    assert not issubclass(Stop, Exception)


def test_the_mock_may_be_paid_without_consent(server: CountingServer) -> None:
    with guarded(server.url, consent=False, is_mock=True, budget=Budget()) as (client, _, _):
        client.send(payment(STRANGER, "any", "1000000"))
        client.send(payment(STRANGER, "other", must_be_refused=True))
    assert len(server.received) == 2


def test_a_redirect_is_not_followed(server: CountingServer, books: Books) -> None:
    with counting_server() as elsewhere:
        redirect = Reply(307, headers={"Location": f"{elsewhere.url}{PAYMENTS}"})
        books.pay = lambda _: redirect
        with guarded(server.url) as (client, _, _):
            assert client.send(payment()).response.status == 307
            server.answer = books.pay
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


@pytest.mark.parametrize("request_", [READ, payment(IMPOSSIBLE, amount="0.01")])
def test_retry_after_is_waited_for_and_the_request_sent_again(
    request_: Request, server: CountingServer
) -> None:
    waits: list[float] = []
    server.answer = lambda _: (
        Reply(429, headers={"Retry-After": "7"}) if len(server.received) < 3 else Reply(404)
    )
    with guarded(server.url, sleep=waits.append) as (client, guard, _):
        assert client.send(request_).response.status == 404
    assert waits == [7, 7]
    assert guard.requests == 3


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 1), ("", 60), ("soon", 60), ("Wed, 21 Oct 2015 07:28:00 GMT", 1)]
)
def test_every_retry_after_is_understood(value: str, seconds: float, server: CountingServer) -> None:
    waits: list[float] = []
    server.answer = lambda _: Reply(429 if len(server.received) == 1 else 200, headers={"Retry-After": value})
    with guarded(server.url, sleep=waits.append) as (client, _, _):
        client.send(READ)
    assert waits == [seconds]


def test_the_record_is_on_the_disk_before_the_payment_leaves(
    server: CountingServer, books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "record.jsonl"
    seen: list[list[dict[str, object]]] = []

    def look(one: Received) -> Reply:
        seen.append([json.loads(line) for line in path.read_text().splitlines()])
        return books.record(one)

    books.pay = look
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


def test_tokens_resends_and_own_reads_count_as_requests_and_keep_the_pace(
    server: CountingServer, books: Books
) -> None:
    waited: list[str] = []

    class Counted(Pace):
        def wait(self, operation: str) -> None:
            waited.append(operation)

    limited = [Reply(429, headers={"Retry-After": "0"}), Reply(401)]
    books.pay = lambda one: limited.pop() if limited else books.record(one)
    with (
        counting_server(lambda _: as_json({"access_token": "t", "token_type": "Bearer"})) as issuer,
        guarded(server.url, credentials=credentials_of(issuer.url), pace=Counted()) as (client, guard, _),
    ):
        assert client.send(payment()).response.status == 200
    assert [one.method for one in server.received] == ["POST", "GET", "POST", "GET", "POST"]
    assert len(issuer.received) == 2
    assert guard.requests == 7
    assert waited == [
        "recordCustomerPayment", "issueToken", "getLoad", "issueToken",
        "recordCustomerPayment", "getLoad", "recordCustomerPayment",
    ]  # fmt: skip


def test_a_token_is_not_fetched_beyond_the_budget_of_requests(server: CountingServer) -> None:
    with (
        counting_server() as issuer,
        guarded(server.url, credentials=credentials_of(issuer.url), budget=Budget(requests=1)) as (
            client,
            _,
            _,
        ),
        pytest.raises(Refused, match="budget"),
    ):
        client.send(READ)
    assert server.received == issuer.received == []


def test_a_payment_for_which_no_token_may_be_fetched_any_more_never_left(server: CountingServer) -> None:
    class OthersWereFaster(Pace):
        def wait(self, operation: str) -> None:
            del operation
            for _ in range(2):
                guard.admit_read()

    with (
        counting_server() as issuer,
        guarded(
            server.url,
            credentials=credentials_of(issuer.url),
            budget=Budget(requests=3),
            pace=OthersWereFaster(),
        ) as (client, guard, record),
    ):
        with pytest.raises(Refused, match="budget"):
            client.send(payment())
        assert guard.payments == 0
    assert record.payments == []
    assert server.received == issuer.received == []


def test_nothing_leaves_after_the_stop_though_it_waits_already(server: CountingServer) -> None:
    waiting, stopped = threading.Event(), threading.Event()

    class Slow(Pace):
        def wait(self, operation: str) -> None:
            del operation
            waiting.set()
            stopped.wait(20)

    with guarded(server.url, pace=Slow()) as (client, guard, record), ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.send, payment())
        assert waiting.wait(20)
        guard.stop("enough")
        stopped.set()
        with pytest.raises(Stop, match="enough"):
            sent.result()
    assert server.received == []
    assert guard.payments == 0
    assert record.payments == []


class WithoutCase(Books):
    """Finds a load by its number in any case."""

    def __call__(self, one: Received) -> Reply:
        return super().__call__(
            replace(one, path=one.path.replace("ld-1", "LD-1"), body=one.body.replace(b'"ld-1"', b'"LD-1"'))
        )


SPELLED = payment("ld-1")
READ_BY_SPELLING = Request("GET", LOADS, (("loadNumber", "ld-1"),))


def test_a_replay_may_spell_its_load_as_a_read_has_found_it(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with (
        counting_server(WithoutCase()) as server,
        guarded(server.url, record=PaymentLog(log)) as (client, guard, _),
    ):
        for request in (payment(), payment(), READ_BY_SPELLING, SPELLED):
            assert client.send(request).response.status == 200
        assert guard.payments == 1
    with guarded(server.url, record=PaymentLog(log)) as (_, resumed, _):
        assert resumed.payments == 1


@pytest.mark.parametrize(
    ("earlier", "last"),
    [
        ([payment(), payment()], SPELLED),
        ([payment(), READ_BY_SPELLING], SPELLED),
        ([payment(), payment(), READ_BY_SPELLING], payment("ld-1", "ct-run-2")),
        ([payment(), payment(), READ_BY_SPELLING], payment("ld-2")),
        ([payment(), payment(), READ_BY_SPELLING], replace(SPELLED, must_be_refused=True)),
    ],
    ids=["no-read-found-it", "references-may-be-forgotten", "new-payment", "another-load", "to-be-refused"],
)
def test_no_other_spelling_of_a_load_is_paid(earlier: list[Request], last: Request) -> None:
    with counting_server(WithoutCase()) as server, guarded(server.url) as (client, _, _):
        for request in earlier:
            client.send(request)
        with pytest.raises(Refused):
            client.send(last)
        assert last.content not in [one.body for one in server.writes]
