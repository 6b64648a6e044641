"""Metrics: what is counted, and in which form."""

import json
import re
from collections.abc import Iterator

import httpx2
import pytest

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.team import Team, running

_SAMPLE = re.compile(r'(alvys_mock_[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})?) ([0-9.e-]+)')


@pytest.fixture
def team() -> Iterator[Team]:
    with running() as team:
        yield team


def metrics(team: Team) -> dict[str, float]:
    response = team.client.get("/_mock/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.text.endswith("\n")
    samples = [_SAMPLE.fullmatch(line) for line in response.text.splitlines() if not line.startswith("#")]
    return {
        sample[1]: float(sample[2]) for sample in samples if sample is not None or pytest.fail(response.text)
    }


def requests(operation: str, status: str) -> str:
    return f'alvys_mock_requests_total{{operation="{operation}",status="{status}"}}'


def test_first_response_counts_the_journal_and_the_next_what_came_since(team: Team) -> None:
    team.pay("R-1")
    team.pay("R-1", "LD-1014")
    assert metrics(team)[requests("recordCustomerPayment", "200")] == 1
    team.pay("R-1")
    team.client.get("/nowhere")
    team.mock.reset()
    found = metrics(team)
    assert found[requests("recordCustomerPayment", "200")] == 2
    assert found[requests("recordCustomerPayment", "400")] == 1
    assert found[requests("none", "404")] == 1
    assert (found["alvys_mock_payments_recorded_total"], found["alvys_mock_replays_total"]) == (1, 1)


def test_lost_response_has_no_status_and_counts_as_a_fault(team: Team) -> None:
    metrics(team)
    team.mock.fail_next(drop="after")
    with pytest.raises(httpx2.RemoteProtocolError):
        team.pay("R-1")
    found = metrics(team)
    assert found[requests("recordCustomerPayment", "none")] == 1
    assert found["alvys_mock_faults_injected_total"] == found["alvys_mock_payments_recorded_total"] == 1


def test_durations_are_a_histogram(team: Team) -> None:
    metrics(team)
    team.mock.fail_next(operation="getLoad", delay=0.02)
    team.read()
    team.read()
    found = metrics(team)
    buckets = [value for name, value in found.items() if "_bucket" in name]
    assert buckets == sorted(buckets)
    assert buckets[0] <= 1
    assert buckets[-1] == found["alvys_mock_request_seconds_count"] == 2
    assert found["alvys_mock_request_seconds_sum"] >= 0.02
    assert found['alvys_mock_request_seconds_bucket{le="0.01"}'] <= 1
    assert found['alvys_mock_request_seconds_bucket{le="10"}'] <= 2


def test_loads_are_counted_by_status(team: Team) -> None:
    team.mock.set_status("LD-1014", "In Transit")
    found = metrics(team)
    assert sum(value for name, value in found.items() if name.startswith("alvys_mock_loads{")) == 21
    assert found['alvys_mock_loads{status="In Transit"}'] >= 1


def test_without_a_journal_counting_begins_with_the_first_response() -> None:
    with running(Settings(journal=0)) as team:
        team.read()
        metrics(team)
        team.read()
        assert metrics(team)[requests("getLoad", "200")] == 1


def test_operation_of_another_document_is_escaped(write: Write) -> None:
    theirs = {
        "openapi": "3.1.0",
        "info": {"title": "theirs", "version": "1"},
        "paths": {
            "/a": {"get": {"operationId": 'a"\\\n', "responses": {"204": {"description": "Nothing."}}}}
        },
    }
    with MockServer(spec=write("theirs.json", json.dumps(theirs))) as mock:
        httpx2.get(f"{mock.url}/a")
        text = httpx2.get(f"{mock.url}/_mock/metrics").text
    assert requests(r"a\"\\\n", "204") + " 1\n" in text
