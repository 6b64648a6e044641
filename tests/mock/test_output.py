"""What the command prints never stops the server: neither a slow reader, nor none, nor a poor terminal."""

import os
import re
import signal
import socket
from pathlib import Path

import httpx2
import pytest

from mock_server.output import Output
from tests.conftest import Write
from tests.mock.api import PAYMENTS, payment_of
from tests.mock.command import serving

DROPPED = re.compile(r"\(Lines that were dropped here: (\d+)\)")
LONG = "x" * 200


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def test_lines_that_nobody_reads_are_dropped_and_counted() -> None:
    body = httpx2.Request("POST", "http://mock", json=payment_of(LONG, LONG)).content
    head = f"POST {PAYMENTS} HTTP/1.1\r\nHost: mock\r\nContent-Type: text/json\r\nContent-Length: {len(body)}"
    sent = 3000
    with serving("--port", "0") as mock:
        with socket.create_connection(address(mock.url), timeout=60) as connection:
            for _ in range(sent):
                connection.sendall(head.encode() + b"\r\n\r\n" + body)
                assert b" 404 " in connection.recv(65536).partition(b"\r\n")[0]
        out, err, code = mock.end(signal.SIGTERM)
    dropped = [int(count) for count in DROPPED.findall(out)]
    assert dropped
    assert out.count("POST") + sum(dropped) == sent
    assert (out.splitlines()[-1], err, code) == ("Stopped.", "", 0)


def test_reader_who_is_gone_harms_no_connection() -> None:
    with serving("--port", "0") as mock, httpx2.Client(base_url=mock.url) as client:
        mock.output.close()
        for number in range(50):
            assert client.get(f"/{number}").status_code == 404
        mock.process.send_signal(signal.SIGTERM)
        assert mock.process.wait(10) == 0
        assert mock.process.stderr
        with mock.process.stderr as complaints:
            assert complaints.read() == ""


def test_complaints_that_nobody_reads_do_not_stop_it() -> None:
    with serving("--port", "0", "--log-level", "debug") as mock:
        for _ in range(2000):
            with socket.create_connection(address(mock.url), timeout=60) as connection:
                connection.sendall(b"what?\r\n\r\n")
                assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        out, err, code = mock.end(signal.SIGTERM)
    assert (out, code) == ("Stopped.\n", 0)
    assert err.count("The request is not valid HTTP: ") == 2000


def test_what_the_terminal_cannot_show_is_escaped(write: Write) -> None:
    path = write("x.json", '{"one": {"LoadNumber": "LD-\\u00e9\\u4e16", "Status": "Invoiced"}}')
    with serving("--port", "0", "--fixtures", str(path), environ={"PYTHONIOENCODING": "ascii"}) as mock:
        assert r'"LD-\xe9\u4e16"' in mock.greeting
        assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)


def test_output_that_is_closed_takes_everything() -> None:
    output = Output(None)
    output.write("one\n")
    output.finish()
    assert not output.isatty()


def test_pipe_that_is_full_and_does_not_block_gets_the_rest_later() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    full = os.write(writing, b"x" * 1024 * 1024)
    text = "".join(f"{number}\n" for number in range(50_000))
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as stream:
        output = Output(stream)
        output.write(text)
        output.finish()
        assert reader.read(full + len(text)) == "x" * full + text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_lines_that_do_not_fit_on_the_disk_are_counted_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream, Path("/dev/full").open("w") as full:
        descriptor = os.dup(stream.fileno())
        os.dup2(full.fileno(), stream.fileno())
        output = Output(stream)
        output.write("one\ntwo\n")
        while output.dropped < 2:
            pass
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
        output.write("three\n")
        output.finish()
    assert path.read_text() == "three\n(Lines that were dropped here: 2)\n"
