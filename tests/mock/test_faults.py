"""Faults: what a client sees when one is injected, and what was recorded all the same."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx2
import pytest

from mock_server.documents import read_document
from mock_server.faults import read_fault
from mock_server.journal import Entry
from mock_server.sandbox import Settings, UnusableSetting
from mock_server.shipped import ADMIN
from mock_server.testing import MockServer
from tests.mock.api import LOADS, PAYMENTS, Json, problem_of
from tests.mock.team import Team, running


@pytest.fixture(scope="module")
def faulty_mock() -> Iterator[Team]:
    with running(Settings(max_body=2000)) as team:
        yield team


@pytest.fixture
def team(faulty_mock: Team) -> Team:
    faulty_mock.mock.reset()
    return faulty_mock


HEAD = f"POST {PAYMENTS} HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\n".encode()


def add(team: Team, **fault: object) -> Json:
    response = team.client.post("/_mock/faults", json=fault)
    assert response.status_code == 200, response.text
    return response.json()


def journalled(team: Team, wanted: Callable[[Entry], bool]) -> Entry:
    """The request that is wanted, once the journal has it: when its response has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for entry in filter(wanted, team.mock.requests):
            return entry
        time.sleep(0.001)
    raise AssertionError("The request has not ended within ten seconds.")


def test_connection_dropped_before_records_nothing(team: Team) -> None:
    team.mock.fail_next(drop="before")
    with pytest.raises(httpx2.RemoteProtocolError):
        team.pay("R-1")
    assert team.references() == []
    assert team.pay("R-1").status_code == 200


def test_connection_dropped_after_records_and_a_replay_shows_it(team: Team) -> None:
    team.mock.fail_next(drop="after")
    with pytest.raises(httpx2.RemoteProtocolError):
        team.pay("R-1")
    assert team.references() == ["R-1"]
    response = team.pay("R-1").json()
    assert [payment["ReferenceNumber"] for payment in response["CustomerPayments"]] == ["R-1"]


def test_dropped_connection_ends_without_a_byte(team: Team) -> None:
    team.mock.fail_next(operation="getLoad", drop="before")
    host, port = team.client.base_url.host, team.client.base_url.port
    with socket.create_connection((host, port or 80), timeout=60) as connection:
        connection.sendall(f"GET {LOADS}?id=x HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(1) == b""


def test_dropped_connection_of_a_body_that_is_too_long_leaves_no_error(
    team: Team, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes after the longest body that is taken comes while the response is late, and is not read."""
    team.mock.fail_next(drop="before", delay=0.2)
    url = team.client.base_url
    with (
        caplog.at_level(logging.WARNING),
        socket.create_connection((url.host, url.port or 80), timeout=60) as connection,
    ):
        connection.sendall(HEAD + b"Content-Length: 5000\r\n\r\n" + b" " * 2500)
        team.read()
        connection.sendall(b" " * 2500)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert not caplog.records


@pytest.mark.parametrize("status", [401, 403, 408, 500, 502, 503, 504])
def test_response_has_the_status_of_the_fault(status: int, team: Team) -> None:
    team.mock.fail_next(status=status)
    response = team.pay()
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["status"] == status
    assert "retry-after" not in response.headers
    assert not team.mock.load("LD-1001")["payments"]
    assert team.pay().status_code == 200


def test_retry_after_is_sent_and_429_always_has_one(team: Team) -> None:
    team.mock.fail_next(status=503, retryAfter=7)
    assert team.pay().headers["retry-after"] == "7"
    team.mock.fail_next(status=429)
    assert team.pay().headers["retry-after"] == "60"
    team.mock.fail_next(status=429, retryAfter=0)
    assert team.pay().headers["retry-after"] == "0"


def test_status_may_come_without_a_problem_and_after_the_payment(team: Team) -> None:
    team.mock.fail_next(status=500, problem=False, processed=True)
    response = team.pay("R-1")
    assert (response.status_code, response.content) == (500, b"")
    assert "content-type" not in response.headers
    assert team.references() == ["R-1"]


def test_delay_is_at_least_as_long_as_asked_for(team: Team) -> None:
    team.mock.fail_next(delay=0.05)
    started = time.monotonic()
    assert team.pay().status_code == 200
    assert time.monotonic() - started >= 0.05


def test_client_that_gives_up_waiting_finds_its_payment_recorded(team: Team) -> None:
    team.mock.fail_next(delay=1)
    with pytest.raises(httpx2.ReadTimeout), httpx2.Client(base_url=team.mock.url, timeout=0.2) as hasty:
        Team(team.mock, hasty).pay("R-1")
    assert team.references() == ["R-1"]
    journalled(team, lambda each: each.fault == "delay=1")  # or it would come into the next test


@pytest.mark.parametrize("spread", [{"delayMax": 0.02}, {"delaySigma": 0.1}])
def test_delay_may_vary(spread: dict[str, float], team: Team) -> None:
    add(team, operation="getLoad", delay=0.01, seed=7, **spread)
    started = time.monotonic()
    assert [team.read().status_code for _ in range(3)] == [200] * 3
    assert time.monotonic() - started >= 0.02


def test_truncated_body_ends_early_and_closes(team: Team) -> None:
    team.mock.fail_next(body="truncated")
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete"):
        team.pay("R-1")
    assert team.references() == ["R-1"]


def test_malformed_body_is_whole_and_not_json(team: Team) -> None:
    team.mock.fail_next(body="malformed")
    response = team.pay()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_malformed_body_of_an_empty_response_is_empty(team: Team) -> None:
    team.mock.fail_next(status=500, problem=False, body="malformed")
    assert team.pay().content == b""


def test_slow_body_comes_whole(team: Team) -> None:
    size = len(team.pay("R-1").content)
    team.mock.fail_next(bytesPerSecond=size * 10)
    started = time.monotonic()
    assert len(team.pay("R-1").content) == size
    assert time.monotonic() - started >= 0.09


def test_slow_body_ends_when_nobody_is_there(team: Team) -> None:
    team.mock.fail_next(operation="getLoad", bytesPerSecond=200)
    with (
        httpx2.Client(base_url=team.mock.url) as other,
        other.stream("GET", LOADS, params={"loadNumber": "LD-1001"}) as response,
    ):
        next(response.iter_raw())
    whole = len(team.read().content)
    entry = journalled(team, lambda each: each.fault == "bytesPerSecond=200")
    assert 0 < entry.response_size < whole


def test_slow_and_truncated_go_together(team: Team) -> None:
    team.mock.fail_next(bytesPerSecond=10_000, body="truncated")
    with pytest.raises(httpx2.RemoteProtocolError):
        team.pay("R-1")


@pytest.mark.parametrize("what", [{"status": 503}, {"drop": "before"}, {"delay": 0}])
def test_operation_of_a_request_with_a_fault_is_known(what: dict[str, Json], team: Team) -> None:
    team.mock.fail_next(operation="getLoad", **what)
    with suppress(httpx2.RemoteProtocolError):
        team.read()
    assert [request.operation for request in team.mock.requests] == ["getLoad"]


def test_next_ends_by_itself(team: Team) -> None:
    team.mock.fail_next(2, status=500)
    assert [team.pay().status_code for _ in range(3)] == [500, 500, 200]
    assert team.client.get("/_mock/faults").json() == {"total": 0, "items": []}


def test_every_nth_request_fails(team: Team) -> None:
    add(team, operation="getLoad", every=3, status=500)
    assert [team.read().status_code for _ in range(6)] == [200, 200, 500, 200, 200, 500]


def test_probability_with_a_seed_is_the_same_every_time(team: Team) -> None:
    seen = []
    for _ in range(2):
        team.client.delete("/_mock/faults")
        add(team, probability=0.5, seed=11, status=500)
        seen.append([team.read().status_code for _ in range(20)])
    assert seen[0] == seen[1]
    assert set(seen[0]) == {200, 500}


@pytest.mark.parametrize(("probability", "status"), [(0, 200), (1, 500)])
def test_probability_of_nothing_and_of_all(probability: int, status: int, team: Team) -> None:
    add(team, probability=probability, status=500)
    assert {team.read().status_code for _ in range(5)} == {status}


def test_fault_is_injected_into_its_operation_alone(team: Team) -> None:
    add(team, operation="getLoad", status=500)
    assert (team.read().status_code, team.search().status_code, team.pay().status_code) == (500, 200, 200)


def test_fault_is_injected_for_its_load_and_its_reference_alone(team: Team) -> None:
    add(team, load="LD-1002", status=500)
    add(team, reference="R-9", status=502)
    assert (team.pay("R-1").status_code, team.pay("R-1", "LD-1002").status_code) == (200, 500)
    assert (team.pay("R-9").status_code, team.pay("R-9", "LD-1002").status_code) == (502, 500)
    assert (team.read().status_code, team.read("LD-1002").status_code) == (200, 500)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("loadNumber=LD-1001&loadNumber=LD-1002", 200),
        ("LOADNUMBER=LD-1002&loadNumber=LD-1001", 500),
        ("loadNumber=%20&loadNumber=LD-1002", 500),
    ],
)
def test_fault_is_injected_for_the_load_that_is_read(query: str, status: int, team: Team) -> None:
    """Of several the first counts, without the blank ones, as it does for the read."""
    add(team, load="LD-1002", status=500)
    assert team.client.get(f"{LOADS}?{query}").status_code == status


def test_request_of_another_load_is_not_counted(team: Team) -> None:
    add(team, load="LD-1002", next=1, status=500)
    assert (team.pay("R-1").status_code, team.pay("R-1", "LD-1002").status_code) == (200, 500)


def test_first_fault_that_applies_is_injected_and_the_next_waits(team: Team) -> None:
    add(team, next=1, status=500)
    add(team, next=1, status=502)
    assert [team.read().status_code for _ in range(3)] == [500, 502, 200]


def test_request_without_an_operation_gets_no_fault(team: Team) -> None:
    add(team, status=500)
    problem_of(team.client.delete(PAYMENTS), 405)
    assert team.client.get("/nowhere").status_code == 404


def test_body_that_is_too_long_or_not_json_is_refused_as_ever(team: Team) -> None:
    add(team, load="LD-1001", status=500)
    problem_of(team.client.post(PAYMENTS, content=b"{", headers={"content-type": "application/json"}), 400)
    long = b" " * 5000
    problem_of(team.client.post(PAYMENTS, content=long, headers={"content-type": "application/json"}), 413)
    chunks = (b" " * 900 for _ in range(20))
    response = team.client.post(PAYMENTS, content=chunks, headers={"content-type": "application/json"})
    problem_of(response, 413)


def leave_halfway(team: Team) -> Entry:
    """Sends the head of a payment and leaves; what the journal says of it."""
    url = team.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=60) as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n")
        team.read()
    return journalled(team, lambda each: each.operation == "recordCustomerPayment")


def test_client_that_leaves_before_its_request_is_whole_gets_nothing(team: Team) -> None:
    add(team, operation="recordCustomerPayment", bytesPerSecond=1000)
    assert leave_halfway(team).status is None


def test_client_that_leaves_before_its_request_is_whole_uses_up_no_fault(team: Team) -> None:
    team.mock.fail_next(status=503)
    leave_halfway(team)
    assert team.pay().status_code == 503


def test_faults_of_the_start_come_back_with_a_reset() -> None:
    with running(Settings(faults=("operation=getLoad,next=1,status=500", "status=503,load=LD-1002"))) as team:
        assert [team.read().status_code for _ in range(2)] == [500, 200]
        assert team.read("LD-1002").status_code == 503
        team.mock.reset()
        assert [team.read().status_code for _ in range(2)] == [500, 200]


def test_faults_of_the_start_need_no_admin_api() -> None:
    with running(Settings(faults=("every=2,status=500",), admin=False)) as team:
        assert [team.read().status_code for _ in range(2)] == [200, 500]


PROPERTIES = read_document(ADMIN)["components"]["schemas"]["Fault"]["properties"]  # type: ignore[index]


def test_written_fault_is_read_by_its_schema() -> None:
    text = "operation=getLoad, load=1001,next=2,probability=0.5,problem=false,drop=after,delay=x,typo=1"
    read = json.loads(json.dumps(read_fault(text, PROPERTIES), default=float))
    assert read == {
        "operation": "getLoad",
        "load": "1001",
        "next": 2,
        "probability": 0.5,
        "problem": False,
        "drop": "after",
        "delay": "x",
        "typo": 1,
    }


@pytest.mark.parametrize(
    ("fault", "field", "sentence"),
    [
        ({}, "$", "At least one of delay, status, body, bytesPerSecond, drop, webhook is required."),
        ({"next": 1}, "$", "At least one of delay, status, body, bytesPerSecond, drop, webhook is required."),
        ({"status": 500, "typo": 1}, "typo", "There is no field typo. The fields are: operation, load, "),
        (
            {"status": 200},
            "status",
            "The status field must be one of: 401, 403, 408, 429, 500, 502, 503, 504.",
        ),
        ({"drop": "never"}, "drop", "The drop field must be one of: before, after."),
        ({"delay": -1}, "delay", "The delay field must be at least 0."),
        ({"status": 500, "operation": "pay"}, "operation", "The operation field must be one of: record"),
        ({"status": 500, "next": 1, "every": 2}, "every", "The every field can't be combined with next."),
        ({"status": 500, "next": 0}, "next", "The next field must be at least 1."),
        ({"status": 500, "drop": "after"}, "status", "The status field can't be combined with drop."),
        ({"body": "malformed", "drop": "after"}, "body", "The body field can't be combined with drop."),
        ({"bytesPerSecond": 1, "drop": "after"}, "bytesPerSecond", "can't be combined with drop."),
        ({"status": 500, "delayMax": 1}, "delayMax", "The delayMax field needs delay."),
        ({"status": 500, "delaySigma": 1}, "delaySigma", "The delaySigma field needs delay."),
        ({"delay": 1, "delayMax": 2, "delaySigma": 1}, "delaySigma", "can't be combined with delayMax."),
        ({"delay": 0, "delaySigma": 1}, "delay", "delay must be greater than zero."),
        ({"delay": 2, "delayMax": 1}, "delayMax", "The delayMax field must be at least delay."),
        ({"drop": "after", "problem": True}, "problem", "The problem field needs status."),
        ({"drop": "after", "processed": True}, "processed", "The processed field needs status."),
        ({"drop": "after", "retryAfter": 1}, "retryAfter", "The retryAfter field needs status."),
        ({"drop": "after", "seed": 1}, "seed", "The seed field needs probability."),
    ],
)
def test_fault_that_makes_no_sense_is_refused(
    fault: dict[str, object], field: str, sentence: str, team: Team
) -> None:
    problem = problem_of(team.client.post("/_mock/faults", json=fault), 400)
    assert any(sentence in each for each in problem["errors"][field]), problem


def test_wrong_fault_at_the_start_is_one_clear_line() -> None:
    with pytest.raises(UnusableSetting, match=r"^fault 'drop=never': drop: The drop field must be one of"):
        MockServer(settings=Settings(faults=("drop=never",)))
