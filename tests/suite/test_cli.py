"""`alvys-contract` as a person or a nightly job uses it: exit status, files, what is printed."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from contract_tests.run.cli import main
from mock_server.testing import MockServer
from tests.suite.counting_server import PAYMENTS, Received, Reply, counting_server
from tests.suite.shell import Ended, Shell

TOKEN = "secret-token-of-the-test"  # noqa: S105 - of these tests only
ROOT = Path(__file__).parents[2]


def plain_pytest(*arguments: str, folder: Path = ROOT) -> Ended:
    suites = str(ROOT / "contract_tests")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", suites, "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def total_payments(url: str) -> int:
    numbers = [f"LD-{number}" for number in range(1001, 1025)]
    loads = httpx2.post(
        f"{url}/api/p/v1.0/loads/search", json={"PageSize": 100, "LoadNumbers": numbers}
    ).json()
    return sum(len(load["payments"] or []) for load in loads["Items"])


def test_the_mock_passes_and_every_report_says_so(run: Shell) -> None:
    ended = run(
        "--suite", "reads", "--report", "r.html", "--json", "r.json", "--junit", "r.xml", "--seed", "7"
    )
    assert ended.status == 0
    assert ended.first_line.startswith("PASSED · the mock at http://127.0.0.1:")
    assert "seed 7" in ended.out
    content = json.loads((run.folder / "r.json").read_text())
    assert content["verdict"] == "passed"
    assert f"{content['requests']} requests" in ended.first_line
    assert "P2" in {row["id"] for row in content["clauses"] if row["outcome"] == "passed"}
    assert "<h1><b>PASSED</b>" in (run.folder / "r.html").read_text()
    cases = ET.parse(run.folder / "r.xml").getroot().iter("testcase")  # noqa: S314 - the run wrote it
    assert len(list(cases)) == len(content["clauses"]) + len(content["observations"])


def test_a_service_that_answers_everything_alike_fails(run: Shell) -> None:
    with counting_server() as server:
        ended = run("--target", server.url, "--report", "r.html", "--json", "r.json")
        searches = ("/loads/search", "/invoices/search")
        assert server.writes == [one for one in server.writes if one.path.endswith(searches)]
    assert ended.status == 1
    assert ended.first_line.startswith(f"FAILED · {server.url}")
    assert "curl -sS" in ended.out
    assert json.loads((run.folder / "r.json").read_text())["verdict"] == "failed"


def test_a_nominated_load_that_cannot_be_read_is_a_failure(run: Shell, mock: MockServer) -> None:
    (run.folder / "loads.yaml").write_text("Invoiced: LD-9999")
    ended = run("--target", mock.url, "--loads", "loads.yaml", "--suite", "reads")
    assert ended.status == 1
    assert ended.first_line.startswith(f"FAILED · {mock.url}")
    assert "load LD-9999, which is nominated" in ended.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--rate", "fast"), "'fast' is not a rate"),
        (("--nonsense",), "No such option"),
        (("--suite", "reads", "--", "--nonsense"), "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_usage_is_2(run: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    ended = run(*arguments)
    assert ended.status == 2
    assert sentence in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_report_that_cannot_be_written_hides_nothing_of_what_was_found(run: Shell) -> None:
    ended = run("--suite", "reads", "--report", "/dev/full", "--json", "report.json")
    assert ended.status == 2
    assert ended.first_line.startswith("PASSED")
    assert "/dev/full could not be written: No space left on device." in ended.out
    assert json.loads((run.folder / "report.json").read_text("utf-8"))["verdict"] == "passed"


def test_half_of_the_credentials_are_wrong_usage(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALVYS_CLIENT_ID", "a")
    ended = run("--suite", "reads")
    assert ended.status == 2
    assert "ALVYS_CLIENT_SECRET" in ended.err


def test_an_unmet_gate_is_2_and_nothing_is_written(run: Shell, mock: MockServer) -> None:
    (run.folder / "loads.yaml").write_text("Invoiced: LD-1014")
    before = total_payments(mock.url)
    ended = run("--target", mock.url, "--loads", "loads.yaml", "--record-payments")
    assert ended.status == 2
    assert (
        "Load LD-1014 has the status 'Dispatched', but the loads file says Invoiced." in ended.out + ended.err
    )
    assert total_payments(mock.url) == before


def test_an_unreachable_target_is_3(run: Shell) -> None:
    with counting_server() as server:
        url = server.url
    ended = run("--target", url, "--json", "r.json")
    assert ended.status == 3
    assert ended.first_line.startswith(f"NOT TESTED · {url}")
    assert "cannot be reached" in ended.out
    assert json.loads((run.folder / "r.json").read_text())["verdict"] == "not_tested"


@pytest.mark.parametrize("status", [401, 403])
def test_a_target_that_refuses_everybody_is_3(
    run: Shell, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALVYS_TOKEN", TOKEN)
    with counting_server(lambda _: Reply(status)) as server:
        ended = run("--target", server.url)
    assert ended.status == 3
    assert f"is refused with {status}: the token" in ended.out
    assert len(server.received) == (2 if status == 403 else 1)  # a plain read, to see whose refusal it is


def test_a_target_of_which_nothing_can_be_tested_is_3(run: Shell, mock: MockServer) -> None:
    ended = run("--target", mock.url, "--suite", "concurrency")
    assert ended.status == 3
    assert ended.first_line.startswith("NOT TESTED")


def test_without_consent_no_suite_records_anything(run: Shell, mock: MockServer) -> None:
    before = total_payments(mock.url)
    suites = [word for name in ("reads", "rejects", "smoke", "table", "fuzz") for word in ("--suite", name)]
    ended = run("--target", mock.url, "--loads", "loads.yaml", "--examples", "1", *suites)
    assert total_payments(mock.url) == before
    assert ended.status == 0, ended.out
    assert "no consent to record payments" in ended.out


def test_the_default_budget_is_enough_and_is_kept(run: Shell, mock: MockServer) -> None:
    before = total_payments(mock.url)
    arguments = ("--target", mock.url, "--loads", "loads.yaml", "--record-payments")
    ended = run(*arguments, "--json", "r.json")
    assert ended.status == 0, ended.out
    report = json.loads((run.folder / "r.json").read_text())
    payments, run_id = report["payments"], report["run_id"]
    assert 0 < len(payments) <= 8
    assert sum(Decimal(payment["amount"]) for payment in payments) < 3
    assert total_payments(mock.url) - before == len(payments)
    recorded = [
        json.loads(line) for line in (run.folder / f"alvys-contract-{run_id}.jsonl").read_text().splitlines()
    ]
    assert {line["id"] for line in recorded if line["id"]} == {payment["id"] for payment in payments}
    for payment in payments:
        assert payment["reference"].lower().startswith(f"ct-{run_id}-")
        assert f"load {payment['load']}  {payment['reference']}" in ended.out

    again = run(*arguments, "--run-id", run_id)
    assert again.status == 0, again.out
    assert total_payments(mock.url) - before == len(payments), "a resumed run replays, it does not add"

    other = run(*arguments)
    assert other.status == 2
    assert "already carries a payment of this suite" in other.out + other.err


def test_a_plan_sends_nothing_to_the_target(run: Shell) -> None:
    with counting_server() as server:
        arguments = (
            "--target",
            server.url,
            "--loads",
            "loads.yaml",
            "--record-payments",
            "--rate",
            "10/minute",
        )
        ended = run(*arguments, "--plan")
    assert server.received == []
    assert ended.status == 0, ended.out + ended.err
    assert ended.first_line == f"PLAN for {server.url}: nothing was sent to it"
    lines = ended.out.splitlines()
    assert any(f"POST  {PAYMENTS}" in line and "[payment of" in line for line in lines)
    requests = int(lines[-1].split()[0])
    assert requests == sum(line.lstrip()[:1].isdigit() for line in lines[1:-1])
    assert "payments worth" in lines[-1]
    assert lines[-1].endswith(" s at the pace of the run")
    assert list(run.folder.iterdir()) == [run.folder / "loads.yaml"]


def test_no_secret_is_printed_or_stored(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def echo(one: Received) -> Reply:
        return Reply(body=json.dumps({"Status": "Invoiced", "headers": one.headers}).encode())

    monkeypatch.setenv("ALVYS_TOKEN", TOKEN)
    loud = ("-l", "--log-level=DEBUG", "--tb=long", "--color=no")
    with counting_server(echo) as server:
        asked = ("--target", server.url, "--loads", "loads.yaml")
        ended = run(*asked, "--report", "r.html", "--json", "r.json", "--junit", "r.xml", "--", *loud)
        plain = plain_pytest(*asked, *loud, "-vv", folder=run.folder)
    assert any(TOKEN in one.headers.get("authorization", "") for one in server.received)
    assert (ended.status, plain.status) == (1, 1)
    assert "$ALVYS_TOKEN" in ended.out
    for text in (ended.out, ended.err, plain.out, plain.err, run.everything_written()):
        assert TOKEN not in text


def test_the_mock_may_be_tested_by_several_processes(run: Shell) -> None:
    ended = run("--suite", "reads", "--suite", "rejects", "--json", "r.json", "--", "-n", "2")
    assert ended.status == 0, ended.out
    assert ended.first_line.startswith("PASSED · the mock")
    passed = {
        row["id"]
        for row in json.loads((run.folder / "r.json").read_text())["clauses"]
        if row["outcome"] == "passed"
    }
    assert {"R2", "R3", "P2"} <= passed


def test_a_real_target_is_tested_by_one_process(run: Shell) -> None:
    with counting_server() as server:
        ended = run("--target", server.url, "--", "-n", "2")
    assert ended.status == 2
    assert server.received == []


def test_plain_pytest_runs_the_suites_too() -> None:
    ended = plain_pytest("--suite", "reads", "--seed", "7")
    assert ended.status == 0, ended.out
    assert "PASSED · the mock" in ended.out
    assert "seed 7" in ended.out
    assert " passed" in ended.out


def test_plain_pytest_has_the_same_options_and_says_the_same_of_them(mock: MockServer) -> None:
    ended = plain_pytest("--target", mock.url, "--record-payments")
    assert ended.status == 2
    assert "--record-payments needs --loads" in ended.err


@pytest.mark.parametrize("missing", ["pytest", "httpx2", "rich", "jinja2", "authlib"])
def test_without_the_extra_one_line_says_what_to_type(missing: str) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from contract_tests.__main__ import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"alvys-contract needs {missing}, which is not installed: pip install 'alvys-sandbox[contract]'\n"
    )


def test_the_version_is_that_of_the_package() -> None:
    ended = CliRunner().invoke(main, ["--version"])
    assert ended.output == f"alvys-contract, version {version('alvys-sandbox')}\n"
