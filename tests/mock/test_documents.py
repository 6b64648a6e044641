"""YAML, JSON and JSON Lines are read as the same JSON values."""

from decimal import Decimal
from pathlib import Path

import pytest

from mock_server.documents import UnreadableDocument, read_document, read_lines
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
        ("a: !!number x", "could not convert"),
        ("\0", "control characters"),
        (b"\xff", "invalid leading UTF-8"),
    ],
    ids=ascii,
)
def test_bad_yaml_is_one_line_that_names_the_file(write: Write, text: str | bytes, why: str) -> None:
    path = write("x.yaml", text)
    with pytest.raises(UnreadableDocument) as refused:
        read_document(path)
    assert str(refused.value).startswith(f"{path} can't be read: ")
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_json_is_read_strictly(write: Write) -> None:
    assert read_document(write("x.json", '{"a": 1.10}')) == {"a": Decimal("1.10")}
    with pytest.raises(UnreadableDocument, match=r'x\.json can\'t be read: the field "a" appears twice'):
        read_document(write("x.json", '{"a": 1, "a": 1}'))


def test_lines_have_their_numbers(write: Write) -> None:
    path = write("x.jsonl", '{"a": 1.10}\n\n  \r\n[2]')
    assert list(read_lines(path)) == [(1, {"a": Decimal("1.10")}), (4, [2])]


def test_bad_line_is_named(write: Write) -> None:
    with pytest.raises(UnreadableDocument, match=r"x.jsonl, line 2, can't be read: .*truncated"):
        list(read_lines(write("x.jsonl", '{"a": 1}\n{"a"')))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match=r"nope\.yaml can't be read: No such file or directory"):
        read_document(tmp_path / "nope.yaml")
