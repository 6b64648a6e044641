"""A seeded defect as a subject of the suites."""

from functools import partial

from evaluation.defects import Defect
from evaluation.engine import Subject
from evaluation.reference.subject import opened


def seeded(defect: Defect) -> Subject:
    """A documented defect is found by a failed clause; others also by an observation that differs."""
    return Subject(
        defect.id,
        partial(opened, partial(defect.service, freedoms=defect.freedoms), defect.freedoms, paced=True),
        group=f"{defect.grade if defect.kind == 'seeded' else defect.kind} defects",
        sentence=f"{defect.sentence} ({', '.join(defect.clauses)})",
        found_by=frozenset({"failed"} if defect.grade == "documented" else {"failed", "seen"}),
    )
