"""The suites are green against a correct implementation, whatever freedom it takes."""

import os

import pytest

from evaluation.defects.hunt import SUITES, Job, Outcome, run_all
from evaluation.reference.freedoms import COMBINATIONS

GENERATING = ("fuzz",)
OTHERS = tuple(suite for suite in SUITES if suite not in GENERATING)


JOBS = {
    f"generated, {combination}": Job(GENERATING, combination, examples=3)
    for combination in ("plain_text", "vendor_like")
} | {combination: Job(OTHERS, combination, examples=10) for combination in COMBINATIONS}
"""The longest first, so that no process has the last of them to itself."""


@pytest.fixture(scope="module")
def outcomes() -> dict[Job, Outcome]:
    """What the suites say to each job; all of them are run at once, to save time."""
    return {outcome.job: outcome for outcome in run_all(list(JOBS.values()), os.cpu_count() or 1)}


@pytest.mark.parametrize("name", JOBS)
def test_suites_are_green_against(name: str, outcomes: dict[Job, Outcome]) -> None:
    outcome = outcomes[JOBS[name]]
    assert outcome.status == 0, f"violated: {', '.join(outcome.failed)}\n{outcome.output[-6000:]}"
