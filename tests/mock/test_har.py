"""The journal as an HTTP archive, which the tools of browsers open."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import httpx2
import pytest

from mock_server.sandbox import Settings
from tests.mock.api import LOADS, PAYMENTS, Json, payment_of, problem_of
from tests.mock.team import Team, bearer, running

ARCHIVE = "/_mock/requests.har"
REQUEST = {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"}
RESPONSE = {
    *("status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL"),
    *("headersSize", "bodySize"),
}
"""What HAR 1.2 requires."""


@pytest.fixture
def team() -> Iterator[Team]:
    with running() as team:
        yield team


def archived(team: Team, **filters: str) -> list[Json]:
    log = team.client.get(ARCHIVE, params=filters).json()["log"]
    assert (log["version"], log["creator"]["version"]) == ("1.2", version("alvys-sandbox"))
    for entry in log["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= entry.keys()
        assert entry["timings"].keys() == {"send", "wait", "receive"}
        assert entry["request"].keys() - {"postData"} == REQUEST
        assert entry["response"].keys() == RESPONSE
    return list(log["entries"])


def test_request_and_response_are_in_the_archive(team: Team) -> None:
    team.mock.freeze_clock(datetime(2026, 7, 1, 12, tzinfo=UTC))
    body = payment_of("LD-1001", "R-1")
    sent = team.client.post(f"{PAYMENTS}?a=1&a=&b=%20", json=body)
    (entry,) = archived(team)
    request, response = entry["request"], entry["response"]
    assert entry["startedDateTime"] == "2026-07-01T12:00:00Z"
    assert entry["time"] == entry["timings"]["wait"] > 0
    assert (request["method"], request["url"]) == ("POST", f"{team.mock.url}{PAYMENTS}?a=1&a=&b=%20")
    assert [(each["name"], each["value"]) for each in request["queryString"]] == [
        ("a", "1"),
        ("a", ""),
        ("b", " "),
    ]
    assert {"name": "content-type", "value": "application/json"} in request["headers"]
    assert request["postData"]["mimeType"] == "application/json"
    assert json.loads(request["postData"]["text"]) == body
    assert (response["status"], response["bodySize"]) == (200, len(sent.content))
    assert response["content"] == {
        "size": len(sent.content),
        "mimeType": "application/json",
        "text": sent.text,
    }
    assert entry["comment"] == "R1: The payment was recorded; the load is Invoiced now."
    assert (entry["_operation"], entry["_load"], entry["_reference"]) == (
        "recordCustomerPayment",
        "LD-1001",
        "R-1",
    )


def test_lost_response_has_the_status_0_and_its_fault(team: Team) -> None:
    team.mock.fail_next(drop="before", operation="getLoad")
    with pytest.raises(httpx2.RemoteProtocolError):
        team.read()
    (entry,) = archived(team)
    assert (entry["response"]["status"], entry["_fault"]) == (0, "drop=before")
    assert "postData" not in entry["request"]


def test_archive_is_filtered_as_the_journal_is(team: Team) -> None:
    team.read()
    team.pay()
    assert [entry["_id"] for entry in archived(team, operation="recordCustomerPayment")] == [2]
    problem_of(team.client.get(ARCHIVE, params={"status": "x"}), 400)


def test_credentials_are_masked(team: Team) -> None:
    team.client.get(f"{LOADS}?token=hidden", headers=bearer("hidden"))
    assert "hidden" not in team.client.get(ARCHIVE).text


def test_without_a_journal_there_is_no_archive() -> None:
    with running(Settings(journal=0)) as team:
        problem_of(team.client.get(ARCHIVE), 409)
