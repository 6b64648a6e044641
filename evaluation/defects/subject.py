"""A seeded defect as a subject of the suites."""

from functools import partial

from evaluation.defects import Defect
from evaluation.engine import Subject
from evaluation.reference.subject import opened

SETTLE_SECONDS = 0.2
"""No defect is a lag: nobody need wait as long as for a real service."""


def seeded(defect: Defect) -> Subject:
    """A documented defect is found by a failed clause; others also by an observation that differs."""
    return Subject(
        defect.id,
        partial(opened, defect.service, settle=SETTLE_SECONDS),
        group=f"{defect.grade} defects",
        sentence=f"{defect.sentence} ({', '.join(defect.clauses)})",
        found_by=frozenset({"failed"} if defect.grade == "documented" else {"failed", "seen"}),
    )
