"""Worlds: each has a state of its own, and nothing leaks from one to another."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.domain import LoadNotFound
from mock_server.opening import opening_loads
from mock_server.problems import InvalidRequest, SwitchedOff, TooManyWorlds, UnknownWorld
from mock_server.sandbox import Sandbox, Settings, served_spec
from mock_server.shipped import FIXTURES, SPEC
from mock_server.testing import MockServer
from mock_server.worlds import SILENCE, Worlds
from tests.mock.api import LOADS, PAYMENTS, STATUSES, payment_of
from tests.mock.team import CREDENTIALS, OAUTH, Team, running, until

pytest_plugins = ["pytester"]

ALONE = ("-p", "xdist", "-p", "mock_server.pytest_plugin")
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
        assert one.mock.requests[0].path == f"{LOADS}?loadNumber=LD-1001"
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


BAD = ["", "a b", "a/b", "..%2f", "é", "x" * 65, "a\tb", "a,b", "*", "%41"]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_gets_a_400_and_makes_nothing(name: str) -> None:
    with running(Settings(worlds=1)) as team:
        response = team.client.get(LOADS, headers=[(b"x-sandbox-world", name.encode())])
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert list(response.json()["errors"]) == ["X-Sandbox-World"]
        assert team.client.get("/_mock/worlds").json() == {"total": 0, "items": []}
        assert [entry.status for entry in team.mock.requests] == [400]


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


@pytest.mark.parametrize("name", [".", "..", "x" * 64, "-", "A_b.9"])
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
        assert listed[0]["loads"] == default.client.get("/_mock/health").json()["loads"]
        default.client.delete("/_mock/worlds/one")
        assert one.read().json()["payments"] == []


def test_worlds_are_known_to_the_default_one_only() -> None:
    with worlds(Settings(worlds=1), "one") as (_, one):
        assert one.client.get("/_mock/worlds").status_code == 409
        assert one.client.delete("/_mock/worlds/one").status_code == 409
        with pytest.raises(SwitchedOff):
            one.mock.world()
    with running() as team:
        assert team.client.get("/_mock/worlds").status_code == 409
        assert team.client.get("/worlds/one/_mock/health").status_code == 404
        with pytest.raises(SwitchedOff):
            team.mock.world()


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

        def make() -> tuple[Sandbox, ASGIApp]:
            return first.another(), app

        self.worlds = Worlds(most, app, make, [], lambda: self.now)

    async def names(self) -> list[str]:
        return [each.name for each in await self.worlds.states()]


async def nothing(*_: object) -> dict[str, object]:
    return {}


def test_world_ends_after_an_hour_of_silence() -> None:
    async def check() -> None:
        hours = Hours(2)
        hours.worlds.sandbox("one")
        hours.now = SILENCE / 2
        hours.worlds.sandbox("two")
        with pytest.raises(TooManyWorlds):
            hours.worlds.sandbox("three")
        hours.now = SILENCE
        hours.worlds.sandbox("three")
        assert await hours.names() == ["three", "two"]
        with pytest.raises(UnknownWorld):
            hours.worlds.end("one")
        hours.now += SILENCE
        assert await hours.names() == []

    asyncio.run(check())


def test_world_with_a_request_under_way_is_not_silent() -> None:
    async def check() -> None:
        hours = Hours()
        scope = {"headers": [(b"x-sandbox-world", b"one")], "raw_path": b"/x", "path": "/x"}
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


def test_what_is_compiled_is_shared_by_all_worlds() -> None:
    """Counted in bytes of this process: a world takes less than a tenth of a megabyte."""
    script = """
import gc
from mock_server.opening import opening_loads
from mock_server.sandbox import Sandbox, Settings, served_spec
from mock_server.shipped import FIXTURES, SPEC
from pathlib import Path

def memory():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

settings = Settings(worlds=2000)
spec = served_spec(SPEC, settings)
worlds = Sandbox(spec, opening_loads(spec.ours, [FIXTURES]), settings).app()
worlds.sandbox("first")
before = memory()
for number in range(1000):
    worlds.sandbox(str(number))
print(memory() - before)
"""
    if sys.platform != "linux":
        pytest.skip("memory is read from /proc")
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100_000_000


def test_worlds_have_what_else_is_switched_on() -> None:
    settings = Settings(worlds=1, explain=True, cors=("*",), admin=False, journal=0)
    with worlds(settings, "one") as (_, one):
        response = one.client.get(
            LOADS, params={"loadNumber": "LD-1001"}, headers={"Origin": "http://a.example"}
        )
        assert response.headers["access-control-allow-origin"] == "*"
        assert "x-sandbox-reason" in response.headers
        assert one.client.get("/_mock/health").status_code == 404
        assert one.client.get("/").status_code == 404
    lines: list[str] = []
    spec = served_spec(SPEC, Settings(worlds=1))
    for admin in (True, False):
        given = Settings(worlds=1, admin=admin)
        sandbox = Sandbox(spec, opening_loads(spec.ours, [FIXTURES]), given)
        sandbox.app(watch=lambda trace: lines.append(trace.scope["path"]))
        assert sandbox.worlds is not None
        assert sandbox.worlds.sandbox("one")[1].ledger is not sandbox.ledger


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
    with MockServer(settings=Settings(worlds=1)) as mock:
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
    pytester.makeconftest("""
        import pytest
        from mock_server.testing import Settings

        @pytest.fixture(scope="session")
        def alvys_mock_settings():
            return Settings(worlds=1)
    """)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        def test_own(alvys_mock_world, number):
            assert alvys_mock_world.load("LD-1001")["Status"] == "Invoiced"
            alvys_mock_world.set_status("LD-1001", "Open")
    """)
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=2)
