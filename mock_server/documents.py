"""Reads YAML, JSON and JSON Lines as JSON values: numbers decimal, dates strings, no member twice."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import yaml

from mock_server.decimal_json import NotJson, decode


class UnreadableDocument(Exception):
    """A file is not what its name says; the message names the file and the place."""


class _JsonLoader(yaml.CSafeLoader):
    """YAML with the scalars of JSON only: a bare date, `NO` and `1_000` stay strings."""

    # Of this class alone: PyYAML keeps its resolvers on the class.
    yaml_implicit_resolvers = {}  # noqa: RUF012

    def construct_members(self, node: yaml.MappingNode) -> dict[str, object]:
        members: dict[str, object] = {}
        for key, value in node.value:
            name = str(self.construct_scalar(key))
            if name in members:
                fault = f"the member {name!r} stands there twice"
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
            members[name] = self.construct_object(value, deep=True)
        return members

    def construct_number(self, node: yaml.ScalarNode) -> int | Decimal:
        text = str(self.construct_scalar(node))
        return int(text) if re.fullmatch(r"-?[0-9]+", text) else Decimal(text)


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("number", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_JsonLoader.add_constructor("tag:yaml.org,2002:map", _JsonLoader.construct_members)
_JsonLoader.add_constructor("tag:yaml.org,2002:number", _JsonLoader.construct_number)


def read_document(path: Path) -> object:
    """The value in a YAML or JSON file; UnreadableDocument if it holds none."""
    text = _bytes(path)
    try:
        return decode(text) if path.suffix == ".json" else yaml.load(text, _JsonLoader)  # noqa: S506 - a safe loader
    except (NotJson, yaml.YAMLError) as error:
        raise UnreadableDocument(f"{path} can't be read: {' '.join(str(error).split())}") from error


def read_lines(path: Path) -> Iterator[tuple[int, object]]:
    """The values in a JSON Lines file, each with its line number; blank lines are passed over."""
    for number, line in enumerate(_bytes(path).splitlines(), start=1):
        if line.strip():
            try:
                yield number, decode(line)
            except NotJson as error:
                raise UnreadableDocument(f"{path}, line {number}, can't be read: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path} can't be read: {error.strerror}") from error
