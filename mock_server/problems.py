"""Every error becomes one problem document (RFC 9457): error class -> status -> document."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from mock_server.decimal_json import encode
from mock_server.domain import LoadIdTaken, LoadNotFound, LoadNotPayable

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
    """Nobody who asks for a token has this id and this secret."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class GrantRefused(Exception):
    """A known client asks for a token that it may not have. `code` is OAuth's word for why."""

    def __init__(self, code: str, description: str) -> None:
        self.code = code
        super().__init__(description)


class TokenRefused(Exception):
    """There is no access token, or it is not valid. Both are told as RFC 6750 says."""

    def __init__(self, reason: str = "") -> None:
        code = f' error="invalid_token", error_description="{reason}"' if reason else ""
        self.headers = {"www-authenticate": f"Bearer{code}"}
        super().__init__(reason or "An access token is required.")


class ScopeMissing(Exception):
    """The access token is valid, and lacks a scope that the operation needs."""

    def __init__(self, needed: Iterable[str]) -> None:
        scope = " ".join(needed)
        self.headers = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        super().__init__(f"The access token must have the scope {scope}.")


class RateLimitExceeded(Exception):
    """Too many requests; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        self.headers = {"retry-after": str(retry_after)}
        super().__init__(f"Too many requests. Try again in {retry_after} seconds.")


class UnknownFault(Exception):
    """No fault has the id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"There is no fault {id}.")


class SwitchedOff(Exception):
    """What is asked about was switched off at the start; the message says what."""


class UnsupportedMediaType(Exception):
    """The body's Content-Type is none that the operation takes."""

    def __init__(self, accepted: Iterable[str]) -> None:
        super().__init__(f"The Content-Type must be one of: {', '.join(accepted)}; in UTF-8.")


class ContentTooLarge(Exception):
    """The body is longer than the server reads. `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body must not be longer than {limit} bytes.")


class InvalidRequest(Exception):
    """The request breaks its schema. `errors`: member -> sentences, `$` for the body as a whole."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = errors
        super().__init__(next(iter(errors.values()))[0])


STATUS: Mapping[type[Exception], HTTPStatus] = {
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    LoadNotPayable: HTTPStatus.BAD_REQUEST,
    LoadNotFound: HTTPStatus.NOT_FOUND,
    LoadIdTaken: HTTPStatus.CONFLICT,
    SwitchedOff: HTTPStatus.CONFLICT,
    UnknownFault: HTTPStatus.NOT_FOUND,
    ClientRefused: HTTPStatus.UNAUTHORIZED,
    GrantRefused: HTTPStatus.FORBIDDEN,
    TokenRefused: HTTPStatus.UNAUTHORIZED,
    ScopeMissing: HTTPStatus.FORBIDDEN,
    RateLimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    UnknownPath: HTTPStatus.NOT_FOUND,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    ContentTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
"""The status of each error. What is not here is a fault of the server: 500."""

_RETRY_AFTER = 60
_TITLE = {HTTPStatus.BAD_REQUEST: "One or more validation errors occurred."}


class Refusal(NamedTuple):
    """An answer that is no success."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes


def problem(error: Exception) -> Refusal:
    """What answers `error`."""
    status = STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    told: dict[str, object] = {}
    if status is not HTTPStatus.INTERNAL_SERVER_ERROR:
        told["detail"] = str(error)
    if isinstance(error, InvalidRequest):
        told["errors"] = error.errors
    if isinstance(error, LoadNotPayable):
        told["errors"] = {"Status": [str(error)]}
    headers = {"content-type": MEDIA_TYPE, **getattr(error, "headers", {})}
    return Refusal(status, headers, _problem_body(status, told))


def oauth_error(error: Exception) -> Refusal:
    """What answers a request for a token (RFC 6749, section 5.2); a problem if OAuth has no word for it."""
    codes = {ClientRefused: "access_denied", InvalidRequest: "invalid_request"}
    code = error.code if isinstance(error, GrantRefused) else codes.get(type(error))
    if code is None:
        return problem(error)
    body = encode({"error": code, "error_description": str(error)})
    return Refusal(
        STATUS[type(error)], {"content-type": "application/json", "cache-control": "no-store"}, body
    )


def failure(code: int, retry_after: int | None, *, with_problem: bool) -> Refusal:
    """What a service answers that fails; for 429 it says when to come back, by default as published."""
    status = HTTPStatus(code)
    if retry_after is None and status is HTTPStatus.TOO_MANY_REQUESTS:
        retry_after = _RETRY_AFTER
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    if not with_problem:
        return Refusal(status, headers, b"")
    return Refusal(status, {"content-type": MEDIA_TYPE, **headers}, _problem_body(status, {}))


def _problem_body(status: HTTPStatus, told: Mapping[str, object]) -> bytes:
    """A problem document with what every problem says, and what is told of this one."""
    document = {
        "type": _type(status),
        "title": _TITLE.get(status, status.phrase),
        "status": status.value,
        **told,
        "traceId": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
    }
    return encode(document)


def _type(status: HTTPStatus) -> str:
    if status is HTTPStatus.TOO_MANY_REQUESTS:  # the one that is not in RFC 9110
        return "https://tools.ietf.org/html/rfc6585#section-4"
    section = f"5.{status - 399}" if status < HTTPStatus.INTERNAL_SERVER_ERROR else f"6.{status - 499}"
    return f"https://tools.ietf.org/html/rfc9110#section-15.{section}"
