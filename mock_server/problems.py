"""Every error becomes a problem document (RFC 9457), by one table: error class -> status and field."""

import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from mock_server.decimal_json import encode
from mock_server.domain import LoadIdTaken, LoadNotFound, LoadNotPayable
from mock_server.spec import SpecError
from mock_server.trace import Headers, Response

MEDIA_TYPE = "application/problem+json"


class UnknownPath(Exception):
    """No operation has the path, or not in that version of the API."""


class MethodNotAllowed(Exception):
    """The path has operations, but none with this method. `allowed` are theirs."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        names = ", ".join(sorted(allowed))
        self.headers = {"allow": names}
        super().__init__(f"{method} is not allowed here, only {names}.")


class ClientRefused(Exception):
    """No client of the token endpoint has this id and this secret."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class GrantRefused(Exception):
    """A known client asks for a token that it may not have. `code` is OAuth's code for the reason."""

    def __init__(self, code: str, description: str) -> None:
        self.code = code
        super().__init__(description)


class TokenRefused(Exception):
    """There is no access token, or it is not valid; the challenge is that of RFC 6750.

    `expired_at` is when it expired, in seconds since 1970.
    """

    def __init__(self, reason: str = "", expired_at: int | None = None) -> None:
        self.expired_at = expired_at
        code = f' error="invalid_token", error_description="{reason}"' if reason else ""
        self.headers = {"www-authenticate": f"Bearer{code}"}
        super().__init__(reason or "An access token is required.")


class ScopeMissing(Exception):
    """The access token is valid, and lacks a scope that the operation needs."""

    def __init__(self, needed: Iterable[str]) -> None:
        scope = " ".join(needed)
        self.headers = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        super().__init__(f"The access token must have the scope {scope}.")


class KeyMissing(Exception):
    """The request lacks the key, or the user and password, that the operation needs."""

    def __init__(self, kind: str, name: str) -> None:
        challenge = "Basic" if kind == "basic" else f'ApiKey in="{kind}", name="{name}"'
        self.headers = {"www-authenticate": challenge}
        super().__init__(f"The {name} {'header' if kind == 'basic' else kind} is required.")


class NoExample(Exception):
    """Nothing satisfies the schema that a response has in the document."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"No example satisfies the schema that the document has for {operation}.")


class RateLimitExceeded(Exception):
    """Too many requests; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        self.headers = {"retry-after": str(retry_after)}
        super().__init__(f"Too many requests. Try again in {retry_after} seconds.")


class UnknownFault(Exception):
    """No fault has the id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"There is no fault with the id {id}.")


class UnknownWebhook(Exception):
    """No webhook, or no delivery to one, has the id."""

    def __init__(self, what: str, id: str) -> None:
        super().__init__(f"There is no {what} with the id {id}.")


class SwitchedOff(Exception):
    """The request needs something that was switched off at the start; the message says what."""


class StateUnavailable(Exception):
    """What keeps the loads can't be used now; nothing is changed. `reason` is its own, without a password."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.headers = {"retry-after": "1"}
        super().__init__(f"The state of the sandbox can't be used now: {reason}. Try again in a second.")


class TooManyListeners(Exception):
    """As many as the journal tells of its requests are listening already."""

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} listeners, which is the most. End one first.")


class TooManyWorlds(Exception):
    """There are as many worlds as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} worlds, which is the most. End one first.")


class UnknownWorld(Exception):
    """No world has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no world with the name {name}.")


class ForeignRequest(Exception):
    """A web page that is not ours may have sent it; the message says what makes it look so."""


ADMIN_KEY = "X-Admin-Key"
"""The header with the key of the admin API."""


class AdminKeyMissing(Exception):
    """The admin API wants its key, and the request has none or another."""

    def __init__(self) -> None:
        self.headers = {"www-authenticate": ADMIN_KEY}
        super().__init__(f"The admin API wants its key in the header {ADMIN_KEY}.")


class UnsupportedMediaType(Exception):
    """The operation does not take the Content-Type of the body."""

    def __init__(self, accepted: Iterable[str]) -> None:
        super().__init__(f"The Content-Type must be one of: {', '.join(accepted)}; in UTF-8.")


class ContentTooLarge(Exception):
    """The body is longer than the server reads. `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body must not be longer than {limit} bytes.")


class HeadTooLarge(Exception):
    """The request line and the headers, or the trailers, are longer than the server reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request line and the headers must not be longer than {limit} bytes.")


class RequestTimedOut(Exception):
    """The request did not become whole in time."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The request was not whole within {seconds} seconds.")


class InvalidRequest(Exception):
    """The request breaks its schema. `errors`: field -> sentences, `$` for the body as a whole.

    `status` is another where a profile says so.
    """

    def __init__(
        self, errors: Mapping[str, Sequence[str]], status: HTTPStatus = HTTPStatus.BAD_REQUEST
    ) -> None:
        self.errors = errors
        self.status = status
        super().__init__(next(iter(errors.values()))[0])


class Row(NamedTuple):
    """How an error is responded to: its status, and the field of the request that a 400 names."""

    status: HTTPStatus
    field: str | None = None


ROWS: Mapping[type[Exception], Row] = {
    InvalidRequest: Row(HTTPStatus.BAD_REQUEST),  # which names its fields itself
    LoadNotPayable: Row(HTTPStatus.BAD_REQUEST, "Status"),
    LoadNotFound: Row(HTTPStatus.NOT_FOUND),
    LoadIdTaken: Row(HTTPStatus.CONFLICT),
    SwitchedOff: Row(HTTPStatus.CONFLICT),
    UnknownFault: Row(HTTPStatus.NOT_FOUND),
    UnknownWebhook: Row(HTTPStatus.NOT_FOUND),
    ClientRefused: Row(HTTPStatus.UNAUTHORIZED),
    GrantRefused: Row(HTTPStatus.FORBIDDEN),
    TokenRefused: Row(HTTPStatus.UNAUTHORIZED),
    ScopeMissing: Row(HTTPStatus.FORBIDDEN),
    KeyMissing: Row(HTTPStatus.UNAUTHORIZED),
    NoExample: Row(HTTPStatus.NOT_IMPLEMENTED),
    TooManyListeners: Row(HTTPStatus.SERVICE_UNAVAILABLE),
    TooManyWorlds: Row(HTTPStatus.SERVICE_UNAVAILABLE),
    UnknownWorld: Row(HTTPStatus.NOT_FOUND),
    ForeignRequest: Row(HTTPStatus.FORBIDDEN),
    AdminKeyMissing: Row(HTTPStatus.UNAUTHORIZED),
    RateLimitExceeded: Row(HTTPStatus.TOO_MANY_REQUESTS),
    UnknownPath: Row(HTTPStatus.NOT_FOUND),
    MethodNotAllowed: Row(HTTPStatus.METHOD_NOT_ALLOWED),
    ContentTooLarge: Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    HeadTooLarge: Row(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    RequestTimedOut: Row(HTTPStatus.REQUEST_TIMEOUT),
    StateUnavailable: Row(HTTPStatus.SERVICE_UNAVAILABLE),
    UnsupportedMediaType: Row(HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
}
"""Every error of the domain and of this module. What is not here is a defect of the server: 500."""

_SERVER_ERROR = Row(HTTPStatus.INTERNAL_SERVER_ERROR)
_RETRY_AFTER = 60
_TITLE = {HTTPStatus.BAD_REQUEST: "One or more validation errors occurred."}
_SECTIONS = {HTTPStatus.UNPROCESSABLE_ENTITY: "5.21", HTTPStatus.MISDIRECTED_REQUEST: "5.20"}
"""Where RFC 9110 leaves numbers out."""
_SECTIONS_OF_RFC_6585 = {HTTPStatus.TOO_MANY_REQUESTS: 4, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: 5}


def check_rows() -> None:
    """SpecError if an error of the domain or of this module could not be responded to as documented.

    Without a row it would be a 500; a 400 without a field would lack the `errors` that its schema requires.
    """
    for error in (*_errors_in(LoadNotFound.__module__), *_errors_in(__name__)):
        row = ROWS.get(error)
        if row is None:
            raise SpecError(f"{error.__name__} has no status: add it to ROWS in mock_server/problems.py")
        if row.status is HTTPStatus.BAD_REQUEST and row.field is None and error is not InvalidRequest:
            raise SpecError(f"{error.__name__} is a 400 without a field: name it in mock_server/problems.py")


def _errors_in(module: str) -> list[type[Exception]]:
    named = vars(sys.modules[module]).values()
    classes = [each for each in named if isinstance(each, type) and each.__module__ == module]
    return [each for each in classes if issubclass(each, Exception)]


def header_list(headers: Mapping[str, str]) -> Headers:
    """Headers as ASGI has them."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class Refusal(NamedTuple):
    """What is said of an error: the status, the sentences by field, and the first of them."""

    status: HTTPStatus
    errors: Mapping[str, Sequence[str]]
    detail: str
    headers: Mapping[str, str]


def refusal_of(error: Exception) -> Refusal:
    """What is said of an error, in whatever form."""
    status, field = ROWS.get(type(error), _SERVER_ERROR)
    errors: Mapping[str, Sequence[str]] = {} if field is None else {field: [str(error)]}
    if isinstance(error, InvalidRequest):
        status = error.status
        errors = {} if status is HTTPStatus.NOT_FOUND else error.errors
    detail = "" if status is HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    return Refusal(status, errors, detail, getattr(error, "headers", {}))


def problem(error: Exception) -> Response:
    """The problem document for an error."""
    status, errors, detail, more_headers = refusal_of(error)
    more = {name: value for name, value in (("detail", detail), ("errors", errors)) if value}
    headers = {"content-type": MEDIA_TYPE, **more_headers}
    return Response(status.value, header_list(headers), _problem_body(status, more))


def oauth_error(error: Exception) -> Response:
    """The refusal of a token (RFC 6749, section 5.2); a problem if OAuth has no code for the error."""
    codes = {ClientRefused: "access_denied", InvalidRequest: "invalid_request"}
    code = error.code if isinstance(error, GrantRefused) else codes.get(type(error))
    if code is None:
        return problem(error)
    headers = header_list({"content-type": "application/json", "cache-control": "no-store"})
    body = encode({"error": code, "error_description": str(error)})
    return Response(ROWS[type(error)].status.value, headers, body)


def failure(code: int, retry_after: int | None, *, with_problem: bool) -> Response:
    """The response of a service that fails; a 429 says when to come back, by default as published."""
    status = HTTPStatus(code)
    if retry_after is None and status is HTTPStatus.TOO_MANY_REQUESTS:
        retry_after = _RETRY_AFTER
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    if not with_problem:
        return Response(status.value, header_list(headers), b"")
    return Response(
        status.value, header_list({"content-type": MEDIA_TYPE, **headers}), _problem_body(status, {})
    )


def _problem_body(status: HTTPStatus, more: Mapping[str, object]) -> bytes:
    """A problem document: what every problem has, and what this one has besides."""
    return encode({**head_of(status), **more, "traceId": trace_id()})


def head_of(status: HTTPStatus) -> dict[str, object]:
    """What every problem of this status begins with."""
    return {"type": _type(status), "title": _TITLE.get(status, status.phrase), "status": status.value}


def trace_id() -> str:
    """A fresh traceId."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def _type(status: HTTPStatus) -> str:
    if status in _SECTIONS_OF_RFC_6585:
        return f"https://tools.ietf.org/html/rfc6585#section-{_SECTIONS_OF_RFC_6585[status]}"
    section = f"5.{status - 399}" if status < HTTPStatus.INTERNAL_SERVER_ERROR else f"6.{status - 499}"
    section = _SECTIONS.get(status, section)
    return f"https://tools.ietf.org/html/rfc9110#section-15.{section}"
