"""What serves a document that is not ours: our handlers for what is ours, and examples for all else."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import Any

from mock_server.decimal_json import decode, encode
from mock_server.foreign.examples import Unsatisfiable
from mock_server.foreign.operations import JSON, media_of, sent, success_of
from mock_server.handlers import Handler, ValidRequest
from mock_server.problems import MEDIA_TYPE, InvalidRequest, NoExample, header_list, problem
from mock_server.spec import Operation, Spec
from mock_server.trace import Response

Node = Mapping[str, Any]

_MARK = {"x-sandbox": "example"}
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "date"})
"""Headers that the server writes itself, in lowercase."""
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED)
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n%%EOF\n"
)


def handlers_of(spec: Spec, ours: Mapping[str, Handler[Any]]) -> dict[str, Handler[Any]]:
    """A handler for each operation of the document: of ours, those that it has."""
    return {
        each.id: _bound(spec, each, ours[each.id]) if each.is_ours else _example(spec, each)
        for each in spec.operations
    }


def _bound(spec: Spec, operation: Operation, handler: Handler[Any]) -> Handler[Any]:
    ours = next(each for each in spec.ours.operations if each.id == operation.id)
    spelling = spec.ours.examples

    async def handle(request: ValidRequest) -> Any:
        query = {
            ours.query_names[name.lower()]: value if isinstance(value, str) else encode(value).decode()
            for name, value in request.query.items()
            if name.lower() in ours.query_names
        }
        if errors := ours.query.errors(query):
            raise InvalidRequest(errors)
        body = request.body
        if ours.body is not None:
            body = spelling.respelled(body, ours.body_schema)  # type: ignore[assignment]
            if not ours.body.accepts(body):
                raise InvalidRequest(ours.body.errors(body))
        return await handler.handle(ValidRequest(body, query, request.path))

    return replace(handler, handle=handle, refuse=_Refusals(spec, operation, handler.refuse))


def _example(spec: Spec, operation: Operation) -> Handler[Any]:
    example = _Example(spec, operation)

    async def handle(_request: ValidRequest) -> Response:
        return example.response

    return Handler(handle, None, refuse=_Refusals(spec, operation, problem))


class _Example:
    """The response of an operation that nobody implements."""

    def __init__(self, spec: Spec, operation: Operation) -> None:
        self._spec = spec
        self._operation = operation

    @cached_property
    def response(self) -> Response:
        """The response, the same each time; NoExample if nothing satisfies its schema."""
        status, node = success_of(self._operation.foreign.node["responses"])  # type: ignore[union-attr]
        headers = dict(_MARK)
        body = b""
        try:
            for name, header in node["headers"].items():
                if name.lower() not in _FRAMING and (header["required"] or header["examples"]):
                    made = self._spec.examples.instance(header["schema"], header["examples"])
                    headers[name.lower()] = _text(made)
            if node["content"] and status not in _BODILESS:
                media_type, media = media_of(node["content"])
                headers["content-type"] = sent(media_type)
                body = self._body(media_type, media)
        except Unsatisfiable as error:
            raise NoExample(f"{self._operation.method} {self._operation.path}") from error
        return Response(status, header_list(headers), body)

    def _body(self, media_type: str, media: Node) -> bytes:
        given = [each["value"] for each in media["examples"].values()]
        if not media["x-has-schema"] and given:
            value = given[0]
        elif not media["x-has-schema"] and not JSON.fullmatch(media_type):
            value = "example"
        else:
            value = self._spec.examples.instance(media["schema"], given)
        if JSON.fullmatch(media_type):
            return encode(value)
        if media_type.startswith("application/pdf") and not given:
            return _PDF
        if "xml" in media_type and not isinstance(value, str):
            return _xml(value, "Example").encode()
        return _text(value).encode()


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return value if isinstance(value, str) else encode(value).decode()


def _xml(value: object, name: str) -> str:
    if isinstance(value, list):
        return "".join(_xml(each, name) for each in value)
    if isinstance(value, dict):
        inner = "".join(_xml(each, re.sub(r"[^\w.-]", "_", key)) for key, each in value.items())
    else:
        inner = _text(value).replace("&", "&amp;").replace("<", "&lt;")
    return f"<{name}>{inner}</{name}>"


class _Refusals:
    """Writes refusals as the document describes them for the operation."""

    def __init__(self, spec: Spec, operation: Operation, refuse: Callable[[Exception], Response]) -> None:
        self._examples = spec.examples
        self._responses: Node = operation.foreign.node["responses"]  # type: ignore[union-attr]
        default = self._responses.get("default")
        self._default = None if success_of(self._responses)[1] is default else default
        self._refuse = refuse

    def __call__(self, error: Exception) -> Response:
        response = self._refuse(error)
        status = response.status
        unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY.value
        if status == HTTPStatus.BAD_REQUEST and self._node(status) is None and self._node(unprocessable):
            status = unprocessable
        node = self._node(status) or self._default
        document = decode(response.body) if response.body else None
        if node is None or not node["content"] or not isinstance(document, dict):
            return response._replace(status=status)
        document = {**document, "status": status} if "status" in document else document
        names = [MEDIA_TYPE, *node["content"]]
        media_type, _ = media_of(node["content"])
        media_type = next((name for name in names if name in node["content"] and "json" in name), media_type)
        if not JSON.fullmatch(media_type):
            body = str(document.get("detail", document.get("title", ""))).encode()
        else:
            body = encode(self._fitting(document, node["content"][media_type]["schema"]))
        headers = [(name, value) for name, value in response.headers if name != b"content-type"]
        return Response(status, [*headers, (b"content-type", sent(media_type).encode())], body)

    def _node(self, status: int) -> Any:
        keys = (str(status), f"{status // 100}XX", f"{status // 100}xx")
        return next((self._responses[key] for key in keys if key in self._responses), None)

    def _fitting(self, document: dict[str, Any], schema: Any) -> object:
        """The problem, or what of it the schema takes."""
        accepts = self._examples.checker(schema).accepts
        if accepts(document):
            return document
        try:
            made = self._examples.smallest(schema)
        except Unsatisfiable:
            return document
        shape = self._examples.shape(schema).get("properties", {})
        said = {
            **dict.fromkeys(("message", "error", "error_description"), document.get("detail")),
            **{name.lower(): value for name, value in document.items()},
        }
        for name in shape if isinstance(made, dict) else ():
            if accepts({**made, name: said.get(name.lower())}):  # type: ignore[dict-item]
                made = {**made, name: said.get(name.lower())}  # type: ignore[dict-item]
        return made
