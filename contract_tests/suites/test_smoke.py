"""One script for a real tenant: at most 60 requests and 8 payments, and nearly every semantic defect."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from http import HTTPStatus

import pytest

from contract_tests.rules.attempt import MEDIA_TYPE
from contract_tests.rules.clauses import CLAUSES, NO_REFERENCE, NOT_PAYABLE, NOT_POSITIVE, PAYABLE_STATUSES
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.findings import ClauseFailedError, Failure
from contract_tests.rules.paths import PAYMENTS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, items_of, problem_of, says
from contract_tests.rules.values import encode_json
from contract_tests.run.target import Target
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api
from contract_tests.suites.bursts import pay_at_once
from contract_tests.suites.cases import CENT, OMITTED, UNKNOWN_LOAD, currency_of, payment
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

The first ones hide what the load's status does, so they go to the least telling statuses; where tokens are
checked, that is tested instead. The most telling status is tried without an envelope.
"""
HIDING = 2
ELSEWHERE = PAYMENTS_PATH.replace("v1.0", "v2.0").replace("invoices", "Invoices")
GATES = ("Dispatched", "Paid", "Released", "Queued", "Delivered", "Cancelled", "TONU", "In Transit")
"""The statuses that a target is most likely to let through, in the order of trying them."""
LENGTHS = (1000, 255, 100, 50)
"""After so many characters references differ, if they are not too long for the target."""
PRECISE = Decimal("0.12500000000000001")
"""An amount with more digits than a double has."""
JSON = "application/json"
A_MOMENT = 1.1
"""Seconds that the first payment has been recorded, at least, before it is repeated for the last time."""


class Script:
    """The steps, in order. Each may find failures; the next one runs all the same."""

    def __init__(self, api: Api, reference: References, *, with_token: bool) -> None:
        """Reads the first load that takes payments."""
        self.api = api
        self.reference = reference
        self.with_token = with_token
        self.envelopes = ENVELOPES[HIDING:] if with_token else ENVELOPES
        self.one = self.other("")
        self.began = api.lag.now()
        self.first = f"{reference()}-{'x' * 40}-é-Az-7"
        self.optional: dict[str, object] = {
            "InvoiceNumber": "I'ß <&> {0}", "PaymentMethod": "wire 💶 ",
            "CheckNumber": "00420-Ж٢-0123456789-0123", "Note": "n",
        }  # fmt: skip
        date = "2026-07-01T23:30:00.25-05:30"
        self.original = payment(self.one, self.first, Sum=Decimal("0.10"), PaymentDate=date, **self.optional)
        self.financed: dict[str, object] = {}
        self.is_long_taken = False

    def steps(self) -> Iterator[Callable[[], object]]:
        """The steps. One payment shows what the target does with the simplest one, whatever stops the run.

        Then comes what must be refused: it must not use up the first reference, nor may it wait until the
        budget is used up, because each refusal takes a place in it until it is read back. At the end all
        is repeated and read that has grown old by then. Where tokens are checked, requests without a valid
        one take the place of what tells least.
        """
        yield self.pay_financed
        yield from (partial(self.gate, status, index) for index, status in enumerate(self.gated()))
        yield self.refuse_rules
        if not self.with_token:
            yield self.refuse_several_errors
        yield partial(self.api.read, self.one.number)
        yield self.refuse_types
        yield self.pay
        yield self.pay_completed
        yield self.pay_at_once
        yield self.pay_long_reference
        if self.with_token:
            yield self.ask_without_token
        else:
            yield self.read_unknown
            yield self.ask_what_is_open
        yield self.repeat
        yield self.repeat_and_read
        yield self.repeat_under_another_spelling
        yield self.search

    def refuse_rules(self) -> None:
        """What breaks a rule, with the first reference: no more than the default budget has places."""
        load, ref = self.one, self.first
        self.refuse(
            payment(load, ref, Sum=Decimal("-0.0")),
            encode_json(payment(load, ref, **self.optional)).replace(b":0.01", b":-1e-9"),
            payment(load, OMITTED),
            payment(load, "", **self.optional),
            payment(load, None),
            payment(load, ref, PaymentDate=OMITTED),
        )

    def refuse_types(self) -> None:
        """What has the wrong type or form; what a lenient service might take for any amount names no load."""
        load, ref = self.one, self.first
        unknown = f"{load.number}-{UNKNOWN_LOAD}"
        whole, nowhere = encode_json(payment(load, ref)), encode_json(payment(UNKNOWN_LOAD, ref))
        self.refuse(
            payment(load, ref, Amount=CENT),
            payment(load, ref, PaymentDate="someday"),
            *([] if self.with_token else [payment(load, ref, CheckNumber=["420"])]),
            payment(unknown, ref),
            b"[" + whole + b"]",
            nowhere[:-1],
        )
        exchange = self.api.pay(payment(unknown, ref, Note="n" * 70_000), look=False)
        if exchange.response.status == HTTPStatus.NOT_FOUND:  # the load was looked for: all was read
            self.api.findings.observes("Q60", "accepted")
        else:
            self.api.observe("Q60", exchange)

    def refuse(self, *bodies: dict[str, object] | bytes) -> None:
        """Sends each; the load is read by a later step."""
        self.collect(partial(self.api.pay, body, look=False) for body in bodies)

    def refuse_several_errors(self) -> None:
        """Three errors in one body."""
        body = payment(self.one, "", Sum=0, PaymentDate="2026-02-30T00:00:00Z")
        exchange = self.api.pay(body, look=False)
        said = [says(exchange.response, sentence) for sentence in (NO_REFERENCE, NOT_POSITIVE)]
        self.api.findings.observes(
            "A11", {2: "all reported", 1: "one reported"}.get(sum(said), "none reported")
        )

    def pay(self) -> None:
        """Every field; the load is read by its order number, if it has one."""
        order = str(self.one.fields["OrderNumber"])
        self.api.pay(self.original, key=("orderNumber", order) if order.strip() else ())

    def pay_at_once(self) -> None:
        """Further references at once, one of them twice; they differ from the first in what some ignore.

        0.10 and 0.70 and 0.10 are 0.90, and equal amounts count twice.
        """
        cased = payment(self.one, self.first.swapcase().replace("CT-", "ct-", 1), Sum=Decimal("0.10"))
        formed = payment(self.one, self.first.replace("é", "e\u0301"), Sum=Decimal("0.70"), CheckNumber="")
        spaced = payment(self.one, f"{self.first} ", Sum=PRECISE)
        long = payment(
            self.one, self.long_reference(LENGTHS[0], "AB"), Sum=Decimal("0.02"),
            PaymentDate="2025-12-30T03:00:00Z", InvoiceNumber="i" * 300, Note="n" * 600, CheckNumber="00420",
        )  # fmt: skip
        load = self.api.load(self.one.number)
        calls = pay_at_once(self.api, load, [[cased], [cased], [formed], [spaced], [long]])
        self.is_long_taken = calls[-1].exchange.response.status == HTTPStatus.OK

    def long_reference(self, length: int, end: str) -> str:
        """A reference that differs from those with another end after so many characters."""
        return f"{self.first.ljust(length, 'y')[:length]}{end}-7"

    def pay_long_reference(self) -> None:
        """A reference like another up to a far character; what is too long for the target gets shorter.

        Its amount and date are those of a payment with another reference, its currency is none.
        """
        length: int | None = LENGTHS[0]
        if not self.is_long_taken:
            tried = (partial(self._pay_long, length, "AB") for length in LENGTHS)
            length = next((length for length, pay in zip(LENGTHS, tried, strict=True) if pay()), None)
        if length is None:
            return
        body = payment(self.one, self.long_reference(length, "BA"), Currency=0, Sum=PRECISE)
        exchange = self.api.pay(body)
        self.api.observe("A14c", exchange, "")
        if exchange.response.is_refusal:
            self._pay_long(length, "BA")

    def _pay_long(self, length: int, end: str) -> bool:
        body = payment(self.one, self.long_reference(length, end), Sum=Decimal("0.10"))
        return self.api.pay(body).response.status == HTTPStatus.OK

    def pay_financed(self) -> None:
        """A payment on a Financed load, if possible in another currency than the rest."""
        views = [view for number in self.api.loads.get("Financed", []) if (view := self.api.view(number))]
        if not views:
            self.api.findings.cannot_test("R1", "no nominated load is Financed")
            return
        load = min(views, key=lambda view: view.currency == self.one.currency)
        date = "2024-02-29T00:00:00Z"
        nothing = {"InvoiceNumber": None, "PaymentMethod": None}
        body = payment(load, self.reference(), Sum=Decimal("0.29"), PaymentDate=date, **nothing)
        self.financed = body
        self.api.pay(body)

    def pay_completed(self) -> None:
        """The first reference on another load, a Completed one if possible, in another currency if it may.

        Then it comes once more at once: later there may be no room for what the target does not recognise.
        """
        number = next(iter(self.api.loads.get("Completed", [])), None)
        if number is None:
            self.api.findings.cannot_test("R1", "no nominated load is Completed")
        nominal, load = ("Completed", number) if number else (None, self.other())
        own = currency_of(self.api.view(load) if isinstance(load, str) else load)
        date = "2026-12-31T23:59:59.999+14:00"
        for currency in (978, own):
            body = payment(load, self.first, Currency=currency, Sum=Decimal("1.15"), PaymentDate=date)
            exchange = self.api.pay(body, look=False, nominal=nominal)
            if exchange.response.status == HTTPStatus.OK:
                self.api.pay(body, look=False, nominal=nominal)
                return
            self.api.observe("A14a", exchange)

    def gated(self) -> list[str]:
        """The offered statuses that take no payment, the most telling ones first."""
        offered = [
            status for status, some in self.api.loads.items() if status not in PAYABLE_STATUSES and some
        ]
        offered.sort(key=lambda one: GATES.index(one) if one in GATES else len(GATES))
        return offered[: len(self.envelopes) + 1]

    def gate(self, status: str, index: int) -> None:
        """A payment that the status forbids; the last ones vary in how they are sent."""
        number = self.api.loads[status][0]
        body = payment(number, self.reference())
        turn = len(self.gated()) - 1 - index
        if turn >= len(self.envelopes) or not index:
            self.api.pay(body, look=False, nominal=status)
            return
        questions, path, media_type = self.envelopes[turn]
        if "A18a" in questions:
            body["Comment"] = "x"
        request = payment_request(body, media_type, path)
        exchange = self.api.post(request, look=False, nominal=status)
        read = says(exchange.response, NOT_PAYABLE)
        for question in questions:
            accepted = "ignored" if question == "A18a" else "accepted"
            self.api.findings.observes(question, accepted if read else str(exchange.response.status))

    def repeat(self) -> None:
        """The first payment of each load again, after all the others, and sent in other ways.

        Where it is not taken in another way, it was no repeat.
        """
        changed = payment(
            self.one, self.first, Sum=Decimal("0.90"), Currency=124, InvoiceNumber="I", PaymentMethod="x",
            CheckNumber="1", PaymentDate="2025-01-01T00:00:00Z", Note="x",
        )  # fmt: skip
        elsewhere = payment_request(self.original, path=ELSEWHERE)
        financed = [payment_request(self.financed | self.optional, JSON)] if self.financed else []
        self.collect(
            [
                partial(self.api.pay, changed, look=False),
                *(partial(self.api.post, request, look=False) for request in (elsewhere, *financed)),
            ]
        )

    def repeat_and_read(self) -> None:
        """The first once more, after an error, a pause and with a new token; two reads are to agree."""
        exchange = self.api.pay(payment(self.one, self.first, Sum=0), look=False)
        self.api.observe("A10g", exchange, "200, the original")
        self.api.lag.rest(self.began, A_MOMENT)
        last = replace(payment_request(self.original), renewed=True)
        self.api.post(last, key=("id", self.one.id))
        self.api.read(self.one.number)

    def repeat_under_another_spelling(self) -> None:
        """The first with its load number in other case, if a read finds the load by that."""
        spelled = self.one.number.swapcase()
        if spelled != self.one.number and self.api.view(spelled):
            self.api.pay(self.original | {"LoadNumber": spelled}, look=False)
        elif not self.with_token:
            self.api.pay(self.original, look=False)

    def search(self) -> None:
        """The second of two pages that show all loads but those of one status, each as a read shows it."""
        statuses = {number: status for status, some in self.api.loads.items() for number in some}
        statuses |= {view.number: view.status for view in map(self.api.view, [self.one.number]) if view}
        left_out = self.gated()[-1:]
        numbers = sorted(number for number, status in statuses.items() if status not in left_out)
        # The first page is longer, so that no page is taken for the other.
        size = max(1, len(numbers) // 2 + (len(numbers) > 2))
        exchange = self._search(
            Page=1,
            PageSize=size,
            LoadNumbers=sorted(statuses),
            Status=sorted({*statuses.values()} - {*left_out}),
        )
        try:
            hits = items_of(exchange.response) or []
        except UnexpectedFormError as error:
            self.api.fail("P4", exchange, f"loads in Items, but {error}")
        total = exchange.response.fields.get("Total")
        self.api.require("P5", exchange, total == len(numbers), f"Total {len(numbers)}")
        found = {hit.number for hit in hits}
        rest = len(numbers) - size
        is_right = len(hits) == len(found) == rest and found <= set(numbers)
        self.api.require("P6", exchange, is_right, f"{rest} of {numbers}, each once")
        for hit in hits:
            known = self.api.known(hit.number)
            changes = ", ".join(known.payment_changes(hit)) if known else ""
            self.api.require("R7", exchange, not changes, f"the load as a read shows it, but {changes}")

    def read_unknown(self) -> None:
        """A number that no load has, and that ends as one of a load."""
        unknown = self.api.send(read_request(("loadNumber", f"{UNKNOWN_LOAD}-{self.one.number}")))
        self.api.require("P3", unknown, unknown.response.status == HTTPStatus.NOT_FOUND, "404")
        self.api.findings.observes("A2e", problem_of(unknown.response))

    def ask_what_is_open(self) -> None:
        """Requests in doubt for no load; `rejects` asks the same, and more."""
        api, body = self.api, payment(UNKNOWN_LOAD, self.reference())
        other_method = api.send(payment_request(body, method="PUT"))
        api.observe("Q8", other_method)
        if other_method.response.status == 405:
            api.findings.observes("Q30", other_method.response.headers.get("allow", "none"))
        for method in ("PATCH", "HEAD"):
            api.observe("Q8", api.send(payment_request(body, method=method)))
        text = encode_json(body)
        api.observe("A20b", api.pay(text.replace(b":0.01", b":1e400")))
        api.observe("Q29", api.pay(text.replace(b":0.01", b":NaN")))

    def ask_without_token(self) -> None:
        """Each operation without a token, and with the run's own one spoiled, for no load."""
        read = read_request(("loadNumber", UNKNOWN_LOAD))
        search = search_request(Page=0, PageSize=1, LoadNumbers=[UNKNOWN_LOAD])
        pay = payment_request(payment(UNKNOWN_LOAD, self.reference()))
        self.collect(
            partial(self.api.require_token, request)
            for request in (
                *(replace(one, anonymous=True) for one in (pay, read, search)),
                replace(read, spoiled="longer"),
                replace(search, spoiled="shorter"),
                replace(pay, spoiled="in other case"),
                replace(read, spoiled="of another scheme"),
                replace(search, spoiled="without a scheme"),
            )
        )

    def _search(self, **filters: object) -> Exchange:
        return self.api.send(search_request(**filters))

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
def test_smoke(api: Api, reference: References, target: Target) -> None:
    script = Script(api, reference, with_token=target.wants_token)
    script.collect(script.steps())
