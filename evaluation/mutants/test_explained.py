"""What explained.toml says is about mutants that there are."""

from evaluation.mutants.explanations import Explanations
from evaluation.mutants.mutation import mutants


def test_every_explanation_is_of_a_mutant() -> None:
    made = mutants()
    reasons = Explanations.read()
    patterns = {**reasons.surviving, **reasons.left_out}
    assert [one for one in patterns if not any(map(one.matches, made))] == []


def test_every_change_has_a_name_of_its_own() -> None:
    made = mutants()
    assert len(made) == len({mutant.change for mutant in made}) > 0
