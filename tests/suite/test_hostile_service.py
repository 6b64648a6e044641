"""What a hostile service cannot do to whoever reads the output, and what `st run` refuses."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from contract_tests.rules.values import visible
from contract_tests.run.cli import main
from contract_tests.run.target import LoadsFileError, read_loads
from contract_tests.safety.credentials import Credentials, Secret
from tests.suite.counting_server import Received, Reply, counting_server

ROOT = Path(__file__).parents[2]
TOKEN = "a-token/of+the=test"  # noqa: S105 - of these tests only
NASTY = "\x1b[31m \x9b2J \u202eevil\u202c \x07 \u2066x\u2069 \ud800"


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200f", "\ud800", "\x7f"]
)
def test_what_could_steer_a_terminal_is_escaped(character: str) -> None:
    assert visible(f"a{character}b") == f"a{ascii(character)[1:-1]}b"


def test_what_is_plain_stays() -> None:
    assert visible("größer 客 💶\n", "\n") == "größer 客 💶\n"


def test_no_output_of_a_run_has_what_the_service_sent_to_steer_it(tmp_path: Path) -> None:
    def answer(_received: Received) -> Reply:
        return Reply(200, json.dumps({"LoadNumber": NASTY, "Status": NASTY}).encode())

    files = {name: tmp_path / name for name in ("r.html", "r.json", "r.xml")}
    with counting_server(answer) as server:
        ended = CliRunner(env={"COLUMNS": "200"}).invoke(
            main,
            [
                *("--target", server.url, "--suite", "reads", "--record", str(tmp_path / "log.jsonl")),
                *("--report", str(files["r.html"]), "--json", str(files["r.json"])),
                *("--junit", str(files["r.xml"])),
            ],
        )
    assert ended.exit_code == 1, ended.output
    for text in (ended.output, *(path.read_text("utf-8") for path in files.values())):
        assert not any(
            character in text
            for character in NASTY
            if ord(character) > 0x20 and not character.isalnum() and character not in "[;"
        )


@pytest.mark.parametrize(
    "written",
    [
        TOKEN,
        base64.b64encode(TOKEN.encode()).decode(),
        base64.b64encode(f"me:{TOKEN}".encode()).decode(),
        quote(TOKEN, safe=""),
        TOKEN.replace("/", "\\/"),
        "".join(f"\\u{ord(character):04x}" for character in TOKEN),
    ],
)
def test_a_secret_is_masked_however_the_service_writes_it(written: str) -> None:
    credentials = Credentials(client_id="me", client_secret=Secret(TOKEN))
    masked = credentials.redact(f'{{"echo": "{written}"}}'.encode())
    # Of `id:secret` in base64, the id may stay.
    assert masked.replace(b"bWU6", b"") == b'{"echo": "[secret]"}'


def test_a_status_that_appears_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loads.yaml"
    path.write_text("Invoiced: ['LD-1']\nInvoiced: ['LD-2']\n")
    with pytest.raises(LoadsFileError, match="'Invoiced' appears twice"):
        read_loads(path)


@pytest.mark.parametrize("option", ["--json", "--report", "--junit"])
def test_a_report_is_never_written_over_the_payment_log(option: str, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    (tmp_path / "link.jsonl").symlink_to(log)
    arguments = ["--target", "http://127.0.0.1:1", "--record", str(log), option, str(tmp_path / "link.jsonl")]
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 2
    assert f"{option} and the payment log are the same file" in " ".join(ended.output.split())


def test_a_run_is_resumed_only_from_its_payment_log(tmp_path: Path) -> None:
    (tmp_path / "loads.yaml").write_text("Invoiced: ['LD-1']\n")
    arguments = [
        "--target",
        "http://127.0.0.1:1",
        "--record-payments",
        "--loads",
        str(tmp_path / "loads.yaml"),
    ]
    ended = CliRunner().invoke(
        main, [*arguments, "--run-id", "gone", "--record", str(tmp_path / "gone.jsonl")]
    )
    assert ended.exit_code == 2
    assert "--run-id gone resumes a run from its payment log" in " ".join(ended.output.split())


@pytest.mark.parametrize("kind", ["a folder", "a pipe"])
def test_a_payment_log_is_a_regular_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.mkdir() if kind == "a folder" else os.mkfifo(path)
    with counting_server() as server:
        ended = CliRunner().invoke(main, ["--target", server.url, "--record", str(path)])
    assert ended.exit_code == 2
    assert server.received == []


def st_run(url: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.yaml", "--url", url]
    command += ["--phases", "examples", "--include-operation-id", "getLoad", "--max-examples", "1"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_st_run_refuses_a_target_that_may_book_money() -> None:
    ended = st_run("http://192.0.2.1:9")
    assert ended.returncode == 2
    assert "`st run` keeps no budget" in ended.stderr
    assert "Examples" not in ended.stdout


def test_st_run_goes_to_loopback_and_past_any_proxy() -> None:
    with counting_server(lambda _: Reply(404, b"{}")) as server:
        ended = st_run(server.url, http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1")
    assert server.received, ended.stdout
    assert "proxies of the environment are ignored" in ended.stderr
