"""A document that nobody wrote for us -> operations: those that we implement have our ids."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

from mock_server.foreign.dialect import modern, paths_of_servers
from mock_server.foreign.parameters import OtherParameters, PathParameters
from mock_server.schemas import Checker
from mock_server.spec import (
    FORM,
    UNREAD,
    Demand,
    Foreign,
    MediaTypes,
    Operation,
    Origin,
    Place,
    Spec,
    SpecError,
    Subject,
    document_in_use,
)

Node = Mapping[str, Any]

JSON = re.compile(
    r"\s*(text/json|application/([\w.*-]+\+)?json|\*/\*|application/\*)\s*(;.*)?", re.IGNORECASE
)
_TOKEN = "token"  # noqa: S105 - the name of a scheme
_VERSION = re.compile(r"v?\d+(\.\d+)*|v\{.+\}|\{[^}]*version[^}]*\}", re.IGNORECASE)


def ids_in(document: Node) -> list[str]:
    """The ids of the operations in a document, as they are written; `None` for one without."""
    items = [item for item in document["paths"].values() if isinstance(item, dict)]
    nodes = [node for item in items for node in item.values() if isinstance(node, dict)]
    return [str(node.get("operationId")) for node in nodes if "responses" in node]


def foreign_spec(document: Node, name: str, ours: Spec) -> Spec:
    """The document of somebody else; `ours` says what we implement. SpecError."""
    with document_in_use(name):
        read = modern(document, name)
        _bind(read, name, ours)
        bases = paths_of_servers(read["servers"])
        return Spec(read, name, Origin(ours, _operation, bases, tuple(_scopes_in(read)), document))


def token_spec(ours: Spec) -> Spec:
    """Our own document with the operations that issue tokens, and no others."""
    paths = {each.path: ours.document["paths"][each.path] for each in ours.operations if each.takes_forms}
    return Spec({**ours.document, "paths": paths}, ours.name)


def _bind(document: dict[str, Any], name: str, ours: Spec) -> None:
    """Gives our ids to the operations that are ours, and some id to every other. SpecError."""
    known = {each.id for each in ours.operations}
    places = {(each.method.lower(), _place(each.path)): each.id for each in ours.operations}
    bases = ("", *paths_of_servers(document["servers"]))
    nodes = [
        (method, path, node) for path, item in document["paths"].items() for method, node in item.items()
    ]
    ids = [node.get("operationId") for _, _, node in nodes]
    taken = {each for each in ids if each in known}
    for each in taken:
        if ids.count(each) > 1:
            raise SpecError(
                f"{name}: {ids.count(each)} operations have the id {each}, which only one can have"
            )
    for method, path, node in nodes:
        found = (places.get((method, _place(base + path))) for base in bases)
        bound = next((each for each in found if each is not None and each not in taken), None)
        own = str(node.get("operationId") or f"{method.upper()} {path}")
        if own not in known:
            node["operationId"] = bound or (own if own not in taken else f"{method.upper()} {path}")
        taken.add(node["operationId"])
    _secure(document, [node for _, _, node in nodes], {each.id: each.scopes for each in ours.operations})


def _secure(
    document: dict[str, Any], nodes: list[dict[str, Any]], scopes: Mapping[str, tuple[str, ...] | None]
) -> None:
    """Lets operations need a token where the document says nothing of security; of ours, with scopes."""
    is_silent = all(node["security"] is None for node in nodes)
    if is_silent:
        document["components"]["securitySchemes"] = {_TOKEN: {"type": "oauth2"}}
    for node in nodes:
        if is_silent:
            needed = scopes.get(node["operationId"], ())
            node["security"] = [] if needed is None else [{_TOKEN: list(needed)}]
        elif node["security"] is None:
            node["security"] = []


def _place(path: str) -> tuple[str, ...]:
    """What of a path tells operations apart: no version, no case, no names of parameters."""
    segments = [segment for segment in path.lower().split("/") if segment]
    return tuple(re.sub(r"\{.+?\}", "{}", each) for each in segments if not _VERSION.fullmatch(each))


class _Body:
    """Checks a JSON body by the schemas that the document has for it."""

    def __init__(self, spec: Spec, schemas: list[Any]) -> None:
        different = [schema for place, schema in enumerate(schemas) if schema not in schemas[:place]]
        self.schema: Any = {"anyOf": different} if len(different) > 1 else (different or [{}])[0]
        self._spec = spec

    @cached_property
    def _checker(self) -> Checker:  # with the first request: half of the schemas may be behind it
        return self._spec.examples.checker(self.schema)

    def accepts(self, document: object) -> bool:
        """Whether the body has no error."""
        return document is UNREAD or self._checker.accepts(document)

    def errors(self, document: object) -> dict[str, list[str]]:
        """Every error: field -> sentences."""
        return self._checker.errors(document)


def _operation(spec: Spec, path: str, method: str, node: Node) -> Operation:
    status, response = success_of(node["responses"])
    media_type, media = media_of(response["content"])
    success = media["schema"] if isinstance(media["schema"], dict) else {}
    known = {each.id: each for each in spec.ours.operations}.get(node["operationId"])
    if not spec.examples.shape(success).get("properties"):  # which can show nothing of what we know
        known = None
    content: Node = node.get("requestBody", {}).get("content", {})
    forms = (FORM,) if known is not None and known.takes_forms else ()
    read = {name: media for name, media in content.items() if JSON.fullmatch(name) or _plain(name) in forms}
    if known is not None and known.body is not None:
        content = read
    body = _Body(spec, [media["schema"] for media in read.values()])
    in_path = [each for each in node["parameters"] if each["in"] == "path"]
    others = OtherParameters(spec, node["parameters"])
    ways = tuple(_ways(spec, node["security"]))
    examples = [each["value"] for media in content.values() for each in media["examples"].values()]
    shape = spec.examples.shape(body.schema)
    return Operation(
        id=node["operationId"],
        method=method.upper(),
        path=path,
        path_parameters=PathParameters(spec, in_path),
        query=others.check,
        query_names=others.names,
        body=body if content else None,
        body_schema=shape if known is None else known.body_schema,
        media_types=MediaTypes(tuple(map(_plain, content))),
        example=next(iter(examples), None if known is None else known.example),
        example_path=_example_path(path, in_path),
        success=success,
        response_types={
            int(code): tuple(each["content"]) for code, each in node["responses"].items() if code.isdigit()
        },
        scopes=() if ways else None,
        rate_limit=node.get("x-rate-limit", None if known is None else known.rate_limit),
        subject=Subject() if known is None else _subject(known.subject, shape, others.names),
        foreign=Foreign(
            is_ours=known is not None,
            node=node,
            parameters=others.read,
            is_unread=MediaTypes(tuple(_plain(name) for name in content if name not in read)).take,
            respelled=lambda document: spec.examples.respelled(document, body.schema),
            needs_body=node.get("requestBody", {}).get("required", False) or (known is not None),
            ways=ways,
            success_status=status,
            success_type=sent(media_type),
        ),
    )


def _subject(ours: Subject, shape: Node, query_names: Mapping[str, str]) -> Subject:
    """Where the requests name their load and their reference, as the document writes it."""
    written = {
        "body": {name.lower(): name for name in shape.get("properties", {})},
        "query": query_names,
    }
    places = (
        None if place is None else Place(place.part, written[place.part].get(place.name.lower(), place.name))
        for place in ours
    )
    return Subject(*places)


def _example_path(path: str, parameters: list[Node]) -> str:
    schemas = {each["name"]: each["schema"] for each in parameters}

    def value(match: re.Match[str]) -> str:
        schema = schemas.get(match[1])
        known: Node = schema if isinstance(schema, dict) else {}
        given = (
            [known["default"]] if "default" in known else [*known.get("examples", ()), *known.get("enum", ())]
        )
        return str(given[0] if given else "1.0" if "version" in match[1].lower() else "1")

    return re.sub(r"\{(.+?)\}", value, path)


def _ways(spec: Spec, security: list[Node]) -> Iterator[tuple[Demand, ...]]:
    schemes = spec.document["components"]["securitySchemes"]
    for way in security:
        demands = [_demand(schemes[name], scopes) for name, scopes in way.items()]
        if demands:
            yield tuple(demands)


def _demand(scheme: Node, scopes: list[str]) -> Demand:
    kind = str(scheme.get("type", "")).lower()
    if kind == "apikey":
        return Demand(scheme.get("in", "header"), scheme.get("name", "X-Api-Key"))
    if kind == "http" and str(scheme.get("scheme", "")).lower() == "basic":
        return Demand("basic", "Authorization")
    return Demand("token", "Authorization", tuple(scopes))


def _scopes_in(document: Node) -> Iterator[str]:
    """Every scope that the security schemes of a document have."""
    for scheme in document["components"]["securitySchemes"].values():
        for flow in scheme.get("flows", {}).values():
            yield from flow.get("scopes", {})


def success_of(responses: Node) -> tuple[int, Node]:
    """The response to a request that succeeds: its status, and what the document says of it.

    A document that has no such response has another one, which is then the response to everything.
    """
    ranks = [*sorted(code for code in responses if code[0] == "2"), "default", *sorted(responses)]
    code = next(each for each in ("200", *ranks) if each in responses)
    status = int(code.upper().replace("XX", "00")) if code[:1].isdigit() else HTTPStatus.OK.value
    return status, responses[code]


def media_of(content: Node) -> tuple[str, Node]:
    """The media type to respond in, and what the document says of it: JSON, if there is any."""
    if not content:
        return "", {"schema": {}, "examples": {}, "x-has-schema": False}
    names = sorted(
        content,
        key=lambda name: (_plain(name) != "application/json", not JSON.fullmatch(name)),
    )
    return names[0], content[names[0]]


def _plain(media_type: str) -> str:
    """The media type without its parameters."""
    return media_type.partition(";")[0].strip()


def sent(media_type: str) -> str:
    """The media type to send, for one that may be a range."""
    return "application/json" if "*" in media_type or not media_type else media_type
