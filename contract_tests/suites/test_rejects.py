"""What must be refused is refused and leaves no trace. Every request here records nothing."""

from collections.abc import Callable
from http import HTTPStatus

import pytest

from contract_tests.rules.attempt import MEDIA_TYPE
from contract_tests.rules.clauses import NO_REFERENCE, NOT_PAYABLE, NOT_POSITIVE, PAYABLE_STATUSES, STATUSES
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.paths import PAYMENTS_PATH
from contract_tests.rules.responses import TEXT_FIELDS, problem_of, says
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api
from contract_tests.suites.cases import LENIENT, REFUSED, UNKNOWN_LOAD, Case, parametrize, payment
from contract_tests.suites.needs import References, give_up, need_payable
from contract_tests.suites.requests import payment_request

pytestmark = pytest.mark.suite("rejects")
documented = pytest.mark.documented
assumed = pytest.mark.assumed
GATED = [status for status in STATUSES if status not in PAYABLE_STATUSES]


def probe(
    api: Api, reference: str, media_type: str | None = MEDIA_TYPE, path: str = PAYMENTS_PATH
) -> Exchange:
    """A payment of nothing: a target that reads it refuses it because of the amount, whatever else."""
    return api.post(payment_request(payment(UNKNOWN_LOAD, reference, Sum=0), media_type, path))


def was_read(exchange: Exchange, accepted: str = "accepted") -> str:
    """`accepted` if the refusal is about the body or the load, else its status."""
    read = says(exchange.response, NOT_POSITIVE) or exchange.response.status == 404
    return accepted if read else str(exchange.response.status)


def how_named(exchange: Exchange, name: str) -> str:
    """How the keys of `errors` name a field such as `Amount.Currency`."""
    errors = exchange.response.fields.get("errors")
    if not isinstance(errors, dict) or not errors:
        return "not in errors"
    own, keys = name.rpartition(".")[2], " ".join(errors)
    if own in keys:
        return "errors, by its name"
    in_other_case = own.lower() in keys.lower()
    return "errors, by its name in other case" if in_other_case else "errors, by another name"


@parametrize(REFUSED)
def test_it_is_refused_without_a_trace(api: Api, reference: References, case: Case) -> None:
    load = need_payable(api)
    ref = reference()
    try:
        exchange = api.pay(case.make(load, ref))
    except Refused:
        # What a lenient service might take for any amount goes to no load that exists.
        exchange = api.pay(case.make(UNKNOWN_LOAD, ref))
    if case.question:
        api.observe(case.question, exchange)
    elif case.ids == ("D7",):
        api.observe("Q9", exchange)
    elif case.ids == ("D5",) and exchange.response.status == 400:
        api.findings.observes("A2h", how_named(exchange, case.name.partition(" ")[0]))


@pytest.fixture(scope="module")
def body_comes_first(api: Api, reference: References) -> bool:
    """Whether the target reads a body before it looks for its load, so that a 404 tells that it was read."""
    exchange = api.pay(payment(UNKNOWN_LOAD, reference(), Note=["n"]))
    return exchange.response.status != HTTPStatus.NOT_FOUND


@parametrize(LENIENT)
def test_what_only_a_lenient_reader_takes(
    api: Api,
    reference: References,
    case: Case,
    body_comes_first: bool,  # noqa: FBT001 - a fixture
) -> None:
    if not body_comes_first:
        give_up("the target looks for the load before it reads the body")
    exchange = api.pay(case.make(UNKNOWN_LOAD, reference()))
    was_found = exchange.response.status == HTTPStatus.NOT_FOUND
    api.findings.observes(str(case.question), case.accepted if was_found else str(exchange.response.status))


@documented("R3")
@pytest.mark.parametrize("number", [UNKNOWN_LOAD, f"{UNKNOWN_LOAD} é/中", f"{UNKNOWN_LOAD}{'9' * 60}"])
def test_an_unknown_load_is_not_found(api: Api, reference: References, number: str) -> None:
    api.pay(payment(number, reference()))


@documented("R2")
@pytest.mark.parametrize("status", GATED)
def test_a_status_that_takes_no_payment(api: Api, reference: References, status: str) -> None:
    numbers = api.loads.get(status, [])
    views = [view for view in map(api.view, numbers) if view is not None and view.status == status]
    if not views:
        give_up(f"no load with the status {status} is nominated")
    api.pay(payment(views[0], reference()))
    ref = reference()
    api.pay(payment(views[0], ref, InvoiceNumber=f"I-{ref}", PaymentMethod="ACH", CheckNumber="1", Note="n"))


@documented("R2")
def test_the_gate_opens_for_no_reference_that_another_load_has(api: Api, reference: References) -> None:
    refs = reference()
    for view in api.not_payable()[:2]:
        api.pay(payment(view, refs))


@assumed("Q11", "Q12")
@pytest.mark.parametrize(("question", "form"), [("Q11", str.swapcase), ("Q12", " {} ".format)])
def test_a_load_number_written_otherwise(
    api: Api, reference: References, question: str, form: Callable[[str], str]
) -> None:
    closed = api.not_payable()
    if not closed or form(closed[0].number) == closed[0].number:
        give_up("no load that takes no payment is nominated, or its number has no letters")
    api.observe(question, api.pay(payment(form(closed[0].number), reference())))


@assumed("Q13")
@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_load_number(api: Api, reference: References, blank: str) -> None:
    api.observe("Q13", api.pay(payment(blank, reference())))


@assumed("A4a", "A4b", "A4c", "A4d", "A4e", "A4f", "A4g", "A4h")
@pytest.mark.parametrize(
    ("question", "media_type"),
    [
        ("A4a", "application/json"),
        ("A4b", "text/json"),
        ("A4c", "application/vnd.alvys+json"),
        ("A4d", "text/plain"),
        ("A4e", "application/xml"),
        ("A4f", "application/x-www-form-urlencoded"),
        ("A4g", None),
        ("A4h", "application/json-patch+json; charset=utf-8"),
        ("A4h", "application/json;charset=UTF-8"),
    ],
)
def test_a_media_type(api: Api, reference: References, question: str, media_type: str | None) -> None:
    exchange = probe(api, reference(), media_type)
    api.findings.observes(question, was_read(exchange))
    if exchange.response.status == 415:
        api.findings.observes("A2g", problem_of(exchange.response))


@assumed("A5a", "A5b", "A5c", "A5d", "A5e")
@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("A5a", "/api/p/v1/invoices/customer-payments"),
        ("A5b", "/api/p/v2/invoices/customer-payments"),
        ("A5c", "/api/p/v2.0/invoices/customer-payments"),
        ("A5d", "/api/p/v9/invoices/customer-payments"),
        ("A5e", "/API/p/v1.0/Invoices/Customer-Payments"),
    ],
)
def test_a_version_or_path(api: Api, reference: References, question: str, path: str) -> None:
    exchange = probe(api, reference(), path=path)
    read = says(exchange.response, NOT_POSITIVE)
    api.findings.observes(question, "accepted" if read else str(exchange.response.status))


@assumed("Q8", "Q30", "A2f")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method(api: Api, reference: References, method: str) -> None:
    request = payment_request(payment(UNKNOWN_LOAD, reference()), method=method)
    exchange = api.send(Request("GET", PAYMENTS_PATH) if method == "GET" else request)
    api.observe("Q8", exchange)
    if exchange.response.status == 405:
        api.findings.observes("A2f", problem_of(exchange.response))
        api.findings.observes("Q30", exchange.response.headers.get("allow", "none"))


@assumed("Q22")
def test_a_response_in_a_media_type_that_is_not_offered(api: Api, reference: References) -> None:
    body = payment(UNKNOWN_LOAD, reference(), Sum=0)
    exchange = api.post(payment_request(body, Accept="application/xml"))
    api.findings.observes("Q22", was_read(exchange, "ignored"))


@assumed("A10a", "A10b", "A10c")
def test_the_route_comes_before_the_body(api: Api, reference: References) -> None:
    path = PAYMENTS_PATH.replace("v1.0", "v9")
    api.observe("A10a", probe(api, reference(), "text/plain", path))
    body = payment(UNKNOWN_LOAD, reference())
    api.observe("A10b", api.send(payment_request(body, "text/plain", method="PUT")))
    api.observe("A10c", api.post(payment_request(b"[]", "text/plain")))


@assumed("A10d")
def test_the_body_comes_before_the_load(api: Api, reference: References) -> None:
    exchange = api.pay(payment(UNKNOWN_LOAD, reference(), Sum=0))
    about = " about the body" if says(exchange.response, NOT_POSITIVE) else ""
    api.findings.observes("A10d", f"{exchange.response.status}{about}")


@assumed("A10e")
def test_the_body_comes_before_the_status(api: Api, reference: References) -> None:
    closed = api.not_payable()
    if not closed:
        give_up("no load that takes no payment is nominated")
    exchange = api.pay(payment(closed[0], reference(), Sum=0))
    body, status = says(exchange.response, NOT_POSITIVE), says(exchange.response, NOT_PAYABLE)
    about = {(True, False): "the body", (False, True): "the status", (True, True): "both"}.get((body, status))
    api.findings.observes("A10e", f"{exchange.response.status} about {about or 'something else'}")


@assumed("A10f")
def test_a_replay_on_a_load_that_is_no_longer_payable(api: Api) -> None:
    paid = (
        (load, one, date)
        for load in api.not_payable()
        for one in load.payments.values()
        if one.reference and isinstance(date := one.fields.get("PaymentDate"), str)
    )
    load, one, date = next(paid, None) or give_up(
        "no load that takes no payment shows one with its reference"
    )
    texts = {name: one.fields.get(name) for name in TEXT_FIELDS}
    body = payment(load, one.reference, Sum=one.amount.amount, PaymentDate=date, **texts)
    exchange = api.pay(body)
    if exchange.response.status != 200:
        about = " about the status" if says(exchange.response, NOT_PAYABLE) else ""
        api.findings.observes("A10f", f"{exchange.response.status}{about}")


@assumed("A11")
def test_several_errors_are_reported(api: Api) -> None:
    load = need_payable(api)
    exchange = api.pay(payment(load, "", Sum=0))
    said = [says(exchange.response, sentence) for sentence in (NO_REFERENCE, NOT_POSITIVE)]
    api.findings.observes("A11", {2: "all reported", 1: "one reported"}.get(sum(said), "none reported"))
