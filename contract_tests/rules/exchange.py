"""What is sent and what comes back, as plain values that can be judged, printed and stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request, before it is sent. `path` starts with a slash and holds no query.

    `content` is the body's exact bytes. No header of `headers` carries a credential: the client
    adds it, unless `anonymous` is set, or `token` names another one to try (a bad one).
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    anonymous: bool = False
    token: str | None = None
    must_be_refused: bool = False
    """The contract says that this request records nothing; the guard stops the run if it does."""


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request. Header names are in lowercase."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. `started` is an RFC 3339 instant in UTC, `seconds` the duration."""

    request: Request
    response: Response
    started: str
    seconds: float
