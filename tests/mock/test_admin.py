"""The admin API: what it does, what it refuses, and that its document describes it."""

import json
from collections.abc import Iterator

import httpx2
import pytest
import yaml
from openapi_spec_validator import validate

from mock_server.sandbox import Settings
from mock_server.shipped import ADMIN
from tests.mock.api import LOADS, PAYMENTS, Json, json_of, problem_of
from tests.mock.command import run, serving
from tests.mock.team import Team, running

PARTS = ["loads", "tokens", "limits", "faults", "requests", "clock", "webhooks"]


@pytest.fixture(scope="module")
def limited_mock() -> Iterator[Team]:
    with running(Settings(rate_limit="documented")) as team:
        yield team


@pytest.fixture
def team(limited_mock: Team) -> Team:
    limited_mock.mock.reset()
    return limited_mock


def ask(team: Team, method: str, path: str, body: object = None) -> Json:
    content = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"content-type": "application/json"}
    response = team.client.request(method, f"/_mock/{path}", content=content, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return json_of(response.text)


def refuse(team: Team, status: int, method: str, path: str, body: object = None) -> Json:
    return problem_of(team.client.request(method, f"/_mock/{path}", json=body), status)


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_document_is_served_and_valid(format_: str, team: Team) -> None:
    text = team.client.get(f"/_mock/openapi.{format_}").text
    document = json.loads(text)
    validate(document)
    assert yaml.safe_load(text)["paths"] == document["paths"]
    problem_of(team.client.get("/_mock/openapi.xml"), 404)


def test_shipped_document_is_the_one_that_is_served(team: Team) -> None:
    shipped = yaml.safe_load(ADMIN.read_text())
    served = ask(team, "GET", "openapi.json")
    assert served["paths"].keys() == shipped["paths"].keys()
    assert served["components"]["schemas"]["Fault"].keys() == shipped["components"]["schemas"]["Fault"].keys()


def changed_everything(team: Team) -> str:
    token = team.mock.token()
    team.pay("R-1")
    team.mock.fail_next(status=500)
    for _ in range(6):
        team.read()
    ask(team, "PATCH", "clock", {"frozen": True})
    return token


def state(team: Team) -> dict[str, object]:
    """What each part looks like: True for as it was at the start."""
    return {
        "loads": not team.mock.load("LD-1001")["payments"],
        "limits": team.read().status_code == 200,
        "faults": ask(team, "GET", "faults")["total"] == 0,
        "clock": ask(team, "GET", "clock")["frozen"] is False,
    }


def test_reset_takes_everything_back(team: Team) -> None:
    changed_everything(team)
    assert set(state(team).values()) == {False}
    assert ask(team, "POST", "reset") == {"reset": PARTS}
    assert team.mock.requests == []
    assert set(state(team).values()) == {True}


@pytest.mark.parametrize("part", ["loads", "limits", "faults", "clock"])
def test_each_part_can_be_reset_alone(part: str, team: Team) -> None:
    changed_everything(team)
    assert ask(team, "POST", f"reset/{part}") == {"reset": [part]}
    assert {name for name, reset in state(team).items() if reset} == {part}


def test_requests_and_tokens_can_be_reset_alone() -> None:
    with running(Settings(require_token=True)) as team:
        token = team.mock.token()
        assert team.pay("R-1", access=token).status_code == 200
        ask(team, "POST", "reset/requests")
        assert team.mock.requests == []
        assert team.pay("R-1", access=token).status_code == 200
        ask(team, "POST", "reset/tokens")
        problem_of(team.pay("R-1", access=token), 401)
        assert team.references() == ["R-1"]


def test_unknown_part_cannot_be_reset(team: Team) -> None:
    refuse(team, 404, "POST", "reset/everything")


def test_loads_are_listed_by_status(team: Team) -> None:
    assert ask(team, "GET", "loads")["total"] == 21
    invoiced = ask(team, "GET", "loads?status=Invoiced")
    assert invoiced["total"] == len(invoiced["items"]) == 4
    assert {load["Status"] for load in invoiced["items"]} == {"Invoiced"}
    refuse(team, 400, "GET", "loads?status=Nope")


def test_load_is_added_read_paid_and_removed(team: Team) -> None:
    amount = {"Amount": 120.50, "Currency": 840}
    added = ask(team, "PUT", "loads/X-1", {"Status": "Invoiced", "InvoicedAmount": amount})
    assert (added["LoadNumber"], str(added["InvoicedAmount"]["Amount"])) == ("X-1", "120.5")
    assert added == json_of(team.read("X-1").text) == ask(team, "GET", "loads/X-1")
    assert team.pay("R-1", "X-1").json()["Status"] == "Invoiced"
    assert ask(team, "DELETE", "loads/X-1")["payments"][0]["ReferenceNumber"] == "R-1"
    assert team.read("X-1").status_code == 404
    refuse(team, 404, "DELETE", "loads/X-1")
    refuse(team, 404, "GET", "loads/X-1")


def test_replaced_load_forgets_its_payments_and_old_keys(team: Team) -> None:
    ask(team, "PUT", "loads/LD-1001", {"Status": "Invoiced", "Id": "first", "OrderNumber": "O-1"})
    team.pay("R-1")
    ask(team, "PUT", "loads/LD-1001", {"Status": "Financed", "Id": "second", "OrderNumber": "O-2"})
    assert not team.mock.load("LD-1001")["payments"]
    for key, status in (("id=first", 404), ("orderNumber=O-1", 404), ("id=second", 200)):
        assert team.client.get(f"{LOADS}?{key}").status_code == status
    assert ask(team, "POST", "reset/limits")
    assert team.client.get(f"{LOADS}?orderNumber=O-2").status_code == 200


def test_order_number_that_two_share_finds_the_other_when_one_goes(team: Team) -> None:
    for number in ("A", "B"):
        ask(team, "PUT", f"loads/{number}", {"Status": "Open", "OrderNumber": "shared"})
    ask(team, "DELETE", "loads/A")
    assert team.client.get(f"{LOADS}?orderNumber=shared").json()["LoadNumber"] == "B"
    ask(team, "PUT", "loads/A", {"Status": "Open", "OrderNumber": "shared"})
    ask(team, "DELETE", "loads/A")
    assert team.client.get(f"{LOADS}?orderNumber=shared").json()["LoadNumber"] == "B"


def test_order_number_that_two_share_finds_the_other_when_one_gets_another(team: Team) -> None:
    for number, order in (("A", "shared"), ("B", "shared"), ("A", "own")):
        ask(team, "PUT", f"loads/{number}", {"Status": "Open", "OrderNumber": order})
    for order, number in (("shared", "B"), ("own", "A")):
        assert team.client.get(f"{LOADS}?orderNumber={order}").json()["LoadNumber"] == number


def test_load_number_may_have_slashes_and_spaces(team: Team) -> None:
    ask(team, "PUT", "loads/2026%2F0012 b", {"Status": "Open"})
    assert team.mock.load("2026/0012 b")["Status"] == "Open"
    assert ask(team, "PATCH", "loads/2026%2F0012 b", {"Status": "Invoiced"})["Status"] == "Invoiced"


def test_status_can_be_changed_so_that_a_load_becomes_payable(team: Team) -> None:
    assert team.pay("R-1", "LD-1014").status_code == 400
    assert ask(team, "PATCH", "loads/LD-1014", {"Status": "Invoiced"})["Status"] == "Invoiced"
    assert team.pay("R-1", "LD-1014").status_code == 200
    refuse(team, 404, "PATCH", "loads/nope", {"Status": "Invoiced"})


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({}, "Status", "The Status field is required."),
        ({"Status": "Invoicd"}, "Status", "The Status field must be one of: In Review"),
        (
            {"Status": "Open", "Stauts": 1},
            "Stauts",
            "There is no field Stauts; did you mean Status? The fields are: Id, ",
        ),
        ({"Status": "Open", "LoadNumber": "Y"}, "LoadNumber", "It must be X, or be left out."),
        (["x"], "$", "The request body field must be an object."),
    ],
)
def test_load_that_is_wrong_is_refused(body: object, field: str, sentence: str, team: Team) -> None:
    assert refuse(team, 400, "PUT", "loads/X", body)["errors"][field][0].startswith(sentence)
    assert team.read("X").status_code == 404


def test_id_of_another_load_is_refused(team: Team) -> None:
    identity = ask(team, "GET", "loads/LD-1001")["Id"]
    problem = refuse(team, 409, "PUT", "loads/X", {"Status": "Open", "Id": identity})
    assert problem["detail"] == "The load LD-1001 has this id."


def test_faults_are_listed_and_removed(team: Team) -> None:
    first = ask(team, "POST", "faults", {"status": 500, "every": 2})
    second = ask(team, "POST", "faults", {"drop": "after"})
    assert ask(team, "GET", "faults") == {"total": 2, "items": [first, second]}
    assert (first["applied"], first["fault"]) == (0, {"status": 500, "every": 2})
    assert ask(team, "DELETE", f"faults/{second['id']}") == {"reset": [second["id"]]}
    assert [team.read().status_code for _ in range(2)] == [200, 500]
    assert ask(team, "GET", "faults")["items"][0]["applied"] == 1
    assert ask(team, "DELETE", "faults") == {"reset": ["faults"]}
    assert ask(team, "GET", "faults")["total"] == 0
    refuse(team, 404, "DELETE", "faults/fault-1")


def test_clock_freezes_moves_and_runs_on(team: Team) -> None:
    noon = "2030-01-01T12:00:00Z"
    assert ask(team, "PATCH", "clock", {"at": noon, "frozen": True}) == {"now": noon, "frozen": True}
    team.pay("R-1")
    assert team.mock.load("LD-1001")["paidAt"] == noon
    assert ask(team, "PATCH", "clock", {"move": 90.5})["now"] == "2030-01-01T12:01:30.500000Z"
    assert ask(team, "GET", "clock")["now"] == "2030-01-01T12:01:30.500000Z"
    thawed = ask(team, "PATCH", "clock", {"frozen": False})
    assert thawed["frozen"] is False
    assert "2030-01-01T12:01:30" < thawed["now"] < "2030-01-01T13"
    assert ask(team, "PATCH", "clock", {"move": -3600})["now"] < "2030-01-01T12"
    assert ask(team, "PATCH", "clock", {"frozen": False})["frozen"] is False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"move": 3000000000}, "move"),
        ({"move": 10 * 365 * 86400}, "move"),
        ({"at": "9999-12-31T23:59:59.999999Z"}, "at"),
        ({"at": "9999-01-01T00:00:00Z", "frozen": True}, "at"),
        ({"at": "noon"}, "at"),
        ({"frozen": "yes"}, "frozen"),
        ({"now": 1}, "now"),
    ],
)
def test_clock_refuses_what_is_not_a_time(change: dict[str, object], field: str, team: Team) -> None:
    ask(team, "PATCH", "clock", {"at": "9990-01-01T00:00:00Z"})
    assert field in refuse(team, 400, "PATCH", "clock", change)["errors"]
    assert team.pay().status_code == 200
    assert ask(team, "GET", "requests")["items"][0]["at"].startswith("9990-01-01T00:00:0")


def test_refused_change_of_the_clock_changes_nothing(team: Team) -> None:
    noon = "2030-01-01T12:00:00Z"
    ask(team, "PATCH", "clock", {"at": noon})
    for change in (
        {"at": "9999-01-01T00:00:00Z", "frozen": True},
        {"at": "2040-01-01T00:00:00Z", "move": 1e300},
    ):
        refuse(team, 400, "PATCH", "clock", change)
        clock = ask(team, "GET", "clock")
        assert clock["now"].startswith("2030-01-01T12:")
        assert not clock["frozen"]
    ask(team, "PATCH", "clock", {"at": noon, "frozen": True})
    refuse(team, 400, "PATCH", "clock", {"at": "2040-01-01T00:00:00Z", "move": 1e300, "frozen": False})
    assert ask(team, "GET", "clock") == {"now": noon, "frozen": True}


def test_clock_that_ran_into_the_year_9999_can_be_thawed(team: Team) -> None:
    ask(team, "PATCH", "clock", {"at": "9998-12-31T23:59:59.999999Z"})
    assert ask(team, "PATCH", "clock", {"frozen": True})["now"].startswith("9999-")
    thawed = ask(team, "PATCH", "clock", {"frozen": False})
    assert thawed["now"].startswith("9999-01-01T00:")
    assert thawed["frozen"] is False


@pytest.mark.parametrize("number", ["1e999", "-1E+400", "9" * 400], ids=["1e999", "-1E+400", "digits"])
@pytest.mark.parametrize(
    "load",
    [
        '"Stops": [{"Miles": NUMBER}]',
        '"Notes": [{"Note": "NaN"}], "References": [{"a": [[NUMBER]]}]',
        '"InvoicedAmount": {"Amount": NUMBER, "Currency": 840}',
        '"CustomerRate": {"Amount": 1, "Currency": 840, "More": NUMBER}',
    ],
)
def test_number_beyond_a_double_is_not_stored(number: str, load: str, team: Team) -> None:
    body = f'{{"Status": "Invoiced", {load.replace("NUMBER", number)}}}'
    response = team.client.put("/_mock/loads/X", content=body, headers={"content-type": "application/json"})
    [sentences] = problem_of(response, 400)["errors"].values()
    assert sentences[0].endswith("field is beyond the range of a double.")
    assert team.read("X").status_code == 404


def test_text_that_looks_like_no_number_is_stored(team: Team) -> None:
    load = {"Status": "Invoiced", "Notes": [{"Note": "NaN", "Times": 3, "Done": True}]}
    assert ask(team, "PUT", "loads/X", load)["Notes"] == load["Notes"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", '{"delay": 1e999}'),
        ("POST", "faults", '{"status": 500, "x": 1e999}'),
        ("PATCH", "clock", '{"move": 1e999}'),
        ("PATCH", "loads/LD-1001", '{"Status": 1e999}'),
    ],
)
def test_number_beyond_a_double_is_refused(method: str, path: str, body: str, team: Team) -> None:
    response = team.client.request(
        method, f"/_mock/{path}", content=body, headers={"content-type": "application/json"}
    )
    problem_of(response, 400)


def test_errors_of_the_admin_api_are_problems(team: Team) -> None:
    refuse(team, 404, "GET", "nowhere")
    assert refuse(team, 405, "PUT", "reset")["detail"] == "PUT is not allowed here, only POST."
    problem_of(
        team.client.post("/_mock/faults", content=b"{", headers={"content-type": "application/json"}), 400
    )
    problem_of(team.client.post("/_mock/faults", data={"status": "500"}), 415)


def test_admin_api_needs_no_token_and_is_not_limited() -> None:
    with running(Settings(require_token=True, rate_limit="1/minute")) as team:
        assert {team.client.get("/_mock/clock").status_code for _ in range(5)} == {200}


def test_admin_api_can_be_switched_off() -> None:
    with running(Settings(admin=False)) as team:
        for path in ("clock", "openapi.json", "reset"):
            assert team.client.get(f"/_mock/{path}").status_code == 404
        assert team.client.post("/_mock/reset").status_code == 404
        assert team.read().status_code == 200


def test_admin_api_on_a_port_of_its_own_is_nowhere_else() -> None:
    with serving("--port", "0", "--admin-port", "0") as running_mock:
        admin = running_mock.greeting.split("Admin API: ")[1].split("/_mock/")[0]
        assert admin != running_mock.url
        assert httpx2.get(f"{admin}/_mock/health").status_code == 200
        assert httpx2.get(f"{running_mock.url}/_mock/health").status_code == 404
        assert httpx2.get(f"{admin}{LOADS}?loadNumber=LD-1001").status_code == 404
        assert httpx2.get(f"{running_mock.url}{LOADS}?loadNumber=LD-1001").status_code == 200


def test_greeting_says_nothing_of_what_is_off() -> None:
    with serving("--port", "0", "--no-admin") as mock:
        assert "Admin API" not in mock.greeting
        assert "no access token is needed" in mock.greeting
        assert httpx2.get(f"{mock.url}/_mock/clock").status_code == 404


def test_greeting_says_what_is_switched_on() -> None:
    options = (
        "--require-token",
        "--rate-limit",
        "documented",
        "--fault",
        "every=2,operation=getLoad,status=503",
    )
    client = (
        "--client",
        "me:geheim:load:read",
        "--token-lifetime",
        "60",
        "--journal",
        "3",
        "--journal-body",
        "9",
    )
    with serving("--port", "0", *options, *client) as mock:
        for printed in (
            "an access token is required",
            "Client: me, secret geheim, scopes load:read",
            "Rate limit: documented",
            "Fault: every=2,operation=getLoad,status=503",
            "Authorization: Bearer $TOKEN",
            f"{mock.url}/_mock/health",
        ):
            assert printed in mock.greeting
        asked = {"client_id": "me", "client_secret": "geheim", "grant_type": "client_credentials"}
        audience = {"audience": "https://api.alvys.com/public/"}
        issued = httpx2.post(f"{mock.url}/oauth/token", json={**asked, **audience}).json()
        assert issued["expires_in"] == 60
        header = {"Authorization": f"Bearer {issued['access_token']}"}
        got = [
            httpx2.get(f"{mock.url}{LOADS}?loadNumber=LD-1001", headers=header).status_code for _ in range(2)
        ]
        assert got == [200, 503]
        assert httpx2.post(f"{mock.url}{PAYMENTS}", headers=header, json={}).status_code == 403
        entries = httpx2.get(f"{mock.url}/_mock/requests").json()["items"]
        assert [len(entry["response"]) for entry in entries] == [9, 9, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--fault", "drop=never"),
            "Error: fault 'drop=never': drop: The drop field must be one of: before, after.\n",
        ),
        (("--rate-limit", "many"), "Error: rate limit: 'many' is not a rate; write it as"),
        (("--client", "a:b"), "'a:b' is not a client; write it as ID:SECRET:SCOPE,SCOPE"),
        (("--no-admin", "--admin-port", "0"), "--no-admin and --admin-port can't be combined."),
    ],
)
def test_option_that_makes_no_sense_is_one_clear_line(options: tuple[str, ...], message: str) -> None:
    done = run("--port", "0", *options)
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_field_in_other_case_is_one_that_there_is_not() -> None:
    """No profile changes how the admin API reads names."""
    with running() as team:
        response = team.client.patch("/_mock/loads/LD-1001", json={"status": "Paid"})
        assert problem_of(response, 400)["errors"] == {
            "status": ["There is no field status; did you mean Status? The fields are: Status."],
            "Status": ["The Status field is required."],
        }
