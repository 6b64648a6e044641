"""What a run was asked to do: the options, with the defaults that follow from the target."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from contract_tests.rules.revisions import Revision
from contract_tests.safety.origin import Origin
from contract_tests.safety.rate import ALL, OPERATIONS, PUBLISHED
from mock_server.rates import Rate

T = TypeVar("T")

MOCK: Final = "mock"
SUITES: Final = ("reads", "rejects", "smoke", "table", "model", "concurrency", "fuzz")
"""From what costs nothing to what leaves loads in odd states: they run in this order."""
PAYMENTS_FOR_EVERYTHING: Final = 50
"""With a budget above this, every suite runs by default against a URL."""


@dataclass(frozen=True, slots=True)
class OperationRate:
    """At most so many requests of one operation, or of ALL together."""

    operation: str
    rate: Rate

    @classmethod
    def parse(cls, text: str) -> "OperationRate":
        """Reads `10/second`, or `getLoad=5/minute`. ValueError."""
        operation, equals, rate = text.rpartition("=")
        known = next((name for name in OPERATIONS if name.lower() == operation.strip().lower()), None)
        if equals and known is None:
            raise ValueError(f"{operation!r} is no operation; write one of {', '.join(OPERATIONS)}")
        return cls(known or ALL, Rate.parse(rate))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.operation}={self.rate}" if self.operation else str(self.rate)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one run, each under its own name. Nothing secret is in it. None: no limit, no file.

    `spacing`, `patience`, `deadline` and `settle` are in seconds, `max_response` in bytes.
    """

    target: str
    revision: Revision | None
    loads: Path | None
    record_payments: bool
    max_payments: int | None
    max_amount: Decimal | None
    rates: tuple[OperationRate, ...]
    spacing: float
    max_requests: int | None
    suites: tuple[str, ...]
    examples: int
    seed: int
    report: Path | None
    json: Path | None
    junit: Path | None
    profile: Path | None
    baseline: Path | None
    fail_on_change: bool
    plan: bool
    run_id: str
    record: Path | None
    patience: float
    deadline: float
    ca: Path | None
    max_response: int
    settle: float | None
    state: str | None
    resumed: bool = False

    @property
    def limits(self) -> dict[str, tuple[int, int]]:
        """The rates, as a pace takes them."""
        return {each.operation: (each.rate.requests, each.rate.seconds) for each in self.rates}

    @property
    def is_mock(self) -> bool:
        """Whether the run starts the mock and tests it."""
        return self.target == MOCK

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Settings":
        """The options as they were parsed, with the defaults that follow from the target.

        Raises click.UsageError when they do not go together.
        """
        asked = cls(**{**given, "run_id": given["run_id"] or _new_run_id()})
        if asked.fail_on_change and asked.baseline is None:
            raise click.UsageError("--fail-on-change needs --baseline, the report to compare with.")
        if asked.state is not None and not asked.is_mock:
            raise click.UsageError("--state is for the mock that the run starts, not for a target at a URL.")
        if asked.is_mock:
            _check_apart(asked, asked.record)
            suites = _in_order(asked.suites or SUITES)
            return replace(asked, suites=suites, settle=_first(asked.settle, 0.0))
        if asked.record_payments and asked.loads is None:
            raise click.UsageError(
                "--record-payments needs --loads, the file that nominates the loads to pay."
            )
        resumed = given["run_id"] is not None
        record = asked.record
        if record is None and not asked.plan:
            record = Path(f"alvys-contract-{asked.run_id}.jsonl")
        if resumed and asked.record_payments and record is not None and not record.exists():
            raise click.UsageError(
                f"--run-id {asked.run_id} resumes a run from its payment log, and there is no {record}; "
                "name it with --record, or leave --run-id out."
            )
        _check_apart(asked, record)
        on_loopback = Origin.parse(asked.target).on_loopback
        return replace(
            asked,
            max_payments=_first(asked.max_payments, 8),
            max_amount=_first(asked.max_amount, Decimal("3.00")),
            rates=_rates(asked.rates, on_loopback=on_loopback),
            settle=_first(asked.settle, 5.0),
            max_requests=_first(asked.max_requests, 20_000 if on_loopback else 600),
            suites=_in_order(asked.suites or _suites_for_a_url(asked)),
            record=record,
            resumed=resumed,
        )


def _check_apart(asked: Settings, record: Path | None) -> None:
    """Raises click.UsageError where a report would be written over the payment log."""
    for option, path in (
        ("--report", asked.report),
        ("--json", asked.json),
        ("--junit", asked.junit),
        ("--profile", asked.profile),
    ):
        if record is not None and path is not None and _are_one(path, record):
            raise click.UsageError(f"{option} and the payment log are the same file: {record}.")


def _are_one(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, which need not exist yet."""
    exist = one.exists() and other.exists()
    return os.path.realpath(one) == os.path.realpath(other) or (exist and one.samefile(other))


def _first(given: T | None, default: T) -> T:
    return default if given is None else given


def _rates(given: tuple[OperationRate, ...], *, on_loopback: bool) -> tuple[OperationRate, ...]:
    """The rates of a run: the published ones, unless one for all requests takes their place."""
    named = {each.operation: each for each in given}
    if ALL not in named and not on_loopback:
        published = {name: OperationRate(name, Rate(*limit)) for name, limit in PUBLISHED.items()}
        named = published | named
    return tuple(named.values())


def _suites_for_a_url(asked: Settings) -> tuple[str, ...]:
    if not asked.record_payments:
        return ("reads",)
    everything = (asked.max_payments or 0) > PAYMENTS_FOR_EVERYTHING
    return SUITES if everything else ("reads", "rejects", "smoke")


def _in_order(chosen: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in SUITES if name in chosen)


def _new_run_id() -> str:
    return f"{datetime.now(UTC):%y%m%d%H%M%S}{secrets.token_hex(2)}"
