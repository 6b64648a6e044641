"""`python -m evaluation.defects`: how many of the seeded defects each suite finds, and at what cost."""

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from evaluation.defects import CATALOGUE, Defect
from evaluation.defects.hunt import CORRECT, SUITES, Job, Outcome, jobs_for, run, run_all, stable

CONSOLE = Console(width=int(os.environ.get("COLUMNS", "110")))
Caught = dict[str, dict[str, bool]]
"""Suite -> defect -> whether the suite shows it."""


@click.command(name="defects")
@click.option(
    "--suite", "suites", multiple=True, type=click.Choice(SUITES), help="Only this suite; repeatable."
)
@click.option(
    "--defect", "ids", multiple=True, help="Only this defect; repeatable. Prints what the harness says."
)
@click.option("--category", "categories", multiple=True, help="Only defects of this category; repeatable.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="So many runs at a time.")
@click.option("--rest", is_flag=True, help="A suite meets only the defects that the suites before it missed.")
@click.option("--list", "only_list", is_flag=True, help="Print the catalogue and run nothing.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write which suite found what.")
def main(  # noqa: PLR0913 - one parameter for each option
    suites: Sequence[str],
    ids: Sequence[str],
    categories: Sequence[str],
    jobs: int,
    *,
    rest: bool,
    only_list: bool,
    file: Path | None,
) -> None:
    """Serve each seeded defect in turn and run the suites against it.

    A documented defect is found by a failed clause; a published or an assumed one also by an
    observation that differs from the one on the correct implementation.
    """
    unknown = set(ids) - CATALOGUE.keys()
    if unknown:
        message = f"there is no defect {', '.join(sorted(unknown))}"
        raise click.BadParameter(message, param_hint="--defect")
    wanted = [
        defect
        for defect in CATALOGUE.values()
        if (not ids or defect.id in ids) and (not categories or defect.category in categories)
    ]
    if only_list:
        _print_catalogue(wanted)
        return
    caught: Caught = {}
    failed = False
    for suite in suites or SUITES:
        left = [one for one in wanted if not (rest and any(found.get(one.id) for found in caught.values()))]
        correct, outcomes, seconds = _hunt(suite, left, jobs)
        failed |= correct.status != 0
        caught[suite] = {
            outcome.job.subject: outcome.shows(CATALOGUE[outcome.job.subject], correct)
            for outcome in outcomes
        }
        _print_suite(suite, correct, outcomes, caught[suite], seconds)
        if ids:
            _print_outcomes(outcomes, correct)
    _print_overall(wanted, caught)
    if file is not None:
        file.write_text(json.dumps(caught, indent=1))
    sys.exit(1 if failed or _missed(wanted, caught) else 0)


def _hunt(suite: str, defects: Sequence[Defect], jobs: int) -> tuple[Outcome, list[Outcome], float]:
    started = time.perf_counter()
    alone = Job((suite,), CORRECT)
    again = replace(alone, pytest_arguments=("-q",))
    first, second, *outcomes = run_all_sorted([alone, again, *jobs_for(suite, defects)], jobs)
    return stable(first, second), outcomes, time.perf_counter() - started


def run_all_sorted(jobs: Sequence[Job], processes: int) -> list[Outcome]:
    """The outcomes in the order of the jobs."""
    if len(jobs) == 1:
        return [run(jobs[0])]
    position = {job: number for number, job in enumerate(jobs)}
    return sorted(run_all(jobs, processes), key=lambda outcome: position[outcome.job])


def _print_catalogue(defects: Sequence[Defect]) -> None:
    table = Table("defect", "category", "breaks", "sentence", box=None)
    for defect in defects:
        table.add_row(
            defect.id, defect.category, f"{', '.join(defect.clauses)} ({defect.grade})", defect.sentence
        )
    CONSOLE.print(table)


def _print_suite(
    suite: str, correct: Outcome, outcomes: Sequence[Outcome], caught: dict[str, bool], seconds: float
) -> None:
    found = [outcome for outcome in outcomes if caught[outcome.job.subject]]
    parts = []
    for grade in ("documented", "published", "assumed"):
        ids = [outcome.job.subject for outcome in outcomes if CATALOGUE[outcome.job.subject].grade == grade]
        parts.append(f"{grade} {sum(caught[one] for one in ids)} of {len(ids)}")
    CONSOLE.print(
        f"[bold]{suite}[/]: {len(found)} of {len(outcomes)} ({_percent(len(found), len(outcomes))}): "
        f"{', '.join(parts)}"
    )
    CONSOLE.print(
        f"  on the correct implementation: exit {correct.status}, {correct.requests} requests, "
        f"{correct.payments} payments, {correct.seconds:.1f} s"
    )
    if correct.status:
        CONSOLE.print(f"  FALSE ALARM: {', '.join(correct.failed)}\n{correct.output[-3000:]}", markup=False)
    if found:
        requests = sorted(outcome.requests for outcome in found)
        CONSOLE.print(
            f"  requests for a defect that is found: {requests[0]} to {requests[-1]}, "
            f"median {statistics.median(requests):.0f}; {seconds:.0f} s in all"
        )
    missed = [outcome for outcome in outcomes if not caught[outcome.job.subject]]
    if missed:
        CONSOLE.print(f"  missed: {', '.join(_with_status(outcome) for outcome in missed)}", markup=False)


def _with_status(outcome: Outcome) -> str:
    """The defect, with the exit status where it is a surprise."""
    return outcome.job.subject if outcome.status == 0 else f"{outcome.job.subject} (exit {outcome.status})"


def _print_outcomes(outcomes: Sequence[Outcome], correct: Outcome) -> None:
    for outcome in outcomes:
        defect = CATALOGUE[outcome.job.subject]
        CONSOLE.print(f"  {defect.id}: {defect.sentence} Breaks {', '.join(defect.clauses)}.", markup=False)
        CONSOLE.print(
            f"  exit {outcome.status}, violated {', '.join(outcome.failed) or 'nothing'}", markup=False
        )
        for question in sorted({*outcome.observed, *correct.observed}):
            here, there = outcome.observed.get(question, "-"), correct.observed.get(question, "-")
            if here != there:
                CONSOLE.print(f"  {question}: {here}, correct: {there}", markup=False)
        CONSOLE.print(outcome.output[-3000:], markup=False)


def _missed(defects: Sequence[Defect], caught: Caught) -> list[Defect]:
    return [defect for defect in defects if not any(found.get(defect.id) for found in caught.values())]


def _print_overall(defects: Sequence[Defect], caught: Caught) -> None:
    missed = _missed(defects, caught)
    found = len(defects) - len(missed)
    CONSOLE.print(
        f"[bold]together[/] ({', '.join(caught)}): {found} of {len(defects)} "
        f"({_percent(found, len(defects))})"
    )
    for defect in missed:
        CONSOLE.print(
            f"  missed: {defect.id} ({defect.grade}, {', '.join(defect.clauses)}): {defect.sentence}"
        )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


if __name__ == "__main__":
    main()
