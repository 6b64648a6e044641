"""Payments sent at once: threads that start together, and what their answers must agree on."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from contract_tests.oracle.oracle import Verdict
from contract_tests.rules.attempt import MEDIA_TYPE, attempt_of
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.findings import ClauseFailedError, Failure
from contract_tests.rules.paths import PAYMENTS_PATH
from contract_tests.rules.responses import (
    LoadView,
    PaymentAnswer,
    UnexpectedFormError,
    document_of,
    payment_answer_of,
)
from contract_tests.rules.values import EXACT, encode_json, nearly
from contract_tests.suites.api import Api


@dataclass(frozen=True, slots=True)
class TimedExchange:
    """One exchange of a burst, with when it began and ended on one clock."""

    exchange: Exchange
    began: float
    ended: float

    @property
    def reference(self) -> str:
        """The reference that was sent."""
        attempt = attempt_of(self.exchange.request)
        return (attempt.reference if attempt else None) or ""

    @property
    def won(self) -> bool:
        """Whether the answer's payment is the one that was sent, not another's of the same reference."""
        attempt = attempt_of(self.exchange.request)
        rows = self.answer.payments if self.answer else {}
        return any(attempt is not None and rows[key].amount.amount == attempt.amount for key in self.own)

    @property
    def shown(self) -> int:
        """How many payments the answer shows."""
        return len(self.answer.payments) if self.answer else 0

    @property
    def was_refused(self) -> bool:
        """Whether the answer is a 4xx."""
        status = self.exchange.response.status
        return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def own(self) -> frozenset[str]:
        """The ids that the answer gives to the payment that was sent; one, or something is wrong."""
        rows = self.answer.payments.items() if self.answer else ()
        return frozenset(key for key, row in rows if row.reference == self.reference)

    @property
    def answer(self) -> PaymentAnswer | None:
        """What a 200 says; None for a refusal, or an answer without form."""
        if self.exchange.response.status != HTTPStatus.OK:
            return None
        try:
            return payment_answer_of(document_of(self.exchange.response))
        except UnexpectedFormError:
            return None


def send_branches(
    send: Callable[[Request], Exchange], branches: Sequence[Sequence[Mapping[str, object]]]
) -> list[TimedExchange]:
    """Sends each branch's payments in order, all branches at once."""
    barrier = threading.Barrier(len(branches))

    def play(branch: Sequence[Mapping[str, object]]) -> list[TimedExchange]:
        requests = [
            Request("POST", PAYMENTS_PATH, headers={"Content-Type": MEDIA_TYPE}, content=encode_json(body))
            for body in branch
        ]
        barrier.wait()
        return [call(send, request) for request in requests]

    with ThreadPoolExecutor(len(branches)) as pool:
        return [one for calls in pool.map(play, branches) for one in calls]


def call(send: Callable[[Request], Exchange], request: Request) -> TimedExchange:
    """Sends one request and notes when."""
    began = time.perf_counter()
    exchange = send(request)
    return TimedExchange(exchange, began, time.perf_counter())


def pay_at_once(
    api: Api, load: LoadView, branches: Sequence[Sequence[Mapping[str, object]]]
) -> list[TimedExchange]:
    """Sends valid payments of one load at once and judges them together.

    Each answer alone, then: every reference once, the total exact, and an order that explains it all.
    """
    calls = send_branches(api.send_unjudged, branches)
    api.forget(load.number)
    paid = {one.reference for one in calls if one.answer is not None}
    for one in _in_order(calls):
        if one.was_refused and one.reference in paid:
            api.take(api.oracle.judge(one.exchange))  # what the loser of a race is told is open (A22)
        else:
            api.take(api.oracle.judge_payment(one.exchange, load, None, alone=False))
    after = api.load(load.number)
    verdict = Verdict(exchanges=tuple(one.exchange for one in calls))
    _judge_together(verdict, calls, load, after)
    api.take(verdict)
    return calls


def _in_order(calls: Sequence[TimedExchange]) -> list[TimedExchange]:
    """As they were probably recorded, and the first of each reference before all repeats.

    An answer must not tell of a payment that is still to be judged: it would pass for a repeat.
    """
    ordered = sorted(calls, key=lambda one: (not one.won, one.shown, one.ended))
    first = {one.reference: one for one in reversed(ordered)}
    return sorted(ordered, key=lambda one: one is not first[one.reference])


def _judge_together(
    verdict: Verdict, calls: Sequence[TimedExchange], before: LoadView, after: LoadView
) -> None:
    answered = [one for one in calls if one.answer is not None]
    references = {one.reference for one in answered}
    added = [row for key, row in after.payments.items() if key not in before.payments]
    promised = {key for one in answered for key in one.own} - before.payments.keys()
    expected = f"{len(promised)} new payments, one for each new reference"
    verdict.require("R6", {row.id for row in added} == promised, expected, f"{len(added)} payments")
    paid = before.total.amount if before.total else EXACT.create_decimal(0)
    total = after.total.amount if after.total else EXACT.create_decimal(0)
    money = [row.amount.amount for row in added if row.amount.currency == before.currency]
    if len(money) == len(added):
        wanted = paid
        for amount in money:
            wanted = EXACT.add(wanted, amount)
        if verdict.require("R7", nearly(total, wanted, *money), f"totalPaid {wanted}", f"totalPaid {total}"):
            verdict.observe("A20d", "exact" if total == wanted else "off by less than a cent")
    for reference in references:
        same = [one for one in calls if one.reference == reference]
        if len(same) > 1:
            statuses = sorted({str(one.exchange.response.status) for one in same})
            both = "both 200" if statuses == ["200"] else " and ".join(statuses)
            if all(one.own.isdisjoint(before.payments) for one in same):
                verdict.observe("A22", f"one payment, {both}")
    if len(calls) <= _FEW:
        explained = explains(frozenset(before.payments), answered)
        verdict.require("D4", explained, "answers that some order of the requests explains", "no such order")


_FEW = 8


def explains(recorded: frozenset[str], calls: Sequence[TimedExchange]) -> bool:
    """Whether the calls could have run one after the other and given these answers.

    `recorded` are the ids before. A call that ended before another began comes first. Each answer shows
    its own payment; a new one's shows exactly what was recorded by then, a repeat's nothing else.
    """
    if not calls:
        return True
    first_end = min(one.ended for one in calls)
    for one in calls:
        answer = one.answer
        if one.began > first_end or answer is None:
            continue
        shown, is_repeat = frozenset(answer.payments), one.own <= recorded
        fits = shown <= recorded if is_repeat else shown == recorded | one.own
        if fits and explains(recorded | one.own, [other for other in calls if other is not one]):
            return True
    return False


def require_answers(api: Api, calls: Sequence[TimedExchange]) -> None:
    """At least one of the calls was answered with 200; R1 is violated if not."""
    if not any(one.exchange.response.status == HTTPStatus.OK for one in calls):
        exchanges = tuple(one.exchange for one in calls)
        statuses = str([one.exchange.response.status for one in calls])
        raise ClauseFailedError([Failure("R1", "200 for a valid payment", statuses, exchanges)])
    api.findings.passes("R1")
