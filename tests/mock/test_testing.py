"""MockServer and the fixture `alvys_mock`, as people's own tests use them."""

import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from mock_server.domain import LoadIdTaken, LoadNotFound
from mock_server.problems import InvalidRequest, SwitchedOff
from mock_server.testing import Settings
from tests.mock.team import running

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
ALONE = ("-p", "xdist", "-p", "mock_server.pytest_plugin")


def test_added_load_is_served_with_decimals() -> None:
    with running() as team:
        added = team.mock.add_load("X-1", InvoicedAmount={"Amount": 120.1, "Currency": 840})
        assert added["InvoicedAmount"]["Amount"] == Decimal("120.1")
        assert team.pay("R-1", "X-1").status_code == 200
        assert team.mock.load("X-1")["totalPaid"] == {"Amount": 1, "Currency": 840}
        assert team.mock.set_status("X-1", "Paid")["Status"] == "Paid"
        assert team.pay("R-2", "X-1").status_code == 400


def test_mistakes_are_raised_where_they_are_made() -> None:
    with running() as team:
        with pytest.raises(InvalidRequest, match="The Status field must be one of"):
            team.mock.add_load("X-1", "Invoicd")
        with pytest.raises(LoadIdTaken):
            team.mock.add_load("X-1", Id=team.mock.load("LD-1001")["Id"])
        with pytest.raises(LoadNotFound):
            team.mock.load("X-1")
        with pytest.raises(LoadNotFound):
            team.mock.set_status("X-1", "Open")
        with pytest.raises(InvalidRequest, match="one of: before, after"):
            team.mock.fail_next(drop="never")
        with pytest.raises(StopIteration):
            team.mock.token("nobody")


def test_what_is_switched_off_says_so() -> None:
    with running(Settings(journal=0, admin=False)) as team:
        with pytest.raises(SwitchedOff, match="journal"):
            assert team.mock.requests
        with pytest.raises(SwitchedOff, match="faults"):
            team.mock.fail_next(drop="after")
        team.pay("R-1")
        team.mock.reset()
        assert not team.mock.load("LD-1001")["payments"]


def test_requests_show_what_was_asked() -> None:
    with running() as team:
        team.pay("R-1")
        (request,) = team.mock.requests
        assert (request.operation, request.status, request.load) == ("recordCustomerPayment", 200, "LD-1001")
        assert request.json["ReferenceNumber"] == "R-1"
        assert request.headers["content-type"] == "application/json"
        assert request.seconds > 0


def test_frozen_clock_stamps_payments_until_the_reset() -> None:
    with running() as team:
        team.mock.freeze_clock(datetime(2030, 1, 1, tzinfo=UTC))
        team.pay("R-1")
        assert team.mock.load("LD-1001")["paidAt"] == "2030-01-01T00:00:00Z"
        team.mock.reset()
        team.pay("R-1")
        assert team.mock.load("LD-1001")["paidAt"] < "2030"


def test_several_at_once_share_nothing() -> None:
    with running() as one, running() as other:
        one.pay("R-1")
        one.mock.fail_next(operation="getLoad", status=500)
        one.mock.add_load("X-1")
        assert other.read().status_code == 200
        assert other.read("X-1").status_code == 404
        assert not other.mock.load("LD-1001")["payments"]
        assert [request.operation for request in other.mock.requests] == ["getLoad", "getLoad"]


def test_reset_costs_less_than_two_milliseconds() -> None:
    with running() as team:
        for number in range(20):
            team.pay(f"R-{number}")
        spans = []
        for _ in range(50):
            started = time.perf_counter()
            team.mock.reset()
            spans.append(time.perf_counter() - started)
    assert min(spans) < 0.002


def test_methods_can_be_called_from_many_threads_while_payments_come() -> None:
    with running() as team:
        failures: list[BaseException] = []

        def watched(what: Callable[[int], object]) -> Callable[[], None]:
            def run() -> None:
                try:
                    for number in range(30):
                        what(number)
                except BaseException as error:  # noqa: BLE001 - an error in a thread is reported here
                    failures.append(error)

            return run

        def pay(number: int) -> None:
            httpx2.get(f"{team.mock.url}/{number}")

        actions = [pay, lambda number: team.mock.add_load(f"T-{number}"), lambda _: team.mock.load("LD-1001")]
        threads = [threading.Thread(target=watched(action)) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(team.mock.requests) == 30


TEST_FILE = """
import pytest
from mock_server.testing import Settings

{settings}

@pytest.mark.parametrize("round", range(6))
def test_every_test_begins_anew(alvys_mock, round):
    assert alvys_mock.requests == []
    with pytest.raises(Exception):
        alvys_mock.load("X-1")
    alvys_mock.add_load("X-1")
    alvys_mock.fail_next(drop="after")

def test_server_is_the_same(alvys_mock, alvys_mock_server):
    assert alvys_mock is alvys_mock_server
    assert {required} is (__import__("httpx2").get(alvys_mock.url + "/").status_code == 401)
"""
OWN_SETTINGS = """
@pytest.fixture(scope="session")
def alvys_mock_settings():
    return Settings(require_token=True)
"""


@pytest.mark.parametrize(("settings", "required"), [("", False), (OWN_SETTINGS, True)])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_fixture_gives_a_fresh_mock(
    settings: str,
    required: bool,  # noqa: FBT001 - a parameter
    workers: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(TEST_FILE.format(settings=settings, required=required))
    # Without the plugins that happen to be installed: some take seconds to start.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = pytester.runpytest_subprocess(*ALONE, "-n", workers)
    done.assert_outcomes(passed=7)


def test_plugin_is_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"alvys_mock": "mock_server.pytest_plugin"}


def test_plugin_imports_no_server_until_a_test_wants_one() -> None:
    code = (
        "import sys, mock_server.pytest_plugin; print('httptools' in sys.modules, 'starlette' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False False\n"


def test_nothing_heavy_is_imported_until_it_is_switched_on() -> None:
    late = ("events", "har", "metrics", "reasons", "reloading", "tls", "verification")
    heavy = ["jwt", "pyrate_limiter", "trustme", *(f"mock_server.{name}" for name in late)]
    started = "import sys, mock_server.cli, mock_server.testing as t; t.MockServer()"
    code = f"{started}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
