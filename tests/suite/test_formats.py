"""The report as JUnit XML for a CI server, and as Markdown for the summary of a job."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from contract_tests.report.build import Report
from contract_tests.report.drift import Change, Drift
from contract_tests.report.junit import write_junit
from contract_tests.report.results import BrokenTest, Stopped
from contract_tests.report.summary import code, write_summary
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Findings
from tests.suite.reports import exchange, mixed, report, results
from tests.suite.shell import Shell

STEERING = "![x](http://evil) <b>`` | ` www.evil.example @somebody #1 ```\n| a | ~~~"


def junit(made: Report, folder: Path) -> ET.Element:
    write_junit(made, folder / "r.xml")
    return ET.parse(folder / "r.xml").getroot()  # noqa: S314 - written just now


def summary(made: Report, folder: Path, drift: Drift | None = None) -> str:
    write_summary(made, folder / "s.md", drift)
    return (folder / "s.md").read_text("utf-8")


def tokens(markdown: str) -> list[Token]:
    blocks = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    return [each for block in blocks for each in (block, *(block.children or ()))]


def test_junit_has_a_test_case_for_each_clause_and_each_question(tmp_path: Path) -> None:
    root = junit(mixed(), tmp_path)
    cases = {str(case.get("name")).partition(":")[0]: case for case in root.iter("testcase")}
    assert list(cases) == ["R1", "R2", "R3", "P1", "A6", "A7"]
    outcomes = {key: [child.tag for child in case] for key, case in cases.items()}
    assert outcomes == {
        "R1": [],
        "R2": ["failure"],
        "R3": ["skipped"],
        "P1": ["skipped"],
        "A6": ["system-out"],
        "A7": ["skipped"],
    }
    assert cases["R3"][0].get("message") == "budget: 3 requests are used up"
    assert cases["A6"][0].text == "the target: 200 (2 times)\nthe target: 409 (1 times)\nthe mock: 200"
    assert "expected  404\ngot       200\ncurl -sS" in str(cases["R2"][0].text)
    assert cases["P1"].get("classname") == "alvys.published"


def test_junit_counts_what_its_suites_hold(tmp_path: Path) -> None:
    clauses, questions = junit(mixed(), tmp_path)
    counted = [
        [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
        for suite in (clauses, questions)
    ]
    assert counted == [["4", "1", "0", "2"], ["2", "0", "0", "1"]]


def test_junit_shows_tests_that_broke_and_a_run_that_was_stopped(tmp_path: Path) -> None:
    stopped = Stopped("no response", ExitStatus.COULD_NOT_TEST)
    made = report(results(Findings(), errors=[BrokenTest("test_x", "boom")], stopped=stopped))
    suite = junit(made, tmp_path)[2]
    assert suite.get("errors") == "2"
    assert [(case.get("name"), case[0].text) for case in suite] == [
        ("test_x", "boom"),
        ("the run", "no response"),
    ]


def test_junit_writes_no_character_that_xml_has_not(tmp_path: Path) -> None:
    findings = Findings()
    findings.fails("R2", "\x00\ufffe", "\uffff\x1b]]>", exchange())
    failure = junit(report(results(findings)), tmp_path).find(".//failure")
    assert failure is not None
    assert "\\x00\\ufffe" in str(failure.text)


def test_summary_has_the_verdict_the_failures_the_clauses_and_what_differs(tmp_path: Path) -> None:
    text = summary(mixed(), tmp_path)
    order = ["❌ failed", "`https://target` · 57 requests", "### ❌ R2, 2 times", "Expected `404`, got `200`"]
    order += ["curl -sS", "✅ passed: R1", "❌ failed: R2", "(`budget: 3 requests are used up`)", "| A6 |"]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "| A6 | `A replay answers` | `200; 409` | `200` |" in text
    assert "A7" not in text
    assert [one.info for one in tokens(text) if one.type == "fence"] == ["sh"]


def test_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "s.md").write_text("of a step before\n")
    assert summary(mixed(), tmp_path).startswith("of a step before\n## Contract: ")


def test_summary_says_what_changed(tmp_path: Path) -> None:
    change = Change("R2", "Any other", "passed", "failed", worse=True)
    text = summary(mixed(), tmp_path, Drift("2026-07-01", (change,), ()))
    assert "### Changed since 2026-07-01, for the worse" in text
    assert "| R2 | `Any other` | `passed` | `failed` |" in text


@pytest.mark.parametrize("text", ["a", "`", "``a`", " a ", "a | b", "<b>", "$x$ ~~y~~ [z](http://z)"])
def test_code_shows_exactly_the_text(text: str) -> None:
    (span,) = [one for one in tokens(f"a {code(text)} b") if one.type == "code_inline"]
    assert span.content == text
    table = tokens(f"| a |\n|---|\n| {code(text).replace('|', chr(92) + '|')} |")
    assert [one.content.strip() for one in table if one.type == "code_inline"] == [text.strip()]


def test_nothing_that_a_service_sends_is_read_as_markdown(tmp_path: Path) -> None:
    findings = Findings()
    findings.fails("R2", STEERING, STEERING, exchange(STEERING))
    findings.observes("A6", STEERING)
    findings.cannot_test("R3", STEERING)
    stop = Stopped(STEERING, ExitStatus.FAILED)
    whole = results(findings, stopped=stop, errors=[BrokenTest(STEERING, STEERING)], target=STEERING)
    plain = [
        one for one in tokens(summary(report(whole), tmp_path)) if one.type not in {"code_inline", "fence"}
    ]
    assert {"link_open", "image", "html_inline", "html_block"} & {one.type for one in plain} == set()
    assert not any("evil" in one.content for one in plain if one.type == "text")


def test_summary_stays_far_below_a_megabyte(tmp_path: Path) -> None:
    findings = Findings()
    kinds = product(("R1", "R2", "R3", "P1"), "abcde")
    for (clause, letter), other in zip(kinds, "ghijklmnopqrstuvwxyz", strict=True):
        shows = replace(exchange("y" * 3000), started=f"{clause}{letter}")
        findings.fails(clause, other * 5000, letter * 5000, shows)
    text = summary(report(results(findings)), tmp_path)
    assert len(text) < 70_000
    assert "… and 8 more causes" in text


def test_a_job_on_github_has_the_report_in_its_summary(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(run.folder / "summary.md"))
    assert run("--suite=smoke").status == 0
    assert (run.folder / "summary.md").read_text("utf-8").startswith("## Contract: ✅ passed")


def test_a_summary_that_cannot_be_written_is_said(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(run.folder))
    ended = run("--suite=smoke")
    assert f"{run.folder} could not be written: Is a directory." in ended.out
    assert ended.first_line.startswith("PASSED")
