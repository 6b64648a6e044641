"""Reasons: which rule decided over a request, and what that means for it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract_tests.rules.clauses import CLAUSES
from mock_server import reasons
from mock_server.decimal_json import encode
from mock_server.documents import read_document
from mock_server.problems import ScopeMissing
from mock_server.sandbox import Settings
from mock_server.shipped import ASSUMPTIONS, SPEC
from mock_server.testing import MockServer
from mock_server.tokens import OAuthClient
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Json, payment_of
from tests.mock.team import Team, running, until

NOON = datetime(2026, 7, 1, 12, 3, 41, tzinfo=UTC)


@pytest.fixture(scope="module")
def explaining() -> Iterator[Team]:
    with running(Settings(explain=True)) as team:
        yield team


@pytest.fixture
def team(explaining: Team) -> Team:
    explaining.mock.reset()
    explaining.mock.freeze_clock(NOON)
    return explaining


def pay(team: Team, **fields: object) -> httpx2.Response:
    return team.client.post(PAYMENTS, json={**payment_of("LD-1001", "ACH-17"), **fields})


def send(team: Team, body: bytes, media_type: str = "application/json") -> httpx2.Response:
    return team.client.post(PAYMENTS, content=body, headers={"content-type": media_type})


def reasons_of(team: Team) -> list[Json]:
    return [item["reason"] for item in team.client.get("/_mock/requests").json()["items"]]


def latest(team: Team) -> tuple[str | None, str]:
    reason = reasons_of(team)[-1]
    return reason["rule"], reason["text"]


def test_new_payment_is_r1_and_says_the_status(team: Team) -> None:
    pay(team)
    assert latest(team) == ("R1", "The payment was recorded; the load is Invoiced now.")
    pay(team, ReferenceNumber="ACH-18", Amount={"Amount": 100_000, "Currency": 840})
    assert latest(team) == ("R1", "The payment was recorded; the load is Completed now.")


def test_replay_says_when_the_original_was_recorded(team: Team) -> None:
    pay(team)
    pay(team)  # in the same instant
    assert latest(team) == ("R6", "A replay of ACH-17, recorded 12:03:41 UTC.")
    team.mock.move_clock(24 * 3600)
    pay(team)
    assert latest(team) == ("R6", "A replay of ACH-17, recorded 2026-07-01 12:03:41 UTC.")


def test_replay_says_what_it_ignored(team: Team) -> None:
    body = json.dumps(payment_of("LD-1001", "ACH-17")).encode()
    send(team, body)
    send(team, body.replace(b'"Amount": 1', b'"Amount": 90.001'))
    rule, text = latest(team)
    pay(team, Amount={"Amount": 7, "Currency": 124}, Note="twice", CheckNumber=None)
    assert latest(team)[1].endswith(
        "; its Amount.Amount 7 and Amount.Currency 124 and Note twice were ignored (A7)."
    )
    assert rule == "R6"
    assert "; its Amount.Amount 90.00" in text
    assert text.endswith(" was ignored (A7).")


def test_replay_on_a_load_that_takes_no_payments_any_more_says_so(team: Team) -> None:
    pay(team)
    team.mock.set_status("LD-1001", "Paid")
    pay(team)
    assert latest(team) == (
        "R6",
        "A replay of ACH-17, recorded 12:03:41 UTC; the load is Paid by now (A10).",
    )


def test_payments_of_the_fixtures_are_replayed_too(team: Team) -> None:
    load = next(each for each in team.client.get("/_mock/loads").json()["items"] if each["payments"])
    pay(team, LoadNumber=load["LoadNumber"], ReferenceNumber=load["payments"][0]["ReferenceNumber"])
    assert latest(team)[0] == "R6"


def test_status_is_that_of_the_time(team: Team) -> None:
    pay(team, LoadNumber="LD-1014")
    team.mock.set_status("LD-1014", "Invoiced")
    assert latest(team) == ("R2", "The load is Dispatched, which takes no payments.")


@pytest.mark.parametrize("sent", ["ld-1001", " LD-1001\t", "ORD-LD-1001"])
def test_unknown_load_says_which_was_probably_meant(sent: str, team: Team) -> None:
    team.client.put("/_mock/loads/LD-1001", json={"Status": "Invoiced", "OrderNumber": "ORD-LD-1001"})
    pay(team, LoadNumber=sent)
    assert latest(team) == ("R3", f"LD-1001 exists; you sent {sent}.")
    team.client.get(LOADS, params={"loadNumber": sent})
    assert latest(team) == ("P3", f"LD-1001 exists; you sent {sent}.")


def test_number_in_lowercase_may_be_meant_too(team: Team) -> None:
    team.mock.add_load("x-9")
    pay(team, LoadNumber="X-9")
    assert latest(team) == ("R3", "x-9 exists; you sent X-9.")


@pytest.mark.parametrize("sent", ["LD-9999", "n" * 300])
def test_unknown_load_that_is_like_no_other_is_only_named(sent: str, team: Team) -> None:
    pay(team, LoadNumber=sent)
    assert latest(team) == ("R3", f"No load has the number {sent}."[:250])


def test_other_reads_and_searches_have_their_rules(team: Team) -> None:
    for request in (f"{LOADS}?loadNumber=LD-1001", LOADS, f"{LOADS}?loadNumber=LD-1001&id=x"):
        team.client.get(request)
    for body in ({"LoadNumbers": ["LD-1001"]}, {"LoadNumbers": ["x"]}, {"Page": 0}, {"Status": ["Opn"]}):
        team.client.post(SEARCH, json=body)
    assert [reason["rule"] for reason in reasons_of(team)] == ["P1", "P2", "P3", "P5", "A23", "P7", "Q28"]


@pytest.mark.parametrize(
    ("fields", "rule", "text"),
    [
        ({"ReferenceNumber": " "}, "R5", "The ReferenceNumber field is required."),
        ({"Amount": {"Amount": 0, "Currency": 840}}, "R4", "Amount must be greater than zero."),
        (
            {"PaymentDate": "today"},
            "A17",
            "The PaymentDate field must be a date and time with Z or an offset",
        ),
        ({"PaymentDate": None}, "D5", "The PaymentDate field is required."),
        ({"Amount": {"Amount": 1}}, "Q49", "The Currency field is required."),
        ({"CheckNumber": 7}, "Q9", "The CheckNumber field must be a string."),
        ({"Note": "\0"}, "Q10", "The Note field must match the pattern"),
    ],
)
def test_refusal_of_a_body_has_the_rule_of_its_field(fields: Json, rule: str, text: str, team: Team) -> None:
    pay(team, **fields)
    named, told = latest(team)
    assert named == rule
    assert told.startswith(text)


def test_of_several_errors_a_rule_of_the_page_counts_first(team: Team) -> None:
    pay(team, PaymentDate="today", ReferenceNumber="")
    told = "The ReferenceNumber field is required."
    assert latest(team) == ("R5", f"{told} 1 more error is reported with it (A11).")
    pay(team, PaymentDate="today", ReferenceNumber="", Note=1)
    assert latest(team) == ("R5", f"{told} 2 more errors are reported with it (A11).")


def test_number_beyond_a_double_is_a20(team: Team) -> None:
    body = json.dumps(payment_of("LD-1001", "ACH-17", Amount={"Amount": 77, "Currency": 840})).encode()
    send(team, body.replace(b"77", b"1e999"))
    assert latest(team) == ("A20b", "The Amount field is beyond the range of a double.")


def test_name_in_other_case_is_near(team: Team) -> None:
    body = payment_of("LD-1001", "ACH-17")
    body["referenceNumber"] = body.pop("ReferenceNumber")
    send(team, json.dumps(body).encode())
    rule, text = latest(team)
    assert rule == "A18b"
    assert "You sent referenceNumber" in text


@pytest.mark.parametrize(
    ("body", "rule"),
    [(b"", "Q7"), (b"{", "Q5"), (b"[]", "Q6"), (b"[" * 5000, "Q5")],
)
def test_body_that_is_none_has_its_question(body: bytes, rule: str, team: Team) -> None:
    send(team, body)
    assert latest(team)[0] == rule


def test_what_comes_before_the_body_has_its_rule_too(team: Team) -> None:
    send(team, b"x", "text/plain")
    team.client.delete(PAYMENTS)
    team.client.get("/nowhere")
    send(team, b"x" * 2_000_000)
    assert [reason["rule"] for reason in reasons_of(team)] == ["A4", "Q8", "Q21", None]
    assert latest(team)[1] == "The body must not be longer than 1048576 bytes."


def test_expired_token_says_since_when() -> None:
    reader = OAuthClient("reader", "secret", ("load:read",))
    with running(Settings(require_token=True, clients=(reader,), token_lifetime=60)) as team:
        team.mock.freeze_clock(NOON)
        token = team.mock.token()
        team.pay(access=token)
        team.pay()
        team.mock.move_clock(61)
        team.read(access=token)
        refused = reasons_of(team)
    assert [reason["rule"] for reason in refused] == [None, "P8", "P8"]
    assert refused[0]["text"] == str(ScopeMissing(["invoice:update"]))
    assert refused[1]["text"] == "An access token is required."
    assert refused[2]["text"] == "The token has expired since 12:04:41 UTC."


def test_failure_of_the_mock_is_said_to_be_one(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise KeyError("hidden")

    monkeypatch.setattr(team.mock.admin.ledger, "record", fail)
    assert pay(team).status_code == 500
    assert latest(team) == (None, "The mock failed; what it logged says why.")


def test_payment_of_another_document_has_its_rules_too(write: Write) -> None:
    theirs = read_document(SPEC)
    assert isinstance(theirs, dict)
    for item in theirs["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and operation.get("operationId") == "recordCustomerPayment":
                operation["operationId"] = "pay"
    with MockServer(spec=write("theirs.json", encode(theirs).decode())) as mock:
        for load in ("LD-1001", "ld-1001", "LD-1014"):
            httpx2.post(mock.url + PAYMENTS, json=payment_of(load, "R-1"))
        httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", ""))
        assert [each.reason and each.reason.rule for each in mock.requests] == ["R1", "R3", "R2", "R5"]


def test_requests_of_the_token_endpoint_need_no_reason(team: Team) -> None:
    team.client.post("/oauth/token", json={})
    assert latest(team)[0] is None


def test_lost_response_says_that_the_payment_was_recorded(team: Team) -> None:
    team.mock.fail_next(drop="after")
    with pytest.raises(httpx2.RemoteProtocolError):
        pay(team)
    (fault,) = [entry.fault_id for entry in team.mock.requests]
    assert latest(team) == (
        fault,
        (
            "The response was lost after the request was processed. "
            "R1: The payment was recorded; the load is Invoiced now."
        ),
    )


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        ({"status": 503}, "The response is an injected 503. Nothing was recorded."),
        (
            {"status": 503, "processed": True},
            "The response is an injected 503. R1: The payment was recorded; the load is Invoiced now.",
        ),
        (
            {"body": "malformed", "delay": 0, "bytesPerSecond": 10**6},
            (
                "The response body was spoilt: it is not JSON. The response was late. The response was sent "
                "slowly. R1: The payment was recorded; the load is Invoiced now."
            ),
        ),
    ],
)
def test_fault_says_what_it_did(effect: Json, text: str, team: Team) -> None:
    team.mock.fail_next(**effect)
    pay(team)
    assert latest(team)[1] == text


def test_connection_that_a_fault_closed_early_recorded_nothing(team: Team) -> None:
    team.mock.fail_next(drop="before")
    with pytest.raises(httpx2.RemoteProtocolError):
        pay(team)
    assert latest(team)[1] == (
        "The connection was closed before the request was processed. Nothing was recorded."
    )
    team.mock.fail_next(operation="issueToken", delay=0)
    team.client.post("/oauth/token", json={})
    assert latest(team)[1].startswith("The response was late. The ")


def test_fault_in_a_response_that_needs_no_reason_says_what_it_did(team: Team) -> None:
    team.mock.fail_next(operation="issueToken", delay=0)
    asked = {
        "client_id": "sandbox",
        "client_secret": "sandbox-secret",
        "audience": "https://api.alvys.com/public/",
        "grant_type": "client_credentials",
    }
    assert team.client.post("/oauth/token", json=asked).status_code == 200
    assert latest(team)[1] == "The response was late."


def test_header_has_the_reason_in_ascii_on_one_line(team: Team) -> None:
    team.mock.add_load("Ä-1")
    assert pay(team).headers["x-sandbox-reason"] == "R1: The payment was recorded; the load is Invoiced now."
    sent = pay(team, LoadNumber="ä-1\r\n")
    assert sent.headers["x-sandbox-reason"] == r"R3: \xc4-1 exists; you sent \xe4-1\r\n."
    assert team.client.get("/_mock/health").headers.get("x-sandbox-reason") is None
    team.mock.fail_next(status=429)
    assert pay(team).headers["x-sandbox-reason"].startswith("fault-")


def test_header_is_left_out_where_there_is_nothing_to_say(team: Team) -> None:
    given = {
        "client_id": "sandbox",
        "client_secret": "sandbox-secret",
        "audience": "https://api.alvys.com/public/",
        "grant_type": "client_credentials",
    }
    response = team.client.post("/oauth/token", json=given)
    assert response.status_code == 200
    assert "x-sandbox-reason" not in response.headers
    assert reasons_of(team) == [None]


def test_without_explain_there_is_no_header() -> None:
    with running() as team:
        assert "x-sandbox-reason" not in team.pay().headers


def test_replay_of_a_profile_with_another_answer_is_explained(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        'answers: {A10g: "200, the original", A8: the payment of the other load, A15: the day only}'
    )
    with running(Settings(profile=str(profile))) as team:
        pay(team)
        pay(team, Amount={"Amount": "x"})
        assert [(reason["rule"]) for reason in reasons_of(team)] == ["R1", "R6"]
        pay(team, LoadNumber="LD-1002")
        assert reasons_of(team)[-1] is None


def test_client_that_left_early_is_said_to_have_left(team: Team) -> None:
    with httpx2.Client(base_url=team.mock.url) as client:

        def half() -> Iterator[bytes]:
            yield b"{"
            raise RuntimeError("leaves")

        with pytest.raises(RuntimeError):
            client.post(PAYMENTS, content=half(), headers={"content-type": "application/json"})
    until(lambda: team.mock.requests)
    assert latest(team) == (None, "The client left before its request was whole.")


def test_rules_that_reasons_name_are_in_the_contract() -> None:
    questions: Any = read_document(ASSUMPTIONS)
    known = {*CLAUSES, *questions, *(key.rstrip("abcdefghi") for key in questions)}
    tables = vars(reasons)
    named = {rule for rows in tables["_RULES"].values() for *_, rule in rows}
    named |= {*tables["_OTHER_RULES"].values(), *(each.rule for each in tables["_SUCCESSES"].values())}
    assert named <= known
