"""R1 to R8: what the endpoint's page says."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.mock.api import GATED, LOADS, PAYABLE, SCHEMAS, Api, Json, json_of, problem_of
from tests.mock.states import STATES

RUNS_ON = STATES

STATUS_SENTENCE = "Load must be in one of: Invoiced, Completed, Financed."
BLANKS = ["", " ", "\t\n", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}", "\N{NEXT LINE}"]


@pytest.mark.clause("R1")
@pytest.mark.parametrize("status", PAYABLE)
def test_payable_load_takes_a_payment(api: Api, status: str) -> None:
    response = api.pay(api.new_load(status), ReferenceNumber="P-1")
    assert [payment["ReferenceNumber"] for payment in response["CustomerPayments"]] == ["P-1"]


@pytest.mark.clause("R2", "A24")
@pytest.mark.parametrize("status", GATED)
def test_any_other_status_is_refused_with_the_pages_sentence(api: Api, status: str) -> None:
    number = api.new_load(status)
    before = api.load_text(number)
    problem = problem_of(api.post(api.payment(number)), 400)
    assert problem["errors"] == {"Status": [STATUS_SENTENCE]}
    assert problem["detail"] == STATUS_SENTENCE
    assert api.load_text(number) == before


@pytest.mark.clause("R3")
@pytest.mark.parametrize(
    "number", ["nope", "{0}", "{LoadNumber}", "%s", "Invoiced 0 ", "invoiced 0", "\N{SNOWMAN}"]
)
def test_unknown_load_is_404(api: Api, number: str) -> None:
    problem = problem_of(api.post(api.payment(number)), 404)
    assert problem["title"] == "Not Found"
    assert number in problem["detail"]
    problem_of(api.client.get(LOADS, params={"loadNumber": number}), 404)


@pytest.mark.clause("R4", "A20", "A24")
@pytest.mark.parametrize("amount", ["0", "-0", "0.0", "0e5", "-0.01", "-1", "-1e300", "1e-400", "-1e-400"])
def test_amount_must_be_greater_than_zero(api: Api, amount: str) -> None:
    number = api.new_load()
    before = api.load_text(number)
    body = b'{"LoadNumber": "%b", "Amount": {"Amount": %b, "Currency": 840},' % (
        number.encode(),
        amount.encode(),
    )
    body += b'"PaymentDate": "2026-07-01T15:30:00Z", "ReferenceNumber": "r"}'
    problem = problem_of(api.post(body), 400)
    assert problem["errors"] == {"Amount.Amount": ["Amount must be greater than zero."]}
    assert api.load_text(number) == before


@pytest.mark.clause("R4")
def test_smallest_amount_is_accepted(api: Api) -> None:
    response = api.pay(api.new_load(), 5e-324)
    assert response["CustomerPayments"][0]["Amount"]["Amount"] == Decimal("5e-324")


@pytest.mark.clause("R5", "A24")
@pytest.mark.parametrize("reference", BLANKS, ids=ascii)
def test_blank_reference_is_required(api: Api, reference: str) -> None:
    problem = problem_of(api.post(api.payment(api.new_load(), ReferenceNumber=reference)), 400)
    assert problem["errors"] == {"ReferenceNumber": ["The ReferenceNumber field is required."]}


@pytest.mark.clause("R5", "A24")
def test_missing_or_null_reference_is_required(api: Api) -> None:
    body = api.payment(api.new_load(), ReferenceNumber=None)
    refused = [api.post(body)]
    del body["ReferenceNumber"]
    refused.append(api.post(body))
    for response in refused:
        problem = problem_of(response, 400)
        assert problem["errors"] == {"ReferenceNumber": ["The ReferenceNumber field is required."]}


@pytest.mark.clause("R6")
def test_replay_returns_the_original(api: Api) -> None:
    number = api.new_load()
    body = api.payment(number, 30)
    first, _, second = api.post(body), api.pay(number, 20), api.post(body)
    assert second.status_code == 200
    original = json_of(first.text)["CustomerPayments"][0]
    assert [payment["Id"] for payment in json_of(second.text)["CustomerPayments"]].count(original["Id"]) == 1
    assert json_of(second.text)["CustomerPayments"][0] == original
    assert len(json_of(second.text)["CustomerPayments"]) == 2
    assert api.load(number)["totalPaid"] == {"Amount": 50, "Currency": 840}


@pytest.mark.clause("R6", "A22")
def test_fifty_at_once_record_one_payment(api: Api) -> None:
    number = api.new_load()
    body = api.payment(number, 0.1)
    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(lambda _: api.post(body), range(50)))
    assert {response.status_code for response in responses} == {200}
    assert {response.text for response in responses} == {responses[0].text}
    assert len(json_of(responses[0].text)["CustomerPayments"]) == 1
    assert api.load(number)["totalPaid"]["Amount"] == Decimal("0.1")


@pytest.mark.clause("R7", "A20")
def test_hundred_payments_at_once_are_all_recorded(api: Api) -> None:
    number = api.new_load("Invoiced")
    bodies = [api.payment(number, cents / 100) for cents in range(1, 101)]
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(api.post, bodies))
    assert {response.status_code for response in responses} == {200}
    load = api.load(number)
    assert len(load["payments"]) == 100
    assert len({payment["Id"] for payment in load["payments"]}) == 100
    assert {payment["ReferenceNumber"] for payment in load["payments"]} == {
        body["ReferenceNumber"] for body in bodies
    }
    assert load["totalPaid"]["Amount"] == Decimal("50.50")


@pytest.mark.clause("R7")
def test_payment_fills_the_loads_fields(api: Api) -> None:
    number = api.new_load()
    before = api.load(number)
    assert (before["paidAt"], before["totalPaid"], before["payments"]) == (None, None, [])
    sent = datetime.now(UTC)
    response = api.pay(number, 12.34)
    after = api.load(number)
    assert after["totalPaid"] == {"Amount": Decimal("12.34"), "Currency": 840}
    assert after["payments"] == response["CustomerPayments"]
    assert sent <= datetime.fromisoformat(after["paidAt"]) <= datetime.now(UTC)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"paidAt", "totalPaid", "payments"}


@pytest.mark.clause("R8")
def test_media_types_are_the_pages(api: Api) -> None:
    body = api.payment(api.new_load())
    recorded = api.post(body, "application/json-patch+json")
    assert recorded.status_code == 200
    assert recorded.headers["content-type"] == "application/json"
    problem_of(api.post({}, "application/json-patch+json"), 400)
    assert "one of: application/json-patch+json, " in problem_of(api.post({}, "text/plain"), 415)["detail"]


@pytest.mark.clause("R8")
def test_response_has_exactly_the_fields_of_the_page(api: Api) -> None:
    number = api.new_load()
    sent: dict[str, Json] = {
        "InvoiceNumber": "INV-1",
        "PaymentMethod": "Wire",
        "CheckNumber": "7",
        "Note": "not returned",
    }
    response = api.pay(number, 1, ReferenceNumber="R", **sent)
    del sent["Note"]
    given = response["CustomerPayments"][0].pop("Id")
    assert response == {
        "LoadNumber": number,
        "Status": "Invoiced",
        "CustomerPayments": [
            {
                "Amount": {"Amount": 1, "Currency": 840},
                "PaymentDate": "2026-07-01T15:30:00Z",
                "ReferenceNumber": "R",
                **sent,
            }
        ],
    }
    assert given
    assert list(response) == list(SCHEMAS["CustomerPaymentResponse"]["properties"])
    assert list(api.load(number)) == list(SCHEMAS["Load"]["properties"])
