"""The admin API and the web pages that somebody has open beside it."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from mock_server.sandbox import Settings
from tests.mock.api import problem_of
from tests.mock.command import serving
from tests.mock.team import Team, running

EVERYWHERE = "0.0.0.0"  # noqa: S104 - not listened on for long, or only named
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def reset(team: Team, headers: dict[str, str], body: bytes = b"") -> httpx2.Response:
    return team.client.post("/_mock/reset", content=body, headers=headers)


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with running(Settings(allow_hosts=("Sandbox.example", "10.0.0.1"))) as it:
        yield it


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:8080",
        "sandbox.example",
        "10.0.0.1:8080",
    ],
)
def test_own_names_are_taken(host: str, team: Team) -> None:
    assert team.client.get("/_mock/health", headers={"Host": host}).status_code == 200
    assert reset(team, {"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "10.0.0.2",
        EVERYWHERE,
        "localhost.evil.example",
        "x@127.0.0.1",
        "[::1",
        "",
    ],
)
def test_name_of_somebody_else_is_refused(host: str, team: Team) -> None:
    team.pay("R-1")
    for path in ("health", "nowhere"):
        problem = problem_of(team.client.get(f"/_mock/{path}", headers={"Host": host}), 403)
    assert "--allow-host" in problem["detail"]
    problem_of(reset(team, {"Host": host}), 403)
    assert "R-1" in team.references()
    assert team.client.get("/api/p/v1.0/loads?loadNumber=LD-1001", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        ("1.1", "Host: localhost\r\nHost: localhost\r\n", b"400"),
        ("1.0", "Host: localhost\r\nHost: localhost\r\n", b"400"),
        ("1.1", "", b"400"),
        ("1.0", "", b"403"),
    ],
)
def test_request_with_two_names_or_none_is_refused(
    version: str, hosts: str, status: bytes, team: Team
) -> None:
    address = team.mock.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(f"GET /_mock/health HTTP/{version}\r\n{hosts}\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 %b " % status)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000", "Host": "localhost:8080"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_page_of_another_origin_neither_reads_nor_writes(headers: dict[str, str], team: Team) -> None:
    team.pay("R-1")
    problem_of(team.client.get("/_mock/health", headers=headers), 403)
    problem_of(reset(team, headers), 403)
    problem_of(reset(team, headers | JSON, b"{}"), 403)
    assert "R-1" in team.references()


def test_page_of_the_same_site_may_link_but_not_write(team: Team) -> None:
    headers = {"Sec-Fetch-Site": "same-site"}
    assert team.client.get("/_mock/health", headers=headers).status_code == 200
    problem_of(reset(team, headers), 403)


def test_own_page_reads_and_writes(team: Team) -> None:
    headers = {"Host": "localhost:8080", "Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
    assert team.client.get("/_mock/health", headers=headers).status_code == 200
    assert reset(team, headers).status_code == 200
    assert (
        reset(team, headers | {"Content-Type": "Application/JSON; charset=utf-8"}, b"{}").status_code == 200
    )


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, b"a=1"),
        (FORM, b""),
        ({"Content-Type": "text/plain"}, b"{}"),
        ({}, b"{}"),
        ({"Transfer-Encoding": "chunked"}, b""),
    ],
)
def test_write_takes_only_json(headers: dict[str, str], body: bytes, team: Team) -> None:
    team.pay("R-1")
    problem_of(reset(team, headers, body), 415)
    problem_of(team.client.request("DELETE", "/_mock/loads/LD-1001", content=body, headers=headers), 415)
    assert "R-1" in team.references()


def test_address_it_is_bound_to_and_allowed_names_are_options_too() -> None:
    environ = {"ALVYS_MOCK_ALLOW_HOSTS": "one.example two.example"}
    with serving("--host", EVERYWHERE, "--port", "0", environ=environ) as mock:
        port = mock.url.rpartition(":")[2]
        statuses = [
            httpx2.get(f"http://127.0.0.1:{port}/_mock/health", headers={"Host": host}).status_code
            for host in (EVERYWHERE, "one.example", "two.example", "three.example")
        ]
    assert statuses == [200, 200, 200, 403]


def test_address_that_was_reached_is_taken() -> None:
    """Loopback always is; one of a network card, if this machine has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        own = probe.getsockname()[0]
    with serving("--host", EVERYWHERE, "--port", "0") as mock:
        port = mock.url.rpartition(":")[2]
        assert httpx2.get(f"http://{own}:{port}/_mock/health").status_code == 200
