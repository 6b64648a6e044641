"""Faults by one click or by a form, and the clock."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx2
import pytest
from playwright.sync_api import expect

from mock_server.testing import MockServer
from tests.console.conftest import Visitor
from tests.mock.api import PAYMENTS, payment_of

SENT = payment_of("LD-1001", "ACH-1")


def documents(mock: MockServer) -> list[object]:
    return [fault.document for fault in mock.admin.faults.rules]


@pytest.mark.parametrize(
    ("button", "what"),
    [
        ("Lose the next response", {"drop": "after"}),
        ("503 Service Unavailable", {"status": 503, "retryAfter": 2}),
        ("Slow response", {"delay": 5}),
        ("429 Too Many Requests", {"status": 429}),
        ("Truncated response", {"body": "truncated"}),
    ],
)
def test_one_click_injects_a_fault_into_the_next_payment(
    button: str, what: dict[str, object], visitor: Visitor, mock: MockServer
) -> None:
    tab = visitor.open("/faults")
    tab.get_by_role("button", name=button).click()
    expect(tab.locator("#active tbody tr")).to_have_count(1)
    assert documents(mock) == [{"operation": "recordCustomerPayment", "next": 1, **what}]


def test_lost_response_is_lost_once(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/faults")
    tab.get_by_role("button", name="Lose the next response").click()
    expect(tab.locator("#active tbody tr")).to_have_count(1)
    with pytest.raises(httpx2.TransportError):
        httpx2.post(mock.url + PAYMENTS, json=SENT)
    assert httpx2.post(mock.url + PAYMENTS, json=SENT).status_code == 200
    assert len(mock.load("LD-1001")["payments"]) == 1


FILLED: list[dict[str, object]] = [
    {
        "operation": "getLoad",
        "load": "LD-1001",
        "reference": "R,1",
        "every": 2,
        "delay": Decimal("0.25"),
        "delayMax": 2,
        "status": 503,
        "retryAfter": 0,
        "problem": False,
        "processed": True,
    },
    {"probability": 1, "seed": 7, "delay": 1, "delaySigma": 1, "body": "malformed", "bytesPerSecond": 10},
    {"next": 2, "drop": "before"},
    {"next": 1, "webhook": "doubled"},
]


def test_every_option_of_a_fault_can_be_filled_in(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/faults")
    form = tab.locator("#own")
    for number, filled in enumerate(FILLED, start=1):
        for name, value in filled.items():
            field = form.locator(f"[name={name}]")
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(text)
            else:
                field.fill(text)
        expect(form.locator("#as-option")).to_contain_text(f"--fault {next(iter(filled))}=")
        form.get_by_role("button", name="Inject the fault").click()
        expect(tab.locator("#active tbody tr")).to_have_count(number)
        form.get_by_role("button", name="Empty the form").click()
        expect(form.locator("#as-option")).to_be_empty()
    assert documents(mock) == FILLED
    names = form.locator("[data-type]").evaluate_all("fields => fields.map(field => field.name)")
    assert {*names} == {name for filled in FILLED for name in filled}


def test_field_that_is_wrong_is_marked_and_focused(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/faults")
    form = tab.locator("#own")
    form.locator("[name=next]").fill("two")
    form.locator("[name=drop]").select_option("after")
    form.get_by_role("button", name="Inject the fault").click()
    expect(form.locator("#own-error")).to_contain_text("next")
    expect(form.locator("[name=next]")).to_be_focused()
    expect(form.locator("[name=next]")).to_have_attribute("aria-invalid", "true")
    assert documents(mock) == []


def test_faults_are_removed_one_by_one_or_all(visitor: Visitor, mock: MockServer) -> None:
    for count in (1, 2, 3):
        mock.fail_next(count, status=503)
    tab = visitor.open("/faults")
    rows = tab.locator("#active tbody tr")
    expect(rows).to_have_count(3)
    rows.nth(1).get_by_role("button").click()
    expect(rows).to_have_count(2)
    assert [fault.document["next"] for fault in mock.admin.faults.rules] == [1, 3]
    tab.get_by_role("button", name="Remove all").click()
    tab.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(tab.locator("#active")).to_contain_text("No fault is active")
    assert documents(mock) == []


def test_clock_is_frozen_moved_set_and_thawed(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/faults")
    now, state = tab.locator("#now"), tab.locator("#frozen")
    expect(state).to_have_text("running")
    tab.get_by_role("button", name="Freeze").click()
    expect(state).to_have_text("frozen")
    tab.get_by_label("Set to (UTC)").fill("2026-07-01T12:00:00")
    tab.get_by_role("button", name="Set", exact=True).click()
    expect(now).to_have_text("2026-07-01 12:00:00 UTC")
    tab.get_by_role("button", name="+1 h").click()
    expect(now).to_have_text("2026-07-01 13:00:00 UTC")
    tab.get_by_role("button", name="+3 min").click()
    expect(now).to_have_text("2026-07-01 13:03:00 UTC")
    assert mock.admin.clock.now() == datetime(2026, 7, 1, 13, 3, tzinfo=UTC)
    tab.get_by_role("button", name="Thaw").click()
    expect(state).to_have_text("running")
    tab.get_by_role("button", name="Back to the real time").click()
    expect(now).not_to_contain_text("2026-07-01")
    assert abs(mock.admin.clock.now().timestamp() - datetime.now(UTC).timestamp()) < 60
