"""Every error that a request can meet has its row in one table, or the mock does not start."""

import pytest

from mock_server import domain, problems
from mock_server.domain import LoadNotPayable
from mock_server.ledger import MemoryLedger
from mock_server.problems import ROWS, Row, problem
from mock_server.shipped import SPEC
from mock_server.spec import Spec, SpecError
from tests.mock.api import app_of, json_of


@pytest.mark.parametrize("module", [domain, problems], ids=lambda module: module.__name__)
def test_error_without_a_status_stops_the_start(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    error = type("LoadOverpaid", (Exception,), {"__module__": module.__name__})  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "LoadOverpaid", error, raising=False)
    with pytest.raises(
        SpecError, match=r"^LoadOverpaid has no status: add it to ROWS in mock_server/problems"
    ):
        app_of(Spec.read(SPEC), MemoryLedger([]))


def test_400_without_a_field_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(problems)["ROWS"], LoadNotPayable, Row(ROWS[LoadNotPayable].status))
    with pytest.raises(
        SpecError, match=r"^LoadNotPayable is a 400 without a field: name it in mock_server/p"
    ):
        app_of(Spec.read(SPEC), MemoryLedger([]))


def test_field_of_a_400_comes_from_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(problems)["ROWS"], LoadNotPayable, Row(ROWS[LoadNotPayable].status, "Amount"))
    document = json_of(problem(LoadNotPayable("Open")).body)
    assert document["errors"] == {"Amount": [document["detail"]]}
