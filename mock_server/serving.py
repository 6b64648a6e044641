"""The life of the server: it listens, serves, and ends in good order when it is told to."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from email.utils import formatdate
from functools import partial
from ipaddress import ip_address
from ssl import SSLContext

from starlette.types import ASGIApp

from mock_server.connection import Connection, Shared

try:
    from uvloop import new_event_loop
except ImportError:  # there is none for Windows
    from asyncio import new_event_loop  # type: ignore[assignment]

PATIENCE = 30
"""Seconds that a connection waits for its client."""
GRACE = 10
"""Seconds in which requests are still answered once the server is told to end."""
_GOODBYE = 2
"""Seconds in which a client may say that it has heard the end of a connection with TLS."""


class PortTaken(Exception):
    """Nothing can listen on the address; the message says why, and what to do."""


async def _nothing() -> None:
    pass


class Server:
    """Serves an ASGI app over HTTP/1.1; `on_start` is awaited once it accepts requests.

    `grace` is for how many seconds it still answers the requests that it has when it is told to stop, and
    `patience` that of its connections. With `tls` it speaks https. What the app needs is `around` all that.
    """

    def __init__(  # noqa: PLR0913 - one for each option
        self,
        app: ASGIApp,
        on_start: Callable[[], Awaitable[object]] = _nothing,
        *,
        grace: int = GRACE,
        patience: int = PATIENCE,
        around: AbstractAsyncContextManager[object] | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self.shared = Shared(app, patience)
        self._on_start = on_start
        self._grace = grace
        self._around = around or nullcontext()
        self.each_second: list[Callable[[], object]] = []
        """Called once a second."""
        self._stops = 0
        self._wake: Callable[[], object] | None = None

    def run(self, listeners: Sequence[socket.socket]) -> None:
        """Serves until `stop` is called, in an event loop of its own."""
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self.serve(listeners))

    def stop(self) -> None:
        """Ends it: in good order, or at once if it was told before. For any thread, and for signals."""
        self._stops += 1
        if self._wake is not None:
            self._wake()

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Serves until `stop` is called."""
        async with self._around:
            await self._serve(listeners)

    async def _serve(self, listeners: Sequence[socket.socket]) -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        self._wake = partial(loop.call_soon_threadsafe, told.set)
        servers = [
            await loop.create_server(
                partial(Connection, self.shared),
                sock=listener,
                backlog=2048,
                ssl=self._tls,
                ssl_shutdown_timeout=None if self._tls is None else _GOODBYE,
            )
            for listener in listeners
        ]
        self.pass_a_second()
        ticking = loop.create_task(self._tick())
        await self._on_start()
        if not self._stops:
            await told.wait()
        told = asyncio.Event()
        self._wake = partial(loop.call_soon_threadsafe, told.set)
        for server in servers:
            server.close()
        if self._stops == 1:
            self.finish()
            ends = [loop.create_task(self.shared.none_is_open.wait()), loop.create_task(told.wait())]
            await asyncio.wait(ends, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        for connection in tuple(self.shared.open):
            connection.cut()
        self._wake = None
        ticking.cancel()

    def finish(self) -> None:
        """Closes every connection as soon as the response is sent that it is at."""
        self.shared.are_ending = True
        for connection in tuple(self.shared.open):
            connection.finish()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.pass_a_second()

    def pass_a_second(self) -> None:
        """Renews the date, and closes the connections whose clients do nothing."""
        self.shared.date = f"date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in tuple(self.shared.open):
            connection.pass_a_second()
        for call in self.each_second:
            call()

    def serve_instead(self, app: ASGIApp) -> None:
        """Serves another app from the next request on; streams of the one before end."""
        self.shared.app = app
        for connection in tuple(self.shared.open):
            connection.end_stream()


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


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """The base URL of what listens on the socket."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if listener.family == socket.AF_INET6 else host
    return f"{scheme}://{shown}:{port}"
