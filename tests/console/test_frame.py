"""What all pages of the console have: a place in the navigation, room on every screen, and no barriers."""

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from mock_server.console.routes import PAGES, Page
from mock_server.testing import MockServer
from tests.console.axe import violations
from tests.console.conftest import NARROW, WIDE, Visit, Visitor

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


LAST = {
    "overview": "#loads li",
    "requests": "#live.good",
    "try": "#code:not(:empty)",
    "loads": "#rows tr",
    "faults": "#now:not(:empty)",
    "contract": "#questions-title",
    "docs": ".opblock",
}
"""What a page shows last. To wait until it asks for nothing more would not do: some never stop listening."""


def is_whole(tab: Tab, page: Page) -> None:
    """Waits until the page has what it shows at first."""
    expect(tab.locator(LAST[page.name]).first).to_be_visible()


@every_page
def test_every_page_names_itself_in_the_navigation(page: Page, visitor: Visitor) -> None:
    tab = visitor.open(page.path)
    # Swagger UI has an h1 of its own, made a heading of level 2.
    expect(tab.get_by_role("heading", level=1).first).to_have_text(page.title)
    current = tab.locator("nav [aria-current=page]")
    expect(current).to_have_text(page.title)
    expect(current).to_have_attribute("href", page.path)


@every_page
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_every_page_is_open_to_everybody(
    page: Page, width: int, visit: Visit, mock: MockServer, *, dark: bool
) -> None:
    """No barrier that axe finds, and nothing beside the screen, in light and in dark."""
    tab = visit(mock.url, width=width, dark=dark).open(page.path)
    is_whole(tab, page)
    assert violations(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
