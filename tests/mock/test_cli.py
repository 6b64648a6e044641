"""The command, run as people run it."""

import json
import re
import signal
import socket
import subprocess
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest

from mock_server.documents import read_document
from mock_server.shipped import ADMIN, SPEC
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, STATUSES, Json, json_of, payment_of
from tests.mock.command import MODULE, Running, has_ipv6, run, serving

OPTIONS = ("host", "port", "fixtures", "spec", "max-body", "log-level", "quiet", "version", "help")


def test_help_teaches() -> None:
    done = run("--help")
    assert done.returncode == 0
    for option in OPTIONS:
        assert f"--{option}" in done.stdout
    for option in OPTIONS[:-2]:
        assert f"ALVYS_MOCK_{option.upper().replace('-', '_')}" in done.stdout
    for taught in ("127.0.0.1", "8080", "0 picks a free one", "LoadNumber: ", "Examples:", "1048576"):
        assert taught in done.stdout


@pytest.mark.parametrize("document", [SPEC, ADMIN], ids=["the API", "the admin API"])
def test_version_is_that_of_the_distribution_and_of_the_documents(document: Path) -> None:
    described: Json = read_document(document)
    assert described["info"]["version"] == version("alvys-sandbox")
    assert run("--version").stdout == f"python -m mock_server, version {version('alvys-sandbox')}\n"


def test_greeting_says_what_is_served() -> None:
    with serving("--port", "0") as mock:
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]+", mock.url)
        for operation in ("recordCustomerPayment", "getLoad", "searchLoads"):
            assert operation in mock.greeting
        counted = re.findall(r"^ +\d+ (.+)$", mock.greeting, re.MULTILINE)
        assert sorted(counted) == sorted(STATUSES)
        assert "Loads: 21\n" in mock.greeting


def test_printed_curl_works_when_pasted() -> None:
    with serving("--port", "0") as mock:
        command = mock.greeting.partition("Try:\n")[2]
        pasted = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert pasted.stdout.startswith("HTTP/1.1 200 OK\n")
        assert '"ReferenceNumber":"EX-1001"' in pasted.stdout


def test_printed_curl_quotes_what_a_fixture_says(write: Write) -> None:
    odd = "it's $HOME `x` \"\\ & é"
    path = write("x.json", json.dumps({"one": {"LoadNumber": odd, "Status": "Invoiced"}}))
    with serving("--port", "0", "--fixtures", str(path)) as mock:
        command = mock.greeting.partition("Try:\n")[2]
        pasted = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert json_of(pasted.stdout.partition("\n\n")[2])["LoadNumber"] == odd


def test_without_a_payable_load_there_is_nothing_to_try(write: Write) -> None:
    path = write("x.yaml", "one: {LoadNumber: X, Status: Open}")
    with serving("--port", "0", "--fixtures", str(path), tries=False) as mock:
        assert mock.greeting.endswith("Loads: 1\n     1 Open\n\n")
        assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)


def test_each_request_prints_one_line() -> None:
    with serving("--port", "0") as mock, httpx2.Client(base_url=mock.url) as client:
        whole = payment_of("LD-1001", "R-1")
        client.post(PAYMENTS, json=whole)
        assert re.fullmatch(rf"POST {PAYMENTS} 200 load='LD-1001' reference='R-1' \d+\.\d ms\n", mock.line())
        client.post(PAYMENTS, json={**whole, "LoadNumber": "nope"})
        assert re.fullmatch(rf"POST {PAYMENTS} 404 load='nope' reference='R-1' \d+\.\d ms\n", mock.line())
        client.post(PAYMENTS, json={"LoadNumber": "LD-1001"})
        assert re.fullmatch(rf"POST {PAYMENTS} 400 load='LD-1001' \d+\.\d ms\n", mock.line())
        client.get(f"{LOADS}?loadnumber=LD-1002")
        assert re.fullmatch(rf"GET {LOADS} 200 load='LD-1002' \d+\.\d ms\n", mock.line())
        client.post(PAYMENTS, content=b"[]", headers={"content-type": "application/json"})
        assert re.fullmatch(rf"POST {PAYMENTS} 400 \d+\.\d ms\n", mock.line())
        client.get("/nope")
        assert re.fullmatch(r"GET /nope 404 \d+\.\d ms\n", mock.line())


def test_no_request_can_forge_a_line_or_flood_it() -> None:
    with serving("--port", "0") as mock, httpx2.Client(base_url=mock.url) as client:
        for odd in ("x\nPOST / 200", "x\r\x1b[31m", "x\u2028\x85", "x" * 100_000, ["x\n"] * 1000):
            client.post(PAYMENTS, json={"LoadNumber": odd, "ReferenceNumber": odd})
        client.get("/%0A%1b" + "a" * 1000)
        out, err, _ = mock.end(signal.SIGTERM)
    lines = out.split("\n")
    assert len(lines) == 8
    assert all(re.fullmatch(r"(POST|GET) [!-~]+ 40[04] [ -~]*\d+\.\d ms", line) for line in lines[:6])
    assert lines[6:] == ["Stopped.", ""]
    assert max(map(len, lines)) < 600
    assert err == ""


def test_secret_in_a_path_is_not_printed() -> None:
    with serving("--port", "0") as mock:
        httpx2.get(f"{mock.url}/a;access_token=tell-nobody?password=tell-nobody")
        assert mock.line().startswith("GET /a;access_token=*** 404 ")


def test_client_that_leaves_is_a_line_without_status() -> None:
    with serving("--port", "0") as mock:
        host, _, port = mock.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            head = (
                f"POST {PAYMENTS} HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\nContent-Length: 9\r\n\r\n"
            )
            connection.sendall(head.encode())
            httpx2.get(mock.url)
            assert " 404 " in mock.line()
        assert re.fullmatch(rf"POST {PAYMENTS} - \d+\.\d ms\n", mock.line())


def test_quiet_prints_no_requests() -> None:
    with serving("--port", "0", "--quiet") as mock:
        httpx2.get(mock.url)
        assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_cleanly(ending: signal.Signals) -> None:
    with serving("--port", "0") as mock, httpx2.Client(base_url=mock.url) as idle:
        idle.get("/")
        out, err, code = mock.end(ending)
    assert (out.splitlines()[-1], err, code) == ("Stopped.", "", 0)


def delayed(mock: Running, seconds: int) -> socket.socket:
    """A payment that is recorded, and whose response will be late."""
    host, _, port = mock.url.removeprefix("http://").partition(":")
    fault = {"operation": "recordCustomerPayment", "delay": seconds}
    assert httpx2.post(f"{mock.url}/_mock/faults", json=fault).status_code == 200
    body = json.dumps(payment_of("LD-1001", "R-1"))
    head = f"POST {PAYMENTS} HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\nContent-Length: {len(body)}"
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(f"{head}\r\n\r\n{body}".encode())
    while not json_of(httpx2.get(f"{mock.url}{LOADS}?loadNumber=LD-1001").text)["payments"]:
        pass
    return connection


def test_payment_that_is_being_answered_is_answered_before_the_end() -> None:
    with serving("--port", "0", "--quiet") as mock, delayed(mock, 1) as connection:
        assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)
        response = connection.recv(65536)
    assert response.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in response


@pytest.mark.parametrize(("options", "signals"), [(("--grace", "0"), 1), (("--grace", "1000"), 2)])
def test_payment_that_takes_too_long_is_cut_and_not_told_as_a_failure(
    options: tuple[str, ...], signals: int
) -> None:
    with serving("--port", "0", "--quiet", *options) as mock, delayed(mock, 1000) as connection:
        if signals > 1:
            mock.process.send_signal(signal.SIGTERM)
            with suppress(ConnectionError):
                while True:  # until it listens no more
                    socket.create_connection(connection.getpeername()).close()
        assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)
        with suppress(ConnectionResetError):
            assert connection.recv(65536) == b""


def test_hanging_up_does_not_end_what_nohup_started() -> None:
    with serving("--port", "0", "--quiet", program=("nohup", *MODULE)) as mock:
        mock.process.send_signal(signal.SIGHUP)
        assert httpx2.get(mock.url).status_code == 404
        assert mock.end(signal.SIGTERM)[0] == "Stopped.\n"


def test_every_option_is_an_environment_variable_too(write: Write) -> None:
    one = write("one.yaml", "one: {LoadNumber: X, Status: Invoiced}")
    two = write("two.jsonl", '{"LoadNumber": "Y", "Status": "Open"}')
    environ = {
        "ALVYS_MOCK_HOST": "localhost",
        "ALVYS_MOCK_PORT": "0",
        "ALVYS_MOCK_FIXTURES": f"{one}:{two}",
        "ALVYS_MOCK_MAX_BODY": "10",
        "ALVYS_MOCK_LOG_LEVEL": "error",
        "ALVYS_MOCK_QUIET": "1",
    }
    with serving(environ=environ) as mock:
        assert "Loads: 2\n" in mock.greeting
        assert httpx2.post(mock.url + PAYMENTS, json={"LoadNumber": "X"}).status_code == 413
        assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)
    assert run("--port", "0", environ={"ALVYS_MOCK_SPEC": str(one)}).returncode == 2


def test_ipv6_address_is_printed_as_a_url() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    with serving("--host", "::1", "--port", "0") as mock:
        assert mock.url.startswith("http://[::1]:")
        assert httpx2.get(mock.url).status_code == 404


def test_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"Error: Port {port} on 127.0.0.1 is in use. Try --port 0, which picks a free one.\n"
    )


def test_taken_port_of_the_admin_api_names_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--port", "0", "--admin-port", str(taken.getsockname()[1]))
    assert "is in use. Try --admin-port 0, which" in done.stderr


@pytest.mark.parametrize("host", ["a..b", "a" * 70, "256.1.1.1", "192.0.2.1"])
def test_address_of_nobody_is_one_clear_line(host: str) -> None:
    done = run("--port", "0", "--host", host)
    assert done.returncode == 1
    message = rf"Error: The server can't listen on {re.escape(host)}, port 0: (?!\[Errno).+\n"
    assert re.fullmatch(message, done.stderr)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", "one: {LoadNumber: X, Status: Invoicd}"),
        ("x.yaml", "one: [\n"),
        ("x.yaml", "one: {LoadNumber: X, Status: Paid, CustomerRate: {Amount: 1e99999999999999999999}}"),
        ("x.json", '{"a": 1, "a": 2}'),
        ("x.jsonl", "{}\n{}"),
        ("x.yaml", "a: " + "[" * 50_000),
    ],
    ids=["status", "YAML", "number", "JSON", "lines", "depth"],
)  # fmt: skip
def test_bad_fixtures_are_one_clear_line(write: Write, name: str, text: str) -> None:
    path = write(name, text)
    done = run("--port", "0", "--fixtures", str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {path}")
    assert done.stderr.count("\n") == 1


def test_bad_spec_is_one_clear_line(write: Write) -> None:
    path = write("x.yaml", "paths: {/a: {get: {}}}")
    done = run("--port", "0", "--spec", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: {path} can't be served: it is of no version of OpenAPI, and only OpenAPI 3.0 and 3.1 are\n"
    )


@pytest.mark.parametrize(
    "options",
    [
        "--port 65536",
        "--port x",
        "--fixtures nope.yaml",
        "--max-body 0",
        "--workers 2",
        "--log-level loud",
        "x",
    ],
)
def test_bad_options_are_usage_errors(options: str) -> None:
    done = run(*options.split())
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert "Traceback" not in done.stderr


def test_restart_after_a_kill_is_from_the_fixtures() -> None:
    with serving("--port", "0") as killed:
        port = killed.url.rpartition(":")[2]
        assert httpx2.post(killed.url + PAYMENTS, json=payment_of("LD-1001", "R-1")).status_code == 200
        assert killed.end(signal.SIGKILL)[2] == -signal.SIGKILL
    with serving("--port", port) as again:
        load = json_of(httpx2.get(f"{again.url}{LOADS}?loadNumber=LD-1001").text)
        assert load["payments"] == []


def test_half_a_request_does_not_hold_up_the_end() -> None:
    with serving("--port", "0") as mock:
        host, _, port = mock.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET / HTT")
            httpx2.get(mock.url)
            assert mock.end(signal.SIGTERM)[1:] == ("", 0)
