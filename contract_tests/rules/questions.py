"""The questions that are only observed, read from contract/assumptions.yaml."""

from dataclasses import dataclass

import yaml

from contract_tests.rules.documents import ASSUMPTIONS


@dataclass(frozen=True, slots=True)
class Question:
    """What the contract leaves open. `expected` is what the mock does, in the words of an observation.

    `needs` is what a run must have or do to find out; nothing where the shorter suites suffice.
    """

    id: str
    question: str
    expected: str
    needs: str = ""


QUESTIONS: dict[str, Question] = {
    key: Question(key, row["question"], row["default"], row.get("needs", ""))
    # In C it takes an eighth of the time, and every process of a run reads it.
    for key, row in yaml.load(ASSUMPTIONS.read_text("utf-8"), yaml.CSafeLoader).items()
}
"""Question by id, in the order of the file."""
