"""A world of a sandbox that runs elsewhere, used as tests of several processes use it."""

import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from mock_server.sandbox import Settings
from mock_server.testing import AdminRefusal, MockServer, SharedWorld, WebhookReceiver, verify_signature
from tests.mock.api import LOADS, PAYMENTS, payment_of
from tests.mock.command import serving
from tests.mock.house import House
from tests.mock.test_testing import ALONE, ROOT

pytest_plugins = ["pytester"]


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer() as running:
        yield running


@pytest.fixture
def world(mock: MockServer) -> Iterator[SharedWorld]:
    with SharedWorld(mock.url) as it:
        yield it


def pay(world: SharedWorld, reference: str, **more: Any) -> httpx2.Response:
    return httpx2.post(world.url + PAYMENTS, json=payment_of("LD-1001", reference), **more)


def members(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_shared_world_has_what_a_world_has() -> None:
    assert members(MockServer) - members(SharedWorld) == {"world"}
    for name in members(MockServer) - {"world", "requests", "deliveries", "verify"}:
        signatures = [inspect.signature(getattr(kind, name)) for kind in (MockServer, SharedWorld)]
        assert signatures[0].parameters == signatures[1].parameters, name


def test_world_is_new_alone_and_over_with_the_block(mock: MockServer) -> None:
    with SharedWorld(mock.url) as one, SharedWorld(f"{mock.url}/") as other:
        assert pay(one, "R").status_code == 200
        assert [each["ReferenceNumber"] for each in one.load("LD-1001")["payments"]] == ["R"]
        assert other.load("LD-1001")["payments"] == mock.load("LD-1001")["payments"] == []
        seen = httpx2.get(mock.url + LOADS, params={"loadNumber": "LD-1001"}, headers=one.headers).json()
        assert [each["ReferenceNumber"] for each in seen["payments"]] == ["R"]
        assert one.name != other.name
        listed = httpx2.get(f"{mock.url}/_mock/worlds").json()["items"]
        assert {each["name"] for each in listed} == {one.name, other.name}
    assert httpx2.get(f"{mock.url}/_mock/worlds").json()["items"] == []


def test_world_of_a_name_is_taken_as_it_is_and_may_be_ended_by_others(mock: MockServer) -> None:
    with SharedWorld(mock.url, "nightly") as one:
        one.set_status("LD-1001", "Open")
        with SharedWorld(mock.url, "nightly") as same:
            assert same.load("LD-1001")["Status"] == "Open"


def test_loads_are_added_changed_kept_and_taken_back(world: SharedWorld) -> None:
    added = world.add_load("A/7", "Open", InvoicedAmount={"Amount": Decimal("120.50"), "Currency": 840})
    assert world.load("A/7") == added
    assert added["InvoicedAmount"] == {"Amount": Decimal("120.50"), "Currency": 840}
    kept = world.snapshot()
    assert world.set_status("A/7", "Invoiced")["Status"] == "Invoiced"
    world.restore(kept)
    assert world.load("A/7")["Status"] == "Open"
    world.reset()
    with pytest.raises(AdminRefusal, match="No load matches the request") as refused:
        world.load("A/7")
    assert refused.value.status == 404
    assert refused.value.problem["title"] == "Not Found"


def test_requests_are_listed_and_verified(world: SharedWorld) -> None:
    pay(world, "R")
    assert [each["reference"] for each in world.requests] == ["R"]
    assert world.call("GET", "requests?status=400")["items"] == []
    world.verify(reference="R", status=200, exactly=1)
    world.verify(at_least=1, at_most=1, body={"ReferenceNumber": "R"})
    with pytest.raises(AssertionError, match="other"):
        world.verify(reference="other")


def test_faults_are_injected(world: SharedWorld) -> None:
    world.fail_next(status=503)
    assert [pay(world, "R").status_code for _ in range(2)] == [503, 200]


def test_events_are_received_and_can_go_wrong(world: SharedWorld) -> None:
    with WebhookReceiver() as receiver:
        secret = world.add_webhook(receiver.url, events=["load.changed"])
        world.fail_next_event("wrongSignature")
        pay(world, "R1")
        pay(world, "R2")
        first, second = receiver.wait_for(2)
    assert not verify_signature(secret, first.headers, first.body)
    assert verify_signature(secret, second.headers, second.body)
    assert (
        world.add_webhook("http://127.0.0.1:9/", "a secret of my own, long enough")
        == "a secret of my own, long enough"
    )
    assert [each["reference"] for each in world.deliveries] == ["R1", "R2"]


def test_tokens_and_the_clock_are_those_of_the_world() -> None:
    with MockServer(settings=Settings(require_token=True)) as mock, SharedWorld(mock.url) as world:
        headers = {"Authorization": f"Bearer {world.token()}"}
        assert pay(world, "R", headers=headers).status_code == 200
        world.move_clock(3601)
        assert pay(world, "R", headers=headers).status_code == 401
        at = datetime(2026, 7, 1, tzinfo=UTC)
        world.freeze_clock(at)
        assert world.call("GET", "clock") == {"now": "2026-07-01T00:00:00Z", "frozen": True}
        assert pay(world, "R", headers={"Authorization": f"Bearer {world.token('sandbox')}"}).is_success
        with pytest.raises(StopIteration):
            world.token("nobody")


def test_admin_key_is_sent() -> None:
    with MockServer(settings=Settings(admin_key="k")) as mock:
        with SharedWorld(mock.url, key="k") as world:
            assert world.load("LD-1001")["Status"] == "Invoiced"
        with pytest.raises(AdminRefusal) as refused, SharedWorld(mock.url):
            pass
        assert refused.value.status == 401


def test_admin_api_may_have_a_port_of_its_own() -> None:
    with serving("--port", "0", "--admin-port", "0") as running:
        (admin,) = re.findall(r"^Admin API: (\S+)/_mock/health,", running.greeting, re.MULTILINE)
        with SharedWorld(running.url, admin=admin) as world:
            assert pay(world, "R").status_code == 200
            assert [each["ReferenceNumber"] for each in world.load("LD-1001")["payments"]] == ["R"]
        with pytest.raises(AdminRefusal) as refused, SharedWorld(running.url):
            pass
        assert refused.value.status == 404


def test_where_there_are_no_worlds_it_is_refused() -> None:
    with (
        MockServer(settings=Settings(worlds=0)) as mock,
        pytest.raises(AdminRefusal, match="world"),
        SharedWorld(mock.url),
    ):
        pass


def test_end_that_is_refused_is_told() -> None:
    async def other(scope: Scope, _receive: Receive, send: Send) -> None:
        status = 403 if scope["method"] == "DELETE" else 200
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    with House(uvloop.new_event_loop) as house:
        house.server.serve_instead(other)
        with pytest.raises(AdminRefusal, match="403"), SharedWorld(f"http://127.0.0.1:{house.port}"):
            pass


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b"<html>"), (502, b"[]")])
def test_what_is_no_sandbox_is_told_by_its_status(status: int, body: bytes) -> None:
    async def other(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with House(uvloop.new_event_loop) as house:
        house.server.serve_instead(other)
        with (
            pytest.raises(AdminRefusal, match=f"a {status}, is not that of a sandbox") as refused,
            SharedWorld(f"http://127.0.0.1:{house.port}"),
        ):
            pass
        assert refused.value.status == status


def test_tests_of_several_processes_share_one_sandbox(
    mock: MockServer, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("SANDBOX_URL", mock.url)
    pytester.makepyfile(SHARING)
    pytester.runpytest_subprocess(*ALONE, "-n", "2").assert_outcomes(passed=8)
    assert httpx2.get(f"{mock.url}/_mock/worlds").json()["items"] == []
    assert mock.load("LD-1001")["Status"] == "Invoiced"


SHARING = """
import os

import pytest

from mock_server.testing import SharedWorld


@pytest.mark.parametrize("number", range(8))
def test_world_is_as_at_the_start(number):
    with SharedWorld(os.environ["SANDBOX_URL"]) as world:
        assert world.load("LD-1001")["Status"] == "Invoiced"
        world.set_status("LD-1001", "Open")
"""
