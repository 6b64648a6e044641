"""One run: its settings, the target, the guarded client and what was found out."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from contract_tests.report.plan import Plan
from contract_tests.rules.clauses import CLAUSES
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Failure, Findings
from contract_tests.run.preflight import CannotRun, check_loads, probe
from contract_tests.run.settings import Settings
from contract_tests.run.target import LoadsFileError, StateError, Target, open_target
from contract_tests.safety.client import GuardedClient
from contract_tests.safety.credentials import Credentials, CredentialsError
from contract_tests.safety.guard import Budget, Guard, Permit, Policy, Refused, Stop
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import LogUnusableError, PaymentLog
from contract_tests.safety.rate import Pace
from contract_tests.safety.road import Patience
from contract_tests.safety.tls import trust
from contract_tests.safety.transport import Limits, Transport
from contract_tests.safety.wire import Wire

_PAUSE: Final = 1.0
_PAUSE_ON_LOOPBACK: Final = 0.02
"""Seconds before the first repeat; nothing is won by waiting where nothing lies between."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the suites work with, for as long as the run lasts."""

    settings: Settings
    target: Target
    client: GuardedClient
    guard: Guard
    record: PaymentLog
    findings: Findings
    plan: Plan
    reference: Callable[[], str]
    """Gives the next reference of the run, `ct-<run id>-<n>`."""
    reads: Mapping[str, Exchange]
    """The reads of the loads that may be paid, before anything was written."""


@contextmanager
def open_run(settings: Settings, environment: Mapping[str, str]) -> Iterator[Run]:
    """Starts or reaches the target and checks that it may be tested.

    Raises CannotRun with a sentence and the exit status when it may not.
    """
    try:
        credentials = Credentials.from_environment(environment)
    except CredentialsError as error:
        raise CannotRun(str(error), ExitStatus.USAGE) from None
    finally:
        # A traceback with its variables would show the secrets.
        del environment
    try:
        with open_target(settings, wants_token=credentials.exist) as (target, origin):
            if settings.is_mock or settings.plan:
                # Nothing secret leaves for a mock that takes any token or none.
                credentials = Credentials()
            else:
                credentials.check_target(origin)
            with _opened(settings, target, origin, credentials) as run:
                yield run
    except (LoadsFileError, StateError, CredentialsError) as error:
        raise CannotRun(str(error), ExitStatus.USAGE) from None


@contextmanager
def _opened(settings: Settings, target: Target, origin: Origin, credentials: Credentials) -> Iterator[Run]:
    record = _record(settings)
    guard = Guard(_policy(settings, target), record.attempts, recognises_references=record.shows_replays)
    plan = Plan()
    wire = Wire(
        origin,
        guard,
        credentials=credentials,
        pace=Pace() if settings.plan else Pace(settings.limits, spacing=settings.spacing),
        transport=_transport(settings, origin, credentials),
        patience=_patience(settings, origin),
    )
    client = GuardedClient(wire, guard, record=record, observe=plan.note if settings.plan else _ignore)
    try:
        for payment in record.earlier:
            guard.resume(payment)
        reads = {} if settings.is_mock else _check(client, target, settings, record)
        guard.open_payments()
        references = _references(settings.run_id)
        findings = Findings() if settings.is_mock else _findings(record)
        yield Run(settings, target, client, guard, record, findings, plan, references, reads)
        try:
            client.read_what_is_left()
        except Stop as stop:  # the report asks the guard why the run was stopped
            findings.keep(stop.failures)
    finally:
        client.close()
        record.close()


def _findings(record: PaymentLog) -> Findings:
    """What the run that is resumed found wrong, to begin with: a second run must not hide it."""

    def remember(failure: Failure) -> None:
        with suppress(LogUnusableError):  # the next payment says so, and does not leave
            record.write_failure(failure.clause, failure.got)

    findings = Findings()
    for one in record.failures:
        got = f"in the run that is resumed, at {one.time}: {one.got}"
        findings.keep([Failure(one.failed, CLAUSES[one.failed].sentence, got, ())])
    findings.remember = remember
    return findings


def _ignore(_exchange: Exchange, _permit: Permit) -> None:
    """Nobody wants to know of every exchange, but for a plan."""


def _transport(settings: Settings, origin: Origin, credentials: Credentials) -> Transport:
    """Reads the authorities, which takes longer than a request, only for what may speak TLS."""
    limits = Limits(deadline=settings.deadline, size=settings.max_response)
    if credentials.can_refresh:
        credentials.trust = trust(settings.ca)
    # A context of its own: the library of the token endpoint adds its authorities to the one that it gets.
    return Transport(limits, trust(settings.ca) if origin.scheme == "https" else None)


def _patience(settings: Settings, origin: Origin) -> Patience:
    pause = _PAUSE_ON_LOOPBACK if origin.on_loopback else _PAUSE
    return Patience(settings.patience, 0.0 if settings.is_mock else pause)


def _policy(settings: Settings, target: Target) -> Policy:
    return Policy(
        is_mock=settings.is_mock,
        consent=settings.record_payments,
        nominated=frozenset(target.load_numbers),
        run_id=settings.run_id,
        budget=Budget(settings.max_requests, settings.max_payments, settings.max_amount),
    )


def _record(settings: Settings) -> PaymentLog:
    try:
        return PaymentLog(None if settings.plan else settings.record, resumed=settings.resumed)
    except LogUnusableError as error:
        reason = str(error)
        raise CannotRun(f"{reason[:1].upper()}{reason[1:]}.", ExitStatus.USAGE) from None


def _check(
    client: GuardedClient, target: Target, settings: Settings, record: PaymentLog
) -> Mapping[str, Exchange]:
    try:
        if settings.record_payments and target.load_numbers:
            resumed = settings.resumed and not settings.plan
            return check_loads(client.send, target, record.payments, resumed=resumed)
        probe(client.send, target)
    except Stop as stop:
        sentence = f"{target.base_url} could not be tested: {stop.reason}."
        raise CannotRun(sentence, ExitStatus(stop.status)) from None
    except Refused as refused:
        raise CannotRun(f"The target could not be checked: {refused.reason}.", ExitStatus.USAGE) from None
    return {}


def _references(run_id: str) -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"ct-{run_id}-{next(numbers)}"
