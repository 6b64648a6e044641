"""What a person and a machine are told about a run."""

import json
import shlex
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from contract_tests.report.curl import curl
from contract_tests.report.html import write_html
from contract_tests.report.json import write_json
from contract_tests.report.junit import write_junit
from contract_tests.report.plan import how_long
from contract_tests.report.results import BrokenTest, Results, Stopped
from contract_tests.report.summary import write_summary
from contract_tests.rules.exchange import Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Findings
from contract_tests.safety.payment_log import LoggedPayment
from tests.suite.counting_server import PAYMENTS
from tests.suite.payments import payment
from tests.suite.reports import NASTY, PAID, exchange, mixed, report, results, shown
from tests.suite.shell import REPORT

_CURL_THAT_PRINTS_ITS_BODY = """
curl() { if [ "${@: -1}" = "@-" ]; then cat; else printf %s "${@: -1}"; fi; }
"""


def test_what_nothing_judged_is_not_tested_and_never_passed() -> None:
    outcomes = {row.id: (row.outcome, row.reason) for row in mixed().clauses}
    assert outcomes == {
        "R1": ("passed", ""),
        "R2": ("failed", ""),
        "R3": ("not_tested", "budget: 3 requests are used up"),
        "P1": ("not_tested", "no suite that ran tests it"),
    }


def test_the_first_line_is_verdict_target_and_counts() -> None:
    assert shown(mixed()).splitlines()[0] == (
        "FAILED · https://target · 57 requests, 1 payment worth 0.10, 1 clause passed, 1 failed, 2 not tested"
    )


def test_a_failure_shows_expected_got_and_the_shortest_request() -> None:
    lines = shown(mixed()).splitlines()
    at = lines.index("R2 failed (2 times): Any other status is refused.")
    assert [line.split() for line in lines[at + 1 : at + 3]] == [["expected", "404"], ["got", "200"]]
    assert lines[at + 3].strip() == (
        f"curl -sS https://target{PAYMENTS} -H 'Content-Type: application/json' --data-binary short"
    )


def test_the_payments_are_printed_where_somebody_must_reverse_them() -> None:
    assert "load LD-1  ct-run-1  0.10 (currency 840)  recorded  id id-1" in shown(mixed())
    assert "id-1" not in shown(mixed(), list_payments=False)


def test_a_payment_in_doubt_is_in_the_first_line() -> None:
    doubt = LoggedPayment(PAID.time, "LD-1", "ct-run-2", "0.10", 840, "unknown")
    assert "1 payment UNKNOWN" in report(results(Findings(), payments=[PAID, doubt])).headline


@pytest.mark.parametrize(
    ("passes", "fails", "stopped", "breaks", "verdict", "status"),
    [
        (True, False, None, False, "passed", 0),
        (True, True, None, False, "failed", 1),
        (False, True, 3, False, "failed", 1),
        (False, False, None, False, "not_tested", 3),
        (True, False, 3, False, "not_tested", 3),
        (True, False, 1, False, "failed", 1),
        (True, False, None, True, "failed", 1),
        (False, False, None, True, "not_tested", 3),
    ],
)
def test_the_exit_status_follows_from_what_was_found(  # noqa: PLR0913, PLR0917 - the columns of the table
    passes: bool,  # noqa: FBT001
    fails: bool,  # noqa: FBT001
    stopped: int | None,
    breaks: bool,  # noqa: FBT001
    verdict: str,
    status: int,
) -> None:
    findings = Findings()
    if passes:
        findings.passes("R1")
    if fails:
        findings.fails("R2", "a", "b", exchange())
    errors = [BrokenTest("test_x", "boom")] if breaks else []
    stop = stopped and Stopped("accepted", ExitStatus(stopped))
    made = report(results(findings, stopped=stop, errors=errors))
    assert (made.verdict, made.exit_status) == (verdict, status)


def test_the_json_report_has_exactly_the_promised_fields(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    whole = results(Findings(), stopped=Stopped("no response", ExitStatus.COULD_NOT_TEST))
    whole.errors.append(BrokenTest("test_x", "boom"))
    whole.findings.passes("R1")
    whole.findings.fails("R2", "404", "200", exchange())
    whole.findings.observes("A6", "200")
    write_json(report(whole), path)
    content = json.loads(path.read_text())
    REPORT.validate(content)
    failure = content["clauses"][1]["evidence"]["failures"][0]
    assert failure.pop("curl").startswith("curl ")
    assert failure == {"expected": "404", "got": "200", "times": 1}
    clauses = content.pop("clauses")
    assert [clause["outcome"] for clause in clauses] == ["passed", "failed", "not_tested", "not_tested"]
    assert clauses[0] == {
        "id": "R1",
        "grade": "documented",
        "sentence": "Payments are accepted.",
        "outcome": "passed",
        "reason": "",
        "evidence": {"responses": 1, "failures": []},
    }
    assert content == {
        "schema_version": 1,
        "target": "https://target",
        "revision": "page",
        "started": PAID.time,
        "verdict": "failed",
        "exit_status": 1,
        "stopped": {"reason": "no response", "status": 3},
        "seed": 7,
        "run_id": "run",
        "requests": 57,
        "payments": [asdict(PAID)],
        "observations": [
            {"id": "A6", "question": "A replay answers", "expected": "200", "observed": {"200": 1}},
            {"id": "A7", "question": "New values", "expected": "are ignored", "observed": {}},
        ],
        "errors": [{"test": "test_x", "message": "boom"}],
        "drift": None,
    }


def test_every_file_is_written_whatever_the_target_sent(tmp_path: Path) -> None:
    findings = Findings()
    findings.fails("R2", NASTY, NASTY, exchange(NASTY))
    findings.observes("A6", NASTY)
    made = report(results(findings))
    write_html(made, tmp_path / "a.html")
    write_json(made, tmp_path / "a.json")
    write_junit(made, tmp_path / "a.xml")
    write_summary(made, tmp_path / "a.md")
    json.loads((tmp_path / "a.json").read_text())
    assert "R2 failed" in shown(made)


@pytest.mark.parametrize(
    ("seconds", "time"),
    [
        (0, "0 s"), (0.1, "1 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3599.5, "1 h 0 min"),
        (3600, "1 h 0 min"), (3601, "1 h 1 min"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_a_time_is_said_in_hours_minutes_and_seconds(seconds: float, time: str) -> None:
    assert how_long(seconds) == time


def test_the_results_of_several_processes_are_one() -> None:
    first, second = Findings(), Findings()
    first.passes("R1")
    second.passes("R1")
    second.cannot_test("R3", "no load")
    second.fails("R2", "a", "b")
    first.observes("A6", "200")
    second.observes("A6", "200")
    stop = Stopped("x", ExitStatus.FAILED)
    whole = Results.merged([results(first), results(second, stopped=stop)])
    assert whole.findings.passed == {"R1": 2}
    assert whole.findings.observed == {"A6": {"200": 2}}
    assert whole.findings.untested == {"R3": "no load"}
    assert len(whole.findings.failures) == 1
    assert (whole.requests, len(whole.payments), whole.stopped, whole.target) == (
        114,
        2,
        stop,
        "https://target",
    )


@pytest.mark.parametrize(
    "content",
    [b"{}", b"it's", b"@file", b"a\nb", b"\x00\xff%s\\n'", "Ünï ☃".encode(), b"", b'$HOME `id` "x"', b"-d x"],
)
def test_a_curl_line_sends_the_same_bytes(content: bytes) -> None:
    line = curl(Request("POST", "/a b", (("q", "'&"),), {"X": "it's"}, content), "http://h", with_token=False)
    got = subprocess.run(
        ["/bin/bash", "-c", f"{_CURL_THAT_PRINTS_ITS_BODY}\n{line}"],
        capture_output=True,
        check=True,
    )
    assert got.stdout == content


def test_a_curl_line_leaves_the_token_out() -> None:
    assert '"Authorization: Bearer $ALVYS_TOKEN"' in curl(payment(), "http://h", with_token=True)
    assert "Authorization" not in curl(payment(), "http://h", with_token=False)
    spoiled = replace(payment(), spoiled="longer")
    assert '"Authorization: Bearer ${ALVYS_TOKEN}x"' in curl(spoiled, "http://h", with_token=True)
    anonymous = Request("GET", "/", headers={"authorization": "x"}, anonymous=True)
    assert "uthorization" not in curl(anonymous, "http://h", with_token=True)
    assert "Bearer bad" in curl(Request("GET", "/", token="bad"), "http://h", with_token=True)  # noqa: S106


def test_a_curl_line_keeps_the_method() -> None:
    assert shlex.split(curl(Request("DELETE", "/x"), "http://h", with_token=False))[2:4] == ["-X", "DELETE"]
    assert "-X POST" in curl(Request("POST", "/x"), "http://h", with_token=False)
    assert "-X" not in curl(Request("GET", "/x"), "http://h", with_token=False)


def test_a_long_body_is_not_printed() -> None:
    line = curl(Request("POST", "/x", content=b"x" * 10_000_000), "http://h", with_token=False)
    assert len(line) < 100
    assert "10000000 bytes" in line
