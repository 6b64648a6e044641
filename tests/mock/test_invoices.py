"""The invoice of a load: which loads have one, what it says after payments, and how it is found."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.documents import read_document
from mock_server.invoices import billed_id, billed_number, invoice_id, invoice_number
from mock_server.revisions import NAMES, read_spec
from mock_server.sandbox import Settings
from mock_server.shipped import FIXTURES, SPEC
from mock_server.testing import MockServer
from mock_server.tokens import OAuthClient
from tests.mock.api import STATUSES, Api, Json, json_of, problem_of
from tests.mock.team import bearer, running
from tests.mock.test_spec import document

INVOICES = "/api/p/v1.0/invoices"
INVOICE_SEARCH = f"{INVOICES}/search"
USERS = "/api/p/v1.0/users/list"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
DRAFTS, AWAITING, PAID = ("Released", "Queued"), ("Invoiced", "Financed"), ("Completed", "Paid")


def read(api: Api, load: str) -> httpx2.Response:
    """Reads the invoice of a load."""
    return api.client.get(INVOICES, params={"invoiceNumber": invoice_number(load)})


def invoice(api: Api, load: str) -> Json:
    response = read(api, load)
    assert response.status_code == 200, response.text
    return json_of(response.text)


def usd(amount: str) -> Json:
    return {"Amount": Decimal(amount), "Currency": 840}


def amounts(of: Json) -> tuple[Json, ...]:
    return tuple(of[name] for name in ("Total", "AmountPaid", "RemainingBalance", "OverPaymentAmount"))


def found(api: Api, **filters: object) -> list[str]:
    """The numbers of the invoices that a search finds."""
    response = api.post({"PageSize": 150, **filters}, path=INVOICE_SEARCH)
    assert response.status_code == 200, response.text
    return [each["Number"] for each in json_of(response.text)["Items"]]


# --- which loads have one ---------------------------------------------------------------------------


@pytest.mark.clause("A25")
@pytest.mark.parametrize("status", STATUSES)
def test_loads_that_are_billed_have_an_invoice(api: Api, status: str) -> None:
    statuses = {name: of for of, names in {"Draft": DRAFTS, "AwaitingPayment": AWAITING, "Paid": PAID}.items()
                for name in names}  # fmt: skip
    load = f"{status} 0"
    if status in statuses:
        assert invoice(api, load)["Status"] == statuses[status]
    else:
        assert problem_of(read(api, load), 404)["detail"] == "No invoice matches the request."


@pytest.mark.clause("A25")
def test_invoice_is_paid_once_all_is_although_the_status_of_the_load_stays(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("answers: {A12b: unchanged}")
    with running(Settings(profile=str(profile))) as team:
        api = Api(team.client, {})
        assert api.pay("LD-1001", 1850)["Status"] == "Invoiced"
        assert invoice(api, "LD-1001")["Status"] == "Paid"
        assert found(api, Status=["AwaitingPayment"], LoadNumbers=["LD-1001", "LD-1002"]) == ["INV-1002"]
        assert found(api, Status=["Paid"], LoadNumbers=["LD-1001", "LD-1002"]) == ["INV-1001"]


# --- its number and id ------------------------------------------------------------------------------

numbers = st.text(st.sampled_from("LDINV-_7"), max_size=8)


@pytest.mark.clause("A26")
@given(numbers)
def test_number_leads_back_to_the_load(load: str) -> None:
    assert billed_number(invoice_number(load)) == load
    assert billed_id(invoice_id(load)) == load


@pytest.mark.clause("A26")
@given(numbers)
def test_no_two_numbers_name_the_invoice_of_one_load(number: str) -> None:
    load = billed_number(number)
    assert load is None or invoice_number(load) == number


@pytest.mark.clause("A26")
def test_invoice_is_read_by_number_or_id_or_both() -> None:
    with running() as team:
        team.mock.add_load("1001")
        by_number = json_of(team.client.get(INVOICES, params={"invoiceNumber": "INV-1001"}).text)
        assert by_number["Loads"] == [
            {"Id": team.mock.load("LD-1001")["Id"], "LoadNumber": "LD-1001"},
        ]
        one, other = by_number["Id"], "INV_1001"
        for query in (
            {"id": one},
            {"id": one, "invoiceNumber": "INV-1001"},
            {"ID": one, "invoicenumber": ""},
        ):
            assert json_of(team.client.get(INVOICES, params=query).text) == by_number
        assert team.client.get(INVOICES, params={"invoiceNumber": other}).json()["Number"] == other
        for query in (
            {"id": one, "invoiceNumber": other},
            {"id": "x", "invoiceNumber": "INV-1001"},
            {"id": one, "invoiceNumber": "x"},
            {"id": "x"},
            {"invoiceNumber": "LD-1001"},
            {"invoiceNumber": "inv-1001"},
        ):
            problem_of(team.client.get(INVOICES, params=query), 404)


def test_read_without_a_key_is_400(api: Api) -> None:
    for query in ("", "?id=", "?invoiceNumber=%20&id=", "?loadNumber=Paid 0"):
        problem = problem_of(api.client.get(INVOICES + query), 400)
        assert problem["detail"] == "At least one of id, invoiceNumber is required."


# --- its amounts ------------------------------------------------------------------------------------


@pytest.mark.clause("A27")
def test_amounts_follow_the_payments(api: Api) -> None:
    load = api.new_load("billed 100.30 USD")
    assert amounts(invoice(api, load)) == (usd("100.30"), usd("0"), usd("100.30"), usd("0"))
    api.pay(load, 100.1)
    part = invoice(api, load)
    assert (amounts(part), part["Status"]) == (
        (usd("100.30"), usd("100.1"), usd("0.20"), usd("0")), "AwaitingPayment",
    )  # fmt: skip
    assert part["PaidDate"] is None
    api.pay(load, 0.2)
    whole = invoice(api, load)
    assert (amounts(whole), whole["Status"]) == ((usd("100.30"), usd("100.3"), usd("0"), usd("0")), "Paid")
    assert whole["PaidDate"] == api.load(load)["paidAt"]


@pytest.mark.clause("A27")
def test_overpayment_is_shown_and_the_balance_stays_at_zero(api: Api) -> None:
    load = api.new_load("billed 100 USD, rate 50")
    api.pay(load, 100.01)
    assert amounts(invoice(api, load)) == (usd("100"), usd("100.01"), usd("0"), usd("0.01"))


@pytest.mark.clause("A27")
def test_load_without_an_amount_has_a_total_of_zero(api: Api) -> None:
    load = api.new_load("Invoiced")
    zero = {"Amount": 0, "Currency": 0}
    assert amounts(invoice(api, load)) == (zero, zero, zero, zero)
    api.pay(load, 5, 124)
    cad = {"Amount": 5, "Currency": 124}
    none = {**cad, "Amount": 0}
    after = invoice(api, load)
    assert amounts(after) == (none, cad, none, cad)
    assert (after["Status"], after["PaidDate"]) == ("AwaitingPayment", None)


@pytest.mark.clause("A27")
def test_payment_in_another_currency_is_listed_and_not_counted(api: Api) -> None:
    load = api.new_load("rate 50 CAD")
    api.pay(load, 50, 840)
    shown = invoice(api, load)
    assert shown["AmountPaid"] == {"Amount": 0, "Currency": 124}
    assert shown["RemainingBalance"] == {"Amount": 50, "Currency": 124}
    assert [each["Amount"] for each in shown["Payments"]] == [{"Amount": 50, "Currency": 840}]


@pytest.mark.clause("A27")
def test_amounts_are_exact(api: Api) -> None:
    load = api.new_load("billed 100.30 USD")
    body = json.dumps(api.payment(load, 7)).replace(
        '"Amount": 7', '"Amount": 0.00000000000000000000000000000001'
    )
    assert api.post(body.encode()).status_code == 200
    assert invoice(api, load)["RemainingBalance"] == usd("100.29999999999999999999999999999999")


def test_payments_have_their_reference_in_the_invoice(api: Api) -> None:
    load = api.new_load()
    first = api.pay(load, 1, CheckNumber="7")["CustomerPayments"][0]
    second = api.pay(load, 2)["CustomerPayments"][1]
    assert invoice(api, load)["Payments"] == [
        {
            "Id": each["Id"],
            "Amount": each["Amount"],
            "PaymentDate": each["PaymentDate"],
            "CheckNumber": each["CheckNumber"],
            "PaymentReference": each["ReferenceNumber"],
        }
        for each in (first, second)
    ]


def test_replay_and_refusal_change_no_invoice(api: Api) -> None:
    load = api.new_load()
    body = api.payment(load, 5)
    api.post(body)
    before = read(api, load).content
    assert api.post(body).status_code == 200
    assert api.post(api.payment(load, -5)).status_code == 400
    assert read(api, load).content == before


# --- the search -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened() -> Iterator[Api]:
    """A mock on the loads that ship, which nobody pays."""
    with MockServer() as mock, httpx2.Client(base_url=mock.url) as client:
        yield Api(client, {})


ALL = {f"INV-{each}" for each in (*range(1001, 1009), 1018, 1019, 1020)}


@pytest.mark.clause("A28")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"Status": ["Draft", "AwaitingPayment", "Paid"]}, ALL),
        ({"Status": ["Draft"]}, {"INV-1018", "INV-1020"}),
        ({"Status": ["Paid"]}, {"INV-1005", "INV-1006", "INV-1019"}),
        ({"InvoiceNumbers": ["INV-1002", "INV-1009", "x", "LD-1001"]}, {"INV-1002"}),
        ({"LoadNumbers": ["LD-1002", "LD-1009", "LD-1001"]}, {"INV-1002", "INV-1001"}),
        ({"InvoiceNumbers": ["INV-1001", "INV-1002"], "LoadNumbers": ["LD-1002", "LD-1003"]}, {"INV-1002"}),
        ({"CustomerId": "CUS-100"}, {"INV-1001", "INV-1004", "INV-1019"}),
        ({"CustomerId": "CUS-100", "Status": ["Paid"]}, {"INV-1019"}),
        (
            {"CustomerId": "CUS-100", "Status": [], "InvoiceNumbers": None},
            {"INV-1001", "INV-1004", "INV-1019"},
        ),
    ],
)
def test_search_finds_what_matches_every_filter(opened: Api, filters: Json, expected: set[str]) -> None:
    numbers = found(opened, **filters)
    assert (len(numbers), set(numbers)) == (len(expected), expected)


@pytest.mark.clause("A28")
@pytest.mark.parametrize("filters", [{}, {"Status": []}, {"CustomerId": ""}, {"Page": 0}])
def test_search_needs_a_filter(opened: Api, filters: Json) -> None:
    problem = problem_of(opened.post(filters, path=INVOICE_SEARCH), 400)
    assert problem["detail"].startswith("At least one of Status, InvoiceNumbers, LoadNumbers, CustomerId")


@pytest.mark.parametrize(
    "filters",
    [
        {"Status": ["Invoiced"]},
        {"Status": ["Draft"], "PageSize": 0},
        {"Status": ["Draft"], "Page": -1},
        {"InvoiceNumbers": ["INV-1"] * 151},
    ],
)
def test_search_that_breaks_the_schema_is_400(opened: Api, filters: Json) -> None:
    problem_of(opened.post(filters, path=INVOICE_SEARCH), 400)


@pytest.mark.clause("A23")
@pytest.mark.parametrize(
    "filters",
    [
        {"InvoiceNumbers": ["INV-1009"]},
        {"InvoiceNumbers": ["x"]},
        {"InvoiceNumbers": ["INV-1001"], "LoadNumbers": ["LD-1002"]},
        {"InvoiceNumbers": ["INV-1001"], "Page": 1},
    ],
)
def test_search_without_a_hit_is_404(opened: Api, filters: Json) -> None:
    refused = problem_of(opened.post(filters, path=INVOICE_SEARCH), 404)
    assert refused["detail"] == "No invoice matches the request."


def test_pages_have_every_hit_once(opened: Api) -> None:
    wanted = {"Status": ["Draft", "AwaitingPayment", "Paid"], "PageSize": 4}
    pages = [json_of(opened.post({**wanted, "Page": page}, path=INVOICE_SEARCH).text) for page in range(3)]
    assert [(page["Page"], page["PageSize"], page["Total"]) for page in pages] == [
        (page, 4, len(ALL)) for page in range(3)
    ]
    numbers = [each["Number"] for page in pages for each in page["Items"]]
    assert (len(numbers), set(numbers)) == (len(ALL), ALL)


def test_found_invoice_is_the_one_that_is_read(opened: Api) -> None:
    [item] = json_of(opened.post({"LoadNumbers": ["LD-1005"]}, path=INVOICE_SEARCH).text)["Items"]
    assert item == invoice(opened, "LD-1005")


# --- the document -----------------------------------------------------------------------------------


def examples_of(path: str, method: str) -> Json:
    operation = document()["paths"][path][method]
    content = operation["responses"]["200"]["content"]["application/json"]
    return {name: json_of(json.dumps(each["value"])) for name, each in content["examples"].items()}


def test_examples_are_what_the_mock_responds(opened: Api) -> None:
    item = document()["paths"]["/api/p/v{version}/invoices"]
    query = {each["name"]: each["example"] for each in item["get"]["parameters"] if "name" in each}
    read_back = json_of(opened.client.get(INVOICES, params=query).text)
    assert examples_of("/api/p/v{version}/invoices", "get") == {"partly_paid": read_back}
    search = document()["paths"]["/api/p/v{version}/invoices/search"]["post"]
    for name, example in search["requestBody"]["content"]["application/json"]["examples"].items():
        response = opened.post(example["value"], path=INVOICE_SEARCH)
        assert response.status_code == 200
        shown = examples_of("/api/p/v{version}/invoices/search", "post").get(name)
        assert shown in (None, json_of(response.text))


def test_links_lead_from_an_invoice_to_its_load_and_from_a_hit_to_its_invoice() -> None:
    paths = document()["paths"]
    of_invoice = paths["/api/p/v{version}/invoices"]["get"]["responses"]["200"]["links"]["load"]
    assert of_invoice["parameters"]["loadNumber"] == "$response.body#/Loads/0/LoadNumber"
    of_search = paths["/api/p/v{version}/invoices/search"]["post"]["responses"]["200"]["links"]["invoice"]
    assert of_search["parameters"]["invoiceNumber"] == "$response.body#/Items/0/Number"
    ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert {of_invoice["operationId"], of_search["operationId"]} <= set(ids)


@pytest.mark.parametrize("revision", NAMES)
def test_every_invoice_is_as_the_document_says(revision: str) -> None:
    spec = read_spec(SPEC, revision)
    fixtures: Json = read_document(FIXTURES)
    with MockServer(settings=Settings(revision=revision)) as mock, httpx2.Client(base_url=mock.url) as client:
        api = Api(client, {})
        api.pay("LD-1001", 0.1)
        request = {"PageSize": 100, "LoadNumbers": [each["LoadNumber"] for each in fixtures.values()]}
        page = json_of(api.post(request, path=INVOICE_SEARCH).text)
    assert page["Total"] == len(ALL)
    assert spec.checker(spec.schema("InvoiceSearchResponse")).errors(page) == {}
    assert all(list(item) == list(spec.schema("Invoice")["properties"]) for item in page["Items"])


# --- what is switched on, and what a profile says ---------------------------------------------------


def test_scope_to_read_invoices_is_needed() -> None:
    clients = (
        OAuthClient("reader", "s", ("invoice:read",)),
        OAuthClient("payer", "s", ("load:read", "invoice:update")),
    )
    with running(Settings(require_token=True, clients=clients)) as team:
        for client, status in (("reader", 200), ("payer", 403)):
            headers = bearer(team.mock.token(client))
            answers = [
                team.client.get(INVOICES, params={"invoiceNumber": "INV-1001"}, headers=headers),
                team.client.post(INVOICE_SEARCH, json={"LoadNumbers": ["LD-1001"]}, headers=headers),
            ]
            assert [each.status_code for each in answers] == [status] * 2
            assert team.client.get(USERS, headers=headers).status_code == 200
        for path in (INVOICES, INVOICE_SEARCH, USERS):
            problem_of(team.client.get(path), 401)


def test_reads_and_searches_have_the_published_limits() -> None:
    with running(Settings(rate_limit="documented")) as team:
        team.mock.freeze_clock(NOON)
        api = Api(team.client, {})
        assert [read(api, "LD-1001").status_code for _ in range(6)] == [200] * 5 + [429]
        wanted = {"LoadNumbers": ["LD-1001"]}
        answers = [api.post(wanted, path=INVOICE_SEARCH).status_code for _ in range(11)]
        assert answers == [200] * 10 + [429]


def test_other_methods_are_405(api: Api) -> None:
    for path, allowed in ((INVOICES, "GET"), (INVOICE_SEARCH, "POST"), (USERS, "GET")):
        response = api.client.request("PUT", path)
        problem_of(response, 405)
        assert response.headers["allow"] == allowed


def test_profile_plays_for_invoices_what_it_plays_for_loads(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    answers = "A15: the day only, A18b: accepted, A23a: '200, no Items', Q28: '404', Q35: are left out"
    profile.write_text(f"answers: {{{answers}, Q40: within 5 s}}")
    with running(Settings(profile=str(profile))) as team:
        api = Api(team.client, {})
        team.mock.freeze_clock(NOON)
        api.pay("LD-1001", 5)
        wanted = {"loadnumbers": ["LD-1001"]}
        assert invoice(api, "LD-1001")["Payments"] == []
        assert json_of(api.post(wanted, path=INVOICE_SEARCH).text)["Items"][0]["Payments"] == []
        team.mock.move_clock(10)
        [payment] = invoice(api, "LD-1001")["Payments"]
        assert "CheckNumber" not in payment
        assert payment["PaymentDate"] == "2026-07-01"
        assert json_of(api.post({"LoadNumbers": ["x"]}, path=INVOICE_SEARCH).text)["Items"] == []
        assert api.post({"Status": ["Unheard of"]}, path=INVOICE_SEARCH).status_code == 404


def test_keys_of_two_invoices_are_taken_where_those_of_two_loads_are(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("answers: {Q15: accepted, Q16: accepted}")
    with running(Settings(profile=str(profile))) as team:
        query = {"id": "x", "invoiceNumber": "INV-1001"}
        assert team.client.get(INVOICES, params=query).json()["Number"] == "INV-1001"
        assert team.client.get(INVOICES, params={"invoiceNumber": "x"}).status_code == 404


# --- users ------------------------------------------------------------------------------------------


def test_users_are_those_of_the_document(api: Api) -> None:
    response = api.client.get(USERS)
    user = document()["components"]["schemas"]["User"]["properties"]
    assert response.json() == [{name: schema["examples"][0] for name, schema in user.items()}]


# --- why --------------------------------------------------------------------------------------------


def test_journal_says_by_which_rule_a_request_for_invoices_got_its_response() -> None:
    with running() as team:
        for query in ("?invoiceNumber=INV-1001", "", "?invoiceNumber=INV-1009"):
            team.client.get(INVOICES + query)
        for filters in ({"Status": ["Paid"]}, {}, {"Status": ["Invoiced"]}, {"LoadNumbers": ["x"]}):
            team.client.post(INVOICE_SEARCH, json=filters)
        reasons = [entry.reason for entry in team.mock.requests]
    assert [reason.rule for reason in reasons if reason] == ["P10", "P11", "P12", "P14", "P14", "Q28", "A23"]
