"""pytest's side of a run: its options, the fixtures that suites use, what a test found, the report."""

import os
import pickle
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import click
import pytest
from rich.console import Console

from contract_tests.report.results import BrokenTest
from contract_tests.rules.clauses import GRADES
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import ClauseFailedError, Findings
from contract_tests.rules.values import visible
from contract_tests.run.cli import OPTIONS, PACKAGE, settings_from
from contract_tests.run.grades import complaint_about, ids_of, position_of, suite_of
from contract_tests.run.preflight import CannotRun
from contract_tests.run.run import Run, open_run
from contract_tests.run.session import SESSION, Session
from contract_tests.run.settings import SUITES, Settings
from contract_tests.run.target import Target
from contract_tests.safety.client import GuardedClient
from contract_tests.safety.guard import Refused, Stop

_PREFIX: Final = "alvys_"
"""Keeps the names of our options apart from those of other plugins."""
_GENERATING: Final = frozenset({"model", "fuzz"})
"""The suites that generate examples with Hypothesis."""
_EXPLAINED = (ClauseFailedError, Stop, pytest.exit.Exception)
"""A failure is kept once, however many tests meet it; a stop has its own line in the report."""
_OUTPUT: Final = "alvys_contract"


# --- the session begins ---------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds every option of `alvys-contract`."""
    group = parser.getgroup("alvys", "contract tests of the Alvys customer payments")
    for option in OPTIONS:
        action = "store_true" if option.is_flag else "append" if option.multiple else "store"
        group.addoption(option.opts[0], dest=f"{_PREFIX}{option.name}", action=action, help=option.help)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Checks the options before anything else is done; declares the marks."""
    given = {option.name: config.getoption(f"{_PREFIX}{option.name}", None) for option in OPTIONS}
    try:
        settings = settings_from({name: value for name, value in given.items() if name})
    except click.UsageError as error:
        pytest.exit(error.format_message(), ExitStatus.USAGE)
    config.stash[SESSION] = Session(settings)
    for grade in GRADES:
        config.addinivalue_line(
            "markers", f"{grade}(*ids): why the test is true, with its clauses or questions"
        )
    config.addinivalue_line("markers", "suite(name): the suite that the test belongs to")
    if _GENERATING & set(settings.suites):
        # Only then, because the option alone makes Hypothesis' plugin import all of it.
        config.option.hypothesis_seed = str(settings.seed)
    # Workers of pytest-xdist get the options as they are now, with what was drawn by lot.
    config.option.alvys_seed = str(settings.seed)
    if settings.is_mock:
        config.option.alvys_run_id = settings.run_id
    elif config.getoption("tx", None) or _is_worker(config):
        message = (
            "pytest-xdist is for the mock: the budgets and the rate are kept by one process; leave -n out"
        )
        pytest.exit(message, ExitStatus.USAGE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the suites that were not chosen, without importing them."""
    suite = collection_path.stem.removeprefix("test_")
    here = collection_path.parent == PACKAGE / "suites"
    return True if here and suite in set(SUITES) - set(config.stash[SESSION].settings.suites) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses to run a test that does not say why it is true; puts the suites in their order."""
    wrong = [
        f"{item.nodeid}: {complaint}"
        for item in items
        if PACKAGE in item.path.parents and (complaint := complaint_about(item))
    ]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))
    items.sort(key=position_of)


# --- what the suites use --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run: the target is started or reached at the first use; ends the session if it cannot be."""
    session = request.config.stash[SESSION]
    try:
        with open_run(session.settings, os.environ) as opened:
            session.run = opened
            yield opened
    except CannotRun as reason:
        session.cannot = reason
        pytest.exit(reason.sentence, reason.status)


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    """The options of the run."""
    return request.config.stash[SESSION].settings


@pytest.fixture(scope="session")
def client(run: Run) -> GuardedClient:
    """The only way to the target."""
    return run.client


@pytest.fixture(scope="session")
def target(run: Run) -> Target:
    """What is under test."""
    return run.target


@pytest.fixture(scope="session")
def findings(run: Run) -> Findings:
    """Where suites and oracle put what they find out."""
    return run.findings


@pytest.fixture(scope="session")
def reference(run: Run) -> Callable[[], str]:
    """Gives the next reference of the run."""
    return run.reference


# --- what a test found ----------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Ends the session after the test in which the guard stopped the run."""
    session = item.config.stash[SESSION]
    session.failures_before = session.failures
    done = yield
    if session.run is not None and session.run.guard.stopped is not None:
        item.session.shouldstop = session.run.guard.stopped.reason
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Keeps what a fixture found."""
    with _kept(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Keeps what a test found, and to which suite the requests belong."""
    run, suite = item.config.stash[SESSION].run, suite_of(item)
    if run is not None and suite is not None:
        run.plan.suite = suite
    with _kept(item):
        yield


@contextmanager
def _kept(item: pytest.Item) -> Iterator[None]:
    """Keeps the failures that are raised; what the guard refused to send makes the test skipped."""
    session = item.config.stash[SESSION]
    refusals = 0 if session.run is None else session.run.guard.refusals
    try:
        yield
    except Refused as refused:
        _skip(item, refused.reason)
    except (ClauseFailedError, BaseExceptionGroup) as error:
        # A group is what Hypothesis could not repeat; on a service with state that is no excuse.
        if session.run is not None:
            for failed in _leaves(error):
                session.run.findings.keep(failed.failures)
        raise
    except Exception as error:
        # By its name, because Hypothesis takes longer to import than the shorter suites to run.
        refused_now = session.run is not None and session.run.guard.refusals > refusals
        if type(error).__name__ != "Unsatisfiable" or session.run is None or not refused_now:
            raise
        _skip(item, session.run.guard.last_refusal)


def _skip(item: pytest.Item, reason: str) -> NoReturn:
    reason = visible(reason)
    run = item.config.stash[SESSION].run
    if run is not None:
        for clause in ids_of(item):
            run.findings.cannot_test(clause, reason)
    pytest.skip(reason)


def _leaves(error: BaseException) -> Iterator[ClauseFailedError]:
    if isinstance(error, ClauseFailedError):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps a test that failed without a failure of a clause to show for it."""
    report = _escaped((yield))
    session = item.config.stash[SESSION]
    explained = session.failures > session.failures_before or (
        call.excinfo is not None and _is_explained(call.excinfo.value)
    )
    if report.failed and not explained:
        session.errors.append(BrokenTest(report.nodeid, report.longreprtext))
    return report


def _is_explained(error: BaseException) -> bool:
    """Whether all that an error comes to has its place in the report; a group is what Hypothesis raises."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_explained, error.exceptions))
    return isinstance(error, _EXPLAINED)


def _escaped(report: pytest.TestReport) -> pytest.TestReport:
    """The report with nothing in it that a target sent to steer the terminal of whoever reads it."""
    report.sections = [(name, visible(text, "\n\t")) for name, text in report.sections]
    text = visible(report.longreprtext, "\n\t")
    if report.failed and text != report.longreprtext:
        report.longrepr = text
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Keeps a module that cannot be collected."""
    report = yield
    if report.failed:
        collector.config.stash[SESSION].errors.append(BrokenTest(report.nodeid, report.longreprtext))
    return report


# --- the session ends -----------------------------------------------------------------------------


def _is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Takes over what a worker of pytest-xdist found out."""
    output = getattr(node, "workeroutput", None)
    part = output.get(_OUTPUT) if isinstance(output, dict) else None
    if isinstance(part, bytes):
        config: pytest.Config = vars(node)["config"]
        config.stash[SESSION].parts.append(pickle.loads(part))  # noqa: S301 - our own worker wrote it


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Makes the report, or hands what was found to the process that will."""
    config = session.config
    if _is_worker(config):
        vars(config)["workeroutput"][_OUTPUT] = pickle.dumps(config.stash[SESSION].results())
    elif not config.option.collectonly:
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        session.exitstatus = config.stash[SESSION].finish(exitstatus, Path(summary) if summary else None)


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Shows the report under pytest's own output."""
    config.stash[SESSION].show(Console())
