"""Try it: a request, why it was responded to so, and what it did to the load."""

import re

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Route, expect

from mock_server.console.contract import clauses, questions
from mock_server.console.rendering import PRESETS
from mock_server.documents import read_document
from mock_server.profiles import DEFAULT
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.console.axe import violations
from tests.console.conftest import Visit, Visitor
from tests.mock.api import PAYMENTS as PATH
from tests.mock.api import Json
from tests.mock.command import serving

LOAD = "LD-1001"


def send(tab: Tab, button: str = "Send") -> None:
    """Sends, and waits until the response is shown."""
    with tab.expect_response(lambda response: "/_mock/requests?since" in response.url):
        tab.get_by_role("button", name=button, exact=True).click()
    expect(tab.get_by_role("button", name=button, exact=True)).to_be_enabled()


def payments(mock: MockServer, load: str = LOAD) -> list[Json]:
    return list(mock.load(load)["payments"])


def test_payment_is_recorded_and_the_load_is_shown_before_and_after(
    visitor: Visitor, mock: MockServer
) -> None:
    tab = visitor.open("/try")
    tab.get_by_role("textbox", name="Amount").fill("12.50")
    send(tab)
    expect(tab.locator("#response")).to_contain_text("200")
    expect(tab.locator("#response")).to_contain_text("The load has 1 payment now.")
    expect(tab.locator("#response")).to_contain_text("R1")
    (payment,) = payments(mock)
    assert str(payment["Amount"]["Amount"]) == "12.50"
    rows = tab.locator("#effect tbody tr")
    total = rows.filter(has=tab.get_by_role("rowheader", name="totalPaid"))
    expect(total.locator("th")).to_have_text("totalPaid, changed")
    expect(total.locator("td")).to_have_text(["\N{EN DASH}", "12.50 USD"])
    expect(rows.filter(has=tab.get_by_role("rowheader", name="Status")).locator("th")).to_have_text("Status")
    expect(tab.locator("#effect mark")).to_have_text([f"12.50 USD {payment['ReferenceNumber']}"])


def test_same_request_again_is_still_one_payment(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/try")
    send(tab)
    send(tab, "Send the last one again")
    expect(tab.locator("#response")).to_contain_text("There is still one payment of TRY-")
    expect(tab.locator("#response")).to_contain_text("R6: A replay of TRY-")
    assert len(payments(mock)) == 1


def test_lost_response_is_explained(visitor: Visitor, mock: MockServer) -> None:
    mock.fail_next(50, drop="after")  # for a browser may send it again by itself
    tab = visitor.open("/try")
    send(tab)
    expect(tab.locator("#response")).to_contain_text("no response")
    expect(tab.locator("#response")).to_contain_text("No response came, yet the payment is recorded")
    assert len(payments(mock)) == 1


def test_response_is_lost_at_will_and_the_payment_sent_again(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/try")
    tab.get_by_label("Lose the response").check()
    send(tab)
    expect(tab.locator("#response")).to_contain_text("no response")
    expect(tab.locator("#response")).to_contain_text("sends it again with the same reference")
    assert len(payments(mock)) == 1
    assert not mock.admin.faults.rules
    send(tab, "Send the last one again")
    expect(tab.locator("#response")).to_contain_text("There is still one payment of TRY-")
    assert len(payments(mock)) == 1


def test_lost_request_may_be_sent_again(visitor: Visitor, mock: MockServer) -> None:
    mock.fail_next(50, drop="before")
    tab = visitor.open("/try")
    send(tab)
    expect(tab.locator("#response")).to_contain_text("Send it again with the same reference")
    assert payments(mock) == []


def test_what_no_browser_can_send_is_named_and_not_sent(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/try")
    for headers, told in (
        ("X-Sum: 1 \u20ac", "A browser can't send the header \u201cX-Sum: 1 \u20ac\u201d."),
        ("two words: 1", "A browser can't send the header \u201ctwo words: 1\u201d."),
        ("nothing", None),
    ):
        tab.get_by_label("Headers").fill(headers)
        if told is None:
            send(tab)
            expect(tab.locator("#response")).to_contain_text("415")
            continue
        tab.get_by_role("button", name="Send", exact=True).click()
        expect(tab.locator("#messages .failed").last).to_contain_text(told)
    tab.locator("[name=path]").fill("nowhere")
    tab.get_by_role("button", name="Send", exact=True).click()
    expect(tab.locator("#messages .failed").last).to_contain_text("The path must begin with a slash.")
    assert payments(mock) == []


def test_reason_is_found_for_a_path_that_the_browser_writes_otherwise(visitor: Visitor) -> None:
    tab = visitor.open("/try?preset=P1")
    tab.locator("[name=path]").fill('/api/p/v1.0/loads?loadNumber=no "such" load')
    expect(tab.locator("#code")).to_contain_text("?loadNumber=no%20%22such%22%20load'")
    send(tab)
    expect(tab.locator("#response .why")).to_contain_text("P3")


def test_page_on_another_port_sends_only_where_it_may(visit: Visit) -> None:
    for origins, may in (((), False), (("--cors", "*"), True)):
        with serving("--port", "0", "--admin-port", "0", *origins) as running:
            console = running.greeting.partition("Console: ")[2].split()[0].rstrip("/")
            visitor = visit(console)
            tab = visitor.open("/try")
            expect(tab.locator("#load-status")).to_contain_text("Invoiced")
            expect(tab.locator(".elsewhere")).to_be_visible(visible=not may)
            expect(tab.locator("#request .primary")).to_be_visible(visible=may)
            if may:
                send(tab)
                expect(tab.locator("#response")).to_contain_text("The load has 1 payment now.")
            assert {f"http://{host}" for host in visitor.strangers()} == ({running.url} if may else set())
            visitor.asked.clear()
            visitor.context.close()


def test_body_may_be_written_by_hand_and_is_sent_as_it_is(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/try")
    body = (
        '{"LoadNumber": "LD-1001",  "Amount": {"Amount": 0.10000000000000001, "Currency": 840}, '
        '"PaymentDate": "2026-07-01T00:00:00Z", "ReferenceNumber": "<img src=x onerror=alert(1)>"}'
    )
    tab.get_by_label("Body", exact=True).fill(body)
    send(tab)
    assert mock.requests[-1].body.decode() == body
    expect(tab.locator("#effect mark")).to_have_text(["0.10000000000000001 USD <img src=x onerror=alert(1)>"])


def test_nothing_is_typed_or_sent_before_the_form_is_filled(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.context.new_page()
    held: list[Route] = []
    tab.route("**/_mock/loads?*", lambda route: route.continue_() if held else held.append(route))
    tab.goto(f"{mock.url}/try")
    expect(tab.locator("[name=path]")).to_have_value(PATH)
    expect(tab.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    expect(tab.get_by_label("Body", exact=True)).to_be_disabled()  # what is typed would be written over
    held[0].continue_()
    expect(tab.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    expect(tab.get_by_label("Body", exact=True)).to_have_value(re.compile("LD-1001"))


def test_new_reference_makes_another_payment(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/try")
    send(tab)
    tab.get_by_role("button", name="New reference").click()
    send(tab)
    assert len(payments(mock)) == 2


def test_load_is_found_by_a_part_of_its_number(visitor: Visitor) -> None:
    tab = visitor.open("/try")
    tab.get_by_label("Load", exact=True).fill("1014")
    expect(tab.locator("#load-status")).to_have_text("There is no load of this number.")
    expect(tab.locator("#some-loads option")).to_have_attribute("value", "LD-1014")
    tab.get_by_label("Load", exact=True).fill("LD-1014")
    expect(tab.locator("#load-status")).to_contain_text("Dispatched")


def test_token_is_sent_where_it_is_required(visit: Visit) -> None:
    with MockServer(settings=Settings(require_token=True)) as mock:
        tab = visit(mock.url).open("/try")
        send(tab)
        expect(tab.locator("#response")).to_contain_text("200")
        tab.locator("[name=token]").select_option("wrong")
        send(tab)
        expect(tab.locator("#response")).to_contain_text("401")
        expect(tab.locator("#response")).to_contain_text("P8")


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("GET /api/p/v{version}/loads", f"/api/p/v1.0/loads?loadNumber={LOAD}"),
        ("POST /api/p/v{version}/loads/search", "/api/p/v1.0/loads/search"),
        ("POST /oauth/token", "/oauth/token"),
    ],
)
def test_other_operations_are_filled_in_and_succeed(operation: str, path: str, visitor: Visitor) -> None:
    tab = visitor.open("/try")
    tab.locator("[name=operation]").select_option(operation)
    expect(tab.locator("[name=path]")).to_have_value(path)
    send(tab)
    expect(tab.locator("#response")).to_contain_text("200")


# --- presets -----------------------------------------------------------------------------------------

SHOWN: Json = read_document(PRESETS)
OTHERWISE = {
    **dict.fromkeys(
        ("R7", "R8", "D1", "D2", "D3", "D4", "D6", "P8", "A4a", "A5a", "A8", "A9a", "A12a"), "R1"
    ),
    **dict.fromkeys(("A12b", "A13", "A14a", "A14d", "A15", "A18a", "A19", "A20a", "A21"), "R1"),
    "D7": "Q9",
    "A6": "R6",
    "A7": "R6",
    "A11": "R5",
    "A17a": "A17",
    "A17b": "A17",
    "A4d": "A4",
    "A4g": "A4",
    "A5d": "Q21",
    "A7b": "R6",
    "A9c": "R5",
    "A10d": "R4",
    "A10e": "R4",
    "A20c": "R1",
    "Q2": "Q9",
    "A23a": "A23",
}
"""Preset -> the rule that decides over its last request, where that is another one."""


def test_every_preset_is_a_clause_or_a_question() -> None:
    known = {row.id for row in (*clauses("page"), *questions("page", DEFAULT))}
    assert set(SHOWN) <= known
    assert {f"R{n}" for n in range(1, 7)} <= set(SHOWN)


@pytest.mark.parametrize("preset", SHOWN)
def test_preset_shows_its_rule(preset: str, visitor: Visitor) -> None:
    tab = visitor.open(f"/try?preset={preset}")
    expect(tab.get_by_label("Show me")).to_have_value(preset)
    for _ in range(1 + ("then" in SHOWN[preset])):
        send(tab)
    expect(tab.locator("#response .why")).to_contain_text(f"{OTHERWISE.get(preset, preset)}: ")
    assert f"preset={preset}" in tab.url


def test_contract_links_to_the_presets_that_there_are(visitor: Visitor) -> None:
    tab = visitor.open("/contract")
    links = tab.get_by_role("link", name="Try ", exact=False).all()
    assert {link.get_attribute("href") for link in links} >= {f"/try?preset={each}" for each in SHOWN}
    tab.get_by_role("link", name="Try R2").click()
    send(tab)
    expect(tab.locator("#response")).to_contain_text("Load must be in one of: Invoiced, Completed, Financed.")


# --- code --------------------------------------------------------------------------------------------


def test_code_is_that_of_the_request_as_it_stands(visitor: Visitor, mock: MockServer) -> None:
    tab = visitor.open("/try")
    tab.get_by_role("textbox", name="Amount").fill("77.07")
    expect(tab.locator("#code")).to_contain_text("--data-raw '{")
    expect(tab.locator("#code")).to_contain_text('"Amount": 77.07')
    tab.get_by_label("Language").select_option("Go")
    expect(tab.locator("#code")).to_contain_text(f'http.NewRequest("POST", "{mock.url}/api/p/v')
    tab.get_by_role("button", name="Copy the code").click()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.locator("#code").text_content()


def test_page_has_no_barriers_once_something_was_sent(visit: Visit, mock: MockServer) -> None:
    for dark in (False, True):
        tab = visit(mock.url, width=400, dark=dark).open("/try")
        send(tab)
        assert violations(tab) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400
