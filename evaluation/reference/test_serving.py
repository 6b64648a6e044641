"""The reference implementation itself, where neither the witnesses nor the harness look."""

import json

import httpx2
import pytest

from evaluation.reference.freedoms import Freedoms
from evaluation.reference.loads import opening_loads
from evaluation.reference.messages import MEDIA_TYPE, PAYMENTS, exchange, pay, read
from evaluation.reference.service import Service
from evaluation.reference.serving import serve


def test_server_answers_until_the_block_ends() -> None:
    body = json.loads(pay().content)
    with serve(Service(opening_loads())) as url:
        response = httpx2.post(
            f"{url}{PAYMENTS}", json=body, headers={"content-type": MEDIA_TYPE}, trust_env=False
        )
    assert response.status_code == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url, trust_env=False)


@pytest.mark.parametrize(
    ("freedoms", "date"),
    [
        (Freedoms(payment_date="utc_z"), "2026-07-02T05:15:10.25Z"),
        (Freedoms(payment_date="utc_offset"), "2026-07-02T05:15:10.25+00:00"),
        (Freedoms(payment_date="utc_fraction"), "2026-07-02T05:15:10.2500000Z"),
    ],
)
def test_date_is_shown_as_the_switch_says(freedoms: Freedoms, date: str) -> None:
    (response,) = exchange(
        Service(opening_loads(), freedoms), [pay(PaymentDate="2026-07-01T23:45:10.25-05:30")]
    )
    assert response.paid(0, "PaymentDate") == date


def test_paid_load_closes_before_the_replay_if_the_switches_say_so() -> None:
    closing = Freedoms(status_after="paid_when_paid", gate_before_replay=True)
    paid, replay, load = exchange(
        Service(opening_loads(), closing), [pay(Number=1850), pay(Number=1850), read()]
    )
    assert (paid.status, replay.status, load.at("Status")) == (200, 400, "Paid")


def test_services_share_no_loads() -> None:
    loads = opening_loads()
    exchange(Service(loads), [pay()])
    assert exchange(Service(loads), [read()])[0].at("payments") is None
