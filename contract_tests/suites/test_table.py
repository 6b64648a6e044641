"""The long list: what a payment may be, what comes back, and what it does to its load."""

import zlib
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from http import HTTPStatus

import pytest

from contract_tests.oracle.invoices import Booked
from contract_tests.rules.attempt import MEDIA_TYPE
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.paths import PAYMENTS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, items_of, payment_response_of
from contract_tests.rules.values import encode_json
from contract_tests.suites.api import Api
from contract_tests.suites.cases import ACCEPTED, CENT, UNUSUAL, Case, parametrize, payment
from contract_tests.suites.invoices import Invoices
from contract_tests.suites.needs import References, give_up, need_payable, need_sink
from contract_tests.suites.requests import payment_request, search_request

pytestmark = pytest.mark.suite("table")
documented = pytest.mark.documented
assumed = pytest.mark.assumed


@assumed("A14b")
def test_a_first_payment_in_another_currency(api: Api, reference: References) -> None:
    """Comes first, while a load without payments is left."""
    load = need_payable(api)
    if load.billed is None or load.payments:
        give_up("no nominated load has an amount and no payments")
    other = 978 if load.currency != 978 else 840
    api.pay(payment(load, reference(), Currency=other, Sum=Decimal("0.03")))


@parametrize(ACCEPTED)
def test_it_is_recorded_as_sent(api: Api, reference: References, case: Case) -> None:
    load = need_sink(api) if case.large else need_payable(api)
    api.pay(case.make(load, reference()))


@parametrize(UNUSUAL)
def test_what_is_open_is_recorded_or_refused(api: Api, reference: References, case: Case) -> None:
    load = need_sink(api) if case.large else need_payable(api)
    exchange = api.pay(case.make(load, reference()))
    if case.question:
        api.observe(case.question, exchange, case.accepted)


@documented("R1")
@pytest.mark.parametrize("status", PAYABLE_STATUSES)
def test_each_payable_status_takes_a_payment(api: Api, reference: References, status: str) -> None:
    load = need_payable(api, status)
    api.pay(payment(load, reference()))


@documented("R6")
def test_replay_returns_the_original(api: Api, reference: References) -> None:
    load, ref = need_payable(api), reference()
    body = payment(load, ref, InvoiceNumber=f"I-{ref}", PaymentMethod="ACH", CheckNumber="1", Note="n")
    for _ in range(3):
        api.pay(body)


@documented("R6")
@pytest.mark.parametrize(
    "changes",
    [
        {"Sum": Decimal("0.02")},
        {"Currency": 124},
        {"PaymentDate": "2026-07-02T00:00:00Z"},
        {"InvoiceNumber": "other"},
        {"PaymentMethod": "Wire"},
        {"CheckNumber": "99"},
        {"Note": "other"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_replay_with_another_value_returns_the_original(
    api: Api, reference: References, changes: dict[str, object]
) -> None:
    load, ref = need_payable(api), reference()
    original = payment(load, ref, InvoiceNumber=f"I-{ref}", PaymentMethod="ACH", CheckNumber="1", Note="n")
    api.pay(original)
    money = {name: changes[name] for name in ("Sum", "Currency") if name in changes}
    changed = payment(
        load, ref, **{name: original[name] for name in ("InvoiceNumber", "PaymentMethod")} | changes
    )
    assert changed != original or money
    api.pay(changed)
    api.pay(original)


@documented("R6")
def test_replay_after_other_payments_returns_the_original(api: Api, reference: References) -> None:
    load, first, second = need_payable(api), reference(), reference()
    for ref in (first, second, first, second, first):
        api.pay(payment(load, ref))


@documented("R6")
def test_replay_in_another_media_type_or_version_returns_the_original(
    api: Api, reference: References
) -> None:
    load = need_payable(api)
    body = payment(load, reference())
    api.pay(body)
    api.post(payment_request(body, "application/json"))
    api.post(payment_request(body, f"{MEDIA_TYPE}; charset=utf-8"))
    api.post(payment_request(body, path=PAYMENTS_PATH.replace("v1.0", "v1")))


@assumed("A10g")
def test_replay_with_an_error(api: Api, reference: References) -> None:
    load = need_payable(api)
    ref = reference()
    api.pay(payment(load, ref))
    api.observe("A10g", api.pay(payment(load, ref, Sum=0)), "200, the original")
    api.pay(payment(load, ref))


@assumed("A9a", "A9b", "A9d")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("{}-a", "{}-A", id="case"),
        pytest.param("{}", "{} ", id="a space after"),
        pytest.param("{}", " {}", id="a space before"),
        pytest.param("{}", "{}\t", id="a tab after"),
        pytest.param("{}-é", "{}-e\u0301", id="normal form"),
        pytest.param("{}-ß", "{}-SS", id="sharp s"),
        pytest.param("{}-\uff11", "{}-1", id="a wide digit"),
    ],
)
def test_references_that_are_nearly_the_same(
    api: Api, reference: References, first: str, second: str
) -> None:
    load, ref = need_payable(api), reference()
    for form in (first, second, first, second):
        api.pay(payment(load, form.format(ref)))


@documented("D2")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("{}-1", "{}-01", id="a leading zero"),
        pytest.param("{}-1", "{}-10", id="a longer one"),
        pytest.param("{}-a-b", "{}-ab", id="a hyphen"),
        pytest.param("{}-a b", "{}-ab", id="an inner space"),
        pytest.param("{}-é", "{}-e", id="an accent"),
        pytest.param("{}-" + "x" * 60 + "1", "{}-" + "x" * 60 + "2", id="the last character"),
        pytest.param("{}-a%b", "{}-a_b", id="wildcards"),
    ],
)
def test_references_that_differ_are_different_payments(
    api: Api, reference: References, first: str, second: str
) -> None:
    load, ref = need_payable(api), reference()
    for form in (first, second, first):
        api.pay(payment(load, form.format(ref)))


@assumed("A8")
def test_the_same_reference_on_another_load(api: Api, reference: References) -> None:
    one, ref = need_payable(api), reference()
    other = need_payable(api, but=[one.number])
    api.pay(payment(one, ref))
    api.pay(payment(other, ref, Sum=Decimal("0.02")))
    api.read(one.number)
    api.pay(payment(one, ref))
    api.pay(payment(other, ref, Sum=Decimal("0.02")))


@assumed("A21")
def test_a_refused_attempt_does_not_use_up_its_reference(api: Api, reference: References) -> None:
    load = need_payable(api)
    for error in ({"Sum": 0}, {"Sum": -1}, {"PaymentDate": None}, {"Sum": None}, {"Amount": None}):
        ref = reference()
        api.pay(payment(load, ref, **error))
        api.pay(payment(load, ref))


@documented("R7")
def test_a_payment_leaves_other_loads_alone(api: Api, reference: References) -> None:
    one = need_payable(api)
    other = need_payable(api, but=[one.number])
    api.pay(payment(one, reference()))
    api.read(other.number)
    for view in api.not_payable():
        api.read(view.number)


@assumed("A19")
def test_an_invoice_number_of_another_load(api: Api, reference: References) -> None:
    one = need_payable(api)
    other = need_payable(api, but=[one.number])
    number = f"INV-{reference()}"
    api.pay(payment(other, reference(), InvoiceNumber=number))
    exchange = api.pay(payment(one, reference(), InvoiceNumber=number))
    api.observe("A19", exchange, "stored unchecked")


@documented("R6")
def test_an_invoice_may_be_paid_in_parts(api: Api, reference: References) -> None:
    load, number = need_payable(api), f"INV-{reference()}"
    for _ in range(2):
        api.pay(payment(load, reference(), InvoiceNumber=number))


@pytest.mark.published("P15", "P16")
def test_a_payment_is_once_on_the_invoice_of_its_load(
    api: Api, invoices: Invoices, reference: References
) -> None:
    assert invoices.known
    found = ((load, invoices.of_load(load.number)) for load in api.all_payable())
    load, number = next(((load, number) for load, number in found if number), (None, ""))
    if load is None or not number:
        give_up("no invoice of a load that can be paid is known")
    ref, amount = reference(), Decimal("0.11")
    before, body = invoices.read(number), payment(load, ref, Sum=amount)
    for _ in ("a payment", "its replay"):
        exchange = api.pay(body)
        if exchange.response.status != 200:
            give_up(f"the payment is refused with {exchange.response.status}")
        shown = payment_response_of(exchange.response)
        recorded = next((Booked(ref, each.id, each.amount.amount) for each in shown.paid_as(ref)), None)
        invoices.take_paid(before, recorded or Booked(ref, shown.id or "", amount), api.lag.now())


@assumed("A20a")
def test_a_tenth_and_two_tenths_are_three_tenths(api: Api, reference: References) -> None:
    load = need_payable(api)
    for amount in ("0.1", "0.2", "0.7", "0.1", "0.2"):
        api.pay(payment(load, reference(), Sum=Decimal(amount)))


@assumed("A14b")
def test_currencies_on_one_load(api: Api, reference: References) -> None:
    load = need_payable(api)
    own = load.currency or 840
    for currency in (own, 978, own, 484):
        api.pay(payment(load, reference(), Currency=currency, Sum=Decimal("0.03")))


@documented("R6", "R7")
def test_a_load_takes_a_hundred_payments_and_knows_each_again(api: Api, reference: References) -> None:
    """Lists, totals and the memory for references end at round numbers, where they end."""
    load = need_sink(api)
    bodies = [payment(load, reference(), Sum=cents * CENT) for cents in range(1, 102)]
    for body in bodies:
        api.pay(body)
    for body in (bodies[0], bodies[50], bodies[-11]):
        api.pay(body)


@documented("R6")
@pytest.mark.parametrize("spell", [str.swapcase, " {} ".format], ids=["case", "white space"])
def test_a_replay_that_spells_the_load_otherwise_records_nothing(
    api: Api, reference: References, spell: Callable[[str], str]
) -> None:
    """It may be refused, as a load that there is not."""
    load = need_payable(api)
    body = payment(load, reference())
    api.pay(body)
    recorded = api.load(load.number).payments.keys()
    exchange = api.pay(body | {"LoadNumber": spell(load.number)}, look=False)
    api.forget(load.number)
    same = api.load(load.number).payments.keys() == recorded
    api.require("R6", exchange, same, f"no second payment on load {load.number}")


@documented("R7")
@pytest.mark.parametrize("whole", ["1000.01", "21474836.47", "42949672.95"])
def test_a_total_that_is_large_keeps_its_cents(api: Api, reference: References, whole: str) -> None:
    load = need_sink(api)
    api.pay(payment(load, reference(), Sum=Decimal(whole)))
    api.pay(payment(load, reference(), Sum=Decimal("0.02")))


@documented("R4")
@pytest.mark.parametrize("amount", ["-1000000.01", "-4294967295.99"])
def test_a_large_negative_amount_is_refused(api: Api, reference: References, amount: str) -> None:
    api.pay(payment(need_payable(api), reference(), Sum=Decimal(amount)))


@assumed("A12b", "A13")
def test_the_rest_and_more_than_the_rest(api: Api, reference: References) -> None:
    rests = [(load, load.billed.amount - load.paid) for load in api.all_payable() if load.billed]
    rests = [(load, rest) for load, rest in rests if rest > 0 and load.status != "Completed"]
    if len(rests) < 2:
        give_up("too few nominated loads have an amount to pay in full")
    load, rest = rests[-1]
    api.pay(payment(load, reference(), Sum=rest))
    since, after = api.lag.now(), api.load(load.number)
    if after.status != load.status:
        _search_knows_the_status(api, after, load.status, since)
    if after.status in PAYABLE_STATUSES:
        exchange = api.pay(payment(after, reference()))
        if exchange.response.status != 200:
            api.observe("A13", exchange)


def _search_knows_the_status(api: Api, load: LoadView, before: str, since: float) -> None:
    """Fails P5 if a search finds a load by the status it had before, or not by the one it has now."""
    for status, wrong, expected in ((before, True, "no"), (load.status, False, "the")):
        exchange, is_found = _search_for(api, load, status)
        pauses = api.lag.pauses(since)
        while is_found is wrong and next(pauses, None) is not None:
            exchange, is_found = _search_for(api, load, status)
        what = f"{expected} load {load.number}, whose status is {load.status}"
        api.require("P5", exchange, is_found is not wrong, what)


def _search_for(api: Api, load: LoadView, status: str) -> tuple[Exchange, bool | None]:
    """Whether a search by a status finds the load; None if it does not tell, or it may be on a later page."""
    customer = load.fields["CustomerId"]
    exchange = api.send(search_request(Page=0, PageSize=100, Status=[status], CustomerId=customer))
    if exchange.response.status == HTTPStatus.NOT_FOUND:  # an empty page (A23)
        return exchange, False
    with suppress(UnexpectedFormError):  # which the searches of test_reads judge
        hits, total = items_of(exchange.response), exchange.response.fields.get("Total")
        if exchange.response.status == HTTPStatus.OK and hits is not None:
            if any(hit.number == load.number for hit in hits):
                return exchange, True
            return exchange, None if isinstance(total, int) and total > len(hits) else False
    return exchange, None


@documented("D6")
def test_a_payment_encoded_as_ascii(api: Api, reference: References) -> None:
    load = need_payable(api)
    body = encode_json(payment(load, reference(), PaymentMethod="é中"))
    api.pay(body.replace("é中".encode(), b"\\u00e9\\u4E2D"))


@documented("R3")
@pytest.mark.parametrize("form", ["{}-x", "{}0", "order", "id", "beginning"])
def test_only_the_load_number_names_a_load(api: Api, reference: References, form: str) -> None:
    load = need_payable(api)
    order = str(load.fields["OrderNumber"])
    number = {"order": order, "id": load.id, "beginning": load.number[:-1]}.get(
        form, form.format(load.number)
    )
    if not number.strip() or number == load.number:
        pytest.skip("the load has no such name")
    api.pay(payment(number, reference()))
    api.read(load.number)


@documented("D2")
def test_a_reference_of_digits_keeps_its_zeros(api: Api, reference: References) -> None:
    load = need_payable(api)
    digits = f"00{zlib.crc32(reference().encode())}"
    for form in (digits, digits[1:], f"{digits}0", digits):
        api.pay(payment(load, form))
