"""pytest's side of a run: options, the fixtures that suites use, the report at the end."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console

from contract_tests.report.results import BrokenTest
from contract_tests.rules.findings import ClauseFailedError, Findings
from contract_tests.run import grades
from contract_tests.run import session as kept
from contract_tests.run.options import OPTIONS, Kind, OptionError
from contract_tests.run.preflight import WRONG_USE
from contract_tests.run.run import Run
from contract_tests.run.settings import SUITES, Settings, resolve
from contract_tests.run.target import Target
from contract_tests.run.telling import tell
from contract_tests.safety.client import GuardedClient
from contract_tests.safety.guard import Refused, Stop

_ACTIONS = {Kind.VALUE: "store", Kind.FLAG: "store_true", Kind.LIST: "append"}
_EXPLAINED = (ClauseFailedError, Stop, pytest.exit.Exception)
"""A failure is kept once, however many tests meet it; a stop has its own line in the report."""
_REFUSALS_BEFORE = pytest.StashKey[int]()
_VIOLATIONS_BEFORE = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds every option of a run."""
    group = parser.getgroup("alvys", "contract tests of the Alvys customer payments")
    for option in OPTIONS:
        group.addoption(
            option.flag, dest=option.destination, action=_ACTIONS[option.kind], help=option.full_help
        )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Checks the options before anything else is done."""
    try:
        settings = resolve(kept.given(config), os.environ)
    except OptionError as error:
        pytest.exit(str(error), WRONG_USE)
    kept.start(config, settings)
    config.pluginmanager.register(grades)
    config.pluginmanager.register(_Errors(config.stash[kept.ERRORS]))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the suites that were not chosen, without importing them."""
    suite = collection_path.stem.removeprefix("test_")
    here = collection_path.parent == Path(__file__).parents[1] / "suites"
    if here and suite in SUITES and suite not in config.stash[kept.SETTINGS].suites:
        return True
    return None


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run: the target is started or reached at the first use."""
    with kept.opened(request.config) as opened:
        yield opened


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    """The options of the run."""
    return request.config.stash[kept.SETTINGS]


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Ends the session after the test in which the guard stopped the run."""
    run = item.config.stash.get(kept.RUN, None)
    item.stash[_VIOLATIONS_BEFORE] = 0 if run is None else len(run.findings.failures)
    item.stash[_REFUSALS_BEFORE] = 0 if run is None else run.guard.refusals
    done = yield
    guard = item.config.stash.get(kept.GUARD, None)
    if guard is not None and guard.stopped is not None:
        item.session.shouldstop = guard.stopped.reason
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test whose requests the guard refused, all that mattered of them, tested nothing."""
    try:
        yield
    except Refused as refused:
        _not_tested(item, refused.reason)
    except Exception as error:
        run = item.config.stash.get(kept.RUN, None)
        refused_now = run is not None and run.guard.refusals > item.stash[_REFUSALS_BEFORE]
        # By its name, because Hypothesis takes longer to import than the shorter suites to run.
        if type(error).__name__ != "Unsatisfiable" or run is None or not refused_now:
            raise
        _not_tested(item, run.guard.last_refusal)


def _not_tested(item: pytest.Item, reason: str) -> NoReturn:
    run = item.config.stash.get(kept.RUN, None)
    if run is not None:
        for clause in grades.ids_of(item):
            run.findings.cannot_test(clause, reason)
    pytest.skip(f"not tested: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes whether a failed test has a failure to show for it."""
    report = yield
    if report.failed:
        run = item.config.stash.get(kept.RUN, None)
        found = run is not None and len(run.findings.failures) > item.stash[_VIOLATIONS_BEFORE]
        known = call.excinfo is not None and call.excinfo.errisinstance(_EXPLAINED)
        vars(report)["alvys_explained"] = found or known
    return report


class _Errors:
    """Keeps what failed and no failure explains. A plugin, because these hooks know no config."""

    def __init__(self, errors: list[BrokenTest]) -> None:
        self._errors = errors

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test."""
        if report.failed and getattr(report, "alvys_explained", None) is False:
            self._errors.append(BrokenTest(report.nodeid, report.longreprtext))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be collected."""
        if report.failed:
            self._errors.append(BrokenTest(report.nodeid, report.longreprtext))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Takes over what a worker of pytest-xdist found out."""
    config = vars(node)["config"]
    kept.take_over(config, getattr(node, "workeroutput", None))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Makes the report, or hands it to the process that will."""
    if kept.is_worker(session.config):
        kept.hand_over(session.config)
    elif not session.config.option.collectonly:
        kept.finish(session, exitstatus)


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Shows the report under pytest's own output."""
    tell(config, Console())
