"""The parameters of other people's operations: texts of a request -> JSON values, by style and schema."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope

from mock_server.decimal_json import NotJson, decode
from mock_server.foreign.examples import Examples
from mock_server.schemas import Checker
from mock_server.spec import Spec, object_of

Node = Mapping[str, Any]

_SCALAR = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_NOT_OURS = ("accept", "content-type", "authorization")
"""Headers that OpenAPI describes elsewhere."""


class PathParameters:
    """Checks the parameters in a path."""

    def __init__(self, spec: Spec, parameters: Sequence[Node]) -> None:
        self._examples = spec.examples
        # Any id will do: who tries an operation out should not have to guess its format.
        loose = [{**each, "schema": self._of_any_form(each["schema"])} for each in parameters]
        self._parameters = {each["name"]: each for each in loose}
        self._check = spec.checker(object_of(loose), "path")

    def accepts(self, texts: Mapping[str, str]) -> bool:
        """Whether the document allows them."""
        known = ((name, self._parameters.get(name), text) for name, text in texts.items())
        values = {name: _value(self._examples, each, [text]) for name, each, text in known if each}
        return self._check.accepts(values)

    def _of_any_form(self, schema: Any) -> Any:
        plain = self._examples.plain(schema)
        kept = {name: plain[name] for name in ("type", "enum", "const") if name in plain}
        return kept if plain.get("type") == "string" else schema


class OtherParameters:
    """Reads the parameters in query, headers and cookies; `check` says what is wrong with them."""

    def __init__(self, spec: Spec, parameters: Sequence[Node]) -> None:
        self._examples = spec.examples
        self._parameters: dict[str, Node] = {}
        for each in sorted(parameters, key=lambda each: each["in"] != "query"):
            name, place = each["name"], each["in"]
            if place in ("query", "cookie") or (place == "header" and name.lower() not in _NOT_OURS):
                self._parameters[f"{name} ({place})" if name in self._parameters else name] = each
        named = [{**each, "name": name} for name, each in self._parameters.items()]
        self.check: Checker = spec.checker(object_of(named), "query")
        self.names = {name.lower(): name for name in self._parameters}

    def read(self, scope: Scope) -> dict[str, Any]:
        """The values that a request gives, by the document's names; blank ones count as none.

        The name of what is not in the query says where it is, if there is another of that name.
        """
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        cookies = chain.from_iterable(value.split(";") for name, value in headers if name == "cookie")
        given = {
            "query": parse_qsl(scope["query_string"].decode("latin-1")),
            "header": headers,
            "cookie": [(name.strip(), value) for name, _, value in (each.partition("=") for each in cookies)],
        }
        found: dict[str, Any] = {}
        for name, each in self._parameters.items():
            pairs = [(key.lower(), value) for key, value in given[each["in"]] if value.strip()]
            value = self._value(each, pairs)
            if value is not None:
                found[name] = value
        return found

    def _value(self, each: Node, pairs: list[tuple[str, str]]) -> object:
        name = each["name"].lower().removesuffix("[]")
        texts = [value for key, value in pairs if key.removesuffix("[]") == name]
        fields: Node = self._examples.shape(each["schema"]).get("properties", {})
        if each.get("style") == "deepObject" or (fields and not texts and each.get("explode", True)):
            deep = {f"{name}[{field.lower()}]": field for field in fields}
            flat = {} if each.get("style") == "deepObject" else {field.lower(): field for field in fields}
            names = {**flat, **deep}
            found = {names[key]: _scalar(value) for key, value in pairs if key in names}
            return found or None
        return _value(self._examples, each, texts) if texts else None


def _value(examples: Examples, each: Node, texts: list[str]) -> object:
    """What the texts mean, if the schema accepts that, else what they are most like."""
    accepts = examples.checker(each["schema"]).accepts
    for candidate in _candidates(examples, each, texts):
        if accepts(candidate):
            return candidate
    of_kind = examples.checker({"type": examples.shape(each["schema"]).get("type", "string")}).accepts
    return next(filter(of_kind, _candidates(examples, each, texts)), texts[0])


def _candidates(examples: Examples, each: Node, texts: list[str]) -> Iterator[object]:
    text = texts[0]
    if each.get("x-json"):
        try:
            yield decode(text.encode())
        except NotJson:
            return
    style = each.get("style", "")
    if style == "label":
        text = text.removeprefix(".")
    elif style == "matrix":
        text = text.removeprefix(f";{each['name']}=")
    yield text
    yield _scalar(text)
    separator = _SEPARATORS.get(style, ",")
    pieces = texts if len(texts) > 1 else text.split(separator)
    yield pieces
    yield [_scalar(piece) for piece in pieces]
    if "object" in str(examples.shape(each["schema"]).get("type")):
        yield {name: _scalar(value) for name, value in zip(pieces[::2], pieces[1::2], strict=False)}


def _scalar(text: str) -> object:
    return decode(text.encode()) if _SCALAR.fullmatch(text) else text
