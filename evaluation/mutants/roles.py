"""The roles in which a mutant is met: the mock by default, in a revision, with the answers of a profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluation.engine import Suites


@dataclass(frozen=True, slots=True)
class Role:
    """How the mock is started; `answers` are those of its profile."""

    name: str
    revision: str = "page"
    answers: Mapping[str, str] = field(default_factory=dict)


BY_DEFAULT = Role("by default")
_JULY = Role("in July 2026", "2026-07")
_RECORDING = Role(
    "that records otherwise",
    answers={
        "A9a": "the same payment", "A10d": "404", "A10g": "200, the original", "A12a": "Financed",
        "A12b": "unchanged", "A14b": "counts", "A14d": "that of the load", "A16b": "the time of the replay",
        "A20a": "off by less than a cent",
    },
)  # fmt: skip
_REFUSING = Role(
    "that refuses more",
    answers={
        "A7": "409", "A12c": "Completed", "A13": "400", "A14c": "does not count",
        "A16a": "unchanged", "Q20": "840", "Q49": "accepted",
    },
)  # fmt: skip
STAGES: tuple[tuple[Role, Suites], ...] = (
    (BY_DEFAULT, ("smoke",)),
    (_JULY, ("smoke",)),
    (_RECORDING, ("smoke", "rejects")),
    (_REFUSING, ("smoke", "table")),
    (BY_DEFAULT, ("rejects", "reads", "table", "concurrency", "model")),
)
"""Each meets what those before it have not found; what is quick comes first."""
