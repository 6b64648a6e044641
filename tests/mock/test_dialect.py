"""What others write in OpenAPI 3.0 and 3.1 becomes JSON Schema 2020-12, or one line that says why not."""

from typing import Any

import pytest
import yaml

from mock_server.foreign.dialect import modern, paths_of_servers
from mock_server.foreign.operations import foreign_spec
from mock_server.revisions import LATEST, read_spec
from mock_server.shipped import SPEC
from mock_server.spec import SpecError
from tests.mock.api import Json

REF = "#/components/schemas/"
HEAD = "{openapi: 3.0.3, paths: {/a: {get: {responses: {'200': "


def document_with(
    schema: Any, version: str = "3.0.3", view: str = "response", schemas: Json | None = None
) -> Json:
    """A document with one operation, whose response or request has the schema."""
    content = {"content": {"application/json": {"schema": schema}}}
    node: Json = {"responses": {"200": content if view == "response" else {}}}
    if view == "request":
        node["requestBody"] = content
    return {"openapi": version, "paths": {"/a": {"post": node}}, "components": {"schemas": schemas or {}}}


def modern_schema(
    schema: Any, version: str = "3.0.3", view: str = "response", schemas: Json | None = None
) -> Json:
    node = modern(document_with(schema, version, view, schemas), "spec")["paths"]["/a"]["post"]
    part = node["requestBody"] if view == "request" else node["responses"]["200"]
    return part["content"]["application/json"]["schema"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"nullable": True}, {}),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": True}, {"exclusiveMaximum": 1}),
        ({"exclusiveMaximum": True}, {}),
        ({"exclusiveMinimum": 3}, {"exclusiveMinimum": 3}),
        ({"example": 1, "examples": [2]}, {"examples": [1, 2]}),
        ({"type": "file", "pattern": "[", "minLength": -1, "multipleOf": 0, "enum": None}, {}),
        ({"type": ["integer", "date"], "required": True}, {"type": "integer"}),
        ({"required": ["a", 5, "a"]}, {"required": ["a"]}),
        ({"items": [], "allOf": [], "properties": None, "not": 5}, {}),
        ({"patternProperties": {"[": {}, "^a": {}}}, {"patternProperties": {"^a": {}}}),
        ({"dependentRequired": {"a": ["b", 5]}}, {"dependentRequired": {"a": ["b"]}}),
        (
            {"additionalProperties": {"nullable": True, "type": "integer"}},
            {"additionalProperties": {"type": ["integer", "null"]}},
        ),
        ({"enum": [0, 1], "x-enum-varnames": ["A", "B"]}, {"enum": [0, 1], "x-enumNames": ["A", "B"]}),
        ({"x-anything": 1, "description": "d", "xml": {}}, {}),
        (True, True),
    ],
    ids=str,
)
def test_keywords_become_those_of_json_schema(old: Json, new: Json) -> None:
    assert modern_schema(old) == new


def test_null_is_taken_where_nullable_has_no_type_and_never_sent() -> None:
    """The standard says that it means nothing there; people mean it."""
    money = {"type": "object"}
    for schema in (
        {"allOf": [{"$ref": REF + "Money"}], "nullable": True},
        {"$ref": REF + "Money", "nullable": True},
    ):
        assert "anyOf" not in modern_schema(schema, schemas={"Money": money})
        assert modern_schema(schema, view="request", schemas={"Money": money})["anyOf"][1] == {"type": "null"}
    choices = {"type": "string", "enum": ["a"], "nullable": True}
    assert modern_schema(choices)["enum"] == ["a"]
    assert modern_schema(choices, view="request")["enum"] == ["a", None]


def test_what_stands_beside_a_reference_counts_in_3_1_only() -> None:
    schema = {"$ref": REF + "Text", "maxLength": 5}
    assert modern_schema(schema, schemas={"Text": {"type": "string"}}) == {"$ref": REF + "Text"}
    assert modern_schema(schema, "3.1.0", schemas={"Text": {"type": "string"}}) == {
        "$ref": REF + "Text",
        "maxLength": 5,
    }


DRIVER = {
    "type": "object",
    "required": ["id", "pin", "name", "key"],
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "pin": {"type": "string", "writeOnly": True},
        "name": {"type": "string"},
        "key": {"$ref": REF + "Key"},
        "both": {"allOf": [{"$ref": REF + "Key"}]},
        "any": True,
    },
}


def test_fields_of_one_direction_are_not_required_in_the_other() -> None:
    schemas = {"Driver": DRIVER, "Key": {"type": "string", "writeOnly": True}}
    read = modern(document_with({"$ref": REF + "Driver"}, "3.1.0", schemas=schemas), "spec")["components"][
        "schemas"
    ]
    assert read["Driver"]["required"] == ["id", "name"]
    assert list(read["Driver"]["properties"]) == ["id", "name", "any"]
    posted = document_with({"$ref": REF + "Driver"}, view="request", schemas=schemas)
    sent = modern(posted, "spec")["components"]["schemas"]["Driver.request"]
    assert sent["required"] == ["pin", "name", "key"]
    assert set(sent["properties"]) == set(DRIVER["properties"])


def test_any_place_of_the_document_may_be_referred_to() -> None:
    schemas = {
        "A/b~c": {"type": "integer"},
        "List": {"oneOf": [{"type": "boolean"}]},
        "A_b_c": {"type": "null"},
    }
    fields = {
        "odd": {"$ref": REF + "A~1b~0c"},
        "encoded": {"$ref": REF + "A%7E1b%7E0c"},
        "item": {"$ref": REF + "List/oneOf/0"},
        "like": {"$ref": REF + "A_b_c"},
    }
    whole = document_with({"properties": fields}, schemas=schemas)
    spec = foreign_spec(whole, "spec", read_spec(SPEC, LATEST))
    made = spec.examples.instance(spec.operations[0].success)
    assert made == {"odd": 1, "encoded": 1, "item": True, "like": None}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"swagger": "2.0"}, "spec can't be served: it is Swagger 2.0, and only OpenAPI 3.0 and 3.1 are"),
        ({"openapi": "4.0"}, "spec can't be served: it is OpenAPI 4.0, and only"),
        ({}, "spec can't be served: it is of no version of OpenAPI, and only"),
        (HEAD + "{}}}, post: 5}}}", "spec: POST /a must be an object"),
        (HEAD + "5}}}}}", "spec: GET /a, response 200 must be an object"),
        (
            HEAD + "{content: {a/b: {schema: 5}}}}}}}}",
            "spec: GET /a, response 200, a/b: a schema must be an object",
        ),
        (HEAD + "{}}, parameters: [{name: a}]}}}}", "spec: GET /a has a parameter without name or in"),
        (
            HEAD + "{}}, parameters: 5}}}}",
            "spec, GET /a, can't be served as an OpenAPI document: TypeError: ",
        ),
        (
            HEAD + "{}}, security: [{key: []}]}}}}",
            "spec: GET /a needs key, which components.securitySchemes lacks",
        ),
        (
            "{openapi: 3.1.0, paths: {/a: &a {get: {operationId: getLoad, responses: {'200': {}}}}, /b: *a}}",
            "spec: 2 operations have the id getLoad, which only one can have",
        ),
        ("{openapi: 3.1.0, paths: {/a: {get: {}}}}", "spec: GET /a has no responses"),
        ("{openapi: 3.1.0, paths: {/a: {get: {responses: {x-a: {}}}}}}", "spec: GET /a has no responses"),
        (
            "{openapi: 3.1.0, paths: {/a: {$ref: other.yaml}}}",
            "spec: other.yaml is in another document, and only this",
        ),
        ("{openapi: 3.1.0, paths: {/a: {$ref: '#/b'}}}", "spec: #/b points to nothing"),
        (
            "{openapi: 3.1.0, paths: {/a: {$ref: '#/paths/~1b'}, /b: {$ref: '#/paths/~1a'}}}",
            "leads to nothing but itself",
        ),
        (
            "{openapi: 3.0.0, servers: [5], paths: {}}",
            "spec can't be served as an OpenAPI document: AttributeError",
        ),
    ],
    ids=str,
)
def test_document_that_cannot_be_read_is_refused_in_one_line(document: Any, why: str) -> None:
    whole = yaml.safe_load(document) if isinstance(document, str) else {"paths": {}, **document}
    with pytest.raises(SpecError) as refused:
        foreign_spec(whole, "spec", read_spec(SPEC, LATEST))
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


LOOP = "leads to nothing but itself"


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"$ref": REF + "A"}},
        {"A": {"$ref": REF + "B"}, "B": {"$ref": REF + "A"}},
        {"A": {"allOf": [{"$ref": REF + "B"}]}, "B": {"allOf": [{"$ref": REF + "A"}]}},
        {"A": {"not": {"$ref": REF + "A"}}},
        {"A": {"dependentSchemas": {"x": {"$ref": REF + "A"}}}},
    ],
    ids=str,
)
def test_schema_that_is_nothing_but_itself_is_refused(schemas: Json) -> None:
    with pytest.raises(SpecError, match=rf"spec: {REF}[AB] {LOOP}"):
        modern(document_with({"$ref": REF + "A"}, "3.1.0", schemas=schemas), "spec")


def test_choices_that_contain_themselves_are_refused() -> None:
    with pytest.raises(SpecError, match="spec: too many of its schemas contain themselves"):
        modern(
            document_with({"$ref": REF + "A"}, schemas={"A": {"anyOf": [{"$ref": REF + "A"}, {}]}}), "spec"
        )


def test_mapping_of_a_discriminator_may_give_names() -> None:
    schemas = {
        "Base": {"discriminator": {"propertyName": "is", "mapping": {"d": "Derived", "o": REF + "Other"}}},
        "Derived": {},
        "Other": {},
    }
    read = modern(document_with({"$ref": REF + "Base"}, schemas=schemas), "spec")["components"]["schemas"]
    assert read["Base"]["discriminator"]["mapping"] == {"d": "Derived", "o": "Other"}
    assert set(read) == {"Base", "Derived", "Other"}


def test_schema_that_both_directions_share_stays_one() -> None:
    document = document_with({"$ref": REF + "A"}, schemas={"A": {"type": "object"}})
    document["paths"]["/a"]["post"]["requestBody"] = document["paths"]["/a"]["post"]["responses"]["200"]
    assert modern(document, "spec")["components"]["schemas"] == {"A": {"type": "object"}}


@pytest.mark.parametrize(
    ("servers", "paths"),
    [
        ([{"url": "https://a.example"}, {"url": "/"}], ()),
        ([{"url": "https://a.example/v1/"}, {"url": "/v1"}, {"url": "/v2"}], ("/v1", "/v2")),
        ([{"url": "https://{h}/{b}", "variables": {"h": {"default": "x"}, "b": {"default": "c"}}}], ("/c",)),
        ([{}], ()),
        ("none", ()),
    ],
    ids=str,
)
def test_paths_of_servers_are_found(servers: Any, paths: tuple[str, ...]) -> None:
    assert paths_of_servers(servers) == paths
