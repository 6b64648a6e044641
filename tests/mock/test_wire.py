"""What the wire shows of a load, and what keeping the text of its payments must not change."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mock_server.decimal_json import encode
from mock_server.domain import Load, Money, Payment
from mock_server.shapes import Picker
from mock_server.wire import LOAD
from tests.mock.api import Api, Json

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)


def load_of(number: str, references: list[str]) -> Load:
    load = Load("1", number, "O", "Invoiced", "C", BEGIN)
    for reference in references:
        load = load.with_payment(Payment(reference, Money(Decimal(1), 840), "2026-07-01T00:00:00Z"), BEGIN)
    return load


def writer() -> Picker:
    write, _ = LOAD.lists["payments"]
    return write(lambda payment: payment.reference)


def written(write: Picker, load: Load) -> Json:
    return json.loads(encode(write(load)))


histories = st.lists(
    st.tuples(st.sampled_from("AB"), st.lists(st.sampled_from("abcd"), max_size=4, unique=True))
)


@given(histories)
def test_kept_text_is_that_of_the_load_whatever_was_written_before(
    history: list[tuple[str, list[str]]],
) -> None:
    write = writer()
    for number, references in history:
        assert written(write, load_of(number, references)) == references


@given(st.lists(st.sampled_from("abcdef"), unique=True))
def test_text_grows_with_the_load(references: list[str]) -> None:
    write = writer()
    load = load_of("A", [])
    for i, reference in enumerate(references):
        before = load
        load = load.with_payment(Payment(reference, Money(Decimal(1), 840), ""), BEGIN)
        assert written(write, load) == references[: i + 1]
        assert written(write, load) == references[: i + 1]
        if i % 2:
            assert written(write, before) == references[:i]


def test_written_payments_are_not_written_again() -> None:
    """A load with thousands of payments would cost as much for each of them."""
    seen: list[str] = []
    write, _ = LOAD.lists["payments"]
    write_list = write(lambda payment: seen.append(payment.reference))
    load = load_of("A", [])
    for reference in ("a", "b", "c"):
        load = load.with_payment(Payment(reference, Money(Decimal(1), 840), ""), BEGIN)
        write_list(load)
        write_list(load)
    assert seen == ["a", "b", "c"]


def test_loads_without_payments_share_one_text() -> None:
    """A hundred thousand of them are listed without a text for each."""
    write = writer()
    assert write(load_of("A", [])) is write(load_of("B", []))


def test_load_with_two_thousand_payments_answers(api: Api) -> None:
    number = api.new_load("Invoiced")
    bodies = [api.payment(number, 0.01) for _ in range(2000)]
    for body in bodies[:-1]:
        assert api.post(body).status_code == 200
    answer = api.pay(number, ReferenceNumber=bodies[-1]["ReferenceNumber"])
    references = [payment["ReferenceNumber"] for payment in answer["CustomerPayments"]]
    assert references == [body["ReferenceNumber"] for body in bodies]
    assert api.load(number)["totalPaid"]["Amount"] == Decimal("20.99")
