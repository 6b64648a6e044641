"""A failure as a picture: request, response and read-back, with what differs marked."""

import json
from dataclasses import replace
from typing import Any

import pytest

from contract_tests.report.picture import Step, picture
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.findings import Failure
from contract_tests.rules.values import parse_json
from tests.suite.counting_server import PAYMENTS

SENT = {
    "LoadNumber": "LD-1",
    "Amount": {"Amount": 0.29, "Currency": 840},
    "PaymentDate": "2026-07-01T00:00:00Z",
    "ReferenceNumber": "ct-1",
}
RECORDED = {
    "Id": "id-1",
    "Amount": {"Amount": 0.29, "Currency": 840},
    "PaymentDate": "2026-07-01",
    "ReferenceNumber": "ct-1",
}
OTHER = {"Id": "id-0", "Amount": {"Amount": 5, "Currency": 840}, "ReferenceNumber": "ct-0"}
LOAD = {"Id": "of-the-load", "LoadNumber": "LD-1", "Status": "Invoiced", "totalPaid": {"Amount": 0.29}}


def exchanged(method: str, sent: object, status: int, shown: object) -> Exchange:
    content = None if sent is None else json.dumps(sent).encode()
    request = Request(method, PAYMENTS if sent else "/loads", content=content)
    return Exchange(request, Response(status, {}, json.dumps(shown).encode()), "2026-07-01T00:00:00Z", 0.01)


def paid(*payments: object, status: int = 200) -> Exchange:
    shown = {"LoadNumber": "LD-1", "Status": "Invoiced", "CustomerPayments": payments}
    return exchanged("POST", SENT, status, shown)


def read(*payments: object, **fields: Any) -> Exchange:
    return exchanged("GET", None, 200, {**LOAD, **fields, "payments": payments})


def drawn(
    *exchanges: Exchange, after: Exchange | None = None, expected: str = "x", got: str = "y"
) -> tuple[Step, ...]:
    return picture(Failure("D2", expected, got, exchanges, after))


def notes(steps: tuple[Step, ...]) -> list[tuple[str, str, str, str]]:
    return [(step.title, one.name, one.value, one.note) for step in steps for one in step.facts if one.note]


def test_a_payment_that_is_kept_as_it_was_sent_has_no_mark() -> None:
    steps = drawn(paid(OTHER, RECORDED), after=read(OTHER, RECORDED))
    assert [step.title for step in steps] == ["Request", "Response", "Read-back"]
    assert notes(steps) == []
    assert ("Id", "id-1") in [(one.name, one.value) for one in steps[2].facts], "of the payment, not the load"


def test_a_field_of_the_response_that_differs_from_the_request_is_marked() -> None:
    steps = drawn(paid(OTHER, RECORDED | {"Amount": {"Amount": 29, "Currency": 840}}))
    assert notes(steps) == [("Response", "Amount.Amount", "29", "request: 0.29")]


def test_a_field_of_the_read_back_that_differs_from_the_response_is_marked() -> None:
    steps = drawn(paid(RECORDED), after=read(RECORDED | {"Note": "n"}, Status="Completed"))
    assert notes(steps) == [("Read-back", "Status", "Completed", "response: Invoiced")]


def test_a_payment_that_the_load_does_not_show_is_marked() -> None:
    steps = drawn(paid(RECORDED), after=read(OTHER))
    assert notes(steps) == [("Read-back", "payments", "without this payment", "the response shows it")]


def test_the_field_that_the_failure_names_is_marked() -> None:
    after = read(RECORDED, totalPaid={"Amount": 0, "Currency": 840})
    steps = drawn(paid(RECORDED), after=after, expected="totalPaid 0.29")
    assert notes(steps) == [("Read-back", "totalPaid.Amount", "0", "expected 0.29")]


def test_a_status_that_is_not_the_expected_one_is_marked() -> None:
    step = drawn(paid(RECORDED), expected="400 and a sentence")[1]
    assert (step.line, step.note) == ("200 · 10 ms", "expected 400")
    assert drawn(paid(status=400), expected="400 and a sentence")[1].note == ""


def test_the_read_may_be_what_shows_the_failure() -> None:
    steps = drawn(paid(RECORDED), read(OTHER))
    assert [step.line.split()[0] for step in steps] == ["POST", "200", "200"]
    assert [step.title for step in drawn(read(RECORDED))] == ["Request", "Response"]


def test_a_payment_of_july_is_found_in_the_load_by_its_id() -> None:
    response = exchanged("POST", SENT, 200, {"Id": "id-1", "LoadNumber": "LD-1", "Status": "Invoiced"})
    after = read({"Id": "id-1", "Amount": {"Amount": 1, "Currency": 840}, "PaidAt": "2026-07-02"})
    assert notes(drawn(response, after=after)) == [("Read-back", "Amount.Amount", "1", "request: 0.29")]


def test_a_replay_is_compared_with_its_original_and_not_with_its_request() -> None:
    original = {**RECORDED, "Amount": {"Amount": 0.1, "Currency": 840}, "CheckNumber": "7"}
    changed = exchanged("POST", {**SENT, "CheckNumber": "8"}, 200, paid().response.document)
    response = paid({**original, "Amount": RECORDED["Amount"]}).response
    exchange = replace(changed, response=response)
    steps = picture(
        Failure("R6", "x", "y", (exchange,), original=parse_json(json.dumps(original).encode()).document)
    )
    assert [step.title for step in steps] == ["Original", "Request", "Response"]
    assert notes(steps) == [("Response", "Amount.Amount", "0.29", "original: 0.1")]


def test_no_exchange_is_no_picture() -> None:
    assert drawn() == ()


@pytest.mark.parametrize(
    "shown",
    [
        b"",
        b"<html>",
        b"[1]",
        b'{"a": [1, {"b": true}, "\\u001b"], "\\u202e": null, "payments": 7, "CustomerPayments": [1]}',
        b'{"a":' * 190 + b"1" + b"}" * 190,
        b'{"Amount": {"Amount": 1e999999}, "LoadNumber": "' + b"x" * 100_000 + b'"}',
    ],
    ids=["nothing", "HTML", "list", "odd", "deep", "long"],
)
def test_whatever_is_exchanged_can_be_drawn(shown: bytes) -> None:
    odd = Exchange(Request("POST", PAYMENTS, content=shown), Response(0, {}, shown), "", 0.0)
    steps = drawn(odd, after=odd)
    texts = [text for step in steps for one in step.facts for text in (one.name, one.value, one.note)]
    assert all(len(text) < 200 and text.isprintable() for text in texts)
    assert steps[1].line == "no response · 0 ms"
