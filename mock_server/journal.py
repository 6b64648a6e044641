"""The requests that are over: kept for tests and people to look at, and printed a line each."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_server.causes import Cause, cause_of
from mock_server.instants import instant_text
from mock_server.responses import Fields
from mock_server.trace import Trace

if TYPE_CHECKING:
    from mock_server.reasons import Reason

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


def _spelled(name: str) -> bytes:
    """A pattern for a name as text, as a form and as JSON: each may write a letter by its number.

    `_` stands for what may join two words, or nothing.
    """
    if len(name) > 1:
        return b"".join(map(_spelled, name))
    if name == "_":
        return rb"(?:[-_ ]|(?:%|\\u00)(?:2d|5f))?"
    return b"(?:%b|(?:%%|\\\\u00)(?:%02x|%02x))" % (name.encode(), ord(name), ord(name.upper()))


_WORDS = ("secret", "token", "api_key", "password", "assertion")
"""Ends of the names whose values are masked: client_secret, refresh_token, clientAssertion."""
_SIGNS = (b"secret", b"token", b"key", b"password", b"assertion", b"%", b"\\u")
"""One of them is in each text with a secret, and found faster than that."""
_NAMED = re.compile(
    rb"(?:" + b"|".join(map(_spelled, _WORDS)) + rb')(")?(?:\\"|%22)?\s*(?::|=|%3[ad])\s*', re.IGNORECASE
)
_SECRET_HEADER = re.compile(r"(?:secret|token|(?:api|admin)-?key|password|assertion|^cookie|^set-cookie)$")
_STRING = rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)'
_JSON_VALUE = re.compile(_STRING + rb'|\\"[^"\\]*(?:\\")?|[^\s,&"\\}\]]*', re.DOTALL)
_FORM_VALUE = re.compile(rb"[^&\r\n]*")
_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)


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
    cause: Cause | None
    fault_id: str | None

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
            if name in {"authorization", "proxy-authorization"}:
                scheme, space, _ = value.partition(" ")
                value = f"{scheme} {_MASK}" if space else _MASK
            elif _SECRET_HEADER.search(name):
                value = _MASK
            elif name == "referer":
                page, mark, _ = value.partition("?")
                value = f"{page}{mark}{mark and _MASK}"
            else:
                value = _masked(value.encode("latin-1")).decode("latin-1")
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
    def reason(self) -> "Reason | None":
        """Why it got this response, in the words of the contract; None if there is nothing to say."""
        from mock_server.reasons import reason_of  # noqa: PLC0415 - for who looks at it

        return reason_of(self)

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
        "reason": lambda entry: (reason := entry.reason) and reason._asdict(),
        "headers": lambda entry: entry.headers,
        "body": lambda entry: entry.body.decode("utf-8", "replace"),
        "bodysize": lambda entry: entry.body_size,
        "response": lambda entry: entry.response.decode("utf-8", "replace"),
        "responsesize": lambda entry: entry.response_size,
    }
)


class Journal:
    """Keeps the latest `most` entries, and fewer if they would hold more than MOST_BYTES."""

    is_shared = False
    """Whether other mocks write it too."""

    def __init__(self, most: int = DEFAULT_ENTRIES, body_limit: int = DEFAULT_BODY_LIMIT) -> None:
        self._most = most
        self._body_limit = body_limit
        self.count = 0
        """How many requests there were; the id of the latest."""
        self.cleared_at = 0
        """The `count` when it was cleared last."""
        self.clears = 0
        self.watchers: list[Callable[[], object]] = []
        """Called when something was added, or it was cleared, or has ended."""
        self.has_ended = False
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forgets every entry."""
        self._entries.clear()
        self._bytes = 0
        self.cleared_at = self.count
        self.clears += 1
        self._tell()

    async def refresh(self) -> None:
        """Has the entries that all who write it have written so far. StateUnavailable."""

    async def settle(self) -> None:
        """Lets others write what they have just responded to."""

    def watch(self, told: Callable[[], object]) -> None:
        """Calls it when something was added, or the journal was cleared."""
        self.watchers.append(told)

    def end(self) -> None:
        """Tells who watches that nothing more is of interest."""
        self.has_ended = True
        self._tell()

    def after(self, id: int, most: int) -> list[Entry]:
        """The first of the entries after one, oldest first."""
        first = max(0, len(self._entries) - (self.count - id))
        return list(islice(self._entries, first, first + most))

    def _tell(self) -> None:
        for told in self.watchers:
            told()

    def add(self, trace: Trace) -> None:
        """Keeps a request that is over."""
        self.count += 1
        scope, limit = trace.scope, self._body_limit
        headers = b"\n".join(chain.from_iterable(scope["headers"]))
        sent = trace.body or b""
        body, response = sent[:limit], trace.response[:limit]
        kept = len(body) + len(response) + len(scope["raw_path"]) + len(scope["query_string"]) + len(headers)
        cause = cause_of(trace)
        if cause is not None:
            kept += cause.size
        entry = Entry(
            self.count,
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
            cause,
            trace.fault_id,
        )
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > self._most or self._bytes > MOST_BYTES:
            self._bytes -= self._entries.popleft().size
        if self.watchers:
            self._tell()


class CallLog:
    """Writes each request that is over as one line: what it was about, its status, how long it took."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, trace: Trace) -> None:
        # What a client sends is quoted, so that it can neither forge a line nor steer a terminal.
        path = _short(ascii(_masked(trace.scope["raw_path"]).decode("latin-1"))[1:-1])
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
    """The text without its secrets, whichever way their names are spelled."""
    lowered = sent.lower()
    for sign in _SIGNS:  # a generator would take longer to start than a path takes to search
        if sign in lowered:
            break
    else:
        return sent
    is_json = sent.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"[", b'"'}
    pieces, at = [], 0
    while named := _NAMED.search(sent, at):
        pieces += [sent[at : named.end()], b'"***"' if named[1] else b"***"]
        at = _end_of_value(sent, named.end(), is_json=is_json)
    return b"".join([*pieces, sent[at:]])


def _end_of_value(sent: bytes, start: int, *, is_json: bool) -> int:
    if not is_json:
        value = _FORM_VALUE.match(sent, start)
    elif sent[start : start + 1] in {b"{", b"["}:
        return _end_of_nested(sent, start)
    else:
        value = _JSON_VALUE.match(sent, start)
    return start if value is None else value.end()


def _end_of_nested(sent: bytes, start: int) -> int:
    depth = 0
    for token in _BRACKET.finditer(sent, start):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(sent)
