"""The socket to the target: one request, one response, with an end to its time and its size.

httpcore2, which httpx2 is built on, knows no redirects, cookies, proxies or content codings: nothing
has to be switched off. Only the deadline is ours, because its timeouts begin anew with each packet.
"""

import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpcore2
import httpx2

from contract_tests.safety.tls import tls_cause

MEBIBYTE: Final = 1024 * 1024


class LostResponseError(Exception):
    """No whole response came; the message says why. Whether the target read the request is unknown."""


class UnreachableError(LostResponseError):
    """Nothing listens at the target: the request never left."""


class TlsError(UnreachableError):
    """The target cannot be reached safely; the message says why. Nothing left, and to ask again is no use."""


class EndlessResponseError(LostResponseError):
    """The response took too long in all, or was too long; to ask again would be no shorter."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a response ends: `timeout` seconds of silence, `deadline` seconds in all, `size` bytes of body."""

    timeout: float = 30.0
    deadline: float = 60.0
    size: int = 32 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class Received:
    """A response. Header names are in lowercase; the body is as it came, coded or not."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


class Transport:
    """Keeps connections to the target. Safe to call from threads."""

    def __init__(self, limits: Limits, context: ssl.SSLContext | None = None) -> None:
        """Opens nothing yet. `context` says whom to trust; a target that speaks no TLS needs none."""
        self._limits = limits
        self._clock = _Clock()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            keepalive_expiry=5.0,
            network_backend=_Backend(self._clock),
        )

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()

    def send(self, wire: httpx2.Request) -> Received:
        """Sends a request; LostResponseError if no whole response comes."""
        limits = self._limits
        self._clock.start(limits.deadline)
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), limits.timeout)
        request = httpcore2.Request(
            wire.method,
            httpcore2.URL(
                scheme=wire.url.raw_scheme,
                host=wire.url.raw_host,
                port=wire.url.port,
                target=wire.url.raw_path,
            ),
            headers=wire.headers.raw,
            content=wire.read(),
            extensions={"timeout": timeout},
        )
        try:
            response = self._pool.handle_request(request)
            try:
                content = self._read(response)
            finally:
                response.close()
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            cause = tls_cause(error)
            raise (UnreachableError(str(error)) if cause is None else TlsError(cause)) from None
        except LostResponseError:
            raise
        except Exception as error:  # noqa: BLE001
            # Whatever else went wrong on the way, a request may have been read.
            if self._clock.is_over():
                raise EndlessResponseError(self._too_late()) from None
            raise LostResponseError(tls_cause(error) or type(error).__name__) from None
        headers = [(name.decode("latin-1").lower(), _text(value)) for name, value in response.headers]
        return Received(response.status, headers, content)

    def _read(self, response: httpcore2.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_stream():
            parts.append(part)
            size += len(part)
            if size > self._limits.size:
                raise EndlessResponseError(f"the response is longer than {self._limits.size} bytes")
            if self._clock.is_over():
                raise EndlessResponseError(self._too_late())
        return b"".join(parts)

    def _too_late(self) -> str:
        return f"the response took longer than {self._limits.deadline:g} seconds in all"


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


class _Clock(threading.local):
    """When the request of this thread must be over."""

    end = 0.0

    def start(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """The shorter of a timeout and what is left; a read that begins too late ends at once."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout
        return left if timeout is None else min(left, timeout)

    def is_over(self) -> bool:
        return time.monotonic() >= self.end


class _Backend(httpcore2.NetworkBackend):
    """Connections whose reads and writes end with the request's time."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._inner.connect_tcp(host, port, self._clock.left(timeout), local_address, socket_options)
        return _Stream(self._clock, stream)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, clock: _Clock, inner: httpcore2.NetworkStream) -> None:
        self._clock = clock
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(
            self._clock, self._inner.start_tls(ssl_context, server_hostname, self._clock.left(timeout))
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
