"""Documents that nobody wrote for us: what we know is stateful, all else responds with fitting examples."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import FormatChecker  # type: ignore[import-untyped]
from openapi_schema_validator import OAS30ReadValidator, OAS31Validator
from openapi_spec_validator import validate

from mock_server.decimal_json import encode
from mock_server.documents import read_document
from mock_server.revisions import read_spec
from mock_server.shipped import SPEC
from mock_server.spec import Operation, Spec, SpecError
from mock_server.testing import MockServer, Settings
from mock_server.tokens import OAuthClient
from tests.conftest import Write
from tests.mock.api import PAYMENTS, Json, json_of, payment_of
from tests.mock.command import serving

FOLDER = Path(__file__).parent / "documents"
FREIGHT, DEPOT, AWKWARD = (FOLDER / f"{name}.yaml" for name in ("freight_3_0", "depot_3_1", "awkward"))
DOCUMENTS = (FREIGHT, DEPOT, AWKWARD)
IMPOSSIBLE = ("/impossible", "/endless")
UNREADABLE = ("/A/{other}/b", "/wrong")
"""Whose schemas the other validator can't read."""
TOKEN = {"authorization": "Bearer x"}


@cache
def original(path: Path) -> Json:
    """A document as other readers have it."""
    return json.loads(encode(read_document(path)))


@cache
def spec_of(path: Path) -> Spec:
    return read_spec(path)


def operations() -> list[Any]:
    return [
        pytest.param(path, operation, id=f"{path.stem} {operation.method} {operation.path}")
        for path in DOCUMENTS
        for operation in spec_of(path).operations
    ]


@contextmanager
def client_of(path: Path, **settings: Any) -> Iterator[httpx2.Client]:
    with (
        MockServer(spec=path, settings=Settings(**settings)) as mock,
        httpx2.Client(base_url=mock.url) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[Path, httpx2.Client]]:
    """A client for a mock of each document."""
    with client_of(FREIGHT) as freight, client_of(DEPOT) as depot, client_of(AWKWARD) as awkward:
        yield {FREIGHT: freight, DEPOT: depot, AWKWARD: awkward}


def node_of(operation: Operation) -> Json:
    assert operation.foreign
    return operation.foreign.node


def request_to(spec: Spec, operation: Operation) -> dict[str, Any]:
    """A request that the document allows, as `httpx2.Client.request` takes it."""
    made: dict[str, Any] = {"params": {}, "headers": dict(TOKEN), "cookies": {}}
    places = {"query": "params", "header": "headers", "cookie": "cookies"}
    path = operation.path
    for each in node_of(operation)["parameters"]:
        value = spec.examples.instance(each["schema"])
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", str(value))
        elif each["required"]:
            made[places[each["in"]]][each["name"]] = str(value)
    cookies = made.pop("cookies")
    made["headers"] |= (
        {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
    )
    for media_type, media in node_of(operation).get("requestBody", {}).get("content", {}).items():
        made["headers"]["content-type"] = media_type.replace("*", "x")
        made["content"] = encode(spec.examples.instance(media["schema"])) if "json" in media_type else b"x"
        break
    if operation.id == "recordCustomerPayment":
        made["content"] = json.dumps(payment_of("LD-1001", "R-1"))
    if operation.id == "getLoad":
        made["params"] = {"loadNumber": "LD-1001"}
    if operation.id == "getInvoice":
        made["params"] = {"invoiceNumber": "INV-1001"}
    if operation.id == "searchLoads":
        made["content"] = json.dumps({"LoadNumbers": ["LD-1001", "LD-1002"], "Status": ["Invoiced"]})
    return {"method": operation.method, "url": path, **made}


def resolved(path: Path, node: Json) -> Json:
    while "$ref" in node:
        target = original(path)
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def check(path: Path, operation: Operation, response: httpx2.Response) -> None:
    """Compares a response with the document as it is, by a validator that is not ours."""
    responses = resolved(path, original(path)["paths"][operation.path])[operation.method.lower()]["responses"]
    status = str(response.status_code)
    key = next(key for key in (status, f"{status[0]}XX", "default") if key in responses)
    documented = resolved(path, responses[key])
    for name, header in documented.get("headers", {}).items():
        assert name in response.headers or not header.get("required")
    content = documented.get("content", {})
    if not content or status in ("204", "205"):
        assert response.content == b""
        return
    media_type = response.headers["content-type"]
    assert media_type in content or "*/*" in content
    if operation.path in UNREADABLE:
        assert spec_of(path).examples.checker(operation.success).accepts(json_of(response.content))
    elif "json" in media_type and "schema" in content.get(media_type, {}):
        errors = [error.message for error in errors_in(path, content[media_type]["schema"], response.content)]
        assert errors == [], response.text


def errors_in(path: Path, schema: Json, body: bytes) -> list[Any]:
    whole = without_foreign_patterns({"components": original(path)["components"], "allOf": [schema]})
    validator: Any = OAS31Validator if original(path)["openapi"].startswith("3.1") else OAS30ReadValidator
    # Its `time` is one without an offset, as no draft since the third has it.
    formats = FormatChecker()
    formats.checkers = {
        name: known for name, known in validator.FORMAT_CHECKER.checkers.items() if name != "time"
    }
    return list(validator(whole, format_checker=formats).iter_errors(json.loads(body)))


def without_foreign_patterns(node: Json) -> Json:
    """Without patterns that Python does not understand."""
    if isinstance(node, list):
        return [without_foreign_patterns(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: without_foreign_patterns(each)
        for name, each in node.items()
        if name != "pattern" or not isinstance(each, str) or is_pattern(each)
    }


def is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


@pytest.mark.parametrize("path", [FREIGHT, DEPOT], ids=lambda path: path.stem)
def test_documents_are_valid_openapi(path: Path) -> None:
    validate(original(path))


@pytest.mark.parametrize(("path", "operation"), operations())
def test_every_operation_responds_with_what_its_schema_accepts_and_again(
    clients: dict[Path, httpx2.Client], path: Path, operation: Operation
) -> None:
    request = request_to(spec_of(path), operation)
    response, again = clients[path].request(**request), clients[path].request(**request)
    if operation.path in IMPOSSIBLE:
        assert response.status_code == 501
        assert "No example satisfies the schema" in response.text
        return
    check(path, operation, response)
    assert (again.status_code, again.content) == (response.status_code, response.content)
    stateful = operation.id in ("recordCustomerPayment", "getLoad", "searchLoads", "getInvoice")
    assert response.headers.get("x-sandbox") == (None if stateful else "example")


# --- what we know ------------------------------------------------------------------------------------

VERSIONED = "/api/p/v1.0"
LOADS = "/api/p/V2/Loads"
SEARCH = f"{VERSIONED}/loads/search"


@pytest.fixture
def freight() -> Iterator[httpx2.Client]:
    with client_of(FREIGHT) as client:
        yield client


def load_of(client: httpx2.Client, number: str) -> Json:
    response = client.get(LOADS, params={"LOADNUMBER": number})
    assert response.status_code == 200, response.text
    return json_of(response.content)


def test_payment_is_recorded_and_shown_in_the_shape_of_the_document(freight: httpx2.Client) -> None:
    before = load_of(freight, "LD-1001")
    first = json_of(freight.post(PAYMENTS, json=payment_of("LD-1001", "R-1", amount=10)).content)
    again = json_of(freight.post(PAYMENTS, json=payment_of("LD-1001", "R-1", amount=99)).content)
    assert again == first
    assert list(first) == ["Id", "LoadNumber", "Status", "TotalPaid", "TotalBillable"]
    assert first["TotalPaid"] == {"Amount": 10, "Currency": 840}
    load = load_of(freight, "LD-1001")
    assert "TotalPaid" not in before
    assert (before["Payments"], load["TotalPaid"]) == ([], first["TotalPaid"])
    (payment,) = load["Payments"]
    assert (payment["Id"], payment["Amount"]) == (first["Id"], {"Amount": 10, "Currency": 840})


def test_what_the_document_requires_and_we_do_not_know_is_an_example(freight: httpx2.Client) -> None:
    freight.post(PAYMENTS, json=payment_of("LD-1001", "R-1"))
    load = load_of(freight, "LD-1001")
    assert load["Payments"][0]["Channel"] == "Bank"
    assert (load["LoadType"], load["Mileage"]) == ("Truckload", 1)
    assert load["Stops"][0]["$type"] == "Pickup"


def test_what_a_fixture_states_is_shown(freight: httpx2.Client) -> None:
    load = load_of(freight, "LD-1001")
    assert (load["CustomerName"], load["InvoicedAmount"]) == (
        "Acme Foods",
        {"Amount": Decimal("1850.00"), "Currency": 840},
    )


def test_null_is_left_out_where_the_document_takes_none(freight: httpx2.Client) -> None:
    assert None not in load_of(freight, "LD-1004").values()


def test_currency_may_be_left_out_where_the_document_allows_it(freight: httpx2.Client) -> None:
    body = payment_of("LD-1003", "R-1", amount=5)
    del body["Amount"]["Currency"]
    response = freight.post(PAYMENTS, json=body)
    assert json_of(response.content)["TotalPaid"] == {"Amount": 5, "Currency": 124}


def test_statuses_are_spelled_as_the_document_spells_them(freight: httpx2.Client) -> None:
    found = json_of(freight.post(SEARCH, json={"Status": ["InTransit", "Tonu"]}).content)
    assert {load["Status"] for load in found["Items"]} == {"InTransit", "Tonu"}
    assert found["Total"] == 2


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (payment_of("LD-1001", "R", amount=0), 400, "Amount must be greater than zero."),
        (payment_of("LD-1001", " "), 400, "The ReferenceNumber field is required."),
        (payment_of("LD-1001", "R", Extra=1), 400, "There is no field Extra."),
        (payment_of("LD-1014", "R"), 400, "Load must be in one of: Invoiced, Completed, Financed."),
        (payment_of("nope", "R"), 404, "No load has the number nope."),
        ([], 400, "The request body field must be an object."),
    ],
)
def test_rules_hold_whatever_the_document_says(
    freight: httpx2.Client, body: object, status: int, sentence: str
) -> None:
    response = freight.post(PAYMENTS, json=body)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert sentence in response.json()["detail"]
    assert errors_in(FREIGHT, {"$ref": "#/components/schemas/ProblemDetails"}, response.content) == []


def test_read_needs_a_key_and_search_a_filter(freight: httpx2.Client) -> None:
    for response in (freight.get(LOADS), freight.post(SEARCH, json={})):
        assert response.status_code == 400
        assert response.json()["detail"].startswith("At least one of ")


def test_journal_and_faults_know_loads_and_references() -> None:
    with MockServer(spec=FREIGHT) as mock, httpx2.Client(base_url=mock.url) as client:
        mock.add_load("A-1")
        mock.fail_next(status=503)
        bodies = [payment_of("A-1", "R-1"), payment_of("A-1", "R-1")]
        assert [client.post(PAYMENTS, json=body).status_code for body in bodies] == [503, 200]
        client.get(LOADS, params={"loadNumber": "A-1"})
        assert [(entry.load, entry.operation) for entry in mock.requests] == [
            ("A-1", "recordCustomerPayment"),
            ("A-1", "recordCustomerPayment"),
            ("A-1", "getLoad"),
        ]
        assert mock.load("A-1")["Payments"][0]["Amount"]["Amount"] == 1


def test_profile_plays_with_a_document_of_others() -> None:
    with client_of(FREIGHT, profile="newtonsoft") as client:
        response = client.post(PAYMENTS, json=payment_of("LD-1001", "R", amount="10.10"))
        assert json_of(response.content)["TotalPaid"]["Amount"] == Decimal("10.10")
        assert client.get(f"{VERSIONED}/invoices?invoiceNumber=INV-1001").status_code == 200


def test_what_is_amended_for_a_profile_is_amended_in_our_part(write: Write) -> None:
    profile = write("profile.yaml", "answers: {A9c: accepted}")
    with client_of(FREIGHT, profile=str(profile)) as client:
        assert client.post(PAYMENTS, json=payment_of("LD-1001", " ")).status_code == 200


# --- examples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "The invoiceNumber field is required."),
        ("?invoiceNumber=%20", "The invoiceNumber field is required."),
        ("?invoiceNumber=1&status=7", "The status field must be one of: 0, 1, 2."),
        ("?invoiceNumber=1&ids=1&ids=x", "The ids field must be an integer."),
        ("?invoiceNumber=1&includeLines=maybe", "The includeLines field must be true or false."),
    ],
)
def test_query_that_the_document_refuses_is_400(freight: httpx2.Client, query: str, sentence: str) -> None:
    response = freight.get(f"{VERSIONED}/invoices{query}")
    assert (response.status_code, response.json()["detail"]) == (400, sentence)


def test_query_that_the_document_allows_is_read_by_type(freight: httpx2.Client) -> None:
    query = "?InvoiceNumber=INV-1001&status=2&ids=1&ids=2&includeLines=true"
    headers = {"x-correlation-id": "00000000-0000-4000-8000-000000000001"}
    assert freight.get(f"{VERSIONED}/invoices{query}", headers=headers).status_code == 200
    refused = freight.get(f"{VERSIONED}/invoices?invoiceNumber=INV-1001", headers={"x-correlation-id": "x"})
    assert refused.json()["detail"] == "The X-Correlation-Id field does not fit the format uuid."


def test_body_that_the_document_refuses_is_400(freight: httpx2.Client) -> None:
    response = freight.put(f"{VERSIONED}/drivers/7", json={"Name": "long name"})
    assert response.status_code == 400
    assert response.json()["errors"] == {
        "Name": ["The Name field does not fit the keyword maxLength of its schema."],
        "Pin": ["The Pin field is required."],
        "License": ["The License field is required."],
    }
    assert freight.put(f"{VERSIONED}/drivers/7").json()["detail"] == "A request body is required."


def test_body_may_be_left_out_where_the_document_does_not_need_it(freight: httpx2.Client) -> None:
    assert freight.post(f"{VERSIONED}/drivers").status_code == 201
    assert freight.post(f"{VERSIONED}/drivers", json={}).status_code == 400
    assert (
        freight.post(f"{VERSIONED}/drivers", content=b"x", headers={"content-type": "a/b"}).status_code == 415
    )


def test_upload_is_taken_unread(freight: httpx2.Client) -> None:
    response = freight.post(f"{VERSIONED}/loads/LD-1001/documents", files={"file": b"\xff\x00"})
    assert (response.status_code, response.content) == (202, b"")


def test_example_of_the_document_counts_if_its_schema_accepts_it(
    freight: httpx2.Client, clients: dict[Path, httpx2.Client]
) -> None:
    notes = freight.get(f"{VERSIONED}/loads/LD-1001/notes").json()
    assert notes == [{"Id": "7", "Text": "Call the consignee", "CreatedAt": "2026-07-01T12:00:00Z"}]
    assert freight.get(f"{VERSIONED}/drivers").json() != [{"Id": "not a uuid"}]
    assert freight.get(f"{VERSIONED}/export").text == "a,b\n1,2\n"
    assert clients[DEPOT].get("/loads/latest").text.startswith('{"id":"00000000-0000-4000-8000-0000000000aa"')


def test_derived_schemas_are_told_apart_by_their_discriminator(
    freight: httpx2.Client, clients: dict[Path, httpx2.Client]
) -> None:
    assert freight.get(f"{VERSIONED}/stops/last").json()["$type"] == "Delivery"
    assert freight.get(f"{VERSIONED}/stops/first").json()["$type"] == "Pickup"
    assert clients[AWKWARD].get("/shapes").json()["what"] == "round"
    assert clients[DEPOT].get("/events").json()[2]["kind"] == "Arrival"


HEIRS = """
openapi: 3.0.1
paths:
  /dog: {get: {responses: {'200': {content: {text/json: {schema: &dog {$ref: '#/components/schemas/Dog'}}}}}}}
  /pup: {get: {responses: {'200': {content: {text/json: {schema: &pup {$ref: '#/components/schemas/Pup'}}}}}}}
  /pet: {get: {responses: {'200': {content: {text/json: {schema: &pet {$ref: '#/components/schemas/Pet'}}}}}}}
  /any: {get: {responses: {'200': {content: {text/json: {schema: {$ref: '#/components/schemas/Any'}}}}}}}
  /key: {get: {responses: {'200': {content: {text/json: {schema: {$ref: '#/components/schemas/Key'}}}}}}}
  /alias: {get: {responses: {'200': {content: {text/json: {schema: {$ref: '#/components/schemas/Alias'}}}}}}}
  /cat:
    get: {responses: {'200': {content: {text/json: {schema: &cat {$ref: '#/components/schemas/Cat'}}}}}}
    put: {requestBody: {content: {application/json: {schema: *cat}}}, responses: {'204': {}}}
  /new: {post: {requestBody: {content: {application/json: {schema: *pup}}}, responses: {'204': {}}}}
components:
  schemas:
    Pet:
      type: object
      required: [kind]
      additionalProperties: false
      properties: {kind: {type: string}}
      discriminator: {propertyName: kind, mapping: {dog: Dog, pup: Pup}}
    Dog:
      allOf: [*pet, *pet]
      required: [loud]
      additionalProperties: false
      properties: {loud: {type: boolean}}
    Pup: {allOf: [*dog, {type: object, properties: {age: {type: integer}}}]}
    Cat:
      allOf: [true, *pet, {additionalProperties: false, patternProperties: {'^x-': {type: integer}}}]
      additionalProperties: false
      properties: {name: {type: string}}
    Alias: *dog
    Key:
      allOf: [{additionalProperties: false, patternProperties: {'^k': {}}}]
      required: [kept]
      properties: {kept: {type: integer}, left: {type: integer}}
    Any:
      allOf: [{type: object, additionalProperties: false, properties: {a: {type: integer}}}]
      additionalProperties: false
      properties: {a: {}, b: {}}
"""


def test_heirs_of_closed_schemas_are_closed_as_a_whole_where_nothing_would_fit_otherwise(
    write: Write,
) -> None:
    with client_of(write("spec.yaml", HEIRS)) as client:
        assert client.get("/dog").json() == {"kind": "dog", "loud": True}
        assert client.get("/pup").json() == {"kind": "pup", "loud": True, "age": 1}
        assert client.get("/cat").json() == {"name": "example", "kind": "Cat"}
        assert client.put("/cat", json={"kind": "Cat", "x-age": 5}).status_code == 204
        assert client.put("/cat", json={"kind": "Cat", "x-age": "5"}).status_code == 400
        assert client.get("/any").json() == {"a": 1}  # which both allow
        assert client.get("/key").json() == {"kept": 1}
        assert client.get("/alias").json()["kind"] == "dog"
        pup = {"kind": "pup", "loud": False}
        assert client.post("/new", json=pup).status_code == 204
        refused = client.post("/new", json={**pup, "coat": "red"})
        assert (refused.status_code, refused.json()["detail"]) == (
            400,
            "There is no field coat. The fields are: loud, kind, age.",
        )


def test_closed_schema_is_told_apart_from_its_heirs_without_their_fields(write: Write) -> None:
    with client_of(write("spec.yaml", HEIRS.replace("required: [loud]", ""))) as client:
        assert client.get("/pet").json() == {"kind": "dog"}


def test_headers_that_the_document_requires_are_sent(clients: dict[Path, httpx2.Client]) -> None:
    headers = clients[DEPOT].get("/loads/latest").headers
    assert re.fullmatch(r'"[0-9a-f]{8}"', headers["etag"])
    assert headers["x-total"] == "3"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/depot/v2/loads/latest", 200),
        ("/loads/latest", 200),
        ("/depot/v2/loads/7.json", 200),
        ("/loads/7.xml", 200),
        ("/loads/x.json", 200),  # of `/loads/{id}`
        ("/loads/7", 200),
        ("/loads/7/8", 404),
        ("/depot/v3/loads/latest", 404),
        ("/nope", 404),
        ("/loads?filter[state]=open&filter[size]=3&tags=a|b", 200),
        ("/loads?filter[state]=ajar", 400),
        ("/loads?filter[size]=x", 400),
        ('/loads?since={"day":1}', 200),
        ('/loads?since={"night":1}', 400),
        ("/loads?since={", 400),
    ],
)
def test_paths_and_styles_of_the_document(clients: dict[Path, httpx2.Client], path: str, status: int) -> None:
    assert clients[DEPOT].get(path).status_code == status


def test_refusals_have_the_shape_of_the_document(clients: dict[Path, httpx2.Client]) -> None:
    refused = clients[DEPOT].get("/loads?filter[state]=ajar")
    sentence = "The state field must be one of: open, closed."
    assert refused.headers["content-type"] == "application/json"
    assert refused.json() == {"code": "failed", "message": sentence}
    assert errors_in(DEPOT, {"$ref": "#/components/schemas/Failure"}, refused.content) == []
    headers = {"content-type": "application/merge-patch+json"}
    unprocessable = clients[DEPOT].patch("/loads/latest", content="{}", headers=headers)
    assert (unprocessable.status_code, unprocessable.json()["code"]) == (422, "failed")
    taken = clients[DEPOT].patch("/loads/latest", content='{"a":"b"}', headers=headers)
    assert taken.status_code == 200
    as_text = clients[AWKWARD].get("/odd?csv=1,2,3", headers={"x-mode": "slow", "cookie": "session=s"})
    assert (as_text.status_code, as_text.headers["content-type"]) == (400, "text/plain")
    assert as_text.text == "The csv field must have at most 2 items."


@pytest.mark.parametrize(
    ("query", "headers", "sentence"),
    [
        ("", {"x-mode": "slow", "cookie": "other=1; session=s1"}, ""),
        ("?ids=1&ids=2&csv=1.5,2", {"x-mode": "fast", "cookie": "session=s1"}, ""),
        ("?ids[]=1&ids[]=2", {"x-mode": "fast", "cookie": "session=s1"}, ""),
        ("", {"x-mode": "slow"}, "The session field is required."),
        ("", {"cookie": "session=s1"}, "The X-Mode field is required."),
        ("", {"x-mode": "still", "cookie": "session=s1"}, "The X-Mode field must be one of: slow, fast."),
        ("", {"x-mode": "slow", "cookie": "session=1"}, "The session field must match the pattern ^s."),
    ],
)
def test_headers_and_cookies_are_parameters_too(
    clients: dict[Path, httpx2.Client], query: str, headers: dict[str, str], sentence: str
) -> None:
    response = clients[AWKWARD].get(f"/odd{query}", headers=headers)
    assert (response.status_code, response.text if sentence else "") == (400 if sentence else 200, sentence)


def test_concrete_path_comes_before_one_with_parameters(clients: dict[Path, httpx2.Client]) -> None:
    client = clients[AWKWARD]
    assert client.get("/a/b-c").json() == {}
    assert client.get("/a/b").json() == 1
    assert client.get("/Orders('7')/lines(2)").status_code == 200
    assert client.get("/Orders('7')/lines(x)").status_code == 404
    assert client.delete("/a/b").status_code == 405
    assert client.delete("/a/b").headers["allow"] == "GET, POST"


def test_same_place_under_another_method_is_found(write: Write) -> None:
    document = """
        openapi: 3.0.0
        paths:
          /a/{id}: {get: {responses: {'200': {description: ''}}}}
          /a/fixed: {post: {responses: {'200': {description: ''}}}}
    """
    with client_of(write("spec.yaml", document)) as client:
        assert client.get("/a/fixed").status_code == 200
        assert client.post("/a/fixed").status_code == 200
        assert client.put("/a/fixed").headers["allow"] == "POST"


# --- security ----------------------------------------------------------------------------------------


def test_tokens_are_ours_where_the_document_wants_tokens() -> None:
    with MockServer(spec=FREIGHT, settings=Settings(require_token=True)) as mock:
        bearer = {"authorization": f"Bearer {mock.token()}"}
        with httpx2.Client(base_url=mock.url) as client:
            refused = client.post(PAYMENTS, json=payment_of("LD-1001", "R"))
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert client.post(PAYMENTS, json=payment_of("LD-1001", "R"), headers=bearer).status_code == 200
            load = {"loadNumber": "LD-1001"}
            assert client.get(LOADS, params=load, headers={"X-Api-Key": "any"}).status_code == 200
            assert client.get(LOADS, params=load, headers=bearer).status_code == 200
            assert client.get(LOADS, params=load).status_code == 401
            assert client.get(f"{VERSIONED}/health").status_code == 200


def test_tokens_are_issued_beside_a_document_without_them() -> None:
    asked = {
        "client_id": "c",
        "client_secret": "s",
        "audience": "https://api.alvys.com/public/",
        "grant_type": "client_credentials",
    }
    with MockServer(spec=FREIGHT, settings=Settings(require_token=True, clients=CLIENTS)) as mock:
        issued = httpx2.post(f"{mock.url}/oauth/token", json=asked)
        headers = {"authorization": f"Bearer {issued.json()['access_token']}"}
        payment = payment_of("LD-1001", "R")
        refused = httpx2.post(f"{mock.url}{PAYMENTS}", json=payment, headers=headers)
        assert (refused.status_code, "invoice:update" in refused.json()["detail"]) == (403, True)


CLIENTS = (OAuthClient("c", "s", ("load:read",)),)


@pytest.mark.parametrize(
    ("path", "headers", "challenge"),
    [
        ("/odd", {}, "Basic"),
        ("/odd", {"authorization": "Basic eDp5"}, None),
        ("/odd?key=1", {"cookie": "session=s1"}, None),
        ("/odd?key=", {"cookie": "other=1; session=s1"}, None),
        ("/odd?key=1", {"cookie": "old_session=s1"}, "Basic"),
        ("/odd?key=1", {"cookie": "other=session=s1"}, "Basic"),
        ("/odd?key=1", {}, "Basic"),
        ("/odd", {"cookie": "session=s1"}, "Basic"),
        ("/secret", {}, "Bearer"),
        ("/shapes", {}, None),
    ],
)
def test_keys_and_passwords_must_be_there(path: str, headers: dict[str, str], challenge: str | None) -> None:
    with client_of(AWKWARD, require_token=True) as client:
        response = client.get(path, headers={"x-mode": "slow", **headers})
        assert response.headers.get("www-authenticate") == challenge
        assert (response.status_code == 401) == (challenge is not None)


def test_key_is_asked_for_by_its_name(write: Write) -> None:
    document = """
        openapi: 3.0.0
        security: [{key: []}]
        paths: {/a: {get: {responses: {'200': {description: ''}}}}}
        components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
    """
    with client_of(write("spec.yaml", document), require_token=True) as client:
        refused = client.get("/a")
        assert refused.json()["detail"] == "The X-Key header is required."
        assert refused.headers["www-authenticate"] == 'ApiKey in="header", name="X-Key"'
        assert client.get("/a", headers={"x-key": "1"}).status_code == 200


def test_document_that_says_nothing_of_security_needs_tokens_everywhere(write: Write) -> None:
    document = original(FREIGHT) | {"components": {**original(FREIGHT)["components"]}}
    document["paths"] = {
        path: {
            method: {key: value for key, value in node.items() if key != "security"}
            for method, node in item.items()
            if method != "parameters"
        }
        for path, item in document["paths"].items()
        if "driverId" not in path
    }
    path = write("spec.json", json.dumps(document))
    with client_of(path, require_token=True) as client:
        assert client.post(PAYMENTS, json=payment_of("LD-1001", "R")).status_code == 401
        assert client.get(f"{VERSIONED}/stops").status_code == 401


# --- binding -----------------------------------------------------------------------------------------

PAID = """
  responses: {'201': {content: {application/json: {schema: {$ref: '#/components/schemas/Paid'}}}}}
  requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Payment'}}}}
"""
SCHEMAS = """
components:
  schemas:
    Payment: {type: object, properties: {loadNumber: {type: string}, amount: {type: object}}}
    Paid:
      type: object
      required: [loadNumber, customerPayments, fee, totalPaid]
      properties:
        loadNumber: {type: string}
        status: {type: integer, enum: [0, 11], x-enumNames: [Open, Invoiced]}
        totalPaid: {type: string}
        fee: {type: integer}
        note: {type: string}
        customerPayments: {type: array, items: {type: object, properties: {referenceNumber: {type: string}}}}
"""


def bound(path: str, servers: str = "[]", operation_id: str = "x") -> str:
    indented = PAID.replace("\n", "\n    ")
    lines = [
        "openapi: 3.1.0",
        f"servers: {servers}",
        "paths:",
        f"  {path}:",
        "   post:",
        f"      operationId: {operation_id}{indented}",
    ]
    return "\n".join(lines) + SCHEMAS


@pytest.mark.parametrize(
    ("document", "url"),
    [
        (bound("/API/p/{apiVersion}/Invoices/Customer-Payments/"), "/api/p/v9/invoices/customer-payments/"),
        (bound("/api/p/v1/invoices/customer-payments"), "/api/p/v1/invoices/customer-payments"),
        (bound("/api/p/invoices/customer-payments"), "/api/p/invoices/customer-payments"),
        (
            bound("/invoices/customer-payments", "[{url: 'https://a.example/api/p/v1.0/'}]"),
            "/api/p/v1.0/invoices/customer-payments",
        ),
        (bound("/pay", operation_id="recordCustomerPayment"), "/pay"),
    ],
    ids=["case", "literal version", "no version", "server", "id"],
)
def test_operation_is_ours_by_id_or_by_place(write: Write, document: str, url: str) -> None:
    payment = {
        "loadNumber": "LD-1001",
        "AMOUNT": {"amount": 5},
        "paymentDate": "2026-07-01T15:30:00Z",
        "referenceNumber": "R-1",
    }
    with client_of(write("spec.yaml", document)) as client:
        response = client.post(url, json=payment)
        assert response.status_code == 201, response.text
        shown = response.json()
    assert shown == {
        "loadNumber": "LD-1001",
        "status": 11,
        "totalPaid": "example",
        "fee": 1,
        "customerPayments": [{"referenceNumber": "R-1"}],
    }


def test_operation_that_can_show_nothing_of_ours_responds_with_an_example(write: Write) -> None:
    document = bound("/pay", operation_id="recordCustomerPayment").replace(
        "#/components/schemas/Paid", "#/components/schemas/No"
    )
    path = write("spec.yaml", f"{document}\n    'No': {{type: string}}\n")
    with client_of(path) as client:
        response = client.post("/pay", json={})
        assert (response.status_code, response.headers["x-sandbox"], response.json()) == (
            201,
            "example",
            "example",
        )


def test_rules_are_told_in_the_shape_of_the_document(write: Write) -> None:
    shape = "{type: object, additionalProperties: false, properties: {Message: {type: string}}}"
    told = f"{{'400': {{content: {{application/json: {{schema: {shape}}}}}}}, '201'"
    document = bound("/pay", operation_id="recordCustomerPayment").replace("{'201'", told)
    with client_of(write("spec.yaml", document)) as client:
        body = {"loadNumber": "LD-1001", "amount": {"amount": 5}, "paymentDate": "2026-07-01T15:30:00Z"}
        refused = client.post("/pay", json=body)
    assert refused.status_code == 400
    assert refused.json() == {"Message": "The ReferenceNumber field is required."}


def test_fact_that_the_document_refuses_is_left_out(write: Write) -> None:
    document = bound("/pay", operation_id="recordCustomerPayment").replace(
        "required: [loadNumber, customerPayments, fee, totalPaid]", "maxProperties: 9"
    )
    body = {"loadNumber": "LD-1001", "amount": {"amount": 5}}
    body |= {"paymentDate": "2026-07-01T15:30:00Z", "referenceNumber": "R-1"}
    with client_of(write("spec.yaml", document)) as client:
        shown = client.post("/pay", json=body).json()
    assert list(shown) == ["loadNumber", "status", "customerPayments"]


@pytest.mark.parametrize("part", ["required: [loadNumber, never]", "not: {}"])
def test_payment_is_told_even_if_nothing_satisfies_its_schema(write: Write, part: str) -> None:
    document = bound("/pay", operation_id="recordCustomerPayment").replace(
        "required: [loadNumber, customerPayments, fee, totalPaid]", part
    )
    document = document.replace("fee: {type: integer}", "never: false")
    body = {"loadNumber": "LD-1001", "amount": {"amount": 5}}
    body |= {"paymentDate": "2026-07-01T15:30:00Z", "referenceNumber": "R-1"}
    with client_of(write("spec.yaml", document)) as client:
        response = client.post("/pay", json=body)
        assert (response.status_code, response.json()["loadNumber"]) == (201, "LD-1001")


def test_two_operations_cannot_be_ours_at_once(write: Write) -> None:
    other = "{post: {operationId: x, responses: {'200': {description: ''}}}}"
    document = bound("/a", operation_id="recordCustomerPayment").replace(
        "paths:", f"paths:\n  /api/p/invoices/customer-payments: {other}"
    )
    spec = read_spec(write("spec.yaml", document))
    assert [(each.id, each.is_ours) for each in spec.operations] == [
        ("x", False),
        ("recordCustomerPayment", True),
    ]


def test_document_of_ours_is_read_as_ours(write: Write) -> None:
    path = write("copy.yaml", SPEC.read_text())
    assert read_spec(path).origin is None
    assert read_spec(path, "2026-07").origin is None
    with pytest.raises(SpecError, match="There is no revision 1999"):
        read_spec(path, "1999")


@pytest.mark.parametrize("revision", ["page", "2026-07"])
def test_document_of_ours_with_more_operations_keeps_its_revision(write: Write, revision: str) -> None:
    more = "paths:\n  /more: {get: {responses: {'200': {description: ''}}}}\n"
    path = write("more.yaml", SPEC.read_text().replace("paths:\n", more, 1))
    with client_of(path, revision=revision) as client:
        assert client.get("/more").headers["x-sandbox"] == "example"
        paid = client.post(PAYMENTS, json=payment_of("LD-1001", "R")).json()
        assert ("CustomerPayments" in paid) == (revision == "page")
        assert ("Id" in paid) == (revision == "2026-07")


def test_document_is_served_as_it_was_written_but_for_addresses(freight: httpx2.Client) -> None:
    served = freight.get("/openapi.json").json()
    written = original(FREIGHT)
    [server] = served["servers"]
    flow = written["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    flow["tokenUrl"] = f"{server['url']}/oauth/token"
    assert served == {**written, "servers": [server]}


def test_start_says_which_operations_keep_state() -> None:
    with serving("--port", "0", "--spec", str(FREIGHT)) as mock:
        lines = mock.greeting.splitlines()
    first = lines.index("Operations that keep state: 6")
    assert "  GET  /api/p/v{version}/loads  getLoad" in lines[first:]
    second = lines.index("Operations that respond with examples, and the header x-sandbox: 14")
    assert lines[second + 1] == "  GET  /api/p/v{version}/drivers/{driverId}  Drivers_Get"
    assert any(line.startswith("  curl -i ") and PAYMENTS in line for line in lines)


def test_start_without_payments_suggests_none() -> None:
    with serving("--port", "0", "--spec", str(AWKWARD), tries=False) as mock:
        assert "Try:" not in mock.greeting
        assert httpx2.get(f"{mock.url}/shapes").status_code == 200


ODDITIES = """
openapi: 3.1.0
paths:
  /m/{id}:
    get:
      parameters: [{name: id, in: path, style: matrix, schema: &n {type: integer}}]
      responses: &ok {'200': {}}
  /l/{id}: {get: {parameters: [{name: id, in: path, style: label, schema: *n}], responses: *ok}}
  /o:
    get:
      parameters: [{name: o, in: query, explode: false, schema: &o {type: object, properties: {a: *n}}}]
      responses: *ok
  /p: {get: {parameters: [{name: o, in: query, schema: *o}], responses: *ok}}
  /e: {get: {responses: {'200': {content: {application/json: {example: {b: 1}}}}}}}
  /t: {get: {responses: {'200': {content: {text/plain: {example: five}}}}}}
  /j: {get: {responses: {'200': {content: {text/plain: {}, a/b+c: {}, text/json: {schema: *n}}}}}}
  /d:
    get:
      parameters: [{name: n, in: query, required: true, schema: *n}]
      responses: {default: {content: {application/json: {schema: {type: array, items: *n}}}}}
  /x:
    get:
      responses:
        '200':
          headers:
            Left: {schema: {type: string}}
            Many: {required: true, schema: {type: array, minItems: 2, items: *n}}
          content:
            text/xml:
              schema: {type: object, properties: {a: {type: array, minItems: 2, items: *n}, b: {const: <&}}}
  /f:
    get:
      parameters: [{name: n, in: query, required: true, schema: *n}]
      responses:
        '200': {}
        '400': {content: {application/json: {schema: false}}}
  /g:
    get:
      parameters: [{name: n, in: query, required: true, schema: *n}]
      responses:
        '200': {}
        4XX: {content: {application/json: {schema: {type: array, minItems: 1, items: {type: string}}}}}
"""


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/m/;id=7", 200, ""),
        ("/m/;id=x", 404, None),
        ("/l/.7", 200, ""),
        ("/o?o=a,5", 200, ""),
        ("/o?o=a,x", 400, None),
        ("/o?a=x", 200, ""),
        ("/p?a=x", 400, None),
        ("/p?a=5", 200, ""),
        ("/e", 200, '{"b":1}'),
        ("/t", 200, "five"),
        ("/j", 200, "1"),
        ("/x", 200, "<Example><a>1</a><a>2</a><b>&lt;&amp;</b></Example>"),
        ("/f", 400, None),
        ("/g", 400, '["example"]'),
        ("/d", 400, None),
        ("/d?n=1", 200, "[1]"),
    ],
)
def test_oddities_are_served(write: Write, path: str, status: int, text: str | None) -> None:
    with client_of(write("spec.yaml", ODDITIES)) as client:
        response = client.get(path)
        assert response.status_code == status
        assert text in (None, response.text)
        if path == "/x":
            assert (response.headers["many"], "left" in response.headers) == ("1,2", False)
        if path in ("/f", "/d"):  # nothing fits, or what is told is not meant for refusals
            assert response.json()["detail"] == "The n field is required."
