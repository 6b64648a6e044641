"""Web pages of other origins that call the API, as browsers do it: with a preflight, and with none."""

from collections.abc import Iterator

import httpx2
import pytest

from mock_server.sandbox import Settings, UnusableSetting
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, SEARCH, problem_of
from tests.mock.command import run, serving
from tests.mock.team import CREDENTIALS, OAUTH, Team, running

ONE, TWO, OTHER = "http://localhost:3000", "https://console.example", "https://evil.example"
ALLOWED = "access-control-allow-origin"


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    settings = Settings(cors=(f"{ONE}, {TWO.upper()}",), require_token=True, rate_limit="1/minute")
    with running(settings) as it:
        yield it


@pytest.fixture
def limited(team: Team) -> Team:
    team.mock.reset()
    return team


def preflight(team: Team, path: str, method: str, origin: str = ONE, **more: str) -> httpx2.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, **more}
    return team.client.options(path, headers=headers)


@pytest.mark.parametrize("origin", [ONE, TWO])
@pytest.mark.parametrize(
    ("path", "method"), [(PAYMENTS, "POST"), (LOADS, "GET"), (SEARCH, "POST"), (OAUTH, "POST")]
)
def test_preflight_says_what_a_page_may_send(limited: Team, path: str, method: str, origin: str) -> None:
    asked = {"Access-Control-Request-Headers": "authorization, content-type, x-mine"}
    for _ in range(3):  # no limit counts them
        response = preflight(limited, path, method, origin, **asked)
        assert response.status_code == 200
        assert response.headers[ALLOWED] == origin
        assert response.headers["access-control-allow-methods"] == "GET, POST"
        assert response.headers["access-control-allow-headers"] == "authorization, content-type, x-mine"
    assert limited.mock.requests == []


def test_page_of_the_internet_may_call_this_machine(limited: Team) -> None:
    response = preflight(limited, LOADS, "GET", **{"Access-Control-Request-Private-Network": "true"})
    assert response.headers["access-control-allow-private-network"] == "true"


def test_preflight_of_another_origin_or_for_another_method_is_refused(limited: Team) -> None:
    refused = preflight(limited, PAYMENTS, "POST", OTHER)
    assert refused.status_code == 400
    assert ALLOWED not in refused.headers
    assert preflight(limited, PAYMENTS, "DELETE").status_code == 400


def test_page_gets_a_token_and_reads_every_response(limited: Team) -> None:
    page = {"Origin": ONE}
    token = limited.client.post(OAUTH, json=CREDENTIALS, headers=page)
    access = page | {"Authorization": f"Bearer {token.json()['access_token']}"}
    responses = [
        token,
        limited.client.get(LOADS, params={"loadNumber": "LD-1001"}, headers=access),
        limited.client.get(LOADS, params={"loadNumber": "LD-1001"}, headers=access),
        limited.client.get(LOADS, headers=page),
        limited.client.get("/nowhere", headers=access),
        limited.client.delete(LOADS, headers=access),
        limited.client.post(SEARCH, json={}, headers=access),
    ]
    assert [each.status_code for each in responses] == [200, 200, 429, 401, 404, 405, 400]
    for each in responses:
        assert each.headers[ALLOWED] == ONE
        assert each.headers["access-control-expose-headers"] == "*"
        assert each.headers["vary"] == "Origin"
    assert responses[2].headers["retry-after"]


def test_page_reads_the_failures_that_are_injected(limited: Team) -> None:
    limited.mock.fail_next(status=503, retryAfter=1)
    access = {"Origin": ONE, "Authorization": f"Bearer {limited.mock.token()}"}
    response = limited.client.post(PAYMENTS, json={}, headers=access)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.headers[ALLOWED] == ONE


def test_response_to_another_origin_or_to_none_names_no_origin(limited: Team) -> None:
    for headers in ({"Origin": OTHER}, {}):
        response = limited.client.get(LOADS, headers=headers)
        assert response.status_code == 401
        assert ALLOWED not in response.headers


def test_options_without_a_question_are_a_method_like_any_other(limited: Team) -> None:
    access = {"Origin": ONE, "Authorization": f"Bearer {limited.mock.token()}"}
    problem_of(limited.client.options(LOADS, headers=access), 405)


def test_admin_api_answers_no_page(limited: Team) -> None:
    for response in (
        preflight(limited, "/_mock/reset", "POST"),
        limited.client.get("/_mock/clock", headers={"Origin": ONE}),
        limited.client.post("/_mock/reset", headers={"Origin": ONE}),
    ):
        assert response.status_code in {403, 405}
        assert not [name for name in response.headers if name.startswith("access-control-")]


def test_star_is_every_origin() -> None:
    with running(Settings(cors=("*",))) as team:
        for origin in (OTHER, "null"):
            assert preflight(team, PAYMENTS, "POST", origin).headers[ALLOWED] == "*"
            assert team.client.get(LOADS, headers={"Origin": origin}).headers[ALLOWED] == "*"
        problem_of(team.client.get("/_mock/clock", headers={"Origin": OTHER}), 403)


def test_it_is_off_by_default() -> None:
    with running() as team:
        assert preflight(team, PAYMENTS, "POST").status_code == 405
        assert ALLOWED not in team.client.get(LOADS, headers={"Origin": ONE}).headers


def test_preflight_for_a_token_is_allowed_beside_a_document_that_is_read_only(write: Write) -> None:
    paths = "{/a: {get: {responses: {'200': {description: Here}}}}}"
    spec = write("spec.yaml", f"openapi: 3.1.0\npaths: {paths}\n")
    with (
        MockServer(spec=spec, settings=Settings(cors=(ONE,))) as mock,
        httpx2.Client(base_url=mock.url) as client,
    ):
        response = preflight(Team(mock, client), OAUTH, "POST")
    assert (response.status_code, response.headers["access-control-allow-methods"]) == (200, "GET, POST")


def test_it_is_an_option() -> None:
    options = ("--cors", f"{ONE},{TWO}", "--cors", "null", "--port", "0", "--admin-port", "0")
    with serving(*options) as mock:
        assert f"\nCORS: {ONE},{TWO}, null\n" in mock.greeting
        for origin in (ONE, TWO, "null"):
            response = httpx2.get(mock.url + LOADS, headers={"Origin": origin})
            assert response.headers[ALLOWED] == origin
        (admin,) = (line for line in mock.greeting.splitlines() if line.startswith("Admin API: "))
        clock = admin.split()[2].rstrip(",").replace("health", "clock")
        response = httpx2.get(clock, headers={"Origin": ONE})
        assert response.status_code == 403
        assert ALLOWED not in response.headers


@pytest.mark.parametrize("written", ["", "localhost:3000", f"{ONE}/", f"{ONE},", "http://a b", f"{ONE}?x=1"])
def test_what_is_no_origin_stops_the_start(written: str) -> None:
    with pytest.raises(UnusableSetting, match=r"CORS: '.*' is not an origin"):
        MockServer(settings=Settings(cors=(written,)))


def test_what_is_no_origin_is_one_clear_line() -> None:
    assert run("--cors", "localhost", "--port", "0").stderr == (
        "Error: CORS: 'localhost' is not an origin, such as http://localhost:3000, or * for all\n"
    )
