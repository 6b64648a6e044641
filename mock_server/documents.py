"""Reads YAML, JSON and JSON Lines as JSON values: numbers decimal, dates strings, no field twice."""

import pickle
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import yaml

from mock_server.decimal_json import NotJson, decode, number

STDIN = Path("-")
"""Stands for what comes on standard input."""
LINES = (".jsonl", ".ndjson")
"""How the names of JSON Lines files end."""
SUFFIXES = (".yaml", ".yml", ".json", *LINES)

_DEEPEST = 250
"""What is nested deeper overflows the stack of the YAML library, which ends the process."""
_TOO_DEEP = "it is nested too deeply"
_MOST_BY_ALIAS = 200_000
"""So many values may a short text stand for by its aliases; a long one has as many as it has bytes."""
_LONGEST_KEPT = 2**17
"""Bytes of a document that is kept after it was read."""
_UTF_8, _UTF_16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
"""The marks of an encoding, which some programs write first."""
_BYTE = re.compile(r" \(byte (\d+)\)$")


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

    depth = 0

    def descend_resolver(self, _parent: object, _index: object) -> None:
        # The library calls it for every node, and has no limit of its own.
        self.depth += 1
        if self.depth > _DEEPEST:
            raise NotJson(_TOO_DEEP)

    def ascend_resolver(self) -> None:
        self.depth -= 1

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
    return document_in(read_bytes(path), path)


def document_in(text: bytes, path: Path) -> object:
    """The value in the text of that file; UnreadableDocument."""
    try:
        if path.suffix.lower() == ".json":
            document = decode(text)
            _refuse_depth(document)
        else:
            document = _yaml(text) if len(text) > _LONGEST_KEPT else pickle.loads(_pickled(text))  # noqa: S301 - by us
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UnreadableDocument(_complaint(path, text, error)) from error
    return document


@lru_cache(maxsize=8)
def _pickled(text: bytes) -> bytes:
    # Tests that start one mock after another read the same few documents each time: half of the start.
    return pickle.dumps(_yaml(text), pickle.HIGHEST_PROTOCOL)


def _yaml(text: bytes) -> object:
    document = yaml.load(text, _JsonLoader)  # noqa: S506 - a safe loader
    if b"*" in text:
        _refuse_aliases(document, max(_MOST_BY_ALIAS, len(text)))
    return document


def lines_in(text: bytes, path: Path) -> Iterator[tuple[int, object]]:
    """The values in the text of that JSON Lines file, each with its line number, but for blank lines.

    UnreadableDocument.
    """
    for line_number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield line_number, decode(line)
            except NotJson as error:
                raise UnreadableDocument(_complaint(path, line, error, line_number)) from error


def read_bytes(path: Path) -> bytes:
    """What is in a file, or on standard input, in UTF-8 and without a byte order mark. UnreadableDocument."""
    try:
        text = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        if text.startswith(_UTF_16):
            text = text.decode("utf-16").encode()
    except OSError as error:
        raise UnreadableDocument(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"{path} can't be read: it is not UTF-16, as it begins") from error
    return text.removeprefix(_UTF_8)


def name_of(path: Path) -> str:
    """How a file is called in what is said about it."""
    return "standard input" if path == STDIN else str(path)


def _complaint(path: Path, text: bytes, error: Exception, first: int = 1) -> str:
    """What is wrong, after the place of it; the line `first` is that of the text's first."""
    at, reason = _place_of(error, len(text))
    place = ""
    if at is not None:
        line, column = first + text.count(b"\n", 0, at), at - text.rfind(b"\n", 0, at)
        place = f", line {line}, column {column},"
    elif isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1},"
        reason = ": ".join(filter(None, (error.context, error.problem)))
    elif first > 1:
        place = f", line {first},"
    return f"{name_of(path)}{place} can't be read: {' '.join(reason.split())}"


def _place_of(error: Exception, end: int) -> tuple[int | None, str]:
    """How many bytes stand before what is wrong, if the error says it, and the reason."""
    if isinstance(error, yaml.reader.ReaderError):
        return error.position, error.reason
    if match := _BYTE.search(str(error)):
        return int(match[1]), str(error)[: match.start()]
    return (end, "it ends too early") if "truncated" in str(error) else (None, str(error))


def _refuse_depth(document: object) -> None:
    level = [document]
    for _ in range(_DEEPEST + 1):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        ]
        if not level:
            return
    raise NotJson(_TOO_DEEP)


def _refuse_aliases(document: object, most: int) -> None:
    """Refuses a short text that stands for a huge document."""
    sizes: dict[int, int] = {}

    def size(node: object) -> int:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if id(node) not in sizes:
            sizes[id(node)] = 1 + sum(map(size, inner))
        return sizes[id(node)]

    if size(document) > most:
        raise NotJson(f"its aliases make more than {most} values of it")
