"""openapi.yaml -> operations: what the server serves, checks and responds."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from starlette.types import Scope

from mock_server.documents import read_document
from mock_server.schemas import FORMATS, KEYWORDS, Checker, with_finite_fields

if TYPE_CHECKING:  # for documents that are not ours
    from mock_server.foreign.examples import Examples

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
FORM = "application/x-www-form-urlencoded"

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CONTENT_TYPE = re.compile(
    # White space belongs to what it follows: a choice would cost exponential time.
    rf"\s*({_NAME}/{_NAME})\s*((?:;\s*(?:{_NAME}=(?:{_NAME}|\"(?:[^\"\\]|\\.)*\")\s*)?)*)"
)
_PLACE = re.compile(r"\$request\.(?:(body)#/|(query)\.)(.+)")
_LONGEST_KEPT = 128
"""Bytes of a Content-Type whose reading is kept."""
_CHARSET = re.compile(r";\s*charset=\"?([^\";\s]*)\"?", re.IGNORECASE)


class SpecError(Exception):
    """The document can't be served; the message says where and why."""


@contextmanager
def document_in_use(name: str, where: str = "") -> Iterator[None]:
    """Turns any error that the document of that name causes into a SpecError; `where` is the place in it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        place = f"{name}, {where}," if where else name
        raise SpecError(
            f"{place} can't be served as an OpenAPI document: {type(error).__name__}: {reason}"
        ) from error


class Place(NamedTuple):
    """A field of a request: its `part`, `body` or `query`, and its name there."""

    part: str
    name: str


class Subject(NamedTuple):
    """Where the requests of an operation name their load and their reference; None where they do not."""

    load: Place | None = None
    reference: Place | None = None


class Demand(NamedTuple):
    """What a security scheme demands of a request: `kind` is token, basic, header, query or cookie.

    `name` is that of the header, parameter or cookie, `scopes` are those that a token must have.
    """

    kind: str
    name: str
    scopes: tuple[str, ...] = ()


class Acceptor(Protocol):
    """Says whether a document fits, as a Checker does."""

    def accepts(self, document: Any, /) -> bool:
        """Whether the document has no error."""


class Check(Acceptor, Protocol):
    """Says also what is wrong with it."""

    def errors(self, document: Any, /) -> dict[str, list[str]]:
        """Every error: field -> sentences."""


UNREAD = object()
"""Stands for a body that is not JSON, and that nobody looks into."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What an operation of a document that is not ours has besides.

    `is_ours` says whether we implement it, and its response can show what we know. `node` is what the
    document says of it, `parameters` reads those of a request, `is_unread` says of a
    Content-Type that nobody looks into such bodies. `ways` are the ways to be let in, each with all its
    demands.
    """

    is_ours: bool
    node: Mapping[str, Any]
    parameters: Callable[[Scope], dict[str, Any]]
    is_unread: Callable[[bytes], bool]
    respelled: Callable[[object], object]
    needs_body: bool
    ways: tuple[tuple[Demand, ...], ...]
    success_status: int
    success_type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document.

    `path` is the template. `path_parameters` and `query` check the parameters, `body` the request
    body, whose schema is `body_schema`: None if there is none. `query_names` are the query parameters by
    their lowercase names.
    `example` is a request body that the document gives, `example_path` the path with default
    parameters, `success` the schema of the 200 response, `response_types` the media types that the
    document lists for each status. `scopes` are what an access token must have,
    None if the operation needs no token. `rate_limit` is what the document says under `x-rate-limit`,
    `subject` what it says under `x-subject`.
    """

    id: str
    method: str
    path: str
    path_parameters: Acceptor
    query: Check
    query_names: Mapping[str, str]
    body: Check | None
    body_schema: Mapping[str, Any]
    media_types: "MediaTypes"
    example: Mapping[str, Any] | None
    example_path: str
    success: Mapping[str, Any]
    response_types: Mapping[int, tuple[str, ...]]
    scopes: tuple[str, ...] | None
    rate_limit: Mapping[str, int] | None
    subject: Subject
    foreign: Foreign | None = None

    @property
    def takes_forms(self) -> bool:
        """Whether a body may be a form, as that of a token request."""
        return FORM in self.media_types.names and self.is_ours

    @property
    def is_ours(self) -> bool:
        """Whether we implement it."""
        return self.foreign is None or self.foreign.is_ours

    def parameters_in(self, scope: Scope) -> dict[str, Any]:
        """The parameters that a request gives beside its path, by the document's names."""
        return (
            self.query_in(scope["query_string"]) if self.foreign is None else self.foreign.parameters(scope)
        )

    def query_in(self, query_string: bytes) -> dict[str, str]:
        """The parameters that a query string gives, by the document's names; others are ignored."""
        # Names are matched without case and the first of several counts, as ASP.NET does it. A
        # blank value counts as none.
        query: dict[str, str] = {}
        for name, value in parse_qsl(query_string.decode("latin-1")):
            known = self.query_names.get(name.lower())
            if known and value.strip():
                query.setdefault(known, value)
        return query


class TokenTerms(NamedTuple):
    """What an access token says of who issued it and for whom, and the scopes that there are."""

    issuer: str
    audience: str
    scopes: tuple[str, ...]


class MediaTypes:
    """The request media types of one operation; `application/*+json` stands for a whole family."""

    def __init__(self, names: tuple[str, ...]) -> None:
        patterns = (re.escape(name).replace(r"\*", f"{_NAME}") for name in names)
        self.names = names
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE)
        self._kept_take = lru_cache(maxsize=64)(self._take)

    def take(self, content_type: bytes) -> bool:
        """Whether a Content-Type header names one of them, in UTF-8 (A4)."""
        return (self._kept_take if len(content_type) <= _LONGEST_KEPT else self._take)(content_type)

    def _take(self, content_type: bytes) -> bool:
        match = _CONTENT_TYPE.fullmatch(content_type.decode("latin-1"))
        if match is None or not self._pattern.fullmatch(match[1]):
            return False
        return all(charset.lower() in ("utf-8", "utf8") for charset in _CHARSET.findall(match[2]))


class Origin(NamedTuple):
    """Where a document that is not ours comes from: what of it is `ours`, and how its operations are read.

    `bases` are the paths of its servers, `scopes` those that its tokens may have; `document` is how it was.
    """

    ours: "Spec"
    operation: Callable[["Spec", str, str, Mapping[str, Any]], Operation]
    bases: tuple[str, ...]
    scopes: tuple[str, ...]
    document: Mapping[str, Any]


class Spec:
    """An OpenAPI document and the operations in it. SpecError if it can't be understood.

    `origin` is that of a document that is not ours, which was made modern.
    """

    def __init__(self, document: Mapping[str, Any], name: str, origin: Origin | None = None) -> None:
        self.name = name
        self.origin = origin
        self.ours = self if origin is None else origin.ours
        """The document that says what fixtures and the admin API look like."""
        self.bases = () if origin is None else origin.bases
        """The paths below which its paths are served too."""
        self._document = document
        self._components: Mapping[str, Any] = document.get("components", {})
        with self.in_use():
            self.operations = tuple(self._operations())

    @classmethod
    def read(cls, path: Path) -> "Spec":
        """The document in a YAML or JSON file; UnreadableDocument if there is none."""
        return cls(read_openapi(path), str(path))

    def in_use(self, where: str = "") -> AbstractContextManager[None]:
        """Turns any error that the document causes into a SpecError of one line; `where` is the place."""
        return document_in_use(self.name, where)

    def schema(self, name: str) -> Mapping[str, Any]:
        """The schema of that name in the components; SpecError if there is none."""
        schema = self._components.get("schemas", {}).get(name)
        if schema is None:
            raise SpecError(f"{self.name} has no schema {name}")
        return schema  # type: ignore[no-any-return]

    def checker(
        self, schema: Mapping[str, Any], whole: str = "request body", *, finite: bool = False
    ) -> Checker:
        """Compiles a schema of this document; a `finite` one looks at fields too that it ignores (A20)."""
        components: Mapping[str, Any] = {"schemas": self._reachable(schema)}
        if finite:
            schema, components = with_finite_fields(schema, components)
        return Checker(schema, components, whole)

    def _reachable(self, node: object) -> dict[str, Any]:
        # A validator keeps a copy of all that it is given: of the whole document, megabytes.
        found: dict[str, Any] = {}
        waiting = [node]
        while waiting:
            match waiting.pop():
                case dict() as fields:
                    name = str(fields.get("$ref", "")).removeprefix("#/components/schemas/")
                    if "$ref" in fields and name not in found:
                        found[name] = self.schema(name)
                        waiting.append(found[name])
                    waiting.extend(fields.values())
                case list() as items:
                    waiting.extend(items)
        return found

    @cached_property
    def examples(self) -> "Examples":
        """What makes instances of its schemas."""
        from mock_server.foreign.examples import Examples  # noqa: PLC0415 - for documents that are not ours

        return Examples(self)

    def example(self, schema: Mapping[str, Any]) -> object:
        """The first example that a schema gives, or None."""
        return next(iter(self.resolve(schema).get("examples", ())), None)

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """The node itself, or what its `$ref` points to with the node's own fields on top. SpecError."""
        own: dict[str, Any] = {}
        seen: list[str] = []
        while "$ref" in node:
            reference = node["$ref"]
            if reference in seen:
                raise SpecError(f"{self.name}: {reference} leads to nothing but itself")
            seen.append(reference)
            own = {**{name: value for name, value in node.items() if name != "$ref"}, **own}
            node = self._target(reference)
        return {**node, **own} if seen else node

    def _target(self, reference: str) -> Mapping[str, Any]:
        target: Any = self._document
        for step in reference.removeprefix("#/").split("/"):
            if step not in target:
                raise SpecError(f"{self.name}: {reference} points to nothing")
            target = target[step]
        return target  # type: ignore[no-any-return]

    @property
    def document(self) -> Mapping[str, Any]:
        """The whole document."""
        return self._document

    @property
    def published(self) -> Mapping[str, Any]:
        """The whole document as it was written."""
        return self._document if self.origin is None else self.origin.document

    def token_terms(self) -> "TokenTerms":
        """What the security scheme for client credentials says; SpecError without one."""
        if self.origin is not None:
            terms = self.ours.token_terms()
            theirs = self.origin.scopes
            return terms._replace(scopes=tuple(dict.fromkeys((*terms.scopes, *theirs))))
        with self.in_use("components.securitySchemes"):
            schemes = self._components.get("securitySchemes", {}).values()
            scheme = next((each for each in schemes if each["type"] == "oauth2"), None)
            if scheme is None:
                raise SpecError(f"{self.name}: components.securitySchemes has none of the type oauth2")
            scopes = tuple(scheme["flows"]["clientCredentials"]["scopes"])
            return TokenTerms(scheme["x-issuer"], scheme["x-audience"], scopes)

    def _operations(self) -> Iterator[Operation]:
        for path, item in self._document["paths"].items():
            for method in METHODS:
                if method in item:
                    with self.in_use(f"{method.upper()} {path}"):
                        operation = self._operation(path, method, item)
                    yield operation

    def _operation(self, path: str, method: str, item: Mapping[str, Any]) -> Operation:
        if self.origin is not None:
            return self.origin.operation(self, path, method, item[method])
        node = item[method]
        where = f"{method.upper()} {path}"
        if not isinstance(node.get("operationId"), str):
            raise SpecError(f"{self.name}: {where} has no operationId")
        parameters = [
            self.resolve(each) for each in (*item.get("parameters", ()), *node.get("parameters", ()))
        ]
        content: Mapping[str, Any] = self.resolve(node.get("requestBody", {})).get("content", {})
        if "200" not in node["responses"]:
            raise SpecError(f"{self.name}: {where} has no response 200")
        shown = self.resolve(node["responses"]["200"])["content"]
        success = shown.get("application/json", next(iter(shown.values())))["schema"]
        bodies = [media["schema"] for media in content.values()]
        if any(body != bodies[0] for body in bodies):
            raise SpecError(f"{self.name}: {where} has media types with different schemas")
        for schema in (*bodies[:1], success, *(parameter["schema"] for parameter in parameters)):
            self._refuse_unknown_keywords(schema, where, frozenset())
        in_query = [parameter for parameter in parameters if parameter["in"] == "query"]
        in_path = [parameter for parameter in parameters if parameter["in"] == "path"]
        in_body, wanted = bodies[0] if bodies else {}, node.get("x-at-least-one-of", ())
        examples = [
            example["value"] for media in content.values() for example in media.get("examples", {}).values()
        ]
        return Operation(
            id=node["operationId"],
            method=method.upper(),
            path=path,
            path_parameters=self.checker(object_of(in_path)),
            query=self.checker(self._needing(() if bodies else wanted, object_of(in_query), where), "query"),
            query_names={parameter["name"].lower(): parameter["name"] for parameter in in_query},
            body=self.checker(self._needing(wanted, in_body, where), finite=True) if bodies else None,
            body_schema=in_body,
            media_types=MediaTypes(tuple(content)),
            example=next(iter(examples), None),
            example_path=re.sub(
                r"\{(.+?)\}",
                lambda match: object_of(in_path)["properties"][match[1]].get("default", match[0]),
                path,
            ),
            success=success,
            response_types={
                int(status): tuple(self.resolve(response).get("content", ()))
                for status, response in node["responses"].items()
                if status.isdigit()
            },
            scopes=self._scopes(node),
            rate_limit=node.get("x-rate-limit"),
            subject=self._subject(node, where, bodies, in_query),
        )

    def _needing(self, names: Collection[str], schema: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """The schema, with one of these fields needed that is neither null nor empty."""
        if not names:
            return schema
        whole = self.resolve(schema)
        for name in names:
            if name not in whole["properties"]:
                raise SpecError(f"{self.name}: {where} has no {name} for its x-at-least-one-of")
        branches = [
            {"required": [name], "properties": {name: _not_empty(self.resolve(whole["properties"][name]))}}
            for name in names
        ]
        return {**whole, "anyOf": branches}

    def _subject(
        self,
        node: Mapping[str, Any],
        where: str,
        bodies: list[Mapping[str, Any]],
        in_query: list[Mapping[str, Any]],
    ) -> Subject:
        known = {Place("query", parameter["name"]) for parameter in in_query}
        known |= {Place("body", name) for body in bodies for name in self.resolve(body).get("properties", ())}
        places: dict[str, Place | None] = {}
        for what, expression in node.get("x-subject", {}).items():
            match = _PLACE.fullmatch(expression)
            place = Place(match[1] or match[2], match[3]) if match else None
            if place not in known or what not in Subject._fields:
                raise SpecError(f"{self.name}: {where} has no {expression} for the {what} of its x-subject")
            places[what] = place
        return Subject(**places)

    def _scopes(self, node: Mapping[str, Any]) -> tuple[str, ...] | None:
        # Of several ways in, the first that asks for anything: `{}` is for a service that checks nothing.
        ways = node.get("security", self._document.get("security", ()))
        return next((tuple(*way.values()) for way in ways if way), None)

    def _refuse_unknown_keywords(self, schema: Mapping[str, Any], where: str, seen: frozenset[str]) -> None:
        # A keyword that is ignored would be a rule that nobody checks.
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference in seen:
                raise SpecError(f"{self.name}: {where}: {reference} contains itself")
            seen |= {reference}
        schema = self.resolve(schema)
        unknown = set(schema) - KEYWORDS
        if unknown:
            raise SpecError(
                f"{self.name}: {where} uses a keyword that is not understood: {', '.join(sorted(unknown))}"
            )
        if schema.get("format", "date-time") not in FORMATS:
            raise SpecError(f"{self.name}: {where} uses a format that is not understood: {schema['format']}")
        for name, field_schema in schema.get("properties", {}).items():
            self._refuse_unknown_keywords(field_schema, f"{where}, {name}", seen)
        for inner in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
            if isinstance(inner, Mapping):
                self._refuse_unknown_keywords(inner, where, seen)


def _not_empty(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {"type": [each for each in types if each != "null"], "minItems": 1, "minLength": 1}


def read_openapi(path: Path) -> dict[str, Any]:
    """The OpenAPI document in a YAML or JSON file. SpecError, UnreadableDocument."""
    document = read_document(path)
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise SpecError(f"{path} is not an OpenAPI document: it has no paths")
    return document


def object_of(parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of the object that some parameters make."""
    return {
        "type": "object",
        "properties": {parameter["name"]: parameter["schema"] for parameter in parameters},
        "required": [parameter["name"] for parameter in parameters if parameter.get("required")],
    }
