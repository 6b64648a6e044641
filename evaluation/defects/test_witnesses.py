"""Every seeded defect differs from the correct implementation, and its witness shows where."""

from collections import Counter

import pytest

from evaluation.defects import CATALOGUE, Defect
from evaluation.defects.defect import Table, responds
from evaluation.reference.loads import opening_loads
from evaluation.reference.messages import Clock, exchange
from evaluation.reference.service import Service

AT_LEAST = {
    "idempotency": 12,
    "status gate": 6,
    "amount and currency": 10,
    "reference": 6,
    "load look-up": 3,
    "robustness": 7,
    "side effects": 8,
    "fidelity": 10,
    "protocol": 5,
    "concurrency": 3,
}
OF_KIND = {"production": 40, "july": 8, "invoices": 6}


@pytest.mark.parametrize("defect", CATALOGUE.values(), ids=lambda defect: str(defect.id))
def test_witness_tells_the_defect_from_the_correct(defect: Defect) -> None:
    witness = defect.witness
    correct, defective = (
        exchange(service(opening_loads(), defect.freedoms, clock), witness.requests, clock)
        for service, clock in ((Service, Clock()), (defect.service, Clock()))
    )
    assert witness.sees(correct) == witness.correct, correct
    assert witness.sees(defective) != witness.correct, defective


def test_catalogue_covers_every_category() -> None:
    counts = Counter[str](defect.category for defect in CATALOGUE.values())
    assert {category: counts[category] >= least for category, least in AT_LEAST.items()} == dict.fromkeys(
        AT_LEAST, True
    )


def test_catalogue_covers_every_kind() -> None:
    counts = Counter[str](defect.kind for defect in CATALOGUE.values())
    assert {kind: counts[kind] >= least for kind, least in OF_KIND.items()} == dict.fromkeys(OF_KIND, True)


def test_sentences_are_all_different() -> None:
    assert len({defect.sentence for defect in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize(
    "change", [lambda amount: amount > 0, lambda _s, amount, more: amount > more], ids=["too few", "too many"]
)
def test_row_takes_no_function_that_the_parent_would_call_otherwise(change: object) -> None:
    with pytest.raises(TypeError):
        Table("protocol")("a-defect", "R1", "A sentence.")(responds(200), is_positive=change)
    assert "a-defect" not in CATALOGUE
