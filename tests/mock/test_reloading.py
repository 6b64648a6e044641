"""--reload: changed files are opened again, broken ones are reported, and the port stays."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from mock_server.reloading import Reloader
from mock_server.sandbox import Sandbox, served_spec
from mock_server.shipped import SPEC
from mock_server.testing import MockServer, Settings
from tests.mock.api import LOADS, PAYMENTS, payment_of
from tests.mock.command import Running, run, serving
from tests.mock.team import until

LOAD = "a: {LoadNumber: %s, Status: Invoiced}\n"


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    path = tmp_path / "loads.yaml"
    path.write_text(LOAD % "A-1")
    return path


def status(url: str, number: str) -> int:
    return httpx2.get(f"{url}{LOADS}?loadNumber={number}").status_code


@pytest.fixture
def mock(fixtures: Path) -> Iterator[Running]:
    with serving("--port", "0", "--quiet", "--reload", "--fixtures", str(fixtures)) as mock:
        yield mock


def test_changed_fixtures_are_served_on_the_same_port(mock: Running, fixtures: Path) -> None:
    httpx2.post(mock.url + PAYMENTS, json=payment_of("A-1", "R-1"))
    fixtures.write_text((LOAD % "A-1") + "b: {LoadNumber: B-1, Status: Open}\n")
    assert mock.line() == f"Reloaded: {fixtures} changed. The loads are as in the fixtures again.\n"
    load = httpx2.get(f"{mock.url}{LOADS}?loadNumber=A-1").json()
    assert (load["payments"], status(mock.url, "B-1")) == ([], 200)


def test_broken_file_is_reported_and_the_old_state_goes_on(mock: Running, fixtures: Path) -> None:
    httpx2.post(mock.url + PAYMENTS, json=payment_of("A-1", "R-1"))
    fixtures.write_text("a: {LoadNumber: A-1, Status: Invoicd}\n")
    assert mock.process.stderr
    told = mock.process.stderr.readline()
    assert told.startswith(f"Not reloaded, all goes on as it was: {fixtures}, scenario a: Status: The Status")
    assert len(httpx2.get(f"{mock.url}{LOADS}?loadNumber=A-1").json()["payments"]) == 1
    fixtures.write_text(LOAD % "C-1")
    assert mock.line().startswith("Reloaded: ")
    assert (status(mock.url, "A-1"), status(mock.url, "C-1")) == (404, 200)
    assert mock.end(signal.SIGTERM) == ("Stopped.\n", "", 0)


def test_standard_input_cannot_be_read_again() -> None:
    ended = run("--reload", "--fixtures", "-")
    assert (ended.returncode, "--reload can't read standard input again." in ended.stderr) == (2, True)


class Files:
    """A reloader of some paths, and what it did."""

    def __init__(self, *paths: Path) -> None:
        self.reopened = 0
        self.fails = False
        self.said: list[str] = []
        self.complained: list[str] = []
        self._reloader = Reloader(
            paths, self._reopen, (ValueError,), say=self.said.append, complain=self.complained.append
        )

    def _reopen(self) -> None:
        if self.fails:
            raise ValueError("broken")
        self.reopened += 1

    def check(self) -> int:
        self._reloader.check()
        return self.reopened


def test_nothing_is_opened_again_while_nothing_changes(fixtures: Path) -> None:
    files = Files(fixtures, fixtures.parent / "default")
    assert [files.check(), files.check(), files.said] == [0, 0, []]


def test_file_of_the_same_size_and_another_time_has_changed(fixtures: Path) -> None:
    files = Files(fixtures)
    os.utime(fixtures, ns=(0, 0))
    assert [files.check(), files.check()] == [1, 1]


def test_file_that_is_gone_and_comes_back_has_changed_twice(fixtures: Path) -> None:
    files = Files(fixtures)
    fixtures.unlink()
    assert files.check() == 1
    fixtures.write_text("new")
    assert files.check() == 2


def test_folder_changes_with_each_of_its_fixtures(tmp_path: Path) -> None:
    files = Files(tmp_path)
    (tmp_path / "a.yaml").write_text("")
    assert files.check() == 1
    (tmp_path / "notes.txt").write_text("")
    assert files.check() == 1
    (tmp_path / "a.yaml").unlink()
    assert (files.check(), files.said[-1].partition(" changed")[0]) == (2, f"Reloaded: {tmp_path / 'a.yaml'}")


def test_failure_is_told_once(fixtures: Path) -> None:
    files = Files(fixtures)
    files.fails = True
    fixtures.write_text("")
    assert [files.check(), files.check()] == [0, 0]
    assert files.complained == ["Not reloaded, all goes on as it was: broken\n"]


def test_listeners_of_the_journal_are_sent_to_the_new_one(fixtures: Path) -> None:
    with MockServer([fixtures]) as mock, httpx2.Client(base_url=mock.url) as client:
        with client.stream("GET", "/_mock/requests/events") as response:
            until(lambda: mock.admin.journal.watchers)
            app = Sandbox(served_spec(SPEC, Settings()), []).app()
            mock._loop.call_soon_threadsafe(mock._server.serve_instead, app)  # noqa: SLF001
            assert response.read() == b"retry: 1000\n\n"
        assert client.get(f"{LOADS}?loadNumber=A-1").status_code == 404
