"""Reads YAML, JSON and JSON Lines as JSON values: numbers decimal, dates strings, no field twice."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import yaml

from mock_server.decimal_json import NotJson, decode, number


class UnreadableDocument(Exception):
    """A file is not what its name says; the message names the file and the place."""


class _JsonLoader(yaml.CSafeLoader):
    """YAML with the scalars of JSON only: a bare date, `NO` and `1_000` stay strings."""

    # Of this class alone: PyYAML keeps its resolvers and constructors on the class.
    yaml_implicit_resolvers = {}  # noqa: RUF012
    yaml_constructors = {  # noqa: RUF012 - what JSON has no value for, is refused
        tag: yaml.CSafeLoader.yaml_constructors[tag]
        for tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", None)
    }

    def construct_fields(self, node: yaml.MappingNode) -> dict[str, object]:
        fields: dict[str, object] = {}
        for key, value in node.value:
            name = str(self.construct_scalar(key))
            if name in fields:
                problem = f"the field {name!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            fields[name] = self.construct_object(value, deep=True)
        return fields

    def construct_boolean(self, node: yaml.ScalarNode) -> bool:
        return self.construct_scalar(node) == "true"

    def construct_number(self, node: yaml.ScalarNode) -> int | Decimal:
        return number(str(self.construct_scalar(node)))


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("number", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_JsonLoader.add_constructor("tag:yaml.org,2002:map", _JsonLoader.construct_fields)
_JsonLoader.add_constructor("tag:yaml.org,2002:bool", _JsonLoader.construct_boolean)
_JsonLoader.add_constructor("tag:yaml.org,2002:number", _JsonLoader.construct_number)


def read_document(path: Path) -> object:
    """The value in a YAML or JSON file; UnreadableDocument if there is none."""
    text = _bytes(path)
    try:
        return decode(text) if path.suffix == ".json" else yaml.load(text, _JsonLoader)  # noqa: S506 - a safe loader
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UnreadableDocument(f"{path} can't be read: {' '.join(str(error).split())}") from error


def read_lines(path: Path) -> Iterator[tuple[int, object]]:
    """The values in a JSON Lines file, each with its line number; blank lines are skipped."""
    for line_number, line in enumerate(_bytes(path).splitlines(), start=1):
        if line.strip():
            try:
                yield line_number, decode(line)
            except NotJson as error:
                raise UnreadableDocument(f"{path}, line {line_number}, can't be read: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path} can't be read: {error.strerror}") from error
