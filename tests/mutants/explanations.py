"""Why some mutants may survive: what explained.toml says."""

import tomllib
from pathlib import Path

FILE = Path(__file__).parent / "explained.toml"


def explanations() -> dict[str, str]:
    """The change of each mutant that may survive -> why it may."""
    entries = tomllib.loads(FILE.read_text("utf-8")).get("reason", [])
    return {change.strip(): entry["why"] for entry in entries for change in entry["mutants"]}
