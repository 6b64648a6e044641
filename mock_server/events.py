"""Requests as they end, told to who listens: server-sent events. Imported with the first listener."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.types import Receive, Scope, Send

from mock_server.decimal_json import encode
from mock_server.endpoint import OK
from mock_server.journal import Entry, Journal
from mock_server.problems import TooManyListeners, header_list
from mock_server.trace import Stream

MOST_LISTENERS = 16
HEARTBEAT = 15
"""Seconds after which a listener hears that the connection is still there."""
_AT_ONCE = 50
"""Entries that are taken from the journal for one listener: the others wait there, and may be dropped."""
_HEADERS = header_list({"content-type": "text/event-stream", "cache-control": "no-store"})


def listen(journal: Journal, write: Callable[[Entry], object], after: int | None) -> Stream:
    """What one listener hears; `after` is the id of the last entry that it knows. TooManyListeners.

    A `Last-Event-ID`, with which a browser comes back, counts instead of `after`. Without either, it hears
    what comes from now on.
    """
    if len(journal.watchers) >= MOST_LISTENERS:
        raise TooManyListeners(MOST_LISTENERS)

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        latest = dict(scope["headers"]).get(b"last-event-id", b"")
        events = _events(journal, write, int(latest) if latest.isdigit() else after)
        tasks = [asyncio.create_task(_send_all(events, send)), asyncio.create_task(_until_gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        ended, _ = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return Stream.of(OK, _HEADERS, run)


async def _send_all(events: AsyncGenerator[bytes, None], send: Send) -> None:
    async with aclosing(events):
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    """Until the client leaves, or the server stops."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _events(
    journal: Journal, write: Callable[[Entry], object], after: int | None
) -> AsyncGenerator[bytes, None]:
    known = journal.count if after is None else after
    clears = journal.clears
    if 0 < known <= journal.cleared_at or known > journal.count:  # what it knows is not there any more
        clears -= 1
    known = max(known, journal.cleared_at)
    news = asyncio.Event()
    journal.watch(news.set)
    try:
        yield b"retry: 1000\n\n"
        while not journal.has_ended:
            news.clear()
            if clears != journal.clears:
                clears, known = journal.clears, journal.cleared_at
                yield _event("cleared", {})
            for entry in journal.after(known, _AT_ONCE):
                if missed := entry.id - known - 1:
                    yield _event("skipped", {"count": missed})
                known = entry.id
                yield _event("request", write(entry), known)
                news.set()  # there may be more
            try:
                # `wait_for` of Python 3.11 drops a cancellation that comes together with what it waits for.
                async with asyncio.timeout(HEARTBEAT):
                    await news.wait()
            except TimeoutError:
                yield b": still there\n\n"
    finally:
        journal.watchers.remove(news.set)


def _event(name: str, data: object, id: int | None = None) -> bytes:
    known_as = b"" if id is None else b"id: %d\n" % id
    return b"event: %b\n%bdata: %b\n\n" % (name.encode(), known_as, encode(data))
