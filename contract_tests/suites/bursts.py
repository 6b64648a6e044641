"""Payments sent at once: threads that start together, judged once all responses are there."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeAlias

from contract_tests.oracle.bursts import TimedExchange
from contract_tests.rules.attempt import Attempt, attempt_of
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.findings import ClauseFailedError, Failure
from contract_tests.rules.responses import LoadView
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
    calls = send_branches(api.send_unjudged, branches)
    api.forget(load.number)
    for verdict in api.oracle.judge_each(calls, load):
        api.take(verdict)
    api.take(api.oracle.judge_together(calls, load, api.load(load.number)))
    return calls


def require_accepted(api: Api, calls: Sequence[TimedExchange]) -> None:
    """At least one of the calls was answered with 200; R1 fails if not."""
    if not any(one.exchange.response.status == HTTPStatus.OK for one in calls):
        exchanges = tuple(one.exchange for one in calls)
        statuses = str([one.exchange.response.status for one in calls])
        raise ClauseFailedError([Failure("R1", "200 for a valid payment", statuses, exchanges)])
    api.findings.passes("R1")
