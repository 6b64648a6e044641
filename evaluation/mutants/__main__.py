"""`python -m evaluation.mutants`: which generic mutants of the rules the contract suites kill."""

import os
import queue
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from evaluation.mutants.explanations import Explanations
from evaluation.mutants.mutation import MODULES, Mutant, mutants
from evaluation.mutants.trial import (
    FAILED,
    NOTHING_TESTABLE,
    STAGES,
    Baseline,
    Outcome,
    Tree,
    judge,
    prepare,
)

CONSOLE = Console(width=int(os.environ.get("COLUMNS", "110")), highlight=False)


@click.command(name="mutants")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="So many mutants at a time.")
@click.option("--sample", type=click.IntRange(min=1), help="Only so many mutants, drawn at random.")
@click.option("--seed", default=0, show_default=True, help="What the sample is drawn with.")
@click.option("--only", default="", metavar="TEXT", help="Only mutants whose change has this text.")
@click.option("--list", "only_list", is_flag=True, help="Print the mutants and run nothing.")
def main(jobs: int, sample: int | None, seed: int, only: str, *, only_list: bool) -> None:
    """Change the rules of the mock in one place at a time and let the contract suites find out.

    A mutant is killed by a failed clause or a broken run, seen by an observation that the mock does
    not give, or survives. Exit status 1 if one survives that explained.toml does not explain.
    """
    reasons = Explanations.read()
    asked = [mutant for mutant in mutants() if only in mutant.change]
    wanted = [mutant for mutant in asked if mutant.definition not in reasons.by_definition]
    left_out = len(asked) - len(wanted)
    if sample is not None and sample < len(wanted):
        wanted = random.Random(seed).sample(wanted, sample)  # noqa: S311 - nothing secret
    if only_list:
        for mutant in wanted:
            CONSOLE.print(mutant.change, markup=False, soft_wrap=True)
        return
    started = time.perf_counter()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for outcome in _outcomes(wanted, jobs, Path(folder)):
            outcomes.append(outcome)
            _print(outcome, reasons)
    _print_summary(outcomes)
    CONSOLE.print(f"left out, in {', '.join(reasons.by_definition)}: {left_out}")
    unexplained = [one for one in outcomes if one.fate == "survived" and reasons.of(one.mutant) is None]
    CONSOLE.print(
        f"survived without an explanation: {len(unexplained)}; {time.perf_counter() - started:.0f} s"
    )
    sys.exit(1 if unexplained else 0)


def _outcomes(wanted: Sequence[Mutant], jobs: int, folder: Path) -> Iterator[Outcome]:
    """What becomes of each mutant, in their order; each job has a copy of the tree of its own."""
    origin, baselines = prepare(folder / "origin")
    trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for number in range(jobs):
        trees.put(Tree.copy(origin.folder, folder / str(number)))
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda mutant: _judge_in_a_free_tree(mutant, trees, baselines), wanted)
        yield from track(found, "mutants", total=len(wanted), console=Console(stderr=True), transient=True)


def _judge_in_a_free_tree(
    mutant: Mutant, trees: "queue.SimpleQueue[Tree]", baselines: Sequence[Baseline]
) -> Outcome:
    tree = trees.get()
    try:
        return judge(mutant, tree, baselines)
    finally:
        trees.put(tree)


def _print(outcome: Outcome, reasons: Explanations) -> None:
    """Prints a mutant that was not killed, or that need not have been explained."""
    why = reasons.of(outcome.mutant)
    if outcome.fate == "survived":
        note = why or "NOT EXPLAINED"
    elif outcome.fate == "seen":
        note = f"seen in {', '.join(outcome.questions)}"
    elif outcome.mutant.change in reasons.by_change:
        note = "is explained, but killed"
    else:
        return
    CONSOLE.print(f"{outcome.mutant.change}\n  {note}\n", markup=False, soft_wrap=True)


def _print_summary(outcomes: Sequence[Outcome]) -> None:
    for module in (*MODULES, ""):
        _print_counts(module or "all", [each for each in outcomes if module in ("", each.mutant.module)])
    killed = [outcome for outcome in outcomes if outcome.fate == "killed"]
    by_stage = Counter(outcome.stage for outcome in killed)
    for suites in STAGES:
        CONSOLE.print(f"killed by {', '.join(suites)}: {by_stage[suites]}")
    broken = [outcome for outcome in killed if outcome.status not in (FAILED, NOTHING_TESTABLE)]
    CONSOLE.print(f"of these, the mock did not start or did not end: {len(broken)}")


def _print_counts(name: str, outcomes: Sequence[Outcome]) -> None:
    fates = Counter(outcome.fate for outcome in outcomes)
    CONSOLE.print(
        f"{name}: {len(outcomes)} mutants, {fates['killed']} killed, {fates['seen']} seen, "
        f"{fates['survived']} survived"
    )


if __name__ == "__main__":
    main()
