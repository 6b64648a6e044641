"""Why some mutants may survive: what explained.toml says."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from evaluation.mutants.mutation import Mutant

FILE = Path(__file__).parent / "explained.toml"


@dataclass(frozen=True, slots=True)
class Explanations:
    """A reason for each change that may survive, and for each definition that is not mutated at all."""

    by_change: dict[str, str]
    by_definition: dict[str, str]

    @classmethod
    def read(cls) -> "Explanations":
        """Those of explained.toml."""
        reasons = tomllib.loads(FILE.read_text("utf-8"))["reason"]
        return cls(
            {change.strip(): reason["why"] for reason in reasons for change in reason.get("mutants", ())},
            {name: reason["why"] for reason in reasons for name in reason.get("definitions", ())},
        )

    def of(self, mutant: Mutant) -> str | None:
        """Why this mutant may survive; None if nothing says so."""
        return self.by_change.get(mutant.change)
