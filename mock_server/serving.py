"""Serves an ASGI app with uvicorn, on a socket that is known to be free."""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_server.problems import MEDIA_TYPE, InvalidRequest, problem
from mock_server.schemas import WHOLE_BODY

_OFFER = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class PortTaken(Exception):
    """Nothing can listen on the address; the message says why."""


_LARGE = 64 * 1024
"""Bytes that are a packet of their own anyway, and would be copied to be joined."""


class _Joining:
    """A transport that sends in one piece what is written to it in one turn of the loop.

    uvicorn writes the head and the body of an answer one after the other: two system calls, two packets,
    and a client that wakes up twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing  # asked after each answer, and slow to find by __getattr__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if len(data) > _LARGE:
            self.send_held()
            self._transport.write(data)
            return
        if not self._held:
            self._loop.call_soon(self.send_held)
        self._held.append(data)

    def close(self) -> None:
        self.send_held()
        self._transport.close()

    def send_held(self) -> None:
        held, self._held = self._held, []
        if held and not self.is_closing():
            self._transport.writelines(held)


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose own refusals are problem documents too."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._joining = _Joining(transport, self.loop)
        self.transport = self._joining  # type: ignore[assignment]

    def eof_received(self) -> None:
        # The client has said all that it wants to; the transport is closed next.
        self._joining.send_held()
        super().eof_received()

    def data_received(self, data: bytes) -> None:
        # The parser leaves out the body of a request that offers another protocol, as Java's
        # HttpClient does by default. A server may pass over the offer: it is not shown to the parser.
        super().data_received(_OFFER.sub(b"\r\nIgnored:", data) if _OFFER.search(data) else data)

    def send_400_response(self, msg: str) -> None:
        status, _, body = problem(InvalidRequest({WHOLE_BODY: [msg]}))
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
        )
        self.transport.write(f"{head}content-type: {MEDIA_TYPE}\r\n\r\n".encode() + body)
        self.transport.close()


class _OpenProtocol(_Protocol):
    """The same, and shows the app the transport: ASGI itself has no way to drop a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["mock.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class Server(uvicorn.Server):
    """uvicorn, told how to serve the mock; `on_start` is called once it answers.

    With `shows_transport` the app finds the connection in the scope, under `mock.transport`.
    """

    def __init__(
        self,
        app: ASGIApp,
        log_level: str = "warning",
        on_start: Callable[[], None] = lambda: None,
        *,
        shows_transport: bool = False,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=_OpenProtocol if shows_transport else _Protocol,
                ws="none",
                lifespan="off",
                log_level=log_level,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to answer, then says so."""
        await super().startup(sockets)
        self._on_start()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. PortTaken if there is none to be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        raise PortTaken(f"{host}:{port} can't be listened on: {error}") from error


def url_of(listener: socket.socket) -> str:
    """The base URL of what listens on the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
