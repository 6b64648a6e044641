"""Connections: what a client of bytes sees of the server, whatever it sends, and what is left behind."""

import asyncio
import gc
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from mock_server.connection import MOST_HEAD, Connection, Exchange, Shared
from mock_server.serving import PATIENCE
from mock_server.testing import MockServer
from mock_server.tls import made_tls
from tests.mock.api import PAYMENTS, checked_problem, payment_of
from tests.mock.house import LARGE, House
from tests.mock.wire import Over, Reply, Wire, get, post

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.SelectorEventLoop,
}


@pytest.fixture(params=LOOPS)
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with House(LOOPS[request.param]) as it:
        yield it


@pytest.fixture(autouse=True)
def uncomplaining(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    """No test logs an error, but those that are about one."""
    yield
    if "_fail" not in request.node.name:
        logged = [each for when in ("call", "teardown") for each in caplog.get_records(when)]
        assert [each for each in logged if each.levelno >= logging.ERROR] == []


def chunked(path: str, *pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = get(path, "Transfer-Encoding: chunked", method="POST")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


def answered_after_the_end(house: House, wire: Wire, path: str) -> None:
    """Sends a request, and has it answered once the server knows that no more comes."""
    wire.send(get(path))
    wire.send_no_more()
    house.has_seen(1)
    house.until(lambda: all(each.has_eof for each in house.server.shared.open))
    house.let("a")


def refused(reply: Reply, status: int) -> None:
    assert (reply.status, reply.is_last) == (status, True), reply
    assert reply.headers[b"content-type"] == b"application/problem+json"
    checked_problem(reply.body, status)


# The order of responses.


def test_junk_gets_its_refusal_after_the_request_before_it(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/wait/a") + b"junk\r\n\r\n")
        house.has_seen(1)
        house.let("a")
        assert wire.reply().body == b"a"
        refused(wire.reply(), 400)
        assert wire.is_over()


def test_pipelined_requests_are_answered_in_their_order_one_at_a_time(house: House) -> None:
    paths = ["/wait/a", "/1", "/2", "/wait/b", "/3"]
    with house.wire() as wire, house.wire() as other:
        wire.send(*map(get, paths))
        house.has_seen(1)
        other.send(get("/other"))
        assert other.reply().body == b"/other "
        house.let("b")
        house.let("a")
        assert [wire.reply().body for _ in paths] == [b"a", b"/1 ", b"/2 ", b"b", b"/3 "]
    assert house.most_at_once == 2  # with that of the other connection


def test_client_that_sends_many_requests_at_once_lets_others_have_their_turn(house: House) -> None:
    order = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        order.append(scope["path"])
        asyncio.get_running_loop().call_soon(order.append, "turn")
        await house.app(scope, receive, send)

    house.server.serve_instead(app)
    with house.wire() as wire:
        wire.send(get("/1") + get("/2") + get("/3"))
        assert [wire.reply().body for _ in range(3)] == [b"/1 ", b"/2 ", b"/3 "]
    assert order[:5] == ["/1", "turn", "/2", "turn", "/3"]


def test_requests_behind_a_slow_one_are_not_read_without_end(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/wait/a"))
        house.has_seen(1)
        wire.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):  # what the system keeps for both sides is full
            wire.send(*[get("/x") * 2000] * 1000)
        assert sum(isinstance(each, Exchange) for each in gc.get_objects()) < 1000
        house.let("a")
        wire.socket.settimeout(60)
        assert [wire.reply().body for _ in range(500)] == [b"a", *[b"/x "] * 499]


def test_app_waits_for_a_client_that_does_not_read(house: House) -> None:
    with house.wire() as wire, house.wire() as other:
        wire.send(get("/large") * 50)
        for _ in range(100):
            other.send(get("/other"))
            other.reply()
        assert [path for path, _ in house.seen].count("/large") < 10
        assert [len(wire.reply().body) for _ in range(50)] == [LARGE] * 50


# Clients that send no more, and those that leave.


def test_client_that_sends_no_more_gets_all_its_responses(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/wait/a") + get("/1") + get("/2"))
        wire.send_no_more()
        house.has_seen(1)
        house.let("a")
        assert [wire.reply().body for _ in range(3)] == [b"a", b"/1 ", b"/2 "]
        assert wire.is_over()
    house.is_empty()


@pytest.mark.parametrize("half", [get("/2")[:-2], post("/2", b"body")[:-1], chunked("/2", b"body", end=b"")])
def test_half_a_request_at_the_end_gets_nothing(house: House, half: bytes) -> None:
    with house.wire() as wire:
        wire.send(get("/wait/a") + get("/1") + half)
        wire.send_no_more()
        house.has_seen(1)
        house.let("a")
        assert [wire.reply().body for _ in range(2)] == [b"a", b"/1 "]
        assert wire.is_over()
    house.is_empty()
    assert [path for path, _ in house.seen] == ["/wait/a", "/1"]


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
def test_app_learns_that_the_rest_of_a_body_will_not_come(
    house: House, leave: Callable[[Wire], None]
) -> None:
    wire = house.wire()
    wire.send(post("/1", b"body")[:-1])
    while not house.scopes:
        pass
    leave(wire)
    house.is_empty()
    assert (house.seen, house.done) == ([], ["left"])


def test_request_at_the_app_ends_when_its_client_has_gone_and_others_never_begin(house: House) -> None:
    wire = house.wire()
    wire.send(get("/wait/a") + get("/1") * 5)
    house.has_seen(1)
    wire.reset()
    house.let("a")
    house.is_empty()
    assert house.done[0] == "/wait/a"


def test_response_to_nobody_is_thrown_away(house: House) -> None:
    wire = house.wire()
    wire.send(get("/wait/a"))
    house.has_seen(1)
    wire.reset()
    house.until(house.scopes[0]["mock.transport"].is_closing)
    house.let("a")
    house.is_empty()
    assert house.done == ["/wait/a"]


def test_injected_drop_leaves_nothing_of_what_is_behind_it() -> None:
    body = [str(payment_of("LD-1001", f"R-{n}")).replace("'", '"').encode() for n in range(3)]
    requests = [post(PAYMENTS, each, "Content-Type: application/json") for each in body]
    with MockServer() as mock:
        mock.fail_next(drop="after")
        with Wire(int(mock.url.rpartition(":")[2])) as wire:
            wire.send(b"".join(requests))
            with pytest.raises((Over, ConnectionResetError)):
                wire.reply()
        assert [each["ReferenceNumber"] for each in mock.load("LD-1001")["payments"]] == ["R-0"]
        assert [request.status for request in mock.requests] == [None]


# What a request is.


def test_offer_of_another_protocol_is_passed_over_wherever_its_packets_end(house: House) -> None:
    body = b'{"note": "\r\nUpgrade: x\r\n"}'
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
    request = post("/1", body, *offer)
    with house.wire() as wire:
        for at in range(len(request)):
            wire.send(request[:at], request[at:])
            assert wire.reply().body == b"/1 " + body
        wire.send(request * 300)
        assert [wire.reply().body for _ in range(300)] == [b"/1 " + body] * 300
        wire.send(get("/2", *offer, version="1.0"))
        assert wire.reply().is_last


@pytest.mark.parametrize("request_", [post("/1", b"body"), chunked("/1", b"bo", b"dy")])
def test_request_may_come_in_any_pieces(house: House, request_: bytes) -> None:
    with house.wire() as wire:
        for at in range(1, len(request_)):
            wire.send(request_[:at], request_[at:])
            assert wire.reply().body == b"/1 body"
        wire.send(*(request_[at : at + 1] for at in range(len(request_))))
        assert wire.reply().body == b"/1 body"


@pytest.mark.parametrize("size", [200_000, 1_000_000])
@pytest.mark.parametrize("write", [post, chunked])
def test_long_body_arrives_whole(house: House, write: Callable[[str, bytes], bytes], size: int) -> None:
    with house.wire() as wire:
        wire.send(write("/1", b"x" * size) + get("/2"))
        assert len(wire.reply().body) == size + 3
        assert wire.reply().body == b"/2 "


def test_body_in_many_chunks_is_not_copied_for_each(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    add = Exchange.add

    def watched(exchange: Exchange, piece: bytes) -> None:
        body = exchange.body
        add(exchange, piece)
        copies.append(exchange.body is not body)

    monkeypatch.setattr(Exchange, "add", watched)
    with house.wire() as wire:
        wire.send(chunked("/1", *[b"x"] * 5_000))
        assert wire.reply().body == b"/1 " + b"x" * 5_000
    assert len(copies) == 5_000
    assert sum(copies) <= 10  # two for all that the app takes at once: the first piece, and one that grows


def test_trailers_never_become_headers(house: House) -> None:
    with house.wire() as wire:
        wire.send(chunked("/1", b"x", end=b"0\r\nAuthorization: Bearer x\r\nHost: y\r\n\r\n") + get("/2"))
        assert wire.reply().body == b"/1 x"
        assert wire.reply().body == b"/2 "
    for scope in house.scopes:
        assert {name for name, _ in scope["headers"]} <= {b"host", b"transfer-encoding"}


def test_client_that_waits_to_be_told_is_told_once(house: House) -> None:
    with house.wire() as wire:
        request = post("/1", b"body", "Expect: 100-Continue")
        wire.send(request[:-4])
        assert wire.reply().status == 100
        wire.send(b"bo", b"dy")
        assert wire.reply().body == b"/1 body"
        wire.send(request)  # not waiting at all
        assert wire.reply().body == b"/1 body"


def test_client_of_http_1_0_is_told_nothing(house: House) -> None:
    with house.wire() as wire:
        request = post("/1", b"body", "Expect: 100-continue", version="1.0")
        wire.send(request[:-4])
        house.has_seen(0)
        wire.send(b"body")
        assert wire.reply().body == b"/1 body"


def test_after_a_response_to_half_a_request_that_waits_nothing_follows(house: House) -> None:
    """The client may send the body or leave it out; nobody could say what follows."""
    with house.wire() as wire:
        wire.send(post("/unread", b"body", "Expect: 100-continue")[:-4])
        reply = wire.reply()
        assert (reply.body, reply.is_last) == (b"unread", True)
        assert wire.is_over()


def test_body_that_the_app_does_not_want_is_passed_over(house: House) -> None:
    with house.wire() as wire:
        wire.send(post("/unread", b"x" * 500_000)[:-1])
        assert wire.reply().body == b"unread"
        wire.send(b"x" + get("/1"))
        assert wire.reply().body == b"/1 "


def test_body_that_the_app_does_not_want_for_long_is_passed_over(house: House) -> None:
    piece = b"x" * 8000
    with house.wire() as wire, house.wire() as other:
        wire.send(post("/unread-later/a", piece * 30)[: -len(piece) * 30])
        for _ in range(20):
            wire.send(piece)
            other.send(get("/other"))  # by then the piece has arrived
            other.reply()
        house.let("a")
        assert wire.reply().body == b"unread"
        wire.send(piece * 10 + get("/1"))
        assert wire.reply().body == b"/1 "


def test_http_1_0_ends_unless_it_asks_to_go_on(house: House) -> None:
    with house.wire() as wire:
        for _ in range(2):
            wire.send(get("/1", "Connection: Keep-Alive", version="1.0"))
            assert wire.reply().headers[b"connection"] == b"keep-alive"
        wire.send(get("/1", version="1.0"))
        assert wire.reply().is_last
        assert wire.is_over()


def test_nothing_is_read_after_the_last_request(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with house.wire() as wire:
        wire.send(get("/1", "Connection: close") + get("/2") + b"junk")
        assert wire.reply().is_last
        assert wire.is_over()
    assert [path for path, _ in house.seen] == ["/1"]
    assert caplog.records == []


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/1"), ("GET", "/status/204"), ("GET", "/status/304")])
def test_response_without_a_body_has_none(house: House, method: str, path: str) -> None:
    with house.wire() as wire:
        wire.send(get(path, method=method) + get("/2"))
        head = wire.reply(method)
        assert (head.headers.get(b"content-length"), head.body) == (b"3" if method == "HEAD" else None, b"")
        assert wire.reply().body == b"/2 "


@pytest.mark.parametrize("status", [299, 599])
def test_status_that_has_no_name_is_sent(house: House, status: int) -> None:
    with house.wire() as wire:
        wire.send(get(f"/status/{status}") + get("/2"))
        assert wire.reply()[::2] == (status, b"body")
        assert wire.reply().body == b"/2 "


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a?b?c", "/a", b"b?c"),
        ("/a#b?c", "/a", b""),
        ("//a", "//a", b""),
        ("http://other:80/a?b", "/a", b"b"),
        ("http://other", "/", b""),
        ("*", "*", b""),
        ("/%41%2F%zz%ff%E2%98%83", "/A/%zz\N{REPLACEMENT CHARACTER}\N{SNOWMAN}", b""),
    ],
)
def test_target_may_have_any_form(house: House, target: str, path: str, query: bytes) -> None:
    with house.wire() as wire:
        wire.send(get(target, method="OPTIONS"))
        assert wire.reply().status == 200
    (scope,) = house.scopes
    assert (scope["method"], scope["path"], scope["query_string"]) == ("OPTIONS", path, query)


CHUNKED = "Transfer-Encoding: chunked"
INVALID = {
    "a length and chunks": get("/1", "Content-Length: 4", CHUNKED),
    "chunks and a length": get("/1", CHUNKED, "Content-Length: 4"),
    "two lengths": get("/1", "Content-Length: 4", "Content-Length: 5"),
    "the same length twice": get("/1", "Content-Length: 4", "Content-Length: 4"),
    "a list of lengths": get("/1", "Content-Length: 4, 4"),
    "a signed length": get("/1", "Content-Length: +4"),
    "a length in hexadecimal": get("/1", "Content-Length: 0x4"),
    "no length": get("/1", "Content-Length: "),
    "an unknown coding": get("/1", "Transfer-Encoding: gzip"),
    "a coding before the chunks": get("/1", "Transfer-Encoding: gzip, chunked"),
    "a coding after the chunks": get("/1", "Transfer-Encoding: chunked, identity"),
    "chunks twice": get("/1", CHUNKED, CHUNKED),
    "nearly chunks": get("/1", "Transfer-Encoding: xchunked"),
    "chunks in HTTP/1.0": get("/1", CHUNKED, version="1.0"),
    "no host": b"GET /1 HTTP/1.1\r\n\r\n",
    "two hosts": get("/1", "Host: y"),
    "a space before the colon": get("/1", "Content-Length : 4"),
    "a folded header": get("/1", "A: b", " c"),
    "a header without a name": get("/1", ": b"),
    "a name with a space": get("/1", "A b: c"),
    "a control character in a value": get("/1", "A: b\x01"),
    "a lone carriage return": get("/1", "A: b\rc"),
    "line feeds alone": b"GET /1 HTTP/1.1\nHost: x\n\n",
    "a space in the target": get("/1 /2"),
    "a target without a slash": get("1"),
    "a target that is no URL": get("http://x%api/"),
    "a method in lowercase": get("/1", method="get"),
    "CONNECT": get("x:80", method="CONNECT"),
    "HTTP/2": get("/1", version="2.0"),
    "HTTP/0.9": get("/1", version="0.9"),
    "HTTP/2 as it begins": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a chunk whose size is no number": chunked("/1", end=b"z\r\n"),
    "a chunk with a space": chunked("/1", end=b"1 \r\nx\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": chunked("/1", end=b"1\r\nxy\r\n0\r\n\r\n"),
    "a chunk of more than can be": chunked("/1", end=b"f" * 20 + b"\r\n"),
    "a trailer without a colon": chunked("/1", end=b"0\r\ntrailer\r\n\r\n"),
}


@pytest.mark.parametrize("request_", INVALID)
def test_what_two_readers_could_understand_in_two_ways_is_refused(house: House, request_: str) -> None:
    with house.wire() as wire:
        wire.send(get("/0") + INVALID[request_] + get("/2"))
        assert wire.reply().body == b"/0 "
        refused(wire.reply(), 400)
        assert wire.is_over()
    assert [path for path, _ in house.seen] == ["/0"]


def test_broken_request_behind_another_is_never_begun(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/wait/a") + INVALID["a chunk whose size is no number"])
        house.has_seen(1)
        house.let("a")
        assert wire.reply().body == b"a"
        refused(wire.reply(), 400)
    house.is_empty()
    assert len(house.scopes) == 1


def test_response_is_sent_once_even_if_the_rest_of_its_request_is_broken(house: House) -> None:
    with house.wire() as wire:
        wire.send(chunked("/unread", b"x", end=b""))
        assert wire.reply().body == b"unread"
        wire.send(b"z\r\n")
        assert wire.is_over()


# How much a request may be.


def long_head(size: int) -> bytes:
    """A request whose target and headers count this many bytes."""
    counted = len("/1") + len("Host") + len("x") + 4
    return get("/1", "A: " + "x" * (size - counted - 5))


def test_longest_head_is_taken_and_one_byte_more_is_not(house: House) -> None:
    with house.wire() as wire:
        wire.send(long_head(MOST_HEAD))
        assert wire.reply().status == 200
        wire.send(long_head(MOST_HEAD + 1))
        refused(wire.reply(), 431)
        assert wire.is_over()


@pytest.mark.parametrize("before", [1, 4_000, 8_000, 12_000, 16_000])
def test_longest_head_is_as_long_behind_another_request(house: House, before: int) -> None:
    with house.wire() as wire:
        wire.send(post("/0", b"x" * before) + long_head(MOST_HEAD) + long_head(MOST_HEAD + 1))
        assert [wire.reply().status for _ in range(2)] == [200, 200]
        refused(wire.reply(), 431)
        assert wire.is_over()


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nA: ",
        b"GET / HTTP/1.1\r\n",
        chunked("/1", b"x", end=b"0\r\nA: "),
        chunked("/1", b"x", end=b"1;"),
    ],
)
def test_head_without_end_is_refused_before_its_end(house: House, begin: bytes) -> None:
    piece = b"a: b\r\n" if begin.endswith(b"1\r\n") else b"a"
    with house.wire() as wire:
        wire.send(begin + piece * (2 * MOST_HEAD // len(piece)))
        refused(wire.reply(), 431)
        assert wire.is_over()
    assert house.seen == []


def test_refusal_is_read_by_a_client_that_sends_on(house: House) -> None:
    """A socket that is closed at once with bytes unread resets, and the client loses the response."""
    with house.wire() as wire:
        wire.send(b"junk\r\n\r\n", *[b"x" * 100_000] * 20)
        refused(wire.reply(), 400)
        assert wire.is_over()
    house.is_empty()


# How long it may take.


def test_idle_connection_ends_after_a_while(house: House) -> None:
    with house.wire() as wire, house.wire() as silent:
        wire.send(get("/1"))
        assert wire.reply().status == 200
        house.pass_seconds(PATIENCE - 1)
        wire.send(get("/1"))
        assert wire.reply().status == 200
        house.pass_seconds(1)
        assert silent.is_over()
        house.pass_seconds(PATIENCE - 2)
        wire.send(get("/1"))
        assert wire.reply().status == 200
        house.pass_seconds(PATIENCE)
        assert wire.is_over()
    house.is_empty()


@pytest.mark.parametrize("request_", [get("/1")[:-2], post("/1", b"body")[:-1]])
def test_half_a_request_is_refused_after_a_while_even_if_a_byte_comes_now_and_then(
    house: House, request_: bytes
) -> None:
    at = len(request_) - 6
    with house.wire() as wire, house.wire() as other:
        house.pass_seconds(PATIENCE - 1)
        wire.send(request_[:at])
        for piece in range(at, len(request_)):
            other.send(get("/other"))  # by then the piece before it has arrived
            other.reply()
            house.pass_seconds(PATIENCE // 6)
            with suppress(ConnectionError):
                wire.send(request_[piece : piece + 1])
        refused(wire.reply(), 408)
        assert wire.is_over()
    assert "left" in house.done or request_.startswith(b"GET")


def test_time_of_the_app_is_not_that_of_the_client(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/wait/a") + post("/1", b"body")[:-1])
        house.has_seen(1)
        house.pass_seconds(3 * PATIENCE)
        house.let("a")
        assert wire.reply().body == b"a"
        wire.send(b"y")
        assert wire.reply().body == b"/1 body"


def test_client_that_reads_nothing_is_left_after_a_while_and_one_that_reads_a_little_is_not(
    house: House,
) -> None:
    with house.wire() as wire:
        wire.send(get("/large") * 20)
        house.until(lambda: bool(house.scopes))
        transport = house.scopes[0]["mock.transport"]

        def is_full(before: int = -1) -> bool:
            """Returns once nothing more goes out, as far as one can see."""
            with house.wire() as other:
                for _ in range(20):
                    other.send(get("/other"))
                    other.reply()
            now = transport.get_write_buffer_size()
            return now == before > 0 or is_full(now)

        assert is_full()
        house.pass_seconds(PATIENCE - 1)
        before = transport.get_write_buffer_size()
        while transport.get_write_buffer_size() == before:
            wire.socket.recv(100_000)
        assert is_full()
        house.pass_seconds(PATIENCE - 1)
        assert not transport.is_closing()
        house.pass_seconds(2)  # one of them may have seen it read
        assert transport.is_closing()
    house.is_empty()


def test_client_that_does_not_close_after_the_last_response_is_left_soon(house: House) -> None:
    with house.wire() as wire:
        wire.send(b"junk\r\n\r\n")
        refused(wire.reply(), 400)
        assert len(house.server.shared.open) == 1
        house.pass_seconds(2)
        house.is_empty()


class SlowClient(asyncio.Transport):
    """What the event loop has of a client that reads as much as a test says."""

    unread = 0
    is_left = False

    def get_extra_info(self, name: str, default: object = None) -> object:  # noqa: ARG002 - the interface
        return ("127.0.0.1", 1)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.is_left

    def write(self, data: object) -> None:
        assert data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def abort(self) -> None:
        self.is_left = True


def pass_seconds(connection: Connection, count: int) -> None:
    for _ in range(count):
        connection.pass_a_second()


@pytest.mark.parametrize("request_", [b"", b"junk\r\n\r\n"])
def test_client_that_reads_something_may_take_its_time(request_: bytes) -> None:
    """Be it the last response or not, and even if more comes than it reads."""

    async def follow() -> None:
        client = SlowClient()
        connection = Connection(Shared(House(uvloop.new_event_loop).app, PATIENCE))
        connection.connection_made(client)
        client.unread = 1000
        connection.data_received(request_)
        pass_seconds(connection, PATIENCE - 1)
        connection.resume_writing()
        client.unread = 5000
        pass_seconds(connection, PATIENCE - 1)
        client.unread = 4000
        pass_seconds(connection, PATIENCE)
        assert not client.is_left
        pass_seconds(connection, 1)
        assert client.is_left

    asyncio.run(follow())


def test_server_counts_the_seconds_itself() -> None:
    with House(uvloop.new_event_loop, patience=1) as house, house.wire() as wire:
        assert wire.is_over()


# Responses that go wrong, and those without an end.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/fail", "/nothing"])
def test_failed_app_is_a_problem_without_details(
    house: House, path: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    with house.wire() as wire:
        wire.send(get(path, method=method))
        reply = wire.reply(method)
        assert (reply.status, reply.is_last) == (500, True)
        assert reply.headers[b"content-type"] == b"application/problem+json"
        assert b"a secret" not in reply.body
        assert wire.is_over()
    assert path in caplog.text


def test_failure_is_told_to_a_client_that_sends_no_more(house: House) -> None:
    with house.wire() as wire:
        answered_after_the_end(house, wire, "/fail-later/a")
        assert wire.reply().status == 500
        assert wire.is_over()
    house.is_empty()


def test_response_that_fails_halfway_ends_there(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with house.wire() as wire:
        wire.send(get("/late"))
        with pytest.raises(Over):
            wire.reply()
    assert "/late" in caplog.text


def test_response_of_another_length_than_it_says_fails(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/short", "/long"):
        with house.wire() as wire:
            wire.send(get(path))
            assert wire.reply().status == 500
        assert path in caplog.text


def test_stream_comes_in_chunks_and_the_connection_goes_on(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/stream/3") + get("/1"))
        assert wire.reply().body == b"012"
        assert wire.reply().body == b"/1 "
        wire.send(get("/stream/3", "Connection: keep-alive", version="1.0"))
        assert wire.reply().body == b"012"


@pytest.mark.parametrize("leave", [Wire.send_no_more, Wire.close, Wire.reset])
def test_stream_ends_when_its_client_leaves(house: House, leave: Callable[[Wire], None]) -> None:
    wire = house.wire()
    wire.send(get("/stream/"))
    house.has_seen(1)
    leave(wire)
    house.is_empty()
    wire.close()
    assert house.done == ["http.disconnect", "/stream/"]


def test_stream_that_begins_after_its_client_sends_no_more_ends_at_once(house: House) -> None:
    with house.wire() as wire:
        answered_after_the_end(house, wire, "/later/a")
        with pytest.raises(Over):
            wire.reply()
    house.is_empty()
    assert house.done == ["http.disconnect", "/later/a"]


@pytest.mark.parametrize("behind", [get("/1"), b"junk\r\n\r\n"], ids=["request", "junk"])
def test_stream_without_an_end_ends_when_something_comes_behind_it(house: House, behind: bytes) -> None:
    with house.wire() as wire:
        wire.send(get("/stream/"))
        house.has_seen(1)
        wire.send(behind)
        house.is_empty()
    assert house.done == ["http.disconnect", "/stream/"]


def test_stream_that_begins_when_something_is_behind_it_ends_at_once(house: House) -> None:
    with house.wire() as wire:
        wire.send(get("/later/a") + get("/1"))
        house.has_seen(1)
        house.until(lambda: all(each.has_next for each in house.server.shared.open))
        house.let("a")
        house.is_empty()
    assert house.done == ["http.disconnect", "/later/a"]


# The end.


def test_request_that_is_at_the_app_is_answered_and_all_others_end(house: House) -> None:
    with house.wire() as busy, house.wire() as idle, house.wire() as half, house.wire() as stream:
        idle.send(get("/1"))
        idle.reply()
        half.send(b"GET / HTT")
        stream.send(get("/stream/"))
        busy.send(get("/wait/a") + get("/2") * 1000)
        house.has_seen(3)
        house.server.stop()
        assert idle.is_over()
        assert half.is_over()
        with pytest.raises(Over):
            stream.reply()
        house.let("a")
        reply = busy.reply()
        assert (reply.body, reply.is_last) == (b"a", True)
        assert busy.is_over()
        busy.close()
        house.thread.join(20)
        assert not house.thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            house.wire()
    assert "/2" not in [path for path, _ in house.seen]


@pytest.mark.parametrize("stops", [1, 2])
def test_what_takes_longer_than_the_grace_is_cut_and_never_told_to_be_an_error(stops: int) -> None:
    with House(uvloop.new_event_loop, grace=0 if stops == 1 else 1000) as house, house.wire() as wire:
        wire.send(get("/wait/a"))
        house.has_seen(1)
        for _ in range(stops):
            house.server.stop()
        with suppress(ConnectionResetError):
            assert wire.is_over()
        house.thread.join(20)
        assert not house.thread.is_alive()


def test_nothing_waits_for_a_request_whose_client_has_gone() -> None:
    with House(uvloop.new_event_loop, grace=1000) as house:
        wire = house.wire()
        wire.send(get("/wait/a"))
        house.has_seen(1)
        wire.reset()
        house.until(house.scopes[0]["mock.transport"].is_closing)
        house.server.stop()
        house.thread.join(20)
        assert not house.thread.is_alive()


def test_client_that_is_found_gone_with_its_last_response_is_left_in_silence(house: House) -> None:
    # With a request behind the one that waits, the server does not read, and sees no end.
    wire = house.wire()
    wire.send(get("/wait/a") + get("/1"))
    house.has_seen(1)
    wire.close()
    house.do(house.server.finish)
    house.let("a")
    house.is_empty()
    gc.collect()  # a task that failed says so when it is thrown away
    assert len(house.seen) == 1


@pytest.mark.parametrize("before", [0, 1])
def test_request_that_is_cut_off_before_it_began_leaves_nothing(house: House, before: int) -> None:
    with house.wire() as wire:
        wire.send(*[get("/1")] * before)
        house.has_seen(before)
        house.until(lambda: len(house.done) == before and len(house.server.shared.open) == 1)

        def cut() -> None:
            (connection,) = house.server.shared.open
            connection.data_received(get("/2"))
            connection.cut()

        house.do(cut)
        house.is_empty()
        assert len(house.seen) == before


@pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS)
def test_connection_with_tls_may_be_closed_twice(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with made_tls(()) as tls, House(new_loop, tls=tls.context) as house:
        context = ssl.create_default_context(cafile=tls.ca)
        wire = socket.create_connection(("127.0.0.1", house.port), timeout=60)
        with context.wrap_socket(wire, server_hostname="localhost") as client:
            client.sendall(get("/1"))
            house.has_seen(1)
            house.until(lambda: house.done == ["/1"])
            house.do(house.server.finish)  # the client does not say goodbye, so the connection stays
            house.do(house.server.finish)
            house.pass_seconds(1)


def test_connection_that_is_made_after_the_end_began_is_closed(house: House) -> None:
    with house.wire() as busy:
        busy.send(get("/wait/a"))
        house.has_seen(1)
        house.do(house.server.finish)
        with house.wire() as late:
            assert late.is_over()
        house.let("a")
        assert busy.reply().is_last
    house.is_empty()


def test_server_that_was_told_to_end_before_it_began_ends() -> None:
    house = House(asyncio.SelectorEventLoop)
    house.server.stop()
    with house:
        house.thread.join(20)
        assert not house.thread.is_alive()


def test_mock_serves_without_uvloop() -> None:
    code = (
        "import sys; sys.modules['uvloop'] = None\n"
        "from mock_server.testing import MockServer\n"
        "import urllib.request\n"
        "with MockServer() as mock: print(urllib.request.urlopen(mock.url + '/_mock/health').status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "200\n"
