"""Serves one operation: from the bytes of the request to those of the response."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from http import HTTPStatus
from typing import Any, Protocol, Self
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from mock_server.decimal_json import NotJson, encode
from mock_server.handlers import Handler, ValidRequest
from mock_server.policy import DEFAULT_POLICY, Policy
from mock_server.problems import (
    MEDIA_TYPE,
    ContentTooLarge,
    InvalidRequest,
    UnsupportedMediaType,
    header_list,
    problem,
)
from mock_server.responses import Nested, compile_response
from mock_server.schemas import WHOLE_BODY
from mock_server.spec import FORM, UNREAD, Operation, Spec
from mock_server.trace import ClientGone, Headers, Response, Stream, Trace

_log = logging.getLogger(__name__)

DEFAULT_MAX_BODY = 1024 * 1024
_MOST_ESCAPES = 50_000
"""Escaped bytes of a form that is read."""
_MOST_IN_FORM = 100
"""Fields of a form that is read."""

OK = HTTPStatus.OK.value
_OF_A_PROBLEM = (b"content-type", MEDIA_TYPE.encode())

Check = Callable[[Scope], Awaitable[None] | None]
"""Looks at a request before its body is read; `problems` has a row for what it raises, also when awaited."""


class Gate(Protocol):
    """Something that requests must pass."""

    def check_for(self, operation: Operation | None) -> Check | None:
        """The check for one operation, None for no check; of None, for a request that has no operation."""


class Endpoint(Protocol):
    """What serves the requests of one path and method; `operation` is None if no operation has them."""

    @property
    def operation(self) -> Operation | None: ...

    @property
    def checks(self) -> Sequence[Check]:
        """What a request must pass before anything else is looked at."""

    async def succeed(self, trace: Trace, receive: Receive) -> Response:
        """The response if all is well; else what is wrong is raised. ClientGone."""

    def refuse(self, error: Exception) -> Response:
        """The response to what was raised."""


def checks_of(gates: Sequence[Gate], operation: Operation | None) -> list[Check]:
    """What a request must pass, in the order of the gates."""
    return [check for gate in gates if (check := gate.check_for(operation)) is not None]


async def serve(endpoint: Endpoint, trace: Trace, receive: Receive, send: Send) -> None:
    """Responds to a request. ClientGone."""
    status, headers, body = await response_of(endpoint, trace, receive)
    trace.status, trace.response = status, body
    if not body and isinstance(trace.result, Stream):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await trace.result.run(trace.scope, receive, send)
        return
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def response_of(endpoint: Endpoint, trace: Trace, receive: Receive) -> Response:
    """The response to a request; whatever is raised on the way becomes a problem. ClientGone."""
    try:
        for check in endpoint.checks:
            waits = check(trace.scope)
            if waits is not None:
                await waits
        return await endpoint.succeed(trace, receive)
    except ClientGone:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end as plain text
        response = endpoint.refuse(error)
        if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.exception("%s %s failed", trace.scope["method"], trace.scope["path"])
        # Without its frames, some of which have the error: all would stay, and the body.
        trace.error = error.with_traceback(None)
        return response


class NoOperation:
    """Refuses requests whose path or method no operation has."""

    operation = None

    def __init__(
        self,
        why: Callable[[Trace], Exception],
        gates: Sequence[Gate] = (),
        refuse: Callable[[Exception], Response] = problem,
        operations: Sequence[Operation] = (),
    ) -> None:
        """`operations` are those that are nearest, whose responses say in which media type it is refused."""
        self.checks = checks_of(gates, None)
        self._refuse = refuse
        self._media_types = _other_types(operations)
        self._why = why

    def again(self, gates: Sequence[Gate]) -> Self:
        """The same behind other gates."""
        other = copy(self)
        other.checks = checks_of(gates, None)
        return other

    def refuse(self, error: Exception) -> Response:
        """The response to what was raised."""
        return _in_type(self._refuse(error), self._media_types)

    async def succeed(self, trace: Trace, _receive: Receive) -> Response:
        """Never: raises why not."""
        raise self._why(trace)


class OperationEndpoint:
    """Serves one operation with its handler. SpecError if its response requires what nothing fills."""

    def __init__(  # noqa: PLR0913 - one for each thing that an operation is made of
        self,
        spec: Spec,
        operation: Operation,
        handler: Handler[Any],
        max_body: int,
        gates: Sequence[Gate],
        *,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self.operation = operation
        self.checks = checks_of(gates, operation)
        self._refuse = handler.refuse
        self._media_types = _other_types([operation])
        self._handle: Callable[[ValidRequest], Awaitable[Any]] = handler.handle
        self._write: Callable[[Any], object] = _as_it_is
        fields = handler.fields
        if isinstance(fields, Nested):
            self._write = fields.compile(spec, operation.success, operation.id)
        elif fields is not None:
            self._write = compile_response(spec, operation.success, fields, operation.id)
        foreign = operation.foreign
        self._status = OK if foreign is None else foreign.success_status
        media_type = "application/json" if foreign is None else foreign.success_type
        self._headers = header_list({"content-type": media_type, **handler.headers})
        self._needs_body = foreign is None or foreign.needs_body
        self._is_unread = None if foreign is None else foreign.is_unread
        self._takes = policy.take(operation.media_types.take)
        self._takes_forms = operation.takes_forms
        read = self._read_json = policy.reader(spec.ours, operation)
        if foreign is not None and policy.reader is not DEFAULT_POLICY.reader:  # which names fields as we do
            self._read_json = lambda body: foreign.respelled(read(body))
        self._status_of_body_first = policy.status_of_body_first
        self._instead = handler.instead
        self._max_body = max_body

    def again(self, handler: Handler[Any], gates: Sequence[Gate]) -> Self:
        """The same with a handler that differs in nothing but its state, behind other gates."""
        other = copy(self)
        other.checks = checks_of(gates, self.operation)
        other._handle, other._instead = handler.handle, handler.instead
        return other

    async def succeed(self, trace: Trace, receive: Receive) -> Response:
        """A 200, or what is wrong with the request is raised."""
        operation = self.operation
        if operation.query_names:
            trace.query = operation.parameters_in(trace.scope)
            if errors := operation.query.errors(trace.query):
                raise InvalidRequest(errors)
        if operation.body is not None:
            try:
                self._check_headers(trace.scope["headers"])
            except UnsupportedMediaType as error:
                raise await self._body_first(error, trace, receive) from None
            body = await self.read(trace, receive) if trace.body is None else trace.body
            if len(body) > self._max_body:
                raise ContentTooLarge(self._max_body)
            if not body and not self._needs_body:
                return self._success(trace, await self._handle(ValidRequest({}, trace.query, trace.path)))
            if not trace.parsed:
                self._parse_body(trace, body)
            if not operation.body.accepts(trace.document):
                refusal = InvalidRequest(operation.body.errors(trace.document))
                if self._instead is None:
                    raise refusal
                return self._success(trace, await self._instead(trace.document, refusal))
        request = ValidRequest(trace.document, trace.query, trace.path)
        return self._success(trace, await self._handle(request))

    def _success(self, trace: Trace, result: object) -> Response:
        trace.result = result
        if isinstance(result, Response):  # of an example, which is whole
            return result
        return Response(self._status, self._headers, encode(self._write(result)))

    async def _body_first(self, error: Exception, trace: Trace, receive: Receive) -> Exception:
        if self._status_of_body_first is None:
            return error
        body = await self.read(trace, receive)
        if body.lstrip().startswith(b"{"):
            return error
        status = HTTPStatus(int(self._status_of_body_first))
        return InvalidRequest({WHOLE_BODY: ["The request body must be an object."]}, status)

    def refuse(self, error: Exception) -> Response:
        """The response to what was raised."""
        return self.as_documented(self._refuse(error))

    def as_documented(self, response: Response) -> Response:
        """The response, its problem in the media type that the document has for the status."""
        return _in_type(response, self._media_types)

    def _check_headers(self, headers: Headers) -> None:
        known = dict(headers)
        content_type = known.get(b"content-type")
        if len(known) < len(headers) and [name for name, _ in headers].count(b"content-type") > 1:
            content_type = b""
        length = int(known.get(b"content-length", 0))
        comes = length or content_type is not None or b"transfer-encoding" in known
        if comes and not self._takes(content_type or b""):
            raise UnsupportedMediaType(self.operation.media_types.names)
        if length > self._max_body:
            raise ContentTooLarge(self._max_body)

    async def read(self, trace: Trace, receive: Receive) -> bytes:
        """The body, which ends at the first piece beyond the longest that is taken. ClientGone."""
        body: bytes | bytearray = b""
        more = True
        while more and len(body) <= self._max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece, more = message["body"], message["more_body"]
            if body:
                body += piece
            else:  # of several pieces, one that grows: copied for each, a long one would take seconds
                body = bytearray(piece) if more else piece
        trace.body = bytes(body)
        return trace.body

    def parse(self, trace: Trace, body: bytes) -> None:
        """Learns what the request says, whatever it is; InvalidRequest if it can't be read."""
        if self.operation.query_names:
            trace.query = self.operation.parameters_in(trace.scope)
        if self.operation.body is not None:
            self._parse_body(trace, body)

    def _parse_body(self, trace: Trace, body: bytes) -> None:
        if self._is_unread is not None and self._is_unread(_content_type_of(trace.scope["headers"])):
            trace.document = UNREAD
        else:
            is_form = self._takes_forms and _is_form(trace.scope["headers"])
            trace.document = _form_in(body) if is_form else self._json_in(body)
        trace.parsed = True

    def _json_in(self, body: bytes) -> object:
        try:
            return self._read_json(body)
        except NotJson as error:
            if not body.strip():
                raise InvalidRequest({WHOLE_BODY: ["A request body is required."]}) from error
            raise InvalidRequest(
                {WHOLE_BODY: [f"The request body can't be read as JSON: {error}."]}
            ) from error


def _other_types(operations: Sequence[Operation]) -> Mapping[int, bytes]:
    """Status -> the media type of problems, where the document does not list theirs. The first decides."""
    names = {status: types for each in reversed(operations) for status, types in each.response_types.items()}
    return {
        status: next((name for name in types if "json" in name), types[0]).encode()
        for status, types in names.items()
        if types and MEDIA_TYPE not in types
    }


def _in_type(response: Response, media_types: Mapping[int, bytes]) -> Response:
    media_type = media_types.get(response.status)
    if media_type is None:
        return response
    other = (b"content-type", media_type)
    headers = [other if header == _OF_A_PROBLEM else header for header in response.headers]
    return response._replace(headers=headers)


def _as_it_is(thing: object) -> object:
    return thing


def _content_type_of(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == b"content-type"), b"")


def _is_form(headers: Headers) -> bool:
    return _content_type_of(headers).lower().startswith(FORM.encode())


def _form_in(body: bytes) -> object:
    try:
        if body.count(b"%") > _MOST_ESCAPES:
            raise ValueError("too many escapes")
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_IN_FORM
        )
    except ValueError as error:
        raise InvalidRequest({WHOLE_BODY: ["The request body can't be read as a form."]}) from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequest({WHOLE_BODY: ["A field appears twice in the form."]})
    return form
