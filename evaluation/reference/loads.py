"""The loads that the reference implementation opens with: two of each payable status, one of each other."""

from collections.abc import Mapping
from decimal import Decimal

from evaluation.reference.service import PAYABLE, STATUSES
from evaluation.reference.values import Load


def opening_loads() -> dict[str, Load]:
    """Load number -> load. The second load of a payable status is in CAD, and belongs to somebody else."""
    loads = {}
    for position, status in enumerate(STATUSES):
        number = f"SL-{2000 + position}"
        loads[number] = Load(number, status)
        if status in PAYABLE:
            number = f"SL-{2500 + position}"
            loads[number] = Load(number, status, Decimal("99.5"), 124, "Maple Leaf Lumber")
    return loads


def by_status(loads: Mapping[str, Load]) -> dict[str, list[str]]:
    """Status -> load numbers, as the harness wants to be told."""
    found: dict[str, list[str]] = {}
    for number, load in loads.items():
        found.setdefault(load.status, []).append(number)
    return found
