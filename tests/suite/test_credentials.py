"""The token reaches the target and nobody else, and is neither printed nor stored."""

import json
import logging
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qs

import pytest

from contract_tests.rules.exchange import Request, Spoiled
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.credentials import Credentials, CredentialsError, Secret
from contract_tests.safety.guard import Refused, Stop
from contract_tests.safety.origin import Origin
from contract_tests.safety.rate import Pace
from tests.suite.counting_server import (
    LOADS,
    LOST,
    Books,
    CountingServer,
    Received,
    Reply,
    counting_server,
)
from tests.suite.payments import guarded, payment

READ = Request("GET", LOADS, (("loadNumber", "LD-1"),))
SECRET = "very-secret-value"  # noqa: S105 - of this test


@dataclass
class Issuer:
    server: CountingServer
    expires_in: object = 3600

    def __call__(self, _received: Received) -> Reply:
        token = {"access_token": f"token-number-{len(self.server.received)}", "token_type": "Bearer"}
        return Reply(body=json.dumps({**token, "expires_in": self.expires_in}).encode())

    @property
    def credentials(self) -> Credentials:
        return Credentials.from_environment(
            {
                "ALVYS_CLIENT_ID": "client",
                "ALVYS_CLIENT_SECRET": SECRET,
                "ALVYS_TOKEN_URL": f"{self.server.url}/oauth/token",
                "ALVYS_AUDIENCE": "https://api.alvys.com/public/",
            }
        )


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with counting_server() as server:
        issuer = Issuer(server)
        server.answer = issuer
        yield issuer


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


def authorization(server: CountingServer) -> list[str | None]:
    return [one.headers.get("authorization") for one in server.received]


def test_a_fixed_token_is_sent(server: CountingServer) -> None:
    with guarded(server.url, credentials=Credentials.from_environment({"ALVYS_TOKEN": SECRET})) as (
        client,
        _,
        _,
    ):
        client.send(READ)
    assert authorization(server) == [f"Bearer {SECRET}"]


def test_without_credentials_nothing_is_sent(server: CountingServer) -> None:
    with guarded(server.url, credentials=Credentials.from_environment({})) as (client, _, _):
        client.send(READ)
    assert authorization(server) == [None]


def test_a_token_is_fetched_with_client_credentials_once(server: CountingServer, issuer: Issuer) -> None:
    with guarded(server.url, credentials=issuer.credentials) as (client, _, _):
        client.send(READ)
        client.send(READ)
    assert authorization(server) == ["Bearer token-number-1"] * 2
    [asked] = issuer.server.received
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client"],
        "client_secret": [SECRET],
        "audience": ["https://api.alvys.com/public/"],
    }


@pytest.mark.parametrize(
    ("life", "lasts"),
    [(3600, 3540), (240, 180), (60, 45), (4, 3), ("100", 75), (None, 10**6), (0, 10**6)],
)
def test_a_token_is_renewed_a_minute_or_a_quarter_of_its_life_before_its_end(
    life: object, lasts: float, server: CountingServer, issuer: Issuer
) -> None:
    issuer.expires_in = life
    credentials, now = issuer.credentials, [1000.0]
    credentials.clock = lambda: now[0]
    with guarded(server.url, credentials=credentials) as (client, _, _):
        for _ in range(3):
            client.send(READ)
        now[0] += lasts - 0.1
        client.send(READ)
        assert len(issuer.server.received) == 1
        now[0] += 0.2 if lasts < 10**6 else 0
        client.send(READ)
    expected = "Bearer token-number-1" if lasts == 10**6 else "Bearer token-number-2"
    assert authorization(server) == ["Bearer token-number-1"] * 4 + [expected]


def test_a_token_does_not_grow_old_while_its_request_waits(server: CountingServer, issuer: Issuer) -> None:
    issuer.expires_in = 60
    credentials, now = issuer.credentials, [0.0]
    credentials.clock = lambda: now[0]

    class Slow(Pace):
        def wait(self, operation: str) -> None:
            now[0] += 50 if operation == "getLoad" else 0

    with guarded(server.url, credentials=credentials, pace=Slow()) as (client, _, _):
        client.send(READ)
        client.send(READ)
    assert authorization(server) == ["Bearer token-number-1", "Bearer token-number-2"]


@pytest.mark.parametrize(
    ("status", "cause", "plain"),
    [
        (
            401,
            "GET /api/p/v1.0/loads is refused with 401: the token is refused, also one that was fetched",
            0,
        ),
        (403, "GET /api/p/v1.0/loads is refused with 403: the token, also .* lacks a scope .load:read.", 1),
    ],
)
def test_a_refused_token_is_replaced_once_and_then_the_run_ends_with_the_cause(
    status: int, cause: str, plain: int, server: CountingServer, issuer: Issuer
) -> None:
    server.answer = lambda _: Reply(status)
    with guarded(server.url, credentials=issuer.credentials) as (client, guard, _):
        with pytest.raises(Stop, match=cause) as stop:
            client.send(READ)
        assert guard.requests == 4 + plain
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert authorization(server) == ["Bearer token-number-1", *["Bearer token-number-2"] * (1 + plain)]


@pytest.mark.parametrize("status", [401, 403])
def test_the_request_is_answered_with_the_new_token(
    status: int, server: CountingServer, issuer: Issuer
) -> None:
    server.answer = lambda one: Reply(status if one.headers["authorization"].endswith("1") else 200)
    with guarded(server.url, credentials=issuer.credentials) as (client, _, _):
        assert client.send(READ).response.status == 200


@pytest.mark.parametrize("status", [401, 403])
def test_a_payment_whose_token_ran_out_is_sent_again_after_a_read_of_its_load(
    status: int, server: CountingServer, issuer: Issuer
) -> None:
    books = Books()
    late = Reply(status)
    server.answer = lambda one: (
        late if one.headers["authorization"].endswith("1") and one.body else books(one)
    )
    with guarded(server.url, credentials=issuer.credentials) as (client, guard, record):
        assert client.send(payment()).response.status == 200
        assert guard.payments == 1
    assert [one.method for one in server.received] == ["POST", "GET", "POST"]
    assert [kept.outcome for kept in record.payments] == ["recorded"]


@pytest.mark.parametrize(
    ("credentials", "status", "cause"),
    [
        (Credentials(token=Secret(SECRET)), 401, "the token is refused$"),
        (Credentials(token=Secret(SECRET)), 403, "lacks a scope .load:read., or a gateway refuses"),
        (Credentials(), 401, "the target wants a token, and none is set .ALVYS_TOKEN."),
        (Credentials(), 403, "the target wants a token, and none is set .ALVYS_TOKEN."),
    ],
)
def test_a_fixed_token_is_not_replaced(
    credentials: Credentials, status: int, cause: str, server: CountingServer
) -> None:
    server.answer = lambda _: Reply(status)
    with guarded(server.url, credentials=credentials) as (client, _, _), pytest.raises(Stop, match=cause):
        client.send(READ)
    assert len(server.received) == (2 if status == 403 else 1)  # a plain read, to see whose refusal it is


@pytest.mark.parametrize("bad", [Reply(502), Reply(503), Reply(429, headers={"Retry-After": "7"}), LOST])
def test_a_token_is_asked_for_again_where_the_road_is_bad(
    bad: Reply, server: CountingServer, issuer: Issuer
) -> None:
    waits: list[float] = []
    issuer.server.answer = lambda one: bad if len(issuer.server.received) < 3 else issuer(one)
    with guarded(server.url, credentials=issuer.credentials, sleep=waits.append) as (client, guard, _):
        assert client.send(READ).response.status == 200
        assert guard.requests == 4
    assert waits == ([7, 7] if bad.status == 429 else [1, 2])


def test_a_token_endpoint_that_is_down_ends_the_run(server: CountingServer, issuer: Issuer) -> None:
    issuer.server.answer = lambda _: Reply(502)
    with (
        guarded(server.url, credentials=issuer.credentials) as (client, _, _),
        pytest.raises(Stop, match=r"the token endpoint gave no token \(502\)") as stop,
    ):
        client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert server.received == []
    assert len(issuer.server.received) == 6


def test_a_test_may_send_no_token_or_a_bad_one(server: CountingServer, issuer: Issuer) -> None:
    server.answer = lambda _: Reply(401)
    with guarded(server.url, credentials=issuer.credentials) as (client, _, _):
        client.send(Request("GET", LOADS, anonymous=True))
        client.send(Request("GET", LOADS, token="bad"))  # noqa: S106 - it is
        client.send(Request("GET", LOADS, headers={"Authorization": "Basic abc"}, anonymous=True))
    assert authorization(server) == [None, "Bearer bad", None]
    assert issuer.server.received == []


def test_neither_token_nor_secret_follows_a_redirect(server: CountingServer, issuer: Issuer) -> None:
    credentials = issuer.credentials
    with counting_server() as elsewhere:
        server.answer = lambda _: Reply(302, headers={"Location": elsewhere.url})
        with guarded(server.url, credentials=credentials) as (client, _, _):
            client.send(READ)
        issuer.server.answer = server.answer
        with guarded(server.url, credentials=issuer.credentials) as (client, _, _), pytest.raises(Stop):
            client.send(READ)
        assert elsewhere.received == []


def test_a_proxy_gets_no_secret(
    server: CountingServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for exception in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(exception, raising=False)
    with counting_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with guarded(server.url, credentials=issuer.credentials) as (client, _, _):
            client.send(READ)
        assert proxy.received == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401, json.dumps({"error": "access_denied", "error_description": SECRET}).encode()),
        Reply(401, json.dumps({"error": SECRET.upper()}).encode()),
        Reply(500, SECRET.encode()),
        Reply(200, SECRET.encode()),
        Reply(200, b"{}"),
        Reply(200, b'{"access_token": 5}'),
        Reply(200, b'{"access_token": "a b\\r\\nX: y"}'),
    ],
)
def test_a_token_that_cannot_be_had_ends_the_run_without_a_secret(
    reply: Reply, server: CountingServer, issuer: Issuer
) -> None:
    issuer.server.answer = lambda _: reply
    with guarded(server.url, credentials=issuer.credentials) as (client, _, _), pytest.raises(Stop) as stop:
        client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert SECRET not in stop.value.reason
    assert SECRET.upper() not in stop.value.reason
    assert server.received == []


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ALVYS_CLIENT_ID": "a"}, "ALVYS_CLIENT_SECRET and ALVYS_TOKEN_URL must be set"),
        ({"ALVYS_TOKEN": "two words"}, "visible ASCII"),
        (
            {"ALVYS_CLIENT_ID": "a", "ALVYS_CLIENT_SECRET": "b", "ALVYS_TOKEN_URL": "http://example.com/t"},
            "must start with https",
        ),
        ({"ALVYS_CLIENT_ID": "a", "ALVYS_CLIENT_SECRET": "b", "ALVYS_TOKEN_URL": "auth"}, "ALVYS_TOKEN_URL"),
    ],
)
def test_credentials_that_cannot_work_are_refused(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(CredentialsError, match=sentence):
        Credentials.from_environment(environment)


def test_a_token_does_not_leave_this_machine_unencrypted() -> None:
    credentials = Credentials(token=Secret(SECRET))
    with pytest.raises(CredentialsError, match="https"):
        credentials.check_target(Origin.parse("http://example.com"))
    credentials.check_target(Origin.parse("https://example.com"))
    credentials.check_target(Origin.parse("http://127.0.0.1:1"))
    Credentials().check_target(Origin.parse("http://example.com"))


def test_a_secret_is_neither_shown_nor_stored() -> None:
    secret = Secret(SECRET)
    assert SECRET not in f"{secret!r} {secret} {Credentials(token=secret)!r}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_that_the_target_echoes_is_not_kept(server: CountingServer, issuer: Issuer) -> None:
    server.answer = lambda one: Reply(
        body=f'{{"you": "{one.headers["authorization"]} {SECRET}"}}'.encode(),
        headers={"X-Echo": one.headers["authorization"]},
    )
    with guarded(server.url, credentials=issuer.credentials) as (client, _, _):
        exchange = client.send(READ)
    assert b"[secret]" in exchange.response.content
    for secret in ("token-number-1", SECRET):
        assert secret not in repr(exchange)


def test_no_secret_is_logged(
    server: CountingServer, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = Books()
    with (
        caplog.at_level(logging.DEBUG),
        guarded(server.url, credentials=issuer.credentials) as (client, _, _),
    ):
        client.send(READ)
        client.send(payment())
    logging.getLogger("httpcore2.http11").log(logging.WARNING, "warnings are logged as ever")
    assert "warnings are logged as ever" in caplog.text
    for secret in ("token-number-1", SECRET):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ("longer", "Bearer Very-Secret-1x"),
        ("shorter", "Bearer Very-Secret-"),
        ("in other case", "Bearer vERY-sECRET-1"),
        ("of another scheme", "Basic Very-Secret-1"),
        ("without a scheme", "Very-Secret-1"),
    ],
)
def test_a_token_is_spoiled_and_stays_secret(server: CountingServer, how: Spoiled, sent: str) -> None:
    server.answer = lambda received: Reply(401, body=f"not {received.headers['authorization']}".encode())
    with guarded(server.url, credentials=Credentials(token=Secret("Very-Secret-1"))) as (client, *_):
        echoed = client.send(replace(READ, spoiled=how)).response.content.decode()
    assert authorization(server) == [sent]
    assert "secret" not in echoed.lower().replace("[secret]", "")


def test_a_token_that_cannot_be_spoiled_is_not_sent(server: CountingServer) -> None:
    with (
        guarded(server.url, credentials=Credentials(token=Secret("12345"))) as (client, *_),
        pytest.raises(Refused, match="no token that could be sent in other case"),
    ):
        client.send(replace(READ, spoiled="in other case"))
    assert server.received == []


def test_a_new_token_is_fetched_on_demand(server: CountingServer, issuer: Issuer) -> None:
    with guarded(server.url, credentials=issuer.credentials) as (client, *_):
        client.send(READ)
        client.send(replace(READ, renewed=True))
        client.send(READ)
    assert authorization(server) == [f"Bearer token-number-{n}" for n in (1, 2, 2)]


def test_a_fixed_token_is_never_new(server: CountingServer) -> None:
    with guarded(server.url, credentials=Credentials(token=Secret(SECRET))) as (client, *_):
        client.send(replace(READ, renewed=True))
    assert authorization(server) == [f"Bearer {SECRET}"]
