"""What the README says, it does: its commands are run, its answers and tables compared."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import pytest
import yaml

from contract_tests.run.cli import main as contract
from contract_tests.run.settings import SUITES
from contract_tests.run.target import read_loads
from evaluation.defects import CATALOGUE
from mock_server.cli import main as mock
from mock_server.handlers import load_handlers
from mock_server.ledger import MemoryLedger
from mock_server.opening import opening_loads
from mock_server.shipped import SPEC
from mock_server.spec import Spec, SpecError
from tests.conftest import Write
from tests.mock.api import Api, app_of, problem_of
from tests.mock.command import ROOT, serving

README = (ROOT / "README.md").read_text()
DEFAULT_URL = "http://127.0.0.1:8080"
RUN_ID = re.compile(r'"Id":"[^"]+"')


def blocks(language: str, heading: str = "") -> list[str]:
    """The code blocks in a language, under a heading."""
    text = README.split(f"# {heading}\n", 1)[1] if heading else README
    text = text if not heading else re.split(r"\n##+ ", text, maxsplit=1)[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def rows(first_cell: str) -> Iterator[list[str]]:
    """The rows of all tables whose first cell matches."""
    for line in README.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(first_cell, cells[0]):
            yield cells


def shell(script: str) -> str:
    command = ["bash", "-euc", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def test_first_curl_gives_the_answer_that_is_printed() -> None:
    post, read = (block for block in blocks("sh") if block.startswith("curl"))
    head, body = blocks("http")[0].split("\n\n", 1)
    status, *headers = head.splitlines()
    with serving("--port", "0") as running:
        answer = shell(post.replace(DEFAULT_URL, running.url))
        again = shell(post.replace(DEFAULT_URL, running.url))
        load = json.loads(shell(read.replace(DEFAULT_URL, running.url)))
    assert answer.startswith(f"{status}\n")
    assert all(f"\n{header}\n" in answer for header in headers)
    recorded = answer.split("\n\n", 1)[1]
    assert RUN_ID.sub("", recorded) == RUN_ID.sub("", body.strip())
    assert again.split("\n\n", 1)[1] == recorded
    assert len(load["payments"]) == 1


def test_make_serves_until_it_is_interrupted() -> None:
    command = ["make", "--no-print-directory", "serve", "ARGS=--port 0"]
    # In a session of its own, as a terminal would have it: Ctrl-C reaches make and the mock.
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    try:
        assert any(line.startswith("Serving on http://127.0.0.1:") for line in lines)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert out.endswith("Stopped.\n")


def test_make_knows_every_target_that_is_named() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", README)) | set(
        re.findall(r"^make ([a-z]+)", README, re.MULTILINE)
    )
    assert named
    assert named <= targets


def test_table_of_options_is_that_of_the_command() -> None:
    context = click.Context(mock, auto_envvar_prefix="ALVYS_MOCK")
    shown = [option for option in mock.params if option.name not in {"version", "help"}]
    expected = {}
    for option in shown:
        assert isinstance(option, click.Option)
        value = option.to_info_dict()["default"]
        if option.multiple:
            value = next(iter(value or ()), None)
        if isinstance(value, Path):
            value = value.relative_to(ROOT)
        text = "" if option.is_flag or value is None else f"`{value}`"
        expected[f"`{option.opts[0]}`"] = (f"`{context.auto_envvar_prefix}_{str(option.name).upper()}`", text)
    assert {cells[0]: (cells[1], cells[2]) for cells in rows(r"`--.*`")} == expected


def test_every_clause_has_its_row() -> None:
    assert [cells[0] for cells in rows(r"R\d+")] == [f"R{number}" for number in range(1, 9)]
    assert [cells[0] for cells in rows(r"A\d+")] == [f"A{number}" for number in range(1, 25)]


@pytest.mark.parametrize(
    ("clause", "load", "change"),
    [
        ("R2", "LD-1014", {}),
        ("R4", "LD-1001", {"Amount": {"Amount": 0, "Currency": 840}}),
        ("R5", "LD-1001", {"ReferenceNumber": ""}),
    ],
)
def test_sentences_of_the_rules_are_those_of_the_answers(
    clause: str, load: str, change: dict[str, object], shipped: Api
) -> None:
    sentence = next(rows(clause))[1].split("`")[-2]
    answer = shipped.post({**shipped.payment(load), **change})
    assert problem_of(answer, 400)["detail"] == sentence


def test_own_loads_are_served_as_written(write: Write) -> None:
    spec = Spec.read(SPEC)
    path = write("own.yaml", blocks("yaml", "Your own loads")[0])
    overdue, half_paid = opening_loads(spec, [path])
    assert (overdue.number, overdue.status) == ("LD-9001", "Invoiced")
    assert half_paid.total_paid is not None
    assert half_paid.total_paid.amount == Decimal(40)


def test_added_operation_needs_a_handler_and_is_then_served(write: Write) -> None:
    document = yaml.safe_load(SPEC.read_text())
    reading = document["paths"]["/api/p/v{version}/loads"]
    document["paths"]["/api/p/v{version}/loads/again"] = {
        **reading,
        "get": {**reading["get"], "operationId": "getLoadAgain"},
    }
    path = write("more.yaml", yaml.safe_dump(document))
    ledger = MemoryLedger([])
    with pytest.raises(SpecError, match="getLoadAgain needs a handler"):
        app_of(Spec.read(path), ledger)
    again = load_handlers(ledger)["getLoad"]
    app_of(Spec.read(path), ledger, getLoadAgain=again)
    with pytest.raises(SpecError, match="getLoadAgain has a handler, but is not an operation"):
        app_of(Spec.read(SPEC), ledger, getLoadAgain=again)


def contract_commands() -> list[list[str]]:
    """Every call of the contract suite that the README shows."""
    text = README.replace("\\\n", " ")
    return [
        shlex.split(line)[1:]
        for line in re.findall(r"^(?:- run: )?\s*(alvys-contract .*)$", text, re.MULTILINE)
    ]


def test_contract_commands_have_only_options_that_exist() -> None:
    known = {name for option in contract.params for name in option.opts}
    commands = contract_commands()
    assert commands
    assert {word for command in commands for word in command if word.startswith("--")} <= known


def plan(write: Write, *options: str) -> tuple[int, int, str]:
    """Requests, payments and money that a run would cost."""
    loads = write("loads.yaml", blocks("yaml", "Against the real service")[0])
    read_loads(loads)
    arguments = ["--target", "https://qaapi.alvys.net", "--loads", str(loads), "--plan", *options]
    printed = shell(shlex.join([sys.executable, "-m", "contract_tests", *arguments]))
    match = re.search(r"^(\d+) requests, (\d+) payments worth ([\d.]+), ", printed, re.MULTILINE)
    assert match, printed[-2000:]
    return int(match[1]), int(match[2]), match[3]


@pytest.mark.parametrize("suite", ["reads", "rejects", "smoke"])
def test_table_of_suites_says_what_a_run_costs(suite: str, write: Write) -> None:
    cells = next(rows(f"`{suite}`"))
    requests, payments, money = plan(write, "--record-payments", "--suite", suite)
    assert cells[2] == str(requests)
    assert cells[3] == (f"{payments}, worth {money}" if payments else "0")


def test_table_of_suites_is_complete() -> None:
    assert [cells[0].strip("`") for cells in rows("`[a-z]+`")] == list(SUITES)


def test_cost_of_the_whole_run_is_as_said(write: Write) -> None:
    _, payments, money = plan(write, "--record-payments")
    assert f"With consent: {payments} payments worth {money} in all" in README


def test_catalogue_is_as_long_as_said() -> None:
    assert f"with {len(CATALOGUE)} seeded defects" in " ".join(README.split())


def test_nightly_job_is_a_workflow() -> None:
    (text,) = blocks("yaml", "Every night")
    job = yaml.safe_load(text)["jobs"]["contract"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert any("'.[contract]'" in run for run in runs)
    assert any(run.startswith("alvys-contract --target ") for run in runs)
