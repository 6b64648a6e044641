"""One script for a real tenant: at most 60 requests and 8 payments, and nearly every semantic defect."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from contract_tests.api import LOADS_PATH, SEARCH_PATH, Api, ViolatedError
from contract_tests.bursts import pay_at_once, require_answers
from contract_tests.cases import OMITTED, UNKNOWN_LOAD, payment
from contract_tests.clauses import CLAUSES, PAYABLE_STATUSES
from contract_tests.exchange import Request
from contract_tests.findings import Violation
from contract_tests.guard import Refused
from contract_tests.requirements import References, need_payable
from contract_tests.values import encode_json
from contract_tests.views import LoadView, document_of

pytestmark = pytest.mark.suite("smoke")
DOCUMENTED = tuple(clause.id for clause in CLAUSES.values() if clause.grade == "documented")


class Script:
    """The steps, in order. Each may find violations; the next one runs all the same."""

    def __init__(self, api: Api, reference: References) -> None:
        """Reads the loads that it pays: two Invoiced, one Completed, one Financed, as far as there are."""
        self.api = api
        self.reference = reference
        self.one = self.other("")
        self.first = f"{reference()}-Az"
        self.second = reference()
        self.original = payment(
            self.one, self.first, Sum=Decimal("0.10"), InvoiceNumber="INV-ß 1", PaymentMethod="Wíre",
            CheckNumber="00420", Note="smoke", PaymentDate="2026-07-01T23:30:00.25-05:00",
        )  # fmt: skip

    def steps(self) -> Iterator[Callable[[], None]]:
        """The steps. What must be refused comes first: it must not use up the first reference."""
        yield self.refuse
        yield self.pay
        yield self.repeat
        yield self.repeat_changed
        yield self.pay_in_other_case
        yield self.pay_another_load
        yield self.pay_each_status
        yield self.pay_another_currency
        yield self.pay_at_once
        yield from (lambda status=status: self.gate(status) for status in self.gated())
        yield self.look_around

    def refuse(self) -> None:
        """Faulty requests with the first reference, then one read that shows they left no trace."""
        api, load, ref = self.api, self.one, self.first
        members = {"InvoiceNumber": "I", "PaymentMethod": "ACH", "CheckNumber": "1", "Note": "n"}
        bodies: list[dict[str, object] | bytes] = [
            payment(load, ref, Sum=0),
            payment(load, ref, Sum=Decimal("-0.01"), **members),
            payment(load, OMITTED),
            payment(load, "", **members),
            payment(load, ref, LoadNumber=OMITTED),
            payment(load, ref, PaymentDate=OMITTED),
            payment(load, ref, Currency=OMITTED),
            payment(load, ref, Sum="ten"),
            payment(UNKNOWN_LOAD, ref),
            b"[" + encode_json(payment(load, ref)) + b"]",
            encode_json(payment(load, ref))[:-1],
        ]
        self.collect(lambda body=body: api.pay(body, look=False) for body in bodies)
        api.read(load.number)

    def pay(self) -> None:
        """Every member, then only the required ones: 0.10 and 0.20 are 0.30."""
        self.api.pay(self.original)
        self.api.pay(payment(self.api.load(self.one.number), self.second, Sum=Decimal("0.20")))

    def repeat(self) -> None:
        """The first again, after the second."""
        self.api.pay(self.original)

    def repeat_changed(self) -> None:
        """The first reference with every other member changed, and with a fault."""
        changed = payment(
            self.one, self.first, Sum=Decimal("0.90"), Currency=124, InvoiceNumber="other", PaymentMethod=None,
            CheckNumber="1", PaymentDate="2025-01-01T00:00:00Z", Note="other",
        )  # fmt: skip
        self.api.pay(changed)
        exchange = self.api.pay(payment(self.one, self.first, Sum=0), look=False)
        self.api.observe("A10g", exchange, "200, the original")

    def pay_in_other_case(self) -> None:
        """A reference that differs in case, in another media type, at an amount that doubles cannot hold."""
        body = payment(self.one, self.first.swapcase().replace("CT-", "ct-", 1), Sum=Decimal("0.07"))
        self.api.pay(body, headers={"Content-Type": "application/json"})

    def pay_another_load(self) -> None:
        """The first reference on another load; the first load is as it was."""
        other = self.other()
        self.api.pay(payment(other, self.first, Sum=Decimal("0.30"), PaymentDate="2026-12-31T23:59:59.999Z"))
        self.api.read(self.one.number, "id", self.one.id)

    def pay_each_status(self) -> None:
        """One payment in each payable status that was not paid yet."""
        for status, amount in (("Completed", "0.29"), ("Financed", "0.57")):
            load = next((view for view in self.offered(status) if view.status == status), None)
            if load is None:
                self.api.findings.cannot_test("R1", f"no nominated load is {status}")
            else:
                self.collect([lambda load=load, amount=amount: self.api.pay(payment(load, self.reference(), Sum=Decimal(amount)))])

    def pay_another_currency(self) -> None:
        """A payment in a currency that is not the load's."""
        other = self.other()
        currency = 124 if other.currency != 124 else 484
        self.api.pay(payment(other, self.reference(), Currency=currency, Sum=Decimal("0.02")))

    def pay_at_once(self) -> None:
        """One reference twice at once."""
        load = self.other()
        body = payment(load, self.reference(), Sum=Decimal("0.03"))
        require_answers(self.api, pay_at_once(self.api, load, [[body], [body]]))

    def gated(self) -> list[str]:
        """The offered statuses that take no payment."""
        return [status for status, numbers in self.api.loads.items() if status not in PAYABLE_STATUSES and numbers]

    def gate(self, status: str) -> None:
        """A payment that the load's status forbids. One of the loads is read before and after."""
        number = self.api.loads[status][0]
        looked_at = status == ("Dispatched" if "Dispatched" in self.gated() else self.gated()[0])
        if looked_at:
            self.api.read(number)
        self.api.pay(payment(number, self.reference()), look=looked_at, nominal=status)

    def look_around(self) -> None:
        """What costs nothing: reads, a search, a wrong media type, a date and a reference in doubt."""
        api, load = self.api, self.one
        unkeyed = api.send(Request("GET", LOADS_PATH))
        api.require("P2", unkeyed, unkeyed.response.status == 400, "400")
        unknown = api.send(Request("GET", LOADS_PATH, (("loadNumber", UNKNOWN_LOAD),)))
        api.require("P3", unknown, unknown.response.status == 404, "404")
        content = encode_json({"Page": 0, "PageSize": 5, "LoadNumbers": [load.number]})
        hits = api.send(Request("POST", SEARCH_PATH, headers={"Content-Type": "application/json"}, content=content))
        page = document_of(hits.response)
        api.require("P5", hits, isinstance(page, dict) and page.get("Total") == 1, "one hit")
        body = payment(UNKNOWN_LOAD, self.reference())
        api.observe("A4d", api.pay(body, headers={"Content-Type": "text/plain"}))
        api.observe("A17a", api.pay(body | {"PaymentDate": "2026-07-01T15:30:00"}))
        api.observe("A9c", api.pay(body | {"ReferenceNumber": "  "}))

    def other(self, but: str | None = None) -> LoadView:
        """A payable load that is not the first one, nor `but`; Invoiced if there is one."""
        excluded = self.one.number if but is None else but
        for status in PAYABLE_STATUSES:
            for view in self.offered(status):
                if view.number != excluded:
                    return view
        return need_payable(self.api, DOCUMENTED, but=[excluded])

    def offered(self, status: str) -> Iterator[LoadView]:
        """The loads nominated for a payable status that are payable now, read when they are needed."""
        for number in self.api.loads.get(status, []):
            view = self.api.view(number)
            if view is not None and view.status in PAYABLE_STATUSES:
                yield view

    def collect(self, steps: "Iterator[Callable[[], object]] | list[Callable[[], object]]") -> None:
        """Runs each, and raises what they found together."""
        found: list[Violation] = []
        for step in steps:
            try:
                step()
            except ViolatedError as violated:
                found += violated.violations
        if found:
            raise ViolatedError(found)


@pytest.mark.documented(*DOCUMENTED)
def test_smoke(api: Api, reference: References) -> None:
    script = Script(api, reference)
    found: list[Violation] = []
    for step in script.steps():
        try:
            step()
        except ViolatedError as violated:
            found += violated.violations
        except Refused as refused:
            api.findings.cannot_test("R1", refused.reason)
    if found:
        raise ViolatedError(found)
