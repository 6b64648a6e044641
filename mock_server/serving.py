"""Serves an ASGI app with uvicorn, on a socket that is known to be free."""

import asyncio
import errno
import re
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_server.problems import InvalidRequest, problem
from mock_server.schemas import WHOLE_BODY
from mock_server.trace import TRANSPORT

_OFFER = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class PortTaken(Exception):
    """Nothing can listen on the address; the message says why, and what to do."""


_LARGE = 64 * 1024
"""Bytes that are a packet of their own anyway, and would be copied to be joined."""


class _Joining:
    """A transport that sends in one piece what is written to it in one turn of the loop.

    uvicorn writes the head and the body of a response one after the other: two system calls, two packets,
    and a client that wakes up twice. One piece saves 21 % of a payment's CPU time, as
    `python -m benchmarks.shortcuts` measures it ("joined writes").
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing  # asked after each response, and slow to find by __getattr__

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
        # The client sends no more; the transport is closed next.
        self._joining.send_held()
        super().eof_received()

    def data_received(self, data: bytes) -> None:
        # The parser leaves out the body of a request that offers another protocol, as Java's
        # HttpClient does by default. A server may ignore the offer: it is not shown to the parser.
        super().data_received(_OFFER.sub(b"\r\nIgnored:", data) if _OFFER.search(data) else data)

    def send_400_response(self, msg: str) -> None:
        _, headers, body = problem(InvalidRequest({WHOLE_BODY: [msg]}))
        headers = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        lines = [b"HTTP/1.1 400 Bad Request", *(b"%b: %b" % header for header in headers), b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


class _OpenProtocol(_Protocol):
    """The same, and shows the app the transport: ASGI itself has no way to drop a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]


class Server(uvicorn.Server):
    """uvicorn with the settings of the mock; `on_start` is called once it accepts requests.

    With `shows_transport` the app finds the connection in the scope, under TRANSPORT.
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
        """Starts to accept requests, then says so."""
        await super().startup(sockets)
        self._on_start()


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """A listening socket; port 0 takes a free one. PortTaken names the option that gives the port."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} on {host} is in use. Try {option} 0, which picks a free one."
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise PortTaken(f"The server can't listen on {host}, port {port}: {reason}") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on a host; so too where nothing can listen."""
    try:
        addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return True
    return ip_address(addresses[0][4][0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """The base URL of what listens on the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
