"""What a pytest session keeps of a run, and how its processes come together at the end."""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from contract_tests.report.build import Report, build, write_html, write_json
from contract_tests.report.results import BrokenTest, Results
from contract_tests.run.options import OPTIONS, Given, Kind
from contract_tests.run.preflight import COULD_NOT_TEST, WRONG_USE, CannotRun
from contract_tests.run.run import Run, open_run
from contract_tests.run.settings import Settings
from contract_tests.safety.guard import Guard
from contract_tests.safety.payment_log import now

SETTINGS = pytest.StashKey[Settings]()
STARTED = pytest.StashKey[str]()
RUN = pytest.StashKey[Run]()
GUARD = pytest.StashKey[Guard]()
CANNOT = pytest.StashKey[CannotRun]()
REPORT = pytest.StashKey[Report]()
UNWRITTEN = pytest.StashKey[list[str]]()
"""A sentence for each file of the report that could not be written."""
ERRORS = pytest.StashKey[list[BrokenTest]]()
PARTS = pytest.StashKey[list[Results]]()

_GENERATING: Final = frozenset({"model", "fuzz"})
"""The suites that generate examples with Hypothesis."""
_OUTPUT: Final = "alvys_contract"


def given(config: pytest.Config) -> dict[str, Given]:
    """The options as pytest got them."""
    values: dict[str, Given] = {}
    for option in OPTIONS:
        value = config.getoption(option.destination, None)
        values[option.name] = tuple(value or ()) if option.kind is Kind.LIST else value
    return values


def start(config: pytest.Config, settings: Settings) -> None:
    """Keeps the settings, and hands what was drawn by lot to the workers of pytest-xdist."""
    config.stash[SETTINGS] = settings
    config.stash[STARTED] = now()
    config.stash[ERRORS] = []
    config.stash[PARTS] = []
    config.option.alvys_seed = str(settings.seed)
    if _GENERATING & set(settings.suites):
        # Only then, because the option alone makes Hypothesis' plugin import all of it.
        config.option.hypothesis_seed = str(settings.seed)
    if settings.is_mock:
        config.option.alvys_run_id = settings.run_id
    elif _is_spread(config):
        message = "pytest-xdist is for the mock: the budgets and the rate are kept by one process"
        pytest.exit(message, WRONG_USE)
    if settings.junit is not None:
        config.option.xmlpath = str(settings.junit)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def _is_spread(config: pytest.Config) -> bool:
    return bool(config.getoption("tx", None)) or is_worker(config)


@contextmanager
def opened(config: pytest.Config) -> Iterator[Run]:
    """The run of this process; ends the session when it cannot begin."""
    try:
        with open_run(config.stash[SETTINGS], os.environ) as run:
            config.stash[RUN] = run
            config.stash[GUARD] = run.guard
            yield run
    except CannotRun as reason:
        config.stash[CANNOT] = reason
        pytest.exit(reason.sentence, reason.status)


def hand_over(config: pytest.Config) -> None:
    """Gives what a worker found out to the process that started it."""
    run = config.stash.get(RUN, None)
    if run is not None:
        output: dict[str, object] = vars(config)["workeroutput"]
        output[_OUTPUT] = pickle.dumps(_results_of(run))


def take_over(config: pytest.Config, output: object) -> None:
    """Keeps what a worker found out."""
    part = output.get(_OUTPUT) if isinstance(output, dict) else None
    if isinstance(part, bytes):
        results = pickle.loads(part)  # noqa: S301 - our own worker wrote it
        config.stash[PARTS].append(results)


def finish(session: pytest.Session, exit_status: int) -> None:
    """Makes the report, writes its files and sets the exit status."""
    config = session.config
    settings = config.stash[SETTINGS]
    run = config.stash.get(RUN, None)
    cannot = config.stash.get(CANNOT, None)
    if cannot is not None and cannot.status == WRONG_USE:
        session.exitstatus = WRONG_USE
        return
    parts = [*config.stash[PARTS], *([] if run is None else [_results_of(run)])]
    if cannot is not None:
        parts.append(Results(stopped=(cannot.sentence.rstrip("."), cannot.status), target=settings.target))
    if not parts and (config.stash[ERRORS] or exit_status == pytest.ExitCode.NO_TESTS_COLLECTED):
        why = "the suites could not run" if config.stash[ERRORS] else "no test was selected"
        parts.append(Results(stopped=(why, COULD_NOT_TEST), target=settings.target))
    if not parts:
        return
    results = Results.merged(parts)
    results.errors = config.stash[ERRORS]
    if results.stopped is None and exit_status == pytest.ExitCode.INTERRUPTED:
        results.stopped = ("it was interrupted", COULD_NOT_TEST)
    report = build(results, started=config.stash[STARTED], seed=settings.seed, run_id=settings.run_id)
    if settings.plan and cannot is None:
        session.exitstatus = pytest.ExitCode.OK
        return
    config.stash[REPORT] = report
    config.stash[UNWRITTEN] = unwritten = list(_write(report, settings))
    if report.exit_status or unwritten:
        session.exitstatus = report.exit_status or WRONG_USE


def _results_of(run: Run) -> Results:
    """What a run came to so far."""
    stop = run.guard.stopped
    return Results(
        findings=run.findings,
        requests=run.guard.requests,
        payments=run.record.payments,
        stopped=None if stop is None else (stop.reason, stop.status),
        target=run.target.name,
        base_url=run.target.base_url,
        with_token=run.target.wants_token,
    )


def _write(report: Report, settings: Settings) -> Iterator[str]:
    for path, write in ((settings.report, write_html), (settings.json, write_json)):
        if path is not None:
            try:
                write(report, path)
            except OSError as error:
                # What was paid for is still to be shown.
                yield f"{path} could not be written: {error.strerror}."
