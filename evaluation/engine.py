"""Runs the suites against something wrong, or right in its own way, and says what became of it."""

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias
from unittest import mock

from rich.console import Console
from rich.progress import track

from evaluation.forks import run_all

Suites: TypeAlias = tuple[str, ...]
Fate = Literal["failed", "broken", "seen", "passed"]
"""A clause failed; the run could not be made; an observation differed from the correct one; or nothing."""
SUITES: Suites = ("smoke", "rejects", "reads", "table", "model", "concurrency", "fuzz")
PASSED, FAILED = 0, 1  # exit statuses of alvys-contract


@dataclass(frozen=True, slots=True)
class Subject:
    """What the suites run against. `sentence` says what is wrong with it.

    `found_by` are the fates that count as found; `excuse` says why none of them need come. `opened` gets
    the suites and a folder of the run's own, has the subject under test for as long as the block lasts,
    and gives the arguments with which alvys-contract tests it.
    """

    id: str
    opened: Callable[[Suites, Path], AbstractContextManager[Sequence[str]]]
    group: str = ""
    sentence: str = ""
    excuse: str = ""
    found_by: frozenset[Fate] = frozenset({"failed"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. `status` is None if it did not end; `observed` maps a question to its answers."""

    status: int | None = None
    requests: int = 0
    payments: int = 0
    failed: tuple[str, ...] = ()
    observed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What suites give on the correct implementation, twice."""

    first: Outcome
    second: Outcome

    def differing(self, outcome: Outcome) -> tuple[str, ...]:
        """The questions that are answered otherwise than on the correct implementation.

        Some are only asked when requests meet in a certain way, and some are answered now this way, now
        that: a question counts if all three runs have an answer, and the correct ones the same.
        """
        one, two = self.first.observed, self.second.observed
        steady = {question for question, answer in one.items() if two.get(question) == answer}
        return tuple(
            sorted(key for key in steady & outcome.observed.keys() if outcome.observed[key] != one[key])
        )

    def fate(self, outcome: Outcome) -> Fate:
        """What a run on something else shows."""
        if outcome.status == FAILED:
            return "failed"
        if outcome.status != PASSED:
            return "broken"
        return "seen" if self.differing(outcome) else "passed"


@dataclass(frozen=True, slots=True)
class Stage:
    """What suites that run together gave on the correct implementation and on each subject, by its id."""

    suites: Suites
    baseline: Baseline
    outcomes: dict[str, Outcome]
    seconds: float

    @property
    def false_alarms(self) -> list[Outcome]:
        """The runs on the correct implementation that did not pass."""
        return [one for one in (self.baseline.first, self.baseline.second) if one.status != PASSED]

    def fate(self, subject: Subject) -> Fate:
        """What the suites show of the subject."""
        return self.baseline.fate(self.outcomes[subject.id])

    def finds(self, subject: Subject) -> bool:
        """Whether the suites met the subject and found it."""
        return subject.id in self.outcomes and self.fate(subject) in subject.found_by


@contextlib.contextmanager
def in_place_of_the_mock(url: str) -> Iterator[None]:
    """Lets the suites meet what is served at a URL where they would start the mock."""
    in_place = contextlib.nullcontext(SimpleNamespace(url=url))
    with mock.patch("contract_tests.run.target.MockServer", return_value=in_place):
        yield


def hunt(
    subjects: Sequence[Subject], correct: Subject, stages: Sequence[Suites], *, jobs: int, rest: bool
) -> Iterator[Stage]:
    """Lets one stage after the other meet the subjects; with `rest`, only those not found before."""
    left = list(subjects)
    for suites in stages:
        if not left:
            return
        started = time.perf_counter()
        first, second, *others = run_each([correct, correct, *left], suites, jobs)
        outcomes = {subject.id: outcome for subject, outcome in zip(left, others, strict=True)}
        stage = Stage(suites, Baseline(first, second), outcomes, time.perf_counter() - started)
        yield stage
        left = [subject for subject in left if not (rest and stage.finds(subject))]


def run_each(subjects: Sequence[Subject], suites: Suites, jobs: int) -> list[Outcome]:
    """The outcomes of suites, in the order of the subjects."""
    return run_calls([partial(run, subject, suites) for subject in subjects], jobs)


def run_calls(calls: Sequence[Callable[[], Outcome]], jobs: int) -> list[Outcome]:
    """The outcomes of runs in forks, in the order of the calls."""
    _preload()
    found = dict(
        track(
            run_all(calls, jobs),
            total=len(calls),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,  # a thread must not be forked
            disable=not sys.stderr.isatty(),
        )
    )
    return [found[position] or Outcome() for position in range(len(calls))]


def _preload() -> None:
    """Imports what every run needs before the forks, because that takes seconds."""
    importlib.import_module("hypothesis.stateful")
    package = importlib.import_module("contract_tests")
    for module in pkgutil.walk_packages(package.__path__, "contract_tests."):
        if not re.search(r"suites|conftest|hooks|__main__", module.name):
            importlib.import_module(module.name)
    gc.freeze()  # pytest collects garbage twice a run: in a fork only its own then


def run(subject: Subject, suites: Suites) -> Outcome:
    """Runs the suites in this process, which is good for no other run afterwards."""
    started = time.perf_counter()
    output = io.StringIO()
    with (
        TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.dict(os.environ),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        for name in [name for name in os.environ if name.startswith(("ALVYS_", "GITHUB_"))]:
            del os.environ[name]
        status = _run(subject, suites, Path(folder))
        report = Path(folder) / "report.json"
        read = json.loads(report.read_text("utf-8")) if report.exists() else {}
    return _outcome(status, read, time.perf_counter() - started, output.getvalue())


def _run(subject: Subject, suites: Suites, folder: Path) -> int | None:
    try:
        with subject.opened(suites, folder) as arguments:
            # By its name: for a mutant it is imported anew.
            contract = importlib.import_module("contract_tests.run.cli").main
            contract.main(
                [
                    *("--seed", "1", "--json", str(folder / "report.json")),
                    *(f"--suite={suite}" for suite in suites),
                    *arguments,
                    *("--", "-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"),
                ],
                standalone_mode=False,
            )
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else None
    except Exception:  # noqa: BLE001 - a mutant may break the run itself
        traceback.print_exc()
        return None
    return PASSED


def _outcome(status: int | None, report: dict[str, Any], seconds: float, output: str) -> Outcome:
    return Outcome(
        status,
        requests=report.get("requests", 0),
        payments=len(report.get("payments", ())),
        failed=tuple(one["id"] for one in report.get("clauses", ()) if one["outcome"] == "failed"),
        # Without how often each answer was given.
        observed={
            one["id"]: " | ".join(sorted(one["observed"]))
            for one in report.get("observations", ())
            if one["observed"]
        },
        seconds=seconds,
        output=output,
    )
