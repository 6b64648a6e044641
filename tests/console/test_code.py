"""The code samples of the console: each sends the bytes that the page would send."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mock_server.console.rendering import STATIC
from mock_server.journal import Entry
from mock_server.testing import MockServer
from tests.mock.api import PAYMENTS, Json

NOTES = {
    "plain": "June",
    "quotes": 'it\'s "quoted" \'\'\'thrice\'\'\' """thrice"""',
    "backslashes": r"C:\new\u0041\\",
    "expansions": "$HOME ${HOME} `id` $(id) {0} %s #{x} !!",
    "letters": "é漢字Ж😀",
    "controls": "\u0001\u007f\u0085\u2028\u2029",
    "at": "@/etc/passwd",
}
SHAPES = {
    "in one line": lambda document: json.dumps(document, ensure_ascii=False),
    "in lines": lambda document: json.dumps(document, ensure_ascii=False, indent=2),
    "with odd ends": lambda document: f"{json.dumps(document, ensure_ascii=False, indent=1)} \r\n\t ",
    "at the edge": lambda document: f"\n  {json.dumps(document)}",
}
RUN = {
    "curl": ("sh", "send.sh", ["sh", "send.sh"]),
    "Python (httpx2)": ("", "send.py", [sys.executable, "send.py"]),
    "Python (requests)": ("", "send.py", [sys.executable, "send.py"]),
    "TypeScript": ("node", "send.mjs", ["node", "send.mjs"]),
    "Java": ("java", "Send.java", ["java", "-Dfile.encoding=UTF-8", "Send.java"]),
}
"""Language -> what must be on the machine, the file, and the command that runs it."""
EVERY = [*RUN, "C#", "Go"]
WRITE = """
import {{ codeFor }} from {module};
let input = "";
for await (const piece of process.stdin) input += piece;
const [language, request, pays] = JSON.parse(input);
process.stdout.write(codeFor(language, request, pays));
"""

Request = dict[str, object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where code.js is a module for Node, which needs to be told."""
    made = tmp_path_factory.mktemp("code")
    shutil.copy(STATIC / "code.js", made / "code.mjs")
    (made / "write.mjs").write_text(WRITE.format(module=json.dumps("./code.mjs")), "utf-8")
    return made


def code_for(language: str, request: Request, folder: Path, *, pays: bool = False) -> str:
    if shutil.which("node") is None:
        pytest.skip("no Node.js here, which runs what writes the samples")
    asked = json.dumps([language, request, pays])
    done = subprocess.run(
        ["node", "write.mjs"], cwd=folder, input=asked.encode(), capture_output=True, check=True
    )
    return done.stdout.decode()


def payment(url: str, body: str) -> Request:
    headers = [["Content-Type", "application/json-patch+json"], ["X-Quoted", 'it\'s "so" \\ $HOME']]
    return {"method": "POST", "url": f"{url}{PAYMENTS}?a='b'&c=[d]", "headers": headers, "body": body}


def body_of(note: str, shape: str, reference: str) -> str:
    document = {
        "LoadNumber": "LD-1001",
        "Amount": {"Amount": 0.1, "Currency": 840},
        "PaymentDate": "2026-07-01T00:00:00Z",
        "ReferenceNumber": reference,
        "Note": NOTES[note],
    }
    return SHAPES[shape](document)


@pytest.fixture(scope="module")
def mock() -> Json:
    with MockServer() as server:
        yield server


def run_sample(
    language: str, request: Request, mock: MockServer, folder: Path, tmp_path: Path
) -> tuple[str, Entry]:
    """What the sample of a request prints, and the one request that the mock got from it."""
    needs, name, command = RUN[language]
    if needs and shutil.which(needs) is None:
        pytest.skip(f"no {needs} here, which runs the sample")
    mock.reset()
    (tmp_path / name).write_text(code_for(language, request, folder), "utf-8")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    (seen,) = mock.requests
    return done.stdout.decode("utf-8", "replace"), seen


@pytest.mark.parametrize("language", RUN)
def test_sample_sends_every_byte(language: str, mock: MockServer, folder: Path, tmp_path: Path) -> None:
    # Each note and each shape comes in some of them: to start a language takes a second.
    cases = [(note, shape) for note in NOTES for shape in SHAPES]
    for place, (note, shape) in enumerate(cases[:: 1 if language == "curl" else 3]):
        request = payment(mock.url, body_of(note, shape, f"R-{place}"))
        printed, seen = run_sample(language, request, mock, folder, tmp_path)
        assert "200" in printed.splitlines()[0], (note, shape)
        assert seen.body.decode() == request["body"], (note, shape)
        assert seen.headers["content-type"] == "application/json-patch+json"
        assert seen.headers["x-quoted"] == 'it\'s "so" \\ $HOME'
        assert seen.method == "POST"


@pytest.mark.parametrize("language", RUN)
def test_sample_without_a_body_sends_none(
    language: str, mock: MockServer, folder: Path, tmp_path: Path
) -> None:
    url = f"{mock.url}/api/p/v2.0/loads?loadNumber=LD-1001"
    request: Request = {"method": "GET", "url": url, "headers": [], "body": ""}
    printed, seen = run_sample(language, request, mock, folder, tmp_path)
    assert "LD-1001" in printed
    assert (seen.method, seen.body) == ("GET", b"")


@pytest.mark.parametrize("language", RUN)
def test_sample_without_a_media_type_sends_none(
    language: str, mock: MockServer, folder: Path, tmp_path: Path
) -> None:
    request = {**payment(mock.url, body_of("plain", "in lines", "R-1")), "headers": []}
    printed, seen = run_sample(language, request, mock, folder, tmp_path)
    assert "415" in printed
    assert "content-type" not in seen.headers


@pytest.mark.parametrize("language", EVERY)
def test_reader_of_a_sample_sees_all_of_it(language: str, folder: Path) -> None:
    hidden = "a\u200bb\u202ec\u2066d\ufeffe\u00adf"
    for body in (hidden, f'{{\n"Note": "{hidden}"\n}}'):
        code = code_for(language, payment("http://127.0.0.1:1", body), folder)
        # A shell has no escapes for them.
        assert (language == "curl") is bool({*hidden} - {*"abcdef"} & {*code})


STRINGS = {
    "C#": re.compile(r'"""\n(?P<lines>(?s:.*?))\n"""|"(?P<text>(?:[^"\\\n]|\\.)*)"'),
    "Go": re.compile(r'`(?P<lines>[^`]*)`|"(?P<text>(?:[^"\\\n]|\\.)*)"'),
}
"""How the languages that may not be on the machine write texts, by their grammars."""


@pytest.mark.parametrize("language", STRINGS)
@pytest.mark.parametrize("note", NOTES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sample_that_is_not_run_has_the_text_in_its_own_quotes(
    language: str, note: str, shape: str, folder: Path
) -> None:
    request = payment("http://127.0.0.1:1", body_of(note, shape, "R"))
    code = code_for(language, request, folder)
    texts = [
        each["lines"] if each["lines"] is not None else json.loads(f'"{each["text"]}"')
        for each in STRINGS[language].finditer(code)
        if each["lines"] is not None or "(int)" not in each[0]
    ]
    assert request["url"] in texts
    assert request["body"] in texts
    assert [text for text in texts if "so" in text and "it's" in text and "{" not in text] == [
        'it\'s "so" \\ $HOME'
    ]


@pytest.mark.parametrize("language", EVERY)
def test_sample_of_a_payment_says_that_it_may_be_sent_again(language: str, folder: Path) -> None:
    request = payment("http://127.0.0.1:1", "{}")
    code = code_for(language, request, folder, pays=True)
    first, rest = code.split("\n", 1)
    assert re.fullmatch(r"(#|//) .* same reference number: nothing is paid twice\.", first)
    assert rest == code_for(language, request, folder)
    assert all(len(line) < 160 for line in code.splitlines())
