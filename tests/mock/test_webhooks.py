"""Webhooks: what is sent, how it is signed, when it is sent again, and what receivers can't do."""

import asyncio
import hashlib
import hmac
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
import trustme

from mock_server import webhooks
from mock_server.admin import admin_spec
from mock_server.problems import InvalidRequest
from mock_server.sandbox import Settings, UnusableSetting
from mock_server.schemas import Checker
from mock_server.shipped import SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer, ReceivedEvent, WebhookReceiver, verify_signature
from mock_server.webhooks import Delivery
from tests.docs.page import page, plain
from tests.mock.api import PAYMENTS, Json, json_of, payment_of, problem_of
from tests.mock.command import serving
from tests.mock.team import Team, running, until

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOOKS, DELIVERIES = "/_mock/webhooks", "/_mock/webhooks/deliveries"


@pytest.fixture(scope="module")
def shared() -> Iterator[Team]:
    with running() as team:
        yield team


@pytest.fixture
def team(shared: Team) -> Team:
    """A mock whose clock stands still."""
    shared.mock.reset()
    shared.mock.freeze_clock(NOON)
    return shared


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


def only(team: Team) -> Delivery:
    (delivery,) = team.mock.deliveries
    return delivery


def settled(team: Team, attempts: int) -> list[Delivery]:
    """The deliveries, once there were so many attempts in all and nothing is being sent."""

    def are() -> list[Delivery] | None:
        found = team.mock.deliveries
        done = sum(len(each.attempts) for each in found)
        return found if done == attempts and all(each.state != "sending" for each in found) else None

    until(are)
    return are() or []


def signed_by_hand(secret: str, event: ReceivedEvent, *, with_id: bool = True) -> str:
    stamp, event_id = event.headers["x-alvys-timestamp"], event.headers["x-alvys-event-id"]
    covered = f"{stamp}.{event_id}." if with_id else f"{stamp}."
    digest = hmac.new(secret.encode(), covered.encode() + event.body, hashlib.sha256)
    return f"t={stamp},v1={digest.hexdigest()}"


def test_recorded_payment_is_told_once_and_signed(team: Team, receiver: WebhookReceiver) -> None:
    secret = team.mock.add_webhook(receiver.url)
    recorded = json_of(team.pay("R-1").text)["CustomerPayments"][0]
    (event,) = receiver.wait_for(1)
    assert event.json == {
        "id": event.headers["x-alvys-event-id"],
        "type": "load.changed",
        "timestamp": "2030-01-01T12:00:00Z",
        "version": "v1",
        "data": {
            "changeKind": "PaymentRecorded",
            "load": {
                "id": team.mock.load("LD-1001")["Id"],
                "loadNumber": "LD-1001",
                "orderNumber": team.mock.load("LD-1001")["OrderNumber"],
                "customerId": team.mock.load("LD-1001")["CustomerId"],
                "status": "Invoiced",
                "totalPaid": {"amount": 1, "currency": 840},
                "paidAt": "2030-01-01T12:00:00Z",
            },
            "payment": {
                "id": recorded["Id"],
                "referenceNumber": "R-1",
                "amount": {"amount": 1, "currency": 840},
                "paymentDate": recorded["PaymentDate"],
                "paymentMethod": None,
                "invoiceNumber": None,
                "checkNumber": None,
            },
        },
    }
    sent = {name: value for name, value in event.headers.items() if name.startswith("x-alvys")}
    assert sent == {
        "x-alvys-event": "load.changed",
        "x-alvys-event-id": event.json["id"],
        "x-alvys-timestamp": str(int(NOON.timestamp())),
        "x-alvys-attempt": "1",
        "x-alvys-signature": signed_by_hand(secret, event),
    }
    assert event.headers["content-type"] == "application/json"
    assert [each.state for each in settled(team, 1)] == ["delivered"]


@pytest.fixture(scope="module")
def envelope() -> Checker:
    spec = admin_spec(Spec.read(SPEC))
    return spec.checker(spec.schema("Envelope"), "event")


def test_admin_document_describes_every_event(
    envelope: Checker, team: Team, receiver: WebhookReceiver
) -> None:
    team.mock.add_load("X", InvoicedAmount={"Amount": 0.5, "Currency": 840})
    team.mock.add_webhook(receiver.url)
    team.pay("R-1", "X")
    team.mock.set_status("X", "Paid")
    team.mock.set_status("LD-1001", "Paid")  # without a payment
    for event in receiver.wait_for(6):
        assert not envelope.errors(event.json)
        assert all(envelope.errors({**event.json, name: 1}) for name in event.json)


def test_change_is_told_later_than_it_is_made(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    known: list[int] = []
    team.mock.admin.ledger.on_change.append(lambda *_: known.append(len(team.mock.admin.webhooks.deliveries)))
    team.pay("R-1")
    team.pay("R-2")
    settled(team, 2)
    team.mock.admin.ledger.on_change.pop()
    assert known[0] == 0


def test_page_names_the_headers_that_are_sent(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    team.pay()
    (event,) = receiver.wait_for(1)
    told = {plain(row[0]).lower() for row in page("docs/webhooks.md").table("Headers").rows}
    assert told == {name for name in event.headers if name.startswith("x-alvys")}


def test_replay_and_refusal_send_nothing(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    for _ in range(3):
        assert team.pay("R-1").status_code == 200
    assert team.pay("R-2", "LD-1014").status_code == 400
    assert [each.event.reference for each in settled(team, 1)] == ["R-1"]


def types_and_kinds(events: list[ReceivedEvent]) -> list[tuple[str, str]]:
    return [(each.json["type"], each.json["data"]["changeKind"]) for each in events]


def test_payment_that_pays_the_load_tells_its_status_too(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_load("X", InvoicedAmount={"Amount": 1, "Currency": 840})
    team.mock.add_webhook(receiver.url)
    team.pay("R-1", "X")
    events = receiver.wait_for(2)
    assert types_and_kinds(events) == [
        ("load.changed", "PaymentRecorded"),
        ("load.status.changed", "StatusChanged"),
    ]
    data = events[1].json["data"]
    assert (data["previousStatus"], data["load"]["status"]) == ("Invoiced", "Completed")
    assert len({each.json["id"] for each in events}) == 2
    assert [each.event.reference for each in settled(team, 2)] == ["R-1", "R-1"]


def test_status_changed_by_the_admin_api_is_told(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    for _ in range(2):  # the second changes nothing
        team.client.patch("/_mock/loads/LD-1001", json={"Status": "Paid"})
    events = receiver.wait_for(2)
    assert types_and_kinds(events) == [
        ("load.changed", "StatusChanged"),
        ("load.status.changed", "StatusChanged"),
    ]
    assert len(settled(team, 2)) == 2


def test_receiver_gets_the_events_that_it_asked_for(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url, events=["load.status.changed"])
    team.pay("R-1")
    team.mock.set_status("LD-1001", "Paid")
    assert types_and_kinds(receiver.wait_for(1)) == [("load.status.changed", "StatusChanged")]
    assert len(settled(team, 1)) == 1


def test_signature_may_leave_out_the_id(team: Team, receiver: WebhookReceiver) -> None:
    given = "geheim ☂"
    secret = team.mock.add_webhook(receiver.url, given, signed="timestamp.body")
    team.pay()
    (event,) = receiver.wait_for(1)
    assert secret == given
    assert event.headers["x-alvys-signature"] == signed_by_hand(secret, event, with_id=False)
    now = int(NOON.timestamp())
    assert verify_signature(secret, event.headers, event.body, signed="timestamp.body", now=now)
    assert not verify_signature(secret, event.headers, event.body, now=now)


@pytest.fixture(scope="module")
def signed() -> tuple[str, ReceivedEvent]:
    with running() as team, WebhookReceiver() as receiver:
        secret = team.mock.add_webhook(receiver.url)
        team.pay()
        (event,) = receiver.wait_for(1)
    return secret, event


def test_signature_is_verified_against_the_real_time(signed: tuple[str, ReceivedEvent]) -> None:
    secret, event = signed
    assert verify_signature(secret, event.headers, event.body)
    assert verify_signature(secret, {name.title(): text for name, text in event.headers.items()}, event.body)
    stamp = int(event.headers["x-alvys-timestamp"])
    assert verify_signature(secret, event.headers, event.body, now=stamp + 300)
    assert not verify_signature(secret, event.headers, event.body, now=stamp + 301)
    assert not verify_signature(secret, event.headers, event.body, now=stamp - 301)
    assert verify_signature(secret, event.headers, event.body, tolerance=301, now=stamp + 301)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"x-alvys-signature": ""},
        {"x-alvys-signature": "t=,v1="},
        {"x-alvys-signature": "t=1²,v1=0"},
        {"x-alvys-signature": f"t={'9' * 5000},v1=0"},
        {"x-alvys-signature": "t=1,v1=ü"},
        {"x-alvys-event-id": "another"},
    ],
)
def test_what_is_not_signed_is_not_verified(given: dict[str, str], signed: tuple[str, ReceivedEvent]) -> None:
    secret, event = signed
    headers = {**event.headers, **given} if given else {}
    assert not verify_signature(secret, headers, event.body)
    assert not verify_signature(f"{secret}x", event.headers, event.body)
    assert not verify_signature(secret, event.headers, event.body + b" ")


def test_failed_attempts_are_made_again_by_the_clock(team: Team) -> None:
    with WebhookReceiver(500, 302, 404) as receiver:
        secret = team.mock.add_webhook(receiver.url)
        team.pay()
        for attempts, pause in enumerate((10, 30, 60), start=1):
            (delivery,) = settled(team, attempts)
            assert delivery.state == "waiting"
            team.mock.move_clock(pause - 1)
            assert len(settled(team, attempts)) == 1
            team.mock.move_clock(1)
        (delivery,) = settled(team, 4)
        received = receiver.wait_for(4)
        assert len(received) == 4
    assert delivery.state == "delivered"
    assert [attempt.status for attempt in delivery.attempts] == [500, 302, 404, 200]
    assert [(attempt.at - NOON).seconds for attempt in delivery.attempts] == [0, 10, 40, 100]
    assert [each.headers["x-alvys-attempt"] for each in received] == ["1", "2", "3", "4"]
    assert len({each.body for each in received}) == 1
    assert len({each.headers["x-alvys-signature"] for each in received}) == 4
    assert all(each.headers["x-alvys-signature"] == signed_by_hand(secret, each) for each in received)


def test_clock_that_runs_makes_the_next_attempt_by_itself(
    team: Team, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PAUSES", (0.01, 0.01, 0.01))
    team.client.patch("/_mock/clock", json={"frozen": False})
    receiver.respond(500)
    team.mock.add_webhook(receiver.url)
    team.pay()
    assert [each.state for each in settled(team, 2)] == ["delivered"]


@contextmanager
def dead() -> Iterator[str]:
    """A URL to which nobody listens: the socket has the port, so that nobody else takes it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


def test_webhook_is_switched_off_after_ten_failed_events_in_a_row(
    team: Team, receiver: WebhookReceiver
) -> None:
    receiver.respond(*[500] * 36)
    hook = added(team, {"url": receiver.url})
    for number in range(9):
        team.pay(f"R-{number}")
    for attempts, pause in ((9, 10), (18, 30), (27, 60)):
        settled(team, attempts)
        team.mock.move_clock(pause)
    settled(team, 36)
    assert listed(team)[0]["failures"] == 9
    team.pay("R-9")
    settled(team, 37)  # which is delivered, and ends the row
    assert (listed(team)[0]["failures"], listed(team)[0]["enabled"]) == (0, True)
    receiver.respond(*[500] * 100)
    for number in range(11):
        team.pay(f"S-{number}")
    for attempts, pause in ((48, 10), (59, 30), (70, 60)):
        settled(team, attempts)
        team.mock.move_clock(pause)
    deliveries = settled(team, 80)  # not 81: the last one is cancelled
    assert [each.state for each in deliveries[10:]] == ["failed"] * 10 + ["cancelled"]
    assert (listed(team)[0]["failures"], listed(team)[0]["enabled"]) == (10, False)
    team.pay("T-1")
    assert len(team.mock.deliveries) == 21
    receiver.respond()
    assert team.client.patch(f"{HOOKS}/{hook['id']}", json={"enabled": True}).json()["failures"] == 0
    team.pay("T-2")
    assert settled(team, 81)[-1].state == "delivered"


def added(team: Team, document: Mapping[str, object]) -> Json:
    response = team.client.post(HOOKS, json=document)
    assert response.status_code == 200, response.text
    return response.json()


def listed(team: Team) -> list[Json]:
    items: list[Json] = team.client.get(HOOKS).json()["items"]
    return items


def test_webhook_is_added_listed_and_removed(team: Team, receiver: WebhookReceiver) -> None:
    hook = added(team, {"url": receiver.url, "events": ["load.changed"], "signed": "timestamp.body"})
    assert hook["secret"].startswith("whsec_")
    (shown,) = listed(team)
    assert shown == {
        "id": hook["id"],
        "url": receiver.url,
        "secret": None,
        "events": ["load.changed"],
        "signed": "timestamp.body",
        "enabled": True,
        "failures": 0,
        "waiting": 0,
        "dropped": 0,
    }
    given = {"url": receiver.url, "secret": "s"}
    assert given.items() < added(team, given).items()
    assert team.client.delete(f"{HOOKS}/{hook['id']}").json() == {"reset": [hook["id"]]}
    assert [each["events"] for each in listed(team)] == [["load.changed", "load.status.changed"]]
    for method, path in (("DELETE", hook["id"]), ("PATCH", "x"), ("DELETE", "deliveries")):
        problem_of(team.client.request(method, f"{HOOKS}/{path}", json={"enabled": True}), 404)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "127.0.0.1:80"}, "url"),
        ({"url": "http:///x"}, "url"),
        ({"url": "http://127.0.0.1:x/"}, "url"),
        ({"url": "http://[::1/"}, "url"),
        ({"url": "http://user@127.0.0.1/"}, "url"),
        ({"url": "http://127.0.0.1/#x"}, "url"),
        ({"url": "http://127.0.0.1/ x"}, "url"),
        ({"url": "http://127.0.0.1/\r\nX: y"}, "url"),
        ({"url": "http://127.0.0.1/ü"}, "url"),
        ({"url": f"http://127.0.0.1/{'x' * 3000}"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://0.0.0.0/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "http://localhost.example/"}, "url"),
        ({"url": "http://127.0.0.1@example.com/"}, "url"),
        ({"url": "http://example.com\\@127.0.0.1/"}, "url"),
        ({"url": "http://127.0.0.1/", "secret": ""}, "secret"),
        ({"url": "http://127.0.0.1/", "events": []}, "events"),
        ({"url": "http://127.0.0.1/", "events": ["load.paid"]}, "events[0]"),
        ({"url": "http://127.0.0.1/", "signed": "body"}, "signed"),
        ({"url": "http://127.0.0.1/", "id": "x"}, "id"),
    ],
)
def test_what_is_no_receiver_here_is_refused(document: dict[str, object], field: str, team: Team) -> None:
    assert field in problem_of(team.client.post(HOOKS, json=document), 400)["errors"]
    assert listed(team) == []


def test_there_are_at_most_16_webhooks(team: Team) -> None:
    for _ in range(16):
        added(team, {"url": "http://[::1]:1/"})
    problem_of(team.client.post(HOOKS, json={"url": "http://localhost/"}), 400)


def test_hosts_that_the_start_names_may_be_registered() -> None:
    settings = Settings(webhooks=("http://Hooks.example:9/",), webhook_hosts=("b.example",))
    with running(settings) as team:
        (first,) = listed(team)
        assert (first["url"], first["signed"]) == ("http://Hooks.example:9/", "timestamp.id.body")
        added(team, {"url": "https://hooks.example/other"})
        added(team, {"url": "http://B.example/"})
        problem_of(team.client.post(HOOKS, json={"url": "http://c.example/"}), 400)
        team.client.delete(f"{HOOKS}/{first['id']}")
        team.mock.reset()
        assert listed(team) == [first]
    with running(Settings(webhook_hosts=("*",))) as team:
        added(team, {"url": "http://c.example/"})


def test_url_of_the_start_that_is_none_is_refused() -> None:
    with pytest.raises(UnusableSetting, match="webhook nowhere: The url field must be"):
        MockServer(settings=Settings(webhooks=("nowhere",)))


def test_without_the_extra_it_says_what_to_install(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mock_server.courier", None)
    detail = problem_of(team.client.post(HOOKS, json={"url": "http://127.0.0.1/"}), 409)["detail"]
    assert "pip install 'alvys-sandbox[webhooks]'" in detail
    with pytest.raises(UnusableSetting, match="pip install"):
        MockServer(settings=Settings(webhooks=("http://127.0.0.1/",)))


def test_reset_ends_what_waits_and_forgets(team: Team) -> None:
    with dead() as url:
        team.mock.add_webhook(url)
        team.mock.fail_next_event("lost")
        team.pay()
        settled(team, 1)
        assert team.client.post("/_mock/reset/webhooks").json() == {"reset": ["webhooks"]}
        assert (team.mock.deliveries, listed(team)) == ([], [])
        team.mock.move_clock(1000)
        assert team.mock.deliveries == []


def test_delivery_is_listed_with_its_attempts(team: Team, receiver: WebhookReceiver) -> None:
    receiver.respond(503)
    hook = added(team, {"url": receiver.url})
    team.pay("R-7")
    settled(team, 1)
    (shown,) = team.client.get(f"{DELIVERIES}?webhook={hook['id']}&state=waiting").json()["items"]
    assert (shown["webhook"], shown["event"], shown["at"]) == (
        hook["id"],
        "load.changed",
        "2030-01-01T12:00:00Z",
    )
    assert (shown["load"], shown["reference"], shown["due"]) == ("LD-1001", "R-7", "2030-01-01T12:00:10Z")
    (attempt,) = shown["attempts"]
    assert (attempt["attempt"], attempt["status"], attempt["error"], attempt["fault"]) == (1, 503, None, None)
    assert attempt["headers"]["X-Alvys-Event-Id"] == shown["eventId"] == json.loads(shown["body"])["id"]
    assert team.client.get(f"{DELIVERIES}?state=failed").json() == {"total": 0, "items": []}
    assert team.client.get(f"{DELIVERIES}?webhook=x").json()["total"] == 0
    team.mock.move_clock(10)
    settled(team, 2)
    (shown,) = team.client.get(f"{DELIVERIES}?state=delivered").json()["items"]
    assert shown["due"] is None
    problem_of(team.client.get(f"{DELIVERIES}?state=lost"), 400)


def resend(team: Team, delivery: Delivery) -> Json:
    response = team.client.post(f"{DELIVERIES}/{delivery.id}/resend")
    assert response.status_code == 200, response.text
    return response.json()


def test_delivery_is_sent_again_as_it_was(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    team.pay("R-1")
    team.pay("R-2")
    first, _ = settled(team, 2)
    assert resend(team, first)["id"] == first.id
    assert [len(each.attempts) for each in settled(team, 3)] == [2, 1]
    events = receiver.wait_for(3)
    assert (events[2].body, events[2].headers["x-alvys-attempt"]) == (events[0].body, "1")


def test_delivery_that_waits_is_sent_at_once(team: Team, receiver: WebhookReceiver) -> None:
    receiver.respond(500)
    team.mock.add_webhook(receiver.url)
    team.pay()
    (delivery,) = settled(team, 1)
    resend(team, delivery)
    assert [each.state for each in settled(team, 2)] == ["delivered"]
    team.mock.move_clock(10)
    assert len(only(team).attempts) == 2


def test_delivery_without_a_webhook_is_not_sent_again(team: Team, receiver: WebhookReceiver) -> None:
    hook = added(team, {"url": receiver.url})
    team.pay()
    (delivery,) = settled(team, 1)
    path = f"{DELIVERIES}/{delivery.id}/resend"
    team.client.patch(f"{HOOKS}/{hook['id']}", json={"enabled": False})
    assert problem_of(team.client.post(path), 409)["detail"] == f"{hook['id']} is switched off."
    team.client.delete(f"{HOOKS}/{hook['id']}")
    problem_of(team.client.post(path), 404)
    problem_of(team.client.post(f"{DELIVERIES}/delivery-0/resend"), 404)


def test_lost_attempt_fails_and_is_made_again(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    team.mock.fail_next_event("lost")
    team.pay()
    (delivery,) = settled(team, 1)
    (lost,) = delivery.attempts
    assert (lost.status, lost.error) == (None, "No response came within 30 seconds.")
    assert (lost.fault, receiver.received) == ("webhook=lost", [])
    team.mock.move_clock(10)
    assert [each.state for each in settled(team, 2)] == ["delivered"]
    assert receiver.wait_for(1)[0].headers["x-alvys-attempt"] == "2"


def test_doubled_event_comes_twice(team: Team, receiver: WebhookReceiver) -> None:
    receiver.respond(200, 409)  # whoever takes it once may refuse it then
    team.mock.add_webhook(receiver.url)
    team.mock.fail_next_event("doubled")
    team.pay("R-1")
    team.pay("R-2")
    first, second = settled(team, 3)
    assert (first.state, second.state) == ("delivered", "delivered")
    events = receiver.wait_for(3)
    assert events[0] == events[1]
    assert events[0].json["id"] != events[2].json["id"]


def references(events: list[ReceivedEvent]) -> list[str]:
    return [each.json["data"]["payment"]["referenceNumber"] for each in events]


def test_event_is_overtaken_by_the_next_one(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    team.mock.fail_next_event("outOfOrder")
    for number in range(3):
        team.pay(f"R-{number}")
    held, *_ = settled(team, 3)
    assert references(receiver.wait_for(3)) == ["R-1", "R-0", "R-2"] or references(receiver.received) == [
        "R-1",
        "R-2",
        "R-0",
    ]
    assert [attempt.fault for attempt in held.attempts] == ["webhook=outOfOrder"]


def test_event_that_none_overtakes_comes_10_seconds_later(team: Team, receiver: WebhookReceiver) -> None:
    team.mock.add_webhook(receiver.url)
    team.mock.fail_next_event("outOfOrder")
    team.pay()
    team.mock.move_clock(9)
    assert not only(team).attempts
    team.mock.move_clock(1)
    (delivery,) = settled(team, 1)
    assert (delivery.state, delivery.attempts[0].number) == ("delivered", 1)


def test_wrong_signature_has_the_form_of_a_right_one(team: Team, receiver: WebhookReceiver) -> None:
    secret = team.mock.add_webhook(receiver.url)
    team.mock.fail_next_event("wrongSignature")
    team.pay("R-1")
    team.pay("R-2")
    wrong, right = receiver.wait_for(2)
    assert right.headers["x-alvys-signature"] == signed_by_hand(secret, right)
    assert wrong.headers["x-alvys-signature"] != signed_by_hand(secret, wrong)
    assert len(wrong.headers["x-alvys-signature"]) == len(right.headers["x-alvys-signature"])


def test_fault_of_a_webhook_is_counted_as_others_are_and_spares_requests(
    team: Team, receiver: WebhookReceiver
) -> None:
    team.mock.add_webhook(receiver.url)
    fault = {"webhook": "doubled", "load": "LD-1002", "reference": "R-2", "every": 2}
    assert team.client.post("/_mock/faults", json=fault).status_code == 200
    for reference, number in (("R-2", "LD-1001"), ("R-1", "LD-1002"), ("R-2", "LD-1002")):
        assert team.pay(reference, number).status_code == 200
    _, _, delivery = settled(team, 3)
    resend(team, delivery)
    settled(team, 5)
    (counted,) = team.client.get("/_mock/faults").json()["items"]
    assert (counted["applied"], counted["fault"]) == (1, fault)
    assert {request.fault for request in team.mock.requests} == {None}


@pytest.mark.parametrize(
    "other", [{"operation": "getLoad"}, {"delay": 1}, {"status": 500}, {"drop": "after"}]
)
def test_fault_of_a_webhook_is_none_of_a_request(other: dict[str, object], team: Team) -> None:
    (field,) = other
    problem = problem_of(team.client.post("/_mock/faults", json={"webhook": "lost", **other}), 400)
    assert problem["errors"] == {field: [f"The {field} field can't be combined with webhook."]}
    with pytest.raises(InvalidRequest):
        team.mock.fail_next_event("never")


def test_faults_of_webhooks_may_be_there_from_the_start(receiver: WebhookReceiver) -> None:
    with running(Settings(admin=False, faults=("webhook=lost,next=1",), webhooks=(receiver.url,))) as team:
        team.pay("R-1")
        team.pay("R-2")
        assert [each.state for each in settled(team, 2)] == ["waiting", "delivered"]


class Hostile:
    """Accepts connections, and says what it is told; nothing if that is nothing."""

    def __init__(self, *pieces: bytes, for_ever: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self._pieces = pieces
        self.may_speak = threading.Event()
        self.may_speak.set()
        self._for_ever = for_ever
        self.sent = 0
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}/"
        if tls is not None:
            self._listener = tls.wrap_socket(self._listener, server_side=True)
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self.accepted += 1
                self._say(connection)
        except OSError:  # it is over
            return

    def _say(self, connection: socket.socket) -> None:
        self.may_speak.wait()
        try:
            for piece in self._pieces:
                connection.sendall(piece)
                self.sent += len(piece)
            while self._for_ever:
                connection.sendall(self._pieces[-1])
                self.sent += len(self._pieces[-1])
        except OSError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()
        self._thread.join()


def test_receiver_that_never_responds_is_waited_for_30_seconds(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_GRACE", 0)
    monkeypatch.setattr(webhooks, "_PATIENCE", 600)
    with Hostile() as hostile:
        team.mock.add_webhook(hostile.url)
        team.pay("R-1")
        team.pay("R-2")
        until(lambda: hostile.accepted == 1)
        team.mock.move_clock(29)
        assert [each.state for each in team.mock.deliveries] == ["sending", "waiting"]
        problem_of(team.client.post(f"{DELIVERIES}/{team.mock.deliveries[0].id}/resend"), 409)
        team.mock.move_clock(1)
        until(lambda: hostile.accepted == 2)  # one request at a time
        first, second = team.mock.deliveries
        assert (first.state, second.state) == ("waiting", "sending")
        assert first.attempts[0].error == "No response came within 30 seconds."
        assert team.pay("R-3").status_code == 200


def test_receiver_that_never_responds_is_given_up_although_the_clock_stands_still(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_PATIENCE", 0)
    with Hostile() as hostile:
        team.mock.add_webhook(hostile.url)
        team.pay()
        (delivery,) = settled(team, 1)
        assert (delivery.state, delivery.attempts[0].status) == ("waiting", None)


@pytest.mark.parametrize("how", ["remove", "reset", "switch off"])
def test_what_is_being_sent_can_be_cancelled(how: str, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_PATIENCE", 600)
    with Hostile() as hostile:
        hook = added(team, {"url": hostile.url})
        team.pay()
        until(lambda: hostile.accepted)
        if how == "reset":
            team.mock.reset()
            assert team.mock.deliveries == []
        else:
            if how == "remove":
                team.client.delete(f"{HOOKS}/{hook['id']}")
            else:
                team.client.patch(f"{HOOKS}/{hook['id']}", json={"enabled": False})
            assert only(team).state == "cancelled"
        until(lambda: tasks(team) == 0)


HEAD = b"HTTP/1.1 200 OK\r\n"
SERVER_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("jump", [10, 3600])
def test_response_that_was_on_its_way_when_the_clock_jumped_counts(
    jump: int, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_GRACE", 60)
    with Hostile(SERVER_ERROR) as hostile:
        hostile.may_speak.clear()
        team.mock.add_webhook(hostile.url)
        team.pay()
        until(lambda: hostile.accepted)
        team.mock.move_clock(jump)
        hostile.may_speak.set()
        (delivery,) = settled(team, 2)
        assert [attempt.status for attempt in delivery.attempts] == [500, 500]


def test_receiver_of_https_must_have_a_certificate_that_is_trusted(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Hostile(HEAD + b"Content-Length: 0\r\n\r\n", tls=context) as hostile:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        team.mock.add_webhook(hostile.url)
        team.pay("R-1")
        team.pay("R-2")
        assert [each.state for each in settled(team, 2)] == ["delivered", "delivered"]
        monkeypatch.delenv("SSL_CERT_FILE")
        team.mock.add_webhook(hostile.url)
        team.pay("R-3")
        untrusted = settled(team, 4)[-1]
        assert "certificate verify failed" in (untrusted.attempts[0].error or "")


def tasks(team: Team) -> int:
    """How many tasks of webhooks there are."""

    def count() -> int:
        return sum("Webhooks" in repr(each.get_coro()) for each in asyncio.all_tasks())

    return team.mock._soon(count)  # noqa: SLF001 - what a test may not reach for otherwise


@pytest.mark.parametrize(
    ("said", "state", "response"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nyes", "delivered", b"yes"),
        (
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "waiting",
            b"",
        ),
        (b"SSH-2.0-OpenSSH_9.0\r\n\r\n", "waiting", b""),
        (HEAD + b"X: " + b"x" * 300_000, "waiting", b""),
    ],
)
def test_whatever_a_receiver_says_ends_the_attempt(
    said: bytes, state: str, response: bytes, team: Team
) -> None:
    with Hostile(said) as hostile:
        team.mock.add_webhook(hostile.url)
        team.pay()
        (delivery,) = settled(team, 1)
        assert (delivery.state, delivery.attempts[0].response) == (state, response)
        assert (delivery.attempts[0].error is None) == (state == "delivered" or b"307" in said)


def test_endless_response_is_not_read_to_its_end(team: Team) -> None:
    with Hostile(HEAD + b"Content-Length: 1000000000\r\n\r\n", b"x" * 65536, for_ever=True) as hostile:
        team.mock.add_webhook(hostile.url)
        team.pay()
        (delivery,) = settled(team, 1)
        assert (delivery.state, delivery.attempts[0].response) == ("delivered", b"x" * 1024)
    assert hostile.sent < 50_000_000


def test_dead_receiver_costs_no_payment_anything(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_DELIVERIES", 100)
    with dead() as url:
        team.mock.add_webhook(url)
        statuses = {team.pay(f"R-{number}").status_code for number in range(1000)}
        assert statuses == {200}
        deliveries = settled(team, 100)
        assert {each.state for each in deliveries} == {"waiting"}
        assert {(each.attempts[0].error or "").partition(":")[0] for each in deliveries} == {"ConnectError"}
        assert listed(team)[0]["dropped"] == 900
        assert tasks(team) == 0


def test_slow_receiver_has_one_connection_and_one_task(team: Team) -> None:
    with Hostile() as hostile:
        team.mock.add_webhook(hostile.url)
        for number in range(100):
            assert team.pay(f"R-{number}").status_code == 200
        until(lambda: hostile.accepted)
        assert (hostile.accepted, tasks(team)) == (1, 1)
        assert listed(team)[0]["waiting"] == 100


def test_what_waits_is_bounded_by_its_bytes_too(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_BYTES", 2_000_000)
    with dead() as url:
        team.mock.add_webhook(url)
        for number in range(5):
            team.pay(f"{number}{'x' * 900_000}")
        assert len(settled(team, 3)) == 3
        assert listed(team)[0]["dropped"] == 2


def test_what_is_over_is_bounded(
    team: Team, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_DELIVERIES", 3)
    team.mock.add_webhook(receiver.url)
    for number in range(5):
        team.pay(f"R-{number}")
        receiver.wait_for(number + 1)
        until(lambda: all(each.is_over for each in team.mock.deliveries))
    assert [each.event.reference for each in team.mock.deliveries] == ["R-2", "R-3", "R-4"]
    for _ in range(20):
        resend(team, team.mock.deliveries[0])
        until(lambda: all(each.is_over for each in team.mock.deliveries))
    assert max(len(each.attempts) for each in team.mock.deliveries) == 8


def test_end_of_the_server_cancels_what_is_being_sent(caplog: pytest.LogCaptureFixture) -> None:
    with Hostile() as hostile, running() as team:
        team.mock.add_webhook(hostile.url)
        team.mock.add_webhook("http://127.0.0.1:1/")
        team.pay()
        until(lambda: hostile.accepted)
    assert not caplog.records


def test_command_line_registers_a_receiver_and_prints_its_secret(receiver: WebhookReceiver) -> None:
    with serving("--port", "0", "--webhook", receiver.url) as mock:
        secret = mock.greeting.split(f"Webhook: {receiver.url}, secret ")[1].split()[0]
        httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "R-1"))
        (event,) = receiver.wait_for(1)
    assert event.headers["x-alvys-signature"] == signed_by_hand(secret, event)


def test_end_of_the_process_is_quiet_whatever_is_being_sent() -> None:
    with Hostile() as hostile:
        options = ("--webhook", hostile.url, "--webhook-secret", "s", "--webhook-signed", "timestamp.body")
        with serving("--port", "0", *options) as mock:
            httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "R-1"))
            until(lambda: hostile.accepted)
            _, complaints, status = mock.end(by=signal.SIGTERM)
        assert (complaints, status) == ("", 0)


def test_without_a_webhook_nobody_listens_to_the_ledger(team: Team, receiver: WebhookReceiver) -> None:
    ledger, clock = team.mock.admin.ledger, team.mock.admin.clock
    assert (ledger.on_change, clock.on_change) == ([], [])
    hook = added(team, {"url": receiver.url})
    assert (len(ledger.on_change), len(clock.on_change)) == (1, 1)
    added(team, {"url": receiver.url})
    assert len(ledger.on_change) == 1
    team.client.delete(f"{HOOKS}/{hook['id']}")
    team.mock.reset()
    assert (ledger.on_change, clock.on_change) == ([], [])


def test_library_is_imported_with_the_first_webhook() -> None:
    script = """
import sys
from mock_server.schemas import Checker
from mock_server.shipped import SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer
with MockServer() as mock:
    assert not {"httpcore2", "mock_server.courier"} & sys.modules.keys()
    mock.add_webhook("http://127.0.0.1:1/")
    assert {"httpcore2", "mock_server.courier"} <= sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


@pytest.mark.parametrize(
    "settings", [Settings(revision="2026-07"), Settings(profile="newtonsoft")], ids=["2026-07", "newtonsoft"]
)
def test_event_is_the_same_in_every_revision_and_profile(
    settings: Settings, receiver: WebhookReceiver
) -> None:
    with running(settings) as team:
        team.mock.add_webhook(receiver.url)
        assert team.pay("R-1").status_code == 200
        (event,) = receiver.wait_for(1)
    data: Any = event.json["data"]
    assert (data["changeKind"], data["payment"]["referenceNumber"]) == ("PaymentRecorded", "R-1")
    assert data["load"]["totalPaid"] == {"amount": 1, "currency": 840}


def test_receiver_forgets_a_request_that_never_became_whole() -> None:
    with WebhookReceiver() as receiver:
        port = int(receiver.url.rpartition(":")[2].strip("/"))
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            until(lambda: receiver._server.shared.open)  # noqa: SLF001
        until(lambda: not receiver._server.shared.open)  # noqa: SLF001
        httpx2.post(receiver.url, content=b"{}")
        assert [each.body for each in receiver.received] == [b"{}"]


def test_receiver_says_what_did_not_come() -> None:
    with WebhookReceiver() as receiver, pytest.raises(TimeoutError, match="0 of 1 requests came: none"):
        receiver.wait_for(1, seconds=0)
