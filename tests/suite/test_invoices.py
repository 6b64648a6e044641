"""Invoices are judged where a target has any; where it has none, nothing is, and nothing is asked again."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from contract_tests.oracle.invoices import Booked, judge_invoice, judge_paid
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.findings import ClauseFailedError, Findings
from contract_tests.rules.invoices import InvoiceView, invoice_of
from contract_tests.rules.paths import INVOICE_SEARCH_PATH, INVOICES_PATH
from contract_tests.rules.values import encode_json, parse_json
from contract_tests.safety.credentials import Credentials
from contract_tests.safety.guard import Refused
from contract_tests.safety.intent import Action, intent_of
from contract_tests.suites.api import Api
from contract_tests.suites.generated import document
from contract_tests.suites.invoices import Invoices
from contract_tests.suites.lag import Lag
from contract_tests.suites.requests import read_request, search_request
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from mock_server.tokens import OAuthClient
from tests.suite.counting_server import Reply, counting_server
from tests.suite.payments import guarded

OFFERED = {"Invoiced": ["LD-1002", "LD-1001"], "Dispatched": ["LD-1014"]}
JSON = {"content-type": "application/json"}
Respond = Callable[[Request], Response | None]


@dataclass
class Asked:
    """The suite's side of a run on the mock, with the requests for invoices that reached it."""

    api: Api
    invoices: Invoices
    requests: list[Request] = field(default_factory=list)


@contextmanager
def asking(respond: Respond = lambda _: None, loads: dict[str, list[str]] | None = None) -> Iterator[Asked]:
    """The mock, but for the responses that `respond` has for requests for invoices."""
    with MockServer() as mock, guarded(mock.url, is_mock=True) as (client, _, _):

        def send(request: Request) -> Exchange:
            if not request.path.startswith(INVOICES_PATH) or request.path.endswith("payments"):
                return client.send(request)
            asked.requests.append(request)
            response = respond(request)
            if response is None:
                return client.send(request)
            return Exchange(request, response, "", 0.0, (500,) * (response.status == 500))  # asked twice then

        api = Api(send, Oracle(), Findings(), OFFERED if loads is None else loads, lag=Lag(0.05))
        asked = Asked(api, Invoices(api))
        yield asked


def saying(status: int, body: bytes = b"", media_type: str = "application/json") -> Respond:
    """This to every request for invoices."""
    return lambda _: Response(status, {"content-type": media_type}, body)


# --- a target that has none -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 500, 501, 0])
def test_a_target_without_invoices_is_asked_once_and_fails_nothing(status: int) -> None:
    with asking(saying(status)) as asked:
        for _ in range(3):
            with pytest.raises(
                Refused, match=f"the target has no invoices: a read is answered with {status}"
            ):
                assert asked.invoices.known
            with pytest.raises(Refused):
                asked.invoices.search(Page=0)
    assert len(asked.requests) == 1
    assert (asked.api.findings.failures, asked.api.findings.passed) == ([], {})


def test_a_page_for_people_is_no_invoice() -> None:
    with asking(saying(404, b"<html>", "text/html")) as asked, pytest.raises(Refused):
        assert asked.invoices.known
    assert asked.api.findings.observed.get("Q61") == {"404": 1}


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"Items": []}', b'{"Items": [7, {}]}', b"x"])
def test_nothing_is_required_before_an_invoice_was_read(body: bytes) -> None:
    with asking(saying(200, body)) as asked:
        for _ in range(2):
            with pytest.raises(Refused, match="no invoice is known"):
                assert asked.invoices.known
    assert len(asked.requests) <= 3
    assert asked.api.findings.failures == []


def test_a_token_that_may_not_read_invoices_stops_no_run() -> None:
    clients = (OAuthClient("c", "s", ("load:read", "invoice:update")),)
    with MockServer(settings=Settings(require_token=True, clients=clients)) as mock:
        credentials = Credentials.from_environment({"ALVYS_TOKEN": mock.token()})
        with guarded(mock.url, credentials=credentials) as (client, guard, _):
            for request in (
                read_request(path=INVOICES_PATH),
                search_request(INVOICE_SEARCH_PATH, Status=["Paid"]),
            ):
                with pytest.raises(Refused, match=r"lacks a scope \(invoice:read\)"):
                    client.send(request)
            assert client.send(read_request(("loadNumber", "LD-1001"))).response.status == 200
            assert guard.stopped is None


# --- which are known --------------------------------------------------------------------------------


def test_a_search_finds_the_invoices_of_the_offered_loads() -> None:
    with asking() as asked:
        assert asked.invoices.numbers == {"LD-1002": "INV-1002", "LD-1001": "INV-1001"}
        assert asked.invoices.known.number == "INV-1002"
        assert asked.invoices.of_load("LD-1014") is None
    assert len(asked.requests) == 3
    assert asked.api.findings.observed["Q61"] == {"can be read": 1}
    assert asked.api.findings.observed["A27"] == {"zero": 1}


@pytest.mark.parametrize("status", [400, 422])
def test_a_search_that_takes_no_load_numbers_is_asked_without(status: int) -> None:
    def respond(request: Request) -> Response | None:
        return Response(status, JSON, b"{}") if b"LoadNumbers" in (request.content or b"") else None

    with asking(respond) as asked:
        assert asked.invoices.of_load("LD-1019") == "INV-1019"


def test_a_search_that_fails_each_time_is_no_lack_of_invoices() -> None:
    def respond(request: Request) -> Response | None:
        return Response(500, JSON, b"{}") if request.path == INVOICE_SEARCH_PATH else None

    with asking(respond) as asked, pytest.raises(ClauseFailedError):
        assert asked.invoices.known
    assert [one.clause for one in asked.api.findings.failures] == ["D8"]


def test_without_a_search_the_invoice_that_a_payment_names_is_read() -> None:
    def respond(request: Request) -> Response | None:
        return Response(404, JSON, b"{}") if request.path == INVOICE_SEARCH_PATH else None

    with asking(respond) as asked:
        asked.api.load("LD-1002")
        assert asked.invoices.known.number == "INV-1002"
    with asking(respond) as asked, pytest.raises(Refused):  # of a load that nobody has read
        assert asked.invoices.known


def test_an_invoice_that_a_payment_names_need_not_be_there() -> None:
    def respond(request: Request) -> Response | None:
        return None if not request.query else Response(404, JSON, b"{}")

    with asking(respond, {"Invoiced": ["LD-1002"]}) as asked:
        asked.api.load("LD-1002")
        asked.invoices.numbers.clear()
        with pytest.raises(Refused, match="no invoice is known"):
            assert asked.invoices.known
    assert asked.api.findings.failures == []


def test_an_invoice_that_a_search_shows_must_be_there() -> None:
    def respond(request: Request) -> Response | None:
        return Response(404, JSON, b"{}") if request.query else None

    with asking(respond) as asked, pytest.raises(ClauseFailedError):
        assert asked.invoices.known
    assert [one.clause for one in asked.api.findings.failures] == ["P10"]


# --- what an invoice says ---------------------------------------------------------------------------


def usd(amount: str) -> dict[str, object]:
    return {"Amount": Decimal(amount), "Currency": Decimal(840)}


INVOICE: dict[str, Any] = {
    "Id": "1",
    "Number": "F-1",
    "Status": "AwaitingPayment",
    "Total": usd("100"),
    "AmountPaid": usd("30"),
    "RemainingBalance": usd("70"),
    "OverPaymentAmount": None,
    "Loads": [{"LoadNumber": "LD-1"}],
    "Payments": [{"Id": "p0", "Amount": usd("30"), "PaymentReference": "R-0"}],
}
NUMBERS = {
    "Total": Decimal(100),
    "AmountPaid": Decimal(30),
    "RemainingBalance": Decimal(70),
    "Id": Decimal(1),
}


def judged(**changes: Any) -> Verdict:
    """The verdict on an invoice with other fields; None leaves one out."""
    verdict = Verdict()
    fields = {name: value for name, value in {**INVOICE, **changes}.items() if value is not None}
    judge_invoice(verdict, parse_json(encode_json(fields)).document, "F-1")
    return verdict


@pytest.mark.parametrize(
    "changes",
    [
        {},
        NUMBERS,
        dict.fromkeys(("Total", "AmountPaid", "RemainingBalance", "Payments", "Loads")),
        {"RemainingBalance": None},
        {"AmountPaid": usd("120"), "RemainingBalance": usd("0")},
        {"AmountPaid": usd("120"), "RemainingBalance": usd("-20")},
        {"Total": "hundred", "Payments": {}, "Loads": "x"},
    ],
)
def test_an_invoice_may_show_little_and_in_its_own_form(changes: dict[str, Any]) -> None:
    assert judged(**changes).failures == []


@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"Number": "F-2"}, "P10"),
        ({"Number": None}, "P13"),
        ({"Id": ""}, "P13"),
        ({"Status": "Invoiced"}, "P13"),
        ({"RemainingBalance": usd("100")}, "P16"),
        ({"AmountPaid": usd("30.01")}, "P16"),
        ({"Total": usd("99"), "RemainingBalance": Decimal(70)}, "P16"),
    ],
)
def test_an_invoice_that_contradicts_itself_fails(changes: dict[str, Any], clause: str) -> None:
    assert [one.clause for one in judged(**changes).failures] == [clause]


def test_no_object_is_no_invoice() -> None:
    verdict = Verdict()
    assert judge_invoice(verdict, [], "F-1") is None
    assert [one.clause for one in verdict.failures] == ["P13"]


# --- what a payment does to it ----------------------------------------------------------------------

BOOKED = Booked("R-1", "p1", Decimal("0.1"))
NEW = {"Id": "p1", "Amount": usd("0.1"), "PaymentReference": "R-1"}
AFTER = {"AmountPaid": usd("30.1"), "RemainingBalance": usd("69.9"), "Payments": [*INVOICE["Payments"], NEW]}


def view(**changes: Any) -> InvoiceView:
    return invoice_of(parse_json(encode_json({**INVOICE, **changes})).document)


def failed(**changes: Any) -> list[str]:
    """What is expected of an invoice after the payment, and is not so."""
    verdict = Verdict()
    judge_paid(verdict, view(), view(**{**AFTER, **changes}), BOOKED)
    assert {one.clause for one in verdict.failures} <= {"P15"}
    return [one.expected for one in verdict.failures]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Payments": None},
        {"AmountPaid": None},
        {"Total": None},
        {"Payments": [{**NEW, "Id": "other"}]},
        {"Payments": [{"Id": "p1"}]},
        {"Payments": [{"PaymentReference": "R-1", "Amount": Decimal("0.1")}]},
    ],
)
def test_a_payment_is_found_on_its_invoice_by_what_is_shown(changes: dict[str, Any]) -> None:
    assert failed(**changes) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"AmountPaid": usd("30")}, ["AmountPaid 30.1"]),
        ({"AmountPaid": usd("30.2")}, ["AmountPaid 30.1"]),
        ({"Total": usd("100.1")}, ["Total 100, as before"]),
        ({"Payments": INVOICE["Payments"]}, ["the payment R-1 once"]),
        ({"Payments": [NEW, NEW]}, ["the payment R-1 once"]),
        ({"Payments": [NEW, {**NEW, "Id": "p2"}]}, ["the payment R-1 once"]),
        ({"Payments": [{**NEW, "PaymentReference": "R-0"}]}, ["PaymentReference R-1"]),
        ({"Payments": [{**NEW, "Amount": usd("10")}]}, ["the payment with 0.1"]),
    ],
)
def test_a_payment_that_its_invoice_tells_otherwise_fails(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert failed(**changes) == expected


def test_an_invoice_that_lags_behind_is_read_again() -> None:
    reads: list[Response] = []

    def respond(request: Request) -> Response | None:
        late = dict(request.query).get("invoiceNumber") == "F-1"
        reads.append(Response(200, JSON, encode_json({**INVOICE, **(AFTER if len(reads) > 1 else {})})))
        return reads[-1] if late else None

    with asking(respond) as asked:
        asked.api.lag = Lag(30)
        asked.invoices.take_paid(view(), BOOKED, asked.api.lag.now())
    assert len(reads) == 3
    assert asked.api.findings.passed["P15"] > 0


def test_an_invoice_that_stays_behind_fails() -> None:
    with asking(saying(200, encode_json(INVOICE))) as asked, pytest.raises(ClauseFailedError):
        asked.invoices.take_paid(view(), BOOKED, asked.api.lag.now())
    assert {one.clause for one in asked.api.findings.failures} == {"P15"}


# --- safety -----------------------------------------------------------------------------------------


def test_a_search_of_invoices_is_a_read_and_no_other_write_beside_it_is() -> None:
    body = b'{"LoadNumbers": ["LD-1"]}'
    assert intent_of("POST", INVOICE_SEARCH_PATH.encode(), {}, body).action is Action.READ
    for path in (
        INVOICES_PATH,
        f"{INVOICE_SEARCH_PATH}/x",
        f"{INVOICE_SEARCH_PATH}%2Fx",
        f"{INVOICES_PATH}/1",
    ):
        assert intent_of("POST", path.encode(), {}, body).action is Action.OTHER
    assert intent_of("PUT", INVOICE_SEARCH_PATH.encode(), {}, body).action is Action.OTHER


def test_an_invoice_is_taken_for_no_load() -> None:
    """It may be of a nominated load, and list its payments under other ids."""
    payments = [{"Id": "other", "Amount": {"Amount": 5, "Currency": 840}, "PaymentReference": "ct-run-1"}]
    shown = {"LoadNumber": "LD-1", "Status": "Invoiced", "Payments": payments, "TotalPaid": None}
    with counting_server() as server:
        server.answer = lambda _received: Reply(body=json.dumps({**shown, "Items": [shown]}).encode())
        with guarded(server.url) as (client, guard, _):
            client.send(read_request(("invoiceNumber", "F-1"), path=INVOICES_PATH))
            client.send(search_request(INVOICE_SEARCH_PATH, Status=["Paid"]))
            assert (guard.stopped, guard.payments) == (None, 0)


@pytest.mark.parametrize("revision", ["page", "2026-07"])
def test_nothing_is_generated_for_what_a_target_may_not_have(revision: Any) -> None:
    paths = document(revision)["paths"]
    assert isinstance(paths, dict)
    assert {path.rpartition("}/")[2] for path in paths} == {
        "invoices/customer-payments", "loads", "loads/search",
    }  # fmt: skip
