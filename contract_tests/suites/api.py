"""How a suite talks to the target: every request is sent by the client and judged by the oracle."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType
from typing import NoReturn

from contract_tests.oracle.expectation import Expectation, LoadBefore
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt, attempt_of
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.exchange import REFUSALS_OF_THE_CALLER, Exchange, Request
from contract_tests.rules.findings import ClauseFailedError, Failure, Findings
from contract_tests.rules.refusals import Doubt
from contract_tests.rules.responses import (
    LoadView,
    PaymentResponse,
    UnexpectedFormError,
    load_of,
    payment_response_of,
)
from contract_tests.rules.values import near
from contract_tests.safety.guard import Refused, Stop
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX
from contract_tests.suites.lag import Lag
from contract_tests.suites.requests import payment_request, read_request

_ENOUGH_LOADS = 3
_LONGEST_NUMBER = 200
_LONGEST_REASON = 120
_ROOM = Decimal(5)
"""A load is preferred for payments while so much of it is still open."""


class Api:
    """Sends requests and has every response judged; knows each load as it was last seen.

    A failure is kept at once, and raises ClauseFailedError. Refused is raised where a response tells of the
    road and not of the rules. Not for threads: a burst goes through `send_unjudged`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is a collaborator of its own
        self,
        send: Callable[[Request], Exchange],
        oracle: Oracle,
        findings: Findings,
        loads: Mapping[str, list[str]],
        reads: Mapping[str, Exchange] = MappingProxyType({}),
        lag: Lag | None = None,
    ) -> None:
        """`loads` are the numbers that the target offers, by status; `reads` how some were read already.

        `lag` says how long after the response to a payment a load may not show it yet; by default not at all.
        """
        self._client_send = send
        self.oracle = oracle
        self.findings = findings
        self.loads = loads
        self._reads = dict(reads)
        self.lag = lag or Lag()
        self._offered = {number for numbers in loads.values() for number in numbers}
        self._views: dict[str, LoadView | None] = {}
        self._last_reads: dict[str, Exchange] = {}
        self._added: dict[str, float] = {}
        """Load number -> when a response last showed a new payment: reads may lag behind that one."""
        self._promised: dict[str, tuple[Exchange, PaymentResponse]] = {}
        """Load number -> the last response that showed its payments, until a read has shown them too."""
        self._pending: dict[str, list[tuple[str, Exchange]]] = {}
        """Load number -> what had to leave no trace of it since it was last seen, each with its clause."""

    # --- sending ----------------------------------------------------------------------------------

    def send_unjudged(self, request: Request) -> Exchange:
        """Sends a request; what the client stops the run for is kept as failures."""
        try:
            return self._client_send(request)
        except Stop as stop:
            self.findings.keep(stop.failures)
            raise

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
        exchange = (None if key else self._reads.pop(number, None)) or self._read_until_it_shows(number, *key)
        verdict, view = self.oracle.judge_read(exchange, known, earlier)
        if view is not None or not key:  # what another key does not find is still there by its number
            self._views[number] = view
        self._last_reads[number] = exchange
        if view is not None:
            self.oracle.see(view)
        self.take(verdict)
        if view is None and (known is not None or number in self._offered):
            self.fail("P1", exchange, f"load {number}" if known else f"load {number}, which is nominated")
        if view is not None:
            self._require_promised(view, exchange)
        return view

    def _read_until_it_shows(self, number: str, *key: str) -> Exchange:
        """Reads a load, until it shows the payments that responses have shown, or it has had its time."""
        request = read_request((key[0], key[1]) if key else ("loadNumber", number))
        exchange = self.send_unjudged(request)
        if number in self._promised and _lacks(exchange, self._promised[number][1]):
            for _ in self.lag.pauses(self._added.get(number, 0.0)):
                exchange = self.send_unjudged(request)
                if not _lacks(exchange, self._promised[number][1]):
                    break
        return exchange

    def _require_promised(self, view: LoadView, exchange: Exchange) -> None:
        told, shown = self._promised.pop(view.number, (None, None))
        if told is not None and shown is not None:
            verdict = Verdict(exchanges=(told, exchange))
            lost = ", ".join(sorted(shown.ids - view.payments.keys()))
            verdict.require(
                "R7", not lost, "the load's payments, with those of the response", f"without {lost}"
            )
            self.take(verdict)

    def promise(self, exchange: Exchange) -> None:
        """Notes the payments that a response shows: the next read of their load must show them too."""
        if exchange.response.status != HTTPStatus.OK:
            return
        with suppress(UnexpectedFormError):
            shown = payment_response_of(exchange.response)
            self._promised[shown.load_number] = exchange, shown

    def view(self, number: str) -> LoadView | None:
        """The load as it was last seen; read now if it never was."""
        return self._views[number] if number in self._views else self.read(number)

    def known(self, number: str) -> LoadView | None:
        """The load as it was last seen; None if it was not, or may have changed since."""
        return self._views.get(number)

    def load(self, number: str) -> LoadView:
        """The load as it was last seen; P1 fails if there is none of that number, or none to be read."""
        view = self.view(number)
        return view or self.fail("P1", self._last_reads[number], f"load {number}")

    def forget(self, number: str) -> None:
        """Drops what is known of this load, so that it is read afresh."""
        self._views.pop(number, None)
        self._pending.pop(number, None)

    def pay(
        self,
        body: Mapping[str, object] | bytes,
        *,
        look: bool = True,
        nominal: str | None = None,
        key: tuple[str, str] | tuple[()] = (),
    ) -> Exchange:
        """Posts a payment as the contract writes it; the rest is as for `post`."""
        return self.post(payment_request(body), look=look, nominal=nominal, key=key)

    def post(
        self,
        request: Request,
        *,
        look: bool = True,
        nominal: str | None = None,
        key: tuple[str, str] | tuple[()] = (),
    ) -> Exchange:
        """Posts a payment request; with `look` its load is read afterwards, otherwise by the next read.

        With `nominal`, a load that was never read is not read first, and believed to have that status.
        `key` is what the load is read by, for example ("id", "…"), instead of its number.
        """
        attempt = attempt_of(request)
        load = self._before(attempt.load, nominal)
        expected = self.oracle.expect(attempt, load, self._doubts_about(attempt, load))
        asked = replace(request, must_be_refused=expected.must_be_refused, clause=expected.clause)
        exchange = self.send_unjudged(asked)
        if attempt.load is not None and (load.view is None or _adds(exchange, load.view)):
            self._added[attempt.load] = self.lag.now()
        if load.view is not None and look:
            self.take(self._judged_when_seen(expected, exchange, load.view, key))
            return exchange
        verdict = self.oracle.judge_payment(expected, exchange)
        self.promise(exchange)
        if load.view is not None:
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

    def _judged_when_seen(
        self,
        expected: Expectation,
        exchange: Exchange,
        before: LoadView,
        key: tuple[str, str] | tuple[()],
    ) -> Verdict:
        """The verdict on a payment with its load after it, for which it waits if only that is wrong."""
        self._pending.pop(before.number, None)
        self._promised.pop(before.number, None)
        return self.judged_when_settled(
            before.number,
            lambda after: self.oracle.judge_payment(expected, exchange, after),
            *key,
            since=self._added.get(before.number),
        )

    def judged_when_settled(
        self, number: str, judge: Callable[[LoadView | None], Verdict], *key: str, since: float | None = None
    ) -> Verdict:
        """What `judge` says of the load; it looks again for a while if a read that lags may be to blame.

        The load may lag behind `since`: by default behind payments whose responses are there just now.
        """
        since = self._added[number] = self.lag.now() if since is None else since
        try:
            after = self._looked_at(number, *key)
        except (ClauseFailedError, Refused, Stop):
            self.findings.keep(judge(None).failures)
            raise
        verdict = judge(after)
        if verdict.may_lag:
            for seconds in self.lag.pauses(since):
                verdict = judge(self._looked_at(number, *key))
                if not verdict.may_lag:
                    self.findings.observes("Q40", _how_long(seconds))
                    break
        elif verdict.shows_payment:
            self.findings.observes("Q40", "at once")
        verdict.failures = [replace(one, after=self._last_reads[number]) for one in verdict.failures]
        return verdict

    def _looked_at(self, number: str, *key: str) -> LoadView:
        exchange = self.send_unjudged(read_request((key[0], key[1]) if key else ("loadNumber", number)))
        verdict, view = self.oracle.judge_read(exchange, None)
        if view is not None or not key:  # what another key does not find is still there by its number
            self._views[number] = view
        self._last_reads[number] = exchange
        self.take(verdict)
        if view is None or view.number != number:
            self.fail("P1", exchange, f"load {number}")
        return view

    def _await(self, before: LoadView, exchange: Exchange, verdict: Verdict) -> None:
        """Leaves it to the next read whether a payment that added nothing left a trace."""
        if _adds(exchange, before):
            self.forget(before.number)
        else:
            clause = exchange.request.clause or (verdict.passed[-1] if verdict.passed else "R1")
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
        """Keeps the status of a refusal, or `accepted` (nothing if that is empty).

        A refusal of the caller says nothing about the question.
        """
        if exchange.response.status in REFUSALS_OF_THE_CALLER:
            return
        if exchange.response.status != HTTPStatus.OK:
            self.findings.observes(question, str(exchange.response.status))
        elif accepted:
            self.findings.observes(question, accepted)

    def take(self, verdict: Verdict) -> None:
        """Counts what passed and was observed; keeps what failed, and raises ClauseFailedError for it."""
        for clause in verdict.passed:
            self.findings.passes(clause)
        for question, behaviour in verdict.observations:
            self.findings.observes(question, behaviour)
        if verdict.failures:
            self.findings.keep(verdict.failures)
            raise ClauseFailedError(verdict.failures)

    def require(self, clause: str, exchange: Exchange, passed: object, expected: str) -> None:
        """Counts a clause as passed by a response, or fails it as `fail` does."""
        if not passed:
            self.fail(clause, exchange, expected)
        self.findings.passes(clause)

    def require_token(self, request: Request) -> Exchange:
        """Sends a request without a valid token: it must be refused for that reason, whatever it asks."""
        exchange = self.send(request)
        self.require("P8", exchange, exchange.response.status == HTTPStatus.UNAUTHORIZED, "401")
        return exchange

    def fail(self, clause: str, exchange: Exchange, expected: str) -> NoReturn:
        """Fails a clause by a response; Refused if that tells of the road and not of the rules."""
        response = exchange.response
        about_tokens = clause == "P8" and response.status != HTTPStatus.TOO_MANY_REQUESTS
        failed = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or not response.status
        if (response.is_of_the_road or failed) and not about_tokens:
            raise Refused(f"the target responded with {response.summary[:_LONGEST_REASON]}")
        failure = Failure(clause, expected, response.summary, (exchange,))
        self.findings.keep([failure])
        raise ClauseFailedError([failure])


def _adds(exchange: Exchange, before: LoadView) -> bool:
    """Whether a response shows payments that the load did not have, so that it must be read afresh."""
    try:
        shown = payment_response_of(exchange.response)
    except UnexpectedFormError:
        return False
    return bool(shown.ids - before.payments.keys())


def _lacks(exchange: Exchange, shown: PaymentResponse) -> bool:
    """Whether a load that was read shows not yet what a response showed."""
    try:
        view = load_of(exchange.response.document)
    except UnexpectedFormError:
        return False
    return not shown.ids <= view.payments.keys()


def _how_long(seconds: float) -> str:
    """The time after which a read showed what it should, in the words of the question."""
    return next((f"within {limit} s" for limit in (1, 5, 30) if seconds <= limit), "later")


def has_room(view: LoadView) -> bool:
    """Whether enough of the load is still open for small payments not to change what it is."""
    return view.billed is None or view.billed.amount - view.paid > _ROOM


def _is_unreadable(number: str) -> bool:
    """Whether no load can have this number, or no read can ask for it."""
    blank = not number.strip() or any(0xD800 <= ord(character) < 0xE000 for character in number)
    return blank or IMPOSSIBLE_PREFIX in number or len(number) > _LONGEST_NUMBER
