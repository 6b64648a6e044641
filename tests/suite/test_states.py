"""The suite against the mock on each of its states."""

import json
from typing import Any

from evaluation.durability.database import PostgreSQL
from tests.mock.states import STATES, opened
from tests.suite.shell import Shell


def steady(report: Any) -> Any:
    """What two runs on one state have in common: all but ids, times and the number of responses."""
    return {
        **{name: report[name] for name in ("verdict", "exit_status", "requests", "observations", "errors")},
        "payments": sorted(
            [each[name] for name in ("load", "reference", "amount", "currency", "outcome", "status")]
            for each in report["payments"]
        ),
        "clauses": [{**each, "evidence": each["evidence"]["failures"]} for each in report["clauses"]],
    }


def test_suite_observes_the_same_on_every_state(run: Shell, postgresql: PostgreSQL) -> None:
    reports: dict[str, Any] = {}
    for kind in STATES:
        with opened(kind, run.folder, postgresql if kind == "postgresql" else None) as state:
            chosen = [] if kind == "memory" else ["--state", state]
            ended = run(
                "--suite", "smoke", "--seed", "1", "--run-id", "same", *chosen, "--json", f"{kind}.json"
            )
        assert ended.status == 0, ended.out + ended.err
        report = json.loads((run.folder / f"{kind}.json").read_text("utf-8"))
        reports[kind] = steady(report)
    assert reports["memory"]["payments"]
    assert reports["sqlite"] == reports["memory"]
    assert reports["postgresql"] == reports["memory"]


def test_state_of_a_service_is_its_own(run: Shell) -> None:
    ended = run("--target", "https://qaapi.alvys.net", "--state", "sqlite:///x.db")
    assert ended.status == 2
    assert "--state is for the mock that the run starts, not for a target at a URL." in ended.err


def test_state_that_cannot_be_opened_is_named(run: Shell) -> None:
    for state, reason in (("nonsense", "it must be memory"), ("sqlite:////nowhere/x.db", "unable to open")):
        ended = run("--suite", "reads", "--state", state)
        assert ended.status == 2
        assert "--state: " in ended.out + ended.err
        assert reason in ended.out + ended.err
