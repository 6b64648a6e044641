"""The revision of July 2026: an overlay over openapi.yaml, and a mock that speaks it."""

import json
import signal
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal

import httpx2
import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from mock_server.documents import read_document
from mock_server.opening import FixtureError
from mock_server.profiles import read_questions
from mock_server.revisions import NAMES, PAGE, answers_of, overlaid, read_spec
from mock_server.sandbox import Settings, UnusableSetting
from mock_server.shipped import FIXTURES, REVISIONS, SPEC
from mock_server.spec import Spec, SpecError
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Api, Json, json_of
from tests.mock.command import run, serving

JULY = "2026-07"
RECORD = "/api/p/v{version}/invoices/customer-payments"

OVERLAY: Json = {
    "type": "object",
    "required": ["overlay", "info", "actions"],
    "properties": {
        "overlay": {"const": "1.0.0"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "properties": {"title": {"type": "string"}, "version": {"type": "string"}},
            "additionalProperties": False,
        },
        "x-answers": {"type": "object", "additionalProperties": {"type": "array", "minItems": 1}},
        "extends": {"type": "string", "format": "uri-reference"},
        "actions": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["target"],
                "properties": {
                    "target": {"type": "string", "pattern": r"^\$"},
                    "description": {"type": "string"},
                    "update": True,
                    "remove": {"const": True},
                },
                "oneOf": [{"required": ["update"]}, {"required": ["remove"]}],
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""What Overlay 1.0 requires of a document, and what ours does not use left out."""


@pytest.fixture
def july() -> Iterator[Api]:
    """A mock of its own that speaks July 2026, on the loads that ship."""
    with MockServer(settings=Settings(revision=JULY)) as mock, httpx2.Client(base_url=mock.url) as client:
        yield Api(client, {})


def as_json(spec: Spec) -> Json:
    """The document as other readers have it."""
    return json.loads(json.dumps(spec.document, default=float))


# --- the documents --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REVISIONS)
def test_revision_is_an_overlay_of_the_document(name: str) -> None:
    overlay: Json = read_document(REVISIONS[name])
    jsonschema_rs.validate(OVERLAY, overlay)
    assert (REVISIONS[name].parent / overlay["extends"]).resolve() == SPEC


@pytest.mark.parametrize("name", REVISIONS)
def test_document_in_a_revision_is_valid_openapi(name: str) -> None:
    document = as_json(read_spec(SPEC, name))
    assert document["openapi"].startswith("3.1.")
    validate(document)


def examples_in(spec: Spec, node: Json, where: str = "") -> Iterator[tuple[str, Json, Json]]:
    """Each example, of media types, parameters and schemas, with where it is and its schema."""
    if isinstance(node, dict):
        examples = node.get("examples")
        if isinstance(examples, dict) and "schema" in node:
            for name, example in examples.items():
                yield f"{where}/{name}", node["schema"], example["value"]
        elif "example" in node and "schema" in node:
            yield where, node["schema"], node["example"]
        elif isinstance(examples, list):
            for example in examples:
                yield where, {key: value for key, value in node.items() if key != "examples"}, example
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(inner, dict | list) and key not in ("examples", "example"):
            yield from examples_in(spec, inner, f"{where}/{key}")


@pytest.mark.parametrize("name", NAMES)
def test_every_example_fits_its_schema(name: str) -> None:
    spec = read_spec(SPEC, name)
    examples = [*examples_in(spec, spec.document)]
    assert len(examples) > 40
    wrong = {where: spec.checker(schema).errors(value) for where, schema, value in examples}
    assert {where: errors for where, errors in wrong.items() if errors} == {}


def test_overlay_leaves_the_document_itself_as_it_was() -> None:
    document = read_document(SPEC)
    before = deepcopy(document)
    overlaid(document, read_document(REVISIONS[JULY]), "x")
    assert document == before


def test_action_changes_one_place_where_yaml_repeats_a_thing(write: Write) -> None:
    document = read_document(write("x.yaml", "{a: &x {n: 1}, b: *x}"))
    overlay = {"actions": [{"target": "$.a", "update": {"n": {"m": 2}}}]}
    assert overlaid(document, overlay, "x") == {"a": {"n": {"m": 2}}, "b": {"n": 1}}


@pytest.mark.parametrize(
    ("actions", "after"),
    [
        ([{"target": "$.a", "update": {"n": 2, "o": [3]}}], {"a": {"n": 2, "o": [3]}, "l": [1, 2, 3]}),
        ([{"target": "$", "update": {"l": [4]}}], {"a": {"n": 1}, "l": [1, 2, 3, 4]}),
        ([{"target": "$.l", "update": 4}], {"a": {"n": 1}, "l": [1, 2, 3, 4]}),
        ([{"target": "$.l[0, 2]", "remove": True}], {"a": {"n": 1}, "l": [2]}),
        ([{"target": "$.a.n", "remove": True, "update": 5}], {"a": {}, "l": [1, 2, 3]}),
        (
            [{"target": "$.l", "remove": True}, {"target": "$", "update": {"l": []}}],
            {"a": {"n": 1}, "l": []},
        ),
    ],
)
def test_actions_update_and_remove_in_order(actions: list[Json], after: Json) -> None:
    assert overlaid({"a": {"n": 1}, "l": [1, 2, 3]}, {"actions": actions}, "x") == after


def test_document_that_a_revision_does_not_fit_is_refused(write: Write) -> None:
    path = write("x.yaml", SPEC.read_text().replace("PaymentAmount", "Renamed"))
    missing = r"\$\.components\.schemas\.PaymentAmount"
    with pytest.raises(SpecError, match=rf"x\.yaml, revision 2026-07: there is no {missing}"):
        read_spec(path, JULY)


# --- payments -------------------------------------------------------------------------------------


def test_example_of_the_response_is_what_its_request_gets(july: Api) -> None:
    post: Json = as_json(read_spec(SPEC, JULY))["paths"][RECORD]["post"]
    request = post["requestBody"]["content"]["application/json"]["examples"]["invoiced"]["value"]
    example = post["responses"]["200"]["content"]["application/json"]["examples"]["recorded"]["value"]
    response = json_of(july.post(request).text)
    assert response == json_of(json.dumps({**example, "Id": response["Id"]}))


def test_replay_gives_the_same_id_and_moves_no_total(july: Api) -> None:
    body = july.payment("LD-1001", 100.10)
    first, replay = (json_of(july.post(each).text) for each in (body, body | {"Note": "again"}))
    assert list(first) == ["Id", "LoadNumber", "Status", "TotalPaid", "TotalBillable"]
    assert replay == first
    assert [each["Id"] for each in july.load("LD-1001")["Payments"]] == [first["Id"]]


def test_new_payment_has_an_id_of_its_own_and_the_load_shows_it(july: Api) -> None:
    first, second = (july.pay("LD-1001", amount) for amount in (100.10, 0.20))
    assert first["Id"] != second["Id"]
    assert second["TotalPaid"] == {"Amount": Decimal("100.30"), "Currency": 840}
    load = july.load("LD-1001")
    assert load["TotalPaid"] == second["TotalPaid"]
    paid_at = [each.pop("PaidAt") for each in load["Payments"]]
    assert load["PaidAt"] == max(paid_at)
    assert load["Payments"] == [
        {"Id": first["Id"], "Amount": {"Amount": Decimal("100.1"), "Currency": 840}},
        {"Id": second["Id"], "Amount": {"Amount": Decimal("0.2"), "Currency": 840}},
    ]


@pytest.mark.parametrize("amount", [{"Amount": 5}, {"Amount": 5, "Currency": None}], ids=["absent", "null"])
@pytest.mark.parametrize(("number", "currency"), [("LD-1001", 840), ("LD-1003", 124), ("LD-1004", 0)])
def test_payment_without_a_currency_is_in_that_of_the_load(
    july: Api, amount: Json, number: str, currency: int
) -> None:
    response = json_of(july.post(july.payment(number, Amount=amount)).text)
    assert response["TotalPaid"] == {"Amount": 5, "Currency": currency}
    (payment,) = july.load(number)["Payments"]
    assert payment["Amount"] == {"Amount": 5, "Currency": currency}


def test_payment_without_a_currency_on_no_load_is_404(july: Api) -> None:
    assert july.post(july.payment("nope", Amount={"Amount": 5})).status_code == 404


def test_nothing_of_a_response_is_null_on_a_load_without_amounts(july: Api) -> None:
    response = july.pay("LD-1004", 75)
    assert response["TotalPaid"] == {"Amount": 75, "Currency": 840}
    assert response["TotalBillable"] == {"Amount": 0, "Currency": 840}


def test_page_still_requires_a_currency(shipped: Api) -> None:
    assert shipped.post(shipped.payment("LD-1001", Amount={"Amount": 5})).status_code == 400


# --- loads ----------------------------------------------------------------------------------------


def test_every_load_is_as_the_document_of_its_revision_says(july: Api, shipped: Api) -> None:
    statuses = [each["Status"] for each in dict(read_fixtures()).values()]
    for api, name in ((july, JULY), (shipped, PAGE)):
        spec = read_spec(SPEC, name)
        page = json_of(api.post({"PageSize": 100, "Status": statuses}, path=SEARCH).text)
        assert len(page["Items"]) == len(statuses)
        assert spec.checker(spec.schema("LoadSearchResponse")).errors(page) == {}
        assert all(list(item) == list(spec.schema("Load")["properties"]) for item in page["Items"])


def read_fixtures() -> Json:
    return read_document(FIXTURES)


def test_load_has_a_type_and_stops_with_addresses(july: Api) -> None:
    load = july.load("LD-1001")
    assert load["LoadType"] == "Truckload"
    assert [(stop["$type"], stop["Address"]["City"]) for stop in load["Stops"]] == [
        ("Pickup", "Dallas"),
        ("Delivery", "Denver"),
    ]


def test_fixture_may_use_the_names_of_either_revision(write: Write) -> None:
    payments = (
        "[{ReferenceNumber: R, Amount: {Amount: 5, Currency: 840}, PaymentDate: '2026-07-01T00:00:00Z'}]"
    )
    text = f"one: {{LoadNumber: A, Status: Paid, payments: {payments}, paidAt: '2026-07-02T00:00:00Z'}}\n"
    text += f"two: {{LoadNumber: B, Status: Paid, Payments: {payments}, PaidAt: '2026-07-02T00:00:00Z'}}\n"
    path = write("x.yaml", text)
    for name, spelled in ((JULY, "TotalPaid"), (PAGE, "totalPaid")):
        with MockServer([path], settings=Settings(revision=name)) as mock:
            assert [mock.load(each)[spelled]["Amount"] for each in "AB"] == [5, 5]


def test_opening_payment_was_recorded_when_its_load_was_paid(july: Api) -> None:
    (payment,) = july.load("LD-1002")["Payments"]
    assert payment["PaidAt"] == july.load("LD-1002")["PaidAt"] == "2026-06-25T10:00:00Z"


def test_fixture_must_have_what_the_revision_requires(write: Write) -> None:
    path = write("x.yaml", "one: {LoadNumber: A, Status: Open, Stops: [{Type: Pickup}]}")
    with pytest.raises(FixtureError, match=r"scenario one: Stops\[0\]\.\$type: The \$type field is required"):
        MockServer([path], settings=Settings(revision=JULY))
    MockServer([path])


# --- media types of refusals ----------------------------------------------------------------------

JSON, PROBLEM = "application/json", "application/problem+json"


def type_of(response: httpx2.Response, status: int) -> str:
    assert response.status_code == status
    assert json_of(response.text)["status"] == status
    (media_type,) = response.headers.get_list("content-type")
    return media_type


def test_refusals_have_the_media_types_of_the_document(july: Api, shipped: Api) -> None:
    for api, expected in ((july, JSON), (shipped, PROBLEM)):
        assert type_of(api.post(api.payment("LD-1001", 0)), 400) == expected
        assert type_of(api.post(api.payment("LD-1014")), 400) == expected
        assert type_of(api.client.get(LOADS), 400) == expected
        assert type_of(api.post(api.payment("nope")), 404) == expected
        assert type_of(api.client.get(LOADS, params={"loadNumber": "nope"}), 404) == expected
        assert type_of(api.client.get("/nope"), 404) == expected
        assert type_of(api.client.get("/api/p/v9/loads"), 404) == expected
        assert type_of(api.client.delete(LOADS), 405) == PROBLEM
        assert type_of(api.post(b"x", "text/plain"), 415) == PROBLEM


def test_refused_tokens_and_too_many_requests_are_problem_documents() -> None:
    settings = Settings(revision=JULY, require_token=True, rate_limit="1/hour")
    with MockServer(settings=settings) as mock, httpx2.Client(base_url=mock.url) as client:
        assert type_of(client.get(LOADS), 401) == PROBLEM
        client.headers["authorization"] = f"Bearer {mock.token()}"
        client.get(LOADS)
        assert type_of(client.get(LOADS), 429) == PROBLEM


def test_injected_refusal_has_the_media_type_of_the_document(write: Write) -> None:
    document = as_json(read_spec(SPEC, JULY))
    del document["components"]["responses"]["Forbidden"]["content"][PROBLEM]
    path = write("x.json", json.dumps(document))
    with MockServer(spec=path) as mock, httpx2.Client(base_url=mock.url) as client:
        for status, expected in ((403, JSON), (429, PROBLEM), (503, PROBLEM)):
            mock.fail_next(status=status)
            assert type_of(client.post(PAYMENTS, json={}), status) == expected


# --- how it is chosen -----------------------------------------------------------------------------


def speaks(settings: Settings) -> str:
    with MockServer(settings=settings) as mock:
        return JULY if "LoadType" in mock.load("LD-1001") else PAGE


def test_profile_names_the_revision_and_the_option_wins(write: Write) -> None:
    july = str(write("july.yaml", "revision: 2026-07"))
    unknown = str(write("unknown.yaml", "revision: 2027-01"))
    assert speaks(Settings(profile=july)) == JULY
    assert speaks(Settings(profile=july, revision=PAGE)) == PAGE
    assert speaks(Settings(profile="newtonsoft", revision=JULY)) == JULY
    assert speaks(Settings(profile=unknown)) == PAGE


@pytest.mark.parametrize("name", REVISIONS)
def test_answers_of_a_revision_are_those_of_the_table(name: str) -> None:
    questions, answers = read_questions(), answers_of(name)
    assert all(questions[key].form_of(answer) for key, given in answers.items() for answer in given)
    assert answers_of(PAGE) == {}


def test_media_types_of_the_document_remain_those_of_a_profile_that_names_both(write: Write) -> None:
    path = str(write("x.yaml", f"revision: 2026-07\nanswers: {{A3: [{PROBLEM}, {JSON}], Q49: accepted}}"))
    with MockServer(settings=Settings(profile=path)) as mock, httpx2.Client(base_url=mock.url) as client:
        assert type_of(client.get("/nope"), 404) == JSON
        assert type_of(client.delete(LOADS), 405) == PROBLEM


def test_profile_says_nothing_that_its_revision_plays(write: Write) -> None:
    answers = "{A1: 'PaidAt, TotalPaid, Payments', A1b: 'Amount, Id, PaidAt', A1c: 2026-07, A1d: 2026-07}"
    path = write("x.yaml", f"revision: 2026-07\nanswers: {answers}")
    with serving("--port", "0", "--profile", str(path)) as mock:
        assert "A1" not in mock.greeting
        load = json_of(httpx2.get(f"{mock.url}{LOADS}?loadNumber=LD-1002").text)
    assert sorted(load["Payments"][0]) == ["Amount", "Id", "PaidAt"]


def test_times_of_payments_are_shown_as_the_profile_has_them(write: Write) -> None:
    path = str(write("x.yaml", "revision: 2026-07\nanswers: {Q41: without an offset}"))
    with MockServer(settings=Settings(profile=path)) as mock, httpx2.Client(base_url=mock.url) as client:
        load = Api(client, {}).load("LD-1002")
    assert load["Payments"][0]["PaidAt"] == load["PaidAt"] == "2026-06-25T10:00:00"


def test_profile_shows_fewer_fields_of_a_payment_in_a_load(write: Write) -> None:
    path = str(write("x.yaml", "revision: 2026-07\nanswers: {A1b: 'Amount, Id'}\n"))
    with MockServer(settings=Settings(profile=path)) as mock, httpx2.Client(base_url=mock.url) as client:
        assert Api(client, {}).load("LD-1002")["Payments"][0].keys() == {"Amount", "Id"}


def test_refused_repeat_shows_its_payment_where_a_profile_lets_it(write: Write) -> None:
    path = str(write("x.yaml", "revision: 2026-07\nanswers: {A10g: '200, the original'}"))
    with (
        MockServer(settings=Settings(profile=path)) as mock,
        httpx2.Client(base_url=mock.url) as client,
    ):
        api = Api(client, {})
        body = api.payment("LD-1001")
        first, replay = (json_of(api.post(each).text) for each in (body, body | {"PaymentDate": 5}))
    assert replay == first


def test_greeting_says_a_revision_that_is_not_the_page() -> None:
    with serving("--port", "0", "--revision", JULY, "--quiet") as mock:
        assert "revision 2026-07; no access token is needed" in mock.greeting
        assert mock.end(signal.SIGTERM)[1:] == ("", 0)
    with serving("--port", "0", environ={"ALVYS_MOCK_REVISION": JULY}) as mock:
        assert "revision 2026-07" in mock.greeting
    with serving("--port", "0") as mock:
        assert "revision" not in mock.greeting


def test_unknown_revision_is_refused() -> None:
    done = run("--revision", "2027-01")
    assert done.returncode == 2
    assert "'2027-01' is not one of 'page', '2026-07'" in done.stderr
    with pytest.raises(SpecError, match=r"^There is no revision 2027-01; there are page, 2026-07\.$"):
        MockServer(settings=Settings(revision="2027-01"))


def test_unusable_profile_is_refused_whatever_the_revision() -> None:
    for revision in (None, JULY):
        with pytest.raises(UnusableSetting, match=r"^profile: x is no file"):
            MockServer(settings=Settings(profile="x", revision=revision))
