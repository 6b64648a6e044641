"""What keeps people out of a page: axe-core, in the page."""

from pathlib import Path

import axe_playwright_python  # type: ignore[import-untyped]
from playwright.sync_api import Page

_SCRIPT = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """Each rule of WCAG 2.2 AA, or of good practice, that the page breaks: the rule and the first places."""
    page.evaluate(_SCRIPT)
    found = page.evaluate("tags => axe.run({runOnly: tags, resultTypes: ['violations']})", _TAGS)
    return [
        f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"][:3]
    ]
