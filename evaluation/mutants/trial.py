"""Runs the contract suites against a mutant, in a copy of the tree."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evaluation.mutants.mutation import MODULES, ROOT, Mutant

STAGES = (("smoke",), ("rejects", "reads", "table", "concurrency", "model"))
"""The suites that run together. A mutant meets a stage only if the ones before it did not kill it."""
NEEDED = ("mock_server", "contract_tests", "fixtures", "openapi.yaml")
PASSED, FAILED, NOTHING_TESTABLE = 0, 1, 3
LONGEST_RUN = 300.0

Fate = Literal["killed", "seen", "survived"]
"""Killed by a failed clause or a broken run; seen as an observation that the mock does not give."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the harness came to: its exit status, None when it was stopped for its length.

    `observed` maps each question to the answers that were given, without how often each was.
    """

    status: int | None
    seconds: float
    output: str
    observed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a stage gives on the mock as it is, twice."""

    first: Run
    second: Run

    def differing(self, run: Run) -> list[str]:
        """The questions that are answered otherwise than on the mock.

        Some are only asked when requests meet in a certain way, and some are answered so and so: a
        question counts if both runs on the mock, and this one, have an answer, and the mock has one only.
        """
        one, two = self.first.observed, self.second.observed
        steady = {question for question, answer in one.items() if two.get(question) == answer}
        return sorted(key for key in steady & run.observed.keys() if run.observed[key] != one[key])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant: the stage that killed it, and by which status, or what was seen."""

    mutant: Mutant
    fate: Fate
    stage: tuple[str, ...] = ()
    status: int | None = None
    questions: tuple[str, ...] = ()
    seconds: float = 0.0


class Tree:
    """A copy of what the suites need, to be changed and run without touching the working tree."""

    def __init__(self, folder: Path) -> None:
        """Takes a folder that `copy` has filled."""
        self.folder = folder
        self._sources = {module: self._path(module).read_text("utf-8") for module in MODULES}

    @classmethod
    def copy(cls, origin: Path, folder: Path) -> "Tree":
        """Copies the tree at the origin into a new folder, with the times that compiled modules rely on."""
        folder.mkdir()
        for name in NEEDED:
            if (origin / name).is_dir():
                shutil.copytree(origin / name, folder / name)
            else:
                shutil.copy2(origin / name, folder / name)
        return cls(folder)

    def write(self, module: str, source: str) -> None:
        """Changes a module, and forgets how it was compiled: a mutant may have its size and second."""
        self._path(module).write_text(source, "utf-8")
        for compiled in (self.folder / "mock_server" / "__pycache__").glob(f"{module}.*"):
            compiled.unlink()

    def restore(self, module: str) -> None:
        """Makes a module what it was."""
        self.write(module, self._sources[module])

    def run(self, suites: Sequence[str], *, compiles: bool = False) -> Run:
        """Runs the suites in a process of their own, against the mock of this tree."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        started = time.perf_counter()
        try:
            ended = subprocess.run(
                [
                    *(sys.executable, "-m", "contract_tests", "--seed", "1", "--json", str(report)),
                    *(f"--suite={suite}" for suite in suites),
                    *("--", "-x", "-p", "no:xdist"),
                ],
                cwd=self.folder,
                env=self._environment(compiles=compiles),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                check=False,
                timeout=LONGEST_RUN,
            )
        except subprocess.TimeoutExpired:
            return Run(None, time.perf_counter() - started, "")
        observed = _observed(report) if report.exists() else {}
        return Run(ended.returncode, time.perf_counter() - started, ended.stdout, observed)

    def _path(self, module: str) -> Path:
        return self.folder / "mock_server" / f"{module}.py"

    def _environment(self, *, compiles: bool) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ALVYS_")}
        # The path makes this tree's modules win over an editable installation of the working tree.
        kept["PYTHONPATH"] = str(self.folder)
        if compiles:
            kept.pop("PYTHONDONTWRITEBYTECODE", None)
        else:
            kept["PYTHONDONTWRITEBYTECODE"] = "1"
        return kept


def _observed(report: Path) -> dict[str, str]:
    rows = json.loads(report.read_text("utf-8"))["observations"]
    return {row["id"]: " | ".join(sorted(row["observed"])) for row in rows if row["observed"]}


def prepare(folder: Path) -> tuple[Tree, list[Baseline]]:
    """A tree whose unchanging modules are compiled, and what each stage gives on the mock as it is.

    Raises RuntimeError when a run on the mock as it is fails, or one on a mock that cannot work does not:
    then the modules of the tree are not the ones that are tested.
    """
    tree = Tree.copy(ROOT, folder)
    baselines = [Baseline(tree.run(suites, compiles=True), tree.run(suites)) for suites in STAGES]
    for baseline in baselines:
        for run in (baseline.first, baseline.second):
            if run.status != PASSED:
                raise RuntimeError(f"without a mutant the run ends with {run.status}:\n{run.output}")
    tree.write("domain", "raise RuntimeError\n")
    if tree.run(STAGES[0]).status == PASSED:
        raise RuntimeError("a mock that cannot be imported passes: another one is under test")
    tree.restore("domain")
    return tree, baselines


def judge(mutant: Mutant, tree: Tree, baselines: Sequence[Baseline]) -> Outcome:
    """Runs one stage after the other until one kills the mutant; the tree is as before afterwards."""
    seconds = 0.0
    seen: list[str] = []
    tree.write(mutant.module, mutant.source)
    try:
        for suites, baseline in zip(STAGES, baselines, strict=True):
            run = tree.run(suites)
            seconds += run.seconds
            if run.status != PASSED:
                return Outcome(mutant, "killed", suites, run.status, seconds=seconds)
            seen += baseline.differing(run)
    finally:
        tree.restore(mutant.module)
    questions = tuple(dict.fromkeys(seen))
    return Outcome(mutant, "seen" if seen else "survived", questions=questions, seconds=seconds)
