"""One script for a real tenant: at most 60 requests and 8 payments, and nearly every semantic defect."""
# ruff: noqa: D103 - the name of a test is its sentence

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial

import pytest

from contract_tests.api import LOADS_PATH, PAYMENTS_PATH, SEARCH_PATH, Api, ViolatedError
from contract_tests.attempt import MEDIA_TYPE
from contract_tests.bursts import pay_at_once, require_answers
from contract_tests.cases import OMITTED, UNKNOWN_LOAD, payment
from contract_tests.clauses import CLAUSES, NOT_PAYABLE, PAYABLE_STATUSES
from contract_tests.exchange import Exchange, Request
from contract_tests.findings import Violation
from contract_tests.guard import Refused
from contract_tests.requirements import References, need_payable
from contract_tests.values import encode_json
from contract_tests.views import LoadView, UnexpectedFormError, document_of, load_of, texts_of

pytestmark = pytest.mark.suite("smoke")
DOCUMENTED = tuple(clause.id for clause in CLAUSES.values() if clause.grade == "documented")
ENVELOPES = (
    ("A4a", PAYMENTS_PATH, "application/json"),
    ("A4b", PAYMENTS_PATH, "text/json"),
    ("A4c", PAYMENTS_PATH, "application/vnd.alvys+json"),
    ("A4h", PAYMENTS_PATH, f"{MEDIA_TYPE}; charset=utf-8"),
    ("A5a", PAYMENTS_PATH.replace("v1.0", "v1"), MEDIA_TYPE),
    ("A5b", PAYMENTS_PATH.replace("v1.0", "v2"), MEDIA_TYPE),
    ("A5d", PAYMENTS_PATH.replace("v1.0", "v9"), MEDIA_TYPE),
    ("A5e", PAYMENTS_PATH.replace("invoices", "Invoices"), MEDIA_TYPE),
    ("A4d", PAYMENTS_PATH, "text/plain"),
)
"""Other ways to send a payment, tried where it is refused anyway."""


class Script:
    """The steps, in order. Each may find violations; the next one runs all the same."""

    def __init__(self, api: Api, reference: References) -> None:
        """Reads the first load that takes payments."""
        self.api = api
        self.reference = reference
        self.one = self.other("")
        stem = f"{reference()}-{'x' * 40}"
        self.first, self.second = f"{stem}-Az-007", f"{stem}-Bz-007"
        self.members: dict[str, object] = {
            "InvoiceNumber": "INV-ß {0} %s", "PaymentMethod": "wíre 💶", "CheckNumber": "00420", "Note": "n",
        }  # fmt: skip
        date = "2026-07-01T23:30:00.25-05:30"
        self.original = payment(self.one, self.first, Sum=Decimal("0.10"), PaymentDate=date, **self.members)

    def steps(self) -> Iterator[Callable[[], None]]:
        """The steps. What must be refused comes first: it must not use up the first reference."""
        yield self.refuse
        yield self.pay
        yield self.repeat
        yield self.repeat_changed
        yield self.pay_in_other_case
        yield self.pay_another_load
        yield from (partial(self.pay_status, status) for status in ("Completed", "Financed"))
        yield self.pay_another_currency
        yield self.pay_at_once
        yield from (partial(self.gate, status, index) for index, status in enumerate(self.gated()))
        yield self.search
        yield self.look_around

    def refuse(self) -> None:
        """Faulty requests with the first reference, then one read that shows they left no trace."""
        load, ref = self.one, self.first
        whole = encode_json(payment(load, ref))
        bodies: list[dict[str, object] | bytes] = [
            payment(load, ref, Sum=0),
            payment(load, ref, Sum=Decimal("-0.01"), **self.members),
            payment(load, OMITTED),
            payment(load, "", **self.members),
            payment(load, None),
            payment(load, 7),
            payment(load, "", Sum=0, PaymentDate="2026-02-30T00:00:00Z"),
            payment(load, ref, LoadNumber=7),
            payment(load, ref, Amount=OMITTED),
            payment(load, ref, Currency=OMITTED),
            payment(load, ref, PaymentDate="yesterday"),
            payment(load, ref, CheckNumber=420),
            payment(UNKNOWN_LOAD, ref, Note="n" * 300),
            b"[" + whole + b"]",
            whole[:-1],
            whole.replace(b":0.01", b":NaN"),
            b"",
            b"null",
        ]
        self.collect(partial(self.api.pay, body, look=False) for body in bodies)
        self.api.read(load.number)

    def pay(self) -> None:
        """Every member, then only what must be: 0.10 and 0.20 are 0.30."""
        self.api.pay(self.original)
        nothing = dict.fromkeys(("InvoiceNumber", "PaymentMethod", "CheckNumber"))
        self.api.pay(payment(self.one, self.second, Sum=Decimal("0.20"), **nothing))

    def repeat(self) -> None:
        """The first again, after the second."""
        self.api.pay(self.original)

    def repeat_changed(self) -> None:
        """The first reference with every other member changed, then with a fault."""
        changed = payment(
            self.one, self.first, Sum=Decimal("0.90"), Currency=124, InvoiceNumber="I", PaymentMethod=None,
            CheckNumber="1", PaymentDate="2025-01-01T00:00:00Z", Note="x" * 300,
        )  # fmt: skip
        self.api.pay(changed, look=False)
        exchange = self.api.pay(payment(self.one, self.first, Sum=0), look=False)
        self.api.observe("A10g", exchange, "200, the original")

    def pay_in_other_case(self) -> None:
        """A reference that differs in case, at an amount that doubles cannot hold."""
        self.api.pay(payment(self.one, self.first.swapcase().replace("CT-", "ct-", 1), Sum=Decimal("0.07")))

    def pay_another_load(self) -> None:
        """The first reference on another load; the first load is as it was."""
        date = "2026-12-31T23:59:59.999+14:00"
        self.api.pay(payment(self.other(), self.first, Sum=Decimal("0.20"), PaymentDate=date))
        self.api.read(self.one.number, "id", self.one.id)

    def pay_status(self, status: str) -> None:
        """A payment in another payable status."""
        number = next(iter(self.api.loads.get(status, [])), None)
        if number is None:
            self.api.findings.cannot_test("R1", f"no nominated load is {status}")
        else:
            self.api.pay(payment(number, self.reference(), Sum=Decimal("0.29")), look=False, nominal=status)

    def pay_another_currency(self) -> None:
        """A payment in a currency that is not the load's."""
        other = self.other()
        currency = 484 if other.currency == 124 else 124
        self.api.pay(payment(other, self.reference(), Currency=currency, Sum=Decimal("0.02")))

    def pay_at_once(self) -> None:
        """One reference twice at once."""
        load = self.other()
        body = payment(load, self.reference(), Sum=Decimal("0.03"))
        require_answers(self.api, pay_at_once(self.api, load, [[body], [body]]))

    def gated(self) -> list[str]:
        """The offered statuses that take no payment; the page's example first."""
        offered = [
            status for status, some in self.api.loads.items() if status not in PAYABLE_STATUSES and some
        ]
        return sorted(offered, key=lambda status: status != "Dispatched")

    def gate(self, status: str, index: int) -> None:
        """A payment that the status forbids: the first load is read around it, the last ones vary."""
        number = self.api.loads[status][0]
        body = payment(number, self.reference())
        turn = len(self.gated()) - 1 - index
        if index == 0:
            self.api.read(number)
        if index == 0 or turn >= len(ENVELOPES):
            self.api.pay(body, look=index == 0, nominal=status)
            return
        question, path, media_type = ENVELOPES[turn]
        exchange = self.api.pay(
            body, look=False, nominal=status, path=path, headers={"Content-Type": media_type}
        )
        read = any(NOT_PAYABLE in text for text in texts_of(exchange.response))
        self.api.observe(question, exchange) if not read else self.api.findings.observes(question, "accepted")

    def search(self) -> None:
        """A search finds the first load as a read shows it."""
        number = self.one.number
        exchange = self._search(LoadNumbers=[number])
        page = document_of(exchange.response)
        items = page.get("Items") if isinstance(page, dict) else None
        known = self.api.view(number)
        try:
            hits = [load_of(item) for item in items] if isinstance(items, list) else []
        except UnexpectedFormError as error:
            self.api.require("P4", exchange, holds=False, expected=f"loads in Items, but {error}")
            return
        self.api.require("P5", exchange, [hit.number for hit in hits] == [number], f"load {number} alone")
        if known is not None and hits:
            changes = ", ".join(known.payment_changes(hits[0]))
            self.api.require("R7", exchange, not changes, f"the load as a read shows it, but {changes}")

    def look_around(self) -> None:
        """What costs nothing: a read without a key, and requests in doubt for a load that does not exist."""
        api = self.api
        unkeyed = api.send(Request("GET", LOADS_PATH))
        api.require("P2", unkeyed, unkeyed.response.status == 400, "400")
        body = payment(UNKNOWN_LOAD, self.reference())
        api.observe("A17a", api.pay(body | {"PaymentDate": "2026-07-01T15:30:00"}))
        api.observe("A9c", api.pay(body | {"ReferenceNumber": "  "}))

    def _search(self, **members: object) -> Exchange:
        content = encode_json({"Page": 0, "PageSize": 5, **members})
        return self.api.send(
            Request("POST", SEARCH_PATH, headers={"Content-Type": "application/json"}, content=content)
        )

    def other(self, but: str | None = None) -> LoadView:
        """A payable load that is not the first one, nor `but`; Invoiced if there is one."""
        excluded = self.one.number if but is None else but
        for status in PAYABLE_STATUSES:
            for number in self.api.loads.get(status, []):
                view = None if number == excluded else self.api.view(number)
                if view is not None and view.status in PAYABLE_STATUSES:
                    return view
        return need_payable(self.api, DOCUMENTED, but=[excluded])

    def collect(self, steps: Iterable[Callable[[], object]]) -> None:
        """Runs each, and raises what they found together."""
        found: list[Violation] = []
        for step in steps:
            try:
                step()
            except ViolatedError as violated:
                found += violated.violations
            except Refused as refused:
                self.api.findings.cannot_test("D7", refused.reason)
        if found:
            raise ViolatedError(found)


@pytest.mark.documented(*DOCUMENTED)
def test_smoke(api: Api, reference: References) -> None:
    script = Script(api, reference)
    script.collect(script.steps())
