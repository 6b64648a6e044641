"""The clauses that are asserted, read from contract/clauses.yaml: id, grade, words."""

from dataclasses import dataclass
from typing import Literal

import yaml

from contract_tests.rules import documents

Grade = Literal["documented", "published", "assumed"]
GRADES: tuple[Grade, ...] = ("documented", "published", "assumed")

NOT_PAYABLE = "Load must be in one of: Invoiced, Completed, Financed."
NOT_POSITIVE = "Amount must be greater than zero."
NO_REFERENCE = "The ReferenceNumber field is required."
PAYABLE_STATUSES = ("Invoiced", "Completed", "Financed")
STATUSES = (
    "In Review", "Open", "Quoted", "Reserved", "Covered", "Dispatched", "In Transit", "Delivered", "TONU",
    "Released", "Queued", "Invoiced", "Financed", "Completed", "Paid", "Cancelled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clause:
    """A fact that a target must respect. `sentence` is as near to the source's words as one line allows."""

    id: str
    grade: Grade
    sentence: str


_ROWS = yaml.load(documents.CLAUSES.read_text("utf-8"), yaml.CSafeLoader)

CLAUSES: dict[str, Clause] = {key: Clause(key, row["grade"], row["sentence"]) for key, row in _ROWS.items()}
"""Clause by id, in the order of the file."""


def worded(revision: str) -> dict[str, Clause]:
    """The clauses that a revision words otherwise than the page, by id."""
    return {key: Clause(key, row["grade"], row[revision]) for key, row in _ROWS.items() if revision in row}
