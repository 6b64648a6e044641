"""Access tokens: how to get one, and what a mock that requires one refuses."""

import base64
import json
from collections.abc import Iterator

import httpx2
import jwt
import pytest

from mock_server.sandbox import Settings
from mock_server.tokens import NotAClient, OAuthClient
from tests.mock.api import LOADS, PAYMENTS, Json, problem_of
from tests.mock.team import CREDENTIALS, OAUTH, Team, bearer, running

READER = OAuthClient("reader", "geheim", ("load:read",))
PAYER = OAuthClient("payer", "geheim", ("invoice:update", "load:read"))


@pytest.fixture(scope="module")
def strict_mock() -> Iterator[Team]:
    with running(Settings(require_token=True, clients=(PAYER, READER), token_lifetime=600)) as team:
        yield team


@pytest.fixture
def strict(strict_mock: Team) -> Team:
    strict_mock.mock.reset()
    return strict_mock


def claims_of(token: str) -> Json:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def refused(response: httpx2.Response, status: int, error: str) -> None:
    """The one assertion for what the token endpoint refuses."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    document = response.json()
    assert set(document) == {"error", "error_description"}
    assert document["error"] == error


@pytest.mark.parametrize("form", ["json", "data"])
@pytest.mark.parametrize("path", [OAUTH, "/api/authentication/some-tenant/token", "/OAuth/Token"])
def test_token_is_issued_for_json_and_for_a_form(path: str, form: str) -> None:
    with running() as team:
        asked = {"json": CREDENTIALS} if form == "json" else {"data": CREDENTIALS}
        response = team.client.send(httpx2.Request("POST", team.mock.url + path, **asked))  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    issued = response.json()
    assert set(issued) == {"access_token", "token_type", "expires_in", "scope"}
    assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 3600)
    assert issued["scope"] == "invoice:update invoice:read load:read"
    claims = claims_of(issued["access_token"])
    assert {"iss", "aud", "scope", "org_id", "org_name"} <= set(claims)
    assert claims["aud"] == CREDENTIALS["audience"]
    assert claims["scope"] == issued["scope"]
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_secret": "ä\ud800"}, 400, "invalid_request"),
        ({"client_id": "nobody"}, 401, "access_denied"),
        ({"audience": "https://elsewhere.example/"}, 403, "access_denied"),
        ({"scope": "load:read admin"}, 403, "access_denied"),
        ({"grant_type": "password"}, 403, "unsupported_grant_type"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"audience": ""}, 400, "invalid_request"),
        ({"scope": 5}, 400, "invalid_request"),
    ],
)
def test_token_is_refused(change: dict[str, object], status: int, error: str, strict: Team) -> None:
    asked = {**CREDENTIALS, "client_id": "payer", "client_secret": "geheim", **change}
    refused(strict.client.post(OAUTH, content=json.dumps(asked).encode(), headers=JSON), status, error)


JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


@pytest.mark.parametrize("field", ["client_id", "client_secret", "audience", "grant_type"])
def test_every_field_is_required(field: str, strict: Team) -> None:
    left = {name: value for name, value in CREDENTIALS.items() if name != field}
    response = strict.client.post(OAUTH, json=left)
    refused(response, 400, "invalid_request")
    assert response.json()["error_description"] == f"The {field} field is required."
    refused(strict.client.post(OAUTH, data=left), 400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", JSON),
        (b"", JSON),
        (b"", FORM),
        (b"client_id=%ff", FORM),
        (b"a=1&a=2", FORM),
        ("a=é".encode(), FORM),
    ],
)
def test_body_that_cannot_be_read_is_refused(body: bytes, headers: dict[str, str], strict: Team) -> None:
    refused(strict.client.post(OAUTH, content=body, headers=headers), 400, "invalid_request")


def test_other_media_type_is_a_problem(strict: Team) -> None:
    problem_of(strict.client.post(OAUTH, content=b"x", headers={"content-type": "text/plain"}), 415)


def test_scope_that_is_granted_gets_all_scopes(strict: Team) -> None:
    asked = {**CREDENTIALS, "client_id": "payer", "client_secret": "geheim", "scope": "load:read"}
    assert strict.client.post(OAUTH, json=asked).json()["scope"] == "invoice:update load:read"


def test_any_token_or_none_is_accepted_by_default() -> None:
    with running() as team:
        assert team.read().status_code == 200
        assert team.pay(access="nonsense").status_code == 200


def test_issued_token_lets_pay_and_read(strict: Team) -> None:
    asked = {**CREDENTIALS, "client_id": "payer", "client_secret": "geheim"}
    token = strict.client.post(OAUTH, json=asked).json()["access_token"]
    assert strict.pay(access=token).status_code == 200
    assert strict.read(access=token).status_code == 200
    assert strict.search(access=token).status_code == 200
    lower = strict.client.get(
        LOADS, params={"loadNumber": "LD-1001"}, headers={"Authorization": f"bearer {token}"}
    )
    assert lower.status_code == 200


def challenge(response: httpx2.Response, status: int) -> str:
    problem_of(response, status)
    return str(response.headers["www-authenticate"])


def test_missing_token_is_challenged_without_a_reason(strict: Team) -> None:
    assert challenge(strict.pay(), 401) == "Bearer"
    assert strict.references() == []


def altered(token: str) -> str:
    head, _, signature = token.split(".")
    claims = json.dumps({"aud": CREDENTIALS["audience"], "exp": 9999999999, "scope": "invoice:update"})
    return f"{head}.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("Basic YTpi", "The Authorization header must be: Bearer TOKEN"),
        ("Bearer", "The Authorization header must be: Bearer TOKEN"),
        ("Bearer nonsense", "The token is malformed"),
        ("Bearer a.b.c", "The token is malformed"),
    ],
)
def test_malformed_token_is_refused(header: str, why: str, strict: Team) -> None:
    response = strict.client.post(PAYMENTS, json={}, headers={"Authorization": header})
    assert challenge(response, 401) == f'Bearer error="invalid_token", error_description="{why}"'


def test_token_that_was_altered_is_refused(strict: Team) -> None:
    assert "The signature of the token is wrong" in challenge(
        strict.pay(access=altered(strict.mock.token())), 401
    )


def test_unsigned_token_is_refused(strict: Team) -> None:
    token = jwt.encode({"aud": CREDENTIALS["audience"], "exp": 9999999999}, "", algorithm="none")
    assert "invalid_token" in challenge(strict.pay(access=token), 401)


def test_token_of_another_mock_is_refused(strict: Team) -> None:
    with running() as other:
        assert "signature" in challenge(strict.pay(access=other.mock.token()), 401)


def test_token_for_another_audience_is_refused(strict: Team) -> None:
    tokens = strict.mock.admin.tokens
    token = tokens.token_for(tokens.clients[0], aud="https://elsewhere.example/")
    assert "another audience" in challenge(strict.pay(access=token), 401)


def test_token_sent_twice_is_refused(strict: Team) -> None:
    headers = [("Authorization", f"Bearer {strict.mock.token()}")] * 2
    assert challenge(strict.client.get(LOADS, params={"id": "x"}, headers=headers), 401)


def test_token_expires_when_its_time_is_over(strict: Team) -> None:
    token = strict.mock.token()
    strict.mock.move_clock(598)
    assert strict.pay(access=token).status_code == 200
    strict.mock.move_clock(2)
    assert "The token has expired" in challenge(strict.pay(access=token), 401)
    assert strict.pay(access=strict.mock.token()).status_code == 200


def test_expired_token_that_was_never_seen_is_refused(strict: Team) -> None:
    token = strict.mock.token()
    strict.mock.move_clock(601)
    assert "The token has expired" in challenge(strict.pay(access=token), 401)


def test_reset_makes_tokens_invalid(strict: Team) -> None:
    token = strict.mock.token()
    assert strict.pay(access=token).status_code == 200
    strict.mock.reset()
    assert "signature" in challenge(strict.pay(access=token), 401)


def test_token_without_the_scope_is_forbidden(strict: Team) -> None:
    token = strict.mock.token("reader")
    assert strict.read(access=token).status_code == 200
    response = challenge(strict.pay(access=token), 403)
    assert response == 'Bearer error="insufficient_scope", scope="invoice:update"'
    assert strict.references() == []


def test_scope_to_pay_is_not_one_to_read() -> None:
    with running(Settings(require_token=True, clients=(OAuthClient("p", "s", ("invoice:update",)),))) as team:
        token = team.mock.token()
        assert team.pay(access=token).status_code == 200
        problem_of(team.read(access=token), 403)
        problem_of(team.search(access=token), 403)


@pytest.mark.clause("A10")
@pytest.mark.parametrize("path", ["/nowhere", "/api/p/v9/loads", LOADS + "/x"])
def test_token_is_asked_for_before_the_path_is_known(path: str, strict: Team) -> None:
    assert challenge(strict.client.get(path), 401)
    problem_of(strict.client.get(path, headers=bearer(strict.mock.token("reader"))), 404)


@pytest.mark.clause("A10")
def test_token_comes_before_method_media_type_and_body(strict: Team) -> None:
    assert challenge(strict.client.delete(PAYMENTS), 401)
    assert challenge(strict.client.post(PAYMENTS, content=b"x", headers={"content-type": "text/plain"}), 401)
    assert challenge(strict.client.post(PAYMENTS, json={}), 401)
    reader = bearer(strict.mock.token("reader"))
    problem_of(strict.client.delete(PAYMENTS, headers=reader), 405)
    assert challenge(strict.client.post(PAYMENTS, json={}, headers=reader), 403)


def test_nobody_needs_a_token_to_ask_for_one(strict: Team) -> None:
    problem_of(strict.client.get(OAUTH), 405)


def test_more_tokens_than_are_remembered_still_work(strict: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mock_server.tokens._MOST_CHECKED", 2)
    tokens = strict.mock.admin.tokens
    several = [tokens.token_for(tokens.clients[0], jti=str(number)) for number in range(4)]
    for token in several * 2:
        assert strict.read(access=token).status_code == 200


@pytest.mark.parametrize("text", ["", "a", "a:b", "a:b:", "a::c", ":b:c", "a:b: ,"])
def test_client_needs_id_secret_and_scopes(text: str) -> None:
    with pytest.raises(NotAClient, match="ID:SECRET:SCOPE,SCOPE"):
        OAuthClient.parse(text)


def test_scopes_of_a_client_may_have_colons_and_either_separator() -> None:
    assert OAuthClient.parse("a:b:load:read,invoice:update x") == OAuthClient(
        "a", "b", ("load:read", "invoice:update", "x")
    )
