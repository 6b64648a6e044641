"""What explained.toml says is about mutants that there are."""

import pytest

from evaluation.mutants.explanations import Explanations
from evaluation.mutants.mutation import Mutant, mutants


@pytest.fixture(scope="module")
def made() -> list[Mutant]:
    return mutants()


def test_every_explanation_is_of_a_mutant(made: list[Mutant]) -> None:
    explained = Explanations.read()
    assert explained.by_change.keys() - {mutant.change for mutant in made} == set()
    assert explained.by_definition.keys() - {mutant.definition for mutant in made} == set()


def test_every_change_has_a_name_of_its_own(made: list[Mutant]) -> None:
    assert len(made) == len({mutant.change for mutant in made}) > 0
