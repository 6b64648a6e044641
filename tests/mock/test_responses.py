"""The document decides which fields a response has and how their names are written."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.decimal_json import encode
from mock_server.domain import Load, Money, Payment
from mock_server.responses import Fields, PaymentsWriter, compile_response, many, one
from mock_server.spec import Spec, SpecError
from mock_server.testing import MockServer
from tests.mock.api import Api, Json
from tests.mock.test_spec import document

SPEC = Spec({"paths": {}}, "spec")
Thing = Mapping[str, Any]
PRICE = Fields[tuple[int, int]]({"amount": lambda money: money[0], "currency": lambda money: money[1]})
THING = Fields[Thing](
    {
        "name": lambda thing: thing["name"],
        "price": one(lambda thing: thing["price"], PRICE),
        "parts": many(lambda thing: thing["parts"], PRICE),
    }
)
DETAILED = Fields[Thing]({}, details=lambda thing: thing)
OBJECT: dict[str, Json] = {"type": "object"}
MONEY_SCHEMA: dict[str, Json] = {"type": "object", "properties": {"Currency": {}, "AMOUNT": {}}}


def test_schema_picks_the_fields_and_their_spelling() -> None:
    schema = {
        "properties": {
            "NAME": {},
            "price": {"anyOf": [{"type": "null"}, MONEY_SCHEMA]},
            "Parts": {"items": MONEY_SCHEMA},
            "Unknown": {},
        }
    }
    write = compile_response(SPEC, schema, THING, "here")
    thing = {"name": "x", "price": (1, 840), "parts": [(2, 124)]}
    expected = {
        "NAME": "x",
        "price": {"Currency": 840, "AMOUNT": 1},
        "Parts": [{"Currency": 124, "AMOUNT": 2}],
    }
    assert write(thing) == expected
    assert write({**thing, "price": None}) == {**expected, "price": None}


def test_details_are_found_by_their_exact_names_or_filled_by_an_example() -> None:
    schema = {"properties": {"A": {}, "a": {}, "b": {"examples": [5]}}, "required": ["a", "b"]}
    write = compile_response(SPEC, schema, DETAILED, "here")
    assert write({"A": 1}) == {"A": 1, "a": None, "b": 5}


@pytest.mark.parametrize("fields", [THING, DETAILED], ids=["without details", "with details"])
@pytest.mark.parametrize(
    "field", [{"type": "string"}, {"type": "integer", "examples": ["5"]}, {"anyOf": [MONEY_SCHEMA, OBJECT]}]
)
def test_required_field_that_nothing_fills_is_refused(fields: Fields[Thing], field: Json) -> None:
    schema = {"properties": {"More": field}, "required": ["More"]}
    with pytest.raises(SpecError, match="spec: here requires More, which nothing fills"):
        compile_response(SPEC, schema, fields, "here")


@pytest.mark.parametrize("field", [{"type": ["string", "null"]}, {"type": "string", "examples": ["x"]}])
def test_required_detail_may_be_null_or_an_example(field: Json) -> None:
    schema = {"properties": {"More": field}, "required": ["More"]}
    assert compile_response(SPEC, schema, DETAILED, "here")({})["More"] in (None, "x")  # type: ignore[index]


@pytest.fixture
def revised(tmp_path: Path) -> Iterator[Api]:
    """A mock whose document has the response of the vendor's own of July 2026, in other letters."""
    spec = document()
    schemas = spec["components"]["schemas"]
    schemas["CustomerPaymentResponse"] = {
        "type": "object",
        "required": ["Id", "LoadNumber", "Status", "TotalPaid"],
        "properties": {
            "Id": {"type": "string"},
            "LoadNumber": {"type": "string"},
            "Status": {"type": "string"},
            "TotalPaid": {"$ref": "#/components/schemas/OptionalMoney"},
        },
    }
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(spec))
    with MockServer(spec=path) as mock, httpx2.Client(base_url=mock.url) as client:
        yield Api(client, {})


def test_another_document_changes_the_wire_without_code(revised: Api) -> None:
    response = revised.pay("LD-1002")
    assert response == {
        "Id": revised.load("LD-1002")["payments"][-1]["Id"],
        "LoadNumber": "LD-1002",
        "Status": "Invoiced",
        "TotalPaid": {"Amount": Decimal("1001.25"), "Currency": 840},
    }


BEGIN = datetime(2026, 7, 1, tzinfo=UTC)


def load_of(number: str, references: list[str]) -> Load:
    load = Load("1", number, "O", "Invoiced", "C", BEGIN)
    for reference in references:
        load = load.with_payment(Payment(reference, Money(Decimal(1), 840), "2026-07-01T00:00:00Z"), BEGIN)
    return load


def writer() -> PaymentsWriter:
    return PaymentsWriter(lambda payment: payment.reference)


def written(write: PaymentsWriter, load: Load) -> Json:
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
    write_list = PaymentsWriter(lambda payment: seen.append(payment.reference))
    load = load_of("A", [])
    for reference in ("a", "b", "c"):
        load = load.with_payment(Payment(reference, Money(Decimal(1), 840), ""), BEGIN)
        write_list(load)
        write_list(load)
    assert seen == ["a", "b", "c"]


def test_text_of_a_load_as_it_was_is_written_again() -> None:
    write = writer()
    before = load_of("A", ["a"]).with_payment(Payment("b", Money(Decimal(1), 840), ""), BEGIN)
    after = before.with_payment(Payment("c", Money(Decimal(1), 840), ""), BEGIN)
    assert written(write, after) == ["a", "b", "c"]
    assert written(write, before) == ["a", "b"]
    assert written(write, after) == ["a", "b", "c"]


def test_text_stays_what_it_is_for_who_has_it_still() -> None:
    write = writer()
    load = load_of("A", ["a"]).with_payment(Payment("b", Money(Decimal(1), 840), ""), BEGIN)
    text = write(load)
    assert written(write, load.with_payment(Payment("c", Money(Decimal(1), 840), ""), BEGIN)) == [
        "a",
        "b",
        "c",
    ]
    assert encode(text) == b'["a","b"]'


def test_loads_without_payments_share_one_text() -> None:
    """A hundred thousand of them are listed without a text for each."""
    write = writer()
    assert write(load_of("A", [])) is write(load_of("B", []))


def test_load_with_two_thousand_payments_is_served(api: Api) -> None:
    number = api.new_load("Invoiced")
    bodies = [api.payment(number, 0.01) for _ in range(2000)]
    for body in bodies[:-1]:
        assert api.post(body).status_code == 200
    response = api.pay(number, ReferenceNumber=bodies[-1]["ReferenceNumber"])
    references = [payment["ReferenceNumber"] for payment in response["CustomerPayments"]]
    assert references == [body["ReferenceNumber"] for body in bodies]
    assert api.load(number)["totalPaid"]["Amount"] == Decimal("20.99")
