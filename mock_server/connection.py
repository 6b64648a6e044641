"""One connection: from the bytes of its requests to those of their responses, in the order of the requests.

Ours, not uvicorn's: that answers junk before the valid request in front of it, leaves a client that sends no
more without its response, knows no deadline for half a request, and skips the body of a request that offers
another protocol. To change these took half as much code, on top of private parts of theirs.

llhttp (httptools) finds the parts of a request. It refuses what two readers could understand in two ways: two
lengths, a length and chunks, folded headers, lines that do not end in CR LF.

The requests of a connection go to the app one by one, in one task: a task for each of them costs more. To
run the app at once, up to its first wait, would save the task, but costs more: responses would leave one by
one, not in turns.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Message, Scope

from mock_server.problems import HeadTooLarge, InvalidRequest, RequestTimedOut, problem
from mock_server.schemas import WHOLE_BODY
from mock_server.trace import TRANSPORT, WORLD_HEADER, Headers

_log = logging.getLogger(__name__)

MOST_HEAD = 64 * 1024
"""Bytes that a request line and its headers may have together; so may the trailers."""

_SLICE = 16 * 1024
"""Bytes that are parsed at once. After each slice it may stop, so that few requests wait."""
_MOST_WAITING = 64 * 1024
"""Bytes of a body that wait for the app."""
_LARGE = 64 * 1024
"""Bytes that are packets of their own anyway, and would be copied to be joined."""
_LINGER = 2
"""Seconds in which a client may read the last response before its connection is closed.

A socket that is closed with bytes unread resets, and the client loses what it has not read yet.
"""
_NO_CONTENT = HTTPStatus.NO_CONTENT.value
_WITHOUT_BODY = frozenset({_NO_CONTENT, HTTPStatus.NOT_MODIFIED.value})
_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}
_CLOSE = b"connection: close\r\n"
_WORLD_KEY = WORLD_HEADER.lower().encode()


class Shared:
    """What the connections of a server share."""

    def __init__(self, app: ASGIApp, patience: int) -> None:
        self.app = app
        self.patience = patience
        """Seconds within which a request must begin after the response before it, within which it must be
        whole once it has begun, and within which a client must read something of its response."""
        self.date = b""
        """The header line that every response has."""
        self.are_ending = False
        """Whether the response that a connection is at is its last."""
        self.open: set[Connection] = set()
        """Those that are not closed, or at whose request the app still is."""
        self.none_is_open = asyncio.Event()
        self.none_is_open.set()

    def add(self, connection: "Connection") -> None:
        """Counts a connection."""
        self.open.add(connection)
        self.none_is_open.clear()

    def forget(self, connection: "Connection") -> None:
        """No longer counts it."""
        self.open.discard(connection)
        if not self.open:
            self.none_is_open.set()


class Exchange:
    """One request and its response, as ASGI has them."""

    is_whole = False  # whether the request has come to its end
    error: Exception | None = None  # why it never will, for a client that is there to be told
    has_left = False  # whether nothing more can come: the client has gone, or the response is over
    is_sent = False  # whether something of the response was sent
    is_over = False  # whether all of it was
    is_stream = False  # whether nobody knows the length of the response before its end

    _is_taken = False
    _news: asyncio.Event | None = None
    _head = b""
    _left = 0
    _is_mute = False

    def __init__(self, connection: "Connection", scope: Scope, *, keeps_alive: bool, expects: bool) -> None:
        self._connection = connection
        self.scope = scope
        self.body: bytes | bytearray = b""  # what has come of it, and the app has not taken
        self.keeps_alive = keeps_alive  # whether another request may follow
        self._expects = expects

    def add(self, piece: bytes) -> None:
        """A piece of the body has arrived."""
        if not self.is_over:
            if not self.body:
                self.body = piece
            else:  # of several pieces, one that grows: copied for each, many short ones would take seconds
                self.body = self.body if isinstance(self.body, bytearray) else bytearray(self.body)
                self.body += piece
            if self._news is not None:
                self._news.set()

    def complete(self) -> None:
        """The request has arrived to its end."""
        self.is_whole = True
        if self._news is not None:
            self._news.set()

    def leave(self, error: Exception | None = None) -> None:
        """Nothing more can come."""
        if not self.has_left:
            self.error = error
        self.has_left = True
        if self._news is not None:
            self._news.set()

    async def receive(self) -> Message:
        """The next piece of the request. After its end: waits until the client has left."""
        while self._is_taken or not (self.is_whole or self.body):
            if self.has_left:
                return {"type": "http.disconnect"}
            if self._expects and not self._is_taken:
                self._expects = False
                self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if self._news is None:
                self._news = asyncio.Event()
            self._news.clear()
            self._connection.read_on()  # which may bring it at once
            await self._news.wait()
        body, self.body = bytes(self.body), b""
        self._is_taken = self.is_whole
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    async def send(self, message: Message) -> None:
        """Takes the head of the response, then its body. What is sent to nobody is thrown away."""
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
        else:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))
        if self._connection.is_full:
            await self._connection.has_read.wait()

    def _begin(self, status: int, headers: Headers) -> None:
        line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        lines = [line, self._connection.shared.date]
        length = None
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
                if status == _NO_CONTENT:  # which may not say one
                    continue
            lines += (name, b": ", value, b"\r\n")
        self._left = length or 0
        self._is_mute = self.scope["method"] == "HEAD" or status in _WITHOUT_BODY
        self.is_stream = length is None and not self._is_mute
        is_old = self.scope["http_version"] == "1.0"
        if self.is_stream and not is_old:
            lines.append(b"transfer-encoding: chunked\r\n")
        # A client that was not told to go on may send the body or leave it out.
        unclear = (self._expects and not self.is_whole) or (self.is_stream and is_old)
        if unclear or self._connection.shared.are_ending:
            self.keeps_alive = False
        if not self.keeps_alive:
            lines.append(_CLOSE)
        elif is_old:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        if self.is_stream:
            self._write(b"")
            if self._connection.has_eof or self._connection.has_next:  # as if it came now
                self.leave()

    def _go_on(self, body: bytes, *, more: bool) -> None:
        if self.is_stream:
            if self.scope["http_version"] != "1.0":
                body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (
                    b"" if more else b"0\r\n\r\n"
                )
        elif self._is_mute:
            body = b""
        else:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise ValueError("The response is not as long as its head says.")
        self._write(body)
        if not more:
            self.is_over = True
            self.body = b""
            self.leave()

    def _write(self, body: bytes) -> None:
        # Head and body at once are one system call and one packet, and wake the client once.
        head, self._head = self._head, b""
        self.is_sent = True
        if len(body) > _LARGE:
            self._connection.write(head)
            self._connection.write(body)
        else:
            self._connection.write(head + body)


class Connection(asyncio.Protocol):
    """The server's side of a connection. One of its requests at a time is in the hands of the app."""

    has_eof = False  # whether the client sends no more; it may still read
    is_full = False  # whether a slow client has so much to read that the app should wait until `has_read`

    _unread = b""
    _quiet = 0  # bytes since the end of a head or a request, or a piece of a body
    _offer = b""  # the head of a request that offers another protocol, without the offer
    _has_begun = False
    _active: Exchange | None = None
    _task: asyncio.Task[None] | None = None
    _pause: asyncio.Future[None] | None = None  # what the task waits for between two requests
    _is_paused = False
    _is_deaf = False  # whatever else comes is thrown away
    _lingers = False
    _is_lost = False
    _idle_seconds = 0
    _unsent = 0

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._loop = asyncio.get_running_loop()
        self.has_read = asyncio.Event()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Exchange | Exception] = deque()
        self._arriving = Exchange(self, {}, keeps_alive=True, expects=False)
        self._arriving.complete()

    # What the event loop tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http" if transport.get_extra_info("sslcontext") is None else "https",
            "root_path": "",
            "server": transport.get_extra_info("sockname")[:2],
            "client": transport.get_extra_info("peername"),
            TRANSPORT: transport,
        }
        self.shared.add(self)
        if self.shared.are_ending:
            self._close()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self.read_on()

    def eof_received(self) -> bool:
        self.has_eof = True
        self._end_input()
        return self._transport.can_write_eof()  # it may wait for responses; not with TLS

    def pause_writing(self) -> None:
        self.is_full = True
        self.has_read.clear()

    def resume_writing(self) -> None:
        self.is_full = False
        self.has_read.set()
        self._idle_seconds = 0

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        self.has_eof = self._is_deaf = self._is_lost = True
        self._waiting.clear()
        self.resume_writing()
        if self._task is None or self._task.done():
            self.shared.forget(self)
        elif self._active is None:
            self._wake()
        else:
            self._active.leave()

    # What its server and its exchanges ask for.

    @property
    def has_next(self) -> bool:
        """Whether a request waits for the response before it: a stream without an end would keep it for ever.

        And while it waits nothing is read, so nobody would see that the client has gone.
        """
        return bool(self._waiting)

    def write(self, data: bytes) -> None:
        """Sends bytes, if anybody is there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def read_on(self) -> None:
        """Parses what has come as far as there is room for it, and starts the app if it has no request."""
        while self._unread and not self._has_enough():
            data, self._unread = self._unread[:_SLICE], self._unread[_SLICE:]
            if not self._is_deaf:
                self._parse(data)
        if self._waiting and self._active is None:
            self._start(self._waiting.popleft())
        has_enough = bool(self._unread) or self._has_enough()
        if has_enough != self._is_paused and not self._transport.is_closing():
            self._is_paused = has_enough
            if has_enough:
                self._transport.pause_reading()
                if self.has_next:
                    self.end_stream()
            else:
                self._transport.resume_reading()

    def finish(self) -> None:
        """Closes as soon as the response is sent that the app is at."""
        if self._active is None:
            self._close()
        elif self._transport.is_closing():  # the app works for nobody
            self.cut()
        else:
            self.end_stream()

    def end_stream(self) -> None:
        """Ends what the app is at if that may have no end."""
        if self._active is not None and self._active.is_stream:
            self._active.leave()

    def cut(self) -> None:
        """Closes, and cancels what the app is at: nobody is told that it failed, it may be recorded."""
        self._transport.abort()
        if self._task is not None and self._active is not None:
            self._task.cancel()

    def pass_a_second(self) -> None:
        """Closes if the client does nothing for too long."""
        unsent = self._transport.get_write_buffer_size()
        reads, self._unsent = unsent < self._unsent, unsent
        sends_late = self._active is None or not (self._active.is_whole or self._is_paused)
        self._idle_seconds = self._idle_seconds + 1 if (unsent or sends_late) and not reads else 0
        if self._idle_seconds < (_LINGER if self._lingers and not unsent else self.shared.patience):
            return
        if unsent or self._lingers or self._transport.is_closing():
            self._transport.abort()
        elif self._has_begun:
            self._refuse(RequestTimedOut(self.shared.patience))
            self.read_on()
        else:
            self._close()

    # From bytes to requests. The parser calls what starts with `on_`.

    def _has_enough(self) -> bool:
        return bool(self._waiting) or len(self._arriving.body) > _MOST_WAITING

    def _parse(self, data: bytes) -> None:
        self._quiet += len(data)
        try:
            while True:
                try:
                    self._parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as end:
                    # It would leave out the body of a request that offers another protocol, as Java's
                    # HttpClient does by default. A server may ignore the offer: so that head again, without.
                    self._parser = httptools.HttpRequestParser(self)
                    data, self._offer = self._offer + data[end.args[0] :], b""
            if self._quiet > MOST_HEAD:
                self._refuse(HeadTooLarge(MOST_HEAD))
        except httptools.HttpParserError as error:
            cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
            self._refuse(cause if isinstance(cause, Exception) else _invalid(str(error)))

    def on_message_begin(self) -> None:
        self._has_begun = True
        self._idle_seconds = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers, self._headers = self._headers, []  # what follows are trailers, which nobody wants
        if self._quiet > MOST_HEAD - _SLICE:  # in whose last slice another request may have ended
            _check_size(self._url, headers)
        self._quiet = 0
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        known = dict(headers)
        _check(method, version, known, headers)
        if parser.should_upgrade():
            lines = [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
            self._offer = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self._url, version.encode(), b"".join(lines))
            return
        raw_path, query = _target(self._url)
        path = raw_path.decode("latin-1")
        path = unquote(path) if "%" in path else path
        if _WORLD_KEY in known:
            # Where the router looks anyway: requests that name no world pay nothing for those that do.
            path = WORLD_HEADER + path
        scope = {
            **self._scope,
            "http_version": version,
            "method": method.decode(),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
        }
        self._arriving = Exchange(
            self,
            scope,
            keeps_alive=parser.should_keep_alive(),
            expects=b"expect" in known and known[b"expect"].lower() == b"100-continue" and version == "1.1",
        )
        self._waiting.append(self._arriving)

    def on_body(self, piece: bytes) -> None:
        self._quiet = 0
        self._arriving.add(piece)

    def on_message_complete(self) -> None:
        if not self._offer:
            self._quiet = 0
            self._has_begun = False
            self._arriving.complete()
            self._is_deaf = not self._arriving.keeps_alive

    # From requests to responses.

    def _start(self, request: Exchange | Exception) -> None:
        if isinstance(request, Exchange):
            self._active = request
            if self._task is None:
                self._task = self._loop.create_task(self._serve())
                # It may be cut before it begins, and so never come to what it does in the end.
                self._task.add_done_callback(lambda _task: self.shared.forget(self))
            else:
                self._wake()
        else:
            self._respond(request)

    def _wake(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    async def _serve(self) -> None:
        """Hands one request after the other to the app, until the connection is lost."""
        came_at_once = False
        while self._active is not None or not self._is_lost:
            exchange = self._active
            if exchange is None:
                self._pause = self._loop.create_future()
                await self._pause
                continue
            try:
                if came_at_once:  # other connections have their turn
                    await asyncio.sleep(0)
                await self.shared.app(exchange.scope, exchange.receive, exchange.send)
                if not (exchange.has_left or self._transport.is_closing()):
                    _log.error("%(method)s %(path)s got no whole response", exchange.scope)
            except Exception:  # noqa: BLE001 - the outermost place: nothing of it may reach the event loop
                _log.exception("%(method)s %(path)s failed", exchange.scope)
            finally:
                self._active = None
                self._go_on_after(exchange)
                came_at_once = self._active is not None

    def _go_on_after(self, exchange: Exchange) -> None:
        self._idle_seconds = 0
        if self._transport.is_closing():
            return
        if not exchange.is_over:
            if exchange.is_sent or (exchange.has_left and exchange.error is None):
                self._close()
            else:
                error = exchange.error or RuntimeError("The app failed.")
                self._respond(error, is_mute=exchange.scope["method"] == "HEAD")
        elif exchange.keeps_alive and not self.shared.are_ending:
            if self._waiting or self._is_paused:
                self.read_on()
            elif self.has_eof:
                self._close()
        else:
            self._linger()

    def _refuse(self, error: Exception) -> None:
        """Responds to what can't be a request, after the requests before it, and takes no others."""
        if self._is_deaf:
            return
        _log.warning("A request was refused: %s", error)
        self._is_deaf = True
        arriving = self._arriving
        if arriving.is_whole:
            self._waiting.append(error)
        elif arriving is self._active:
            arriving.keeps_alive = False
            arriving.leave(error)
        elif arriving.is_over:
            self._linger()
        else:
            self._waiting[-1] = error

    def _respond(self, error: Exception, *, is_mute: bool = False) -> None:
        """Sends the last response of the connection."""
        status, headers, body = problem(error)
        lines = [_STATUS_LINES[status], self.shared.date, *(b"%b: %b\r\n" % header for header in headers)]
        lines += [b"content-length: %d\r\n" % len(body), _CLOSE, b"\r\n", b"" if is_mute else body]
        self.write(b"".join(lines))
        self._linger()

    def _linger(self) -> None:
        """Sends no more, and closes when the client has heard that."""
        self._is_deaf = self._lingers = True
        self._waiting.clear()
        self._unread = b""
        self._idle_seconds = 0
        if self.has_eof:
            self._close()
        elif self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:  # the client has gone, which nobody saw
                self._transport.abort()
            else:
                self.read_on()
        else:  # TLS has no half of a connection
            self._close()

    def _close(self) -> None:
        # A transport of asyncio with TLS that is closed twice does nothing more, and fails when it is asked.
        if not self._transport.is_closing():
            self._transport.close()

    def _end_input(self) -> None:
        """Ends what waits for more of the client. As long as it is not read, its end is not seen."""
        if not self._arriving.is_whole:
            self._arriving.leave()
        if self._active is None:
            self._close()
        elif self._active.is_stream:  # it might end never, or when it is written in vain
            self._active.leave()


def _invalid(reason: str) -> InvalidRequest:
    return InvalidRequest({WHOLE_BODY: [f"The request is not valid HTTP: {reason}."]})


def _check_size(url: bytes, headers: Headers) -> None:
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > MOST_HEAD:
        raise HeadTooLarge(MOST_HEAD)


def _check(method: bytes, version: str, known: Mapping[bytes, bytes], headers: Headers) -> None:
    """InvalidRequest for what the parser takes and RFC 9112 does not."""
    if method == b"CONNECT":
        raise _invalid("CONNECT is for proxies")
    if version not in {"1.1", "1.0"}:
        raise _invalid(f"the version {version} is not served")
    if b"host" not in known and version == "1.1":
        raise _invalid("the Host header is missing")
    if len(known) < len(headers) and [name for name, _ in headers].count(b"host") > 1:
        raise _invalid("there are two Host headers")
    coding = known.get(b"transfer-encoding")
    if coding is not None and (coding.strip().lower() != b"chunked" or version == "1.0"):
        raise _invalid("the only transfer coding is chunked, in HTTP/1.1")


def _target(url: bytes) -> tuple[bytes, bytes]:
    """The path and the query of a request's target, which may be a whole URL, or `*`."""
    if not url.startswith((b"/", b"*")):
        try:
            whole = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError as error:
            raise _invalid("the target is no URL") from error
        return whole.path or b"/", whole.query or b""
    path, _, query = url.partition(b"#")[0].partition(b"?")
    return path, query
