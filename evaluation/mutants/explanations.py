"""Why some mutants may survive: what explained.toml says."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from evaluation.mutants.mutation import Mutant

FILE = Path(__file__).parent / "explained.toml"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Wildcards for a definition, for the lines that a change takes away, and for those that it adds."""

    at: str
    before: str = "*"
    after: str = "*"

    def matches(self, mutant: Mutant) -> bool:
        """Whether it is of this mutant."""
        lines = mutant.change.splitlines()[1:]
        taken, added = ([line[2:] for line in lines if line[0] == sign] or [""] for sign in "-+")
        return (
            fnmatchcase(mutant.definition, self.at)
            and any(fnmatchcase(line, self.before) for line in taken)
            and any(fnmatchcase(line, self.after) for line in added)
        )


@dataclass(frozen=True, slots=True)
class Explanations:
    """The patterns of changes that may survive, each with its reason, and of those that are left out."""

    surviving: dict[Pattern, str]
    left_out: dict[Pattern, str]

    @classmethod
    @cache
    def read(cls) -> "Explanations":
        """Those of explained.toml."""
        reasons = tomllib.loads(FILE.read_text("utf-8"))["reason"]
        return cls(
            {Pattern(**change): each["why"] for each in reasons for change in each.get("changes", ())},
            {Pattern(at): each["why"] for each in reasons for at in each.get("left_out", ())},
        )

    def of(self, mutant: Mutant) -> str | None:
        """Why this mutant may survive; None if nothing says so."""
        return next((why for pattern, why in self.surviving.items() if pattern.matches(mutant)), None)

    def leave_out(self, mutant: Mutant) -> bool:
        """Whether no suite need meet this mutant."""
        return any(pattern.matches(mutant) for pattern in self.left_out)
