"""Posts a body to a URL, and reads no more of the response than is kept. Imported with the first webhook."""

import asyncio
from collections.abc import Mapping
from ssl import SSLContext
from typing import NamedTuple

import httpcore2


class Answer(NamedTuple):
    """What came of it: the status and the beginning of the body, or why there was no response."""

    status: int | None
    body: bytes
    error: str | None = None


class Courier:
    """Follows no redirect, asks no proxy, keeps no cookie and no connection."""

    def __init__(self) -> None:
        self._trust: SSLContext | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, most: int) -> Answer:
        """The response, with at most so many bytes of its body. It waits as long as it takes."""
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            if url.startswith("https:") and self._trust is None:
                # In a thread: to read the certificates takes longer than a thousand payments.
                self._trust = await asyncio.to_thread(httpcore2.default_ssl_context)
            async with (
                httpcore2.AsyncConnectionPool(self._trust) as pool,
                pool.stream("POST", url, headers=sent, content=body) as response,
            ):
                read = b""
                async for piece in response.aiter_stream():
                    read += piece
                    if len(read) >= most:
                        break
                return Answer(response.status, read[:most])
        except Exception as error:  # noqa: BLE001 - whatever a receiver does, there is an end to it
            return Answer(None, b"", f"{type(error).__name__}: {error}".removesuffix(": "))
