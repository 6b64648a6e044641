"""YAML, JSON and JSON Lines are read as the same JSON values."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mock_server.documents import UnreadableDocument, lines_in, read_bytes, read_document
from tests.conftest import Write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-07-01", "2026-07-01"),
        ("2026-07-01T15:30:00Z", "2026-07-01T15:30:00Z"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("1", 1),
        ("-12", -12),
        ("1.0", Decimal("1.0")),
        ("1.10", Decimal("1.10")),
        ("1e3", Decimal("1e3")),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("012", "012"),
        ("12:30:45", "12:30:45"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("1e-400", Decimal(0)),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("{a: [1, {b: c}]}", {"a": [1, {"b": "c"}]}),
        ("{1: x, true: y}", {"1": "x", "true": "y"}),
        ("{<<: {a: 1}}", {"<<": {"a": 1}}),
        ("[&x {a: 1}, *x]", [{"a": 1}, {"a": 1}]),
        ("", None),
    ],
)
def test_yaml_scalars_are_those_of_json(write: Write, text: str, value: object) -> None:
    read = read_document(write("x.yaml", text))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["1e400", "-1e99999999999999999999", "9" * 310], ids=lambda text: text[:9])
@pytest.mark.parametrize("name", ["x.yaml", "x.json"])
def test_number_beyond_a_double_is_no_number(write: Write, name: str, text: str) -> None:
    read = read_document(write(name, text))
    assert isinstance(read, Decimal)
    assert read.is_nan()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\na: 2", "the field 'a' appears twice"),
        ("1: x\n'1': y", "the field '1' appears twice"),
        ("a: [1", "expected ',' or ']'"),
        ("a: *x", "undefined alias"),
        ("a: &x [*x]", "recursive"),
        ("? [a]\n: 1", "expected a scalar"),
        ("a\n---\nb", "single document"),
        ("a: !!int x", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("\0", "control characters"),
        (b"\xff", "invalid leading UTF-8"),
    ],
    ids=ascii,
)
def test_bad_yaml_is_one_line_that_names_the_file(write: Write, text: str | bytes, why: str) -> None:
    path = write("x.yaml", text)
    with pytest.raises(UnreadableDocument) as refused:
        read_document(path)
    assert re.match(rf"{re.escape(str(path))}, line \d+, column \d+, can't be read: ", str(refused.value))
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_no_number_is_named(write: Write) -> None:
    with pytest.raises(UnreadableDocument, match=r"x\.yaml can't be read: could not convert"):
        read_document(write("x.yaml", "a: !!number x"))


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("x.yaml", "one:\n  a: [1,\n b: }", "line 3, column 5"),
        ("x.json", '{"one":\n  {"a": 1,}}', "line 2, column 11"),
        ("x.JSON", '{"one":\n  {"a": 1', "line 2, column 10"),
        ("x.yaml", "a: b\nc: \x01", "line 2, column 4"),
    ],
)
def test_mistake_is_named_with_line_and_column(write: Write, name: str, text: str, place: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_document(write(name, text))
    assert f"{name}, {place}, can't be read: " in str(refused.value)
    assert "byte" not in str(refused.value)


LEVELS = 50_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", "a: " + "[" * LEVELS),
        ("x.yaml", "- " * LEVELS),
        ("x.yaml", "? " * LEVELS),
        ("x.yaml", "\n".join(" " * level + "a:" for level in range(1000))),
        ("x.json", "[" * LEVELS + "]" * LEVELS),
        ("x.json", '{"a":' * 300 + "1" + "}" * 300),
    ],
    ids=["flow", "compact", "keys", "block", "JSON", "objects"],
)
def test_depth_is_refused_and_ends_no_process(write: Write, name: str, text: str) -> None:
    with pytest.raises(UnreadableDocument, match="can't be read: it is nested too deeply"):
        read_document(write(name, text))


def test_as_deep_as_anybody_writes_is_read(write: Write) -> None:
    text = "[" * 200 + "]" * 200
    assert read_document(write("x.yaml", text)) == read_document(write("x.json", text))


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_text_that_stands_for_a_huge_document_is_refused(write: Write) -> None:
    read_document(write("x.yaml", laughs(4)))
    with pytest.raises(UnreadableDocument, match="its aliases make more than 200000 values of it"):
        read_document(write("x.yaml", laughs(12)))


@pytest.mark.parametrize("name", ["x.yaml", "x.json"])
def test_mark_of_an_encoding_is_no_part_of_the_text(write: Write, name: str) -> None:
    text = '{"a": "\N{EURO SIGN}"}'
    assert read_document(write(name, text.encode("utf-8-sig"))) == {"a": "\N{EURO SIGN}"}
    assert read_document(write(name, text.encode("utf-16"))) == {"a": "\N{EURO SIGN}"}
    with pytest.raises(UnreadableDocument, match="can't be read: it is not UTF-16, as it begins"):
        read_document(write(name, b"\xff\xfea"))


def test_json_is_read_strictly(write: Write) -> None:
    assert read_document(write("x.json", '{"a": 1.10}')) == {"a": Decimal("1.10")}
    with pytest.raises(UnreadableDocument, match=r'x\.json can\'t be read: the field "a" appears twice'):
        read_document(write("x.json", '{"a": 1, "a": 1}'))


def test_lines_have_their_numbers(write: Write) -> None:
    path = write("x.jsonl", '{"a": 1.10}\n\n  \r\n[2]')
    assert list(lines_in(read_bytes(path), path)) == [(1, {"a": Decimal("1.10")}), (4, [2])]


def test_bad_line_is_named() -> None:
    with pytest.raises(
        UnreadableDocument, match=r"x\.jsonl, line 2, column 5, can't be read: it ends too early"
    ):
        list(lines_in(b'{"a": 1}\n{"a"', Path("x.jsonl")))
    with pytest.raises(UnreadableDocument, match=r"x\.jsonl, line 3, can't be read: the field"):
        list(lines_in(b'{}\n\n{"a": 1, "a": 2}', Path("x.jsonl")))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match=r"nope\.yaml can't be read: No such file or directory"):
        read_document(tmp_path / "nope.yaml")


@pytest.mark.parametrize("length", [0, 200_000], ids=["short", "long"])
def test_what_is_done_with_a_document_is_not_in_the_next_one(write: Write, length: int) -> None:
    path = write("x.yaml", f"a: [1.10]\nb: {'x' * length}\n")
    first: Any = read_document(path)
    first["a"].append(2)
    second: Any = read_document(path)
    assert second["a"] == [Decimal("1.10")]
