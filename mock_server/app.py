"""Joins the spec's operations to their handlers, and refuses to when they disagree."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.clock import Clock
from mock_server.decimal_json import NotJson, decode, encode
from mock_server.handlers import HANDLERS, BoundHandler, Call, bound
from mock_server.ledger import Ledger
from mock_server.problems import (
    ContentTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    Refusal,
    UnknownPath,
    UnsupportedMediaType,
    problem,
)
from mock_server.schemas import WHOLE_BODY, Checker
from mock_server.shapes import Picker, compile_shape
from mock_server.spec import FORM, Operation, Spec, SpecError
from mock_server.tokens import TOKEN_HANDLERS, Tokens

_log = logging.getLogger(__name__)

DEFAULT_MAX_BODY = 1024 * 1024

Check = Callable[[Scope], None]
"""Looks at a request before anything of it is read; raises what `problems` knows."""

Headers = Sequence[tuple[bytes, bytes]]

Wrap = Callable[[ASGIApp, Mapping[str, Operation]], ASGIApp]
"""Puts an app around the app of one path, whose operations it is given by method."""


class Gate(Protocol):
    """Something that requests must pass."""

    def check_for(self, operation: Operation | None) -> Check | None:
        """The check for one operation, None for no check; of None, for a request that has no operation."""


def create_app(  # noqa: PLR0913 - one for each thing that can be switched on
    spec: Spec,
    ledger: Ledger,
    max_body: int = DEFAULT_MAX_BODY,
    *,
    tokens: Tokens | None = None,
    gates: Sequence[Gate] = (),
    wrap: Wrap | None = None,
) -> ASGIApp:
    """The mock as an ASGI app; a longer body than `max_body` bytes is refused.

    Requests pass the gates in their order. SpecError if an operation has no handler, or a handler no
    operation.
    """
    keeper = tokens or Tokens(Clock(), spec.token_terms())
    handlers = {**bound(HANDLERS, ledger), **bound(TOKEN_HANDLERS, keeper)}
    return route(spec, handlers, max_body, gates, wrap)


def route(
    spec: Spec,
    handlers: Mapping[str, BoundHandler],
    max_body: int = DEFAULT_MAX_BODY,
    gates: Sequence[Gate] = (),
    wrap: Wrap | None = None,
) -> ASGIApp:
    """An app that serves every operation of the document with the handler of its id."""
    ids = {operation.id for operation in spec.operations}
    for missing, what in (
        (ids - set(handlers), "which nothing handles"),
        (set(handlers) - ids, "which it lacks"),
    ):
        if missing:
            raise SpecError(f"{spec.name}: {', '.join(sorted(missing))}, {what}")
    with spec.in_use():
        routes = list(_routes(spec, handlers, max_body, gates, wrap))
    return Router(routes, redirect_slashes=False, default=_Path({}, _gated(_NOWHERE, gates, None)))


def _routes(
    spec: Spec,
    handlers: Mapping[str, BoundHandler],
    max_body: int,
    gates: Sequence[Gate],
    wrap: Wrap | None,
) -> Iterator["_Route"]:
    paths: dict[str, dict[str, _Endpoint]] = {}
    for operation in spec.operations:
        endpoint = _Endpoint(operation, handlers[operation.id], _shape(spec, operation, handlers), max_body)
        paths.setdefault(operation.path, {})[operation.method] = endpoint
    for path, endpoints in paths.items():
        secured = any(endpoint.operation.scopes is not None for endpoint in endpoints.values())
        app: ASGIApp = _Path(
            {method: _gated(endpoint, gates, endpoint.operation) for method, endpoint in endpoints.items()},
            _gated(_no_method(endpoints), gates if secured else (), None),
        )
        if wrap is not None:
            app = wrap(app, {method: endpoint.operation for method, endpoint in endpoints.items()})
        yield _Route(path, app, next(iter(endpoints.values())).operation.path_parameters)


def _shape(spec: Spec, operation: Operation, handlers: Mapping[str, BoundHandler]) -> Picker:
    facts = handlers[operation.id].returns
    return _as_it_is if facts is None else compile_shape(spec, operation.success, facts, operation.id)


def _as_it_is(thing: object) -> object:
    return thing


class _Route(Route):
    """A path of the spec, in any case (A5). It matches only with parameters that the spec allows."""

    def __init__(self, path: str, app: ASGIApp, parameters: Checker) -> None:
        # A parameter at the end takes the rest of the path: a load number may have slashes.
        super().__init__(re.sub(r"/\{([^/]+)\}$", r"/{\1:path}", path), app)
        # `$` would let a line feed follow, and without ASCII a long s would pass for an s.
        pattern = self.path_regex.pattern.removesuffix("$") + r"\Z"
        self.path_regex = re.compile(pattern, re.IGNORECASE | re.ASCII)
        self._accepts = parameters.accepts
        # The same few paths come again and again.
        self._match = lru_cache(maxsize=64)(self._match_path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._match(scope["path"])

    def _match_path(self, path: str) -> tuple[Match, Scope]:
        match, child_scope = super().matches({"type": "http", "path": path, "method": ""})
        allowed = match is not Match.NONE and self._accepts(child_scope["path_params"])
        return (match, child_scope) if allowed else (Match.NONE, {})


class _Answers(Protocol):
    """What becomes of a request: one operation, or the lack of one."""

    id: str | None
    headers: Headers
    refuse: Callable[[Exception], Refusal]

    async def answer(self, scope: Scope, receive: Receive) -> bytes:
        """The body of the 200 answer; raises what `refuse` knows."""


class _Path:
    """All operations of one path. Whatever goes wrong in them becomes a problem document."""

    def __init__(self, endpoints: Mapping[str, _Answers], otherwise: _Answers) -> None:
        self._endpoints = endpoints
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"], self._otherwise)
        scope["mock.operation"] = endpoint.id
        try:
            body = await endpoint.answer(scope, receive)
        except _ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end as plain text
            status, headers, body = endpoint.refuse(error)
            if status is HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.exception("%s %s failed", scope["method"], scope["path"])
            _note(scope, status.value, body)
            await _send(send, status.value, _encoded(headers), body)
            return
        _note(scope, 200, body)
        # Not by _send: a call less for what nearly every answer is.
        headers_sent = [*endpoint.headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers_sent})
        await send({"type": "http.response.body", "body": body})


class _Gated:
    """An endpoint behind checks."""

    def __init__(self, endpoint: _Answers, checks: Sequence[Check]) -> None:
        self.id, self.headers, self.refuse = endpoint.id, endpoint.headers, endpoint.refuse
        self._endpoint = endpoint
        self._checks = checks

    async def answer(self, scope: Scope, receive: Receive) -> bytes:
        for check in self._checks:
            check(scope)
        return await self._endpoint.answer(scope, receive)


def _gated(endpoint: _Answers, gates: Sequence[Gate], operation: Operation | None) -> _Answers:
    checks = [check for gate in gates if (check := gate.check_for(operation)) is not None]
    return _Gated(endpoint, checks) if checks else endpoint


class _Refusing:
    """Where there is no operation: what every request gets."""

    def __init__(self, error: Callable[[Scope], Exception]) -> None:
        self.id: str | None = None
        self.headers: Headers = ()
        self.refuse: Callable[[Exception], Refusal] = problem
        self._error = error

    async def answer(self, scope: Scope, _receive: Receive) -> bytes:
        raise self._error(scope)


_NOWHERE = _Refusing(lambda _: UnknownPath("There is no such path, or not in this version of the API."))


def _no_method(allowed: Iterable[str]) -> _Refusing:
    return _Refusing(lambda scope: MethodNotAllowed(scope["method"], allowed))


class _Endpoint:
    """One operation, from the request's bytes to the answer's."""

    def __init__(self, operation: Operation, handler: BoundHandler, shape: Picker, max_body: int) -> None:
        self.id: str | None = operation.id
        self.operation = operation
        self.headers: Headers = _encoded({"content-type": "application/json", **handler.headers})
        self.refuse = handler.refuse
        self._takes = operation.media_types.take
        self._parsed = _form_or_json if FORM in operation.media_types.names else _json
        self._handle = handler.handle
        self._shape = shape
        self._max_body = max_body

    async def answer(self, scope: Scope, receive: Receive) -> bytes:
        operation = self.operation
        query: dict[str, str] = {}
        if operation.query_names:
            query = scope["mock.query"] = self._query(scope["query_string"])
        document: Any = None
        if operation.body is not None:
            self._check_headers(scope)
            body = scope["mock.body"] = await self._body(receive)
            document = scope["mock.document"] = self._parsed(scope, body)
            if not operation.body.accepts(document):
                raise InvalidRequest(operation.body.faults(document))
        return encode(self._shape(await self._handle(Call(document, query, scope["path_params"]))))

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

    def _check_headers(self, scope: Scope) -> None:
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

    async def _body(self, receive: Receive) -> bytes:
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


def _json(_scope: Scope, body: bytes) -> object:
    try:
        return decode(body)
    except NotJson as error:
        if not body.strip():
            raise InvalidRequest({WHOLE_BODY: ["A request body is required."]}) from error
        raise InvalidRequest({WHOLE_BODY: [f"The request body can't be read as JSON: {error}."]}) from error


def _form_or_json(scope: Scope, body: bytes) -> object:
    content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if not content_type.lower().startswith(FORM.encode()):
        return _json(scope, body)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise InvalidRequest({WHOLE_BODY: ["The request body can't be read as a form."]}) from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequest({WHOLE_BODY: ["A field stands in the form twice."]})
    return form


class _ClientGoneError(Exception):
    """The client left before its request was whole: there is nobody to answer."""


def _note(scope: Scope, status: int, body: bytes) -> None:
    # For the journal. Otherwise a large answer would live as long as the scope, until the next request.
    if "mock.answer" in scope:
        scope["mock.status"], scope["mock.answer"] = status, body


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
