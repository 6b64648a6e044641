"""A document of others in camelCase, with servers below each other, and with tokens, a scope and a limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from openapi_spec_validator import validate

from mock_server.documents import read_document
from mock_server.foreign.examples import Examples
from mock_server.testing import MockServer, Settings
from mock_server.tokens import OAuthClient
from tests.conftest import Write
from tests.mock.api import Json
from tests.mock.team import CREDENTIALS, OAUTH, Team, bearer
from tests.mock.wire import Wire, get

PORTAL = Path(__file__).parent / "documents" / "portal_3_1.yaml"
PAY, LOADS, INVOICE = "/payments", "/loads", "/invoices/7"
HEADERS = {"id": "true"}


@contextmanager
def running(**settings: Any) -> Iterator[Team]:
    with (
        MockServer(spec=PORTAL, settings=Settings(**settings)) as mock,
        httpx2.Client(base_url=mock.url) as client,
    ):
        yield Team(mock, client)


@pytest.fixture(scope="module")
def portal() -> Iterator[Team]:
    with running() as team:
        yield team


def payment(reference: str = "R-1", amount: object = 1) -> dict[str, Json]:
    return {
        "loadNumber": "LD-1001",
        "referenceNumber": reference,
        "amount": {"amount": amount, "currency": 840},
        "paymentDate": "2026-07-01T15:30:00Z",
    }


def test_document_is_valid_openapi() -> None:
    validate(read_document(PORTAL))  # type: ignore[arg-type]


# --- tokens ------------------------------------------------------------------------------------------


def test_token_is_issued_for_a_form_where_the_document_takes_forms_only(portal: Team) -> None:
    issued = portal.client.post(OAUTH, data=CREDENTIALS)
    assert (issued.status_code, list(issued.json())) == (200, ["access_token", "expires_in"])
    assert portal.client.post(OAUTH, json=CREDENTIALS).status_code == 415


def test_form_must_satisfy_the_document(portal: Team) -> None:
    refused = portal.client.post(OAUTH, data={**CREDENTIALS, "grant_type": "x" * 41})
    assert (refused.status_code, "maxLength" in refused.text) == (400, True)


def test_refusal_of_a_token_keeps_its_code_in_the_shape_of_the_document(portal: Team) -> None:
    refused = portal.client.post(OAUTH, data={**CREDENTIALS, "grant_type": "password"})
    assert (refused.status_code, refused.json()) == (
        403,
        {"error": "unsupported_grant_type", "hint": "example"},
    )


def test_tokens_may_have_the_scopes_of_the_document() -> None:
    ours = OAuthClient("reader", "s", ("load:read",))
    with running(require_token=True) as team:
        assert team.client.post(PAY, json=payment(), headers=bearer(team.mock.token())).status_code == 200
    with running(require_token=True, clients=(ours,)) as team:
        assert team.client.post(PAY, json=payment(), headers=bearer(team.mock.token())).status_code == 403


def test_unknown_path_needs_a_token_but_the_token_endpoints_beside_the_document_do_not() -> None:
    with running(require_token=True) as team:
        assert team.client.get("/nope").status_code == 401
        tenant = team.client.post("/api/authentication/me/token", json=CREDENTIALS)
        assert tenant.status_code == 200


# --- spelling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "amount", "status"),
    [("newtonsoft", "1.50", 200), ("{Q2: accepted}", "1.50", 200), ("{A18b: accepted}", "1.50", 422)],
)
def test_profile_converts_what_the_document_spells_otherwise(
    write: Write, profile: str, amount: str, status: int
) -> None:
    named = str(write("profile.yaml", f"answers: {profile}")) if profile.startswith("{") else profile
    with running(profile=named) as team:
        assert team.client.post(PAY, json=payment(amount=amount)).status_code == status
        assert team.client.post(PAY, json=payment("R-2")).status_code == 200


def test_journal_finds_load_and_reference_where_the_document_has_them() -> None:
    with running() as team:
        team.client.post(PAY, json=payment("R-1"))
        [entry] = team.mock.requests
        assert (entry.load, entry.reference) == ("LD-1001", "R-1")


# --- responses ---------------------------------------------------------------------------------------


def test_facts_that_are_only_taken_together_are_shown_together(portal: Team) -> None:
    shown = portal.client.post(PAY, json=payment()).json()
    assert list(shown) == ["loadNumber", "status", "totalPaid", "paidAt", "fee"]
    assert (shown["status"], shown["totalPaid"]) == ("Invoiced", {"amount": 1, "currency": 840})


def test_null_stays_where_the_document_requires_the_field(portal: Team) -> None:
    assert portal.client.get(LOADS, params={"loadNumber": "LD-1003"}).json()["paidAt"] is None


def test_refusal_says_its_status_and_its_trace_where_the_document_has_them(portal: Team) -> None:
    refused = portal.client.post(PAY, json={**payment(), "extra": 1})
    assert (refused.status_code, refused.json()["status"]) == (422, 422)
    assert refused.json()["traceId"].startswith("00-")
    assert refused.json()["message"].startswith("There is no field extra.")


def test_shape_of_a_refusal_is_made_once(portal: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    instance = Examples.instance

    def counted(self: Examples, *args: Any, **more: Any) -> object:
        made.append(args)
        return instance(self, *args, **more)

    portal.client.post(PAY, json={})
    monkeypatch.setattr(Examples, "instance", counted)
    assert portal.client.post(PAY, json={}).status_code == 422
    assert made == []


def test_pdf_is_one(portal: Team) -> None:
    response = portal.client.get(INVOICE, headers=HEADERS)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/pdf")
    assert response.content.startswith(b"%PDF-1.4\n")
    assert response.content.endswith(b"%%EOF\n")


def test_header_is_the_first_of_the_examples_in_the_document(portal: Team) -> None:
    assert portal.client.get(INVOICE, headers=HEADERS).headers["x-trace"] == "abc"


def test_headers_about_the_connection_are_the_servers_own(portal: Team) -> None:
    with Wire(
        urlsplit(portal.mock.url).port or 0
    ) as wire:  # which refuses headers that come twice, or contradict each other
        for _ in range(2):
            wire.send(get(INVOICE, "id: true"))
            reply = wire.reply()
            assert (reply.status, reply.body[:4]) == (200, b"%PDF")
            assert int(reply.headers[b"content-length"]) == len(reply.body)
            assert b"connection" not in reply.headers


def test_status_without_a_name_or_a_body_is_sent(portal: Team) -> None:
    with Wire(urlsplit(portal.mock.url).port or 0) as wire:
        wire.send(get("/statuses/teapot") + get("/statuses/gone"))
        warm, gone = wire.reply(), wire.reply()
    assert (warm.status, warm.body, gone.status) == (299, b"", 204)
    assert b"content-length" not in gone.headers


# --- paths and parameters ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/loads", 400),
        ("/api/loads", 400),
        ("/api/v1/loads", 400),
        ("/API/V1/loads", 400),
        ("/api/api/loads", 404),
        ("/api/v1/api/loads", 404),
        ("/api" * 1000 + "/loads", 404),
    ],
    ids=lambda value: str(value)[:20],
)
def test_paths_are_below_each_server_once(portal: Team, path: str, status: int) -> None:
    assert portal.client.get(path).status_code == status


def test_any_id_will_do_wherever_its_form_is_described(portal: Team) -> None:
    assert portal.client.get("/invoices/any", headers=HEADERS).status_code == 200


def test_parameters_of_one_name_are_told_apart_by_their_places(portal: Team) -> None:
    def said(**request: Any) -> str:
        response = portal.client.get(INVOICE, **request)
        return str(response.json()["message"] if response.status_code == 422 else response.status_code)

    assert said() == "The id (header) field is required."
    assert said(headers={"id": "5"}) == "The id (header) field must be true or false."
    assert said(headers=HEADERS, params={"id": "x"}) == "The id field must be an integer."
    assert said(headers={**HEADERS, "cookie": "id=1"}, params={"id": "5"}) == "200"
    assert said(headers={**HEADERS, "cookie": "id=2"}) == "The id (cookie) field must be one of: 1."


# --- what is switched on -----------------------------------------------------------------------------


def test_rate_limit_is_that_of_the_document_else_ours() -> None:
    with running(rate_limit="documented") as team:
        team.mock.freeze_clock(datetime(2026, 7, 1, tzinfo=UTC))
        read = [team.client.get(LOADS, params={"loadNumber": "LD-1001"}) for _ in range(3)]
        paid = [team.client.post(PAY, json=payment()) for _ in range(11)]
    assert [response.status_code for response in read] == [200, 200, 429]
    assert [response.status_code for response in paid] == [200] * 10 + [429]
    assert (read[-1].headers["retry-after"], paid[-1].headers["retry-after"]) == ("30", "180")


def test_profile_is_asked_about_methods_of_ours_only(write: Write) -> None:
    profile = write("profile.yaml", "answers: {Q8: '404'}")
    with running(profile=str(profile)) as team:
        assert team.client.delete(PAY).status_code == 404
        assert team.client.delete(INVOICE).status_code == 405
