"""Every error becomes one problem document (RFC 9457): error class -> status -> document."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from mock_server.decimal_json import encode
from mock_server.domain import LoadNotFound, LoadNotPayable

MEDIA_TYPE = b"application/problem+json"


class UnknownPath(Exception):
    """No operation has the path, or not in that version of the API."""


class MethodNotAllowed(Exception):
    """The path has operations, but none with this method. `allowed` names theirs."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"{method} is not allowed here, only {self.allowed}.")


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
    UnknownPath: HTTPStatus.NOT_FOUND,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    ContentTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
"""The status of each error. What is not here is a fault of the server: 500."""

_TITLE = {HTTPStatus.BAD_REQUEST: "One or more validation errors occurred."}


def problem(error: Exception) -> tuple[HTTPStatus, dict[str, str], bytes]:
    """The status, the extra headers and the body that answer `error`."""
    status = STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    document: dict[str, object] = {
        "type": _type(status),
        "title": _TITLE.get(status, status.phrase),
        "status": status.value,
    }
    if status is not HTTPStatus.INTERNAL_SERVER_ERROR:
        document["detail"] = str(error)
    if isinstance(error, InvalidRequest):
        document["errors"] = error.errors
    if isinstance(error, LoadNotPayable):
        document["errors"] = {"Status": [str(error)]}
    document["traceId"] = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    headers = {"allow": error.allowed} if isinstance(error, MethodNotAllowed) else {}
    return status, headers, encode(document)


def _type(status: HTTPStatus) -> str:
    section = f"5.{status - 399}" if status < HTTPStatus.INTERNAL_SERVER_ERROR else f"6.{status - 499}"
    return f"https://tools.ietf.org/html/rfc9110#section-15.{section}"
