"""Fixture files become loads, or one line that says what is wrong with them."""

import gc
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from mock_server.documents import UnreadableDocument, read_document
from mock_server.opening import FixtureError, opening_loads
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import LOADS, PAYABLE, STATUSES, Api, Json, json_of

PAYMENT = "{ReferenceNumber: A, Amount: {Amount: 5.50, Currency: 840}, PaymentDate: '2026-06-01T00:00:00Z'}"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Spec.read(SPEC)


def test_shipped_loads_cover_every_status(spec: Spec) -> None:
    loads = opening_loads(spec, [FIXTURES])
    assert {load.status for load in loads} == set(STATUSES)
    payable = [load for load in loads if load.status in PAYABLE]
    assert any(load.billed is None for load in payable)
    assert any(load.billed and load.billed.currency == 124 for load in payable)
    owed = [
        (load.billed.amount, load.total_paid.amount) for load in payable if load.billed and load.total_paid
    ]
    assert any(paid < billed for billed, paid in owed)
    assert any(paid >= billed for billed, paid in owed)
    assert len({load.customer_id for load in loads}) > 1


def test_shipped_loads_are_read_with_every_field_of_the_schema(shipped: Api) -> None:
    fixtures: Json = read_document(FIXTURES)
    for scenario, fixture in fixtures.items():
        load = shipped.load(fixture["LoadNumber"])
        given = {name: value for name, value in fixture.items() if name != "payments"}
        assert {name: load[name] for name in given} == given, scenario


def test_what_is_left_out_is_filled_plausibly(write: Write, spec: Spec) -> None:
    path = write("x.yaml", "one: {LoadNumber: X-1, Status: Invoiced}")
    with MockServer([path]) as mock:
        load = json_of(httpx2.get(f"{mock.url}{LOADS}?loadNumber=X-1").text)
    schema = spec.schema("Load")
    assert list(load) == list(schema["properties"])
    assert all(load[name] is not None for name in schema["required"])
    assert (load["OrderNumber"], load["CustomerName"], load["payments"]) == ("ORD-X-1", "Sample Shipper", [])
    assert datetime.fromisoformat(load["CreatedAt"]).tzinfo
    assert [stop["Type"] for stop in load["Stops"]] == ["Pickup", "Delivery"]
    again = opening_loads(spec, [path])[0]
    assert again.id == load["Id"]


def test_every_kind_of_file_and_several_of_them(write: Write, spec: Spec) -> None:
    paths = [
        write("a.yaml", "one: {LoadNumber: A, Status: Paid}\ntwo: {LoadNumber: B, Status: Open}"),
        write("b.json", '{"one": {"LoadNumber": "C", "Status": "Paid"}}'),
        write("c.jsonl", '{"LoadNumber": "D", "Status": "Paid"}\n\n{"LoadNumber": "E", "Status": "Paid"}'),
        write("d.yaml", "{}"),
    ]
    assert [load.number for load in opening_loads(spec, paths)] == ["A", "B", "C", "D", "E"]


def lines_of(*numbers: str) -> bytes:
    return "\n".join(f'{{"LoadNumber": "{number}", "Status": "Paid"}}' for number in numbers).encode()


@pytest.mark.parametrize("name", ["x.jsonl", "x.JSONL", "x.ndjson", "x.NdJson"])
def test_lines_may_have_either_suffix_in_any_case_and_a_mark(write: Write, spec: Spec, name: str) -> None:
    path = write(name, lines_of("A", "B").decode().encode("utf-8-sig"))
    assert [load.number for load in opening_loads(spec, [path])] == ["A", "B"]


def test_folder_stands_for_its_fixtures_by_name(write: Write, spec: Spec, tmp_path: Path) -> None:
    write("b.jsonl", lines_of("B"))
    write("a.YML", "one: {LoadNumber: A, Status: Paid}")
    write("c.json", '{"one": {"LoadNumber": "C", "Status": "Paid"}}')
    write("README.md", "Not a fixture.")
    (tmp_path / "d.yaml").mkdir()
    assert [load.number for load in opening_loads(spec, [tmp_path])] == ["A", "B", "C"]
    write("c.json", '{"one": {}}')
    with pytest.raises(FixtureError, match=r"c\.json, scenario one: LoadNumber: "):
        opening_loads(spec, [tmp_path])
    with pytest.raises(FixtureError, match=r"d\.yaml has no fixtures: no file whose name ends with \.yaml, "):
        opening_loads(spec, [tmp_path / "d.yaml"])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (lines_of("A", "B"), ["A", "B"]),
        (b"\n" + lines_of("A"), ["A"]),
        (b'{"one": {"LoadNumber": "A", "Status": "Paid"}}', ["A"]),
        (b"one:\n  LoadNumber: A\n  Status: Paid\n", ["A"]),
        (b"{}", []),
    ],
)
def test_fixtures_come_on_standard_input(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, text: bytes, numbers: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert [load.number for load in opening_loads(spec, [Path("-")])] == numbers


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"one: [", "standard input, line 2, column 1, can't be read: "),
        (b"[]", "standard input must be a mapping: scenario -> load"),
        (b"", "standard input must be a mapping: scenario -> load"),
        (b"one: {}", "standard input, scenario one: LoadNumber: The LoadNumber field is required."),
        (
            lines_of("A", "A"),
            "standard input, line 2: LoadNumber 'A' is already used in standard input, line 1",
        ),
    ],
)
def test_bad_standard_input_is_called_that(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, text: bytes, why: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    with pytest.raises((FixtureError, UnreadableDocument)) as refused:
        opening_loads(spec, [Path("-")])
    assert str(refused.value).startswith(why)


def test_payments_of_a_fixture_are_recorded(write: Write, spec: Spec) -> None:
    other = PAYMENT.replace("A,", "B,", 1).replace("840", "124").replace("06-01", "06-03")
    text = f"one: {{LoadNumber: X, Status: Paid, payments: [{PAYMENT}, {other}]}}"
    (load,) = opening_loads(spec, [write("x.yaml", text)])
    assert load.total_paid == (Decimal("5.50"), 840)
    assert list(load.payments) == ["A", "B"]
    assert load.paid_at == datetime.fromisoformat("2026-06-03T00:00:00Z")
    assert len({payment.id for payment in load.payments.values()}) == 2
    (stated,) = opening_loads(
        spec,
        [write("y.yaml", text.replace("payments:", "totalPaid: {Amount: 5.5, Currency: 840}, payments:"))],
    )
    assert stated.total_paid == load.total_paid


def test_paid_at_of_a_fixture_counts(write: Write) -> None:
    text = f"one: {{LoadNumber: X, Status: Paid, paidAt: '9999-12-31T23:59:59-05:00', payments: [{PAYMENT}]}}"
    path = write("x.yaml", text)
    with MockServer([path]) as mock:
        load = json_of(httpx2.get(f"{mock.url}{LOADS}?loadNumber=X").text)
    assert load["paidAt"] == "9999-12-31T23:59:59.999999Z"


ONE = "one: {LoadNumber: X, Status: Paid"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "x.yaml must be a mapping: scenario -> load"),
        ("", "x.yaml must be a mapping: scenario -> load"),
        ("one: []", "x.yaml, scenario one: A load must be an object."),
        ("one:", "x.yaml, scenario one: A load must be an object."),
        ("one: {LoadNumber: X}", "scenario one: Status: The Status field is required."),
        ("one: {Status: Paid}", "scenario one: LoadNumber: The LoadNumber field is required."),
        ("one: {LoadNumber: ' ', Status: Paid}", "LoadNumber: The LoadNumber field is required."),
        ("one: {LoadNumber: 5, Status: Paid}", "LoadNumber: The LoadNumber field must be a string."),
        ("one: {LoadNumber: X, Status: Invoicd}", "field must be one of: In Review, Open,"),
        (
            ONE + ", Statuss: Paid}",
            "scenario one: Statuss: There is no field Statuss; did you mean Status? The fields are: Id, ",
        ),
        (ONE + ", zzz: 1}", "zzz: There is no field zzz. The fields are: Id, LoadNumber, OrderNumber,"),
        (ONE + ", CustomerRate: 5}", "CustomerRate: The CustomerRate field must be an object."),
        (ONE + ", CustomerRate: {Amount: 5}}", "CustomerRate.Currency: The Currency field is required."),
        (ONE + ", CustomerRate: {Amount: 1e400, Currency: 1}}", "is beyond the range of a double."),
        (ONE + ", CreatedAt: 2026-06-01}", "The CreatedAt field must be a date and time"),
        (ONE + ", CreatedBy: null}", "CreatedBy: The CreatedBy field is required."),
        (ONE + ", Stops: [1]}", "Stops[0]: The Stops field must be an object."),
        (ONE + ", payments: 5}", "payments: The payments field must be an array."),
        (ONE + ", payments: [5]}", "payments[0]: The payments field must be an object."),
        (ONE + ", payments: [{ReferenceNumber: A}]}", "payments[0].Amount: The Amount field is"),
        (
            ONE + ", payments: [{Reference: A}]}",
            "one: payments.Reference: There is no field Reference; did you mean ReferenceNumber?",
        ),
        (
            ONE + f", payments: [{PAYMENT}, {PAYMENT}]}}",
            "payments: Two of them have the same ReferenceNumber.",
        ),
        (
            ONE + f", totalPaid: {{Amount: 5, Currency: 840}}, payments: [{PAYMENT}]}}",
            "totalPaid: The payments add up to 5.50.",
        ),
        (ONE + ", totalPaid: {Amount: 5, Currency: 840}}", "totalPaid: The payments add up to 0."),
        (
            ONE + "}\ntwo: {LoadNumber: X, Status: Paid}",
            "x.yaml, scenario two: LoadNumber 'X' is already used in",
        ),
        (
            ONE + ", Id: a}\ntwo: {LoadNumber: Y, Status: Paid, Id: a}",
            "scenario two: Id 'a' is already used in",
        ),
    ],
)
def test_bad_fixture_is_refused_with_its_place(write: Write, spec: Spec, text: str, why: str) -> None:
    with pytest.raises(FixtureError) as refused:
        opening_loads(spec, [write("x.yaml", text)])
    assert why in str(refused.value)
    assert "x.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_allowed_values_are_all_named(write: Write, spec: Spec) -> None:
    with pytest.raises(FixtureError) as refused:
        opening_loads(spec, [write("x.yaml", "one: {LoadNumber: X, Status: Invoicd}")])
    assert all(status in str(refused.value) for status in STATUSES)


def test_two_files_cannot_share_a_load_number(write: Write, spec: Spec) -> None:
    one, two = write("a.yaml", ONE + "}"), write("b.jsonl", '\n{"LoadNumber": "X", "Status": "Paid"}')
    with pytest.raises(FixtureError) as refused:
        opening_loads(spec, [one, two])
    assert str(refused.value) == f"{two}, line 2: LoadNumber 'X' is already used in {one}, scenario one"


def test_thousands_of_loads_are_opened_from_lines(write: Write, spec: Spec) -> None:
    lines = (json.dumps({"LoadNumber": f"B-{i}", "Status": "Invoiced"}) for i in range(5000))
    assert len(opening_loads(spec, [write("bulk.jsonl", "\n".join(lines))])) == 5000


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_collection_is_left_as_it_was(write: Write, spec: Spec, collects: bool) -> None:  # noqa: FBT001
    (gc.enable if collects else gc.disable)()
    try:
        with pytest.raises(FixtureError):
            opening_loads(spec, [write("x.yaml", "one: {}")])
        assert gc.isenabled() == collects
    finally:
        gc.enable()
