"""Joins the spec's operations to their handlers, and refuses to when they disagree."""

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.decimal_json import NotJson, decode, encode
from mock_server.handlers import HANDLERS, Call, Handler
from mock_server.ledger import Ledger
from mock_server.problems import (
    MEDIA_TYPE,
    STATUS,
    ContentTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    UnknownPath,
    UnsupportedMediaType,
    problem,
)
from mock_server.schemas import WHOLE_BODY
from mock_server.shapes import Picker, compile_shape
from mock_server.spec import Operation, Spec, SpecError

_log = logging.getLogger(__name__)

DEFAULT_MAX_BODY = 1024 * 1024


def create_app(spec: Spec, ledger: Ledger, max_body: int = DEFAULT_MAX_BODY) -> ASGIApp:
    """The mock as an ASGI app; a longer body than `max_body` bytes is refused.

    SpecError if an operation has no handler, or a handler no operation.
    """
    ids = {operation.id for operation in spec.operations}
    for missing, what in (
        (ids - set(HANDLERS), "which nothing handles"),
        (set(HANDLERS) - ids, "which it lacks"),
    ):
        if missing:
            raise SpecError(f"{spec.name}: {', '.join(sorted(missing))}, {what}")
    paths: dict[str, dict[str, _Endpoint]] = {}
    for operation in spec.operations:
        handler = HANDLERS[operation.id]
        with spec.in_use():
            shape = compile_shape(spec, operation.success, handler.returns, operation.id)
        endpoint = _Endpoint(operation, handler, shape, ledger, max_body)
        paths.setdefault(operation.path, {})[operation.method] = endpoint
    routes = [_Route(path, _Path(endpoints)) for path, endpoints in paths.items()]
    return Router(routes, redirect_slashes=False, default=_unknown_path)


class _Route(Route):
    """A path of the spec, in any case (A5). It matches only with parameters that the spec allows."""

    def __init__(self, path: str, app: "_Path") -> None:
        super().__init__(path, app)
        # `$` would let a line feed follow, and without ASCII a long s would pass for an s.
        pattern = self.path_regex.pattern.removesuffix("$") + r"\Z"
        self.path_regex = re.compile(pattern, re.IGNORECASE | re.ASCII)
        self._accepts = app.path_parameters.accepts
        # The same few paths come again and again.
        self._match = lru_cache(maxsize=64)(self._match_path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._match(scope["path"])

    def _match_path(self, path: str) -> tuple[Match, Scope]:
        match, child_scope = super().matches({"type": "http", "path": path, "method": ""})
        allowed = match is not Match.NONE and self._accepts(child_scope["path_params"])
        return (match, child_scope) if allowed else (Match.NONE, {})


class _Path:
    """All operations of one path. Whatever goes wrong in them becomes a problem document."""

    def __init__(self, endpoints: Mapping[str, "_Endpoint"]) -> None:
        self._endpoints = endpoints
        self.path_parameters = next(iter(endpoints.values())).operation.path_parameters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            endpoint = self._endpoints.get(scope["method"])
            if endpoint is None:
                raise MethodNotAllowed(scope["method"], self._endpoints)
            body = await endpoint.answer(scope, receive)
        except _ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end as plain text
            if type(error) not in STATUS:
                _log.exception("%s %s failed", scope["method"], scope["path"])
            await _send_problem(error, send)
            return
        await _send(send, 200, [(b"content-type", b"application/json")], body)


class _Endpoint:
    """One operation, from the request's bytes to the answer's."""

    def __init__(
        self, operation: Operation, handler: Handler, shape: Picker, ledger: Ledger, max_body: int
    ) -> None:
        self.operation = operation
        self._takes = operation.media_types.take
        self._handle = handler.handle
        self._shape = shape
        self._ledger = ledger
        self._max_body = max_body

    async def answer(self, scope: Scope, receive: Receive) -> bytes:
        """The body of the 200 answer; raises what `problems` knows."""
        operation = self.operation
        query: dict[str, str] = {}
        if operation.query_names:
            query = scope["mock.query"] = self._query(scope["query_string"])
        document: Any = None
        if operation.body is not None:
            document = self._parsed(await self._body(scope, receive))
            scope["mock.document"] = document
            if not operation.body.accepts(document):
                raise InvalidRequest(operation.body.faults(document))
        return encode(self._shape(await self._handle(self._ledger, Call(document, query))))

    def _query(self, query_string: bytes) -> dict[str, str]:
        # Names are matched without case and the first of several counts, as ASP.NET does it. A
        # blank value counts as none.
        query: dict[str, str] = {}
        for name, value in parse_qsl(query_string.decode("latin-1")):
            known = self.operation.query_names.get(name.lower())
            if known and value.strip():
                query.setdefault(known, value)
        if faults := self.operation.query.faults(query):
            raise InvalidRequest(faults)
        return query

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        content_type: bytes | None = None
        length = 0
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value if content_type is None else b""
            elif name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                length = 1
        if (content_type is not None or length) and not self._takes(content_type or b""):
            raise UnsupportedMediaType(self.operation.media_types.names)
        if length > self._max_body:
            raise ContentTooLarge(self._max_body)
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            body = body + message["body"] if body else message["body"]
            more = message["more_body"]
            if len(body) > self._max_body:
                raise ContentTooLarge(self._max_body)
        return body

    def _parsed(self, body: bytes) -> object:
        try:
            return decode(body)
        except NotJson as error:
            if not body.strip():
                raise InvalidRequest({WHOLE_BODY: ["A request body is required."]}) from error
            raise InvalidRequest(
                {WHOLE_BODY: [f"The request body can't be read as JSON: {error}."]}
            ) from error


class _ClientGoneError(Exception):
    """The client left before its request was whole: there is nobody to answer."""


async def _unknown_path(_scope: Scope, _receive: Receive, send: Send) -> None:
    await _send_problem(UnknownPath("There is no such path, or not in this version of the API."), send)


async def _send_problem(error: Exception, send: Send) -> None:
    status, extra, body = problem(error)
    headers = [(name.encode(), value.encode()) for name, value in extra.items()]
    await _send(send, status.value, [(b"content-type", MEDIA_TYPE), *headers], body)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
