"""`python -m tests.console.pictures` takes the pictures of the console that the README shows."""

from contextlib import suppress
from datetime import UTC, datetime

import httpx2
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mock_server.testing import MockServer
from tests.console.conftest import program
from tests.docs.page import ROOT
from tests.mock.api import LOADS, PAYMENTS, payment_of

OVERVIEW = ROOT / "docs" / "console-overview.png"
REQUESTS = ROOT / "docs" / "console-requests.png"
PORT = 8080
"""What the pictures show, whatever port was free when they were taken."""
LOST = "ACH-20"


def overview(tab: Page) -> None:
    """The overview, after the first steps."""
    for button in ("record", "replay", "lose", "refuse"):
        tab.locator(f"#{button}").click()
        expect(
            tab.locator(".steps > li", has=tab.locator(f"#{button}")).locator(".outcome")
        ).not_to_be_empty()
    tab.locator("h1").click()


def requests(tab: Page, mock: MockServer) -> None:
    """The requests of a client with some trouble; one of them is open."""
    mock.freeze_clock(datetime(2026, 7, 1, 12, 3, 10, tzinfo=UTC))
    with httpx2.Client(base_url=mock.url) as client:
        client.get(LOADS, params={"loadNumber": "LD-1001"})
        for load, reference, amount in (
            ("LD-1001", "ACH-17", 125.5),
            ("LD-1014", "ACH-18", 80),
            ("LD-1001", "ACH-17", 90),
            ("ld-1001", "ACH-19", 80),
            ("LD-1002", LOST, 1400.25),
        ):
            mock.move_clock(7)
            if reference == LOST:
                mock.fail_next(drop="after")
            with suppress(httpx2.TransportError):
                client.post(PAYMENTS, json=payment_of(load, reference, amount))
    expect(tab.locator("tr[data-id]")).to_have_count(6)
    tab.locator("tr[data-id]", has_text="ACH-17").first.get_by_role("button").click()
    expect(tab.locator(".why")).to_contain_text("R6")
    tab.locator("h1").click()


def _tab(browser: Browser, url: str, height: int, *, dark: bool) -> Page:
    context = browser.new_context(
        viewport={"width": 1280, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        timezone_id="UTC",
        locale="en-GB",
    )
    tab = context.new_page()
    tab.goto(url)
    tab.wait_for_load_state("load")
    return tab


def _take(tab: Page, mock: MockServer, file: str) -> None:
    port = mock.url.rpartition(":")[2]
    tab.evaluate(
        """([port, shown]) => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replace(port, shown);
        }""",
        [port, str(PORT)],
    )
    tab.screenshot(path=file)


def main() -> None:
    """Takes both pictures."""
    with sync_playwright() as playwright, MockServer() as mock:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        tab = _tab(browser, f"{mock.url}/", 640, dark=False)
        overview(tab)
        _take(tab, mock, str(OVERVIEW))
        mock.reset()
        tab = _tab(browser, f"{mock.url}/requests", 860, dark=True)
        requests(tab, mock)
        _take(tab, mock, str(REQUESTS))
        browser.close()


if __name__ == "__main__":
    main()
