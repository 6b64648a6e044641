"""What is sent and what comes back, as plain values that can be judged, printed and stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias

from contract_tests.rules.values import Json, NotJsonError, Parsed, parse_json

NO_RESPONSE: Final = 0
"""The status of a response that never came. No contract allows it, so an oracle reports it."""
_LONGEST_SUMMARY = 400
REFUSALS_OF_THE_CALLER = (401, 403, 429)
"""Statuses that tell of the token or the rate, and not of what was asked."""
_PAGES: Final = (b"<!doctype html", b"<html")

Spoiled: TypeAlias = Literal["longer", "shorter", "in other case", "of another scheme", "without a scheme"]
"""How the run's own token is spoiled before it is sent, so that it is none."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, before it is sent. `path` starts with a slash and holds no query.

    `content` is the body's exact bytes. No header of `headers` carries a credential: the client
    adds it, unless `anonymous` is set, or `token` names another one to try (a bad one). The client also
    spoils its own one on demand, or fetches a `renewed` one where it can.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    anonymous: bool = False
    token: str | None = None
    spoiled: Spoiled | None = None
    renewed: bool = False
    must_be_refused: bool = False
    """One of the rules R1 to R5 says that this records nothing; the guard stops the run if it does."""
    clause: str = ""
    """The clause that refuses it; nothing where the contract leaves it open, or wants it recorded."""

    @property
    def brings_our_token(self) -> bool:
        """Whether it carries the token of the run as it is, if there is one."""
        return not (self.anonymous or self.token is not None or self.spoiled is not None)


@dataclass(frozen=True)
class Response:
    """What came back. Header names are in lowercase. The body is parsed once, when it is first asked for."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @cached_property
    def _parsed(self) -> Parsed | None:
        try:
            return parse_json(self.content)
        except NotJsonError:
            return None

    def __reduce__(self) -> tuple[type["Response"], tuple[int, dict[str, str], bytes]]:
        """Is stored without what was parsed."""
        return Response, (self.status, dict(self.headers), self.content)

    @property
    def is_json(self) -> bool:
        """Whether the body is a JSON document."""
        return self._parsed is not None

    @property
    def document(self) -> Json:
        """The body's JSON, or its text where it is not JSON."""
        return self._parsed.document if self._parsed else self.content.decode(errors="replace")

    @property
    def fields(self) -> Mapping[str, Json]:
        """The fields of the body's JSON object; none where it is something else."""
        return self.document if isinstance(self.document, dict) else {}

    @property
    def is_refusal(self) -> bool:
        """Whether the status is a 4xx."""
        return 400 <= self.status < 500

    @property
    def is_html(self) -> bool:
        """Whether the body is a page for people: what a gateway, a proxy or a login sends, and no API."""
        if self.content[:_LONGEST_SUMMARY].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
            return True
        return self.media_type == "text/html" and bool(self.content.strip()) and not self.is_json

    @property
    def is_of_the_road(self) -> bool:
        """Whether it tells of the way to the service rather than of the service's rules.

        A token that is not taken, a rate limit, a page for people from something in between. Not a 5xx,
        whatever its form: how often it came tells whose it is (`Exchange.attempts`).
        """
        return self.status in REFUSALS_OF_THE_CALLER or (self.is_html and self.status < 500)

    @property
    def media_type(self) -> str:
        """The media type of the body, as `media_type_of` gives it."""
        return media_type_of(self.headers)

    @property
    def summary(self) -> str:
        """The status and the beginning of the body."""
        return f"{self.status} {self.content.decode(errors='replace')[:_LONGEST_SUMMARY]}".strip()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its last response. `started` is an RFC 3339 instant in UTC, `seconds` the duration."""

    request: Request
    response: Response
    started: str
    seconds: float
    earlier: tuple[int, ...] = ()
    """The statuses that the request got before, and that may be the road's: a 5xx, a page of HTML, none."""

    @property
    def attempts(self) -> int:
        """How often the request got this status.

        Of a response that may be the road's: above 1, another request was answered since, so it is not.
        """
        return 1 + self.earlier.count(self.response.status)


def media_type_of(headers: Mapping[str, str]) -> str:
    """The media type of a message in lowercase, without parameters; empty if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()
