"""The journal, live: each request as it ends, to whoever listens."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import httpx2
import pytest
from starlette.types import Message

from mock_server import events
from mock_server.journal import Journal
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.mock.api import problem_of
from tests.mock.team import Team, running, until
from tests.mock.wire import Wire, get

EVENTS = "/_mock/requests/events"


class Event(NamedTuple):
    name: str
    data: Any
    id: str | None


class Listener:
    """One listener. Reads what it is told when it is asked for."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()
        assert next(self._lines) == "retry: 1000"
        assert next(self._lines) == ""

    def block(self) -> list[str]:
        return list(iter(lambda: next(self._lines), ""))

    def next(self) -> Event:
        fields = dict(line.split(": ", 1) for line in self.block())
        return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))


@contextmanager
def listening(team: Team, query: str = "", **headers: str) -> Iterator[Listener]:
    with team.client.stream("GET", EVENTS + query, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        yield Listener(response)


@pytest.fixture
def team() -> Iterator[Team]:
    with running() as team:
        yield team


def listed(team: Team) -> list[Any]:
    return list(team.client.get("/_mock/requests").json()["items"])


def test_each_request_is_told_as_the_journal_has_it(team: Team) -> None:
    team.read()
    with listening(team) as listener:
        team.pay("R-1")
        team.pay("R-1", "LD-1014")
        first, second = listener.next(), listener.next()
    assert [first.data, second.data] == listed(team)[1:]
    assert [(each.name, each.id) for each in (first, second)] == [("request", "2"), ("request", "3")]
    assert second.data["reason"]["rule"] == "R2"


def test_listener_hears_what_came_after_the_entry_that_it_knows(team: Team) -> None:
    for _ in range(3):
        team.read()
    with listening(team, "?after=1") as listener:
        assert [listener.next().id, listener.next().id] == ["2", "3"]
    with listening(team, "?after=0", **{"Last-Event-ID": "2"}) as listener:
        assert listener.next().id == "3"
    with listening(team, "?after=2", **{"Last-Event-ID": "x"}) as listener:
        assert listener.next().id == "3"


def test_listener_hears_all_that_comes_while_it_reads_slowly(team: Team) -> None:
    with listening(team, "?after=0") as listener:
        for _ in range(120):
            team.read()
        assert [listener.next().id for _ in range(120)] == [str(number) for number in range(1, 121)]


def test_what_the_journal_dropped_is_said_to_be_skipped() -> None:
    with running(Settings(journal=2)) as team:
        for _ in range(5):
            team.read()
        with listening(team, "?after=1") as listener:
            assert listener.next() == Event("skipped", {"count": 2}, None)
            assert [listener.next().id, listener.next().id] == ["4", "5"]


def test_clearing_the_journal_is_told_and_the_numbers_go_on(team: Team) -> None:
    team.read()
    with listening(team) as listener:
        team.client.delete("/_mock/requests")
        team.read()
        assert listener.next() == Event("cleared", {}, None)
        assert listener.next().id == "2"
        team.mock.reset()
        assert listener.next().name == "cleared"


@pytest.mark.parametrize("known", ["1", "2", "57"])
def test_listener_that_comes_back_hears_that_what_it_knew_is_gone(known: str, team: Team) -> None:
    team.read()
    team.read()
    team.mock.reset()
    team.read()
    with listening(team, **{"Last-Event-ID": known}) as listener:
        assert listener.next().name == "cleared"
        assert listener.next().id == "3"


def test_listener_that_knows_nothing_is_not_told_of_an_earlier_clearing(team: Team) -> None:
    team.read()
    team.mock.reset()
    team.read()
    with listening(team, "?after=0") as listener:
        assert listener.next().id == "2"


def test_listener_hears_a_heartbeat(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.001)
    with listening(team) as listener:
        assert listener.block() == [": still there"]
        team.read()
        while (block := listener.block()) == [": still there"]:
            pass
    assert block[0] == "event: request"


def test_one_listener_too_many_is_refused(team: Team) -> None:
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx2.Client(base_url=team.mock.url)) for _ in range(events.MOST_LISTENERS)
        ]
        listeners = [stack.enter_context(listening(Team(team.mock, client))) for client in clients]
        assert len(listeners) == 16
        refused = problem_of(team.client.get(EVENTS), 503)
        assert refused["detail"] == "There are 16 listeners, which is the most. End one first."
    until(lambda: not team.mock.admin.journal.watchers)
    with listening(team):
        pass


@pytest.mark.parametrize("turns", range(8))
def test_listener_that_leaves_while_something_comes_is_gone(turns: int) -> None:
    journal, leaving = Journal(), asyncio.Event()

    async def receive() -> Message:
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        """Sends to nobody, in no time."""

    async def listen() -> None:
        stream = events.listen(journal, lambda _: {}, None)
        listening = asyncio.ensure_future(stream.run({"headers": []}, receive, send))
        while not journal.watchers:  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0)
        (come,) = journal.watchers
        leaving.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        come()
        async with asyncio.timeout(10):
            await listening

    asyncio.run(listen())
    assert not journal.watchers


def test_without_a_journal_nobody_can_listen() -> None:
    with running(Settings(journal=0)) as team:
        problem_of(team.client.get(EVENTS), 409)


@pytest.mark.parametrize("after", ["x", "-1", "9" * 16])
def test_what_is_no_id_is_refused(after: str, team: Team) -> None:
    problem_of(team.client.get(f"{EVENTS}?after={after}"), 400)


def test_listeners_pass_the_gates_of_the_admin_api() -> None:
    with running(Settings(admin_key="k-1")) as team:
        problem_of(team.client.get(EVENTS), 401)
        problem_of(team.client.get(EVENTS, headers={"X-Admin-Key": "k-1", "Host": "evil.example"}), 403)
        with listening(team, **{"X-Admin-Key": "k-1"}) as listener:
            team.read()
            assert listener.next().id == "1"


def test_stream_ends_when_the_server_stops() -> None:
    with MockServer(settings=Settings(allow_hosts=("x",))) as mock:
        wire = Wire(int(mock.url.rpartition(":")[2]))
        wire.send(get(EVENTS))
        until(lambda: mock.admin.journal.watchers)
    with wire:
        assert wire.reply().body == b"retry: 1000\n\n"


def test_stream_ends_for_the_next_request_of_its_connection() -> None:
    with MockServer(settings=Settings(allow_hosts=("x",))) as mock:
        with Wire(int(mock.url.rpartition(":")[2])) as wire:
            wire.send(get(EVENTS) + get("/_mock/health"))
            assert wire.reply().body.startswith(b"retry: 1000")
            assert wire.reply().status == 200
        until(lambda: not mock.admin.journal.watchers)


def test_failure_on_the_way_is_logged_and_ends_the_stream(
    team: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(events, "_event", fail)
    with listening(team) as listener:
        team.read()
        with pytest.raises(httpx2.RemoteProtocolError):
            listener.block()
    assert "broken" in caplog.text
