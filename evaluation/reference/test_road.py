"""Each condition of a road does what it says, and lets the rest through."""

import time

import httpx2
import pytest

from evaluation.reference.freedoms import COMBINATIONS, WITH_TOKENS, Freedoms
from evaluation.reference.loads import opening_loads
from evaluation.reference.messages import (
    FIRST_TOKEN,
    GET_TOKEN,
    INVOICED,
    Clock,
    Pause,
    Received,
    Sent,
    authorized,
    exchange,
    pay,
    read,
    read_by,
)
from evaluation.reference.road import ROADS, Limit, Road, Travelled
from evaluation.reference.service import Service
from evaluation.reference.serving import serve


def over(
    road: Road, *requests: Sent | Pause, freedoms: Freedoms = COMBINATIONS["as_decided"]
) -> list[Received]:
    clock = Clock()
    service = Service(opening_loads(), freedoms, clock)
    return exchange(Travelled(service, road, clock), requests, clock)


def test_one_request_in_twenty_gets_a_page_of_the_gateway_and_books_nothing() -> None:
    received = over(ROADS["failing"], *[pay(ReferenceNumber=f"R-{n}") for n in range(200)], read())
    failed = [one for one in received if one.status == 502]
    assert 2 <= len(failed) <= 25
    assert {one.media_type for one in failed} == {"text/html"}
    assert received[-1].count("payments") == 200 - len(failed)


def test_same_requests_fail_each_time() -> None:
    requests = [pay(ReferenceNumber=f"R-{n}") for n in range(100)]
    first, second = ([one.status for one in over(ROADS["failing"], *requests)] for _ in range(2))
    assert first == second


def test_second_booking_is_made_although_its_response_is_lost() -> None:
    second = pay(ReferenceNumber="R-2")
    refused = pay(Number=0, ReferenceNumber="R-0")
    received = over(ROADS["losing"], pay(), refused, second, read(), second)
    assert [one.status for one in received] == [200, 400, 502, 200, 200]
    assert received[3].count("payments") == received[4].count() == 2


@pytest.mark.parametrize("status", [401, 403])
def test_revoked_token_is_refused_and_a_new_one_is_taken(status: int) -> None:
    first = authorized(read(), f"Bearer {FIRST_TOKEN}")
    second = authorized(read(), "Bearer Reference-Token-0002")
    road = Road(revokes=ROADS[f"revoking_with_{status}"].revokes, revokes_after=2)
    received = over(road, GET_TOKEN, first, first, first, GET_TOKEN, second, freedoms=WITH_TOKENS)
    assert [one.status for one in received] == [200, 200, status, status, 200, 200]


def test_firewall_refuses_what_is_marked_up_and_lets_the_rest_through_whole() -> None:
    received = over(
        ROADS["behind_a_firewall"], pay(Note="<b>"), read_by(loadNumber="' OR 1=1"), pay(), read()
    )
    assert [one.status for one in received] == [403, 403, 200, 200]
    assert received[0].media_type == "text/html"
    assert received[3].count("payments") == 1


def test_limit_blocks_one_operation_for_a_while_and_says_for_how_long() -> None:
    requests = [read() for _ in range(11)]
    received = over(ROADS["limited"], *requests, pay(), read(), Pause(1), read())
    assert [one.status for one in received] == [200] * 10 + [429, 200, 429, 200]
    assert received[10].headers["retry-after"] == "1"


def test_limit_leaves_a_steady_pace_alone() -> None:
    received = over(Road(limit=Limit(2, 2.0, 1.0)), *[one for _ in range(9) for one in (read(), Pause(1.0))])
    assert {one.status for one in received} == {200}


def test_connection_is_closed_after_each_response() -> None:
    app = Travelled(Service(opening_loads()), ROADS["closing_connections"], time.monotonic)
    query = {"loadNumber": INVOICED}
    with serve(app) as url:
        response = httpx2.get(f"{url}/api/p/v2.0/loads", params=query, trust_env=False)
    assert (response.status_code, response.headers["connection"]) == (200, "close")


def test_latency_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("evaluation.reference.road.asyncio.sleep", sleep)
    over(ROADS["slow"], pay(), read())
    assert waited == [0.4, 0.4]
