"""A browser, and a mock whose console it opens."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from mock_server.testing import MockServer

BROWSER = "ALVYS_TEST_BROWSER"
"""The variable with a Chromium; `required` for any that is there, without which the tests fail."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = 1280, 400
PATIENCE = 120_000
"""Milliseconds that a busy machine may take for what a page does."""


def program() -> str | None:
    """The Chromium to start, if there is one."""
    named = os.environ.get(BROWSER, "")
    wanted = _NAMES if named in {"", "required"} else (named,)
    return next(filter(None, map(shutil.which, wanted)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; skips where there is none.

    Playwright has an event loop in this thread for as long as it is there: other tests want one of their own.
    """
    found = program()
    if found is None:
        told = f"no Chromium here; install Debian's chromium, or name another in {BROWSER}"
        (pytest.fail if os.environ.get(BROWSER) else pytest.skip)(told)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Visitor:
    """Opens pages of one mock, each in a tab of one browser, and sees what they load and complain of."""

    context: BrowserContext
    url: str
    asked: list[str] = field(default_factory=list)
    """The URLs of all requests, wherever they go."""
    complaints: list[str] = field(default_factory=list)
    """Exceptions of scripts, and violations of the policy of the page."""

    def __post_init__(self) -> None:
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("console", self._hear)

    def _hear(self, said: ConsoleMessage) -> None:
        # That a fault refused or dropped a request is what the tests are about.
        if said.type == "error" and not said.text.startswith("Failed to load resource"):
            self.complaints.append(said.text)

    def open(self, path: str = "/") -> Page:
        """A new tab with the page."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(self.url + path)
        return page

    def remember_key(self, key: str) -> None:
        """As if the admin key had been typed in each tab."""
        kept = f"sessionStorage.setItem('alvys-sandbox-admin-key', '{key}')"
        self.context.add_init_script(f"if (window.origin !== 'null') {kept}")

    def strangers(self) -> set[str]:
        """The hosts that were called, beside the mock."""
        hosts = {urlsplit(url).netloc for url in self.asked if not url.startswith(("data:", "blob:"))}
        return hosts - {urlsplit(self.url).netloc}


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Makes a visitor of a mock: `visit(mock.url, width=400, dark=True)`."""
    visitors: list[Visitor] = []

    def come(url: str, *, width: int = WIDE, dark: bool = False) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
            timezone_id="UTC",
            locale="en-GB",
        )
        visitors.append(Visitor(context, url))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()
    assert [visitor.strangers() for visitor in visitors] == [set() for _ in visitors]
    assert [visitor.complaints for visitor in visitors] == [[] for _ in visitors]


@pytest.fixture(scope="session")
def running_mock() -> Iterator[MockServer]:
    with MockServer() as mock:
        yield mock


@pytest.fixture
def mock(running_mock: MockServer) -> MockServer:
    """A mock as it is after its start."""
    running_mock.reset()
    return running_mock


@pytest.fixture
def visitor(visit: Visit, mock: MockServer) -> Visitor:
    """Somebody at a wide screen, who likes it light."""
    return visit(mock.url)
