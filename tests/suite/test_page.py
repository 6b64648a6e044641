"""The HTML report: what it shows first, that it needs nothing but itself, and that everybody can read it."""

import base64
import hashlib
import re
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from contract_tests.report.build import Report
from contract_tests.report.drift import Change, Drift
from contract_tests.report.html import write_html
from contract_tests.report.results import BrokenTest, Stopped
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Findings
from contract_tests.safety.guard import Budget
from tests.suite.reports import NASTY, exchange, mixed, report, results

CSS = (Path(__file__).parents[2] / "contract_tests" / "report" / "report.css").read_text()


class Page(HTMLParser):
    """A page as a browser reads it: its elements in order, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inline: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        tag = self.elements[-1][0] if self.elements else ""
        if tag in {"script", "style"} and data.strip():
            self.inline.setdefault(tag, data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for each, attributes in self.elements if each == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def nasty() -> Report:
    findings = Findings()
    findings.fails("R2", NASTY, NASTY, exchange(NASTY))
    findings.observes("A6", NASTY)
    findings.cannot_test("R3", NASTY)
    stop = Stopped(NASTY, ExitStatus.FAILED)
    return report(results(findings, stopped=stop, errors=[BrokenTest(NASTY, NASTY)]))


def page(made: Report, folder: Path, drift: Drift | None = None) -> Page:
    write_html(made, folder / "page.html", drift)
    return Page((folder / "page.html").read_text("utf-8"))


@pytest.fixture
def every(tmp_path: Path) -> Page:
    """A page with everything on it."""
    change = Change("R2", "Any other", "passed", "failed", worse=True)
    return page(nasty(), tmp_path, Drift("2026-07-01", (change,), ()))


def test_the_page_loads_nothing_and_runs_no_script_but_its_own(every: Page) -> None:
    (policy,) = [each["content"] for each in every.all("meta") if each.get("http-equiv")]
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(every.inline[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy, "what the policy names is what the page has"
        assert len(every.all(tag)) == 1
    assert "{{" not in every.text.replace("{{ 7 * 7 }}", "")
    assert every.text.count("&lt;script&gt;") > 5
    attributes = [each for _, found in every.elements for each in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in {"src", "style", "srcdoc"}]
    assert all(value.startswith("#") for name, value in attributes if name == "href")
    assert re.findall(r"url\(|@import|fetch\(|innerHTML|eval\(", every.text) == []


def test_the_verdict_and_the_failures_come_before_the_clauses(tmp_path: Path) -> None:
    text = page(mixed(), tmp_path).text
    assert "<title>FAILED: https://target</title>" in text
    order = [
        "<b>FAILED</b>",
        'href="#cause-1"',
        "<h2>Failures",
        "2 times",
        "Budgets",
        ">Clauses</h2>",
        "Observed",
    ]
    places = [text.index(each) for each in order]
    assert places == sorted(places)


def test_the_strip_leads_from_each_clause_to_its_failure_or_its_row(tmp_path: Path) -> None:
    made = page(mixed(), tmp_path)
    links = [each["href"] for each in made.all("a")]
    assert links == ["#clause-R1", "#cause-1", "#clause-R3", "#clause-P1"]
    assert {link[1:] for link in links} <= set(made.ids)


def test_a_failure_is_drawn_with_what_differs_marked(tmp_path: Path) -> None:
    text = page(mixed(), tmp_path).text
    assert re.findall(r"<h4>(\w+)</h4>\s+<p>(?:<mark>)?([^<]+)", text)[:2] == [
        ("Request", "POST /api/p/v1.0/invoices/customer-payments"),
        ("Response", "200 · 10 ms"),
    ]
    assert '<mark>200 · 10 ms</mark> <span class="note">≠ expected 404</span>' in text


def test_the_page_shows_how_much_of_each_budget_was_used(tmp_path: Path) -> None:
    made = page(report(results(Findings(), budget=Budget(600, 8, Decimal("3.00")))), tmp_path)
    assert [(each["value"], each["max"]) for each in made.all("meter")] == [
        ("57", "600"),
        ("1", "8"),
        ("0.10", "3.00"),
    ]
    assert "57 of 600" in made.text
    assert page(mixed(), tmp_path).all("meter") == []


def test_rows_say_what_the_filters_look_for(tmp_path: Path) -> None:
    made = page(mixed(), tmp_path)
    rows = [each["data-is"] for each in made.all("tr") if "data-is" in each]
    assert rows == ["passed", "failed", "not_tested", "not_tested", "differs", "unseen"]
    offered = {each["data-show"] for each in made.all("button") if each.get("data-show")}
    assert offered == {"passed", "failed", "not_tested", "differs", "alike", "unseen"}
    targets = [each["data-of"] for _, each in made.elements if "data-of" in each]
    assert set(targets) <= set(made.ids)


def test_a_screen_reader_finds_its_way(every: Page) -> None:
    assert len(every.ids) == len(set(every.ids))
    assert [len(every.all(tag)) for tag in ("main", "h1", "nav", "header")] == [1, 1, 1, 1]
    assert every.all("html")[0]["lang"] == "en"
    assert all(each["scope"] for each in every.all("th"))
    assert all(each.get("aria-labelledby") in every.ids for each in every.all("table"))
    assert all(each["type"] == "button" for each in every.all("button"))
    assert all(each["aria-label"] for each in every.all("input") + every.all("pre") + every.all("nav"))
    levels = [int(tag[1]) for tag, _ in every.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_without_scripts_nothing_that_needs_them_is_shown(every: Page) -> None:
    scripted = [each for _, each in every.elements if each.get("class") in {"copy", "filter"}]
    assert scripted
    assert all("hidden" in each for each in scripted)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    colors = dict(re.findall(r"--([\w-]+): (#\w+)", light if scheme == "light" else dark))
    texts = [("ink", "ground"), ("soft", "ground"), ("soft", "well"), ("ink", "well"), ("link", "ground")]
    texts += [("failed", "ground"), ("failed", "well"), ("passed", "ground"), ("not_tested", "ground")]
    texts += [(outcome, f"{outcome}-ground") for outcome in ("passed", "failed", "not_tested")]
    texts += [("ink", f"{outcome}-ground") for outcome in ("passed", "failed", "not_tested")]
    for text, ground in texts:
        assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    assert min(contrast(colors["edge"], colors[ground]) for ground in ("ground", "well")) >= 3


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(each * 2 for each in color[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
