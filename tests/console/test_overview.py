"""The overview: what to call, and four first payments by a click each."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.console.conftest import Visit, Visitor
from tests.mock.command import serving


def outcome(tab: Tab, button: str) -> str:
    """What is told under a step, once it is told."""
    step = tab.locator(".steps > li", has=tab.locator(f"#{button}"))
    expect(step.locator(".outcome")).not_to_be_empty()
    return " ".join(step.locator(".outcome").inner_text().split())


def payments(mock: MockServer) -> list[str]:
    return [each["ReferenceNumber"] for each in mock.load("LD-1001")["payments"]]


def test_stranger_records_replays_loses_and_is_refused_by_four_clicks(
    visitor: Visitor, mock: MockServer
) -> None:
    tab = visitor.open()
    expect(tab.get_by_role("button", name="Send it again")).to_be_disabled()

    tab.get_by_role("button", name="Record a first payment").click()
    assert outcome(tab, "record").startswith("200 LD-1001 is Invoiced and has 1 payment, 100.10 USD in all.")
    (first,) = payments(mock)

    tab.get_by_role("button", name="Send it again").click()
    told = outcome(tab, "replay")
    assert told.startswith("200 The original payment is returned: LD-1001 still has 1 payment, 100.10 USD")
    assert payments(mock) == [first]

    tab.get_by_role("button", name="Lose a response").click()
    told = outcome(tab, "lose")
    assert told.startswith("no response No response came, yet the payment is there: LD-1001 has 2 payments")
    assert len(payments(mock)) == 2
    assert not mock.admin.faults.rules
    tab.locator(".outcome").get_by_role("button", name="Send it again").click()
    expect(tab.locator(".outcome").nth(2)).to_contain_text("LD-1001 still has 2 payments, 200.20 USD in all.")
    assert len(payments(mock)) == 2

    tab.get_by_role("button", name="Pay the wrong load").click()
    told = outcome(tab, "refuse")
    assert told.startswith("400 Load must be in one of: Invoiced, Completed, Financed.")


def test_step_leads_to_its_request_and_the_reason(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.get_by_role("button", name="Pay the wrong load").click()
    tab.get_by_role("link", name="See the request").click()
    expect(tab.locator(".why")).to_contain_text("R2")
    expect(tab.locator("#count")).to_have_text("1 request")


def test_first_payment_gets_its_token_itself(visit: Visit) -> None:
    with MockServer(settings=Settings(require_token=True)) as mock:
        visitor = visit(mock.url)
        tab = visitor.open()
        expect(tab.locator("#strict")).to_contain_text("An access token is required.")
        tab.get_by_role("button", name="Record a first payment").click()
        assert outcome(tab, "record").startswith("200 ")
        # A token that is no longer valid is replaced.
        mock.move_clock(7200)
        tab.get_by_role("button", name="Send it again").click()
        assert outcome(tab, "replay").startswith("200 ")
        visitor.context.close()


def test_what_a_client_needs_is_there_to_copy(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open()
    for what, text in (
        ("the base URL", mock.url),
        ("the token URL", f"{mock.url}/oauth/token"),
        ("the client", "sandbox"),
        ("the secret", "sandbox-secret"),
    ):
        tab.get_by_role("button", name=f"Copy {what}").click()
        expect(tab.get_by_role("status").filter(has_text=f"Copied: {what}")).to_be_visible()
        assert tab.evaluate("navigator.clipboard.readText()") == text


def test_loads_are_counted_by_status(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open()
    invoiced = tab.locator(".counts li", has_text="Invoiced")
    expect(invoiced).to_have_text("Invoiced4")
    mock.add_load("LD-7")
    tab.get_by_role("button", name="Record a first payment").click()
    expect(invoiced).to_have_text("Invoiced5")


def test_reset_asks_first(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open()
    tab.get_by_role("button", name="Record a first payment").click()
    outcome(tab, "record")
    tab.get_by_role("button", name="Reset the sandbox").click()
    tab.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(tab.get_by_role("dialog")).to_have_count(0)
    assert len(payments(mock)) == 1
    tab.get_by_role("button", name="Reset the sandbox").click()
    tab.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(tab.locator("#messages")).to_contain_text("The sandbox is as it was at the start.")
    assert payments(mock) == []


@pytest.fixture
def locked() -> Iterator[MockServer]:
    with MockServer(settings=Settings(admin_key="open-sesame")) as mock:
        yield mock


def test_key_is_asked_for_once(visit: Visit, locked: MockServer) -> None:
    visitor = visit(locked.url)
    tab = visitor.open()
    dialog = tab.get_by_role("dialog", name="Admin key")
    expect(dialog).to_be_visible()
    expect(tab.locator("#connect")).not_to_contain_text("sandbox-secret")
    dialog.get_by_label("Key").fill("wrong")
    dialog.get_by_role("button", name="Use the key").click()
    expect(dialog).to_contain_text("That was not the key.")
    dialog.get_by_label("Key").fill("open-sesame")
    tab.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(tab.locator("#connect")).to_contain_text("sandbox-secret")
    tab.get_by_role("link", name="Requests").click()
    expect(tab.get_by_text("Live", exact=True)).to_be_visible()
    visitor.context.close()


def test_page_on_another_port_says_how_it_may_send(visit: Visit) -> None:
    with serving("--port", "0", "--admin-port", "0") as running:
        console = running.greeting.partition("Console: ")[2].split()[0].rstrip("/")
        visitor = visit(console)
        tab = visitor.open()
        expect(tab.locator(".elsewhere")).to_contain_text(f"--cors {console}")
        visitor.context.close()
