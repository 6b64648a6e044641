"""How a suite talks to the target: every request is sent by the client and judged by the oracle."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType
from typing import NoReturn

from contract_tests.oracle.expectation import LoadBefore
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt, attempt_of
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import ClauseFailedError, Failure, Findings
from contract_tests.rules.refusals import Doubt
from contract_tests.rules.responses import LoadView, UnexpectedFormError, payment_response_of
from contract_tests.rules.values import near
from contract_tests.safety.guard import Stop
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX
from contract_tests.suites.requests import payment_request, read_request

_ENOUGH_LOADS = 3
_LONGEST_NUMBER = 200
_ROOM = Decimal(5)
"""A load is preferred for payments while so much of it is still open."""


class Api:
    """Sends requests and has every response judged; knows each load as it was last seen.

    A failure raises ClauseFailedError. Not for threads: a burst goes through `send_unjudged`.
    """

    def __init__(
        self,
        send: Callable[[Request], Exchange],
        oracle: Oracle,
        findings: Findings,
        loads: Mapping[str, list[str]],
        reads: Mapping[str, Exchange] = MappingProxyType({}),
    ) -> None:
        """`loads` are the numbers that the target offers, by status; `reads` how some were read already."""
        self.send_unjudged = send
        self.oracle = oracle
        self.findings = findings
        self.loads = loads
        self._reads = dict(reads)
        self._offered = {number for numbers in loads.values() for number in numbers}
        self._views: dict[str, LoadView | None] = {}
        self._pending: dict[str, list[tuple[str, Exchange]]] = {}
        """Load number -> what had to leave no trace of it since it was last seen, each with its clause."""

    # --- sending ----------------------------------------------------------------------------------

    def send(self, request: Request) -> Exchange:
        """Sends a request that is not a payment, and has its response judged by what holds for all."""
        exchange = self.send_unjudged(request)
        self.take(self.oracle.judge(exchange))
        return exchange

    def read(self, number: str, *key: str) -> LoadView | None:
        """The load as it is now; None if the target has none. It must be as it was last seen.

        A load that the target offers must be there. `key` names it otherwise, for example ("id", "…").
        """
        known, earlier = self._views.get(number), self._pending.pop(number, [])
        read = self._reads.pop(number, None) if not key else None
        exchange = read or self.send_unjudged(
            read_request((key[0], key[1]) if key else ("loadNumber", number))
        )
        verdict, view = self.oracle.judge_read(exchange, known, earlier)
        # What another key does not find is still there by its number.
        self._views[number] = known if view is None and key else view
        if view is not None:
            self.oracle.see(view)
        self.take(verdict)
        if view is None and (known is not None or number in self._offered):
            self.fail("P1", exchange, f"load {number}" if known else f"load {number}, which is nominated")
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

    def forget(self, number: str) -> None:
        """Drops what is known of this load, so that it is read afresh."""
        self._views.pop(number, None)
        self._pending.pop(number, None)

    def pay(
        self,
        body: Mapping[str, object] | bytes,
        *,
        look: bool = True,
        doubts: Iterable[Doubt] = (),
        nominal: str | None = None,
    ) -> Exchange:
        """Posts a payment as the contract writes it; the rest is as for `post`."""
        return self.post(payment_request(body), look=look, doubts=doubts, nominal=nominal)

    def post(
        self, request: Request, *, look: bool = True, doubts: Iterable[Doubt] = (), nominal: str | None = None
    ) -> Exchange:
        """Posts a payment request; with `look` its load is read afterwards, otherwise by the next read.

        `doubts` are reasons that the caller alone knows why a refusal would be right. With `nominal`, a
        load that was never read is not read first, and believed to have that status.
        """
        attempt = attempt_of(request)
        load = self._before(attempt.load, nominal)
        doubts = {*doubts, *self._doubts_about(attempt, load)}
        expected = self.oracle.expect(attempt, load, doubts)
        exchange = self._post(replace(request, must_be_refused=expected.must_be_refused), attempt)
        after = self._after(load.view) if look else None
        verdict = self.oracle.judge_payment(expected, exchange, after)
        if load.view is not None and after is None:
            self._await(load.view, exchange, verdict)
        self.take(verdict)
        return exchange

    def _before(self, number: str | None, nominal: str | None) -> LoadBefore:
        if number is None:
            return LoadBefore(nominal=nominal)
        if nominal is not None and number not in self._views:
            return LoadBefore(nominal=nominal)
        view = None if _is_unreadable(number) else self.view(number)
        return LoadBefore(view, exists=view is not None, nominal=nominal)

    def _doubts_about(self, attempt: Attempt, load: LoadBefore) -> set[Doubt]:
        """Whether the number is one of a load, only written otherwise."""
        number = attempt.load or ""
        if load.view is not None and number != load.view.number:
            return {Doubt.LOAD_WRITTEN_OTHERWISE}
        resembled = near(number) in {near(one) for one in self._offered}
        return {Doubt.LOAD_RESEMBLED} if resembled and not load.exists else set()

    def _post(self, request: Request, attempt: Attempt) -> Exchange:
        try:
            return self.send_unjudged(request)
        except Stop as stop:
            if request.must_be_refused and stop.status == ExitStatus.FAILED:
                expected = f"a refusal of the payment on load {attempt.load}"
                self.findings.keep([Failure("R1", expected, stop.reason, ())])
            raise

    def _after(self, before: LoadView | None) -> LoadView | None:
        if before is None:
            return None
        exchange = self.send_unjudged(read_request(("loadNumber", before.number)))
        verdict, view = self.oracle.judge_read(exchange, None)
        self._views[before.number] = view
        self._pending.pop(before.number, None)
        self.take(verdict)
        return view

    def _await(self, before: LoadView, exchange: Exchange, verdict: Verdict) -> None:
        """Leaves it to the next read whether a payment that added nothing left a trace."""
        if _adds(exchange, before):
            self.forget(before.number)
        else:
            clause = verdict.passed[-1] if verdict.passed else "R1"
            self._pending.setdefault(before.number, []).append((clause, exchange))

    # --- loads ------------------------------------------------------------------------------------

    def payable(self, *statuses: str, but: Iterable[str] = ()) -> LoadView | None:
        """A load that takes payments now, in one of the statuses if given; None if there is none.

        Prefers one with something left to pay, then the one with the fewest payments.
        """
        found = [view for view in self.all_payable(but) if view.status in (statuses or PAYABLE_STATUSES)]
        return min(found, key=lambda view: (not has_room(view), len(view.payments)), default=None)

    def all_payable(self, but: Iterable[str] = ()) -> Iterator[LoadView]:
        """The offered loads that take payments now, but for some numbers."""
        excluded = set(but)
        for number in (number for status in PAYABLE_STATUSES for number in self.loads.get(status, [])):
            view = None if number in excluded else self.view(number)
            if view is not None and view.status in PAYABLE_STATUSES:
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
        payable = list(self.all_payable())
        full = (view for view in payable if view.billed is None or not has_room(view))
        return next(full, payable[-1] if len(payable) > _ENOUGH_LOADS else None)

    # --- findings ---------------------------------------------------------------------------------

    def observe(self, question: str, exchange: Exchange, accepted: str = "accepted") -> None:
        """Keeps the status of a refusal, or `accepted` (nothing if that is empty)."""
        if exchange.response.status != HTTPStatus.OK:
            self.findings.observes(question, str(exchange.response.status))
        elif accepted:
            self.findings.observes(question, accepted)

    def take(self, verdict: Verdict) -> None:
        """Counts what passed and was observed; raises ClauseFailedError for what failed."""
        for clause in verdict.passed:
            self.findings.passes(clause)
        for question, behaviour in verdict.observations:
            self.findings.observes(question, behaviour)
        if verdict.failures:
            raise ClauseFailedError(verdict.failures)

    def require(self, clause: str, exchange: Exchange, passed: object, expected: str) -> None:
        """Counts a clause as passed by a response, or raises ClauseFailedError with the response."""
        if not passed:
            self.fail(clause, exchange, expected)
        self.findings.passes(clause)

    def fail(self, clause: str, exchange: Exchange, expected: str) -> NoReturn:
        """Raises ClauseFailedError with the response."""
        raise ClauseFailedError([Failure(clause, expected, exchange.response.summary, (exchange,))])


def _adds(exchange: Exchange, before: LoadView) -> bool:
    """Whether a response shows payments that the load did not have, so that it must be read afresh."""
    try:
        shown = payment_response_of(exchange.response)
    except UnexpectedFormError:
        return False
    return bool(shown.payments.keys() - before.payments.keys())


def has_room(view: LoadView) -> bool:
    """Whether enough of the load is still open for small payments not to change what it is."""
    return view.billed is None or view.billed.amount - view.paid > _ROOM


def _is_unreadable(number: str) -> bool:
    """Whether no load can have this number, or no read can ask for it."""
    blank = not number.strip() or any(0xD800 <= ord(character) < 0xE000 for character in number)
    return blank or IMPOSSIBLE_PREFIX in number or len(number) > _LONGEST_NUMBER
