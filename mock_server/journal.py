"""The latest requests and their answers, for tests and people to look at."""

import json
import re
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.clock import Clock
from mock_server.handlers import subject
from mock_server.instants import instant_text
from mock_server.shapes import Facts

DEFAULT_ENTRIES = 1000
DEFAULT_BODY_LIMIT = 16 * 1024
MOST_BYTES = 32 * 1024 * 1024
"""What all entries together may hold, whatever their number."""

_OVERHEAD = 1000
"""About what an entry takes besides the bytes that were sent."""
_LONGEST_SUBJECT = 250
"""Characters."""
_MASK = "***"
_SECRET = re.compile(
    rb'("(?:client_secret|access_token)"\s*:\s*)"(?:[^"\\]|\\.)*"?|\b((?:client_secret|access_token)=)[^&\s]*'
)


class Entry(NamedTuple):
    """One request and its answer. What the client and the server sent is masked when it is looked at."""

    id: int
    came: float
    """When the request came, by the mock's clock, in seconds since 1970."""
    seconds: float
    """How long the answer took."""
    method: str
    raw_path: bytes
    query_string: bytes
    raw_headers: bytes
    """Names and values by turns, a line each: one thing to keep and to weigh."""
    operation: str | None
    """The operationId, or None for a path or a method that there is not."""
    status: int | None
    """None if there was no answer."""
    load: str | None
    """The load number that the request named."""
    reference: str | None
    fault: str | None
    """What the mock did wrong because somebody asked for it."""
    raw_body: bytes
    """As far as it was read: not if the request was refused before."""
    body_size: int
    raw_answer: bytes
    answer_size: int
    size: int
    """About how many bytes of memory it takes."""

    @property
    def at(self) -> datetime:
        """When the request came, by the mock's clock."""
        return datetime.fromtimestamp(self.came, UTC)

    @property
    def path(self) -> str:
        """The path and the query, as sent."""
        query = b"?" + self.query_string if self.query_string else b""
        return _masked(self.raw_path + query).decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by their lowercase names; of credentials only the kind is shown."""
        headers: dict[str, str] = {}
        lines = iter(self.raw_headers.decode("latin-1").split("\n"))
        for name, sent in zip(lines, lines, strict=False):
            value = sent
            if name in {"authorization", "proxy-authorization", "cookie"}:
                scheme, space, _ = value.partition(" ")
                value = f"{scheme} {_MASK}" if space and name != "cookie" else _MASK
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    @property
    def user_agent(self) -> str | None:
        """The User-Agent header."""
        return self.headers.get("user-agent")

    @property
    def body(self) -> bytes:
        """The body of the request, cut at the journal's limit."""
        return _masked(self.raw_body)

    @property
    def answer(self) -> bytes:
        """The body of the answer, cut at the journal's limit."""
        return _masked(self.raw_answer)

    @property
    def json(self) -> Any:
        """The body of the request as JSON; ValueError if it is none, or was cut."""
        return json.loads(self.body)


_SIZE = Entry._fields.index("size")

ENTRY = Facts(
    plain={
        "id": attrgetter("id"),
        "at": lambda entry: instant_text(entry.at),
        "milliseconds": lambda entry: round(entry.seconds * 1000, 3),
        "method": attrgetter("method"),
        "path": attrgetter("path"),
        "operation": attrgetter("operation"),
        "status": attrgetter("status"),
        "useragent": attrgetter("user_agent"),
        "load": attrgetter("load"),
        "reference": attrgetter("reference"),
        "fault": attrgetter("fault"),
        "headers": attrgetter("headers"),
        "body": lambda entry: entry.body.decode("utf-8", "replace"),
        "bodysize": attrgetter("body_size"),
        "answer": lambda entry: entry.answer.decode("utf-8", "replace"),
        "answersize": attrgetter("answer_size"),
    }
)
"""What is known about an entry."""


class Journal:
    """Keeps the latest `most` entries, and fewer if they would hold more than MOST_BYTES."""

    def __init__(
        self, clock: Clock, most: int = DEFAULT_ENTRIES, body_limit: int = DEFAULT_BODY_LIMIT
    ) -> None:
        self._clock = clock
        self._most = most
        self._body_limit = body_limit
        self._count = 0
        self.clear()

    def __iter__(self) -> Iterator[Entry]:
        return map(Entry._make, tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forgets every entry."""
        self._entries: deque[tuple[Any, ...]] = deque()
        self._bytes = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        """An app that does what `app` does, and is written down."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            limit = self._body_limit
            came = self._clock.seconds()
            started = time.perf_counter()
            scope["mock.answer"] = b""  # asks for a note of what is answered
            try:
                await app(scope, receive, send)
            finally:
                headers = b"\n".join(chain.from_iterable(scope["headers"]))
                sent = scope.get("mock.body", b"")
                body = sent[:limit]
                answered = scope.pop("mock.answer")
                answer = answered[:limit]
                load, reference = subject(scope)
                self._add(
                    (
                        self._count + 1,
                        came,
                        time.perf_counter() - started,
                        scope["method"],
                        scope["raw_path"],
                        scope["query_string"],
                        headers,
                        scope.get("mock.operation"),
                        scope.get("mock.status"),
                        _text(load),
                        _text(reference),
                        scope.get("mock.fault"),
                        body,
                        len(sent),
                        answer,
                        len(answered),
                        _OVERHEAD
                        + len(body)
                        + len(answer)
                        + len(scope["raw_path"])
                        + len(scope["query_string"])
                        + len(headers),
                    )
                )

        return call

    def _add(self, entry: tuple[Any, ...]) -> None:
        self._count += 1
        self._entries.append(entry)
        # A bare tuple: to make an Entry of it takes time, which only a reader should spend. And nothing but
        # tuples, texts and numbers in it: those the garbage collector soon leaves alone, where a thousand
        # lists that come and go would have it look through the whole memory again and again.
        self._bytes += entry[_SIZE]
        while len(self._entries) > self._most or self._bytes > MOST_BYTES:
            self._bytes -= self._entries.popleft()[_SIZE]


def _text(value: object) -> str | None:
    return value[:_LONGEST_SUBJECT] if isinstance(value, str) else None


def _masked(sent: bytes) -> bytes:
    return _SECRET.sub(_mask, sent)


def _mask(match: re.Match[bytes]) -> bytes:
    return match[1] + b'"***"' if match[1] else match[2] + b"***"
