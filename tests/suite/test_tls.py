"""TLS: whom a run trusts, and that it says in plain words why it cannot."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from contract_tests.rules.exchange import Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.run.cli import settings_from
from contract_tests.run.preflight import CannotRun
from contract_tests.run.run import open_run
from contract_tests.safety.credentials import Credentials, Secret
from contract_tests.safety.guard import Stop
from contract_tests.safety.tls import speaks_tls, trust
from tests.suite.counting_server import LOADS, Books, Reply, as_json, counting_server
from tests.suite.payments import guarded, payment

READ = Request("GET", LOADS)
PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    """An authority's own certificate, served as if it were that of a host."""
    made = trustme.CA()
    path = folder / "self.pem"
    made.private_key_pem.write_to_path(str(path))
    made.cert_pem.write_to_path(str(path), append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_the_authority_of_a_file_is_trusted(authority: trustme.CA, ca: Path) -> None:
    good = serving(authority.issue_cert("127.0.0.1"))
    with counting_server(tls=good) as server, guarded(server.url, context=trust(ca)) as (client, _, _):
        assert client.send(READ).response.status == 200


def test_the_authorities_of_the_environment_are_trusted(
    authority: trustme.CA, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    good = serving(authority.issue_cert("127.0.0.1"))
    with counting_server(tls=good) as server, guarded(server.url, context=trust(None)) as (client, _, _):
        assert client.send(READ).response.status == 200


@pytest.mark.parametrize(
    ("why", "cause"),
    [
        ("unknown", "an authority that is not trusted signed the certificate; --ca FILE names one more"),
        ("host", "the certificate is for another host (IP address mismatch, certificate is not valid for"),
        ("expired", "the certificate has expired"),
        ("early", "the certificate is not valid yet"),
        ("self-signed", "the certificate is self-signed; --ca FILE trusts it"),
        ("plain", "the port speaks no TLS; is it one for http://?"),
        ("old", "TLS failed (TLSV1_ALERT_PROTOCOL_VERSION)"),
    ],
)
def test_trouble_with_tls_is_named(
    why: str, cause: str, authority: trustme.CA, ca: Path, tmp_path: Path
) -> None:
    issue = authority.issue_cert
    contexts: dict[str, Callable[[], ssl.SSLContext | None]] = {
        "unknown": lambda: serving(trustme.CA().issue_cert("127.0.0.1")),
        "host": lambda: serving(issue("example.com")),
        "expired": lambda: serving(issue("127.0.0.1", not_after=PAST)),
        "early": lambda: serving(issue("127.0.0.1", not_before=FUTURE, not_after=FUTURE.replace(year=2101))),
        "self-signed": lambda: self_signed(tmp_path),
        "plain": lambda: None,
        "old": lambda: serving(issue("127.0.0.1")),
    }
    context, mine = contexts[why](), trust(ca)
    if why == "old" and context is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        mine.maximum_version = ssl.TLSVersion.TLSv1_2
    with counting_server(tls=context) as server:
        url = server.url.replace("http://", "https://")
        with guarded(url, context=mine) as (client, _, _), pytest.raises(Stop) as stop:
            client.send(READ)
        assert server.received == []
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert stop.value.reason.startswith(f"the target cannot be reached safely: {cause}")


def test_a_port_that_wants_tls_is_named_where_it_is_asked_without(authority: trustme.CA) -> None:
    good = serving(authority.issue_cert("127.0.0.1"))
    with counting_server(tls=good) as server:
        url = server.url.replace("https://", "http://")
        with guarded(url) as (client, _, _), pytest.raises(Stop, match="; its port wants https://"):
            client.send(READ)


def test_a_port_that_speaks_no_tls_does_not_want_it() -> None:
    with counting_server() as server:
        assert not speaks_tls("127.0.0.1", int(server.url.rpartition(":")[2]))


def test_a_payment_never_leaves_for_a_target_that_is_not_trusted(authority: trustme.CA) -> None:
    good = serving(authority.issue_cert("127.0.0.1"))
    with counting_server(Books(), tls=good) as server, guarded(server.url) as (client, guard, record):
        with pytest.raises(Stop, match="an authority that is not trusted"):
            client.send(payment())
        assert guard.payments == 0
        assert server.received == []
    assert record.payments == []


def test_the_option_holds_for_the_target_and_for_the_token_endpoint(
    authority: trustme.CA, ca: Path, tmp_path: Path
) -> None:
    good = serving(authority.issue_cert("127.0.0.1"))
    token = as_json({"access_token": "token", "token_type": "Bearer"})
    with (
        counting_server(lambda _: token, tls=good) as issuer,
        counting_server(lambda _: Reply(400), tls=good) as server,
    ):
        environment = {
            "ALVYS_CLIENT_ID": "a", "ALVYS_CLIENT_SECRET": "secret", "ALVYS_TOKEN_URL": f"{issuer.url}/token",
        }  # fmt: skip
        asked = {"target": server.url, "record": str(tmp_path / "log.jsonl")}
        with open_run(settings_from({**asked, "ca": str(ca)}), environment):
            pass
        assert [one.headers["authorization"] for one in server.received] == ["Bearer token"]
        with (
            pytest.raises(CannotRun, match="cannot be reached safely: an authority") as reason,
            open_run(settings_from(asked), environment),
        ):
            pass
    assert reason.value.status == 3
    assert len(issuer.received) == 1


def test_trouble_with_tls_at_the_token_endpoint_is_named_and_not_tried_again(authority: trustme.CA) -> None:
    good = serving(authority.issue_cert("example.com"))
    waits: list[float] = []
    with counting_server(tls=good) as issuer, counting_server() as server:
        credentials = Credentials(client_id="a", client_secret=Secret("secret"), token_url=issuer.url)
        credentials.trust = ssl.create_default_context()
        authority.configure_trust(credentials.trust)
        with (
            guarded(server.url, credentials=credentials, sleep=waits.append) as (client, _, _),
            pytest.raises(Stop, match=r"the token endpoint cannot be reached safely: .* for another host"),
        ):
            client.send(READ)
    assert waits == []
    assert server.received == issuer.received == []
