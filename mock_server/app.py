"""Joins the spec's operations to their handlers, and refuses to when they disagree."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    return _Paths(routes, _Endpoint(_no_path, checks=_checks(gates, None)))


def _routes(
    spec: Spec,
    handlers: Mapping[str, BoundHandler],
    max_body: int,
    gates: Sequence[Gate],
    wrap: Wrap | None,
) -> Iterator["_Route"]:
    paths: dict[str, dict[str, Operation]] = {}
    for operation in spec.operations:
        paths.setdefault(operation.path, {})[operation.method] = operation
    for path, operations in paths.items():
        secured = any(operation.scopes is not None for operation in operations.values())
        app: ASGIApp = _Path(
            {
                method: _endpoint(spec, operation, handlers[operation.id], max_body, gates)
                for method, operation in operations.items()
            },
            _Endpoint(_no_method(operations), checks=_checks(gates if secured else (), None)),
        )
        if wrap is not None:
            app = wrap(app, operations)
        yield _Route(path, app, next(iter(operations.values())).path_parameters)


def _endpoint(
    spec: Spec, operation: Operation, handler: BoundHandler, max_body: int, gates: Sequence[Gate]
) -> "_Endpoint":
    facts = handler.returns
    shape = _as_it_is if facts is None else compile_shape(spec, operation.success, facts, operation.id)
    return _Endpoint(
        _Answer(operation, handler.handle, shape, max_body),
        operation.id,
        _encoded({"content-type": "application/json", **handler.headers}),
        handler.refuse,
        _checks(gates, operation),
    )


def _checks(gates: Sequence[Gate], operation: Operation | None) -> list[Check]:
    return [check for gate in gates if (check := gate.check_for(operation)) is not None]


def _as_it_is(thing: object) -> object:
    return thing


class _Route:
    """A path of the spec, in any case (A5). It matches only with parameters that the spec allows."""

    def __init__(self, path: str, app: ASGIApp, parameters: Checker) -> None:
        self.app = app
        # A parameter at the end takes the rest of the path: a load number may have slashes.
        pattern, _, _ = compile_path(re.sub(r"/\{([^/]+)\}$", r"/{\1:path}", path))
        # `$` would let a line feed follow, and without ASCII a long s would pass for an s.
        self._pattern = re.compile(pattern.pattern.removesuffix("$") + r"\Z", re.IGNORECASE | re.ASCII)
        self._accepts = parameters.accepts

    def parameters_in(self, path: str) -> dict[str, str] | None:
        """The parameters in the path; None if it is another."""
        match = self._pattern.match(path)
        if match is None:
            return None
        parameters = match.groupdict()
        return parameters if self._accepts(parameters) else None


class _Paths:
    """Gives every request to the app of its path, at once: Starlette's router is three coroutines."""

    def __init__(self, routes: Sequence[_Route], otherwise: ASGIApp) -> None:
        self._routes = routes
        self._otherwise = otherwise
        # The same few paths come again and again.
        self._found = lru_cache(maxsize=64)(self._find)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app, scope["path_params"] = self._found(scope["path"])
        return app(scope, receive, send)

    def _find(self, path: str) -> tuple[ASGIApp, dict[str, str]]:
        for route in self._routes:
            parameters = route.parameters_in(path)
            if parameters is not None:
                return route.app, parameters
        return self._otherwise, {}


class _Path:
    """Gives every request of one path to the operation of its method."""

    def __init__(self, endpoints: Mapping[str, ASGIApp], otherwise: ASGIApp) -> None:
        self._endpoints = endpoints
        self._otherwise = otherwise

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._endpoints.get(scope["method"], self._otherwise)(scope, receive, send)


# What is learnt of a request on its way is left in its scope, for the journal and the call log: in
# `mock.operation`, `mock.query`, `mock.body` and `mock.document` what it was, in `mock.status` and
# `mock.answer` what was answered. The faults leave the same, for requests that never get here.


class _Endpoint:
    """Sends what `answer` returns as a 200; whatever goes wrong in it becomes what `refuse` makes of it."""

    def __init__(
        self,
        answer: Callable[[Scope, Receive], Awaitable[bytes]],
        operation: str | None = None,
        headers: Headers = (),
        refuse: Callable[[Exception], Refusal] = problem,
        checks: Sequence[Check] = (),
    ) -> None:
        self._answer = answer
        self._operation = operation
        self._headers = headers
        self._refuse = refuse
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["mock.operation"] = self._operation
        try:
            for check in self._checks:
                check(scope)
            body = await self._answer(scope, receive)
        except _ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end as plain text
            refusal = self._refuse(error)
            if refusal.status is HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.exception("%s %s failed", scope["method"], scope["path"])
            status, headers, body = refusal.status.value, _encoded(refusal.headers), refusal.body
        else:
            status, headers = 200, self._headers
        if "mock.answer" in scope:
            # For the journal. Otherwise a large answer would live as long as the scope, until the next
            # request.
            scope["mock.status"], scope["mock.answer"] = status, body
        sent_headers = [*headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": sent_headers})
        await send({"type": "http.response.body", "body": body})


async def _no_path(_scope: Scope, _receive: Receive) -> bytes:
    raise UnknownPath("There is no such path, or not in this version of the API.")


def _no_method(allowed: Iterable[str]) -> Callable[[Scope, Receive], Awaitable[bytes]]:
    async def refuse(scope: Scope, _receive: Receive) -> bytes:
        raise MethodNotAllowed(scope["method"], allowed)

    return refuse


class _Answer:
    """One operation, from the request's bytes to those of the answer; raises what `problems` knows."""

    def __init__(
        self,
        operation: Operation,
        handle: Callable[[Call], Awaitable[object]],
        shape: Picker,
        max_body: int,
    ) -> None:
        self._operation = operation
        self._takes = operation.media_types.take
        self._parsed = _form_or_json if FORM in operation.media_types.names else _json
        self._handle = handle
        self._shape = shape
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive) -> bytes:
        operation = self._operation
        query: dict[str, str] = {}
        if operation.query_names:
            query = scope["mock.query"] = operation.query_in(scope["query_string"])
            if faults := operation.query.faults(query):
                raise InvalidRequest(faults)
        document: Any = None
        if operation.body is not None:
            self._check_headers(scope["headers"])
            # Not in a coroutine of its own: that would cost more than the body itself.
            body, more = b"", True
            while more:
                message = await receive()
                body, more = self._with(body, message), message["more_body"]
            scope["mock.body"] = body
            document = scope["mock.document"] = self._parsed(scope, body)
            if not operation.body.accepts(document):
                raise InvalidRequest(operation.body.faults(document))
        return encode(self._shape(await self._handle(Call(document, query, scope["path_params"]))))

    def _check_headers(self, headers: Headers) -> None:
        known = dict(headers)
        content_type = known.get(b"content-type")
        if len(known) < len(headers) and [name for name, _ in headers].count(b"content-type") > 1:
            content_type = b""
        length = int(known.get(b"content-length", 0))
        comes = length or content_type is not None or b"transfer-encoding" in known
        if comes and not self._takes(content_type or b""):
            raise UnsupportedMediaType(self._operation.media_types.names)
        if length > self._max_body:
            raise ContentTooLarge(self._max_body)

    def _with(self, before: bytes, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        body: bytes = before + message["body"] if before else message["body"]
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


def _encoded(headers: Mapping[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
