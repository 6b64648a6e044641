"""The suites are green against a correct implementation, whatever freedom it takes."""

import os
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from tests.defects.hunt import SUITES, Job, Outcome, run_all
from tests.second.freedoms import COMBINATIONS, Freedoms

GENERATING = ("fuzz",)
OTHERS = tuple(suite for suite in SUITES if suite not in GENERATING)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """Combination -> what the suites say to it; all of them are run at once, to save time."""
    jobs = [Job(OTHERS, combination, examples=10) for combination in COMBINATIONS]
    return {outcome.job.subject: outcome for outcome in run_all(jobs, os.cpu_count() or 1)}


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_suites_are_green_against(combination: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[combination]
    assert outcome.status == 0, f"violated: {', '.join(outcome.violated)}\n{outcome.output[-6000:]}"


@pytest.mark.parametrize("switch", [switch.name for switch in fields(Freedoms)])
def test_combinations_exercise_every_position_of(switch: str) -> None:
    hint = get_type_hints(Freedoms)[switch]
    positions = {True, False} if hint is bool else set(get_args(hint))
    assert {getattr(freedoms, switch) for freedoms in COMBINATIONS.values()} == positions


def test_combinations_go_through_generated_requests() -> None:
    jobs = [Job(GENERATING, combination, examples=3) for combination in ("plain_text", "vendor_like")]
    outcomes = list(run_all(jobs, 2))
    assert [outcome.status for outcome in outcomes] == [0, 0], [
        outcome.output[-3000:] for outcome in outcomes
    ]
