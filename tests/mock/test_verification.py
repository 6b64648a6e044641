"""Verification: whether requests came as expected, and what is told if they did not."""

from collections.abc import Iterator

import httpx2
import pytest

from mock_server.problems import InvalidRequest
from mock_server.sandbox import Settings
from tests.mock.api import PAYMENTS, Json, payment_of, problem_of
from tests.mock.team import Team, running

PAYMENT = "recordCustomerPayment"


@pytest.fixture(scope="module")
def served() -> Iterator[Team]:
    with running(Settings(journal=5)) as team:
        yield team


@pytest.fixture
def team(served: Team) -> Team:
    served.mock.reset()
    return served


def told(team: Team, **wanted: object) -> str:
    """What the assertion says that fails."""
    with pytest.raises(AssertionError) as failure:
        team.mock.verify(**wanted)  # type: ignore[arg-type]
    return str(failure.value)


def asked(team: Team, **wanted: object) -> Json:
    response = team.client.post("/_mock/requests/verify", json=wanted)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_requests_are_counted_by_each_condition(team: Team) -> None:
    team.pay("R-1")
    team.pay("R-1")
    team.pay("R-2", "LD-1014")
    team.read()
    for wanted, count in (
        ({"operation": PAYMENT}, 3),
        ({"operation": PAYMENT, "status": 200}, 2),
        ({"load": "LD-1001"}, 3),
        ({"reference": "R-2"}, 1),
        ({"status": 400}, 1),
        ({"body": {"LoadNumber": "LD-1001"}}, 2),
        ({}, 4),
    ):
        assert asked(team, **wanted, exactly=count)["passed"]
        assert asked(team, **wanted, exactly=count + 1) | {"text": ""} == {
            "passed": False,
            "count": count,
            "text": "",
        }


@pytest.mark.parametrize(
    ("bounds", "passes"),
    [
        ({}, True),
        ({"at_least": 2}, True),
        ({"at_least": 3}, False),
        ({"at_most": 2}, True),
        ({"at_most": 1}, False),
        ({"at_least": 1, "at_most": 2}, True),
        ({"exactly": 2}, True),
        ({"exactly": 1}, False),
        ({"exactly": 0}, False),
    ],
)
def test_number_is_exact_or_between_two(bounds: dict[str, int], passes: bool, team: Team) -> None:  # noqa: FBT001
    team.pay()
    team.pay()
    if passes:
        team.mock.verify(operation=PAYMENT, **bounds)  # type: ignore[arg-type]
    else:
        assert "; there were 2, of 2 requests." in told(team, operation=PAYMENT, **bounds)


def test_nothing_is_wanted_at_most_is_nothing(team: Team) -> None:
    team.mock.verify(exactly=0)
    assert told(team) == "Expected at least 1 request with any operation; there were 0, of 0 requests."


def test_nearest_requests_are_told_with_what_differs_and_why(team: Team) -> None:
    team.read()
    team.pay("R-1", "LD-1014")
    team.pay("R-2")
    read, refused, paid = (entry.id for entry in team.mock.requests)
    assert told(team, operation=PAYMENT, load="LD-1014", reference="R-1", status=200, exactly=1) == (
        "Expected exactly 1 request with operation recordCustomerPayment, load LD-1014, reference R-1, "
        "status 200; there were 0, of 3 requests.\n"
        f"  request {refused}, POST {PAYMENTS}: status is 400, not 200 "
        "(R2: The load is Dispatched, which takes no payments.)\n"
        f"  request {paid}, POST {PAYMENTS}: load is LD-1001, not LD-1014; reference is R-2, not R-1 "
        "(R1: The payment was recorded; the load is Invoiced now.)\n"
        f"  request {read}, GET /api/p/v1.0/loads?loadNumber=LD-1001: operation is getLoad, not "
        "recordCustomerPayment; load is LD-1001, not LD-1014; reference is null, not R-1 "
        "(P1: The load has every key that was sent.)"
    )


def test_too_many_requests_are_told_themselves(team: Team) -> None:
    team.pay()
    team.pay()
    text = told(team, reference="R-1", at_most=1)
    first, second = text.splitlines()[1:]
    assert text.startswith("Expected at most 1 request with reference R-1; there were 2, of 2 requests.")
    assert "as expected (R6: A replay of R-1, recorded " in first
    assert second.endswith("as expected (R1: The payment was recorded; the load is Invoiced now.)")


def test_body_may_have_more_fields_and_numbers_count_by_their_value(team: Team) -> None:
    body = payment_of("LD-1001", "R-1", Amount={"Amount": 90.5, "Currency": 840})
    team.client.post(PAYMENTS, json=body)
    team.mock.verify(body={"Amount": {"Amount": 90.50}}, exactly=1)
    assert asked(team, body={"Amount": {"Amount": 90.500, "Currency": 840.0}})["passed"]
    text = told(team, body={"Amount": {"Amount": 7, "Other": [1]}, "Note": "n" * 300})
    assert "body.Amount.Amount is 90.5, not 7; body.Amount.Other is null, not [1]" in text
    assert f"body.Note is null, not {'n' * 180}... (" in text


def test_body_that_is_no_json_is_said_to_be_none(team: Team) -> None:
    team.client.post(PAYMENTS, content=b"{", headers={"content-type": "application/json"})
    assert "body is no JSON, or was cut" in told(team, body={"Note": "x"})
    team.client.post(PAYMENTS, json=[])
    assert 'body is [], not {"Note":"x"}' in told(team, body={"Note": "x"})


def test_credentials_are_not_told(team: Team) -> None:
    team.client.post("/oauth/token", json={"client_secret": "hidden"})
    assert "body.client_secret is ***, not x" in told(team, body={"client_secret": "x"})


def test_what_the_journal_forgot_is_said(team: Team) -> None:
    for _ in range(7):
        team.pay()
    assert "\n2 older requests are no longer in the journal." in told(team, exactly=7)
    team.mock.reset()
    assert "older" not in told(team, exactly=7)


@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        ({"operation": "pay"}, "operation", "The operation field must be one of: recordCustomerPayment, "),
        (
            {"exactly": 1, "atMost": 2},
            "exactly",
            "The exactly field can't be combined with atLeast or atMost.",
        ),
        ({"atLeast": 3, "atMost": 2}, "atMost", "The atMost field must be at least atLeast."),
        ({"exactly": -1}, "exactly", "The exactly field must be at least 0."),
        ({"refrence": "x"}, "refrence", "There is no field refrence; did you mean reference?"),
        ({"body": "x"}, "body", "The body field must be an object."),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: Json, field: str, sentence: str, team: Team) -> None:
    problem = problem_of(team.client.post("/_mock/requests/verify", json=wanted), 400)
    assert problem["errors"][field][0].startswith(sentence)


def test_wrong_operation_is_refused_in_python_too(team: Team) -> None:
    with pytest.raises(InvalidRequest, match="must be one of"):
        team.mock.verify(operation="pay", exactly=0)


def test_without_a_journal_nothing_can_be_verified() -> None:
    with running(Settings(journal=0)) as team:
        response: httpx2.Response = team.client.post("/_mock/requests/verify", json={})
        assert problem_of(response, 409)["detail"] == "The journal is switched off."
