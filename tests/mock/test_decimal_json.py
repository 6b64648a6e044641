"""Reading and writing JSON: nothing is lost, nothing is rounded, nothing twice."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mock_server.decimal_json import NotJson, decode, encode, number


class Fields(list[tuple[str, object]]):
    """An object as it is written: a name may come twice."""


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.sampled_from(["a", "b", "a:", ":", '"', "\\", "\u0000", "é"]) | texts
finite = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | texts | names,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(names, inner), max_size=3).map(Fields),
    max_leaves=8,
)


@st.composite
def written(draw: st.DrawFn, value: object = None) -> str:
    """A JSON text, with white space and escapes of all kinds."""
    return _written(draw, draw(values) if value is None else value)


def _written(draw: st.DrawFn, value: object) -> str:
    match value:
        case Fields():
            colon = draw(st.sampled_from([":", " : "]))
            inside = (f"{_text(draw, name)}{colon}{_written(draw, field)}" for name, field in value)
            return "{" + ",".join(inside) + "}"
        case list():
            return "[" + ", ".join(_written(draw, item) for item in value) + "]"
        case str():
            return _text(draw, value)
        case Decimal():
            return f"{value:f}"
        case _:
            return json.dumps(value)


def _text(draw: st.DrawFn, text: str) -> str:
    if draw(st.booleans()):
        return json.dumps(text, ensure_ascii=draw(st.booleans()))
    return '"' + "".join(f"\\u{unit:04x}" for unit in _utf_16(text)) + '"'


def _utf_16(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def slowly(text: str) -> object:
    """The reference: the standard library, asked to refuse a field that comes twice."""

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise NotJson
        return dict(pairs)

    return json.loads(text, object_pairs_hook=fields, parse_float=Decimal)


@given(written())
@example('{"a":":","a":""}')
@example('{"a\\u003a":1,"a:":2}')
@example('{"a":1,"\\u0061":1}')
@example('{":":{"a":1,"a":2}}')
def test_decode_agrees_with_a_slow_reference(text: str) -> None:
    try:
        expected = slowly(text)
    except NotJson:
        with pytest.raises(NotJson, match="appears twice"):
            decode(text.encode())
    else:
        assert decode(text.encode()) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | finite | texts,
        lambda i: st.lists(i, max_size=3) | st.dictionaries(texts, i, max_size=3),
        max_leaves=8,
    )
)
def test_what_is_written_is_read_again(value: object) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("text", ["0.1", "1.10", "123456789012345678901234567890.5", "0.000001"])
def test_digits_stay(text: str) -> None:
    assert isinstance(decode(text.encode()), Decimal)
    assert encode(decode(text.encode())) == text.encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-12", -12),
        ("1" + "0" * 308, 10**308),
        ("1.0", Decimal("1.0")),
        ("1e3", Decimal(1000)),
        ("1e-400", Decimal(0)),
        ("-0.0", Decimal(0)),
    ],
)
def test_number_is_an_int_only_if_written_as_one(text: str, value: object) -> None:
    for read in (number(text), decode(text.encode())):
        assert read == value
        assert type(read) is type(value)


@pytest.mark.parametrize("text", ["1e309", "-1e309", "2" + "0" * 308, "-" + "9" * 309, "9" * 5000])
def test_number_beyond_a_double_is_none_that_a_schema_takes(text: str) -> None:
    read = number(text)
    assert isinstance(read, Decimal)
    assert read.is_nan()


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"[" * 100_000, "nested too deeply"), (b'"\xff"', "not UTF-8"), (b"{", "truncated")],
    ids=["deep", "bytes", "short"],
)
def test_reason_is_said(body: bytes, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        decode(body)
