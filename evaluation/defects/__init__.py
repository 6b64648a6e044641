"""Seeded defects: what an implementation of this API could get wrong, one small change each."""

from evaluation.defects import (
    amounts,
    concurrency,
    fidelity,
    idempotency,
    lookup,
    protocol,
    references,
    robustness,
    side_effects,
    status_gate,
)
from evaluation.defects.defect import CATALOGUE, Defect

__all__ = ["CATALOGUE", "MODULES", "Defect"]
MODULES = (
    idempotency,
    status_gate,
    amounts,
    references,
    lookup,
    robustness,
    side_effects,
    fidelity,
    protocol,
    concurrency,
)
