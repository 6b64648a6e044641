"""The contract, the last report of a run against it, and the reference."""

from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.console.axe import violations
from tests.console.conftest import Visit, Visitor
from tests.mock.api import json_of


def test_rules_and_assumptions_are_found(visitor: Visitor) -> None:
    tab = visitor.open("/contract")
    find = tab.get_by_role("searchbox", name="Find")
    find.fill("no duplicate")
    rows = tab.locator(".rules tbody tr:visible")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("R6")
    expect(rows.get_by_role("link", name="Try R6")).to_have_attribute("href", "/try?preset=R6")
    find.fill("nothing has this")
    expect(rows).to_have_count(0)
    expect(tab.locator("#found")).to_contain_text("0 of ")


def test_what_a_profile_changes_is_shown_alone(visit: Visit) -> None:
    with MockServer(settings=Settings(profile="newtonsoft")) as mock:
        visitor = visit(mock.url)
        tab = visitor.open("/contract")
        tab.get_by_label("Only where this sandbox does not do the default").check()
        rows = tab.locator(".rules tbody tr:visible")
        expect(rows.first).to_contain_text("By default:")
        assert 0 < rows.count() < 60
        visitor.context.close()


def test_last_report_is_shown_in_a_frame_that_reaches_nothing(visit: Visit, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    with MockServer(settings=Settings(report=report, admin_key="k")) as mock:
        visitor = visit(mock.url)
        visitor.remember_key("k")
        tab = visitor.open("/contract")
        expect(tab.locator("#report")).to_contain_text("There is no report yet.")
        report.write_text(
            "<!doctype html><title>x</title><h1>PASSED</h1><script>"
            "try { parent.document.title = 'taken' } catch { document.body.append('alone') }</script>"
        )
        tab.reload()
        frame = tab.frame_locator("#report-frame")
        expect(frame.locator("h1")).to_have_text("PASSED")
        expect(frame.locator("body")).to_contain_text("alone")
        assert tab.title() == "Contract · Alvys sandbox"
        visitor.complaints.clear()  # the browser tells of what the report was refused
        visitor.context.close()


# --- the reference -----------------------------------------------------------------------------------


def executed(tab: Tab) -> str:
    """What Swagger UI shows of the response to a payment, as its document has it."""
    operation = tab.locator(".opblock", has_text="Record a customer payment")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    live = operation.locator(".live-responses-table tbody .response-col_status")
    expect(live).not_to_be_empty()
    return live.inner_text().strip()


def test_reference_sends_a_payment_to_this_server(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/docs")
    assert executed(tab) == "200"
    assert [request.operation for request in mock.requests] == ["recordCustomerPayment"]
    assert violations(tab) == []


@pytest.mark.parametrize("key", [None, "k"])
def test_reference_is_authorized_as_the_vendor_says(key: str | None, visit: Visit) -> None:
    with MockServer(settings=Settings(require_token=True, admin_key=key)) as mock:
        visitor = visit(mock.url)
        if key:
            visitor.remember_key(key)
        tab = visitor.open("/docs")
        tab.get_by_role("button", name="Authorize").first.click()
        dialog = tab.locator(".dialog-ux")
        expect(dialog.get_by_label("client_secret")).to_have_value("sandbox-secret")
        assert violations(tab) == []
        dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()
        expect(dialog).to_contain_text("Authorized")
        dialog.get_by_role("button", name="Close", exact=True).click()
        assert executed(tab) == "200"
        asked = next(request for request in mock.requests if request.operation == "issueToken")
        assert b"audience=" in asked.body
        visitor.context.close()


def test_reference_reads_no_document_but_ours(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/docs")
    expect(tab.locator(".opblock").first).to_be_visible()
    served = json_of(tab.evaluate("fetch('/_mock/console/openapi.json').then(got => got.text())"))
    assert [server["url"] for server in served["servers"]] == [mock.url]
