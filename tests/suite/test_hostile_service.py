"""What a hostile service cannot do to whoever reads the output, and what `st run` refuses."""

import base64
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from click.testing import CliRunner, Result

from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import ClauseFailedError, Failure
from contract_tests.rules.values import instant, visible
from contract_tests.run import run as run_module
from contract_tests.run.cli import main, settings_from
from contract_tests.run.preflight import CannotRun
from contract_tests.run.target import LoadsFileError, read_loads
from contract_tests.safety.credentials import Credentials, Secret
from contract_tests.safety.guard import Stop
from mock_server.testing import MockServer
from tests.suite.counting_server import CountingServer, Received, Reply, counting_server

ROOT = Path(__file__).parents[2]
TOKEN = "a-token/of+the=>>>???test"  # noqa: S105 - of these tests only
SECRET = "client-secret-of-the-tests"  # noqa: S105 - of these tests only
PLAIN = ("-p", "no:cacheprovider")
LOADS = "Invoiced: [LD-1001, LD-1004]\nCompleted: LD-1005\nDispatched: LD-1014\n"


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "300"}).invoke(main, arguments)


def python(
    *arguments: str, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        # First, because of what is long only the beginning is printed.
        env={**(environment or {}), **os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def loud_pytest(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The suites under plain pytest, with everything printed that pytest can print."""
    loud = ("-vv", "-rA", "--showlocals", "--tb=long", "--full-trace", "--log-level=DEBUG")
    return python("pytest", "contract_tests", *PLAIN, *loud, *arguments, environment=environment)


# --- what steers a terminal -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200f", "\ud800", "\x7f"]
)
def test_what_could_steer_a_terminal_is_escaped(character: str) -> None:
    assert visible(f"a{character}b") == f"a{ascii(character)[1:-1]}b"


def test_what_is_plain_stays() -> None:
    assert visible("größer 客 💶\n", "\n") == "größer 客 💶\n"


@pytest.mark.parametrize(
    "reason", [CannotRun("a\x1b", ExitStatus.USAGE), Stop("a\x1b")], ids=["gate", "stop"]
)
def test_why_a_run_ended_is_escaped_wherever_it_is_printed(reason: CannotRun | Stop) -> None:
    assert str(reason) == "a\\x1b"


def test_what_a_clause_got_is_in_one_line() -> None:
    failed = ClauseFailedError([Failure("R1", "a", "b\nPASSED\x1b", ())])
    assert str(failed) == "R1: expected a; got b\\nPASSED\\x1b"


def mangled(document: object, by: str) -> object:
    """The document with `by` in every text but instants and those that the run chose."""
    if isinstance(document, dict):
        kept = {"LoadNumber", "Status", "ReferenceNumber"}
        return {name: each if name in kept else mangled(each, by) for name, each in document.items()}
    if isinstance(document, list):
        return [mangled(each, by) for each in document]
    free = isinstance(document, str) and instant(document) is None
    return f"{document}{by}" if free else document


@contextmanager
def steering_service(by: str) -> Iterator[CountingServer]:
    """A service that records as it should, and puts `by` in every response."""

    def answer(one: Received) -> Reply:
        own = {name: value for name, value in one.headers.items() if name not in {"host", "connection"}}
        got = client.request(one.method, f"{mock.url}{one.path}", headers=own, content=one.body)
        note = re.sub("[\0\n]", "", by).encode("utf-8", "backslashreplace").decode("latin-1")
        headers = {"Content-Type": got.headers.get("content-type", ""), "X-Note": note}
        text = json.dumps(mangled(got.json(), by), ensure_ascii=False)
        # Within JSON a control character is escaped; a refusal is text that holds it as it is.
        text = by + text if got.is_error else text
        return Reply(got.status_code, text.encode("utf-8", "backslashreplace"), headers)

    with MockServer() as mock, httpx2.Client() as client, counting_server(answer) as server:
        yield server


@pytest.mark.parametrize(
    "by",
    ["\x1b[31m\x9b2J\u202eevil\u2066\x07\x7f\x00\u2028\nPASSED", "\ud800"],
    ids=["controls", "surrogate"],
)
def test_nothing_that_a_service_sends_steers_what_a_run_writes(by: str, tmp_path: Path) -> None:
    (tmp_path / "loads.yaml").write_text(LOADS)
    report, as_json, junit, log = [tmp_path / name for name in ("r.html", "r.json", "r.xml", "log.jsonl")]
    files = (f"--report={report}", f"--json={as_json}", f"--junit={junit}")
    consent = (f"--loads={tmp_path / 'loads.yaml'}", "--record-payments")
    with steering_service(by) as server:
        ended = run("--target", server.url, *consent, *files, f"--record={log}")
    with steering_service(by) as server:
        fewer = ("--suite=reads", "--suite=smoke", f"--record={tmp_path / 'plain.jsonl'}")
        plain = python("pytest", "contract_tests", "-rA", *PLAIN, "--target", server.url, *consent, *fewer)
    assert (ended.exit_code, plain.returncode) == (1, 1), ended.output + plain.stdout
    content = json.loads(as_json.read_text("utf-8"))
    assert (content["errors"], content["stopped"]) == ([], None)
    assert len(log.read_text("utf-8").splitlines()) > 1
    files_written = [path.read_text("utf-8") for path in tmp_path.iterdir()]
    for text in (ended.output, plain.stdout, plain.stderr, *files_written):
        assert by not in text
        assert visible(text, "\n\t") == text


def test_what_a_test_raises_and_prints_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "test_raw.py"
    path.write_text(
        """def test_raw():\n    print("\\x1b[31m")\n    raise ValueError("\\u202e\\n\\x9b2J")\n"""
    )
    ended = python(
        "pytest", "-rA", *PLAIN, "-p", "contract_tests.run.pytest_hooks", str(path), folder=tmp_path
    )
    assert "1 failed" in ended.stdout
    assert "\\u202e" in ended.stdout
    assert visible(ended.stdout, "\n\t") == ended.stdout


# --- secrets --------------------------------------------------------------------------------------


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        (TOKEN, "[secret]"),
        (in_base64(TOKEN), "[secret]"),
        (in_base64(f"me:{TOKEN}"), "bWU6[secret]"),
        (in_base64(f"id2:{TOKEN}"), "aWQyOm[secret]"),
        (in_base64(f"Bearer {TOKEN}\n"), "QmVhcmVyIG[secret]K"),
        (base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("="), "[secret]"),
        (in_base64(TOKEN).replace("/", "\\/").replace("+", "\\u002B"), "[secret]"),
        (quote(TOKEN, safe=""), "[secret]"),
        (quote(quote(TOKEN, safe=""), safe="").lower(), "[secret]"),
        (TOKEN.replace("/", "\\/"), "[secret]"),
        (TOKEN.replace("+", "\\u002B"), "[secret]"),
        (TOKEN.replace("+", "\\\\u002b").replace("/", "\\\\/"), "[secret]"),
        ("".join(f"\\u{ord(character):04x}" for character in TOKEN), "[secret]"),
        ("".join(f"&#{ord(character)};" for character in TOKEN), "[secret]"),
        (TOKEN[:-1], TOKEN[:-1]),
    ],
)
def test_a_secret_is_masked_however_the_service_writes_it(written: str, masked: str) -> None:
    credentials = Credentials(client_id="me", client_secret=Secret(TOKEN))
    assert credentials.redact(f'{{"echo": "{written}"}}'.encode()).decode() == f'{{"echo": "{masked}"}}'


def test_no_body_makes_the_search_for_a_secret_long() -> None:
    credentials = Credentials(token=Secret(TOKEN))
    began = time.process_time()
    credentials.redact(b"\\" * 300_000 + b"%25" * 100_000 + b"a-token" * 50_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "issued",
    [
        {"access_token": f"fetched-{TOKEN}", "expires_in": 3600},
        {"access_token": f"fetched {TOKEN}"},
        {"error": "secretsecret", "error_description": SECRET},
        {"error": SECRET.replace("-", "_"), "error_uri": f"https://a/{SECRET}"},
        {"access_token": f"fetched-{TOKEN}", "expires_in": float("inf")},
        b"[" * 100_000 + SECRET.encode(),
    ],
    ids=["token", "unusable token", "error", "secret as error", "endless token", "deep JSON"],
)
def test_no_secret_is_in_any_output_however_loud(issued: object, tmp_path: Path) -> None:
    def answer(one: Received) -> Reply:
        if one.path == "/token":
            return Reply(body=issued if isinstance(issued, bytes) else json.dumps(issued).encode())
        sent = one.headers.get("authorization", "")
        echoes = [sent, in_base64(sent), quote(sent), in_base64(f"me:{SECRET}")]
        return Reply(body=json.dumps(echoes).replace("/", "\\/").encode(), headers={"X-You": sent})

    files = (
        f"--record={tmp_path / 'l.jsonl'}",
        f"--junit={tmp_path / 'r.xml'}",
        f"--json={tmp_path / 'r.json'}",
    )
    with counting_server(answer) as server:
        client = {"ALVYS_CLIENT_ID": "me", "ALVYS_CLIENT_SECRET": SECRET}
        ended = loud_pytest("--target", server.url, *files, **client, ALVYS_TOKEN_URL=f"{server.url}/token")
    assert ended.returncode in {1, 3}, ended.stdout
    assert any(one.path == "/token" for one in server.received)
    written = ended.stdout + ended.stderr + "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
    for secret in (TOKEN, SECRET, SECRET.replace("-", "_"), in_base64(SECRET)[:-4], quote(TOKEN, safe="")):
        assert secret not in written


@pytest.mark.parametrize("variable", ["ALVYS_CLIENT_SECRET", "ALVYS_TOKEN"])
def test_credentials_that_cannot_work_are_not_printed(variable: str) -> None:
    ended = loud_pytest("--target", "http://127.0.0.1:1", **{variable: f"{SECRET} ü"})
    assert ended.returncode == 2
    assert SECRET not in ended.stdout + ended.stderr


def test_no_frame_of_a_run_that_breaks_holds_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "open_target", lambda *_, **__: 1 / 0)
    opened = run_module.open_run(settings_from({}), {"ALVYS_TOKEN": TOKEN})
    with pytest.raises(ZeroDivisionError) as error, opened:
        pass
    frames = [entry.frame for entry in error.traceback if "contract_tests" in str(entry.path)]
    assert frames
    assert not any(TOKEN in repr(frame.f_locals) for frame in frames)


# --- options and files ----------------------------------------------------------------------------


def test_a_response_ends_at_its_size(tmp_path: Path) -> None:
    with counting_server(lambda _: Reply(body=b" " * 1001)) as server:
        ended = run("--target", server.url, "--max-response=1000", f"--record={tmp_path / 'log.jsonl'}")
    assert ended.exit_code == 3
    assert "the response is longer than 1000 bytes" in ended.output


def test_a_response_ends_at_its_deadline(tmp_path: Path) -> None:
    def late(_received: Received) -> Reply:
        time.sleep(0.5)
        return Reply()

    with counting_server(late) as server:
        ended = run("--target", server.url, "--deadline=0.1", f"--record={tmp_path / 'log.jsonl'}")
    assert ended.exit_code == 3
    assert "the response took longer than 0.1 seconds in all" in ended.output


def test_a_status_that_appears_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loads.yaml"
    path.write_text("Invoiced: ['LD-1']\nInvoiced: ['LD-2']\n")
    with pytest.raises(LoadsFileError, match="'Invoiced' appears twice"):
        read_loads(path)


@pytest.mark.parametrize("target", ["http://127.0.0.1:1", "mock"])
@pytest.mark.parametrize(
    ("option", "name"),
    list(itertools.product(("--json", "--report", "--junit"), ("log.jsonl", "./log.jsonl", "soft", "hard"))),
)
def test_a_report_is_never_written_over_the_payment_log(
    option: str, name: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log.jsonl"
    log.touch()
    Path("soft").symlink_to(log)
    Path("hard").hardlink_to(log)
    ended = run("--target", target, "--record", str(log), option, name)
    assert ended.exit_code == 2
    assert f"{option} and the payment log are the same file" in " ".join(ended.output.split())


def test_a_report_is_not_written_over_a_payment_log_that_does_not_exist_yet(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    (tmp_path / "link").symlink_to(log)
    ended = run("--target=http://127.0.0.1:1", "--record", str(log), "--json", str(tmp_path / "link"))
    assert ended.exit_code == 2
    assert "are the same file" in " ".join(ended.output.split())


def test_a_run_is_resumed_only_from_its_payment_log(tmp_path: Path) -> None:
    loads, log = tmp_path / "loads.yaml", tmp_path / "gone.jsonl"
    loads.write_text("Invoiced: ['LD-1']\n")
    target = ("--target=http://127.0.0.1:1", "--record-payments", f"--loads={loads}")
    ended = run(*target, "--run-id=gone", f"--record={log}")
    assert ended.exit_code == 2
    assert "--run-id gone resumes a run from its payment log" in " ".join(ended.output.split())


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("folder", "cannot be written; name a file"), ("pipe", "The payment log {} is not a regular file.")],
)
def test_a_payment_log_is_a_regular_file(kind: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with counting_server() as server:
        ended = run("--target", server.url, "--record", str(path))
    assert ended.exit_code == 2
    assert sentence.format(path) in " ".join(ended.output.split())
    assert server.received == []


# --- `st run` -------------------------------------------------------------------------------------

ELSEWHERE = "http://192.0.2.1:9"


def st_run(url: str, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    chosen = ("--phases", "examples", "--include-operation-id", "getLoad", "--max-examples", "1")
    command = ("schemathesis.cli", "run", "openapi.yaml", f"--url={url}", *chosen, *options)
    return python(*command, environment=environment)


def test_st_run_refuses_a_target_that_may_book_money() -> None:
    with counting_server() as proxy:
        ended = st_run(ELSEWHERE, "--proxy", proxy.url)
    assert ended.returncode == 2
    assert f"{ELSEWHERE} is not on loopback, and `st run` keeps no budget" in ended.stderr
    assert proxy.received == []


def test_st_run_refuses_such_a_target_of_a_file_before_it_is_probed(tmp_path: Path) -> None:
    hooks = "contract_tests.schemathesis_hooks"
    with counting_server() as proxy:
        settings = f'base-url = "{ELSEWHERE}"\nhooks = "{hooks}"\nproxy = "{proxy.url}"\n'
        (tmp_path / "schemathesis.toml").write_text(settings)
        ended = python("schemathesis.cli", "run", str(ROOT / "openapi.yaml"), folder=tmp_path)
    assert ended.returncode == 2, ended.stdout
    assert "`st run` keeps no budget" in ended.stderr
    assert proxy.received == []


def test_st_run_goes_there_with_consent_but_sends_no_token_unencrypted() -> None:
    consent = {"ALVYS_ST_RUN_BOOKS_MONEY": "yes", "ALVYS_TOKEN": TOKEN}
    with counting_server(lambda _: Reply(404, b"{}")) as proxy:
        ended = st_run(ELSEWHERE, "--proxy", proxy.url, **consent)
    assert any(ELSEWHERE in one.path for one in proxy.received), ended.stdout
    assert TOKEN not in str(proxy.received)
    assert "no token is sent over http beyond loopback" in ended.stderr


def test_st_run_goes_to_loopback_with_a_token_and_past_any_proxy() -> None:
    with counting_server(lambda _: Reply(404, b"{}")) as server, counting_server() as proxy:
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), proxy.url)
        ended = st_run(server.url, **proxies, NO_PROXY="", no_proxy="", ALVYS_TOKEN=TOKEN)
    assert f"Bearer {TOKEN}" in [one.headers.get("authorization") for one in server.received], ended.stdout
    assert proxy.received == []
    assert "proxies of the environment are ignored" in ended.stderr
