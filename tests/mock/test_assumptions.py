"""A1 to A24: what the contract's page leaves open, and this project decided."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest

from tests.mock.api import PAYMENTS, SCHEMAS, SEARCH, Api, json_of, problem_of
from tests.mock.states import STATES

RUNS_ON = STATES


@pytest.mark.clause("A1")
def test_default_contract_is_the_page(api: Api) -> None:
    number = api.new_load()
    assert set(api.pay(number)) == {"LoadNumber", "Status", "CustomerPayments"}
    in_camel_case = {name for name in api.load(number) if name[0].islower()}
    assert in_camel_case == {"paidAt", "totalPaid", "payments"}


@pytest.mark.clause("A2")
def test_400_names_every_field_and_repeats_the_first_sentence(api: Api) -> None:
    body = api.payment(api.new_load(), -1, ReferenceNumber=" ", Note=7)
    problem = problem_of(api.post(body), 400)
    assert problem["errors"] == {
        "Amount.Amount": ["Amount must be greater than zero."],
        "ReferenceNumber": ["The ReferenceNumber field is required."],
        "Note": ["The Note field must be a string."],
    }
    assert problem["detail"] in {sentence for field in problem["errors"].values() for sentence in field}
    gated = problem_of(api.post(api.payment(api.new_load("Dispatched"))), 400)
    assert list(gated["errors"]) == ["Status"]


@pytest.mark.clause("A3")
def test_errors_are_problem_documents(api: Api) -> None:
    for response, status in (
        (api.post({}), 400),
        (api.client.get("/"), 404),
        (api.client.get(PAYMENTS), 405),
        (api.post({}, "text/plain"), 415),
    ):
        problem_of(response, status)


@pytest.mark.clause("A4")
@pytest.mark.parametrize(
    "media_type",
    [
        "application/json-patch+json",
        "application/json",
        "text/json",
        "application/vnd.example+json",
        "APPLICATION/Json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; profile=x; charset=utf8",
        'application/json; profile="a\\"; b"',
        "application/json;",
    ],
)
def test_media_types_accepted(api: Api, media_type: str) -> None:
    assert api.post(api.payment(api.new_load("Invoiced")), media_type).status_code == 200


@pytest.mark.clause("A4")
@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/+json",
        "application/*+json/x",
        "text/vnd.example+json",
        "application/json, text/json",
        "application/json text/json",
        "json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=",
        "application/json; charset=klingon",
        "application/json; (",
        "application/json" + ";   " * 2000 + "(",
        "{0}",
        "*/*",
    ],
    ids=lambda media_type: ascii(media_type)[:40],
)
def test_other_media_types_are_415(api: Api, media_type: str | None) -> None:
    number = api.new_load("Financed")
    problem = problem_of(api.post(api.payment(number), media_type), 415)
    for accepted in ("application/json-patch+json", "application/json,", "text/json", "application/*+json"):
        assert accepted in problem["detail"]
    assert api.load(number)["payments"] == []


@pytest.mark.clause("A4")
def test_two_content_types_are_415(api: Api) -> None:
    headers = [("content-type", "application/json"), ("content-type", "application/json")]
    problem_of(api.client.post(PAYMENTS, content=b"{}", headers=headers), 415)


@pytest.mark.clause("A5")
@pytest.mark.parametrize("version", ["1", "1.0", "2", "2.0"])
def test_versions_accepted(api: Api, version: str) -> None:
    number = api.new_load()
    path = PAYMENTS.replace("1.0", version)
    assert api.post(api.payment(number), path=path).status_code == 200
    assert api.client.get(f"/api/p/v{version}/loads", params={"loadNumber": number}).status_code == 200


@pytest.mark.clause("A5")
@pytest.mark.parametrize(
    "version", ["0", "3", "1.1", "01", "1.0.0", "", " 1", "1.0%0A", "x", "{version}", "1.0%00"]
)
def test_other_versions_are_404(api: Api, version: str) -> None:
    path = PAYMENTS.replace("1.0", version)
    problem_of(api.post(api.payment(api.new_load("Completed")), path=path), 404)


@pytest.mark.clause("A5")
@pytest.mark.parametrize(
    "path", ["/API/P/V1.0/LOADS", "/api/p/v1.0/Loads", "/api/p/v1.0/l%6Fads", "/Api/P/v1%2E0/lOaDs"]
)
def test_paths_match_without_case(api: Api, path: str) -> None:
    assert api.client.get(path, params={"LOADNUMBER": "Paid 0"}).status_code == 200


@pytest.mark.clause("A6")
def test_replay_shows_the_current_status_and_payments(api: Api) -> None:
    number = api.new_load("billed 100.30 USD")
    body = api.payment(number, 100)
    first = json_of(api.post(body).text)
    api.pay(number, 0.3)
    replay = json_of(api.post(body).text)
    assert (first["Status"], replay["Status"]) == ("Invoiced", "Completed")
    assert replay["CustomerPayments"][0] == first["CustomerPayments"][0]
    assert replay["CustomerPayments"] == api.load(number)["payments"]


@pytest.mark.clause("A7")
def test_original_wins_over_a_replay_with_other_values(api: Api) -> None:
    number = api.new_load()
    first = api.pay(number, 5, ReferenceNumber="R", Note="a")
    load = api.load_text(number)
    replay = api.pay(
        number,
        999999,
        124,
        ReferenceNumber="R",
        PaymentDate="2020-01-01T00:00:00Z",
        InvoiceNumber="other",
        PaymentMethod="other",
        CheckNumber="other",
    )
    assert replay == first
    assert api.load_text(number) == load


@pytest.mark.clause("A8")
def test_reference_on_another_load_is_another_payment(api: Api) -> None:
    one, two = (api.pay(api.new_load(), 5, ReferenceNumber="SAME") for _ in range(2))
    assert len(one["CustomerPayments"]) == len(two["CustomerPayments"]) == 1
    assert one["CustomerPayments"][0]["Id"] != two["CustomerPayments"][0]["Id"]


@pytest.mark.clause("A9")
def test_references_are_compared_exactly(api: Api) -> None:
    number = api.new_load("Invoiced")
    composed, decomposed = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
    different = ["r", "R", " r", "r ", "0", "00", composed, decomposed, "\ufeff", "\x1c", "x" * 10000]
    for reference in different:
        api.pay(number, ReferenceNumber=reference)
    assert [payment["ReferenceNumber"] for payment in api.load(number)["payments"]] == different


@pytest.mark.clause("A10")
def test_order_of_checks(api: Api) -> None:
    """Each request has every fault from one check on; the first of them responses."""
    gated = api.new_load("Dispatched")
    unknown_path = PAYMENTS.replace("1.0", "9")
    bad_body = json.dumps(api.payment("nope", -1)).encode()
    problem_of(api.client.put(unknown_path, content=bad_body), 404)
    problem_of(api.client.put(PAYMENTS, content=bad_body), 405)
    problem_of(api.post(bad_body, "text/plain"), 415)
    problem_of(api.post(b"x" * 1024 * 1024 + b"x", "text/plain"), 415)
    assert "Amount.Amount" in problem_of(api.post(bad_body), 400)["errors"]
    assert "Amount.Amount" in problem_of(api.post(api.payment(gated, -1)), 400)["errors"]
    problem_of(api.post(api.payment("nope")), 404)
    assert "Status" in problem_of(api.post(api.payment(gated)), 400)["errors"]


@pytest.mark.clause("A10")
def test_replay_comes_before_the_status(shipped: Api) -> None:
    """The payment BANK-54310 is the shipped load's own, and the load is Paid."""
    before = shipped.load_text("LD-1019")
    replay = shipped.pay("LD-1019", ReferenceNumber="BANK-54310")
    assert replay["Status"] == "Paid"
    assert [payment["Amount"]["Amount"] for payment in replay["CustomerPayments"]] == [915]
    problem_of(shipped.post(shipped.payment("LD-1019", ReferenceNumber="bank-54310")), 400)
    assert shipped.load_text("LD-1019") == before


@pytest.mark.clause("A11")
def test_all_faults_are_reported_together(api: Api) -> None:
    assert set(problem_of(api.post({}), 400)["errors"]) == {
        "LoadNumber",
        "Amount",
        "PaymentDate",
        "ReferenceNumber",
    }
    faulty = {
        "LoadNumber": "",
        "Amount": {"Amount": "1", "Currency": 8.4},
        "PaymentDate": "yesterday",
        "ReferenceNumber": 5,
        "InvoiceNumber": [],
        "PaymentMethod": {},
        "CheckNumber": True,
        "Note": "\0",
    }
    problem = problem_of(api.post(faulty), 400)
    assert set(problem["errors"]) == set(faulty) - {"Amount"} | {"Amount.Amount", "Amount.Currency"}


@pytest.mark.clause("A12")
@pytest.mark.parametrize(
    ("kind", "amounts", "statuses"),
    [
        ("billed 100.30 USD", [100.2, 0.1], ["Invoiced", "Completed"]),
        ("billed 100.30 USD", [100.30], ["Completed"]),
        ("billed 100 USD, rate 50", [99.99, 0.01], ["Financed", "Completed"]),
        ("rate 50 CAD", [49.9, 0.1], ["Invoiced", "Completed"]),
        ("Invoiced", [1e9, 1e9], ["Invoiced", "Invoiced"]),
        ("Financed", [1e9], ["Financed"]),
        ("Completed", [1], ["Completed"]),
    ],
)
def test_load_is_completed_once_what_was_billed_is_paid(
    api: Api, kind: str, amounts: list[float], statuses: list[str]
) -> None:
    number = api.new_load(kind)
    currency = 124 if "CAD" in kind else 840
    assert [api.pay(number, amount, currency)["Status"] for amount in amounts] == statuses
    assert api.load(number)["Status"] == statuses[-1]


@pytest.mark.clause("A13")
def test_overpayment_is_accepted(api: Api) -> None:
    number = api.new_load("billed 100.30 USD")
    api.pay(number, 1000)
    assert api.pay(number, 1000)["Status"] == "Completed"
    assert api.load(number)["totalPaid"]["Amount"] == 2000


@pytest.mark.clause("A14")
@pytest.mark.parametrize("currency", [840, 0, -1, 999999999999, 10**300])
def test_any_integer_is_a_currency_and_comes_back_as_sent(api: Api, currency: int) -> None:
    response = api.pay(api.new_load("Invoiced"), 1, currency)
    assert response["CustomerPayments"][0]["Amount"]["Currency"] == currency


@pytest.mark.clause("A14")
def test_total_counts_the_loads_own_currency_only(api: Api) -> None:
    number = api.new_load("rate 50 CAD")
    api.pay(number, 70, 840)
    assert api.load(number)["totalPaid"] == {"Amount": 0, "Currency": 124}
    api.pay(number, 20, 124)
    api.pay(number, 10, 0)
    assert api.load(number)["totalPaid"] == {"Amount": 30, "Currency": 124}
    assert api.load(number)["Status"] == "Invoiced"
    assert [p["Amount"]["Currency"] for p in api.load(number)["payments"]] == [840, 124, 0]


@pytest.mark.clause("A15")
@pytest.mark.parametrize(
    "date", ["2026-07-02T09:00:00-05:00", "2026-07-01t00:00:00.1200z", "2016-12-31T23:59:60Z"]
)
def test_payment_date_comes_back_as_sent(api: Api, date: str) -> None:
    number = api.new_load()
    assert api.pay(number, PaymentDate=date)["CustomerPayments"][0]["PaymentDate"] == date
    assert api.load(number)["payments"][0]["PaymentDate"] == date


@pytest.mark.clause("A16")
def test_paid_at_is_when_the_latest_payment_was_recorded(api: Api) -> None:
    number = api.new_load()
    first = api.payment(number, PaymentDate="2020-01-01T00:00:00Z")
    api.post(first)
    after_first = datetime.fromisoformat(api.load(number)["paidAt"])
    between = datetime.now(UTC)
    api.pay(number, PaymentDate="2019-01-01T00:00:00Z")
    after_second = datetime.fromisoformat(api.load(number)["paidAt"])
    assert after_first <= between <= after_second <= datetime.now(UTC)
    api.post(first)
    assert datetime.fromisoformat(api.load(number)["paidAt"]) == after_second


@pytest.mark.clause("A17")
@pytest.mark.parametrize(
    "date",
    [
        "",
        " ",
        "2026-07-01",
        "2026-07-01T15:30:00",
        "2026-07-01 15:30:00Z",
        "2026-07-01T15:30Z",
        "2026-07-01T15:30:00.Z",
        "2026-07-01T15:30:00,5Z",
        "2026-07-01T0.:00:00Z",
        "202*-07-01T15:30:00Z",
        "2026-02-29T00:00:00Z",
        "0000-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-07-01T24:00:00Z",
        "2026-07-01T12:00:60Z",
        "2026-07-01T00:60:00Z",
        "2026-07-01T00:00:00+24:00",
        "2026-07-01T00:00:00+00:60",
        "2026-07-01T15:30:00+0500",
        "2026-07-01T15:30:00Z\n",
        " 2026-07-01T15:30:00Z",
        "\N{FULLWIDTH DIGIT TWO}026-07-01T15:30:00Z",
        "2026-07-01T15:30:00\N{MINUS SIGN}05:00",
        "1751383800",
        "Wed, 01 Jul 2026 15:30:00 GMT",
    ],
    ids=ascii,
)
def test_other_dates_are_refused(api: Api, date: str) -> None:
    problem = problem_of(api.post(api.payment("Invoiced 0", PaymentDate=date)), 400)
    assert problem["errors"] == {
        "PaymentDate": [
            "The PaymentDate field must be a date and time with Z or an offset, as RFC 3339 writes it."
        ]
    }


@pytest.mark.clause("A18")
def test_unknown_fields_are_ignored(api: Api) -> None:
    number = api.new_load()
    body = api.payment(number, Extra={"a": [1]}, loadnumber="nope", Id="mine", Status="Paid")
    body["Amount"]["Extra"] = None
    payment = json_of(api.post(body).text)["CustomerPayments"][0]
    assert payment["Id"] != "mine"
    assert set(payment) == set(SCHEMAS["CustomerPayment"]["properties"])
    assert set(payment["Amount"]) == {"Amount", "Currency"}


def other_case(sent: str) -> str:
    return (
        f"You sent {sent}; names are case-sensitive here (assumption A18). "
        "--profile newtonsoft takes any case."
    )


@pytest.mark.clause("A18")
@pytest.mark.parametrize("field", ["LoadNumber", "Amount", "PaymentDate", "ReferenceNumber"])
def test_field_names_are_case_sensitive(api: Api, field: str) -> None:
    body = api.payment("Invoiced 0")
    sent = f"{field[0].lower()}{field[1:]}"
    body[sent] = body.pop(field)
    problem = problem_of(api.post(body), 400)
    assert problem["errors"] == {field: [f"The {field} field is required.", other_case(sent)]}


@pytest.mark.clause("A18")
def test_field_in_an_amount_that_was_sent_in_other_case_is_named_too(api: Api) -> None:
    body = api.payment("Invoiced 0", Amount={"amount": 1, "CURRENCY": 840})
    assert problem_of(api.post(body), 400)["errors"] == {
        "Amount.Amount": ["The Amount field is required.", other_case("amount")],
        "Amount.Currency": ["The Currency field is required.", other_case("CURRENCY")],
    }


@pytest.mark.clause("A18")
def test_filters_that_were_sent_in_other_case_are_named_too(api: Api) -> None:
    body = {"status": ["Invoiced"], "page": 0, "loadNumbers": ["LD-1001"], "LOADNUMBERS": [], "Status": []}
    problem = problem_of(api.post(body, path=SEARCH), 400)
    assert problem["errors"] == {
        "$": [
            "At least one of Status, LoadNumbers, OrderNumbers, PONumbers, CustomerId is required.",
            other_case("status, loadNumbers, LOADNUMBERS"),
        ]
    }


def test_sentence_about_other_case_is_bounded(api: Api) -> None:
    spelled = map("".join, product("o", "rR", "dD", "eE", "rR"))
    body: dict[str, object] = {f"{each}Numbers": [1] for each in spelled} | {"x" * 100_000: 1}
    _, sentence = problem_of(api.post(body, path=SEARCH), 400)["errors"]["$"]
    assert sentence.count("Numbers") == 5
    body = {str(number): 1 for number in range(100)} | {"orderNumbers": ["x"]}
    assert len(problem_of(api.post(body, path=SEARCH), 400)["errors"]["$"]) == 1


@pytest.mark.clause("A19")
def test_invoice_number_is_stored_unchecked(api: Api) -> None:
    response = api.pay(api.new_load(), InvoiceNumber="an invoice of nobody")
    assert response["CustomerPayments"][0]["InvoiceNumber"] == "an invoice of nobody"


@pytest.mark.clause("A20")
def test_sums_are_decimal(api: Api) -> None:
    number = api.new_load("Invoiced")
    api.pay(number, 0.1)
    api.pay(number, 0.2)
    assert b'"totalPaid":{"Amount":0.3,' in api.load_text(number)


@pytest.mark.clause("A20")
@pytest.mark.parametrize(
    ("sent", "printed"),
    [
        (b"1.10", b"1.10"),
        (b"1e2", b"1E+2"),
        (b"9007199254740993.01", b"9007199254740993.01"),
        (b"0." + b"3" * 400, b"0." + b"3" * 400),
        (b"1" + b"0" * 307, b"1" + b"0" * 307),
        (b"1.7976931348623157e308", b"1.7976931348623157E+308"),
    ],
    ids=lambda text: text[:24].decode(),
)
def test_amount_is_printed_as_sent(api: Api, sent: bytes, printed: bytes) -> None:
    number = api.new_load("Invoiced")
    body = json.dumps(api.payment(number)).encode().replace(b'"Amount": 1,', b'"Amount": %b,' % sent)
    response = api.post(body)
    assert response.status_code == 200
    assert b'"Amount":{"Amount":%b,' % printed in response.content
    assert api.load(number)["totalPaid"]["Amount"] == Decimal(sent.decode())


@pytest.mark.clause("A20")
@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1.8e308", f"1{'0' * 309}", f"-1{'0' * 400}"],
    ids=lambda number: f"{number[:8]} of {len(number)}",
)
@pytest.mark.parametrize("field", ["Amount", "Currency"])
def test_number_beyond_a_double_is_refused(api: Api, number: str, field: str) -> None:
    text = json.dumps(api.payment("Invoiced 0", 70001, 80001))
    text = text.replace("70001" if field == "Amount" else "80001", number)
    problem = problem_of(api.post(text.encode()), 400)
    assert problem["errors"] == {f"Amount.{field}": [f"The {field} field is beyond the range of a double."]}


@pytest.mark.clause("A18", "A20")
@pytest.mark.parametrize(
    ("unknown", "place"),
    [
        ('"Xtra": 1e999', "Xtra"),
        ('"Xtra": {"In": [1, {"It": -1e400}]}', "Xtra.In[1].It"),
        (f'"Xtra": [{"9" * 400}]', "Xtra[0]"),
        ('"Amount": {"Amount": 1, "Currency": 840, "Xtra": 1e999}', "Amount.Xtra"),
    ],
    ids=["field", "below one", "integer", "beside a known one"],
)
def test_number_beyond_a_double_is_refused_in_an_ignored_field_too(
    api: Api, unknown: str, place: str
) -> None:
    body = api.payment("Invoiced 0")
    if "Amount" in unknown:
        del body["Amount"]
    problem = problem_of(api.post(f"{json.dumps(body)[:-1]}, {unknown}}}".encode()), 400)
    assert list(problem["errors"]) == [place]
    assert problem["detail"].endswith(" is beyond the range of a double.")


@pytest.mark.clause("A20")
def test_integer_of_thousands_of_digits_is_refused(api: Api) -> None:
    text = json.dumps(api.payment("Invoiced 0", 70001)).replace("70001", "1" + "0" * 5000)
    assert "out of range" in problem_of(api.post(text.encode()), 400)["detail"]


@pytest.mark.clause("A20")
def test_difference_in_size_costs_no_digits(api: Api) -> None:
    number = api.new_load("Invoiced")
    api.pay(number, 1e300)
    api.pay(number, 1e-300)
    assert api.load(number)["totalPaid"]["Amount"] - Decimal("1e300") == Decimal("1e-300")


@pytest.mark.clause("A21")
def test_rejected_attempt_does_not_use_up_its_reference(api: Api) -> None:
    number = api.new_load()
    problem_of(api.post(api.payment(number, -5, ReferenceNumber="R")), 400)
    problem_of(api.post(api.payment("nope", 5, ReferenceNumber="R")), 404)
    response = api.pay(number, 6, ReferenceNumber="R")
    assert [payment["Amount"]["Amount"] for payment in response["CustomerPayments"]] == [6]


@pytest.mark.clause("A23")
def test_search_without_hits_and_page_past_the_end_are_404(api: Api) -> None:
    wanted = {"LoadNumbers": ["Quoted 0", "Quoted 1", "Quoted 2"], "PageSize": 2}
    pages = [api.post({**wanted, "Page": page}, path=SEARCH) for page in range(3)]
    assert [json_of(page.text)["Total"] for page in pages[:2]] == [3, 3]
    assert [len(json_of(page.text)["Items"]) for page in pages[:2]] == [2, 1]
    problem_of(pages[2], 404)
    problem_of(api.post({"LoadNumbers": ["nope"]}, path=SEARCH), 404)
    problem_of(api.post({"CustomerId": "nope"}, path=SEARCH), 404)


@pytest.mark.clause("A24")
def test_sentences_are_the_pages(api: Api) -> None:
    said = [
        problem_of(api.post(body), 400)["detail"]
        for body in (
            api.payment("Dispatched 0"),
            api.payment("Dispatched 0", 0),
            api.payment("Dispatched 0", ReferenceNumber=""),
        )
    ]
    assert said == [
        "Load must be in one of: Invoiced, Completed, Financed.",
        "Amount must be greater than zero.",
        "The ReferenceNumber field is required.",
    ]
