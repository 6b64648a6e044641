"""The suite finds out which revision a service speaks, and judges it by that."""

import json
from collections.abc import Iterator

import pytest

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.suite.shell import Shell

# In July 2026 nobody can tell who paid a load that has payments: they are not nominated.
LOADS = "Invoiced: [LD-1001, LD-1003, LD-1004]\nFinanced: LD-1007\nDispatched: LD-1014\nReleased: LD-1018\n"
SMOKE = ("--loads=loads.yaml", "--record-payments", "--suite=smoke", "--json=report.json")


@pytest.fixture
def july() -> Iterator[MockServer]:
    with MockServer(settings=Settings(revision="2026-07")) as server:
        yield server


def outcomes(run: Shell) -> dict[str, str]:
    report = json.loads((run.folder / "report.json").read_text())
    return {row["id"]: row["outcome"] for row in report["clauses"]}


def test_revision_is_found_out_from_what_the_service_shows(run: Shell, july: MockServer) -> None:
    (run.folder / "loads.yaml").write_text(LOADS)
    ended = run("--target", july.url, *SMOKE)
    assert ended.status == 0, ended.out
    assert "revision 2026-07, run" in ended.out
    found = outcomes(run)
    assert {found[f"R{number}"] for number in range(1, 9)} == {"passed"}
    assert found["D4"] == "not_tested"
    assert "the revision 2026-07 shows no list of payments" in ended.out


def test_a_run_that_only_reads_finds_it_out_from_a_load(run: Shell, july: MockServer) -> None:
    (run.folder / "loads.yaml").write_text(LOADS)
    ended = run("--target", july.url, "--loads=loads.yaml", "--suite=reads")
    assert (ended.status, "revision 2026-07, run" in ended.out) == (0, True)


@pytest.mark.parametrize(("revision", "other"), [("page", "2026-07"), ("2026-07", "page")])
def test_another_revision_than_the_one_asked_for_fails(run: Shell, revision: str, other: str) -> None:
    (run.folder / "loads.yaml").write_text(LOADS)
    with MockServer(settings=Settings(revision=other)) as server:
        ended = run("--target", server.url, "--revision", revision, *SMOKE)
    assert ended.status == 1
    assert outcomes(run)["D1"] == "failed"
    assert f"the form of revision {other}" in ended.out


def test_every_suite_passes_on_the_mock_of_the_revision(run: Shell) -> None:
    ended = run("--revision=2026-07", "--examples=3", "--json=report.json")
    assert ended.status == 0, ended.out
    assert set(outcomes(run).values()) == {"passed", "not_tested"}
    assert [one for one, outcome in outcomes(run).items() if outcome == "not_tested"] == ["D4", "P8"]
