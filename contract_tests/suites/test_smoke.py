"""One script for a real tenant: at most 60 requests and 8 payments, and nearly every semantic defect."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial

import pytest

from contract_tests.rules.attempt import MEDIA_TYPE
from contract_tests.rules.clauses import CLAUSES, NO_REFERENCE, NOT_PAYABLE, NOT_POSITIVE, PAYABLE_STATUSES
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.findings import ClauseFailedError, Failure
from contract_tests.rules.paths import PAYMENTS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, items_of, problem_of, says
from contract_tests.rules.values import encode_json
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api
from contract_tests.suites.bursts import pay_at_once
from contract_tests.suites.cases import CENT, OMITTED, UNKNOWN_LOAD, payment
from contract_tests.suites.needs import References, need_payable
from contract_tests.suites.requests import payment_request, read_request, search_request

pytestmark = pytest.mark.suite("smoke")
DOCUMENTED = tuple(clause.id for clause in CLAUSES.values() if clause.grade == "documented")
ENVELOPES = (
    (("A5d",), PAYMENTS_PATH.replace("v1.0", "v9"), MEDIA_TYPE),
    (("A4d",), PAYMENTS_PATH, "text/plain"),
    (("A4a", "A5a"), PAYMENTS_PATH.replace("v1.0", "v1"), "application/json"),
    (("A4b", "A5e"), PAYMENTS_PATH.replace("invoices", "Invoices"), "text/json"),
    (("A4c", "A4h"), PAYMENTS_PATH, "application/vnd.alvys+json; charset=utf-8"),
    (("A18a",), PAYMENTS_PATH, MEDIA_TYPE),
)
"""Other ways to send a payment, tried where it is refused anyway: questions, path, media type.

The first two hide what the load's status does, so they go to the least telling statuses.
"""
GATES = ("Dispatched", "Paid", "Released", "Queued", "Delivered", "Cancelled", "TONU", "In Transit")
"""The statuses that a target is most likely to let through, in the order of trying them."""
MOST_GATES = 7


class Script:
    """The steps, in order. Each may find failures; the next one runs all the same."""

    def __init__(self, api: Api, reference: References) -> None:
        """Reads the first load that takes payments."""
        self.api = api
        self.reference = reference
        self.one = self.other("")
        stem = f"{reference()}-{'x' * 40}-é"
        self.first, self.second = f"{stem}-Az-7", f"{stem}-Bz-7"
        self.optional: dict[str, object] = {
            "InvoiceNumber": "I'ß <&> {0}", "PaymentMethod": "wire 💶 ", "CheckNumber": "00420", "Note": "n",
        }  # fmt: skip
        date = "2026-07-01T23:30:00.25-05:30"
        self.original = payment(self.one, self.first, Sum=Decimal("0.10"), PaymentDate=date, **self.optional)

    def steps(self) -> Iterator[Callable[[], None]]:
        """The steps. One payment shows what the target does with the simplest one, whatever stops the run.

        Then comes what must be refused: it must not use up the first reference, nor may it wait until the
        budget is used up, because each refusal takes a place in it until it is read back.
        """
        yield partial(self.pay_status, "Financed", look=True)
        yield self.refuse_rules
        yield self.refuse_several_errors
        yield self.refuse_types
        yield self.pay
        yield from (partial(self.gate, status, index) for index, status in enumerate(self.gated()))
        yield self.pay_at_once
        yield self.pay_another_load
        yield self.replay_changed
        yield partial(self.pay_status, "Completed")
        yield self.pay_another_currency
        yield self.pay_without_currency
        yield self.replay
        yield self.search
        yield self.look_around

    def refuse_rules(self) -> None:
        """What breaks a rule, with the first reference: no more than the default budget has places."""
        load, ref = self.one, self.first
        self.refuse(
            payment(load, ref, Sum=Decimal("-0.0")),
            encode_json(payment(load, ref, **self.optional)).replace(b":0.01", b":-1e-3"),
            payment(load, OMITTED),
            payment(load, "", **self.optional),
            payment(load, None),
            payment(load, ref, PaymentDate=OMITTED),
        )

    def refuse_types(self) -> None:
        """What has the wrong type or form; what a lenient service might take for any amount names no load."""
        load, ref = self.one, self.first
        whole, nowhere = encode_json(payment(load, ref)), encode_json(payment(UNKNOWN_LOAD, ref))
        self.refuse(
            payment(load, ref, Amount=CENT),
            payment(load, ref, PaymentDate="someday"),
            payment(load, ref, CheckNumber=["420"]),
            payment(f"{load.number}-{UNKNOWN_LOAD}", ref),
            b"[" + whole + b"]",
            nowhere[:-1],
            nowhere.replace(b":0.01", b":1e400"),
            nowhere.replace(b":0.01", b":NaN"),
            payment(UNKNOWN_LOAD, ref, Currency=OMITTED),
        )

    def refuse(self, *bodies: dict[str, object] | bytes) -> None:
        """Sends each; the load is read by a later step."""
        self.collect(partial(self.api.pay, body, look=False) for body in bodies)

    def refuse_several_errors(self) -> None:
        """Three errors in one body; then one read shows that nothing left a trace."""
        body = payment(self.one, "", Sum=0, PaymentDate="2026-02-30T00:00:00Z")
        exchange = self.api.pay(body, look=False)
        said = [says(exchange.response, sentence) for sentence in (NO_REFERENCE, NOT_POSITIVE)]
        self.api.findings.observes(
            "A11", {2: "all reported", 1: "one reported"}.get(sum(said), "none reported")
        )
        order = str(self.one.fields["OrderNumber"])
        self.api.read(self.one.number, *(("orderNumber", order) if order.strip() else ()))

    def pay(self) -> None:
        """Every field."""
        self.api.pay(self.original)

    def pay_at_once(self) -> None:
        """Two further references at once, one of them twice; it differs from the first in case.

        0.10 and 0.70 and 0.10 are 0.90, and equal amounts count twice.
        """
        nothing = {"InvoiceNumber": None, "PaymentMethod": None, "CheckNumber": ""}
        other = payment(self.one, self.second, Sum=Decimal("0.70"), **nothing)
        cased = payment(self.one, self.first.swapcase().replace("CT-", "ct-", 1), Sum=Decimal("0.10"))
        pay_at_once(self.api, self.api.load(self.one.number), [[cased], [cased], [other]])

    def replay(self) -> None:
        """The first again, after all the others."""
        self.api.pay(self.original)

    def replay_changed(self) -> None:
        """The second reference with every other field changed, also those that were left out."""
        changed = payment(
            self.one, self.second, Sum=Decimal("0.90"), Currency=124, InvoiceNumber="I", PaymentMethod="x",
            CheckNumber="1", PaymentDate="2025-01-01T00:00:00Z", Note="x",
        )  # fmt: skip
        self.api.pay(changed, look=False)

    def pay_another_load(self) -> None:
        """The first reference on another load, then with an error; the first load is as it was."""
        date = "2026-12-31T23:59:59.999+14:00"
        self.api.pay(payment(self.other(), self.first, Sum=Decimal("0.07"), PaymentDate=date))
        exchange = self.api.pay(payment(self.one, self.first, Sum=0), look=False)
        self.api.observe("A10g", exchange, "200, the original")
        self.api.read(self.one.number, "id", self.one.id)

    def pay_status(self, status: str, *, look: bool = False) -> None:
        """A payment in another payable status."""
        number = next(iter(self.api.loads.get(status, [])), None)
        if number is None:
            self.api.findings.cannot_test("R1", f"no nominated load is {status}")
        else:
            amount = Decimal("1.15") if status == "Completed" else Decimal("0.29")
            nominal = None if look else status
            self.api.pay(payment(number, self.reference(), Sum=amount), look=look, nominal=nominal)

    def pay_another_currency(self) -> None:
        """A payment in a currency that is not the load's; its reference differs in normal form."""
        body = payment(
            self.other(), self.first.replace("é", "e\u0301"), Currency=978, Sum=Decimal("0.01999999999999999")
        )
        self.api.observe("A14a", self.api.pay(body))

    def pay_without_currency(self) -> None:
        """Currency 0, and more digits than a double has; its reference differs in a space at the end."""
        body = payment(self.one, f"{self.first} ", Currency=0, Sum=Decimal("0.12500000000000001"))
        self.api.observe("A14c", self.api.pay(body), "")

    def gated(self) -> list[str]:
        """The offered statuses that take no payment, the most telling ones first."""
        offered = [
            status for status, some in self.api.loads.items() if status not in PAYABLE_STATUSES and some
        ]
        return sorted(offered, key=lambda one: GATES.index(one) if one in GATES else len(GATES))[:MOST_GATES]

    def gate(self, status: str, index: int) -> None:
        """A payment that the status forbids; the last ones vary in how they are sent."""
        number = self.api.loads[status][0]
        body = payment(number, self.reference())
        turn = len(self.gated()) - 1 - index
        if turn >= len(ENVELOPES) or not index:
            self.api.pay(body, look=False, nominal=status)
            return
        questions, path, media_type = ENVELOPES[turn]
        if "A18a" in questions:
            body["Comment"] = "x"
        request = payment_request(body, media_type, path)
        exchange = self.api.post(request, look=False, nominal=status)
        read = says(exchange.response, NOT_PAYABLE)
        for question in questions:
            accepted = "ignored" if question == "A18a" else "accepted"
            self.api.findings.observes(question, accepted if read else str(exchange.response.status))

    def search(self) -> None:
        """A page of a search: one of two hits, as a read shows it."""
        numbers = sorted({self.one.number, self.other().number})
        exchange = self._search(LoadNumbers=numbers)
        try:
            hits = items_of(exchange.response) or []
        except UnexpectedFormError as error:
            self.api.fail("P4", exchange, f"loads in Items, but {error}")
        total = exchange.response.fields.get("Total")
        self.api.require("P5", exchange, total == len(numbers), f"Total {len(numbers)}")
        self.api.require("P6", exchange, len(hits) == 1 and hits[0].number in numbers, f"one of {numbers}")
        known = self.api.view(hits[0].number)
        changes = ", ".join(known.payment_changes(hits[0])) if known else ""
        self.api.require("R7", exchange, not changes, f"the load as a read shows it, but {changes}")

    def look_around(self) -> None:
        """What costs nothing: reads without a load, another method, requests in doubt for no load."""
        api = self.api
        unkeyed = api.send(read_request())
        api.require("P2", unkeyed, unkeyed.response.status == 400, "400")
        unknown = api.send(read_request(("loadNumber", UNKNOWN_LOAD)))
        api.require("P3", unknown, unknown.response.status == 404, "404")
        api.findings.observes("A2e", problem_of(unknown.response))
        body = payment(UNKNOWN_LOAD, self.reference())
        other_method = api.send(payment_request(body, method="PUT"))
        api.observe("Q8", other_method)
        if other_method.response.status == 405:
            api.findings.observes("Q30", other_method.response.headers.get("allow", "none"))
        self.observe_refusal("A17a", body | {"PaymentDate": "2026-07-01T15:30:00", "Note": "n" * 300})
        self.observe_refusal("A9c", body | {"ReferenceNumber": "  "})
        nothing = self._search(LoadNumbers=[self.one.number], Status=["Cancelled"])
        none = not nothing.response.fields.get("Items")
        api.require("P5", nothing, none, "no hit, since the load is not Cancelled")
        api.findings.observes(
            "A23a", "200, no Items" if nothing.response.status == 200 else str(nothing.response.status)
        )

    def observe_refusal(self, question: str, body: dict[str, object]) -> None:
        """Keeps the status of a refusal; a 404 may be about the load, and tells nothing of the body."""
        exchange = self.api.pay(body)
        if exchange.response.status != 404:
            self.api.observe(question, exchange)

    def _search(self, **filters: object) -> Exchange:
        return self.api.send(search_request(Page=0, PageSize=1, **filters))

    def other(self, but: str | None = None) -> LoadView:
        """A payable load that is not the first one, nor `but`; Invoiced if there is one."""
        excluded = self.one.number if but is None else but
        return next(self.api.all_payable([excluded]), None) or need_payable(self.api, but=[excluded])

    def collect(self, steps: Iterable[Callable[[], object]]) -> None:
        """Runs each, whatever the others found, and raises it together; a refusal of the guard comes last."""
        failures: list[Failure] = []
        refused: Refused | None = None
        for step in steps:
            try:
                step()
            except ClauseFailedError as failed:
                failures += failed.failures
            except Refused as one:
                refused = one
        if failures:
            raise ClauseFailedError(failures)
        if refused is not None:
            raise refused


@pytest.mark.documented(*DOCUMENTED)
def test_smoke(api: Api, reference: References) -> None:
    script = Script(api, reference)
    script.collect(script.steps())
