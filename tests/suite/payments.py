"""Requests of the kinds that the guard tells apart, and a client to send them with."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from contract_tests.rules.exchange import Request
from contract_tests.safety.client import GuardedClient
from contract_tests.safety.credentials import Credentials
from contract_tests.safety.guard import Budget, Guard, Policy
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import PaymentLog
from contract_tests.safety.rate import Pace
from contract_tests.safety.road import Patience
from contract_tests.safety.transport import Limits, Transport
from contract_tests.safety.wire import Wire
from tests.suite.counting_server import PAYMENTS

NOMINATED = "LD-1"
STRANGER = "LD-9"
IMPOSSIBLE = "ct-no-such-load-1"
MEDIA_TYPE = {"Content-Type": "application/json-patch+json"}


def body(load: str = NOMINATED, reference: str = "ct-run-1", amount: str = "0.10") -> bytes:
    """A payment as JSON; the amount is written as given."""
    text = json.dumps(
        {
            "LoadNumber": load,
            "Amount": {"Amount": 0, "Currency": 840},
            "PaymentDate": "2026-07-01T00:00:00Z",
            "ReferenceNumber": reference,
        }
    )
    return text.replace('"Amount": 0', f'"Amount": {amount}').encode()


def payment(
    load: str = NOMINATED, reference: str = "ct-run-1", amount: str = "0.10", *, must_be_refused: bool = False
) -> Request:
    return post(body(load, reference, amount), must_be_refused=must_be_refused)


def post(content: bytes, *, must_be_refused: bool = False) -> Request:
    return Request("POST", PAYMENTS, (), MEDIA_TYPE, content, must_be_refused=must_be_refused)


@contextmanager
def guarded(  # noqa: PLR0913 - a run has so many settings
    url: str,
    *,
    consent: bool = True,
    is_mock: bool = False,
    opened: bool = True,
    budget: Budget | None = None,
    credentials: Credentials | None = None,
    pace: Pace | None = None,
    record: PaymentLog | None = None,
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> Iterator[tuple[GuardedClient, Guard, PaymentLog]]:
    """A client on a URL, with its guard and its record; it waits for nothing but its pace.

    A record that was read from a file is that of the run that is resumed.
    """
    kept = record or PaymentLog()
    policy = Policy(is_mock, consent, {NOMINATED, "LD-2"}, "run", budget or Budget(1000, 8, Decimal("3.00")))
    guard = Guard(policy, kept.attempts)
    for payment in kept.earlier:
        guard.resume(payment)
    if opened:
        guard.open_payments()
    wire = Wire(
        Origin.parse(url),
        guard,
        credentials=credentials or Credentials(),
        pace=pace or Pace(),
        transport=Transport(limits or Limits(timeout=60), context),
        patience=patience,
        sleep=sleep,
    )
    client = GuardedClient(wire, guard, record=kept)
    try:
        yield client, guard, kept
    finally:
        client.close()
        kept.close()
