"""The nightly workflow does what its page says, against a mock that wants tokens and limits requests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.docs.page import ROOT, page

JOB: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "contract.yml").read_text("utf-8"))["jobs"][
    "contract"
]
QA, QA_TOKENS = "https://qaapi.alvys.net", "https://qaauth.alvys.net/oauth/token"
PROGRAM = Path(sys.executable).parent
SECRETS = {
    "${{ secrets.ALVYS_CLIENT_ID }}": "sandbox",
    "${{ secrets.ALVYS_CLIENT_SECRET }}": "sandbox-secret",
}
LOADS = "Invoiced: [LD-1001, LD-1004]\nCompleted: LD-1005\n"


def steps(word: str) -> list[dict[str, Any]]:
    """The steps that run something with this word in it."""
    return [step for step in JOB["steps"] if word in step.get("run", "")]


def used(action: str) -> dict[str, Any]:
    """The inputs of the only step that uses an action."""
    (step,) = [step for step in JOB["steps"] if step.get("uses", "").startswith(f"{action}@")]
    inputs: dict[str, Any] = step["with"]
    return inputs


@dataclass(frozen=True)
class Nights:
    """Two nights in one folder: the exit statuses, what was printed, and the last report."""

    statuses: list[int]
    out: list[str]
    report: dict[str, Any]
    folder: Path
    refused: int
    posted: set[str]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = tmp_path_factory.mktemp("night")
    (folder / "loads.yaml").write_text(LOADS)
    with MockServer(settings=Settings(require_token=True, rate_limit="5/second")) as mock:
        # A machine may be too slow to meet the limit.
        mock.fail_next(operation="getLoad", status=429, retryAfter=1)
        ended = [night(folder, mock.url) for _ in range(2)]
        yield Nights(
            [one.returncode for one in ended],
            [one.stdout for one in ended],
            json.loads((folder / "report.json").read_text("utf-8")),
            folder,
            sum(one.status == 429 for one in mock.requests),
            {one.path for one in mock.requests if one.path.endswith("/customer-payments")},
        )


def night(folder: Path, url: str) -> "subprocess.CompletedProcess[str]":
    """Runs what the workflow runs, but for the installation."""
    environment = {**os.environ, "PATH": f"{PROGRAM}{os.pathsep}{os.environ['PATH']}"}
    (suite,) = steps("alvys-contract")
    for name, value in suite["env"].items():
        environment[name] = SECRETS.get(value, value).replace(QA_TOKENS, f"{url}/oauth/token")
    ended = bash(suite["run"].replace(QA, url), folder, environment)
    (keep,) = steps("cp report.json")
    assert bash(keep["run"], folder, environment).returncode == 0
    return ended


def bash(script: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    # As GitHub runs it.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_night_passes_and_records_nothing(nights: Nights) -> None:
    assert nights.statuses == [0, 0], nights.out
    assert nights.report["payments"] == []
    assert nights.refused > 0, "the limits were met, and waited for"
    assert nights.posted == set(), "no payment is even tried"


def test_night_is_compared_with_the_one_before(nights: Nights) -> None:
    first, second = nights.out
    assert "Changed since" not in first
    assert f"Changed since {nights.report['drift']['since']}: nothing" in second.splitlines()


def test_report_is_kept_for_the_next_night_and_for_people(nights: Nights) -> None:
    restored, saved = used("actions/cache/restore"), used("actions/cache/save")
    assert restored["path"] == saved["path"] == "last"
    assert saved["key"].startswith(restored["restore-keys"])
    assert (nights.folder / "last" / "report.json").exists()
    kept = {
        each.name
        for pattern in used("actions/upload-artifact")["path"].split()
        for each in nights.folder.glob(pattern)
    }
    assert kept == {"report.html", "report.json", "report.xml"}


def test_page_says_what_a_run_that_only_reads_can_judge(nights: Nights) -> None:
    rows = page("docs/nightly.md").table("What a run that only reads can judge").rows
    passed = [row["id"] for row in nights.report["clauses"] if row["outcome"] == "passed"]
    assert sorted(" ".join(row[0] for row in rows).split()) == sorted(passed)


def test_hosts_of_the_api_and_of_its_tokens_belong_together() -> None:
    (suite,) = steps("alvys-contract")
    assert f"--target {QA} " in suite["run"]
    assert suite["env"]["ALVYS_TOKEN_URL"] == QA_TOKENS


def test_suite_is_installed_from_the_checkout_with_the_pinned_versions() -> None:
    (install,) = steps("pip")
    assert install["run"] == "pip install -c constraints.txt '.[contract]'"
