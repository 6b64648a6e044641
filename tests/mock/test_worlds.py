"""Worlds: each has a state of its own, and nothing leaks from one to another."""

import asyncio
import gc
import re
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.domain import LoadNotFound
from mock_server.opening import opening_loads
from mock_server.problems import InvalidRequest, SwitchedOff, TooManyWorlds, UnknownWorld
from mock_server.sandbox import Sandbox, Settings, UnusableSetting, served_spec
from mock_server.shipped import FIXTURES, SPEC
from mock_server.testing import MockServer, WebhookReceiver, verify_signature
from mock_server.worlds import SILENCE, Worlds
from tests.mock.api import LOADS, PAYMENTS, STATUSES, payment_of
from tests.mock.command import run, serving
from tests.mock.team import CREDENTIALS, OAUTH, Team, running, until
from tests.mock.wire import Wire, get

pytest_plugins = ["pytester"]

ALONE = ("-p", "xdist", "-p", "mock_server.pytest_plugin")
INVOICES = LOADS.replace("loads", "invoices")
ALL_INVOICES = {"Status": ["Draft", "AwaitingPayment", "Paid"], "Page": 0, "PageSize": 100}
FROZEN = datetime(2030, 1, 1, tzinfo=UTC)


@contextmanager
def worlds(settings: Settings, *names: str) -> Iterator[list[Team]]:
    """The default world, and others beside it."""
    with running(settings) as team, ExitStack() as stack:
        others = [team.mock.world(name) for name in names]
        clients = [stack.enter_context(httpx2.Client(base_url=each.url)) for each in others]
        yield [team, *(Team(each, client) for each, client in zip(others, clients, strict=True))]


def test_loads_payments_references_and_replays_are_those_of_one_world() -> None:
    with worlds(Settings(worlds=2), "one", "two") as (default, one, two):
        assert one.pay("R-1").status_code == one.pay("R-1").status_code == 200
        assert one.references() == ["R-1"]
        assert default.references() == two.references() == []
        # The reference is new here, whatever its amount there.
        assert two.client.post(PAYMENTS, json=payment_of("LD-1001", "R-1", 7)).status_code == 200
        assert two.mock.load("LD-1001")["totalPaid"]["Amount"] == Decimal(7)
        assert one.mock.load("LD-1001")["totalPaid"]["Amount"] == Decimal(1)
        one.mock.add_load("ONE-1")
        one.mock.set_status("LD-1001", "Open")
        assert [each.read().json()["Status"] for each in (default, one, two)] == [
            "Invoiced",
            "Open",
            "Invoiced",
        ]
        assert [each.read("ONE-1").status_code for each in (default, one, two)] == [404, 200, 404]
        totals = [each.client.get("/_mock/loads").json()["total"] for each in (default, one, two)]
        assert totals == [totals[0], totals[0] + 1, totals[0]]
        one.mock.reset()
        assert one.references() == []
        assert two.references() == ["R-1"]


def test_faults_and_their_counters_are_those_of_one_world() -> None:
    settings = Settings(worlds=2, faults=("operation=getLoad,every=2,status=503",))
    with worlds(settings, "one", "two") as (default, one, two):
        assert [one.read().status_code for _ in range(3)] == [200, 503, 200]
        assert [two.read().status_code for _ in range(2)] == [200, 503]
        assert [default.read().status_code for _ in range(2)] == [200, 503]
        one.mock.fail_next(status=503)
        assert two.pay().status_code == default.pay().status_code == 200
        assert one.pay().status_code == 503
        applied = [each.client.get("/_mock/faults").json()["items"] for each in (default, one, two)]
        assert [[fault["applied"] for fault in faults] for faults in applied] == [[1], [1], [1]]
        two.client.delete("/_mock/faults")
        one.mock.reset()
        assert [one.read().status_code for _ in range(2)] == [200, 503]
        assert [two.read().status_code for _ in range(2)] == [200, 200]


def test_journal_and_metrics_are_those_of_one_world() -> None:
    with worlds(Settings(worlds=2), "one", "two") as (default, one, two):
        one.read()
        one.read("LD-1002")
        two.pay()
        assert [len(each.mock.requests) for each in (default, one, two)] == [0, 2, 1]
        assert one.mock.requests[0].path == f"/worlds/one{LOADS}?loadNumber=LD-1001"
        assert "getLoad" not in default.client.get("/_mock/metrics").text
        assert 'getLoad",status="200"} 2' in one.client.get("/_mock/metrics").text
        one.client.delete("/_mock/requests")
        assert [len(each.mock.requests) for each in (default, one, two)] == [0, 0, 1]


def test_clock_is_that_of_one_world() -> None:
    with worlds(Settings(worlds=2), "one", "two") as (default, one, two):
        one.mock.freeze_clock(FROZEN)
        two.mock.move_clock(3600)
        shown = [each.client.get("/_mock/clock").json() for each in (default, one, two)]
        assert [each["frozen"] for each in shown] == [False, True, False]
        default_now, one_now, two_now = (datetime.fromisoformat(each["now"]) for each in shown)
        assert one_now == FROZEN
        assert 3500 < (two_now - default_now).total_seconds() < 3700
        one.pay()
        default.pay()
        assert one.mock.load("LD-1001")["payments"] != default.mock.load("LD-1001")["payments"]
        one.mock.reset()
        assert datetime.fromisoformat(two.client.get("/_mock/clock").json()["now"]) >= two_now


def test_rate_limits_are_those_of_one_world() -> None:
    with worlds(Settings(worlds=2, rate_limit="1/hour"), "one", "two") as (default, one, two):
        assert [one.read().status_code for _ in range(2)] == [200, 429]
        assert default.read().status_code == two.read().status_code == 200
        one.client.post("/_mock/reset/limits")
        assert [each.read().status_code for each in (default, one, two)] == [429, 200, 429]


def test_token_is_valid_in_the_world_that_issued_it() -> None:
    with worlds(Settings(worlds=2, require_token=True), "one", "two") as (default, one, two):
        token = one.client.post(OAUTH, json=CREDENTIALS).json()["access_token"]
        assert [each.read(access=token).status_code for each in (default, one, two)] == [401, 200, 401]
        of_two = two.mock.token()
        one.client.post("/_mock/reset/tokens")
        assert one.read(access=token).status_code == 401
        assert two.read(access=of_two).status_code == 200
        two.mock.move_clock(3601)
        assert two.read(access=of_two).status_code == 401


def test_header_and_prefix_name_the_same_world() -> None:
    with worlds(Settings(worlds=1), "one") as (default, one):
        named = one.mock.headers  # type: ignore[attr-defined]
        one.mock.set_status("LD-1001", "Open")
        url = f"{LOADS}?loadNumber=LD-1001"
        assert default.client.get(url, headers=named).json()["Status"] == "Open"
        assert one.client.get(url, headers=named).json()["Status"] == "Open"
        assert default.client.post("/_mock/reset", headers=named).status_code == 200
        assert one.read().json()["Status"] == "Invoiced"
        assert default.client.get("/worlds/one").status_code == 404
        assert default.client.get("/worlds/one/").status_code == 404
        assert default.client.get("/worlds").status_code == 404


@pytest.mark.parametrize("settings", [Settings(), Settings(worlds=1)])
@pytest.mark.parametrize("path", [LOADS, "/_mock/health"])
def test_request_without_a_name_is_served_by_the_default_world(settings: Settings, path: str) -> None:
    with running(settings) as team:
        assert (
            team.client.get(path, params={"loadNumber": "LD-1001"} if path == LOADS else None).status_code
            == 200
        )


BAD = ["", "a b", "a/b", "..%2f", "é", "x" * 65, "a\tb", "a,b", "*", "%41", ".", ".."]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_gets_a_400_and_makes_nothing(name: str) -> None:
    with running(Settings(worlds=1)) as team:
        team.mock.freeze_clock(FROZEN)
        response = team.client.get(LOADS, headers=[(b"x-sandbox-world", name.encode())])
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert list(response.json()["errors"]) == ["X-Sandbox-World"]
        assert team.client.get("/_mock/worlds").json() == {"total": 0, "items": []}
        (entry,) = team.mock.requests
        assert (entry.status, entry.at) == (400, FROZEN)


@pytest.mark.parametrize(
    "path", ["/worlds/", "/worlds//x", "/worlds/a%2Fb/x", "/worlds/%61/x", "/worlds/a%00/x"]
)
def test_prefix_with_what_is_no_name_gets_a_400(path: str) -> None:
    with running(Settings(worlds=1)) as team:
        assert team.client.get(path).status_code == 400
        assert team.client.get("/_mock/worlds").json()["total"] == 0


def test_two_names_get_a_400() -> None:
    with running(Settings(worlds=5)) as team:
        twice = [("X-Sandbox-World", "a"), ("X-Sandbox-World", "a")]
        assert "once" in team.client.get(LOADS, headers=twice).text
        response = team.client.get(f"/worlds/a{LOADS}", headers={"X-Sandbox-World": "b"})
        assert response.status_code == 400
        assert "two worlds" in response.text
        assert team.client.get("/_mock/worlds").json()["total"] == 0


@pytest.mark.parametrize("name", ["...", ".a", "x" * 64, "-", "A_b.9"])
def test_every_other_name_is_a_world(name: str) -> None:
    with running(Settings(worlds=1)) as team:
        assert team.client.get("/_mock/health", headers={"X-Sandbox-World": name}).status_code == 200
        assert team.client.get("/_mock/worlds").json()["items"][0]["name"] == name


def test_one_world_more_than_there_may_be_is_refused_and_changes_nothing() -> None:
    with worlds(Settings(worlds=2), "one", "two") as (default, one, _):
        one.pay("R-1")
        for number in range(1000):
            response = default.client.get(LOADS, headers={"X-Sandbox-World": f"w{number}"})
            assert response.status_code == 503
        assert response.json()["detail"] == "There are 2 worlds, which is the most. End one first."
        with pytest.raises(TooManyWorlds):
            default.mock.world()
        assert one.references() == ["R-1"]
        assert default.client.delete("/_mock/worlds/two").json() == {"reset": ["two"]}
        assert default.client.delete("/_mock/worlds/two").status_code == 404
        assert default.client.get("/_mock/health", headers={"X-Sandbox-World": "w1"}).status_code == 200


def test_ended_world_begins_anew() -> None:
    with worlds(Settings(worlds=2), "one") as (default, one):
        one.pay()
        listed = default.client.get("/_mock/worlds").json()["items"]
        assert [(each["name"], each["requests"]) for each in listed] == [("one", 1)]
        assert listed[0]["loads"] == default.client.get("/_mock/loads").json()["total"]
        default.client.delete("/_mock/worlds/one")
        assert one.read().json()["payments"] == []


def test_worlds_are_known_to_the_default_one_only() -> None:
    with worlds(Settings(worlds=1), "one") as (_, one):
        assert one.client.get("/_mock/worlds").status_code == 409
        assert one.client.delete("/_mock/worlds/one").status_code == 409
        with pytest.raises(SwitchedOff):
            one.mock.world()
        assert one.client.get("/worlds/two/_mock/health").status_code == 404


@pytest.mark.parametrize("states", [{"worlds": 0}, {"state": "sqlite:///%s"}])
def test_request_that_names_a_world_where_there_are_none_is_refused(
    states: dict[str, Any], tmp_path: Path
) -> None:
    given = {
        name: value % (tmp_path / "it.db") if name == "state" else value for name, value in states.items()
    }
    with running(Settings(**given)) as team:
        for response in (
            team.client.get(LOADS, headers={"X-Sandbox-World": "one"}),
            team.client.get(f"/worlds/one{LOADS}"),
            team.client.post("/_mock/reset", headers={"X-Sandbox-World": "one"}),
        ):
            assert response.status_code == 409
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["detail"].startswith("There are no worlds here")
        assert team.client.get("/_mock/worlds").json() == {"total": 0, "items": []}
        assert team.client.delete("/_mock/worlds/one").status_code == 404
        with pytest.raises(SwitchedOff):
            team.mock.world()
        assert team.read().status_code == 200


def test_worlds_and_a_database_are_refused_in_one_sentence(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path / 'it.db'}"
    ended = run("--worlds", "1", "--state", state)
    sentence = "worlds: they are kept in memory, and can't be combined with a state in a database"
    assert (ended.returncode, ended.stderr) == (2, f"Error: {sentence}\n")
    with pytest.raises(UnusableSetting, match=sentence):
        MockServer(settings=Settings(worlds=1, state=state))
    with running(Settings(worlds=0, state=state)) as team:
        assert team.read().status_code == 200


def test_request_of_a_world_that_ends_meanwhile_is_answered() -> None:
    with worlds(Settings(worlds=1), "one") as (default, one), ThreadPoolExecutor() as pool:
        one.mock.fail_next(delay=0.3)
        paid = pool.submit(one.pay)
        until(lambda: one.mock.admin.ledger is not None and one.references() == ["R-1"])
        assert default.client.get("/_mock/worlds").json()["items"][0]["silentSeconds"] == 0
        default.client.delete("/_mock/worlds/one")
        assert paid.result().status_code == 200
        assert default.client.get("/_mock/worlds").json()["total"] == 0
        assert one.read().json()["payments"] == []


def test_hundred_worlds_with_parallel_payments_are_exact_each() -> None:
    with running(Settings(worlds=100)) as team, ThreadPoolExecutor(8) as pool:
        with httpx2.Client(base_url=team.mock.url) as client:

            def pay(job: tuple[int, int]) -> int:
                number, world = job
                body = payment_of("LD-1001", f"R-{number}", world + 1)
                return client.post(PAYMENTS, json=body, headers={"X-Sandbox-World": f"w{world}"}).status_code

            jobs = [(number, world) for number in (1, 2, 3, 2) for world in range(100)]
            assert set(pool.map(pay, jobs)) == {200}
        for world in range(100):
            load = team.mock.world(f"w{world}").load("LD-1001")
            assert load["totalPaid"]["Amount"] == 3 * (world + 1)
            assert len(load["payments"]) == 3
        assert team.mock.load("LD-1001")["payments"] == []


class Hours:
    """A clock for silence, and worlds that go by it."""

    def __init__(self, most: int = 3) -> None:
        settings = Settings(worlds=most)
        spec = served_spec(SPEC, settings)
        first = Sandbox(spec, opening_loads(spec.ours, [FIXTURES]), settings)
        self.now = 0.0
        self.held = asyncio.Event()

        async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
            await self.held.wait()

        def make(name: str) -> tuple[Sandbox, ASGIApp]:
            return first.another(name), app

        self.worlds = Worlds(most, make, first._api, first.clock, lambda: self.now)  # noqa: SLF001

    async def names(self) -> list[str]:
        return [each.name for each in await self.worlds.states()]


async def nothing(*_: object) -> dict[str, object]:
    return {}


def test_world_ends_after_an_hour_of_silence() -> None:
    async def check() -> None:
        hours = Hours(2)
        _, one = hours.worlds.sandbox("one")
        hours.now = SILENCE / 2
        hours.worlds.sandbox("two")
        with pytest.raises(TooManyWorlds):
            hours.worlds.sandbox("three")
        hours.now = SILENCE
        hours.worlds.sandbox("three")
        assert await hours.names() == ["three", "two"]
        assert one.admin.journal.has_ended
        with pytest.raises(UnknownWorld):
            hours.worlds.end("one")
        hours.now += SILENCE
        assert await hours.names() == []

    asyncio.run(check())


def test_world_with_a_request_under_way_is_not_silent() -> None:
    async def check() -> None:
        hours = Hours()
        scope = {"headers": [(b"x-sandbox-world", b"one")], "raw_path": b"/x", "path": "X-Sandbox-World/x"}
        request = asyncio.create_task(hours.worlds(scope, nothing, nothing))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        hours.worlds.sandbox("two")
        hours.now = 2 * SILENCE
        assert [(each.name, each.silent) for each in await hours.worlds.states()] == [("one", 0)]
        hours.held.set()
        await request
        hours.now += SILENCE - 1
        assert await hours.names() == ["one"]
        hours.now += 1
        assert await hours.names() == []

    asyncio.run(check())


@pytest.mark.parametrize(
    "settings",
    ["", 'require_token=True, rate_limit="documented", webhooks=("http://127.0.0.1:9/",), explain=True'],
)
def test_thousand_worlds_take_less_than_100_megabytes(settings: str) -> None:
    """What is compiled is shared by all; counted in bytes of a process of its own."""
    script = """
import gc
from mock_server.opening import opening_loads
from mock_server.sandbox import Sandbox, Settings, served_spec
from mock_server.shipped import FIXTURES, SPEC
from pathlib import Path

def memory():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

settings = Settings(%s)
spec = served_spec(SPEC, settings)
sandbox = Sandbox(spec, opening_loads(spec.ours, [FIXTURES]), settings)
sandbox.app()
worlds = sandbox.admin.other_worlds
worlds.sandbox("first")
before = memory()
for number in range(999):
    worlds.sandbox(str(number))
print(memory() - before)
"""
    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    command = [sys.executable, "-c", script % settings]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100_000_000


def test_worlds_have_what_else_is_switched_on() -> None:
    settings = Settings(worlds=2, explain=True, cors=("*",), admin=False, journal=0)
    with worlds(settings, "one") as (default, one):
        with default.mock.world() as another:
            another.set_status("LD-1001", "Open")
        assert one.read().json()["Status"] == "Invoiced"
        response = one.client.get(
            LOADS, params={"loadNumber": "LD-1001"}, headers={"Origin": "http://a.example"}
        )
        assert response.headers["access-control-allow-origin"] == "*"
        assert "x-sandbox-reason" in response.headers
        assert one.client.get("/_mock/loads").status_code == 404
        assert one.client.get("/").status_code == 404
    lines: list[str] = []
    spec = served_spec(SPEC, Settings(worlds=1))
    for admin in (True, False):
        given = Settings(worlds=1, admin=admin)
        sandbox = Sandbox(spec, opening_loads(spec.ours, [FIXTURES]), given)
        sandbox.app(watch=lambda trace: lines.append(trace.scope["path"]))
        assert sandbox.admin.other_worlds.sandbox("one")[1].ledger is not sandbox.ledger


@pytest.mark.parametrize(
    ("target", "headers", "status", "names"),
    [
        ("http://x/worlds/one/_mock/health", [], 200, ["one"]),
        ("http://x/_mock/health", ["X-SANDBOX-WORLD: one"], 200, ["one"]),
        ("/worlds/one/_mock/health", ["X-Sandbox-World: one"], 200, ["one"]),
        ("/worlds/one//_mock/health", [], 404, ["one"]),
        ("/worlds/one?/_mock/health", [], 404, ["one"]),
        ("/worlds/one/_mock/health?x=/worlds/two/", [], 200, ["one"]),
        ("/worlds/one", ["X-Sandbox-World: one"], 404, ["one"]),
        ("/%77orlds/one/_mock/health", [], 400, []),
        ("/Worlds/one/_mock/health", [], 404, []),
        ("X-Sandbox-World/_mock/health", [], 400, []),
        ("/X-Sandbox-World/_mock/health", [], 404, []),
        ("*", ["X-Sandbox-World: one"], 404, ["one"]),
        ("/_mock/health", ["X-Sandbox-World: one", "X-Sandbox-World: one"], 400, []),
        ("/_mock/health", ["X-Sandbox-World:"], 400, []),
        ("/_mock/health", ["X-Sandbox-Worlds: one"], 200, []),
    ],
)
def test_target_in_whatever_form_names_one_world_or_none(
    target: str, headers: list[str], status: int, names: list[str]
) -> None:
    with running() as team:
        with Wire(int(team.mock.url.rpartition(":")[2])) as wire:
            wire.send(get(target, *headers).replace(b"Host: x", b"Host: 127.0.0.1"))
            assert wire.reply().status == status
        assert [each["name"] for each in team.client.get("/_mock/worlds").json()["items"]] == names


def test_requests_of_one_connection_go_each_to_its_own_world() -> None:
    with worlds(Settings(), "one", "two") as (default, one, two):
        one.pay("R-1")
        two.pay("R-2")
        path = f"{LOADS}?loadNumber=LD-1001"
        sent = [get(path), get(path, "X-Sandbox-World: one"), get(f"/worlds/two{path}"), get(path)]
        with Wire(int(default.mock.url.rpartition(":")[2])) as wire:
            wire.send(b"".join(sent * 10))
            replies = [wire.reply().body for _ in range(40)]
        held = [(b"R-1" in body, b"R-2" in body) for body in replies]
        assert held == [(False, False), (True, False), (False, True), (False, False)] * 10


def test_ended_world_leaves_nothing_behind() -> None:
    with WebhookReceiver(503) as receiver, running() as team:
        client = httpx2.Client(base_url=f"{team.mock.url}/worlds/one")
        with client, client.stream("GET", "/_mock/requests/events"):
            client.post("/_mock/webhooks", json={"url": receiver.url})
            client.post(PAYMENTS, json=payment_of("LD-1001", "R-1"))
            receiver.wait_for(1)
            until(lambda: client.get("/_mock/webhooks/deliveries?state=waiting").json()["total"])
            _, sandbox = team.mock.admin.other_worlds.sandbox("one")
            left, timer = weakref.ref(sandbox), sandbox.webhooks._timer  # noqa: SLF001
            del sandbox
            assert timer is not None
            team.client.delete("/_mock/worlds/one")
            assert timer.cancelled()
            del timer
        until(lambda: gc.collect() + 1 and left() is None)


def test_webhooks_are_those_of_one_world() -> None:
    with WebhookReceiver() as receiver, worlds(Settings(), "one", "two") as (default, one, two):
        secret = one.mock.add_webhook(receiver.url)
        one.pay("R-1")
        two.pay("R-2")
        default.pay("R-3")
        one.pay("R-4")
        received = receiver.wait_for(2)
        assert [each.json["data"]["payment"]["referenceNumber"] for each in received] == ["R-1", "R-4"]
        assert {each.headers["x-sandbox-world"] for each in received} == {"one"}
        assert verify_signature(secret, received[0].headers, received[0].body)
        until(lambda: [each.state for each in one.mock.deliveries] == ["delivered"] * 2)
        assert [default.mock.deliveries, two.mock.deliveries] == [[], []]
        listed = [each.client.get("/_mock/webhooks").json()["total"] for each in (default, one, two)]
        assert listed == [0, 1, 0]


def test_receivers_of_the_start_hear_of_every_world() -> None:
    with WebhookReceiver() as receiver:
        settings = Settings(webhooks=(receiver.url,), webhook_hosts=("hooks.example",))
        with worlds(settings, "one") as (default, one):
            default.pay("R-1")
            receiver.wait_for(1)
            one.pay("R-2")
            of_default, of_one = receiver.wait_for(2)
            (opened,) = default.mock.admin.webhooks.registered.values()
            for each in (of_default, of_one):
                assert verify_signature(opened.secret, each.headers, each.body)
            assert "x-sandbox-world" not in of_default.headers
            assert of_one.headers["x-sandbox-world"] == "one"
            # A reset goes back to them there as well, and what else may be registered is the same.
            one.client.delete("/_mock/webhooks/webhook-1")
            assert [len(each.mock.admin.webhooks.registered) for each in (default, one)] == [1, 0]
            one.mock.reset()
            assert one.mock.add_webhook("https://hooks.example/")
            assert [len(each.mock.admin.webhooks.registered) for each in (default, one)] == [1, 2]


def test_end_of_a_world_cancels_what_its_receivers_wait_for() -> None:
    with WebhookReceiver(503) as receiver, worlds(Settings(), "one") as (default, one):
        one.mock.freeze_clock(FROZEN)
        one.mock.add_webhook(receiver.url)
        one.pay()
        receiver.wait_for(1)
        until(lambda: one.mock.deliveries[0].state == "waiting")
        default.client.delete("/_mock/worlds/one")
        assert [each.state for each in one.mock.deliveries] == ["cancelled"]
        one.mock.move_clock(3600)
        assert one.client.get("/_mock/webhooks").json()["total"] == 0
        one.client.post("/_mock/webhooks", json={"url": receiver.url})
        one.pay("R-2")
        _, second = receiver.wait_for(2)
        assert second.json["data"]["payment"]["referenceNumber"] == "R-2"


def test_stream_of_requests_is_that_of_one_world_and_ends_with_it() -> None:
    with worlds(Settings(), "one", "two") as (default, one, two), ThreadPoolExecutor() as pool:
        with one.client.stream("GET", "/_mock/requests/events") as response:
            lines = response.iter_lines()
            assert next(lines) == "retry: 1000"
            default.read()
            two.read()
            one.read("LD-1002")
            heard = [next(lines) for _ in range(4)]
            assert heard[1] == "event: request"
            assert "LD-1002" in heard[3]
            read = pool.submit(list, lines)
            default.client.delete("/_mock/worlds/one")
            assert read.result(60) == [""]
        assert default.client.get("/_mock/worlds").json()["total"] == 1


def test_archive_of_a_world_names_its_addresses() -> None:
    with worlds(Settings(), "one") as (default, one):
        one.read()
        default.client.get(f"{LOADS}?loadNumber=LD-1001", headers={"X-Sandbox-World": "one"})
        entries = one.client.get("/_mock/requests.har").json()["log"]["entries"]
        by_prefix, by_header = (each["request"] for each in entries)
        assert by_prefix["url"] == f"{one.mock.url}{LOADS}?loadNumber=LD-1001"
        assert by_header["url"] == f"{default.mock.url}{LOADS}?loadNumber=LD-1001"
        assert {"name": "x-sandbox-world", "value": "one"} in by_header["headers"]
        assert default.client.get("/_mock/requests.har").json()["log"]["entries"] == []


def test_document_of_a_world_leads_to_that_world() -> None:
    with worlds(Settings(), "one") as (default, one):
        document = one.client.get("/openapi.json").json()
        assert document["servers"][0]["url"] == one.mock.url
        flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
        assert flow["tokenUrl"] == f"{one.mock.url}{OAUTH}"
        assert default.client.get("/openapi.json").json()["servers"][0]["url"] == default.mock.url


@pytest.mark.parametrize("path", ["/", "/requests", "/_mock/console/overview.js"])
def test_console_is_that_of_the_default_world(path: str) -> None:
    with worlds(Settings(), "one") as (default, one):
        accept = {"Accept": "text/html"}
        assert default.client.get("/requests", headers=accept).status_code == 200
        response = one.client.get(path, headers=accept)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


def test_snapshot_and_verification_are_those_of_one_world() -> None:
    with worlds(Settings(), "one", "two") as (default, one, two):
        one.pay("R-1")
        one.mock.verify(reference="R-1", exactly=1)
        default.mock.verify(reference="R-1", exactly=0)
        two.mock.restore(one.mock.snapshot())
        assert [each.references() for each in (default, one, two)] == [[], ["R-1"], ["R-1"]]
        two.mock.reset()
        assert [each.references() for each in (default, one, two)] == [[], ["R-1"], []]


def test_invoices_are_those_of_one_world() -> None:
    with worlds(Settings(), "one") as (default, one):
        number = default.mock.load("LD-1001")["LoadNumber"]
        invoices = [
            each.client.post(f"{INVOICES}/search", json=ALL_INVOICES).json() for each in (default, one)
        ]
        assert invoices[0] == invoices[1]
        invoice = next(each for each in invoices[0]["Items"] if each["Loads"][0]["LoadNumber"] == number)
        one.pay("R-1")
        read = {"invoiceNumber": invoice["Number"]}
        paid = [
            each.client.get(INVOICES, params=read).json()["AmountPaid"]["Amount"] for each in (default, one)
        ]
        assert paid == [0, 1]


def test_reload_forgets_all_worlds(tmp_path: Path) -> None:
    fixtures = tmp_path / "loads.yaml"
    fixtures.write_text("a: {LoadNumber: A-1, Status: Invoiced}\n")
    options = ("--port", "0", "--quiet", "--reload", "--fixtures", str(fixtures))
    receiver = socket.create_server(("127.0.0.1", 0))
    with receiver, serving(*options) as mock, httpx2.Client() as client:
        world = f"{mock.url}/worlds/one"
        client.post(f"{world}/_mock/webhooks", json={"url": f"http://127.0.0.1:{receiver.getsockname()[1]}/"})
        client.post(world + PAYMENTS, json=payment_of("A-1", "R-1"))
        sent, _ = receiver.accept()
        with sent, client.stream("GET", f"{world}/_mock/requests/events") as response:
            fixtures.write_text("a: {LoadNumber: B-1, Status: Invoiced}\n")
            assert mock.line().startswith("Reloaded: ")
            assert b"event: request" not in response.read()
            sent.settimeout(20)  # less than the patience with a receiver that never responds
            assert b"PaymentRecorded" in b"".join(iter(lambda: sent.recv(65536), b""))
        assert client.get(f"{mock.url}/_mock/worlds").json()["total"] == 0
        assert client.get(f"{world}{LOADS}?loadNumber=A-1").status_code == 404
        assert client.get(f"{world}{LOADS}?loadNumber=B-1").json()["payments"] == []
        assert client.get(f"{world}/_mock/webhooks").json()["total"] == 0


def test_document_with_paths_like_ours_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "atlas.yaml"
    path.write_text(
        "{openapi: 3.1.0, info: {title: Atlas, version: '1'}, paths: {'/worlds/{id}/moons': {get: "
        "{responses: {'200': {description: ok, content: {application/json: {example: [Io]}}}}}}}}"
    )
    with MockServer(spec=path) as mock, httpx2.Client(base_url=mock.url) as client:
        assert client.get("/worlds/one/moons").json() == ["Io"]
        assert client.get("/_mock/worlds").json()["total"] == 0
        assert client.get("/worlds/one/worlds/two/moons").json() == ["Io"]
        assert client.get("/worlds/two/moons", headers={"X-Sandbox-World": "b"}).json() == ["Io"]
        assert [each["name"] for each in client.get("/_mock/worlds").json()["items"]] == ["b", "one"]


def test_pages_of_others_may_call_the_api_of_a_world_and_not_its_admin_api() -> None:
    page = {"Origin": "http://a.example"}
    with worlds(Settings(cors=("http://a.example",)), "one") as (default, one):
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-sandbox-world"}
        for client in (default.client, one.client):
            allowed = client.options(PAYMENTS, headers=page | asked).headers
            assert allowed["access-control-allow-headers"] == "x-sandbox-world"
        for client, named in ((one.client, {}), (default.client, {"X-Sandbox-World": "one"})):
            read = client.get(f"{LOADS}?loadNumber=LD-1001", headers=page | named)
            assert read.headers["access-control-allow-origin"] == "http://a.example"
            refused = client.post("/_mock/reset", headers=page | named)
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers


def test_pages_of_others_may_read_why_a_world_is_refused() -> None:
    page = {"Origin": "http://a.example"}
    with worlds(Settings(cors=("http://a.example",), worlds=1), "one") as (default, _):
        for path, named in ((f"/worlds/two{LOADS}", {}), (LOADS, {"X-Sandbox-World": "a b"})):
            refused = default.client.get(path, headers=page | named)
            assert refused.status_code in {400, 503}
            assert refused.headers["access-control-allow-origin"] == "http://a.example"
        asked = page | {"Access-Control-Request-Method": "POST"}
        assert default.client.options(f"/worlds/two{PAYMENTS}", headers=asked).status_code == 200
        assert [entry.status for entry in default.mock.requests] == [503, 400]
        for path, named in (("/worlds/two/_mock/reset", {}), ("/_mock/reset", {"X-Sandbox-World": "two"})):
            refused = default.client.post(path, headers=page | named)
            assert refused.status_code == 503
            assert "access-control-allow-origin" not in refused.headers


def test_admin_api_of_a_world_wants_the_key_on_the_port_of_its_own() -> None:
    options = ("--port", "0", "--admin-port", "0", "--admin-key", "k", "--quiet")
    with serving(*options) as mock, httpx2.Client() as client:
        admin = re.search(r"Admin API: (http://[0-9.:]+)", mock.greeting)
        while admin is None:
            admin = re.search(r"Admin API: (http://[0-9.:]+)", mock.line())
        named = {"X-Sandbox-World": "one"}
        assert client.get(f"{mock.url}/_mock/clock", headers=named).status_code == 404
        for url, headers in ((admin[1], named), (f"{admin[1]}/worlds/one", {})):
            assert client.get(f"{url}/_mock/clock", headers=headers).status_code == 401
            known = headers | {"X-Admin-Key": "k"}
            assert client.get(f"{url}/_mock/clock", headers=known).status_code == 200


def test_nothing_of_worlds_is_imported_before_one_is_named() -> None:
    script = """
import sys, httpx2
import mock_server.cli
from mock_server.sandbox import Sandbox, served_spec
from mock_server.serving import Server, listen, url_of
from mock_server.shipped import SPEC
from mock_server.sandbox import Settings
import threading

server = Server(Sandbox(served_spec(SPEC, Settings()), []).app())
listener = listen("127.0.0.1", 0)
thread = threading.Thread(target=server.run, args=([listener],))
thread.start()
try:
    for headers in ({}, {"X-Sandbox-World": "one"}):
        httpx2.get(url_of(listener) + "/_mock/health", headers=headers)
        print("mock_server.worlds" in sys.modules)
finally:
    server.stop()
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]


def test_profile_and_another_document_are_those_of_all_worlds(tmp_path: Path) -> None:
    text = SPEC.read_text("utf-8").replace("/api/p/", "/another/p/")
    (tmp_path / "other.yaml").write_text(text.replace("title: ", "title: X ", 1), "utf-8")
    settings = Settings(worlds=1, profile="newtonsoft")
    with MockServer(spec=tmp_path / "other.yaml", settings=settings) as mock, mock.world("one") as one:
        path = LOADS.replace("/api/", "/another/")
        one.set_status("LD-1001", "Open")
        shown = [httpx2.get(f"{each.url}{path}?loadNumber=LD-1001").json()["Status"] for each in (mock, one)]
        assert shown == ["Invoiced", "Open"]


def test_world_of_a_test_ends_with_it() -> None:
    with MockServer() as mock:
        with mock.world() as one:
            assert one.load("LD-1001")["Status"] in STATUSES
            with pytest.raises(LoadNotFound):
                one.load("X-1")
        with mock.world("again") as again:
            httpx2.delete(f"{mock.url}/_mock/worlds/{again.name}")
        with pytest.raises(InvalidRequest):
            mock.world("a b")


def test_fixture_gives_each_test_a_world(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        def test_own(alvys_mock_world, alvys_mock_server, number):
            assert len(alvys_mock_server.admin.other_worlds._worlds) == 1
            assert alvys_mock_world.load("LD-1001")["Status"] == "Invoiced"
            alvys_mock_world.set_status("LD-1001", "Open")
    """)
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=2)
