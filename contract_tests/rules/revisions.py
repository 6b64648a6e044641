"""The revisions of the contract that a target may speak, and the clauses that each words otherwise."""

from collections.abc import Mapping
from typing import Final, Literal

from contract_tests.rules.clauses import CLAUSES, Clause, worded

Revision = Literal["page", "2026-07"]
PAGE: Final = "page"
JULY: Final = "2026-07"
REVISIONS: Final[tuple[Revision, ...]] = (PAGE, JULY)

NOT_IN_JULY: Final = {"D4": "the revision 2026-07 shows no list of payments in its response"}
"""Clause -> why it can't be tested."""


def clauses_of(revision: Revision) -> Mapping[str, Clause]:
    """All clauses, as the revision words them."""
    if revision == PAGE:
        return CLAUSES
    return CLAUSES | worded(revision)
