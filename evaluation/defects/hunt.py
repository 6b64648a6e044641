"""Runs a suite of the harness against a defect and tells whether the run shows it."""

import contextlib
import io
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, SimpleNamespace
from unittest import mock

import hypothesis.strategies  # noqa: F401 - before the forks, since it takes a second to import

from contract_tests.oracle import oracle  # noqa: F401 - for the same reason
from contract_tests.run import session  # noqa: F401 - for the same reason
from contract_tests.run import target as contract_target
from contract_tests.run.cli import main as harness
from contract_tests.run.settings import MOCK
from evaluation.defects import CATALOGUE, Defect
from evaluation.reference.freedoms import COMBINATIONS
from evaluation.reference.loads import by_status, opening_loads
from evaluation.reference.service import Service
from evaluation.reference.serving import serve

SUITES = ("reads", "rejects", "smoke", "table", "model", "concurrency", "fuzz")
CORRECT = "correct"
FAILED = 1
LIMIT_SECONDS = 180
# Smoke is judged within the budget that it promises, and keeps a record on the disk; the others get whatever
# they ask for, and don't wait for a disk.
SMOKE_BUDGET = ("--max-payments", "8", "--max-amount", "3.00")
NO_BUDGET = ("--max-payments", "1000000", "--max-amount", "1e600", "--max-requests", "1000000")


@dataclass(frozen=True, slots=True)
class Job:
    """Suites against one service: a defect of the catalogue, or a combination of freedoms."""

    suites: tuple[str, ...]
    subject: str
    examples: int = 20
    pytest_arguments: tuple[str, ...] = ()

    @property
    def is_smoke(self) -> bool:
        """Whether the subject is met as a service with real money."""
        return self.suites == ("smoke",)

    @property
    def service(self) -> Service:
        """The service, with loads of its own."""
        if self.subject in CATALOGUE:
            return CATALOGUE[self.subject].service(opening_loads())
        return Service(opening_loads(), COMBINATIONS.get(self.subject, COMBINATIONS["as_decided"]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `observed` maps a question to the answer, written out."""

    job: Job
    status: int | None
    requests: int = 0
    payments: int = 0
    failed: tuple[str, ...] = ()
    not_tested: tuple[str, ...] = ()
    observed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""

    def differs(self, correct: "Outcome") -> bool:
        """Whether the observations are others than those on the correct implementation."""
        return any(
            self.observed.get(question) != answer for question, answer in correct.observed.items()
        ) or any(question not in correct.observed for question in self.observed)

    def shows(self, defect: Defect, correct: "Outcome") -> bool:
        """Whether the run shows the defect: a documented one as a failure, others also otherwise."""
        if self.status == FAILED:
            return True
        return defect.grade != "documented" and self.differs(correct)


def run(job: Job) -> Outcome:
    """Serves the subject and runs the suite against it, in this process."""
    started = time.perf_counter()
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loads = folder / "loads.yaml"
        loads.write_text(json.dumps(by_status(opening_loads())))
        report = folder / "report.json"
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            _target(job) as target,
        ):
            status = _harness(
                [
                    *("--target", target, "--loads", str(loads), "--seed", "1", f"--examples={job.examples}"),
                    *(f"--suite={suite}" for suite in job.suites),
                    *("--json", str(report), "--record-payments"),
                    *(
                        ("--record", str(folder / "record.jsonl"), *SMOKE_BUDGET)
                        if job.is_smoke
                        else NO_BUDGET
                    ),
                    *("--", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"),
                    *job.pytest_arguments,
                ]
            )
        seconds = time.perf_counter() - started
        if not report.exists():
            return Outcome(job, status, seconds=seconds, output=output.getvalue())
        return _read(job, status, json.loads(report.read_text()), seconds, output.getvalue())


@contextlib.contextmanager
def _target(job: Job) -> Iterator[str]:
    """What the harness is told to test.

    Smoke is for services with real money, and meets the subject as one: by its URL. The other suites
    meet it in the place of the mock, where the guard lets out what no real service may get: payments on
    loads that nobody nominated, references that are not the suite's own.
    """
    with serve(job.service) as url:
        if job.is_smoke:
            yield url
        else:
            in_place = contextlib.nullcontext(SimpleNamespace(url=url))
            with mock.patch.object(contract_target, "MockServer", return_value=in_place):
                yield MOCK


def _harness(arguments: list[str]) -> int | None:
    """The exit status of the harness; None if it did not end in time."""
    previous = signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(LIMIT_SECONDS)
    try:
        harness.main(arguments, standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else None
    except TimeoutError:
        return None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return 0


def _too_late(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def _read(job: Job, status: int | None, report: dict[str, object], seconds: float, output: str) -> Outcome:
    clauses = [clause for clause in _list(report["clauses"]) if isinstance(clause, dict)]
    return Outcome(
        job,
        status,
        requests=int(str(report["requests"])),
        payments=len(_list(report["payments"])),
        failed=tuple(str(one["id"]) for one in clauses if one["outcome"] == "failed"),
        not_tested=tuple(str(one["id"]) for one in clauses if one["outcome"] == "not_tested"),
        observed={
            str(one["id"]): _answer(one["observed"])
            for one in _list(report["observations"])
            if isinstance(one, dict) and one["observed"]
        },
        seconds=seconds,
        output=output,
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _answer(observed: object) -> str:
    """The answers to a question, without how often each was given."""
    if isinstance(observed, dict):
        return " | ".join(sorted(map(str, observed)))
    return json.dumps(observed)


def run_all(jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Runs each job in a fork of its own, so that imports are paid for once and nothing is shared."""
    forks = multiprocessing.get_context("fork")
    with forks.Pool(processes, initializer=_begin, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(run, jobs)


def _begin() -> None:
    """Sends what the harness and pytest print past `sys.stdout` nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def stable(first: Outcome, second: Outcome) -> Outcome:
    """The first outcome with only those observations that a second run repeats."""
    observed = {
        question: answer
        for question, answer in first.observed.items()
        if second.observed.get(question) == answer
    }
    return Outcome(
        first.job,
        first.status,
        first.requests,
        first.payments,
        first.failed,
        first.not_tested,
        observed,
        first.seconds,
        first.output,
    )


def jobs_for(suite: str, defects: Iterable[Defect]) -> list[Job]:
    """A run of the suite for each defect. A documented one may end at the first failure."""
    return [
        Job((suite,), defect.id, pytest_arguments=("-x",) if defect.grade == "documented" else ())
        for defect in defects
    ]
