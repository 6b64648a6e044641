"""What is learnt of one request on its way from the socket to the ledger and back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from starlette.types import Receive, Scope, Send

from mock_server.spec import Operation, Place

Headers = Sequence[tuple[bytes, bytes]]

TRANSPORT = "mock.transport"
"""Where the server puts the connection into the scope: ASGI itself has no way to drop one."""
WORLD_HEADER, WORLD_PREFIX = "X-Sandbox-World", "/worlds/"
"""The two ways in which a request names the world that it is for."""


class Response(NamedTuple):
    """A whole response, before it is sent."""

    status: int
    headers: Headers
    body: bytes


class Stream(Response):
    """A response whose body is not there yet, but sent by `run` after its head: in pieces, with an end."""

    run: Callable[[Scope, Receive, Send], Awaitable[None]]

    @classmethod
    def of(
        cls, status: int, headers: Headers, run: Callable[[Scope, Receive, Send], Awaitable[None]]
    ) -> Self:
        """A response that begins like this."""
        stream = cls(status, headers, b"")
        stream.run = run
        return stream


class ClientGone(Exception):
    """The client left before its request was whole: there is nobody to respond to."""


@dataclass(slots=True, eq=False)
class Trace:
    """One request: made when it arrives, filled in on its way, and read by the journal at the end."""

    scope: Scope
    operation: Operation | None
    """None for a path or a method that no operation has."""
    path: Mapping[str, str]
    """The parameters in the path."""
    arrived: float
    """By the mock's clock, in seconds since 1970."""
    started: float
    """By a clock that nobody can set; only differences count."""
    seconds: float = 0
    """How long it took until the response was sent."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The parameters in the query, by the names of the document."""
    body: bytes | None = None
    """None until it was read."""
    document: Any = None
    """What the body says, once `parsed`."""
    parsed: bool = False
    error: Exception | None = None
    """Why the request was refused; without its traceback, which would hold all of the request."""
    result: object = None
    """What the handler returned."""
    fault: str | None = None
    """What the injected fault does, as the command line writes it."""
    fault_id: str | None = None
    status: int | None = None
    """The status that was sent; None if no response was."""
    response: bytes = b""
    """The body that was sent."""

    @property
    def load(self) -> object:
        """The load number that the request names, of whatever type; None for none."""
        return None if self.operation is None else self._found(self.operation.subject.load)

    @property
    def reference(self) -> object:
        """The reference number that the request names, of whatever type; None for none."""
        return None if self.operation is None else self._found(self.operation.subject.reference)

    def _found(self, place: Place | None) -> object:
        if place is None:
            return None
        fields = self.query if place.part == "query" else self.document
        return fields.get(place.name) if isinstance(fields, dict) else None
