"""Seeded defects: what an implementation of this API could get wrong, one small change each."""

from evaluation.defects import (
    ageing,
    amounts,
    concurrency,
    fidelity,
    idempotency,
    invoices,
    july,
    keys,
    limits,
    lookup,
    protocol,
    references,
    robustness,
    side_effects,
    status_gate,
    tokens,
    windows,
    workers,
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
    ageing,
    windows,
    keys,
    limits,
    workers,
    tokens,
    july,
    invoices,
)
