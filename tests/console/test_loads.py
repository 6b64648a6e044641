"""The loads in the console: found, looked at, changed, saved and restored."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from mock_server.domain import LoadNotFound
from mock_server.testing import MockServer
from tests.console.axe import violations
from tests.console.conftest import Visit, Visitor

PAID = "LD-1006"


def numbers(tab: Tab) -> list[str]:
    return tab.locator("#rows th button").all_text_contents()


def test_loads_are_found_by_status_and_by_text(visitor: Visitor) -> None:
    tab = visitor.open("/loads")
    expect(tab.locator("#count")).to_have_text("21 loads")
    tab.locator("#filters [name=status]").select_option("Financed")
    expect(tab.locator("#count")).to_have_text("2 of 21 loads")
    assert numbers(tab) == ["LD-1007", "LD-1008"]
    tab.get_by_label("Search").fill("MAPLE")
    expect(tab.locator("#count")).to_have_text("1 of 21 loads")
    assert numbers(tab) == ["LD-1008"]
    tab.get_by_label("Search").fill("nobody")
    expect(tab.get_by_text("No load passes these filters.")).to_be_visible()


def test_load_shows_its_payments_and_the_share_that_is_paid(visitor: Visitor) -> None:
    tab = visitor.open(f"/loads?load={PAID}")
    expect(tab.get_by_role("meter", name="100 % paid")).to_have_attribute("value", "1")
    items = tab.locator(".timeline li")
    expect(items).to_have_count(2)
    expect(items.first).to_contain_text("600.00 USD")
    expect(items.first).to_contain_text("BANK-54901")
    tab.get_by_role("link", name="Pay it").click()
    expect(tab.get_by_label("Load", exact=True)).to_have_value(PAID)


def test_status_is_changed_and_a_load_removed(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open(f"/loads?load={PAID}")
    tab.get_by_label(f"Status of {PAID}").select_option("Dispatched")
    tab.get_by_role("button", name="Change the status").click()
    expect(tab.get_by_role("row", name=PAID).first).to_contain_text("Dispatched")
    assert mock.load(PAID)["Status"] == "Dispatched"
    tab.get_by_role("button", name="Remove the load").click()
    tab.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(tab.locator("#none")).to_be_visible()
    with pytest.raises(LoadNotFound):
        mock.load(PAID)


def test_load_is_added_with_every_digit(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/loads")
    tab.get_by_label("Load number").fill("NEW/1 ü")
    tab.get_by_label("Invoiced amount").fill("1234567890123456.789")
    tab.get_by_role("button", name="Add the load").click()
    expect(tab.get_by_role("row", name="NEW/1 ü").first).to_contain_text("1234567890123456.789 USD")
    assert str(mock.load("NEW/1 ü")["InvoicedAmount"]["Amount"]) == "1234567890123456.789"


def test_snapshot_is_saved_and_restored(visitor: Visitor, tmp_path: Path) -> None:
    tab = visitor.open("/loads")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save a snapshot").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "loads.json"
    (tmp_path / "one.json").write_text(json.dumps({"only": {"LoadNumber": "ONLY-1", "Status": "Open"}}))
    for file, count in (("one.json", "1 load"), ("loads.json", "21 loads")):
        tab.locator("#file").set_input_files(tmp_path / file)
        tab.get_by_role("dialog").get_by_role("button", name="Restore").click()
        expect(tab.locator("#count")).to_have_text(count)


def test_file_that_is_no_snapshot_is_refused_and_changes_nothing(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"a": {"Status": "Open"}}')
    tab = visitor.open("/loads")
    tab.locator("#file").set_input_files(tmp_path / "bad.json")
    tab.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(tab.locator("#messages .failed")).to_contain_text("LoadNumber")
    expect(tab.locator("#count")).to_have_text("21 loads")


def test_many_loads_come_in_pages(visit: Visit, tmp_path: Path) -> None:
    many = {f"n{n}": {"LoadNumber": f"M-{n:05}", "Status": "Open"} for n in range(2000)}
    (tmp_path / "many.json").write_text(json.dumps(many))
    with MockServer(fixtures=[tmp_path / "many.json"]) as mock:
        tab = visit(mock.url).open("/loads")
        expect(tab.locator("#count")).to_have_text("2000 loads")
        expect(tab.locator("#rows th")).to_have_count(50)
        tab.get_by_role("button", name="Show more").click()
        expect(tab.locator("#rows th")).to_have_count(100)
        assert numbers(tab)[99] == "M-00099"


def test_page_has_no_barriers_with_a_load_open(visit: Visit, mock: MockServer) -> None:
    for dark in (False, True):
        tab = visit(mock.url, width=400, dark=dark).open(f"/loads?load={PAID}")
        expect(tab.locator(".timeline")).to_be_visible()
        assert violations(tab) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400
