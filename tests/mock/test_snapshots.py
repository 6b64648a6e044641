"""Snapshots: all loads and their payments, as a fixtures file that brings them back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from mock_server.decimal_json import NotJson
from mock_server.domain import Load
from mock_server.ledger import LoadFilter
from mock_server.opening import Filler, fixture_of, opening_loads
from mock_server.problems import InvalidRequest
from mock_server.sandbox import Settings
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer
from tests.mock.api import PAYMENTS, Json, payment_of, problem_of
from tests.mock.team import Team, running

SNAPSHOT = "/_mock/snapshot"


@pytest.fixture(scope="module")
def served() -> Iterator[Team]:
    with running() as team:
        yield team


@pytest.fixture
def team(served: Team) -> Team:
    served.mock.reset()
    return served


def loads_of(team: Team) -> list[Json]:
    return list(team.client.get("/_mock/loads").json()["items"])


def pay_some(team: Team) -> None:
    """Payments with all that a payment may have, some minutes apart."""
    team.mock.freeze_clock(datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC))
    more: Json = {"InvoiceNumber": "I-1", "PaymentMethod": "Check", "CheckNumber": "7", "Note": "Größe"}
    team.client.post(
        PAYMENTS, json=payment_of("LD-1001", "R-1", Amount={"Amount": 0.1, "Currency": 0}, **more)
    )
    team.mock.move_clock(60)
    team.client.post(PAYMENTS, json=payment_of("LD-1001", "R-2", Amount={"Amount": 2000, "Currency": 840}))
    team.client.post(PAYMENTS, json=payment_of("LD-1003", "R-1", Amount={"Amount": 5, "Currency": 840}))


def test_shipped_loads_are_the_same_after_a_snapshot() -> None:
    spec = Spec.read(SPEC)
    loads, filler = opening_loads(spec, [FIXTURES]), Filler(spec)
    assert [filler.load(fixture_of(load)) for load in loads] == loads


@pytest.mark.parametrize("revision", ["page", "2026-07"])
def test_restored_loads_are_what_they_were_to_the_last_field(revision: str) -> None:
    async def kept(team: Team) -> list[Load]:
        return await team.mock.admin.ledger.search(LoadFilter())

    with running(Settings(revision=revision)) as team:
        pay_some(team)
        before = team.mock._do(kept(team))  # noqa: SLF001 - what the API does not show is restored too
        snapshot = team.mock.snapshot()
        team.mock.reset()
        team.mock.restore(snapshot)
        assert team.mock._do(kept(team)) == before  # noqa: SLF001
        assert team.mock.snapshot() == snapshot


def test_snapshot_is_taken_and_put_back_over_http(team: Team) -> None:
    pay_some(team)
    before, snapshot = loads_of(team), team.client.get(SNAPSHOT)
    team.client.delete("/_mock/loads/LD-1001")
    team.mock.add_load("X-1")
    assert team.client.put(SNAPSHOT, json=snapshot.json()).json() == {"reset": ["loads"]}
    assert loads_of(team) == before
    assert team.read("X-1").status_code == 404


def test_payments_can_go_on_after_a_restore_and_replays_are_known(team: Team) -> None:
    team.pay("R-1")
    team.mock.restore(team.mock.snapshot())
    team.pay("R-1")
    team.pay("R-2")
    assert team.references() == ["R-1", "R-2"]


def test_reset_goes_back_to_the_start_after_a_restore(team: Team) -> None:
    before = loads_of(team)
    team.mock.restore('{"a": {"LoadNumber": "A-1", "Status": "Invoiced"}}')
    assert [load["LoadNumber"] for load in loads_of(team)] == ["A-1"]
    team.mock.reset()
    assert loads_of(team) == before


def test_saved_snapshot_is_a_fixtures_file(team: Team, tmp_path: Path) -> None:
    pay_some(team)
    path = tmp_path / "loads.json"
    path.write_text(team.mock.snapshot(), "utf-8")
    with MockServer([path]) as other:
        assert other.snapshot() == team.mock.snapshot()
        assert other.load("LD-1001")["totalPaid"] == {"Amount": Decimal("2000.1"), "Currency": 840}


def test_time_of_a_payment_in_a_fixture_is_its_own(team: Team) -> None:
    payment = {
        "ReferenceNumber": "R-1",
        "Amount": {"Amount": 5, "Currency": 840},
        "PaymentDate": "2026-06-01T00:00:00Z",
        "PaidAt": "2026-06-02T08:00:00Z",
    }
    team.mock.add_load("X-1", payments=[payment])
    assert team.mock.load("X-1")["paidAt"] == "2026-06-02T08:00:00Z"
    with pytest.raises(InvalidRequest, match="PaidAt"):
        team.mock.add_load("X-1", payments=[{**payment, "PaidAt": "yesterday"}])


@pytest.mark.parametrize(
    ("snapshot", "sentence"),
    [
        ({"a": {"LoadNumber": "A-1"}}, "snapshot, scenario a: Status: The Status field is required."),
        ({"a": 1}, "snapshot, scenario a: A load must be an object."),
        (
            {"a": {"LoadNumber": "A-1", "Status": "Open"}, "b": {"LoadNumber": "A-1", "Status": "Open"}},
            "snapshot, scenario b: LoadNumber 'A-1' is already used in snapshot, scenario a",
        ),
    ],
)
def test_what_is_no_snapshot_changes_nothing(snapshot: object, sentence: str, team: Team) -> None:
    before = loads_of(team)
    problem = problem_of(team.client.put(SNAPSHOT, json=snapshot), 400)
    assert problem["detail"] == sentence
    with pytest.raises(InvalidRequest) as refused:
        team.mock.restore(json.dumps(snapshot))
    assert str(refused.value) == sentence
    with pytest.raises(InvalidRequest, match="snapshot must be a mapping: scenario -> load"):
        team.mock.restore("[]")
    with pytest.raises(NotJson):
        team.mock.restore("{")
    assert loads_of(team) == before
