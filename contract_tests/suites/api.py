"""How a suite talks to the target: every request is sent by the client and judged by the oracle."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus

from contract_tests.oracle.model import near
from contract_tests.oracle.oracle import Oracle, Verdict, summary
from contract_tests.rules.attempt import MEDIA_TYPE, attempt_of
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.findings import ClauseFailedError, Failure, Findings
from contract_tests.rules.paths import LOADS_PATH, PAYMENTS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, document_of, payment_answer_of
from contract_tests.rules.values import encode_json
from contract_tests.safety.guard import Stop
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX

_ENOUGH_LOADS = 3
_ROOM = Decimal(5)
"""A load is preferred for payments while so much of it is still open."""


class Api:
    """Sends requests and has every answer judged; knows each load as it was last seen.

    A failure raises ClauseFailedError. Not for threads: a burst goes through `send_unjudged`.
    """

    def __init__(
        self,
        send: Callable[[Request], Exchange],
        oracle: Oracle,
        findings: Findings,
        loads: Mapping[str, list[str]],
    ) -> None:
        """`loads` are the load numbers that the target offers, by status."""
        self.send_unjudged = send
        self.oracle = oracle
        self.findings = findings
        self.loads = loads
        self._offered = {number for numbers in loads.values() for number in numbers}
        self._views: dict[str, LoadView | None] = {}
        self._pending: dict[str, list[tuple[str, Exchange]]] = {}

    # --- sending ----------------------------------------------------------------------------------

    def send(self, request: Request) -> Exchange:
        """Sends a request that is no payment, and has its answer judged by what holds for all."""
        exchange = self.send_unjudged(request)
        self.take(self.oracle.judge(exchange))
        return exchange

    def read(self, number: str, *key: str) -> LoadView | None:
        """The load as it is now; None if the target has none. It must be as it was last seen.

        A load that the target offers must be there. `key` names it otherwise, for example ("id", "…").
        """
        known, earlier = self._views.get(number), self._pending.pop(number, [])
        request = Request("GET", LOADS_PATH, ((key[0], key[1]),)) if key else _read_request(number)
        exchange = self.send_unjudged(request)
        verdict, view = self.oracle.judge_read(exchange, known, earlier)
        self._views[number] = view
        if view is not None:
            self.oracle.model.see(view)
        self.take(verdict)
        if view is None and (known is not None or number in self._offered):
            expected = f"load {number}" if known else f"load {number}, which is nominated"
            verdict.require("P1", holds=False, expected=expected, got=str(exchange.response.status))
            self.take(verdict)
        return view

    def view(self, number: str) -> LoadView | None:
        """The load as it was last seen; read now if it never was."""
        return self._views[number] if number in self._views else self.read(number)

    def load(self, number: str) -> LoadView:
        """The load as it was last seen. LookupError if the target has none of that number."""
        view = self.view(number)
        if view is None:
            raise LookupError(number)
        return view

    def forget(self, *numbers: str) -> None:
        """Drops what is known of these loads, so that they are read afresh."""
        for number in numbers:
            self._views.pop(number, None)
            self._pending.pop(number, None)

    def pay(  # noqa: PLR0913 - how a payment is sent, and what the caller alone knows of it
        self,
        body: Mapping[str, object] | bytes,
        *,
        look: bool = True,
        doubts: Iterable[str] = (),
        path: str = PAYMENTS_PATH,
        headers: Mapping[str, str] | None = None,
        nominal: str | None = None,
    ) -> Exchange:
        """Posts a payment; with `look` its load is read afterwards, otherwise by the next read.

        With `nominal`, a load that was never read is not read first, and believed to have that status.
        """
        content = body if isinstance(body, bytes) else encode_json(body)
        sent = {"Content-Type": MEDIA_TYPE} if headers is None else headers
        return self.post(
            Request("POST", path, headers=sent, content=content), look=look, doubts=doubts, nominal=nominal
        )

    def post(
        self, request: Request, *, look: bool = True, doubts: Iterable[str] = (), nominal: str | None = None
    ) -> Exchange:
        """Posts a payment request as it stands; the rest is as for `pay`."""
        attempt = attempt_of(request)
        number = attempt.load if attempt else None
        unread = nominal is not None and number not in self._views
        before = None if number is None or unread else self._before(number)
        exists = before is not None or number is None or unread
        must = self.oracle.must_be_refused(request, before, exists=exists, status=nominal)
        exchange = self._post(replace(request, must_be_refused=must), number)
        if before is not None and number is not None and number != before.number:
            doubts = [*doubts, "the LoadNumber is written otherwise"]
        elif not exists and self._resembles_a_load(number or ""):
            doubts = [*doubts, "a load has nearly that number"]
        after = self._after(before, look=look)
        verdict = self.oracle.judge_payment(
            exchange, before, after, exists=exists, doubts=doubts, nominal=nominal
        )
        if before is not None and after is None and _adds(exchange, before):
            self.forget(before.number)
        elif before is not None and after is None:
            clause = verdict.passed[-1] if verdict.passed else "R1"
            self._pending.setdefault(before.number, []).append((clause, exchange))
        self.take(verdict)
        return exchange

    def _post(self, request: Request, number: str | None) -> Exchange:
        try:
            return self.send_unjudged(request)
        except Stop as stop:
            if request.must_be_refused:
                expected = f"a refusal of the payment on load {number}"
                self.findings.keep([Failure("R1", expected, stop.reason, ())])
            raise

    def _before(self, number: str) -> LoadView | None:
        if _is_unreadable(number):
            return None
        return self.view(number)

    def _after(self, before: LoadView | None, *, look: bool) -> LoadView | None:
        if before is None or not look:
            return None
        exchange = self.send_unjudged(_read_request(before.number))
        verdict, view = self.oracle.judge_read(exchange, None)
        self._views[before.number] = view
        self._pending.pop(before.number, None)
        self.take(verdict)
        return view

    def _resembles_a_load(self, number: str) -> bool:
        return near(number) in {near(one) for one in self._offered}

    # --- loads ------------------------------------------------------------------------------------

    def payable(self, *statuses: str, but: Iterable[str] = ()) -> LoadView | None:
        """A load that takes payments now, in one of the statuses if given; None if there is none.

        Prefers one with something left to pay, then the one with the fewest payments.
        """
        wanted, excluded = statuses or PAYABLE_STATUSES, set(but)
        found = [
            view for view in self._offered_payable() if view.status in wanted and view.number not in excluded
        ]
        return min(found, key=lambda view: (not has_room(view), len(view.payments)), default=None)

    def _offered_payable(self) -> Iterator[LoadView]:
        for status in PAYABLE_STATUSES:
            for number in self.loads.get(status, []):
                view = self.view(number)
                if view is not None:
                    yield view

    def not_payable(self) -> list[LoadView]:
        """The offered loads that take no payment, one for each status."""
        numbers = [
            numbers[0] for status, numbers in self.loads.items() if status not in PAYABLE_STATUSES and numbers
        ]
        views = [self.view(number) for number in numbers]
        return [view for view in views if view is not None and view.status not in PAYABLE_STATUSES]

    def sink(self) -> LoadView | None:
        """A load for amounts that matter: one without an amount or already paid, or one of many."""
        payable = list(self._offered_payable())
        payable = [view for view in payable if view.status in PAYABLE_STATUSES]
        for view in payable:
            if view.billed is None or not has_room(view):
                return view
        return payable[-1] if len(payable) > _ENOUGH_LOADS else None

    def observe(self, question: str, exchange: Exchange, accepted: str = "accepted") -> None:
        """Keeps the status of a refusal, or `accepted` (nothing if that is empty)."""
        if exchange.response.status == HTTPStatus.OK:
            if accepted:
                self.findings.observes(question, accepted)
        else:
            self.findings.observes(question, str(exchange.response.status))

    # --- findings ---------------------------------------------------------------------------------

    def take(self, verdict: Verdict) -> None:
        """Counts what held and was observed; raises ClauseFailedError for what did not hold."""
        for clause in verdict.passed:
            self.findings.passes(clause)
        for question, answer in verdict.observations:
            self.findings.observes(question, answer)
        if verdict.failures:
            raise ClauseFailedError(verdict.failures)

    def require(self, clause: str, exchange: Exchange | None, holds: object, expected: str) -> None:
        """Counts a clause as passed by an answer, or raises ClauseFailedError with the answer."""
        if holds:
            self.findings.passes(clause)
            return
        shown = () if exchange is None else (exchange,)
        got = "something else" if exchange is None else summary(exchange.response)
        raise ClauseFailedError([Failure(clause, expected, got, shown)])


def _adds(exchange: Exchange, before: LoadView) -> bool:
    """Whether an answer shows payments that the load did not have, so that it must be read afresh."""
    try:
        answer = payment_answer_of(document_of(exchange.response))
    except UnexpectedFormError:
        return False
    return bool(answer.payments.keys() - before.payments.keys())


def has_room(view: LoadView) -> bool:
    """Whether enough of the load is still open for small payments not to change what it is."""
    if view.billed is None:
        return True
    paid = view.total.amount if view.total else Decimal(0)
    return view.billed.amount - paid > _ROOM


def _is_unreadable(number: str) -> bool:
    """Whether no load can have this number, or no read can ask for it."""
    blank = not number.strip() or any(0xD800 <= ord(character) < 0xE000 for character in number)
    return blank or IMPOSSIBLE_PREFIX in number or len(number) > _LONGEST_NUMBER


_LONGEST_NUMBER = 200


def _read_request(number: str) -> Request:
    return Request("GET", LOADS_PATH, (("loadNumber", number),))
