"""R1 to R8, a request or two for each: what a mock does whatever its answers are."""

from decimal import Decimal

from tests.mock.api import PAYABLE, Json, json_of
from tests.mock.probes import NO_REFERENCE, NOT_PAYABLE, NOT_POSITIVE, Probe, says, shown


def keep_the_rules(probe: Probe) -> None:
    for status in PAYABLE:
        _paying_is_recorded(probe, status)
    closed = _new_load(probe, "Delivered")
    gated = probe.pay(closed)
    assert gated.status_code == 400
    assert says(gated, NOT_PAYABLE)
    assert probe.pay("there is none").status_code == 404
    for fields, sentence in (
        ({"amount": 0}, NOT_POSITIVE),
        ({"amount": -0.0001}, NOT_POSITIVE),
        ({"ReferenceNumber": ""}, NO_REFERENCE),
    ):
        refused = probe.pay(_new_load(probe), **fields)
        assert refused.status_code == 400
        assert says(refused, sentence)
    _repeating_records_nothing(probe)


def _paying_is_recorded(probe: Probe, status: str) -> None:
    number = _new_load(probe, status)
    response = probe.pay(number, 12.5)
    (payment,) = shown(response)
    assert response.headers["content-type"] == "application/json"
    assert payment["Amount"] == {"Amount": Decimal("12.5"), "Currency": 840}
    load = _load(probe, number)
    assert load["paidat"]
    assert load["totalpaid"] == payment["Amount"]
    assert [each["Id"] for each in load["payments"]] == [payment["Id"]]


def _repeating_records_nothing(probe: Probe) -> None:
    number = _new_load(probe)
    body = probe.body(number)
    first = probe.post(body)
    probe.pay(_new_load(probe))
    (again,) = shown(probe.post(body))
    assert again["Id"] == shown(first)[0]["Id"]
    assert len(_load(probe, number)["payments"]) == 1


def _new_load(probe: Probe, status: str = "Invoiced") -> str:
    number = f"RULE-{next(probe.numbers)}"
    billed = {"Amount": 1000, "Currency": 840}
    response = probe.client.put(f"/_mock/loads/{number}", json={"Status": status, "InvoicedAmount": billed})
    assert response.status_code == 200, response.text
    return number


def _load(probe: Probe, number: str) -> Json:
    """The load, once every read shows what was recorded; its names in lowercase."""
    probe.client.patch("/_mock/clock", json={"move": 30})
    response = probe.get(loadNumber=number)
    assert response.headers["content-type"] == "application/json"
    return {name.lower(): value for name, value in json_of(response.text).items()}
