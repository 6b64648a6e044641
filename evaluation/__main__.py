"""`python -m evaluation`: what the suites find of what is wrong, and whether they pass what is right."""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from evaluation import plain_schemathesis
from evaluation.defects import CATALOGUE
from evaluation.defects.subject import seeded
from evaluation.engine import SUITES, Outcome, Subject, Suites, hunt, run, run_calls
from evaluation.mutants.explanations import Explanations
from evaluation.mutants.mutation import mutants
from evaluation.mutants.roles import STAGES
from evaluation.mutants.subject import mutated, unchanged
from evaluation.profiles import SUITES as SUITES_OF_PROFILES
from evaluation.profiles import round_trip
from evaluation.reference.freedoms import COMBINATIONS, Freedoms
from evaluation.reference.road import ROADS
from evaluation.reference.subject import at_the_end_of, correct, freedom
from evaluation.tally import HEADINGS, Tally, alarms

CONSOLE = Console(width=int(os.environ.get("COLUMNS", "110")), highlight=False)
ON_A_ROAD: Suites = ("reads", "rejects", "smoke")
"""What meets a service at the end of a bad road: the suites that a real service gets by default."""
GENERATED = ("plain_text", "vendor_like")
"""The combinations that the longest suite meets."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command."""

    jobs: int
    suites: Suites
    ids: tuple[str, ...]
    group: str
    sample: int | None
    rest: bool
    only_list: bool
    kills: int

    def chosen(self, subjects: Sequence[Subject]) -> list[Subject]:
        """The subjects that are asked for."""
        chosen = [
            one
            for one in subjects
            if self.group in one.group and (not self.ids or any(text in one.id for text in self.ids))
        ]
        if self.sample is not None and self.sample < len(chosen):
            chosen.sort(key=lambda one: one.id)
            return random.Random(1).sample(chosen, self.sample)  # noqa: S311 - nothing secret
        return chosen


@dataclass(slots=True)
class Summary:
    """What the kinds add to the end: rows of the table, the JSON document, whether all is as it should be."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    document: dict[str, object] = field(default_factory=dict)
    as_expected: bool = True


def _suites_on(free: Freedoms) -> Suites:
    """The suites that meet a correct service: where each payment must be waited for, not the long ones."""
    return ON_A_ROAD if free.lag_milliseconds else SUITES[:-1]


def _freedoms(options: Options, summary: Summary) -> None:
    # The longest first, so that no process has the last of them to itself.
    pairs = [(freedom(name, 3), SUITES[-1:]) for name in GENERATED]
    pairs += [(freedom(name, 10), _suites_on(free)) for name, free in COMBINATIONS.items()]
    pairs += [(at_the_end_of(name), ON_A_ROAD) for name in ROADS]
    chosen = options.chosen([subject for subject, _ in pairs])
    if options.only_list or not chosen:
        _list(chosen)
        return
    asked = {
        f"{one.id} ({', '.join(options.suites or suites)})": partial(run, one, options.suites or suites)
        for one, suites in pairs
        if one in chosen
    }
    _expect_to_pass("freedoms", asked, options, summary)


def _profiles(options: Options, summary: Summary) -> None:
    chosen = options.chosen([freedom(name, 0) for name, free in COMBINATIONS.items() if _is_played(free)])
    if options.only_list:
        _list(chosen)
        return
    asked = {one.id: partial(round_trip, one.id, options.suites or SUITES_OF_PROFILES) for one in chosen}
    _expect_to_pass("profiles", asked, options, summary)


def _is_played(free: Freedoms) -> bool:
    """Whether the mock, which is met without tokens and waits for nothing, can take the service's place."""
    return not free.lag_milliseconds and free.tokens == "unchecked"


def _expect_to_pass(
    kind: str, asked: Mapping[str, Callable[[], Outcome]], options: Options, summary: Summary
) -> None:
    """Makes the runs, each by its name; one that does not pass is a false alarm."""
    started = time.perf_counter()
    outcomes = dict(zip(asked, run_calls(list(asked.values()), options.jobs), strict=True))
    wrong = alarms(outcomes, CONSOLE)
    seconds = time.perf_counter() - started
    summary.rows.append((kind, str(len(outcomes)), "", "", "", "", str(wrong), f"{seconds:.0f}"))
    summary.document[kind] = {name: list(outcome.failed) for name, outcome in outcomes.items()}
    summary.as_expected &= not wrong


def _list(subjects: Sequence[Subject]) -> None:
    for one in subjects:
        CONSOLE.print(one.id, one.sentence, one.excuse, markup=False, soft_wrap=True)


def _defects(options: Options, summary: Summary) -> None:
    stages = [(suite,) for suite in options.suites or SUITES]
    chosen = options.chosen([seeded(one) for one in CATALOGUE.values()])
    names = {freedoms: name for name, freedoms in COMBINATIONS.items()}
    for freedoms in dict.fromkeys(one.freedoms for one in CATALOGUE.values()):
        subjects = [one for one in chosen if CATALOGUE[one.id].freedoms == freedoms]
        name = "defects" if freedoms == Freedoms() else f"defects in {names[freedoms]}"
        if subjects:
            _find(Tally(name, subjects, CONSOLE), correct(freedoms), stages, options, summary)


def _mutants(options: Options, summary: Summary) -> None:
    tried = {one.change: one for one in mutants() if not Explanations.read().leave_out(one)}
    tally = Tally(
        "mutants", options.chosen([mutated(one) for one in tried.values()]), CONSOLE, seen_is_enough=True
    )
    if options.only_list or not tally.subjects:
        _list(tally.subjects)
        return
    for role, suites in STAGES:
        left = tally.unfound() if options.rest else tally.subjects
        subjects = [mutated(tried[one.id], role) for one in left]
        stages: list[Suites] = [(suite,) for suite in options.suites] or [suites]
        for stage in hunt(subjects, unchanged(role), stages, jobs=options.jobs, rest=options.rest):
            CONSOLE.print(f"The mock {role.name}:")
            tally.add(stage)
    _report(tally, options, summary)


def _find(tally: Tally, right: Subject, stages: Sequence[Suites], options: Options, summary: Summary) -> None:
    if options.only_list or not tally.subjects:
        _list(tally.subjects)
        return
    for stage in hunt(tally.subjects, right, stages, jobs=options.jobs, rest=options.rest):
        tally.add(stage)
    _report(tally, options, summary)


def _report(tally: Tally, options: Options, summary: Summary) -> None:
    tally.print_runs() if options.ids else tally.print_unfound()
    summary.rows += tally.rows()
    summary.document[tally.name] = tally.report()
    summary.as_expected &= tally.as_expected


def _plain_schemathesis(options: Options, summary: Summary) -> None:
    plain = [seeded(one) for one in CATALOGUE.values() if one.kind == "seeded"]
    subjects = options.chosen(plain)
    summary.rows += plain_schemathesis.compare(subjects, options.jobs, CONSOLE)


def _durability(options: Options, summary: Summary) -> None:
    from evaluation.durability import runs  # noqa: PLC0415 - nobody else needs a database

    if options.only_list:
        CONSOLE.print(*runs.RUNS, sep="\n")
        return
    for name, go in runs.RUNS.items():
        if options.ids and not any(text in name for text in options.ids):
            continue
        started = time.perf_counter()
        ended = go(options.kills)
        seconds = time.perf_counter() - started
        CONSOLE.print(f"{name}: {ended.disturbances} times, {ended.acknowledged} payments acknowledged")
        for each in ended.contradictions:
            CONSOLE.print(f"  {each}", markup=False, soft_wrap=True)
        wrong = len(ended.contradictions)
        summary.rows.append((name, str(ended.disturbances), "", "", "", "", str(wrong), f"{seconds:.0f}"))
        summary.document[name] = ended._asdict()
        summary.as_expected &= not wrong


KINDS: dict[str, Callable[[Options, Summary], None]] = {
    "freedoms": _freedoms,
    "defects": _defects,
    "mutants": _mutants,
    "profiles": _profiles,
    "plain-schemathesis": _plain_schemathesis,
    "durability": _durability,
}
BY_DEFAULT = ("freedoms", "defects", "mutants", "profiles")


@click.command(name="evaluation")
@click.argument("kinds", nargs=-1, type=click.Choice(list(KINDS)))
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="So many runs at a time.")
@click.option(
    "--suite", "suites", multiple=True, type=click.Choice(SUITES), help="Only this suite; repeatable."
)
@click.option("--id", "ids", multiple=True, help="Only what has this in its id; prints what the runs said.")
@click.option("--group", default="", help="Only groups with this in their name, such as production.")
@click.option("--sample", type=click.IntRange(min=1), help="Only so many of each kind, drawn at random.")
@click.option(
    "--rest/--all", default=True, show_default=True, help="A suite meets what those before it missed, or all."
)
@click.option(
    "--kills",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="So many of each in durability.",
)
@click.option("--list", "only_list", is_flag=True, help="Print what there is and run nothing.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write which suites found what.")
def main(kinds: tuple[str, ...], file: Path | None, **options: object) -> None:
    """Run the suites against what is known to be right or wrong.

    KINDS are freedoms (correct implementations that use what the contract leaves open), defects (seeded
    in the reference implementation), mutants (generic, of the rules of the mock) and profiles (of the
    freedoms, played by the mock): these by default. And plain-schemathesis, which compares `st run` with
    the suites, and durability, which kills mocks whose state stays. Exit status 1 if something wrong was
    missed that no explanation excuses, or something right was called wrong.
    """
    summary = Summary()
    for kind in kinds or BY_DEFAULT:
        KINDS[kind](Options(**options), summary)  # type: ignore[arg-type]
    if options["only_list"]:
        return
    if options["ids"] and not summary.rows:
        raise click.BadParameter("Nothing has this in its id.", param_hint="--id")
    table = Table(*HEADINGS, box=None)
    for row in summary.rows:
        table.add_row(*row)
    CONSOLE.print(table)
    if file is not None:
        file.write_text(json.dumps(summary.document, indent=1), "utf-8")
    sys.exit(not summary.as_expected)


if __name__ == "__main__":
    main()
