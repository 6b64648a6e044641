"""The journal: what is kept of a request, how much of it, and what is masked."""

import json
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, Json, payment_of
from tests.mock.team import CREDENTIALS, OAUTH, Team, running
from tests.mock.test_spec import PATH, document


@pytest.fixture(scope="module")
def small_mock() -> Iterator[Team]:
    with running(Settings(journal=5, journal_body=300)) as team:
        yield team


@pytest.fixture
def small(small_mock: Team) -> Team:
    small_mock.mock.reset()
    return small_mock


def listed(team: Team, **filters: object) -> list[Json]:
    response = team.client.get(
        "/_mock/requests", params={name: str(value) for name, value in filters.items()}
    )
    assert response.status_code == 200, response.text
    document = response.json()
    assert document["total"] == len(document["items"])
    return list(document["items"])


def test_request_and_response_are_kept(small: Team) -> None:
    small.pay("R-1", access="abc")
    (entry,) = listed(small)
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", PAYMENTS, 200)
    assert (entry["operation"], entry["load"], entry["reference"]) == (
        "recordCustomerPayment",
        "LD-1001",
        "R-1",
    )
    assert entry["userAgent"].startswith("python-httpx2/")
    assert json.loads(entry["body"])["ReferenceNumber"] == "R-1"
    assert json.loads(entry["response"])["LoadNumber"] == "LD-1001"
    assert (entry["bodySize"], entry["responseSize"]) == (len(entry["body"]), len(entry["response"]))
    assert entry["fault"] is None
    assert entry["milliseconds"] > 0


def test_read_names_its_load_and_a_wrong_path_no_operation(small: Team) -> None:
    small.read("LD-1002")
    small.client.get("/nowhere?a=1")
    small.client.delete(LOADS)
    read, nowhere, method = listed(small)
    assert (read["operation"], read["load"], read["reference"]) == ("getLoad", "LD-1002", None)
    assert (nowhere["operation"], nowhere["path"], nowhere["status"]) == (None, "/nowhere?a=1", 404)
    assert (method["operation"], method["status"]) == (None, 405)


def test_document_says_where_a_request_names_its_load_and_its_reference(write: Write) -> None:
    whole = document()
    whole["paths"][PATH]["post"]["x-subject"] = {"reference": "$request.body#/InvoiceNumber"}
    with MockServer(spec=write("openapi.json", json.dumps(whole))) as mock:
        httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "R-1", InvoiceNumber="INV-1"))
        assert [(entry.load, entry.reference) for entry in mock.requests] == [(None, "INV-1")]


def test_refusals_are_kept_with_their_bodies(small: Team) -> None:
    small.client.post(PAYMENTS, content=b"{", headers={"content-type": "application/json"})
    small.client.post(PAYMENTS, json=["x"])
    broken, array = listed(small)
    assert (broken["status"], broken["body"], broken["load"]) == (400, "{", None)
    assert "can't be read as JSON" in broken["response"]
    assert (array["status"], array["load"]) == (400, None)


def test_fault_is_named_and_a_lost_response_has_no_status(small: Team) -> None:
    small.mock.fail_next(status=503, retryAfter=2)
    small.pay("R-1")
    small.mock.fail_next(drop="after")
    with pytest.raises(Exception, match="disconnected"):
        small.pay("R-2")
    refused, lost = listed(small)
    assert (refused["fault"], refused["status"]) == ("status=503,retryAfter=2", 503)
    assert (refused["load"], refused["reference"]) == ("LD-1001", "R-1")
    assert (lost["fault"], lost["status"], lost["response"]) == ("drop=after", None, "")


def test_credentials_are_masked(small: Team) -> None:
    issued = small.client.post(OAUTH, json=CREDENTIALS).json()["access_token"]
    small.client.post(OAUTH, data=CREDENTIALS)
    small.client.get(
        f"{LOADS}?access_token=tell-nobody",
        headers={
            "Authorization": "Bearer tell-nobody",
            "Cookie": "a=tell-nobody",
            "Proxy-Authorization": "tell-nobody",
        },
    )
    shown = small.client.get("/_mock/requests").text
    assert shown.count("***") == 8
    for secret in ("sandbox-secret", issued, issued[:20], "tell-nobody"):
        assert secret not in shown
    entry = listed(small)[2]
    assert (entry["headers"]["authorization"], entry["headers"]["cookie"]) == ("Bearer ***", "***")
    assert entry["path"] == f"{LOADS}?access_token=***"


def test_secret_is_masked_where_a_body_is_cut_in_its_middle(small: Team) -> None:
    body = json.dumps({"pad": "x" * 250, "client_secret": 'qu"' + "s" * 100})
    small.client.post(OAUTH, content=body, headers={"content-type": "application/json"})
    (entry,) = listed(small)
    assert entry["body"].endswith('"client_secret": "***"')


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("client%5Fsecret=tell-nobody&a=1", "client%5Fsecret=***&a=1"),
        ("a=1&%63lient_%53ecret=tell nobody", "a=1&%63lient_%53ecret=***"),
        ("clientSecret=tell-nobody", "clientSecret=***"),
        ('{"client\\u005fsecret": "tell-nobody", "a": 1}', '{"client\\u005fsecret": "***", "a": 1}'),
        ('\ufeff{"\\u0050assword": "tell&nobody"}', '\ufeff{"\\u0050assword": "***"}'),
        ('{"password": 12345}', '{"password": "***"}'),
        ('{"token" : true, "a": 1}', '{"token" : "***", "a": 1}'),
        ('{"api_key": ["tell", {"a": "]nobody"}], "a": 1}', '{"api_key": "***", "a": 1}'),
        ('{"refresh_token": {"a": "tell-nob', '{"refresh_token": "***"'),
        ('{"client_assertion": "tell-nobody\\', '{"client_assertion": "***"'),
        ('{"a": "/x?api-key=tell-nobody", "b": 1}', '{"a": "/x?api-key=***", "b": 1}'),
        ('{"a": "{\\"token\\": \\"tell-nobody\\"}"}', '{"a": "{\\"token\\": ***}"}'),
        ('{"token_type": "Bearer", "key": "100 %"}', '{"token_type": "Bearer", "key": "100 %"}'),
    ],
)
def test_secret_is_masked_however_its_name_is_written(sent: str, shown: str, small: Team) -> None:
    small.client.post(PAYMENTS, content=sent.encode(), headers={"content-type": "application/json"})
    assert listed(small)[0]["body"] == shown


def test_secrets_in_headers_and_paths_are_masked(small: Team) -> None:
    names = ("X-Api-Key", "X-Auth-Token", "X-Client-Secret", "Cookie", "Set-Cookie")
    headers = dict.fromkeys(names, "tell-nobody")
    referer = "https://example.com/page?code=tell-nobody"
    headers |= {"Referer": referer, "X-Original-URL": "/a?access%5Ftoken=tell-nobody", "X-Other": "seen"}
    small.client.get("/nowhere?Api%5fKey=tell-nobody&b=1", headers=headers)
    (entry,) = listed(small)
    assert "tell-nobody" not in json.dumps(entry)
    assert entry["path"] == "/nowhere?Api%5fKey=***&b=1"
    assert entry["headers"]["referer"] == "https://example.com/page?***"
    assert (entry["headers"]["x-other"], entry["headers"]["x-original-url"]) == (
        "seen",
        "/a?access%5Ftoken=***",
    )


def test_page_that_led_here_is_shown(small: Team) -> None:
    small.client.get("/", headers={"Referer": "https://example.com/page"})
    assert listed(small)[0]["headers"]["referer"] == "https://example.com/page"


def test_header_that_comes_twice_is_shown_as_one(small: Team) -> None:
    small.client.get("/", headers=[("X-A", "1"), ("X-A", "2")])
    assert listed(small)[0]["headers"]["x-a"] == "1, 2"


def test_oldest_is_dropped(small: Team) -> None:
    for number in range(8):
        small.client.get(f"/{number}")
    assert [entry["path"] for entry in listed(small)] == ["/3", "/4", "/5", "/6", "/7"]


def test_bodies_are_cut_and_counted(small: Team) -> None:
    small.client.post(PAYMENTS, json={"Note": "x" * 5000, "LoadNumber": "L" * 5000})
    chunks = iter([b"a" * 200, b"b" * 200, b"c" * 200])
    small.client.post(PAYMENTS, content=chunks, headers={"content-type": "application/json"})
    long, chunked = listed(small)
    assert len(long["body"]) == 300
    assert long["bodySize"] > 10_000
    assert len(long["load"]) == 250
    assert chunked["body"] == "a" * 200 + "b" * 100
    assert chunked["bodySize"] == 600
    assert (len(chunked["response"]) <= 300, chunked["responseSize"] > 0) == (True, True)


def test_slow_response_is_kept_whole(small: Team) -> None:
    small.mock.fail_next(operation="getLoad", status=500, bytesPerSecond=10_000)
    small.read()
    assert json.loads(listed(small)[0]["response"])["status"] == 500


def test_bytes_are_bounded_whatever_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mock_server.journal.MOST_BYTES", 50_000)
    with running(Settings(journal=1000, journal_body=10_000)) as team:
        for _ in range(10):
            team.client.post(PAYMENTS, content=b"x" * 20_000, headers={"content-type": "application/json"})
        kept = team.mock.requests
        assert 2 <= len(kept) <= 4
        assert sum(entry.size for entry in kept) <= 50_000


def test_filters(small: Team) -> None:
    small.pay("R-1")
    small.pay("R-2", "LD-1002")
    small.pay("R-1", "nope")
    small.read("LD-1002")
    assert len(listed(small)) == 4
    assert [entry["load"] for entry in listed(small, operation="getLoad")] == ["LD-1002"]
    assert [entry["load"] for entry in listed(small, status=404)] == ["nope"]
    assert [entry["operation"] for entry in listed(small, load="LD-1002")] == [
        "recordCustomerPayment",
        "getLoad",
    ]
    assert [entry["load"] for entry in listed(small, reference="R-1")] == ["LD-1001", "nope"]
    assert [entry["load"] for entry in listed(small, reference="R-1", status=200)] == ["LD-1001"]
    second = listed(small)[1]["at"]
    assert len(listed(small, since=second)) == 3
    assert listed(small, since="2999-01-01T00:00:00Z") == []
    for wrong in ({"status": "2xx"}, {"since": "yesterday"}):
        assert small.client.get("/_mock/requests", params=wrong).status_code == 400


def test_deleting_empties_it_and_numbers_go_on(small: Team) -> None:
    small.read()
    first = listed(small)[0]["id"]
    assert small.client.delete("/_mock/requests").json() == {"reset": ["requests"]}
    assert listed(small) == []
    small.read()
    assert listed(small)[0]["id"] == first + 1


def test_control_plane_is_not_journalled(small: Team) -> None:
    small.client.get("/_mock/health")
    assert listed(small) == []


def test_journal_that_is_off_says_so() -> None:
    with running(Settings(journal=0)) as team:
        assert team.read().status_code == 200
        response = team.client.get("/_mock/requests")
        assert (response.status_code, response.json()["detail"]) == (409, "The journal is switched off.")
        assert team.client.post("/_mock/reset").status_code == 200


def test_thousands_of_requests_of_100_kb_take_no_more_than_120_mb() -> None:
    """In this process, by what it grows: the tests themselves take a good part of it."""
    before = psutil.Process().memory_info().rss
    with running(Settings(journal=10_000)) as team:
        body = b" " * 100_000
        headers = {"content-type": "application/json"}
        for _ in range(2500):
            team.client.post(PAYMENTS, content=body, headers=headers)
        kept = team.mock.requests
        assert sum(entry.size for entry in kept) <= 32 * 2**20
        assert len(kept) < 2500
    assert psutil.Process().memory_info().rss - before < 120 * 2**20
