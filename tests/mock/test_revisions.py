"""The revision of July 2026: the overlay, the document that it makes, and a mock that speaks it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from openapi_spec_validator import validate

from mock_server.decimal_json import encode
from mock_server.documents import read_document
from mock_server.revisions import NAMES, overlaid, read_spec
from mock_server.sandbox import Settings, UnusableSetting
from mock_server.shipped import FIXTURES, REVISIONS, SPEC
from mock_server.spec import Spec, SpecError
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Api, Json, json_of, payment_of
from tests.mock.command import run, serving

JULY = "2026-07"
PATH = "/api/p/v{version}/invoices/customer-payments"
PROBLEM, JSON = "application/problem+json", "application/json"
ANSWER = ["Id", "LoadNumber", "Status", "TotalPaid", "TotalBillable"]


@cache
def spec_of(revision: str) -> Spec:
    return read_spec(SPEC, revision)


def july() -> Json:
    """The document of the revision, to be changed by a test."""
    return json.loads(encode(spec_of(JULY).document))


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(settings=Settings(revision=JULY)) as mock:
        yield mock


@pytest.fixture
def api(mock: MockServer) -> Iterator[Api]:
    mock.reset()
    with httpx2.Client(base_url=mock.url) as client:
        yield Api(client, {})


def money(amount: str, currency: int = 840) -> Json:
    return {"Amount": Decimal(amount), "Currency": currency}


# --- the documents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REVISIONS.values(), ids=lambda path: path.stem)
def test_revision_is_an_overlay_over_the_shipped_document(path: Path) -> None:
    overlay: Json = read_document(path)
    assert overlay.keys() == {"overlay", "info", "extends", "actions"}
    assert overlay["overlay"] == "1.0.0"
    assert overlay["info"].keys() == {"title", "version"}
    assert urljoin(path.as_uri(), overlay["extends"]) == SPEC.as_uri()
    assert overlay["actions"]
    for action in overlay["actions"]:
        assert action.keys() in ({"target", "update"}, {"target", "remove"})
        assert action["target"].startswith("$.")
        assert action.get("remove", True) is True


def test_document_of_the_revision_is_valid_openapi() -> None:
    validate(july())


def test_whatever_refers_to_a_schema_finds_it_and_no_schema_is_left_over() -> None:
    document = july()
    referred = {node["$ref"] for node in nodes(document) if "$ref" in node}
    for reference in referred:
        assert spec_of(JULY).resolve({"$ref": reference})
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert named <= referred


def nodes(node: object) -> Iterator[Json]:
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
    inner: Any = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for each in inner:
        yield from nodes(each)


@pytest.mark.parametrize("revision", NAMES)
def test_every_example_fits_its_schema(revision: str) -> None:
    spec = spec_of(revision)
    fits = 0
    for node in nodes(spec.document):
        if "schema" in node:
            for example in node.get("examples", {}).values():
                assert spec.checker(node["schema"]).errors(example["value"]) == {}
                fits += 1
        if isinstance(node.get("examples"), list):
            schema = {name: value for name, value in node.items() if name != "examples"}
            for example in node["examples"]:
                assert spec.checker(schema).errors(example) == {}
                fits += 1
    assert fits > 40


def test_request_examples_are_accepted_and_name_loads_of_their_scenario(api: Api) -> None:
    fixtures: Json = read_document(FIXTURES)
    examples = july()["paths"][PATH]["post"]["requestBody"]["content"][JSON]["examples"]
    for scenario, example in examples.items():
        assert example["value"]["LoadNumber"] == fixtures[scenario]["LoadNumber"]
        assert api.post(example["value"]).status_code == 200, scenario
    assert "Currency" not in examples["completed"]["value"]["Amount"]


def test_response_example_is_what_its_request_gets(api: Api) -> None:
    post = july()["paths"][PATH]["post"]
    request = post["requestBody"]["content"][JSON]["examples"]["invoiced"]["value"]
    expected = post["responses"]["200"]["content"][JSON]["examples"]["recorded"]["value"]
    response = json_of(api.post(request).text)
    assert json.loads(encode(response | {"Id": expected["Id"]})) == expected


def test_action_that_finds_nothing_is_an_error(write: Write) -> None:
    document = json.loads(encode(spec_of("page").document))
    del document["components"]["schemas"]["Load"]["properties"]["Stops"]
    del document["components"]["responses"]["TooManyRequests"]["content"][JSON]
    path = write("mine.json", json.dumps(document))
    with pytest.raises(SpecError) as refused:
        read_spec(path, JULY)
    assert str(refused.value) == (
        f"{path}, revision 2026-07: there is no "
        "$.components.responses.TooManyRequests.content['application/json'] to be changed"
    )


def change(document: Json, *actions: Json) -> Json:
    return overlaid(document, {"actions": actions}, "mine")


def test_actions_are_applied_in_turn_and_merge_objects() -> None:
    document = {"a": {"b": {"c": 1, "d": 2}}}
    changed = change(
        document,
        {"target": "$.a", "update": {"b": {"d": 3, "e": {"f": 4}}}},
        {"target": "$.a.b.e", "update": {"g": [5]}},
        {"target": "$.a.b.e.g", "update": 6},
    )
    assert changed == {"a": {"b": {"c": 1, "d": 3, "e": {"f": 4, "g": [5, 6]}}}}
    assert document == {"a": {"b": {"c": 1, "d": 2}}}


def test_all_that_a_target_finds_is_removed() -> None:
    document = {"list": [{"n": 1}, {"n": 2}, {"n": 1}, {"n": 3}], "a": {}, "b": {}}
    removed = change(
        document, {"target": "$.list[?@.n == 1]", "remove": True}, {"target": "$['a', 'b']", "remove": True}
    )
    assert removed == {"list": [{"n": 2}, {"n": 3}]}


def test_what_yaml_repeats_by_an_alias_is_changed_in_one_place(write: Write) -> None:
    path = write("x.yaml", "{one: &x {a: {}}, two: *x}")
    assert change(read_document(path), {"target": "$.one.a", "remove": True}) == {"one": {}, "two": {"a": {}}}
    # So is what several targets get from one action.
    both = {"target": "$[*]", "update": {"a": {}}}
    one = {"target": "$.one.a", "update": {"b": 1}}
    assert change({"one": {}, "two": {}}, both, one) == {"one": {"a": {"b": 1}}, "two": {"a": {}}}


# --- payments ---------------------------------------------------------------------------------------


def test_payment_is_answered_by_its_id_and_totals(api: Api) -> None:
    first, second = api.pay("LD-1001", 100.10), api.pay("LD-1001", 1749.90)
    assert list(first) == list(second) == ANSWER
    assert (first["LoadNumber"], first["Status"], second["Status"]) == ("LD-1001", "Invoiced", "Completed")
    assert first["Id"] != second["Id"]
    assert (first["TotalPaid"], second["TotalPaid"]) == (money("100.10"), money("1850"))
    assert first["TotalBillable"] == second["TotalBillable"] == money("1850")


def test_replay_gets_the_id_of_the_original_and_the_total_to_date(api: Api) -> None:
    first = api.pay("LD-1002", 1, ReferenceNumber="R-1")
    api.pay("LD-1002", 2)
    again = api.pay("LD-1002", 5, ReferenceNumber="R-1")
    assert again["Id"] == first["Id"]
    assert again["TotalPaid"] == money("1003.25")
    assert len(api.load("LD-1002")["Payments"]) == 3


def test_load_shows_its_payments_without_their_references(api: Api) -> None:
    before = api.load("LD-1001")
    assert (before["PaidAt"], before["TotalPaid"], before["Payments"]) == (None, None, [])
    first, second = api.pay("LD-1001", 1), api.pay("LD-1001", 2)
    after = api.load("LD-1001")
    assert [payment["Id"] for payment in after["Payments"]] == [first["Id"], second["Id"]]
    assert [payment["Amount"] for payment in after["Payments"]] == [money("1"), money("2")]
    assert after["Payments"][0].keys() == {"Id", "Amount", "PaidAt"}
    assert after["Payments"][0]["PaidAt"] < after["Payments"][1]["PaidAt"] == after["PaidAt"]
    assert after["TotalPaid"] == second["TotalPaid"]


@pytest.mark.parametrize("money_sent", [{"Amount": 2}, {"Amount": 2, "Currency": None}])
def test_payment_without_a_currency_is_in_that_of_the_load(api: Api, money_sent: Json) -> None:
    response = api.pay("LD-1003", Amount=money_sent)
    assert response["TotalPaid"] == money("2", 124)
    assert api.load("LD-1003")["Payments"][0]["Amount"] == money("2", 124)


def test_load_without_an_amount_bills_nothing(api: Api) -> None:
    """Its own currency is that of the first payment; before one names any, 0 stands for it."""
    response = api.pay("LD-1004", Amount={"Amount": 5})
    assert (response["TotalPaid"], response["TotalBillable"]) == (money("5", 0), money("0", 0))
    response = api.pay("LD-1004", 1, 484)
    assert (response["TotalPaid"], response["TotalBillable"]) == (money("6", 484), money("0", 484))


def test_rules_are_the_same(api: Api) -> None:
    refusals = [
        (payment_of("LD-1014", "A"), 400, "Load must be in one of: Invoiced, Completed, Financed."),
        (payment_of("LD-1001", "A", 0), 400, "Amount must be greater than zero."),
        (payment_of("LD-1001", ""), 400, "The ReferenceNumber field is required."),
        (
            payment_of("LD-1001", "A", Amount={"Amount": 1, "Currency": 1.5}),
            400,
            "The Currency field must be an integer.",
        ),
        (payment_of("nope", "A"), 404, "nope"),
        (payment_of("nope", "A", Amount={"Amount": 1}), 404, "No load matches"),
    ]
    for body, status, sentence in refusals:
        response = api.post(body)
        assert (response.status_code, sentence in response.text) == (status, True), response.text


# --- loads ------------------------------------------------------------------------------------------


def test_every_shipped_load_is_a_load_of_the_revision(api: Api) -> None:
    spec = spec_of(JULY)
    check, loads = spec.checker(spec.schema("Load")), read_document(FIXTURES)
    assert isinstance(loads, dict)
    for fixture in loads.values():
        load = api.load(fixture["LoadNumber"])
        assert check.errors(load) == {}
        assert load["LoadType"] == "Truckload"
        assert [stop["$type"] for stop in load["Stops"]] == ["Pickup", "Delivery"]
        assert all(stop["Address"]["City"] for stop in load["Stops"])


def test_search_and_admin_api_show_the_same_load(api: Api, mock: MockServer) -> None:
    load = api.load("LD-1005")
    assert json_of(api.post({"LoadNumbers": ["LD-1005"]}, path=SEARCH).text)["Items"] == [load]
    assert json_of(api.client.get("/_mock/loads/LD-1005").text) == load == mock.load("LD-1005")


def test_served_document_has_the_schemas_of_the_revision(api: Api) -> None:
    served = api.client.get("/_mock/openapi.json").json()
    validate(served)
    assert served["components"]["schemas"]["Load"] == july()["components"]["schemas"]["Load"]


def test_fixture_fits_every_revision(write: Write) -> None:
    """It says of a payment more than a load of July shows, and may leave the currency out only there."""
    payment = "{ReferenceNumber: A, Amount: {Amount: 5}, PaymentDate: '2026-06-01T00:00:00Z', Note: x}"
    load = "LoadNumber: X, Status: Invoiced, CustomerRate: {Amount: 9, Currency: 124}"
    path = write("x.yaml", f"one: {{{load}, PAIDAT: '2026-06-02T00:00:00Z', Payments: [{payment}]}}")
    with MockServer([path], settings=Settings(revision=JULY)) as mock:
        (shown,) = mock.load("X")["Payments"]
        assert shown["Amount"] == {"Amount": 5, "Currency": 124}
        assert shown["PaidAt"] == mock.load("X")["PaidAt"] == "2026-06-02T00:00:00Z"
        added = mock.add_load("Y", LoadType="LTL", Stops=[{"$type": "Drop", "Address": {}}], payments=None)
        assert (added["LoadType"], added["Stops"]) == ("LTL", [{"$type": "Drop", "Address": {}}])
    path.write_text(path.read_text().replace("Amount: 5", "Amount: 5, Currency: 840"))
    with MockServer([path]) as mock:
        assert mock.load("X")["paidAt"] == "2026-06-02T00:00:00Z"
        assert mock.load("X")["payments"][0]["ReferenceNumber"] == "A"


# --- media types of refusals ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict() -> Iterator[MockServer]:
    settings = Settings(revision=JULY, require_token=True, rate_limit="documented")
    with MockServer(settings=settings) as mock:
        yield mock


def test_refusals_have_the_media_types_of_the_revision(strict: MockServer) -> None:
    strict.reset()
    bearer = {"Authorization": f"Bearer {strict.token()}"}
    with httpx2.Client(base_url=strict.url, headers=bearer) as client:
        seen = [
            client.post(PAYMENTS, json={}),
            client.post(PAYMENTS, json=payment_of("nope", "A")),
            client.get(LOADS),
            client.get(LOADS, params={"loadNumber": "nope"}),
            client.post(SEARCH, json={}),
            client.post(SEARCH, json={"LoadNumbers": ["nope"]}),
            client.post(PAYMENTS, json={}, headers={"Authorization": "Bearer x"}),
            client.put(PAYMENTS),
            client.post(PAYMENTS, content=b"{}", headers={"Content-Type": "text/plain"}),
            *(client.get(LOADS) for _ in range(6)),
        ]
    expected = [(400, JSON), (404, JSON)] * 3 + [(401, PROBLEM), (405, PROBLEM), (415, PROBLEM)]
    told = [(response.status_code, response.headers["content-type"]) for response in seen]
    assert told[:9] == expected
    assert told[-1] == (429, PROBLEM)
    assert all(response.json()["status"] == response.status_code for response in seen)


def test_page_sends_problems_as_such(shipped: Api) -> None:
    for body, status in ((payment_of("nope", "A"), 404), ({}, 400)):
        response = shipped.post(body)
        assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)


# --- how it is chosen -------------------------------------------------------------------------------


def test_command_line_chooses_and_says_the_revision() -> None:
    with serving("--port", "0", "--revision", JULY) as mock:
        assert "(press Ctrl-C to stop; revision 2026-07; no access token is needed)" in mock.greeting
        assert list(httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "A")).json()) == ANSWER
    with serving("--port", "0", environ={"ALVYS_MOCK_REVISION": JULY}) as mock:
        assert "revision 2026-07" in mock.greeting
    with serving("--port", "0") as mock:
        assert "revision" not in mock.greeting


def test_unknown_revision_stops_the_start() -> None:
    done = run("--revision", "2026-08")
    assert done.returncode == 2
    assert "'2026-08' is not one of 'page', '2026-07'" in done.stderr
    with pytest.raises(SpecError, match=r"There is no revision 2026-08; there are page, 2026-07\."):
        MockServer(settings=Settings(revision="2026-08"))


def test_profile_chooses_the_revision_and_the_option_overrules_it(write: Write) -> None:
    text = "revision: 2026-07\nanswers: {A1c: 2026-07, A1d: 2026-07, A9a: the same payment}"
    profile = str(write("mine.yaml", text))
    with serving("--port", "0", "--profile", profile) as mock, httpx2.Client(base_url=mock.url) as client:
        assert "revision 2026-07" in mock.greeting
        assert "can't be" not in mock.greeting
        ids = [client.post(PAYMENTS, json=payment_of("LD-1001", name)).json()["Id"] for name in ("r", "R")]
        assert ids[0] == ids[1]
    with serving("--port", "0", "--profile", profile, "--revision", "page") as mock:
        assert "revision" not in mock.greeting.partition("\n")[0]


def test_profile_of_an_unknown_revision_stops_the_start(write: Write) -> None:
    with pytest.raises(SpecError, match=r"There is no revision July; there are page, 2026-07\."):
        MockServer(settings=Settings(profile=str(write("mine.yaml", "revision: July"))))
    with pytest.raises(UnusableSetting, match="the revision must be a name"):
        MockServer(settings=Settings(profile=str(write("mine.yaml", "revision: 7"))))


@pytest.mark.parametrize(
    ("answer", "reference", "shown"),
    [("A8: the payment of the other load", "A", ["A"]), ("A21: '200, without a payment'", "B", [])],
)
def test_payment_that_a_profile_does_not_record_has_no_id_of_its_own(
    write: Write, answer: str, reference: str, shown: list[str]
) -> None:
    profile = str(write("mine.yaml", f"revision: 2026-07\nanswers: {{{answer}}}"))
    with MockServer(settings=Settings(profile=profile)) as mock, httpx2.Client(base_url=mock.url) as client:
        api = Api(client, {})
        assert api.post(payment_of("LD-1002", "B", 0)).status_code == 400
        recorded = {"A": api.pay("LD-1001", ReferenceNumber="A")["Id"]}
        told = api.pay("LD-1002", ReferenceNumber=reference)["Id"]
        assert told == next((recorded[name] for name in shown), None)
