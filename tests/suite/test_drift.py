"""What changed since an earlier run: said first, and worse is a failure."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mock_server.testing import MockServer
from tests.suite.shell import REPORT, Shell

Change = Callable[[dict[str, Any]], None]


def row(report: dict[str, Any], table: str, id: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (each for each in report[table] if each["id"] == id)
    return found


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a run that read."""
    folder = tmp_path_factory.mktemp("earlier")
    with MockServer() as mock:
        Shell(folder)("--target", mock.url, "--json=report.json", "--examples=0")
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


@pytest.fixture
def compared(
    run: Shell, mock: MockServer, earlier: dict[str, Any]
) -> Callable[..., tuple[int, str, dict[str, Any]]]:
    """Runs again, beside the earlier report with a change: the status, what is printed, and the report."""

    def compare(change: Change, *arguments: str) -> tuple[int, str, dict[str, Any]]:
        report = json.loads(json.dumps(earlier))
        change(report)
        (run.folder / "last.json").write_text(json.dumps(report))
        ended = run(
            *("--target", mock.url, "--examples=0", "--baseline=last.json", "--json=last.json"), *arguments
        )
        written = json.loads((run.folder / "last.json").read_text())
        REPORT.validate(written)
        return ended.status, ended.out, written

    return compare


Compare = Callable[..., tuple[int, str, dict[str, Any]]]


def test_a_run_like_the_last_one_says_that_nothing_changed(compared: Compare) -> None:
    status, out, report = compared(lambda _report: None, "--fail-on-change")
    assert status == 0
    assert f"Changed since {report['drift']['since']}: nothing" in out.splitlines()
    assert report["drift"] | {"since": ""} == {"since": "", "clauses": [], "observations": []}


def test_a_clause_that_is_better_is_said_and_no_failure(compared: Compare) -> None:
    status, out, report = compared(lambda last: row(last, "clauses", "P3").update(outcome="failed"))
    assert status == 0
    (change,) = report["drift"]["clauses"]
    assert (change["id"], change["before"], change["now"], change["worse"]) == (
        "P3",
        "failed",
        "passed",
        False,
    )
    assert out.index("P3  ") < out.index("R1 "), "what changed comes before the clauses"


def test_a_clause_that_is_no_longer_tested_is_a_failure(compared: Compare) -> None:
    status, out, report = compared(lambda last: row(last, "clauses", "R6").update(outcome="passed"))
    assert status == 1
    assert [change["worse"] for change in report["drift"]["clauses"]] == [True]
    assert report["exit_status"] == 1
    assert "passed → not tested" in out
    assert f"Changed since {report['drift']['since']}, for the worse:" in out


def test_a_question_answered_otherwise_is_a_failure_only_when_asked_for(compared: Compare) -> None:
    def otherwise(last: dict[str, Any]) -> None:
        row(last, "observations", "A23a").update(observed={"200": 3})

    assert compared(otherwise)[0] == 0
    status, out, report = compared(otherwise, "--fail-on-change")
    assert status == 1
    (change,) = report["drift"]["observations"]
    assert (change["before"], change["now"]) == ("200", "404")
    assert "A23a  A search without a hit  200 → 404" in out


def test_a_question_that_only_one_run_answered_is_no_change(compared: Compare) -> None:
    def unanswered(last: dict[str, Any]) -> None:
        row(last, "observations", "A23a").update(observed={})
        row(last, "observations", "A6").update(observed={"409": 1})

    assert compared(unanswered, "--fail-on-change")[0] == 0


def test_html_shows_what_changed_first(compared: Compare, run: Shell) -> None:
    compared(lambda last: row(last, "clauses", "P3").update(outcome="failed"), "--report=page.html")
    page = (run.folder / "page.html").read_text()
    assert page.index("Changed since") < page.index(">Clauses</h2>")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "not a report that --json wrote"),
        ("[]", "not a report that --json wrote"),
        ('{"clauses": []}', "not a report that --json wrote"),
        ('{"schema_version": 0}', "has version 0 of the report, not 1"),
        ("[" * 100_000, "not a report that --json wrote"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_baseline_that_is_none_is_wrong_usage(run: Shell, content: str | None, complaint: str) -> None:
    if content is not None:
        (run.folder / "last.json").write_text(content)
    ended = run("--target=http://127.0.0.1:9", "--baseline=last.json")
    assert ended.status == 2
    assert complaint in " ".join(ended.err.split())


def test_fail_on_change_without_a_baseline_is_wrong_usage(run: Shell) -> None:
    assert run("--fail-on-change").status == 2
