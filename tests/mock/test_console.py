"""Who gets the pages of the console, and under which rules; what they look like, tests/console says."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx2
import jsonschema_rs
import pytest

import mock_server.console
from contract_tests.rules.clauses import CLAUSES
from contract_tests.rules.questions import QUESTIONS
from mock_server.console.routes import HOME, PAGES, Page, wants_page
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import problem_of
from tests.mock.command import serving
from tests.mock.team import Team, running

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
MOST = 100_000
"""How many bytes all pages and files that are our own may have."""


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with running(Settings()) as it:
        yield it


def page(team: Team, path: str, **headers: str) -> httpx2.Response:
    return team.client.get(path, headers=BROWSER | headers)


# --- who gets a page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (BROWSER["Accept"], True),
        ("text/html", True),
        ("TEXT/HTML", True),
        ("application/json;q=0.5, text/html", True),
        ("application/json, text/html;q=0.9", False),
        ("text/html, application/json", False),
        ("text/html;q=0.1, application/problem+json;q=0.2", False),
        ("text/html;q=0", False),
        ("text/html;q=0.001", True),
        ("text/html;level=1;q=0.5", True),
        ("text/html;q=much", False),
        ("*/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_page_is_for_who_would_rather_have_html(accept: str, *, wanted: bool) -> None:
    assert wants_page({"headers": [(b"accept", accept.encode())]}) is wanted


def test_several_accept_headers_count_as_one() -> None:
    headers = [(b"accept", b"text/html;q=0.5"), (b"accept", b"application/json")]
    assert not wants_page({"headers": headers})


@pytest.mark.parametrize("path", [each.path for each in PAGES])
def test_browsers_get_a_page_and_others_what_the_api_responds(path: str, team: Team) -> None:
    shown = page(team, path)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert shown.headers["vary"] == "accept"
    for accept in ("*/*", "application/json"):
        problem = problem_of(team.client.get(path, headers={"Accept": accept}), 404)
        assert problem["detail"] == "There is no such path, or not in this version of the API."
    assert team.client.post(path, headers=BROWSER).status_code == 404


def test_journal_has_what_was_refused_and_no_pages(team: Team) -> None:
    team.mock.reset()
    page(team, "/")
    page(team, f"{HOME}console.css")
    team.client.get("/")
    assert [(each.path, each.status) for each in team.mock.requests] == [("/", 404)]


# --- what a page may do --------------------------------------------------------------------------------


@pytest.mark.parametrize("each", PAGES, ids=lambda each: each.name)
def test_page_runs_only_scripts_of_its_own(each: Page, team: Team) -> None:
    shown = page(team, each.path)
    policy = dict(rule.split(" ", 1) for rule in shown.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == f"'self' {team.mock.url}"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", shown.text)
    for link in re.findall(r'(?:src|href)="([^"]*)"', shown.text):
        assert re.match(rf"[#/?]|{team.mock.url}/", link), link


def test_every_file_that_a_page_names_is_there(team: Team) -> None:
    shown = " ".join(page(team, each.path).text for each in PAGES)
    for link in set(re.findall(rf'"({HOME}[^"]*)"', shown)):
        got = team.client.get(link)
        assert (got.status_code, got.headers["x-content-type-options"]) == (200, "nosniff"), link
        assert got.headers["cross-origin-resource-policy"] == "same-origin"


def test_file_that_is_not_there_is_not_found(team: Team) -> None:
    for name in ("nothing.js", "../rendering.py", "..%2frendering.py", ""):
        problem_of(team.client.get(HOME + name), 404)


def test_all_that_browsers_load_of_ours_is_small() -> None:
    """Scripts, styles and pictures of all pages together; Swagger UI is not ours."""
    static = Path(mock_server.console.__file__).parent / "static"
    assert sum(path.stat().st_size for path in static.iterdir()) < MOST


# --- who may see it ------------------------------------------------------------------------------------


def test_page_answers_only_to_names_of_the_mock(team: Team) -> None:
    for path in ("/", f"{HOME}api.js"):
        problem = problem_of(page(team, path, Host="evil.example"), 403)
        assert "--allow-host" in problem["detail"]
    assert page(team, "/", Host="localhost:1").status_code == 200


def test_others_may_link_to_a_page(team: Team) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert page(team, "/", **elsewhere).status_code == 200


def test_pages_need_no_key_and_tell_no_secret() -> None:
    with running(Settings(admin_key="open")) as team:
        for each in PAGES:
            shown = page(team, each.path)
            assert shown.status_code == 200
            assert "sandbox-secret" not in shown.text
        problem_of(team.client.get("/_mock/settings"), 401)
        told = team.client.get("/_mock/settings", headers={"X-Admin-Key": "open"}).json()
    assert [client["secret"] for client in told["clients"]] == ["sandbox-secret"]


def test_pages_are_there_where_tokens_are_required() -> None:
    with running(Settings(require_token=True)) as team:
        assert page(team, "/").status_code == 200
        problem_of(team.client.get("/"), 401)


def test_without_the_admin_api_there_are_no_pages() -> None:
    with running(Settings(admin=False)) as team:
        for path in ("/", "/docs", f"{HOME}api.js"):
            problem_of(page(team, path), 404)


# --- beside the paths of an API ------------------------------------------------------------------------

THEIRS = {
    "openapi": "3.1.0",
    "info": {"title": "Theirs", "version": "1"},
    "paths": {
        path: {"get": {"responses": {"200": {"description": "Theirs.", "content": {"text/html": {}}}}}}
        for path in ("/", "/docs", "/loads")
    },
}


def test_path_that_the_api_has_is_the_apis(write: Write) -> None:
    spec = write("theirs.json", json.dumps(THEIRS))
    with MockServer(spec=spec) as mock, httpx2.Client(base_url=mock.url) as client:
        team = Team(mock, client)
        for path in ("/", "/docs", "/loads"):
            assert "Alvys sandbox" not in page(team, path).text
        shown = page(team, f"{HOME}overview")
        assert f'href="{HOME}docs">Reference' in shown.text
        assert 'href="/requests">Requests' in shown.text
        assert page(team, f"{HOME}docs").status_code == 200
        assert page(team, "/requests").status_code == 200


def test_start_says_where_the_console_is(write: Write) -> None:
    spec = write("theirs.json", json.dumps(THEIRS))
    for options, path in (((), "/"), (("--spec", str(spec)), f"{HOME}overview")):
        with serving("--port", "0", *options, tries=not options) as running_mock:
            assert f"Console: {running_mock.url}{path}\n" in running_mock.greeting


def test_pages_are_on_the_port_of_the_admin_api() -> None:
    with serving("--port", "0", "--admin-port", "0") as running_mock:
        match = re.search(r"^Console: (\S+)/$", running_mock.greeting, re.MULTILINE)
        assert match
        shown = httpx2.get(match[1], headers=BROWSER)
        assert f'data-api="{running_mock.url}"' in shown.text
        assert f"connect-src 'self' {running_mock.url}" in shown.headers["content-security-policy"]
        document = httpx2.get(f"{match[1]}{HOME}openapi.json").json()
        assert [server["url"] for server in document["servers"]] == [running_mock.url]
        assert httpx2.get(running_mock.url, headers=BROWSER).status_code == 404


# --- what they show ------------------------------------------------------------------------------------


def test_settings_are_told_as_described(team: Team) -> None:
    document = team.client.get("/_mock/openapi.json").json()
    schema = {**document["components"]["schemas"]["Settings"], "components": document["components"]}
    told = team.client.get("/_mock/settings").json()
    jsonschema_rs.validate(schema, told)
    assert (told["revision"], told["profile"], told["rateLimit"]) == ("page", "default", "off")
    assert told["tokens"] | {"audience": ""} == {
        "required": False,
        "lifetime": 3600,
        "path": "/oauth/token",
        "audience": "",
    }
    assert {each["id"] for each in told["operations"]} >= {"recordCustomerPayment", "getLoad", "issueToken"}


def test_document_of_others_has_examples_and_state_apart(write: Write) -> None:
    spec = write("theirs.json", json.dumps(THEIRS))
    with MockServer(spec=spec) as mock:
        told = httpx2.get(f"{mock.url}/_mock/settings").json()
    kept = {each["id"]: each["keepsState"] for each in told["operations"]}
    assert kept["GET /docs"] is False
    assert kept["issueToken"] is True


def rows_of(html: str) -> dict[str, str]:
    """The rows of the contract's page by their ids, without their tags."""
    rows = re.findall(r'<tr id="(\w+)"(?: class="different")?>(.*?)</tr>', html, re.DOTALL)
    return {key: " ".join(unescape(re.sub(r"<[^>]*>", " ", row)).split()) for key, row in rows}


def test_contract_is_shown_in_the_words_of_its_files(team: Team) -> None:
    rows = rows_of(page(team, "/contract").text)
    assert rows["R3"] == "R3 An unknown LoadNumber is refused with 404. the endpoint's own page Try"
    assert "assumed: nobody says it" in rows["A9a"]
    assert {*rows} == {*CLAUSES, *QUESTIONS}


def test_contract_is_shown_as_the_mock_plays_it() -> None:
    with running(Settings(revision="2026-07", profile="newtonsoft")) as team:
        shown = page(team, "/contract").text
    rows = rows_of(shown)
    assert "TotalBillable" in rows["D1"]
    assert "PaidAt, TotalPaid, Payments By default: paidAt, totalPaid, payments" in rows["A1"]
    assert 'id="A1" class="different"' in shown


def test_report_is_shown_once_it_is_written(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    with running(Settings(report=report)) as team:
        path = team.client.get("/_mock/settings").json()["report"]
        problem_of(team.client.get(path), 404)
        report.write_text("<h1>PASSED</h1>")
        got = team.client.get(path)
        assert (got.text, got.headers["content-type"]) == ("<h1>PASSED</h1>", "text/html; charset=utf-8")
        assert got.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")


def test_without_a_report_there_is_no_path_for_it(team: Team) -> None:
    assert team.client.get("/_mock/settings").json()["report"] is None


def test_fields_of_a_fault_are_those_of_the_admin_api(team: Team) -> None:
    shown = page(team, "/faults").text
    when, what = (re.findall(r'name="(\w+)" data-type', part) for part in shown.split("What it does"))
    document = team.client.get("/_mock/openapi.json").json()
    assert when + what == [*document["components"]["schemas"]["Fault"]["properties"]]
    assert (when[-1], what[0]) == ("seed", "delay")


# --- what it costs who has no browser ------------------------------------------------------------------


def test_nothing_of_the_pages_is_imported_before_the_first_of_them() -> None:
    program = """
import sys, urllib.request
from mock_server.testing import MockServer
late = {"jinja2", "swagger_ui_bundle", "mock_server.console.rendering"}
with MockServer() as mock:
    urllib.request.urlopen(mock.url + "/_mock/health").read()
    print(sorted(late & set(sys.modules)))
    urllib.request.urlopen(urllib.request.Request(mock.url, headers={"Accept": "text/html"})).read()
    print(sorted(late & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        "[]",
        "['jinja2', 'mock_server.console.rendering', 'swagger_ui_bundle']",
    ]
