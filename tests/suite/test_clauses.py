"""What the report says about the mock is what the mock does."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from contract_tests.rules.questions import QUESTIONS
from mock_server.testing import MockServer, Settings

SUITES = ("reads", "rejects", "smoke", "table", "model", "concurrency")


def observed(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> dict[str, set[str]]:
    """What a run observes: question -> what the target did about it."""
    report = folder / "report.json"
    subprocess.run(
        [sys.executable, "-m", "contract_tests", "--seed=1", "--examples=2", f"--json={report}", *arguments],
        env=os.environ | (variables or {}),
        stdout=subprocess.DEVNULL,
        timeout=300,
        check=True,
    )
    return {row["id"]: set(row["observed"]) for row in json.loads(report.read_text())["observations"]}


def test_the_mock_does_what_the_column_the_mock_says(tmp_path: Path) -> None:
    """A question that needs more than these suites must not be one that they answer."""
    found = observed(tmp_path, *(f"--suite={suite}" for suite in SUITES))
    told = {one: set() if question.needs else {question.expected} for one, question in QUESTIONS.items()}
    assert found == told


def test_a_mock_that_wants_tokens_does_what_the_column_the_mock_says(tmp_path: Path) -> None:
    with MockServer(settings=Settings(require_token=True)) as mock:
        variables = {
            "ALVYS_CLIENT_ID": "sandbox",
            "ALVYS_CLIENT_SECRET": "sandbox-secret",
            "ALVYS_TOKEN_URL": f"{mock.url}/oauth/token",
            "ALVYS_AUDIENCE": "https://api.alvys.com/public/",
        }
        found = observed(tmp_path, f"--target={mock.url}", "--suite=reads", variables=variables)
    seen = {one: did for one, did in found.items() if did}
    assert "Q27" in seen
    assert seen == {one: {QUESTIONS[one].expected} for one in seen}
