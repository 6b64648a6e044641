"""The requests: live, with their reasons, and to be sent and pasted again."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from mock_server.testing import MockServer
from tests.console.axe import violations
from tests.console.conftest import Visit, Visitor
from tests.mock.api import LOADS, PAYMENTS, payment_of

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


def pay(mock: MockServer, reference: str, load: str = "LD-1001", amount: float = 125.5) -> httpx2.Response:
    return httpx2.post(mock.url + PAYMENTS, json=payment_of(load, reference, amount))


def row(tab: Tab, text: str) -> Locator:
    """The newest request whose row has the text."""
    return tab.locator("tr[data-id]", has_text=text).first


def opened(tab: Tab, text: str) -> Locator:
    """Its details, opened."""
    button = row(tab, text).get_by_role("button")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    return tab.locator(f"#{button.get_attribute('aria-controls')}")


def test_request_appears_in_a_second_tab(visitor: Visitor, mock: MockServer) -> None:
    watching = visitor.open("/requests")
    expect(watching.get_by_text("Live", exact=True)).to_be_visible()
    expect(watching.locator("#none")).to_contain_text("No request yet.")
    paying = visitor.open("/")
    paying.get_by_role("button", name="Record a first payment").click()
    expect(row(watching, "FIRST-")).to_contain_text("200")
    expect(row(watching, "FIRST-")).to_contain_text("LD-1001")
    pay(mock, "ACH-1")
    expect(watching.locator("tr[data-id]").first).to_contain_text("ACH-1")
    expect(watching.locator("#count")).to_have_text("2 requests")


@pytest.mark.parametrize(
    ("load", "amount", "why"),
    [
        ("LD-1001", 90.0, "R6: A replay of ACH-17, recorded"),
        ("LD-1014", 90.0, "R2: "),
        ("ld-1001", 90.0, "R3: LD-1001 exists; you sent ld-1001."),
        ("LD-1001", 0.0, "R4: "),
    ],
)
def test_reason_is_told_in_the_words_of_the_contract(
    load: str, amount: float, why: str, visitor: Visitor, mock: MockServer
) -> None:
    pay(mock, "ACH-17")
    pay(mock, "ACH-17", load, amount)
    tab = visitor.open("/requests")
    rule = why.split(":", maxsplit=1)[0]
    newest = tab.locator("tr[data-id]").first
    expect(newest).to_contain_text(rule)
    newest.get_by_role("button").click()
    expect(tab.locator(".why")).to_contain_text(why)
    expect(tab.locator(".why").get_by_role("link")).to_have_attribute("href", f"/contract#{rule}")


def test_what_a_client_sends_is_text_and_no_markup(visitor: Visitor, mock: MockServer) -> None:
    pay(mock, HOSTILE)
    pay(mock, "R-1", HOSTILE)
    httpx2.get(f"{mock.url}/{HOSTILE}", headers={"User-Agent": HOSTILE})
    tab = visitor.open("/requests")
    expect(tab.locator("tr[data-id]")).to_have_count(3)
    for each in tab.locator("tr[data-id]").all():
        each.get_by_role("button").click()
    expect(tab.locator(".detail:visible")).to_have_count(3)
    expect(tab.locator("tr[data-id] .reference", has_text="<img src=x")).to_have_count(1)
    expect(tab.locator(".detail pre", has_text="<img src=x").first).to_be_visible()
    assert tab.locator("main img").count() == 0
    assert tab.title() == "Requests · Alvys sandbox"


def test_requests_are_found_by_their_filters(visitor: Visitor, mock: MockServer) -> None:
    pay(mock, "ACH-1")
    pay(mock, "ACH-2", "LD-1014")
    mock.fail_next(status=503)
    pay(mock, "ACH-3")
    httpx2.get(f"{mock.url}{LOADS}?loadNumber=LD-1002")
    tab = visitor.open("/requests")
    count, rows = tab.locator("#count"), tab.locator("tr[data-id]")
    expect(count).to_have_text("4 requests")
    for name, value, found in (
        ("operation", "getLoad", "LD-1002"),
        ("status", "4", "ACH-2"),
        ("status", "5", "ACH-3"),
    ):
        tab.locator(f"#filters [name={name}]").select_option(value)
        expect(count).to_have_text("1 of 4 requests")
        expect(rows).to_contain_text([found])
        tab.locator(f"#filters [name={name}]").select_option("")
    for label, value in (("Search", "ach-1"), ("Load", "LD-1014"), ("Reference", "ACH-3")):
        tab.get_by_label(label, exact=True).fill(value)
        expect(count).to_have_text("1 of 4 requests")
        tab.get_by_label(label, exact=True).fill("")
    tab.get_by_label("Only with a fault").check()
    expect(rows).to_contain_text(["ACH-3"])
    pay(mock, "ACH-4")
    expect(count).to_have_text("1 of 5 requests")
    # Who comes back to the address, or shares it, finds the same.
    tab.reload()
    expect(count).to_have_text("1 of 5 requests")


def test_request_is_sent_again(visitor: Visitor, mock: MockServer) -> None:
    pay(mock, "ACH-1")
    tab = visitor.open("/requests")
    opened(tab, "ACH-1").get_by_role("button", name="Send again").click()
    expect(tab.locator("#messages")).to_contain_text("Sent again: 200 OK")
    expect(tab.locator("#count")).to_have_text("2 requests")
    first, second = mock.requests
    assert (first.body, first.path) == (second.body, second.path)
    assert len(mock.load("LD-1001")["payments"]) == 1


def test_request_whose_secrets_are_masked_is_not_sent_again(visitor: Visitor, mock: MockServer) -> None:
    httpx2.post(f"{mock.url}/oauth/token", json={"client_id": "x", "client_secret": "y"})
    tab = visitor.open("/requests")
    detail = opened(tab, "/oauth/token")
    expect(detail.get_by_role("button", name="Send again")).to_be_disabled()
    expect(detail).to_contain_text("Its secrets are masked")


def copied(tab: Tab, detail: Locator, button: str) -> str:
    detail.get_by_role("button", name=button).click()
    expect(tab.locator("#messages")).to_contain_text("Copied: the request as")
    text: str = tab.evaluate("navigator.clipboard.readText()")
    return text


def test_request_copied_as_curl_can_be_pasted(visitor: Visitor, mock: MockServer) -> None:
    pay(mock, 'it\'s $HOME `x` "1"')
    tab = visitor.open("/requests")
    command = copied(tab, opened(tab, "it's"), "Copy as curl")
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=300)
    assert ended.stdout.startswith("HTTP/1.1 200 OK")
    first, second = mock.requests
    assert first.body == second.body


def test_request_copied_as_pytest_passes(visitor: Visitor, mock: MockServer, tmp_path: Path) -> None:
    pay(mock, 'a "quoted" \\ ü')
    pay(mock, "ACH-2", "LD-1014")
    for fault in ({"drop": "after"}, {"status": 503, "retryAfter": 2, "problem": False}):
        mock.fail_next(**fault)
        try:
            pay(mock, "ACH-3")
        except httpx2.TransportError:
            continue
    tab = visitor.open("/requests")
    expect(tab.locator("tr[data-id]")).to_have_count(4)
    tests = []
    for each in tab.locator("tr[data-id]").all():
        each.get_by_role("button").click()
        tests.append(copied(tab, tab.locator(".detail:visible"), "Copy as pytest"))
        each.get_by_role("button").click()
        tab.get_by_role("button", name="Close the message").click()
    for number, text in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert "4 passed" in ended.stdout, ended.stdout


def test_requests_are_downloaded_as_an_archive(visitor: Visitor, mock: MockServer) -> None:
    pay(mock, "ACH-1")
    tab = visitor.open("/requests")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download as HAR").click()
    assert download.value.suggested_filename == "requests.har"
    archive = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert [entry["request"]["method"] for entry in archive["log"]["entries"]] == ["POST"]


def test_journal_is_cleared_in_every_tab(visitor: Visitor, mock: MockServer) -> None:
    pay(mock, "ACH-1")
    one, other = visitor.open("/requests"), visitor.open("/requests")
    for tab in (one, other):
        expect(row(tab, "ACH-1")).to_be_visible()
    one.get_by_role("button", name="Clear").click()
    one.get_by_role("dialog").get_by_role("button", name="Remove").click()
    for tab in (one, other):
        expect(tab.locator("#none")).to_contain_text("No request yet.")
    assert mock.requests == []


@pytest.mark.parametrize("width", [400, 1280])
def test_details_are_open_to_everybody(width: int, visit: Visit, mock: MockServer) -> None:
    pay(mock, "x" * 240)
    mock.fail_next(status=503, retryAfter=2)
    pay(mock, "ACH-2")
    tab = visit(mock.url, width=width).open("/requests")
    expect(tab.locator("tr[data-id]")).to_have_count(2)
    for each in tab.locator("tr[data-id]").all():
        each.get_by_role("button").focus()
        tab.keyboard.press("Enter")
    expect(tab.locator(".detail:visible")).to_have_count(2)
    assert violations(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
