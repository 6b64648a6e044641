"""The admin API and the web pages that somebody has open beside it."""

import re
import signal
import socket
from collections.abc import Iterator

import httpx2
import pytest

from mock_server.sandbox import Settings, UnusableSetting
from mock_server.testing import MockServer
from tests.mock.api import problem_of
from tests.mock.command import serving
from tests.mock.team import Team, running
from tests.mock.wire import Wire

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
    assert team.client.get("/_mock/clock", headers={"Host": host}).status_code == 200
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
    for path in ("clock", "nowhere"):
        problem = problem_of(team.client.get(f"/_mock/{path}", headers={"Host": host}), 403)
    assert "--allow-host" in problem["detail"]
    problem_of(reset(team, {"Host": host}), 403)
    assert "R-1" in team.references()
    assert team.client.get("/api/p/v1.0/loads?loadNumber=LD-1001", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        ("1.1", "Host: localhost\r\nHost: localhost\r\n", 400),
        ("1.0", "Host: localhost\r\nHost: localhost\r\n", 400),
        ("1.1", "", 400),
        ("1.0", "", 403),
    ],
)
def test_request_with_two_names_or_none_is_refused(version: str, hosts: str, status: int, team: Team) -> None:
    with Wire(int(team.mock.url.rpartition(":")[2])) as wire:
        wire.send(f"GET /_mock/clock HTTP/{version}\r\n{hosts}\r\n".encode())
        assert wire.reply().status == status


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
    problem_of(team.client.get("/_mock/clock", headers=headers), 403)
    problem_of(reset(team, headers), 403)
    problem_of(reset(team, headers | JSON, b"{}"), 403)
    assert "R-1" in team.references()


def test_page_of_the_same_site_may_link_but_not_write(team: Team) -> None:
    headers = {"Sec-Fetch-Site": "same-site"}
    assert team.client.get("/_mock/clock", headers=headers).status_code == 200
    problem_of(reset(team, headers), 403)


def test_own_page_reads_and_writes(team: Team) -> None:
    headers = {"Host": "localhost:8080", "Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
    assert team.client.get("/_mock/clock", headers=headers).status_code == 200
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


def key_in(greeting: str) -> str:
    (key,) = re.findall(r"^Admin key: (\S{16}), in the header X-Admin-Key$", greeting, re.MULTILINE)
    return str(key)


def test_address_it_is_bound_to_and_allowed_names_are_options_too() -> None:
    environ = {"ALVYS_MOCK_ALLOW_HOSTS": "one.example two.example", "ALVYS_MOCK_ADMIN_KEY": "secret"}
    with serving("--host", EVERYWHERE, "--port", "0", environ=environ) as mock:
        port = mock.url.rpartition(":")[2]
        statuses = [
            httpx2.get(
                f"http://127.0.0.1:{port}/_mock/clock", headers={"Host": host, "X-Admin-Key": "secret"}
            ).status_code
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
        port, key = mock.url.rpartition(":")[2], {"X-Admin-Key": key_in(mock.greeting)}
        assert httpx2.get(f"http://{own}:{port}/_mock/clock", headers=key).status_code == 200


# --- the key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["clock", "openapi.json", "nowhere", "loads/LD-1001"])
def test_without_the_key_nothing_is_said_or_done(path: str) -> None:
    with running(Settings(admin_key="open-sesame")) as team:
        for headers in ({}, {"X-Admin-Key": ""}, {"X-Admin-Key": "open"}, {"Authorization": "open-sesame"}):
            response = team.client.get(f"/_mock/{path}", headers=headers)
            assert "X-Admin-Key" in problem_of(response, 401)["detail"]
            assert response.headers["www-authenticate"] == "X-Admin-Key"
            problem_of(team.client.delete("/_mock/loads/LD-1001", headers=headers), 401)
            problem_of(team.client.post("/_mock/clock", headers=headers), 401)
        twice = [("X-Admin-Key", "open-sesame"), ("X-Admin-Key", "open-sesame")]
        problem_of(team.client.get("/_mock/clock", headers=twice), 401)
        assert team.read().status_code == 200


def test_with_the_key_everything_is_as_without_one() -> None:
    with running(Settings(admin_key="open-sesame")) as team:
        team.client.headers["X-Admin-Key"] = "open-sesame"
        assert team.client.get("/_mock/clock").status_code == 200
        problem_of(team.client.get("/_mock/nowhere"), 404)
        problem_of(team.client.get("/_mock/clock", headers={"Origin": "https://evil.example"}), 403)
        assert team.client.delete("/_mock/loads/LD-1001").status_code == 200
        problem_of(team.read(), 404)
        team.mock.reset()
        assert team.read().status_code == 200
        (request, *_) = team.mock.requests
        assert request.headers["x-admin-key"] == "***"


@pytest.mark.parametrize("key", ["", "two words", "schlüssel", "a\nb"])
def test_key_that_no_header_can_have_stops_the_start(key: str) -> None:
    with pytest.raises(UnusableSetting, match="admin key: a key is one or more visible characters"):
        MockServer(settings=Settings(admin_key=key))


def test_address_that_others_reach_warns_and_makes_a_key() -> None:
    with serving("--host", EVERYWHERE, "--port", "0") as mock:
        clock = f"http://127.0.0.1:{mock.url.rpartition(':')[2]}/_mock/clock"
        assert httpx2.get(clock).status_code == 401
        assert httpx2.get(clock, headers={"X-Admin-Key": key_in(mock.greeting)}).status_code == 200
        out, err, _ = mock.end(signal.SIGTERM)
    assert err == (
        f"Warning: {EVERYWHERE} is not loopback: other machines can reach this mock, and its admin API wants "
        "a key.\n"
    )
    assert key_in(mock.greeting) not in out


def test_address_that_others_reach_makes_no_key_for_no_admin_api() -> None:
    with serving("--host", EVERYWHERE, "--port", "0", "--no-admin") as mock:
        assert "Admin" not in mock.greeting
        _, err, _ = mock.end(signal.SIGTERM)
    assert err == f"Warning: {EVERYWHERE} is not loopback: other machines can reach this mock.\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost"])
def test_loopback_neither_warns_nor_makes_a_key(host: str) -> None:
    with serving("--host", host, "--port", "0") as mock:
        assert "Admin key" not in mock.greeting
        assert httpx2.get(f"{mock.url}/_mock/clock").status_code == 200
        assert mock.end(signal.SIGTERM)[1] == ""


def test_key_on_a_port_of_its_own_is_wanted_there() -> None:
    with serving("--port", "0", "--admin-port", "0", "--admin-key", "open-sesame") as mock:
        assert "\nAdmin key: open-sesame, in the header X-Admin-Key\n" in mock.greeting
        (health,) = re.findall(r"^Admin API: (\S+),", mock.greeting, re.MULTILINE)
        clock = health.replace("health", "clock")
        assert httpx2.get(clock).status_code == 401
        assert httpx2.get(clock, headers={"X-Admin-Key": "open-sesame"}).status_code == 200
