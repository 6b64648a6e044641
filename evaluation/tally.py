"""What was found of some subjects, printed and as rows of the table at the end."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from evaluation.engine import PASSED, Outcome, Stage, Subject, Suites

HEADINGS = ("", "number", "found", "only seen", "explained", "missed", "false alarms", "seconds")


@dataclass(slots=True)
class Tally:
    """What the stages of a hunt gave. With `seen_is_enough` an observation is no miss, though no find."""

    name: str
    subjects: Sequence[Subject]
    console: Console
    seen_is_enough: bool = False
    stages: list[Stage] = field(default_factory=list)

    def found_by(self, subject: Subject) -> Suites | None:
        """The first suites that found it."""
        return next((stage.suites for stage in self.stages if stage.finds(subject)), None)

    def seen(self, subject: Subject) -> tuple[str, ...]:
        """The questions that were answered otherwise, if it was not found."""
        if self.found_by(subject):
            return ()
        met = [stage for stage in self.stages if subject.id in stage.outcomes]
        seen = [
            question for stage in met for question in stage.baseline.differing(stage.outcomes[subject.id])
        ]
        return tuple(dict.fromkeys(seen))

    def unfound(self) -> list[Subject]:
        """Those that are neither found nor, where that is enough, seen."""
        return [
            one
            for one in self.subjects
            if not self.found_by(one) and not (self.seen_is_enough and self.seen(one))
        ]

    @property
    def as_expected(self) -> bool:
        """Whether nothing is missed without an excuse, and nothing correct was called wrong."""
        return all(one.excuse for one in self.unfound()) and not any(one.false_alarms for one in self.stages)

    def report(self) -> dict[str, list[str]]:
        """Subject -> the suites that found it."""
        return {one.id: list(self.found_by(one) or ()) for one in self.subjects}

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row of the table for each group, and one for all of them."""
        groups = list(dict.fromkeys(one.group for one in self.subjects))
        for group in groups:
            yield (group, *self._counts([one for one in self.subjects if one.group == group]), "", "")
        alarms = sum(len(stage.false_alarms) for stage in self.stages)
        seconds = sum(stage.seconds for stage in self.stages)
        yield (f"all {self.name}", *self._counts(self.subjects), str(alarms), f"{seconds:.0f}")

    def _counts(self, subjects: Sequence[Subject]) -> tuple[str, ...]:
        unfound = [one for one in self.unfound() if one in subjects]
        excused = [one for one in unfound if one.excuse]
        found = [one for one in subjects if self.found_by(one)]
        seen = len(subjects) - len(found) - len(unfound)
        counts = (len(subjects), len(found), seen, len(excused), len(unfound) - len(excused))
        return tuple(map(str, counts))

    def add(self, stage: Stage) -> None:
        """Takes what a stage gave, and prints it in short."""
        self.stages.append(stage)
        found = [one for one in self.subjects if stage.finds(one)]
        first = stage.baseline.first
        met = Counter(one.group for one in self.subjects if one.id in stage.outcomes)
        groups = Counter(one.group for one in found)
        self._print(
            f"{', '.join(stage.suites)}: {len(found)} of {len(stage.outcomes)} found, {stage.seconds:.0f} s ("
            + ", ".join(f"{name} {groups[name]} of {count}" for name, count in met.items())
            + f"); correct: {first.requests} requests, {first.payments} payments, {first.seconds:.1f} s"
        )
        if found:
            requests = sorted(stage.outcomes[one.id].requests for one in found)
            self._print(
                f"  requests: {requests[0]} to {requests[-1]}, median {statistics.median(requests):.0f}"
            )
        for outcome in stage.false_alarms:
            self._print(f"  FALSE ALARM: {_said(outcome)}")

    def print_unfound(self) -> None:
        """Prints what was not found, and why it need not be."""
        for one in self.subjects:
            if self.seen(one):
                self._print(f"only seen, in {', '.join(self.seen(one))}: {one.id} {one.sentence}\n")
        for one in self.unfound():
            self._print(f"not found: {one.id} {one.sentence}\n  {one.excuse or 'NOT EXPLAINED'}\n")

    def print_runs(self) -> None:
        """Prints what every run said."""
        for stage in self.stages:
            for one in self.subjects:
                if outcome := stage.outcomes.get(one.id):
                    differing = ", ".join(stage.baseline.differing(outcome)) or "nothing"
                    self._print(f"{', '.join(stage.suites)}: {one.id} {one.sentence} {stage.fate(one)}")
                    self._print(f"  observed otherwise: {differing}; {_said(outcome)}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def alarms(outcomes: dict[str, Outcome], console: Console) -> int:
    """Prints and counts the runs on something correct that did not pass."""
    wrong = {name: outcome for name, outcome in outcomes.items() if outcome.status != PASSED}
    for name, outcome in wrong.items():
        console.print(f"FALSE ALARM on {name}: {_said(outcome)}", markup=False, soft_wrap=True)
    return len(wrong)


def _said(outcome: Outcome) -> str:
    failed = ", ".join(outcome.failed) or "nothing"
    return f"exit {outcome.status}, failed: {failed}\n{outcome.output[-3000:]}"
