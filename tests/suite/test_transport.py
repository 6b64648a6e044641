"""A response has an end: in time, in silence and in size, whatever the target sends."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from contract_tests.rules.exchange import NO_RESPONSE, Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.client import GuardedClient
from contract_tests.safety.guard import Stop
from contract_tests.safety.transport import Limits
from tests.suite.counting_server import LOADS, Books, Received, Reply, counting_server
from tests.suite.payments import IMPOSSIBLE, guarded, payment

READ = Request("GET", LOADS, (("loadNumber", "LD-1"),))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

SHORT = Limits(timeout=20, deadline=0.3, size=1000)

Writer = Callable[[socket.socket, threading.Event], None]


@contextmanager
def raw_server(write: Writer) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads the beginning of a request and writes what it likes until the client is gone.

    `write` is given an event that is set when the test is over.
    """
    over = threading.Event()
    requests: list[bytes] = []
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while received := connection.recv(65536):
                    requests.append(received)
                    write(connection, over)
            except OSError:
                pass  # the client gave up

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join(20)


def reason(client: GuardedClient) -> str:
    """Why a read ends the run."""
    with pytest.raises(Stop) as stop:
        client.send(READ)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    return stop.value.reason


def drip(beginning: bytes, drop: bytes) -> Writer:
    """Writes something, and then a little every 10 milliseconds: no silence is ever long."""

    def write(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(beginning)
        while not over.wait(0.01):
            connection.sendall(drop)

    return write


def flood(beginning: bytes, drop: bytes) -> Writer:
    """Writes as fast as it is read."""

    def write(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(beginning)
        while not over.is_set():
            connection.sendall(drop)

    return write


@pytest.mark.parametrize(
    "write",
    [
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        flood(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        drip(b"", b"H"),
        drip(HEAD + b"X: ", b"x"),
        drip(HEAD + b"Content-Length: 900\r\n\r\n", b"x"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drip(HEAD + b"\r\n", b"x"),
    ],
    ids=[
        "100 again and again", "102 again and again", "a flood of 103", "a status line that is none",
        "a header without an end", "a body byte by byte", "chunks of one byte", "a body without a length",
    ],
)  # fmt: skip
def test_a_response_that_takes_too_long_in_all_ends_with_one_sentence(write: Writer) -> None:
    with raw_server(write) as (url, requests), guarded(url, limits=SHORT) as (client, _, _):
        assert (
            reason(client) == "the target does not respond (the response took longer than 0.3 seconds in all)"
        )
    assert len(requests) == 2


def test_a_deadline_ends_a_silence_that_is_still_allowed() -> None:
    limits = Limits(timeout=60, deadline=0.3)
    began = time.monotonic()
    with raw_server(drip(HEAD + b"Content-Length: 9\r\n\r\n", b"")) as (url, requests):
        with guarded(url, limits=limits) as (client, _, _):
            assert "took longer than 0.3 seconds in all" in reason(client)
        assert len(requests) == 2
    assert time.monotonic() - began < 30


def test_a_target_that_is_silent_is_asked_once_more() -> None:
    limits = Limits(timeout=0.3)
    with raw_server(drip(b"", b"")) as (url, requests), guarded(url, limits=limits) as (client, _, _):
        assert reason(client) == "the target does not respond (ReadTimeout)"
    assert len([one for one in requests if one.startswith(b"GET ")]) == 2


@pytest.mark.parametrize(
    "write",
    [
        flood(HEAD + b"\r\n", b"x" * 100),
        flood(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 100),
        flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"64\r\n" + b"x" * 100 + b"\r\n"),
    ],
    ids=["without a length", "with a length", "in chunks"],
)
def test_a_response_that_is_too_long_ends_with_one_sentence(write: Writer) -> None:
    with raw_server(write) as (url, requests), guarded(url, limits=Limits(size=1000)) as (client, _, _):
        assert reason(client) == "the target does not respond (the response is longer than 1000 bytes)"
    assert len(requests) == 2


def test_what_is_too_long_once_is_read_again() -> None:
    left = [Reply(body=b"x" * 1001)]
    with (
        counting_server(lambda _: left.pop() if left else Reply()) as server,
        guarded(server.url, limits=Limits(size=1000)) as (client, _, _),
    ):
        exchange = client.send(READ)
    assert (exchange.response.content, exchange.earlier) == (b"{}", (NO_RESPONSE,))


@pytest.mark.parametrize("request_", [READ, payment(IMPOSSIBLE, amount="0.01")], ids=["read", "no booking"])
def test_what_is_too_long_again_ends_the_run_although_others_are_answered(request_: Request) -> None:
    def answer(one: Received) -> Reply:
        return Reply(404) if one.path == LOADS else Reply(body=b"x" * 1001)

    with (
        counting_server(answer) as server,
        guarded(server.url, limits=Limits(size=1000)) as (client, _, _),
    ):
        client.send(Request("GET", LOADS))
        with pytest.raises(Stop, match="the response is longer than 1000 bytes, also when") as stop:
            client.send(request_)
    assert stop.value.status is ExitStatus.COULD_NOT_TEST
    assert len(server.received) == 3


@pytest.mark.parametrize("length", [999, 1000])
def test_a_response_of_the_longest_size_is_read(length: int) -> None:
    with (
        counting_server(lambda _: Reply(body=b"x" * length)) as server,
        guarded(server.url, limits=Limits(size=1000)) as (client, _, _),
    ):
        assert len(client.send(READ).response.content) == length


def test_a_compressed_bomb_is_not_decompressed() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    coded = Reply(body=bomb, headers={"Content-Encoding": "gzip"})
    limits = Limits(size=len(bomb))
    with counting_server(lambda _: coded) as server, guarded(server.url, limits=limits) as (client, _, _):
        response = client.send(READ).response
    assert response.content == bomb
    assert server.received[0].headers["accept-encoding"] == "identity"


def test_a_payment_whose_response_has_no_end_is_read_back() -> None:
    books = Books()
    with counting_server(books) as server:

        def endless(_reply: object = None) -> Reply:
            return Reply(body=b"x" * 2000)

        books.pay = lambda one: endless(books.record(one))
        with guarded(server.url, limits=Limits(size=1000)) as (client, guard, record):
            with pytest.raises(
                Stop,
                match=r"longer than 1000 bytes\) came again and again for the payment ct-run-1",
            ):
                client.send(payment())
            assert guard.payments == 2
        assert [one.method for one in server.received] == ["POST", "GET", "POST", "GET"]
    assert [kept.outcome for kept in record.payments] == ["recorded", "unknown"]
