"""Payments sent at once: threads that start together, judged once all responses are there."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeAlias

from contract_tests.oracle.bursts import TimedExchange
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt, attempt_of
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.responses import LoadView
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api
from contract_tests.suites.requests import payment_request

Branches: TypeAlias = Sequence[Sequence[Mapping[str, object]]]
"""The bodies of payments: each branch is sent in order, all branches at once."""


def send_branches(send: Callable[[Request], Exchange], branches: Branches) -> list[TimedExchange]:
    """Sends them, and notes when each began and ended."""
    barrier = threading.Barrier(len(branches))

    def play(branch: Sequence[Mapping[str, object]]) -> list[TimedExchange]:
        requests = [payment_request(body) for body in branch]
        attempts = [attempt_of(request) for request in requests]
        barrier.wait()
        return [_timed(send, *each) for each in zip(requests, attempts, strict=True)]

    with ThreadPoolExecutor(len(branches)) as pool:
        return [one for calls in pool.map(play, branches) for one in calls]


def _timed(send: Callable[[Request], Exchange], request: Request, attempt: Attempt) -> TimedExchange:
    began = time.perf_counter()
    exchange = send(request)
    return TimedExchange(attempt, exchange, began, time.perf_counter())


def pay_at_once(api: Api, load: LoadView, branches: Branches) -> list[TimedExchange]:
    """Sends valid payments of one load at once and judges them together.

    Each response alone, then: every reference once, the total exact, and an order that explains it all.
    """
    api.forget(
        load.number
    )  # whatever becomes of them: one that is refused its way ends the test, not the others
    calls = send_branches(api.send_unjudged, branches)
    for verdict in api.oracle.judge_each(calls, load):
        api.take(verdict)

    def judge(after: LoadView | None) -> Verdict:
        return Verdict() if after is None else api.oracle.judge_together(calls, load, after)

    api.take(api.judged_when_settled(load.number, judge))
    return calls


def require_accepted(api: Api, calls: Sequence[TimedExchange]) -> None:
    """At least one of the calls was answered with 200; R1 fails if not."""
    exchanges = tuple(one.exchange for one in calls)
    verdict = Verdict(exchanges=exchanges)
    if not any(one.exchange.response.status == HTTPStatus.OK for one in calls):
        statuses = str([one.exchange.response.status for one in calls])
        if not any(exchange.response.is_refusal for exchange in exchanges):
            raise Refused(f"the target responded with {statuses}")
        verdict.fail("R1", "200 for a valid payment", statuses)
    else:
        verdict.passed.append("R1")
    api.take(verdict)
