"""openapi.yaml is valid, is JSON, and a document that can't be served is refused in one line."""

import json
from functools import cache
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from mock_server.documents import read_document
from mock_server.ledger import MemoryLedger
from mock_server.opening import FixtureError, opening_loads
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Spec, SpecError
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Api, Json, app_of, json_of

PATH = "/api/p/v{version}/invoices/customer-payments"


@cache
def document_text() -> str:
    return json.dumps(yaml.load(SPEC.read_text(), yaml.CSafeLoader))


def document() -> Json:
    """The shipped document, to be changed by a test."""
    return json.loads(document_text())


def test_document_is_valid_openapi() -> None:
    validate(document())


def test_document_is_json() -> None:
    """What this reader makes of the YAML is what other readers make of it, and JSON can say it."""
    read = read_document(SPEC)
    assert json.loads(json.dumps(read, default=float)) == document()


def test_document_names_every_documented_status() -> None:
    responses = document()["paths"][PATH]["post"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "404", "405", "413", "415", "429", "5XX"}


def examples_of(path: str) -> list[tuple[str, Json]]:
    content = document()["paths"][path]["post"]["requestBody"]["content"]
    return [(name, example["value"]) for name, example in content["application/json"]["examples"].items()]


def test_payment_examples_name_loads_of_their_scenario_and_are_accepted(shipped: Api) -> None:
    fixtures: Json = read_document(FIXTURES)
    for scenario, body in examples_of(PATH):
        assert fixtures[scenario]["LoadNumber"] == body["LoadNumber"]
        assert shipped.post(body).status_code == 200, scenario


def test_response_example_is_what_its_request_gets(shipped: Api) -> None:
    example = document()["paths"][PATH]["post"]["responses"]["200"]["content"]["application/json"]["examples"]
    response = json_of(shipped.post(dict(examples_of(PATH))["invoiced"]).text)
    expected = json_of(json.dumps(example["recorded"]["value"]))
    expected["CustomerPayments"][0]["Id"] = response["CustomerPayments"][0]["Id"]
    assert response == expected


def test_search_examples_have_hits(shipped: Api) -> None:
    for name, body in examples_of("/api/p/v{version}/loads/search"):
        assert shipped.post(body, path=SEARCH).status_code == 200, name


def test_parameters_are_filled_in_with_what_finds_a_load(shipped: Api) -> None:
    parameters = document()["paths"]["/api/p/v{version}/loads"]["get"]["parameters"]
    query = {each["name"]: each["example"] for each in parameters if "name" in each}
    assert list(query) == ["id", "loadNumber", "orderNumber"]
    assert shipped.client.get(LOADS, params=query).json()["LoadNumber"] == "LD-1001"


def test_every_operation_has_its_parameters_itself_each_with_an_example() -> None:
    """Swagger UI does not show parameters that a path refers to, nor fill in what has no example."""
    whole = document()
    for item in whole["paths"].values():
        assert "parameters" not in item
        for operation in item.values():
            for each in operation.get("parameters", ()):
                name = each.get("$ref", "").rpartition("/")[2]
                assert "example" in (whole["components"]["parameters"][name] if name else each)


def test_request_schemas_offer_no_alternatives() -> None:
    """Generators make a class of each."""
    schemas = document()["components"]["schemas"]
    assert [name for name, schema in schemas.items() if {"anyOf", "oneOf", "allOf"} & schema.keys()] == [
        "OptionalMoney"
    ]


def test_link_leads_from_the_payment_to_its_load(shipped: Api) -> None:
    link = document()["paths"][PATH]["post"]["responses"]["200"]["links"]["load"]
    assert link["operationId"] == "getLoad"
    assert link["parameters"] == {
        "version": "$request.path.version",
        "loadNumber": "$response.body#/LoadNumber",
    }
    response = shipped.pay("LD-1001")
    found = shipped.client.get(LOADS, params={"loadNumber": response["LoadNumber"]})
    assert json_of(found.text)["payments"] == response["CustomerPayments"]


def test_routes_come_from_the_document() -> None:
    """The one path of the tests is the document's, with its default version."""
    operation = next(each for each in Spec.read(SPEC).operations if each.id == "recordCustomerPayment")
    assert operation.example_path == PAYMENTS


POST = ("paths", PATH, "post")
SCHEMAS = ("components", "schemas")
MONEY = (*SCHEMAS, "Money")
PAYMENT = (*SCHEMAS, "CustomerPayment")
PAGE = (*SCHEMAS, "LoadSearchResponse")
RESPONSE = (*SCHEMAS, "CustomerPaymentResponse")
SUBJECT = (*POST, "x-subject")
TEXT = {"type": "string"}
IN_RESPONSE = f"POST {PATH}, CustomerPayments, Amount, Amount"
GONE = "gone"
REF = "#/components/schemas"


def nested(depth: int) -> Json:
    schema: Json = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


DEEP = {"deep": nested(5000)}


def changed(*changes: tuple[tuple[str | int, ...], object]) -> Json:
    """The document with some of its fields set, or taken out."""
    whole = document()
    for (*above, last), value in changes:
        node = whole
        for step in above:
            node = node[step]
        if value is GONE:
            del node[last]
        else:
            node[last] = value
    return whole


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([((*POST, "operationId"), GONE)], f"POST {PATH} has no operationId"),
        ([((*POST, "operationId"), 5)], f"POST {PATH} has no operationId"),
        (
            [((*POST, "operationId"), "pay")],
            "spec: pay needs a handler, like those in mock_server/handlers.py",
        ),
        (
            [(("paths", "/api/p/v{version}/loads"), GONE)],
            "spec: getLoad has a handler, but is not an operation",
        ),
        ([((*SCHEMAS, "Text", "maxLength"), 5)], "uses a keyword that is not understood: maxLength"),
        (
            [((*MONEY, "properties", "Amount", "multipleOf"), 1)],
            f"{IN_RESPONSE} uses a keyword that is not understood: multipleOf",
        ),
        ([((*MONEY, "$comment"), "")], "uses a keyword that is not understood: $comment"),
        ([((*SCHEMAS, "OptionalMoney", "anyOf", 1, "const"), None)], "not understood: const"),
        (
            [((*SCHEMAS, "Load", "properties", "Notes", "items", "minProperties"), 1)],
            "Notes uses a keyword that is not understood: minProperties",
        ),
        ([((*SCHEMAS, "Load", "additionalProperties"), {"oneOf": []})], "not understood: oneOf"),
        (
            [((*SCHEMAS, "Text", "format"), "email")],
            f"POST {PATH}, InvoiceNumber uses a format that is not understood: email",
        ),
        (
            [((*MONEY, "properties", "Amount"), {"$ref": "#/components/x"})],
            "#/components/x points to nothing",
        ),
        ([(("components", "parameters", "Version"), GONE)], "parameters/Version points to nothing"),
        ([((*MONEY, "properties", "Amount"), {"$ref": "#/components/schemas/Money"})], "contains itself"),
        (
            [((*POST, "requestBody", "content", "text/json"), {"schema": {}})],
            f"POST {PATH} has media types with different schemas",
        ),
        ([((*POST, "responses", "200"), GONE)], f"spec: POST {PATH} has no response 200"),
        (
            [(("components", "securitySchemes"), GONE)],
            "spec: components.securitySchemes has none of the type",
        ),
        (
            [
                ((*SCHEMAS, "Text"), {"$ref": f"{REF}/Currency"}),
                ((*SCHEMAS, "Currency"), {"$ref": f"{REF}/Text"}),
            ],
            f"spec: {REF}/Currency leads to nothing but itself",
        ),
        ([((*SCHEMAS, "Text", "properties"), DEEP)], f"spec, POST {PATH}, can't be served as an OpenAPI"),
        ([(("paths",), [])], "can't be served as an OpenAPI document: AttributeError: "),
        ([((*MONEY, "type"), 5)], "can't be served as an OpenAPI document: ValidationError: "),
        ([((*SCHEMAS, "CustomerPaymentResponse"), {})], "OpenAPI document: KeyError: 'properties'"),
        (
            [((*PAGE, "properties", "More"), {}), ((*PAGE, "required"), ["More"])],
            "searchLoads requires More, which nothing fills",
        ),
        (
            [((*PAYMENT, "properties", "Fee"), {}), ((*PAYMENT, "required"), ["Fee"])],
            "recordCustomerPayment.CustomerPayments requires Fee, which nothing fills",
        ),
        (
            [((*RESPONSE, "properties", "Fee"), TEXT), ((*RESPONSE, "required"), ["Fee"])],
            "recordCustomerPayment requires Fee, which nothing fills",
        ),
        (
            [((*SUBJECT, "load"), "$request.body#/LoadNumbr")],
            f"POST {PATH} has no $request.body#/LoadNumbr for the load of its x-subject",
        ),
        (
            [(("paths", "/api/p/v{version}/loads", "get", "x-at-least-one-of"), ["id", "number"])],
            "GET /api/p/v{version}/loads has no number for its x-at-least-one-of",
        ),
        (
            [(("paths", "/api/p/v{version}/loads/search", "post", "x-at-least-one-of"), ["Statuses"])],
            "POST /api/p/v{version}/loads/search has no Statuses for its x-at-least-one-of",
        ),
        ([((*SUBJECT, "reference"), "LoadNumber")], "has no LoadNumber for the reference of its x-subject"),
        ([((*SUBJECT, "payer"), "$request.body#/Note")], "Note for the payer of its x-subject"),
        ([((*SCHEMAS, "Load"), GONE), (("paths",), {})], "spec has no schema Load"),
        ([((*SCHEMAS, "Load"), {"properties": {}}), (("paths",), {})], "KeyError: 'payments'"),
        ([((*SCHEMAS, "Load", "properties", "CreatedAt"), {})], "OpenAPI document: TypeError: "),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_document_that_cannot_be_served_is_refused_in_one_line(
    changes: list[tuple[tuple[str | int, ...], object]], why: str
) -> None:
    with pytest.raises(SpecError) as refused:
        start(changed(*changes))
    assert why in str(refused.value)
    assert str(refused.value).startswith("spec")
    assert "\n" not in str(refused.value)


def test_required_field_of_a_load_that_nothing_fills_stops_the_start() -> None:
    """Whatever the fixtures say: the admin API could add a load without it."""
    required = document()["components"]["schemas"]["Load"]["required"]
    whole = changed(
        ((*SCHEMAS, "Load", "properties", "Fee"), TEXT), ((*SCHEMAS, "Load", "required"), [*required, "Fee"])
    )
    with pytest.raises(SpecError, match="getLoad requires Fee, which nothing fills: give its schema an exa"):
        app_of(Spec(whole, "spec"), MemoryLedger([]))


def start(whole: Json) -> None:
    spec = Spec(whole, "spec")
    app_of(spec, MemoryLedger(opening_loads(spec, [FIXTURES])))


@pytest.mark.parametrize("text", ["[]", "null", "{}", "openapi: 3.1.1"])
def test_document_without_paths_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"spec\.yaml is not an OpenAPI document: it has no paths"):
        Spec.read(path)


def test_whatever_is_taken_out_is_served_or_refused_in_one_line() -> None:
    """Each field of the first levels in turn: any other error would end the start with a traceback."""
    refusals = []
    for path in fields(document()):
        try:
            start(changed((path, GONE)))
        except (SpecError, FixtureError) as error:
            refusals.append(str(error))
    assert len(refusals) > 20
    assert [refusal for refusal in refusals if "\n" in refusal] == []


def fields(node: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict) or len(path) > 4 or path[-1:] in {("examples",), ("info",)}:
        return []
    below = [fields(inner, (*path, name)) for name, inner in node.items()]
    return [(*path, name) for name in node] + [each for inner in below for each in inner]
