"""The document decides which members an answer has, and how they are written."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from mock_server.shapes import Facts, compile_shape
from mock_server.spec import Spec, SpecError
from mock_server.testing import MockServer
from tests.mock.api import Api, Json
from tests.mock.test_spec import document

SPEC = Spec({"paths": {}}, "spec")
MONEY = Facts(plain={"amount": lambda money: money[0], "currency": lambda money: money[1]})
THING = Facts(
    plain={"name": lambda thing: thing["name"]},
    things={"price": (lambda thing: thing["price"], MONEY)},
    lists={"parts": (lambda pick: lambda thing: [pick(part) for part in thing["parts"]], MONEY)},
)
MONEY_SCHEMA: dict[str, Json] = {"properties": {"Currency": {}, "AMOUNT": {}}}


def test_schema_picks_the_members_and_their_spelling() -> None:
    schema = {
        "properties": {
            "NAME": {},
            "price": {"anyOf": [{"type": "null"}, MONEY_SCHEMA]},
            "Parts": {"items": MONEY_SCHEMA},
            "Unknown": {},
        }
    }
    pick = compile_shape(SPEC, schema, THING, "here")
    thing = {"name": "x", "price": (1, 840), "parts": [(2, 124)]}
    expected = {
        "NAME": "x",
        "price": {"Currency": 840, "AMOUNT": 1},
        "Parts": [{"Currency": 124, "AMOUNT": 2}],
    }
    assert pick(thing) == expected
    assert pick({**thing, "price": None}) == {**expected, "price": None}


def test_rest_finds_every_other_member_by_its_exact_name() -> None:
    facts = Facts(rest=lambda name, _example: lambda thing: thing.get(name))
    pick = compile_shape(SPEC, {"properties": {"A": {}, "a": {}}, "required": ["a"]}, facts, "here")
    assert pick({"A": 1}) == {"A": 1, "a": None}


def test_required_member_that_nothing_fills_is_refused() -> None:
    with pytest.raises(SpecError, match="spec: here requires More, which nothing fills"):
        compile_shape(SPEC, {"properties": {"More": {}}, "required": ["More"]}, THING, "here")


@pytest.fixture
def revised(tmp_path: Path) -> Iterator[Api]:
    """A mock whose document answers what the vendor's own of July 2026 does, in other letters."""
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
    load = revised.load("LD-1002")
    assert revised.pay("LD-1002") == {
        "Id": load["Id"],
        "LoadNumber": "LD-1002",
        "Status": "Invoiced",
        "TotalPaid": {"Amount": Decimal("1001.25"), "Currency": 840},
    }
