"""https: with a certificate that is made at the start, or one from files."""

import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import trustme

from mock_server.testing import MockServer
from mock_server.tls import NoCertificate, made_tls, tls_from
from tests.mock.api import LOADS, PAYMENTS, Json, payment_of
from tests.mock.command import run, serving
from tests.mock.team import Team, until

READ = b"GET /api/p/v1.0/loads?loadNumber=LD-1001 HTTP/1.1\r\nHost: x\r\n"


def trusting(ca: Path | None) -> ssl.SSLContext:
    assert ca is not None
    return ssl.create_default_context(cafile=str(ca))


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with (
        MockServer(tls=True) as mock,
        httpx2.Client(base_url=mock.url, verify=trusting(mock.ca)) as client,
    ):
        yield Team(mock, client)


@contextmanager
def secured(team: Team) -> Iterator[ssl.SSLSocket]:
    port = int(team.mock.url.rpartition(":")[2])
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    with trusting(team.mock.ca).wrap_socket(plain, server_hostname="localhost") as connection:
        yield connection


def rest_of(connection: ssl.SSLSocket) -> bytes:
    """All that comes until the server ends the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_mock_speaks_https_on_a_connection_that_stays(team: Team) -> None:
    team.mock.reset()
    assert team.mock.url.startswith("https://127.0.0.1:")
    assert [team.pay(f"R-{n}").status_code for n in range(20)] == [200] * 20
    assert len(team.references()) == 20
    servers = team.client.get("/openapi.json").json()["servers"]
    assert servers == [{"url": team.mock.url, "description": "this sandbox"}]


def test_long_bodies_go_both_ways(team: Team) -> None:
    team.mock.reset()
    note = "n" * 900_000
    assert team.client.post(PAYMENTS, json=payment_of("LD-1001", "R-1", Note=note)).status_code == 200
    assert len(team.client.get("/_mock/snapshot").content) > 900_000


def test_client_that_does_not_trust_the_authority_sends_nothing(team: Team) -> None:
    team.mock.reset()
    with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx2.get(f"{team.mock.url}{LOADS}")
    assert team.mock.requests == []


def test_last_response_of_a_connection_arrives_whole(team: Team) -> None:
    with secured(team) as connection:
        connection.sendall(READ + b"Connection: close\r\n\r\n")
        assert rest_of(connection).endswith(b"}")
    with secured(team) as connection:
        connection.sendall(b"junk\r\n\r\n")
        assert rest_of(connection).startswith(b"HTTP/1.1 400 ")


def test_client_that_says_goodbye_is_heard(team: Team) -> None:
    with secured(team) as connection:
        connection.sendall(READ + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.unwrap()


@pytest.mark.parametrize("effect", [{"drop": "after"}, {"drop": "before"}, {"body": "truncated"}])
def test_faults_break_a_connection_with_tls_too(effect: Json, team: Team) -> None:
    team.mock.reset()
    team.mock.fail_next(**effect)
    with pytest.raises(httpx2.TransportError):
        team.pay("R-1")
    assert len(team.references()) == (effect.get("drop") != "before")


def test_stop_of_the_server_ends_connections_and_removes_the_authority() -> None:
    with MockServer(tls=True) as mock, httpx2.Client(verify=trusting(mock.ca)) as client:
        client.get(f"{mock.url}{LOADS}")
        ca = mock.ca
        assert ca
        assert ca.exists()
    assert not ca.exists()


def test_events_are_streamed(team: Team) -> None:
    with team.client.stream("GET", "/_mock/requests/events") as response:
        lines = response.iter_lines()
        assert next(lines) == "retry: 1000"
    until(lambda: not team.mock.admin.journal.watchers)


def test_command_makes_a_certificate_for_its_names_and_says_whom_to_trust(tmp_path: Path) -> None:
    with serving("--port", "0", "--tls", "--allow-host", "api.example") as mock:
        (line,) = [line for line in mock.greeting.splitlines() if line.startswith("CA certificate")]
        ca = Path(line.partition(": ")[2])
        assert f"curl -i {mock.url}{PAYMENTS} --cacert {ca} " in mock.greeting
        assert httpx2.get(f"{mock.url}{LOADS}", verify=trusting(ca)).status_code == 400
        address = ("127.0.0.1", int(mock.url.rpartition(":")[2]))
        with socket.create_connection(address) as plain:
            trusting(ca).wrap_socket(plain, server_hostname="api.example").close()
        assert mock.end(signal.SIGTERM)[2] == 0
    assert not ca.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    made = trustme.CA().issue_cert("localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    for each in made.cert_chain_pems:
        each.write_to_path(str(certificate), append=True)
    made.private_key_pem.write_to_path(str(key))
    return certificate, key


def test_command_takes_a_certificate_from_files(files: tuple[Path, Path]) -> None:
    certificate, key = map(str, files)
    with serving("--port", "0", "--tls-cert", certificate, "--tls-key", key) as mock:
        assert mock.url.startswith("https://")
        assert "CA certificate" not in mock.greeting
        assert httpx2.get(f"{mock.url}{LOADS}", verify=False).status_code == 400


def test_certificate_and_key_may_be_in_one_file(files: tuple[Path, Path]) -> None:
    certificate, key = files
    certificate.write_bytes(key.read_bytes() + certificate.read_bytes())
    assert tls_from(certificate, None).ca is None


def test_files_that_are_no_certificate_are_named(files: tuple[Path, Path]) -> None:
    certificate, key = files
    with pytest.raises(NoCertificate, match=r"cert\.pem can't be used as a certificate with its key: "):
        tls_from(certificate, None)
    ended = run("--tls-cert", str(key), "--tls-key", str(key))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith(f"Error: {key} and {key} can't be used")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tls", "--tls-cert"), "--tls makes a certificate, and --tls-cert gives one."),
        (("--tls-key",), "--tls-key needs --tls-cert."),
        (("--tls", "--allow-host", "a..b", "--quiet", "--spec"), "No certificate can be made: "),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: tuple[str, ...], told: str, files: tuple[Path, Path]
) -> None:
    last = "openapi.yaml" if options[-1] == "--spec" else str(files[0])
    ended = run("--port", "0", *options, last)
    assert (ended.returncode, told in ended.stderr) == (2, True), ended.stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(NoCertificate, match=r"pip install 'alvys-sandbox\[tls\]'"), made_tls(()):
        pass
