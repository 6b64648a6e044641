"""What all pages of the console have."""

import pytest
from playwright.sync_api import expect

from mock_server.console.routes import PAGES, Page
from tests.console.conftest import Visitor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_names_itself_in_the_navigation(page: Page, visitor: Visitor) -> None:
    tab = visitor.open(page.path)
    expect(tab.get_by_role("heading", level=1)).to_have_text(page.title)
    current = tab.locator("nav [aria-current=page]")
    expect(current).to_have_text(page.title)
    expect(current).to_have_attribute("href", page.path)
