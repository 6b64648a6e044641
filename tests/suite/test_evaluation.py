"""The engine of `make evaluate` tells what is wrong from what is right; all that it is run on is there."""

import os
import re
import threading
from functools import cache

import pytest
from click.testing import CliRunner

from evaluation import engine, forks
from evaluation.__main__ import main
from evaluation.defects import CATALOGUE
from evaluation.defects.subject import seeded
from evaluation.engine import FAILED, PASSED, Outcome, Stage, Subject, Suites, hunt, run_each
from evaluation.mutants.mutation import Mutant, mutants_of
from evaluation.mutants.roles import STAGES
from evaluation.mutants.subject import mutated, unchanged
from evaluation.reference.subject import correct, freedom

JOBS = os.cpu_count() or 1
FATES = {
    "smoke": {
        "zero-is-accepted": "failed",  # documented
        "repeat-is-conflict": "failed",  # which leaves no room in the budget for replays
        "read-is-cached-for-half-a-minute": "failed",  # by the time that the limits take
        "one-of-two-replicas-is-stale": "failed",
        "trace-id-is-constant": "seen",  # assumed
        "null-amount-is-accepted": "passed",  # documented, but nothing that smoke tries
    },
    "reads": {"read-needs-no-token": "failed"},  # with tokens
    "rejects": {"null-amount-is-accepted": "failed"},
    "concurrency": {"payments-overwrite-each-other": "failed"},  # documented, a race
}


@cache
def stage(suite: str) -> Stage:
    defects = [CATALOGUE[name] for name in FATES[suite]]
    subjects = [seeded(defect) for defect in defects]
    return next(hunt(subjects, correct(defects[0].freedoms), [(suite,)], jobs=JOBS, rest=False))


@pytest.mark.parametrize(("suite", "name"), [(suite, name) for suite in FATES for name in FATES[suite]])
def test_suite_shows_a_defect_as_it_should(suite: str, name: str) -> None:
    subject = seeded(CATALOGUE[name])
    outcome = stage(suite).outcomes[name]
    assert stage(suite).fate(subject) == FATES[suite][name], outcome.output
    assert stage(suite).finds(subject) == (FATES[suite][name] != "passed")


@pytest.mark.parametrize("suite", FATES)
def test_suite_passes_the_correct_implementation(suite: str) -> None:
    assert [alarm.output for alarm in stage(suite).false_alarms] == []


def test_suites_pass_implementations_that_differ_where_the_contract_is_open() -> None:
    outcomes = run_each([freedom("plain_text", 3), freedom("vendor_like", 3)], ("smoke",), JOBS)
    assert [outcome.output for outcome in outcomes if outcome.status != PASSED] == []


def test_one_kind_of_defects_can_be_chosen() -> None:
    command = ["defects", "--suite=smoke", "--id=belongs-to-", "--group=production", "--list"]
    listed = CliRunner().invoke(main, command)
    assert set(re.findall(r"^reference-belongs-to-\S+", listed.output, re.MULTILINE)) == {
        defect.id for defect in CATALOGUE.values() if "belongs-to-" in defect.id
    }
    assert CliRunner().invoke(main, [*command, "--group=july"]).output == ""


def test_rest_leaves_out_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_each(subjects: list[Subject], _suites: Suites, _jobs: int) -> list[Outcome]:
        return [Outcome(FAILED if one.id == "zero-is-accepted" else PASSED) for one in subjects]

    monkeypatch.setattr(engine, "run_each", run_each)
    subjects = [seeded(CATALOGUE[name]) for name in ("zero-is-accepted", "null-amount-is-accepted")]
    stages = hunt(subjects, correct(), [("smoke",), ("rejects",)], jobs=1, rest=True)
    assert [list(one.outcomes) for one in stages] == [
        ["zero-is-accepted", "null-amount-is-accepted"],
        ["null-amount-is-accepted"],
    ]


@pytest.fixture(scope="module")
def mutant_stage() -> Stage:
    gate = next(one for one in mutants_of("domain") if "in PAYABLE_STATUSES:" in one.change)
    broken = Mutant("handlers", "handlers\n- a mock\n+ that does not start", "raise RuntimeError\n")
    return next(hunt([mutated(gate), mutated(broken)], unchanged(), [("smoke",)], jobs=JOBS, rest=True))


def test_suites_kill_a_mutant(mutant_stage: Stage) -> None:
    assert list(map(mutant_stage.baseline.fate, mutant_stage.outcomes.values())) == ["failed", "broken"]


def test_suites_pass_the_mock_as_it_is(mutant_stage: Stage) -> None:
    assert mutant_stage.false_alarms == []


def test_code_that_only_profiles_use_is_met_with_one() -> None:
    mutant = next(one for one in mutants_of("handlers") if "+ return recorded(document)" in one.change)
    role, suites = next((role, suites) for role, suites in STAGES if "A10g" in role.answers)
    found = next(hunt([mutated(mutant, role)], unchanged(role), [suites], jobs=JOBS, rest=True))
    assert [alarm.output for alarm in found.false_alarms] == []
    assert found.finds(mutated(mutant, role))


def test_run_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "LIMIT_SECONDS", 0.1)
    assert list(forks.run_all([threading.Event().wait], 1)) == [(0, None)]
