"""The invoices of the target, if it has any: many a correct service has none, or not for every token."""

from functools import cached_property
from http import HTTPStatus
from typing import NoReturn

from contract_tests.oracle.invoices import Booked, judge_invoice, judge_paid
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.invoices import INVOICE_STATUSES, InvoiceView, loads_of, objects_in
from contract_tests.rules.paths import INVOICE_SEARCH_PATH, INVOICES_PATH
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api
from contract_tests.suites.needs import give_up
from contract_tests.suites.requests import read_request, search_request

PAGE_SIZE = 100
_SAYS_NO = frozenset({401, 403, 404, 405, 410, 501})
"""What a service says that has no such route, or has it not for this token."""
_OURS = "ct-"


class Invoices:
    """Finds out once whether the target has invoices, and which.

    Where it has none, a test ends as one that could not be made, without a request. Nothing is required
    before one invoice was read.
    """

    def __init__(self, api: Api) -> None:
        """Asks nothing yet."""
        self._api = api
        self._why_not = ""
        self.filters: dict[str, object] = {}
        """Those of a search that finds invoices."""

    def get(self, *query: tuple[str, str]) -> Exchange:
        """The response to a read with any keys; Refused where there are no invoices."""
        return self._send(read_request(*query, path=INVOICES_PATH))

    def search(self, **fields: object) -> Exchange:
        """The response to a search; Refused where there are no invoices."""
        return self._send(search_request(INVOICE_SEARCH_PATH, **fields))

    def _send(self, request: Request) -> Exchange:
        if self._why_not:
            give_up(self._why_not)
        try:
            return self._api.send_unjudged(request)
        except Refused as refused:
            self._why_not = refused.reason
            raise

    def _give_up(self, reason: str) -> NoReturn:
        self._why_not = reason
        give_up(reason)

    @cached_property
    def without_key(self) -> Exchange:
        """A read without a key: which routes there are, the response tells."""
        exchange = self.get()
        response = exchange.response
        if response.status in _SAYS_NO or response.status >= 500 or not response.status or response.is_html:
            if response.is_refusal:
                self._api.observe("Q61", exchange)
            self._give_up(f"the target has no invoices: a read is answered with {response.status}")
        return exchange

    @cached_property
    def first_page(self) -> Exchange | None:
        """A page of those of the offered loads, or of all; None where no filter that we know finds any."""
        _ = self.without_key  # where there are none, this ends here
        numbers = [number for some in self._api.loads.values() for number in some]
        every: dict[str, object] = {"Status": list(INVOICE_STATUSES)}
        for filters in (*([every | {"LoadNumbers": numbers[:PAGE_SIZE]}] if numbers else []), every):
            exchange = self.search(Page=0, PageSize=PAGE_SIZE, **filters)
            if exchange.response.status == HTTPStatus.OK and objects_in(
                exchange.response.fields.get("Items")
            ):
                self.filters = filters
                return exchange
            if exchange.response.status in _SAYS_NO:
                break
            if exchange.response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._api.take(self._api.oracle.judge(exchange))
        return None

    @cached_property
    def numbers(self) -> dict[str, str]:
        """The numbers of invoices, by the load of each, or by themselves where no load is shown."""
        page = self.first_page
        items = [] if page is None else objects_in(page.response.fields.get("Items"))
        shown = [(item, number) for item in items if isinstance(number := item.get("Number"), str)]
        return {load: number for item, number in shown for load in loads_of(item) or {number}}

    @cached_property
    def known(self) -> InvoiceView:
        """An invoice that was read by its number; Refused where none is known."""
        if self.numbers:
            return self.read(next(iter(self.numbers.values())))
        for number in self._named_by_payments()[:1]:
            if self.get(("invoiceNumber", number)).response.status == HTTPStatus.OK:
                return self.read(number)
        return self._give_up("no invoice is known: no search finds one, and no payment names one")

    def _named_by_payments(self) -> list[str]:
        numbers = [number for some in self._api.loads.values() for number in some]
        views = [view for number in numbers if (view := self._api.known(number)) is not None]
        named = [payment.fields.get("InvoiceNumber") for view in views for payment in view.payments.values()]
        return [one for one in named if isinstance(one, str) and one.strip() and not one.startswith(_OURS)]

    def read(self, number: str) -> InvoiceView:
        """The invoice with a number that the target has shown."""
        return self.judged(self.get(("invoiceNumber", number)), number)

    def judged(self, exchange: Exchange, number: str) -> InvoiceView:
        """The invoice that a read shows, which must be that of the number."""
        self._api.take(self._api.oracle.judge(exchange))
        found = exchange.response.status == HTTPStatus.OK
        self._api.require("P10", exchange, found, f"200 for the invoice {number}")
        self._api.findings.observes("Q61", "can be read")
        verdict = Verdict(exchanges=(exchange,))
        view = judge_invoice(verdict, exchange.response.document, number)
        self._api.take(verdict)
        return view or give_up("the invoice is not of the published form")

    def take_paid(self, before: InvoiceView, booked: Booked, since: float) -> None:
        """Takes what a payment did to an invoice; it looks again for a while, if a read lags behind."""
        verdict = self._judged_paid(before, booked)
        if verdict.failures:
            for _ in self._api.lag.pauses(since):
                verdict = self._judged_paid(before, booked)
                if not verdict.failures:
                    break
        self._api.take(verdict)

    def _judged_paid(self, before: InvoiceView, booked: Booked) -> Verdict:
        exchange = self.get(("invoiceNumber", before.number))
        after = self.judged(exchange, before.number)
        verdict = Verdict(exchanges=(exchange,))
        judge_paid(verdict, before, after, booked)
        return verdict

    def of_load(self, number: str) -> str | None:
        """The number of the invoice of a load; None if none is known."""
        return self.numbers.get(number)
