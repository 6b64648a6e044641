"""What a run was asked to do: the options, checked and with their defaults."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from re import fullmatch
from typing import Final

from contract_tests.run.options import OPTIONS, Given, OptionError
from contract_tests.safety.origin import Origin
from mock_server.rates import Rate

MOCK: Final = "mock"
SUITES: Final = ("reads", "rejects", "smoke", "table", "model", "concurrency", "fuzz")
PAYMENTS_FOR_EVERYTHING: Final = 50
"""With a budget above this, every suite runs by default against a URL."""

_DEFAULT_RATE = Rate(10, 60)
_DEFAULT_EXAMPLES = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one run. Nothing secret is in it. None means: no limit, no file."""

    target: str
    loads: Path | None
    record_payments: bool
    max_payments: int | None
    max_amount: Decimal | None
    rate: Rate | None
    max_requests: int | None
    suites: tuple[str, ...]
    examples: int
    seed: int
    report: Path | None
    json: Path | None
    junit: Path | None
    plan: bool
    run_id: str
    resumed: bool
    record: Path | None
    timeout_seconds: float = 30.0

    @property
    def is_mock(self) -> bool:
        """Whether the run starts the mock and tests it."""
        return self.target == MOCK


def resolve(given: Mapping[str, Given], environment: Mapping[str, str] = os.environ) -> Settings:
    """Makes settings of what was given (option name -> value) and of the environment.

    Raises OptionError with one sentence about the first option that cannot be used.
    """
    options = _Given({option.name: option.value(given.get(option.name), environment) for option in OPTIONS})
    target = options.text("target") or MOCK
    origin = None if target == MOCK else _origin(target)
    consent = options.flag("record-payments")
    max_payments = options.count("max-payments")
    loads = options.path("loads")
    if loads is not None and not loads.is_file():
        message = f"--loads: there is no file {loads}."
        raise OptionError(message)
    if consent and origin is not None and loads is None:
        message = "--record-payments needs --loads, the file that nominates the loads to pay."
        raise OptionError(message)
    resumed = options.run_id()
    run_id = resumed or _new_run_id()
    plan = options.flag("plan")
    record = options.path("record")
    if record is None and consent and origin is not None and not plan:
        record = Path(f"alvys-contract-{run_id}.jsonl")
    seed = options.count("seed")
    examples = options.count("examples")
    return Settings(
        target=target if origin is None else str(origin),
        loads=loads,
        record_payments=consent,
        max_payments=max_payments if max_payments is not None or origin is None else 8,
        max_amount=options.amount("max-amount", None if origin is None else Decimal("3.00")),
        rate=options.rate(None if origin is None or origin.on_loopback else _DEFAULT_RATE),
        max_requests=options.count("max-requests") if options.text("max-requests") else _requests(origin),
        suites=options.suites() or _default_suites(origin, consent=consent, max_payments=max_payments or 0),
        examples=_DEFAULT_EXAMPLES if examples is None else examples,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        report=options.output("report"),
        json=options.output("json"),
        junit=options.path("junit"),
        plan=plan,
        run_id=run_id,
        resumed=resumed is not None,
        record=record,
    )


def _origin(target: str) -> Origin:
    try:
        return Origin.parse(target)
    except ValueError as error:
        message = f"--target: {error}"
        raise OptionError(message) from None


def _requests(origin: Origin | None) -> int | None:
    if origin is None:
        return None
    return 20_000 if origin.on_loopback else 600


def _default_suites(origin: Origin | None, *, consent: bool, max_payments: int) -> tuple[str, ...]:
    if origin is None or (consent and max_payments > PAYMENTS_FOR_EVERYTHING):
        return SUITES
    return ("reads", "rejects", "smoke") if consent else ("reads",)


def _new_run_id() -> str:
    return f"{datetime.now(UTC):%y%m%d%H%M%S}{secrets.token_hex(2)}"


class _Given:
    """Reads the values of options, each into its type; every error names the option."""

    def __init__(self, values: Mapping[str, Given]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        value = self._values[name]
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        return bool(self._values[name])

    def path(self, name: str) -> Path | None:
        text = self.text(name)
        return None if text is None else Path(text)

    def output(self, name: str) -> Path | None:
        """A file that can be written when the run is over, as far as its folder tells now."""
        path = self.path(name)
        if path is not None and (not path.parent.is_dir() or path.is_dir()):
            message = f"--{name}: {path} cannot be written; its folder must exist."
            raise OptionError(message)
        return path

    def count(self, name: str) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        if fullmatch(r"[0-9]{1,18}", text) is None:
            message = f"--{name}: {text!r} is no whole number from 0."
            raise OptionError(message)
        return int(text)

    def amount(self, name: str, default: Decimal | None) -> Decimal | None:
        text = self.text(name)
        if text is None:
            return default
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal(-1)
        if not amount.is_finite() or amount < 0:
            message = f"--{name}: {text!r} is no amount from 0."
            raise OptionError(message)
        return amount

    def rate(self, default: Rate | None) -> Rate | None:
        text = self.text("rate")
        if text is None:
            return default
        try:
            return Rate.parse(text)
        except ValueError as error:
            message = f"--rate: {error}"
            raise OptionError(message) from None

    def suites(self) -> tuple[str, ...]:
        names = self._values["suite"]
        chosen = names if isinstance(names, tuple) else ()
        for name in chosen:
            if name not in SUITES:
                message = f"--suite: there is no suite {name!r}; the suites are {', '.join(SUITES)}."
                raise OptionError(message)
        return tuple(name for name in SUITES if name in chosen)

    def run_id(self) -> str | None:
        text = self.text("run-id")
        if text is not None and fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}", text) is None:
            message = f"--run-id: {text!r} must be up to 32 letters, digits and hyphens."
            raise OptionError(message)
        return text
