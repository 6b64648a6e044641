"""The requests that are over: kept for tests and people to look at, and printed a line each."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

from mock_server.instants import instant_text
from mock_server.responses import Fields
from mock_server.trace import Trace

DEFAULT_ENTRIES = 1000
DEFAULT_BODY_LIMIT = 16 * 1024
MOST_BYTES = 32 * 1024 * 1024
"""What all entries together may take, whatever their number."""

_OVERHEAD = 1000
"""About what an entry takes besides the bytes that were sent."""
_LONGEST_SUBJECT = 250
"""Characters of a load number or a reference that an entry keeps."""
_LONGEST_IN_LINE = 200
"""Characters of what a client sent that a line shows."""
_MASK = "***"
_SECRET = re.compile(
    rb'("(?:client_secret|access_token)"\s*:\s*)"(?:[^"\\]|\\.)*"?|\b((?:client_secret|access_token)=)[^&\s]*'
)


class Entry(NamedTuple):
    """One request and its response. Secrets in what both sides sent are masked when it is looked at."""

    id: int
    arrived: float
    """When the request arrived, by the mock's clock, in seconds since 1970."""
    seconds: float
    """How long it took until the response was sent."""
    method: str
    raw_path: bytes
    query_string: bytes
    raw_headers: bytes
    """Names and values by turns, a line each: one thing to keep and to weigh."""
    operation: str | None
    """The operationId, or None for a path or a method that no operation has."""
    status: int | None
    """None if no response was sent."""
    load: str | None
    """The load number that the request named."""
    reference: str | None
    fault: str | None
    """What the injected fault did, if there was one."""
    raw_body: bytes
    """As far as it was read: not if the request was refused before."""
    body_size: int
    raw_response: bytes
    response_size: int
    size: int
    """About how many bytes of memory it takes."""

    @property
    def at(self) -> datetime:
        """When the request arrived, by the mock's clock."""
        return datetime.fromtimestamp(self.arrived, UTC)

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
    def response(self) -> bytes:
        """The body of the response, cut at the journal's limit."""
        return _masked(self.raw_response)

    @property
    def json(self) -> Any:
        """The body of the request as JSON; ValueError if it is not JSON, or was cut."""
        return json.loads(self.body)


ENTRY = Fields[Entry](
    {
        "id": lambda entry: entry.id,
        "at": lambda entry: instant_text(entry.at),
        "milliseconds": lambda entry: round(entry.seconds * 1000, 3),
        "method": lambda entry: entry.method,
        "path": lambda entry: entry.path,
        "operation": lambda entry: entry.operation,
        "status": lambda entry: entry.status,
        "useragent": lambda entry: entry.user_agent,
        "load": lambda entry: entry.load,
        "reference": lambda entry: entry.reference,
        "fault": lambda entry: entry.fault,
        "headers": lambda entry: entry.headers,
        "body": lambda entry: entry.body.decode("utf-8", "replace"),
        "bodysize": lambda entry: entry.body_size,
        "response": lambda entry: entry.response.decode("utf-8", "replace"),
        "responsesize": lambda entry: entry.response_size,
    }
)


class Journal:
    """Keeps the latest `most` entries, and fewer if they would hold more than MOST_BYTES."""

    def __init__(self, most: int = DEFAULT_ENTRIES, body_limit: int = DEFAULT_BODY_LIMIT) -> None:
        self._most = most
        self._body_limit = body_limit
        self._count = 0
        self.clear()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forgets every entry."""
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def add(self, trace: Trace) -> None:
        """Keeps a request that is over."""
        self._count += 1
        scope, limit = trace.scope, self._body_limit
        headers = b"\n".join(chain.from_iterable(scope["headers"]))
        sent = trace.body or b""
        body, response = sent[:limit], trace.response[:limit]
        kept = len(body) + len(response) + len(scope["raw_path"]) + len(scope["query_string"]) + len(headers)
        entry = Entry(
            self._count,
            trace.arrived,
            trace.seconds,
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            headers,
            None if trace.operation is None else trace.operation.id,
            trace.status,
            _text(trace.load),
            _text(trace.reference),
            trace.fault,
            body,
            len(sent),
            response,
            len(trace.response),
            _OVERHEAD + kept,
        )
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > self._most or self._bytes > MOST_BYTES:
            self._bytes -= self._entries.popleft().size


class CallLog:
    """Writes each request that is over as one line: what it was about, its status, how long it took."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, trace: Trace) -> None:
        # What a client sends is quoted, so that it can neither forge a line nor steer a terminal.
        path = _short(ascii(trace.scope["raw_path"].decode("latin-1"))[1:-1])
        named = "".join(
            f" {what}={_short(ascii(value))}"
            for what, value in (("load", trace.load), ("reference", trace.reference))
            if value
        )
        milliseconds = trace.seconds * 1000
        self._write(f"{trace.scope['method']} {path} {trace.status or '-'}{named} {milliseconds:.1f} ms")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_IN_LINE else f"{text[:_LONGEST_IN_LINE]}..."


def _text(value: object) -> str | None:
    return value[:_LONGEST_SUBJECT] if isinstance(value, str) else None


def _masked(sent: bytes) -> bytes:
    return _SECRET.sub(_mask, sent)


def _mask(match: re.Match[bytes]) -> bytes:
    return match[1] + b'"***"' if match[1] else match[2] + b"***"
