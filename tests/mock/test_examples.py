"""An example is accepted by its schema and the same each time, or there is none."""

import gc
import json
from decimal import Decimal
from typing import Any
from weakref import ref

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.decimal_json import decode, encode
from mock_server.foreign.examples import Examples, Unsatisfiable
from mock_server.foreign.operations import foreign_spec
from mock_server.foreign.samples import numbers, texts
from mock_server.revisions import LATEST, read_spec
from mock_server.shipped import SPEC
from tests.mock.api import Json

REF = "#/components/schemas/"
OURS = read_spec(SPEC, LATEST)


def examples_of(schema: Any, **schemas: Any) -> tuple[Examples, Any]:
    """What makes examples for a 3.1 document with that one schema, and the schema as it is read."""
    response = {"200": {"content": {"application/json": {"schema": schema}}}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/a": {"get": {"responses": response}}},
        "components": {"schemas": schemas},
    }
    spec = foreign_spec(decode(encode(document)), "spec", OURS)  # type: ignore[arg-type]
    foreign = spec.operations[0].foreign
    assert foreign
    return spec.examples, foreign.node["responses"]["200"]["content"]["application/json"]["schema"]


def example(schema: Any, **schemas: Any) -> Json:
    """The example, after a look at it by a validator with the schema as it was written."""
    examples, read = examples_of(schema, **schemas)
    made = examples.instance(read)
    again, read = examples_of(schema, **schemas)
    assert again.instance(read) == made
    whole = {"allOf": [schema], "components": {"schemas": schemas}}
    assert jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(made)
    return made


NODE = {
    "type": "object",
    "required": ["value"],
    "properties": {"value": {"type": "integer"}, "next": {"$ref": REF + "Node"}},
}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (True, {}),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 10}, 10),
        ({"type": "integer", "exclusiveMinimum": 10}, 11),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "multipleOf": 7, "minimum": 10}, 14),
        ({"type": "integer", "multipleOf": 0.5, "exclusiveMaximum": 1}, 0),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, Decimal("0.5")),
        ({"type": "number", "multipleOf": 0.01}, 1),
        ({"type": "number", "multipleOf": 2.5}, Decimal("2.5")),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "string"}, "example"),
        ({"type": "string", "maxLength": 2}, "01"),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "string", "minLength": 9}, "examplexx"),
        ({"type": "string", "format": "uuid"}, "00000000-0000-4000-8000-000000000001"),
        ({"type": "string", "format": "date-time", "maxLength": 99}, "2026-07-01T12:00:00Z"),
        ({"type": "string", "format": "unheard of"}, "example"),
        ({"pattern": "^[A-Z]{3}$"}, "USD"),
        ({"type": "string", "pattern": r"^\p{L}+$"}, "example"),
        ({"type": "string", "pattern": "^(?=.*[A-Z])(?=.*[0-9]).{8,}$"}, "Example1!"),
        ({"const": {"a": [1]}}, {"a": [1]}),
        ({"enum": [None, "a"]}, "a"),
        ({"enum": [None]}, None),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "default": 5}, "example"),
        ({"type": "integer", "default": None}, 1),
        ({"type": "string", "examples": [5, "e"]}, "e"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array"}, []),
        ({"type": "array", "items": False}, []),
        ({"type": "array", "maxItems": 0, "items": {"type": "integer"}}, []),
        ({"type": "array", "minItems": 2, "items": {"type": "integer"}}, [1, 2]),
        ({"type": "array", "uniqueItems": True, "minItems": 2, "items": {"type": "boolean"}}, [True, False]),
        ({"prefixItems": [{"const": "a"}, {"type": "null"}], "items": False}, ["a", None]),
        ({"type": "array", "contains": {"const": 5}, "minContains": 2, "items": {"type": "integer"}}, [5, 5]),
        (
            {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "null"}}},
            {"a": None, "b": {}},
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"example": 1}),
        ({"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^x$"}}, None),
        (
            {"minProperties": 2, "patternProperties": {"^x[a-z]{3}$": True}, "additionalProperties": False},
            None,
        ),
        (
            {
                "minProperties": 1,
                "propertyNames": {"maxLength": 2},
                "patternProperties": {"^0": {"const": 1}},
            },
            {"01": 1},
        ),
        ({"type": "string", "pattern": "^a++$"}, "a"),
        ({"patternProperties": {"^x-": {"type": "integer"}}, "required": ["x-a"]}, {"x-a": 1}),
        ({"properties": {"a": True, "b": True}, "maxProperties": 1, "required": ["b"]}, {"b": {}}),
        (
            {"properties": {"a": True, "b": True}, "dependentRequired": {"a": ["c"]}},
            {"a": {}, "b": {}, "c": {}},
        ),
        ({"properties": {"a": False, "b": {"type": "integer"}}}, {"b": 1}),
        ({"not": {"type": "object"}, "type": ["object", "integer"]}, 1),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, None),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, None),
        ({"allOf": [{"type": "number"}, {"type": "integer"}, {"minimum": 3}, {"minimum": 5}]}, 5),
        ({"allOf": [{"maxLength": 5}, {"maxLength": 3}], "type": "string"}, "001"),
        ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, 2),
        (
            {"allOf": [{"not": {"const": {}}}, {"not": {"type": "object"}}, {"type": ["object", "null"]}]},
            None,
        ),
        (
            {
                "allOf": [{"prefixItems": [True]}, {"prefixItems": [{"const": 1}, {"const": 2}]}],
                "minItems": 2,
            },
            None,
        ),
        ({"allOf": [{"format": "date"}, {"format": "uuid"}], "type": "integer"}, 1),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "properties": {"a": {"const": 1}}}, None),
        ({"dependentSchemas": {"a": {"required": ["b"]}}, "properties": {"a": {"const": 1}}}, None),
        ({"$ref": REF + "Node"}, {"value": 1}),
        ({"type": "array", "items": {"$ref": REF + "Node"}}, [{"value": 1}]),
    ],
    ids=lambda value: json.dumps(value, default=str)[:90],
)
def test_example_fits_its_schema(schema: Json, made: Json) -> None:
    found = example(schema, Node=NODE)
    assert made in (None, found)
    assert type(found) is type(made) or made is None


IMPOSSIBLE = [
    False,
    {"enum": []},
    {"type": "string", "minLength": 5, "maxLength": 2},
    {"type": "integer", "minimum": 2, "maximum": 1},
    {"allOf": [{"type": "string"}, {"type": "integer"}]},
    {"not": {}},
    {"type": "array", "items": False, "minItems": 1},
    {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"type": "boolean"}},
    {"type": "object", "required": ["a"], "properties": {"a": False}},
    {"type": "object", "required": ["a"], "additionalProperties": False},
    {"type": "string", "pattern": "^(?!)$"},
    {"type": "string", "pattern": r"^\p{Greek}{3}$"},  # which we can't invert
    {"$ref": REF + "Endless"},
    {"oneOf": [{"type": "string"}, {"type": "string"}], "type": "string"},
]


@pytest.mark.parametrize("schema", IMPOSSIBLE, ids=lambda value: json.dumps(value)[:90])
def test_schema_that_nothing_satisfies_has_no_example(schema: Json) -> None:
    endless = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": REF + "Endless"}}}
    examples, read = examples_of(schema, Endless=endless)
    with pytest.raises(Unsatisfiable):
        examples.instance(read)


def test_search_for_an_example_ends() -> None:
    """Each level can be tried in four ways, and there are twelve: patience ends before they do."""
    levels = {
        f"L{n}": {
            "type": "object",
            "anyOf": [
                {"required": [name], "properties": {name: {"$ref": f"{REF}L{n + 1}"}}} for name in "abcd"
            ],
        }
        for n in range(12)
    }
    examples, read = examples_of({"$ref": REF + "L0"}, **levels, L12={"type": "integer", "enum": ["a"]})
    with pytest.raises(Unsatisfiable):
        examples.instance({**read, "type": "object"})


def test_what_is_optional_is_left_out_where_nothing_else_fits() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    without_b = {"not": {"required": ["a"], "properties": {"a": {"required": ["b"]}}}}
    assert example({"type": "object", "required": ["a"], "properties": {"a": inner}, **without_b}) == {
        "a": {}
    }


def test_few_compiled_schemas_are_kept() -> None:
    examples, _ = examples_of({})
    schemas = [{"minimum": n} for n in range(100)]
    compiled = [ref(examples.checker(schema)) for schema in schemas]
    gc.collect()
    kept = [each() for each in compiled if each() is not None]
    assert len(kept) == 32
    assert examples.checker(schemas[-1]) is kept[-1]


def test_recursion_ends_where_it_may() -> None:
    tree = {
        "required": ["children"],
        "properties": {"children": {"type": "array", "items": {"$ref": REF + "Tree"}}},
    }
    assert example({"$ref": REF + "Tree"}, Tree=tree) == {"children": []}
    either = {
        "required": ["up"],
        "properties": {"up": {"anyOf": [{"$ref": REF + "Either"}, {"type": "null"}]}},
    }
    assert example({"$ref": REF + "Either"}, Either=either) == {"up": None}
    through = {
        "properties": {"inner": {"allOf": [{"$ref": REF + "Through"}], "title": "inner"}, "a": {"const": 1}}
    }
    assert example({"$ref": REF + "Through"}, Through=through) == {"a": 1}
    parent = {"required": ["one"], "properties": {"one": {"allOf": [{"$ref": REF + "Leaf"}]}}}
    assert example({"$ref": REF + "Parent"}, Parent=parent, Leaf={"const": 5}) == {"one": 5}


def test_large_example_ends_with_what_is_required() -> None:
    schemas = {
        f"S{n}": {"properties": {name: {"$ref": f"{REF}S{n + 1}"} for name in "abcdefgh"}} for n in range(9)
    }
    schemas["S9"] = {}
    assert len(encode(example({"$ref": REF + "S0"}, **schemas))) < 50_000
    examples, read = examples_of({"$ref": REF + "S0", "type": "object"}, **schemas)
    assert examples.instance(read, small=True) == {}


def test_given_value_counts_if_it_fits() -> None:
    examples, schema = examples_of({"type": "integer"})
    assert examples.instance(schema, ["x", 7]) == 7
    assert examples.instance(schema, ["x"]) == 1


def test_closed_schemas_share_what_both_allow() -> None:
    closed = [
        {"properties": {"a": {"type": "integer"}, "b": True}, "additionalProperties": False},
        {
            "properties": {"a": True, "c": True},
            "patternProperties": {"^b": True},
            "additionalProperties": False,
        },
    ]
    assert example({"type": "object", "allOf": closed}) == {"a": 1, "b": {}}


KIND = {"propertyName": "kind", "mapping": {"d": "Derived"}}
BASE = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"type": "string"}},
    "discriminator": KIND,
}
DERIVED = {"allOf": [{"$ref": REF + "Base"}, {"required": ["x"], "properties": {"x": {"const": 1}}}]}


def test_discriminator_names_what_the_example_is() -> None:
    assert example({"$ref": REF + "Base"}, Base=BASE, Derived=DERIVED) == {"kind": "d", "x": 1}
    assert example({"$ref": REF + "Derived"}, Base=BASE, Derived=DERIVED) == {"kind": "d", "x": 1}
    alias = {"$ref": REF + "Derived"}
    assert example({"$ref": REF + "Alias"}, Alias=alias, Base=BASE, Derived=DERIVED)["kind"] == "d"
    unmapped = {**BASE, "discriminator": {"propertyName": "kind"}}
    assert example({"$ref": REF + "Derived"}, Base=unmapped, Derived=DERIVED)["kind"] == "Derived"
    choice = {"oneOf": [{"$ref": REF + "A"}, {"const": 1}], "discriminator": {"propertyName": "kind"}}
    assert example(choice, A={**BASE, "discriminator": None})["kind"] == "A"


def test_discriminator_that_does_not_fit_is_left_alone() -> None:
    """What is derived is closed, or allows another value only: then the schema's own fields remain."""
    closed = {"allOf": [{"$ref": REF + "Base"}, {"additionalProperties": False}]}
    assert example({"$ref": REF + "Base"}, Base=BASE, Derived=closed) == {"kind": "d"}
    fixed = {"allOf": [{"$ref": REF + "Base"}, {"properties": {"kind": {"const": "other"}}}]}
    assert example({"$ref": REF + "Derived"}, Base=BASE, Derived=fixed) == {"kind": "other"}
    number = {"allOf": [{"$ref": REF + "Free"}], "type": "integer"}
    free = {"discriminator": {"propertyName": "kind", "mapping": {"n": "Number"}}}
    assert example({"$ref": REF + "Free"}, Free=free, Number=number) == {}


def test_names_and_choices_are_respelled() -> None:
    fields = {
        "loadNumber": {"type": "string"},
        "state": {"anyOf": [{"type": "null"}, {"enum": ["InTransit", "Open"]}]},
        "list": {"items": {"properties": {"Id": {"enum": [7, 8], "x-enumNames": ["Seven", "Eight"]}}}},
    }
    examples, schema = examples_of({"properties": fields})
    value = {"LoadNumber": "Open", "STATE": "In Transit", "List": [{"id": "eight"}, {"id": "nine"}], "x": 1}
    assert examples.respelled(value, schema) == {
        "loadNumber": "Open",
        "state": "InTransit",
        "list": [{"Id": 8}, {"Id": "nine"}],
        "x": 1,
    }


@pytest.mark.parametrize("n", range(5))
def test_samples_differ(n: int) -> None:
    for schema in ({"format": "uuid"}, {"format": "date"}, {}, {"pattern": "^[a-z]{8}$"}, {"maxLength": 2}):
        assert next(texts(schema, n)) != next(texts(schema, n + 1))
    assert next(numbers({"minimum": 5}, n, whole=True)) != next(numbers({"minimum": 5}, n + 1, whole=True))


SCALARS = st.sampled_from([None, True, 0, 1, 5, "a", "b", Decimal("0.5")])
NAMES = st.sampled_from(["a", "b", "c"])
COUNTS = st.integers(0, 3)
KINDS = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def _schemas(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    lists = st.lists(inner, min_size=1, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": KINDS | st.lists(KINDS, min_size=1, max_size=3, unique=True),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": inner | st.booleans(),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b", "[x-z]"]), inner, max_size=2),
        "propertyNames": st.just({"pattern": "^[a-m]"}),
        "items": inner | st.booleans(),
        "prefixItems": lists,
        "contains": inner,
        "uniqueItems": st.booleans(),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
        "const": SCALARS,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "pattern": st.sampled_from(["^a+$", "[0-9]", "^.{2,4}$"]),
        "format": st.sampled_from(["date", "uuid", "ipv4", "email"]),
        "examples": st.lists(SCALARS, max_size=2),
        "default": SCALARS,
        "multipleOf": st.sampled_from([2, Decimal("0.25"), 7]),
        "minimum": st.integers(-5, 5),
        "exclusiveMaximum": st.integers(-5, 9),
        "$ref": st.sampled_from([REF + "Node", REF + "One"]),
    }
    keywords |= dict.fromkeys(("allOf", "anyOf", "oneOf"), lists)
    counts = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
    keywords |= dict.fromkeys(counts, COUNTS)
    names = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen}))


@settings(max_examples=300, derandomize=True)
@given(st.recursive(st.just({}), _schemas, max_leaves=8))
def test_example_of_any_schema_fits_or_there_is_none(schema: Json) -> None:
    examples, read = examples_of(schema, Node=NODE, One={"type": "integer", "minimum": 1})
    try:
        made = examples.instance(read)
    except Unsatisfiable:
        return
    assert examples.checker(read).accepts(made)
