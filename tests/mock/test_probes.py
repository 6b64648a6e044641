"""Health and readiness: what everybody may ask a mock, and what they are told while its state is away."""

import signal
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from evaluation.durability.database import PostgreSQL
from mock_server import transactions
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.mock.api import LOADS, problem_of
from tests.mock.command import serving
from tests.mock.team import Team, running, until

HEALTH, READY, METRICS = "/_mock/health", "/_mock/ready", "/_mock/metrics"
EVIL = {"Host": "evil.example", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def strict() -> Iterator[Team]:
    """A mock that lets nobody do anything."""
    with running(
        Settings(admin_key="open-sesame", require_token=True, rate_limit="1/minute", faults=("status=500",))
    ) as team:
        yield team


@pytest.mark.parametrize("path", [HEALTH, READY])
def test_everybody_may_ask_as_often_as_they_like(path: str, strict: Team) -> None:
    for headers in ({}, {}, EVIL, {"X-Admin-Key": "wrong"}):
        response = strict.client.get(path, headers=headers)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert strict.mock.requests == []


@pytest.mark.parametrize("path", [HEALTH, READY])
def test_probe_is_there_to_be_read_only(path: str, strict: Team) -> None:
    response = strict.client.post(path, json={})
    assert response.headers["allow"] == "GET"
    problem_of(response, 405)


def test_probes_are_there_without_the_admin_api_and_nothing_else_is() -> None:
    with running(Settings(admin=False, require_token=True)) as team:
        for path in (HEALTH, READY):
            assert team.client.get(path, headers=EVIL).json() == {"status": "ok"}
        for path in ("openapi.json", "settings", "metrics", "", "console"):
            problem_of(team.client.get(f"/_mock/{path}", headers=EVIL), 404)
        problem_of(team.client.post("/_mock/reset"), 404)


def test_probe_prints_no_line() -> None:
    with serving("--port", "0") as mock:
        for path in (READY, HEALTH, LOADS):
            httpx2.get(mock.url + path)
        assert mock.line().startswith(f"GET {LOADS} 400 ")
        assert mock.end(signal.SIGTERM)[0] == "Stopped.\n"


def test_mock_is_ready_while_its_database_responds_and_healthy_all_the_time(
    mortal: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_PATIENCE", "_LONGEST"):  # nothing but the probe itself ends the wait
        monkeypatch.setattr(transactions, name, 3600)
    with MockServer(state=mortal.url("postgres")) as mock, httpx2.Client(base_url=mock.url) as client:

        def says(status: int, reason: str = "") -> None:
            response = client.get(READY, timeout=60)
            assert response.status_code == status
            if status == 503:
                assert reason in problem_of(response, 503)["detail"]
                assert response.headers["retry-after"] == "1"
            assert client.get(HEALTH).status_code == 200
            counts = client.get(METRICS, timeout=60).text
            assert f"\nalvys_mock_state_up {int(status == 200)}\n" in counts
            assert ("\nalvys_mock_loads{" in counts) == (status == 200)

        says(200)
        mortal.server.stop()
        says(503, "can't be used now: ")
        mortal.server.start()
        says(200)
        leader = psutil.Process(mortal.server.get_pid())
        family = [leader, *leader.children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            says(503, "it does not respond")
        finally:
            for process in family:
                process.resume()
        until(lambda: client.get(READY).status_code == 200)
        says(200)
