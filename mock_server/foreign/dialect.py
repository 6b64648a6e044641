"""OpenAPI 3.0 and 3.1 as other people write it -> 3.1 as this package reads it.

What results has no references but those to schemas, and those are clean; parameters, bodies, responses,
headers and security are where they count; the keywords of 3.0 are those of JSON Schema 2020-12. A schema
whose fields differ between requests and responses, by `readOnly` and `writeOnly`, becomes two.
"""

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs

from mock_server.decimal_json import encode
from mock_server.spec import METHODS, SpecError, document_in_use

Node = Mapping[str, Any]

REQUEST, RESPONSE = "request", "response"
_REF = "#/components/schemas/"
_KINDS = {"object", "array", "string", "number", "integer", "boolean", "null"}
_BRANCHES, _CONDITIONS = ("allOf", "anyOf", "oneOf"), ("not", "if", "then", "else")
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_ONE = (*_CONDITIONS, *_UNEVALUATED, "items", "additionalProperties", "contains", "propertyNames")
_LISTS = (*_BRANCHES, "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_COUNTS = tuple(
    f"{end}{what}" for what in ("Length", "Items", "Properties", "Contains") for end in ("min", "max")
)
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_TYPED = {"examples": list, "uniqueItems": bool, "format": str}
_NAMES_OF_ENUM = ("x-enumNames", "x-enum-varnames")
_MOST_LOOPS = 100


def modern(document: Node, name: str) -> dict[str, Any]:
    """The document of somebody else, as this package reads it; SpecError says where it can't be read."""
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        found = "of no version of OpenAPI" if not version else f"OpenAPI {version}"
        found = f"Swagger {document['swagger']}" if "swagger" in document else found
        raise SpecError(f"{name} can't be served: it is {found}, and only OpenAPI 3.0 and 3.1 are")
    return _Reader(document, name, is_old=version.startswith("3.0")).read()


def paths_of_servers(servers: Any) -> tuple[str, ...]:
    """The paths below which the servers of a document have its paths; without those that are empty."""
    found = []
    for server in servers if isinstance(servers, list) else ():
        url = str(server.get("url", ""))
        for variable, told in server.get("variables", {}).items():
            url = url.replace("{" + variable + "}", str(told.get("default", "")))
        found.append(urlsplit(url).path.rstrip("/"))
    return tuple(dict.fromkeys(path for path in found if path.startswith("/")))


class _Reader:
    """Reads one document."""

    def __init__(self, document: Node, name: str, *, is_old: bool) -> None:
        self._document = document
        self._name = name
        self._is_old = is_old
        text = encode(document)
        self._has_views = b'"readOnly":true' in text or b'"writeOnly":true' in text
        self._keys: dict[tuple[str, str], str] = {}
        self._waiting: list[tuple[str, Any, str]] = []
        self._schemas: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        paths = {
            path: self._path(path, item) for path, item in self._document["paths"].items() if path[:1] == "/"
        }
        while self._waiting:
            key, schema, view = self._waiting.pop()
            self._schemas[key] = self.schema(schema, view, key)
        self._without_loops()
        self._close_heirs()
        components = self._document.get("components", {})
        schemes = components.get("securitySchemes", {})
        return {
            "openapi": "3.1.1",
            "info": {"title": "", "version": "", **self._document.get("info", {})},
            "servers": self._document.get("servers", []),
            "paths": paths,
            "components": {
                "schemas": self._schemas,
                "securitySchemes": {key: self.resolve(scheme) for key, scheme in schemes.items()},
            },
        }

    def resolve(self, node: Any, where: str = "") -> dict[str, Any]:
        """The node, or what its `$ref` leads to. SpecError."""
        seen: list[str] = []
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            if node["$ref"] in seen:
                raise SpecError(f"{self._name}: {node['$ref']} leads to nothing but itself")
            seen.append(node["$ref"])
            node = self._target(node["$ref"])
        if not isinstance(node, dict):
            raise SpecError(f"{self._name}: {where or seen} must be an object")
        return node

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise SpecError(f"{self._name}: {reference} is in another document, and only this one is read")
        target: Any = self._document
        for raw in reference[2:].split("/"):
            step = unquote(raw).replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and step.isdigit() and int(step) < len(target):
                target = target[int(step)]
            elif isinstance(target, dict) and (step in target or raw in target):
                target = target[step if step in target else raw]
            else:
                raise SpecError(f"{self._name}: {reference} points to nothing")
        return target

    # --- operations ----------------------------------------------------------------------------------

    def _path(self, path: str, item: Any) -> dict[str, Any]:
        item = self.resolve(item, path)
        read = {}
        for method in METHODS:
            if method in item:
                where = f"{method.upper()} {path}"
                with document_in_use(self._name, where):
                    read[method] = self._operation(where, item, self.resolve(item[method], where))
        return read

    def _operation(self, where: str, item: Node, node: Node) -> dict[str, Any]:
        parameters = {}
        for each in (*item.get("parameters", ()), *node.get("parameters", ())):
            read = self._parameter(each, where)
            parameters[read["in"], read["name"]] = read
        responses = {
            str(status): self._response(response, f"{where}, response {status}")
            for status, response in (node.get("responses") or {}).items()
            if not str(status).startswith("x-")
        }
        if not responses:
            raise SpecError(f"{self._name}: {where} has no responses")
        kept = {key: node[key] for key in ("operationId", "x-rate-limit", "x-subject") if key in node}
        kept["parameters"] = list(parameters.values())
        kept["responses"] = responses
        kept["security"] = self._security(node, where)
        if "requestBody" in node:
            body = self.resolve(node["requestBody"], f"{where}, requestBody")
            content = self._content(body, REQUEST, f"{where}, requestBody")
            kept["requestBody"] = {"required": body.get("required") is True, "content": content}
        return kept

    def _parameter(self, node: Any, where: str) -> dict[str, Any]:
        node = self.resolve(node, f"{where}, parameters")
        if not {"name", "in"} <= node.keys():
            raise SpecError(f"{self._name}: {where} has a parameter without name or in")
        content = node.get("content", {})
        schema = next(iter(content.values())).get("schema", {}) if content else node.get("schema", {})
        read = {key: node[key] for key in ("name", "in", "style", "explode", "example") if key in node}
        read["required"] = node.get("required") is True or node["in"] == "path"
        read["schema"] = self.schema(schema, REQUEST, f"{where}, {node['name']}")
        return {**read, "x-json": bool(content)}

    def _response(self, node: Any, where: str) -> dict[str, Any]:
        node = self.resolve(node, where)
        headers: dict[str, Any] = {}
        for name, raw in node.get("headers", {}).items():
            header = self.resolve(raw, f"{where}, {name}")
            schema = self.schema(header.get("schema", {}), RESPONSE, f"{where}, {name}")
            required = header.get("required") is True
            headers[name] = {"required": required, "schema": schema, "examples": self._given(header)}
        return {"headers": headers, "content": self._content(node, RESPONSE, where)}

    def _content(self, node: Node, view: str, where: str) -> dict[str, Any]:
        read = {}
        for media_type, raw in node.get("content", {}).items():
            media = self.resolve(raw, f"{where}, {media_type}")
            schema = self.schema(media.get("schema", {}), view, f"{where}, {media_type}")
            read[media_type] = {
                "schema": schema,
                "examples": {str(place): {"value": value} for place, value in enumerate(self._given(media))},
                "x-has-schema": "schema" in media,
            }
        return read

    def _given(self, node: Node) -> list[Any]:
        """The examples of a header or a media type."""
        given = [node["example"]] if "example" in node else []
        examples = [self.resolve(each) for each in (node.get("examples") or {}).values()]
        return given + [each["value"] for each in examples if "value" in each]

    def _security(self, node: Node, where: str) -> list[Any] | None:
        """The ways to be let in; None if the document does not say."""
        ways = node.get("security", self._document.get("security"))
        if ways is None:
            return None
        schemes = self._document.get("components", {}).get("securitySchemes", {})
        for name in (name for way in ways for name in way):
            if name not in schemes:
                raise SpecError(f"{self._name}: {where} needs {name}, which components.securitySchemes lacks")
        return list(ways)

    # --- schemas -------------------------------------------------------------------------------------

    def schema(self, node: Any, view: str, where: str) -> Any:
        """A schema, as JSON Schema 2020-12 says it; what has no meaning there is left out."""
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            raise SpecError(f"{self._name}: {where}: a schema must be an object, and not {node!r:.40}")
        if isinstance(node.get("$ref"), str):
            return self._reference(node, view, where)
        made: dict[str, Any] = {key: node[key] for key in ("const", "default") if key in node}
        made.update((key, node[key]) for key, kind in _TYPED.items() if isinstance(node.get(key), kind))
        made.update((key, node[key]) for key in _COUNTS if _is_number(node.get(key)) and node[key] >= 0)
        if _is_pattern(node.get("pattern")):
            made["pattern"] = node["pattern"]
        if isinstance(node.get("dependentRequired"), dict):
            made["dependentRequired"] = {
                name: _texts(others) for name, others in node["dependentRequired"].items()
            }
        if "example" in node:
            made["examples"] = [node["example"], *made.get("examples", ())]
        self._limits(node, made)
        self._kind(node, view, made)
        self._inner(node, view, where, made)
        self._fields(node, view, made)
        self._discriminator(node, view, made)
        if node.get("nullable") is True and "type" not in node and made and view == REQUEST:
            return {"anyOf": [made, {"type": "null"}]}
        return made

    def _inner(self, node: Node, view: str, where: str, made: dict[str, Any]) -> None:
        """The schemas in a schema."""
        for key in _ONE:
            if isinstance(node.get(key), dict | bool):
                made[key] = self.schema(node[key], view, where)
        for key in _LISTS:
            if isinstance(node.get(key), list) and node[key]:
                made[key] = [self.schema(each, view, where) for each in node[key]]
        for key in _MAPS:
            if isinstance(node.get(key), dict):
                made[key] = {
                    name: self.schema(each, view, f"{where}, {name}")
                    for name, each in node[key].items()
                    if key != "patternProperties" or _is_pattern(name)
                }

    def _reference(self, node: Node, view: str, where: str) -> dict[str, Any]:
        made: dict[str, Any] = {"$ref": _REF + self._key(node["$ref"], view)}
        own = {name: value for name, value in node.items() if name != "$ref"}
        if self._is_old:  # whose references have nothing beside them, but people write it
            if own.get("nullable") is True and view == REQUEST:
                return {"anyOf": [made, {"type": "null"}]}
            return made
        return {**self.schema(own, view, where), **made}

    def _key(self, reference: str, view: str) -> str:
        """The name of the component that a reference leads to."""
        view = view if self._has_views else ""
        key = self._keys.get((reference, view))
        if key is None:
            target = self._target(reference)
            name = re.sub(r"[^A-Za-z0-9._-]", "_", unquote(reference.rpartition("/")[2]))
            key = name if view in ("", RESPONSE) else f"{name}.{view}"
            while key in self._keys.values():
                key += "_"
            self._keys[reference, view] = key
            self._waiting.append((key, target, view or RESPONSE))
        return key

    def _kind(self, node: Node, view: str, made: dict[str, Any]) -> None:
        kinds = [node["type"]] if isinstance(node.get("type"), str) else _list(node.get("type"))
        kinds = [kind for kind in kinds if kind in _KINDS]
        nullable = node.get("nullable") is True
        if kinds:
            made["type"] = [*kinds, "null"] if nullable and "null" not in kinds else kinds
            if len(made["type"]) == 1:
                made["type"] = kinds[0]
        if isinstance(node.get("enum"), list):
            also_null = nullable and view == REQUEST and None not in node["enum"]
            made["enum"] = [*node["enum"], None] if also_null else node["enum"]
        names = next((node[key] for key in _NAMES_OF_ENUM if isinstance(node.get(key), list)), None)
        if names is not None:
            made[_NAMES_OF_ENUM[0]] = names

    @staticmethod
    def _limits(node: Node, made: dict[str, Any]) -> None:
        made.update((key, node[key]) for key in _LIMITS if _is_number(node.get(key)))
        for inclusive, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if node.get(exclusive) is True and inclusive in made:
                made[exclusive] = made.pop(inclusive)
        if made.get("multipleOf", 1) <= 0:
            del made["multipleOf"]

    def _fields(self, node: Node, view: str, made: dict[str, Any]) -> None:
        """Which fields are required, and which are not sent at all, in this direction."""
        required = _texts(node.get("required"))
        fields = node.get("properties") if isinstance(node.get("properties"), dict) else None
        if fields and self._has_views:
            mark = "readOnly" if view == REQUEST else "writeOnly"
            marked = {name for name, each in fields.items() if self._is_marked(each, mark)}
            required = [name for name in required if name not in marked]
            if view == RESPONSE:
                made["properties"] = {
                    name: each for name, each in made["properties"].items() if name not in marked
                }
        if required:
            made["required"] = required

    def _is_marked(self, node: Any, mark: str) -> bool:
        if not isinstance(node, dict):
            return False
        if node.get(mark) is True:
            return True
        if isinstance(node.get("$ref"), str):
            return self.resolve(node).get(mark) is True
        return any(self._is_marked(each, mark) for each in _list(node.get("allOf")))

    def _discriminator(self, node: Node, view: str, made: dict[str, Any]) -> None:
        told = node.get("discriminator")
        if isinstance(told, dict) and isinstance(told.get("propertyName"), str):
            mapping = told.get("mapping") if isinstance(told.get("mapping"), dict) else {}
            made["discriminator"] = {
                "propertyName": told["propertyName"],
                "mapping": {
                    str(value): self._key(to if "/" in str(to) else f"{_REF}{to}", view)
                    for value, to in (mapping or {}).items()
                },
            }

    # --- loops ---------------------------------------------------------------------------------------

    def _without_loops(self) -> None:
        """Refuses schemas that contain themselves without anything between; a validator would not return.

        One such loop is common and has a meaning: a schema names those that are derived from it, by `oneOf`,
        and they name it, by `allOf`. They mean its own fields.
        """
        for _ in range(_MOST_LOOPS):
            try:
                TopologicalSorter(
                    {key: set(_in_place(schema)) for key, schema in self._schemas.items()}
                ).prepare()
            except CycleError as error:
                self._cut(list(dict.fromkeys(error.args[1])))
            else:
                return
        raise SpecError(f"{self._name}: too many of its schemas contain themselves")

    def _cut(self, loop: list[str]) -> None:
        parents = [key for key in loop if {"oneOf", "anyOf"} & self._schemas[key].keys()]
        if not parents:
            raise SpecError(f"{self._name}: {_REF}{loop[0]} leads to nothing but itself")
        for parent in parents:
            own = f"{parent}.own"
            if own not in self._schemas:
                whole = self._schemas[parent]
                self._schemas[own] = {
                    name: value for name, value in whole.items() if name not in ("oneOf", "anyOf")
                }
            for key in loop:
                schema = self._schemas[key]
                if "allOf" in schema:
                    schema["allOf"] = [
                        {**each, "$ref": _REF + own} if each == {"$ref": _REF + parent} else each
                        for each in schema["allOf"]
                    ]

    # --- inheritance ---------------------------------------------------------------------------------

    def _close_heirs(self) -> None:
        """Closes what is derived from closed schemas as a whole, where nothing would satisfy it otherwise.

        Generators write `additionalProperties: false` into a class and into what is derived from it: taken
        at its word, each refuses the fields that the other requires.
        """
        read = dict(self._schemas)
        for key, schema in read.items():
            parts = list(_parts(read, schema, set()))
            required = {name for part in parts for name in part.get("required", ())}
            closed = [part.get("properties", {}).keys() for part in parts if _is_closed(part)]
            if not all(required <= names for names in closed):
                opened = self._opened(read, schema)
                for kind in ("properties", "patternProperties"):
                    if names := {name: True for part in parts for name in part.get(kind, ())}:
                        opened[kind] = {**names, **opened.get(kind, {})}
                self._schemas[key] = {**opened, "additionalProperties": False}

    def _opened(self, read: Node, schema: Any) -> Any:
        """The schema without those keywords, in it and in what it is derived from."""
        if not isinstance(schema, dict):
            return schema
        opened = dict(schema)
        if opened.get("additionalProperties") is False:
            del opened["additionalProperties"]
        if "allOf" in schema:
            opened["allOf"] = [self._opened(read, each) for each in schema["allOf"]]
        if "$ref" in schema:
            key = schema["$ref"].removeprefix(_REF)
            opened["$ref"] = f"{_REF}{key}:open"
            if f"{key}:open" not in self._schemas:
                self._schemas[f"{key}:open"] = self._opened(read, read[key])
        return opened


def _parts(read: Node, schema: Any, seen: set[str]) -> Iterator[Node]:
    """The schema, and those that it is derived from, but for components that were `seen`."""
    if isinstance(schema, dict):
        yield schema
        for each in schema.get("allOf", ()):
            yield from _parts(read, each, seen)
        key = schema.get("$ref", "").removeprefix(_REF)
        if key and key not in seen:
            seen.add(key)
            yield from _parts(read, read[key], seen)


def _is_closed(schema: Node) -> bool:
    return schema.get("additionalProperties") is False and "patternProperties" not in schema


def _in_place(schema: Any) -> Iterator[str]:
    """The components that an instance of the schema is checked by as a whole."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(_REF)
    for key in _BRANCHES:
        for each in schema.get(key, ()):
            yield from _in_place(each)
    for key in _CONDITIONS:
        yield from _in_place(schema.get(key))
    for each in schema.get("dependentSchemas", {}).values():
        yield from _in_place(each)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    """The different texts in a list."""
    return list(dict.fromkeys(each for each in _list(value) if isinstance(each, str)))


def _is_number(value: object) -> bool:
    return not isinstance(value, bool | str | list | dict | None)


def _is_pattern(pattern: object) -> bool:
    """Whether it is a text that the validator understands: .NET and others know more."""
    if not isinstance(pattern, str):
        return False
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True
