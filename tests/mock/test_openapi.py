"""The document of the API as the mock serves it."""

import asyncio
import json
import signal
from pathlib import Path

import httpx2
import pytest
import yaml
from openapi_spec_validator import validate

from mock_server.openapi import DocumentRoutes
from mock_server.revisions import NAMES, read_spec
from mock_server.sandbox import Settings
from mock_server.shipped import SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer
from mock_server.trace import Trace
from tests.conftest import Write
from tests.mock.api import LOADS, Json, problem_of
from tests.mock.command import has_ipv6, serving
from tests.mock.team import running

PATHS = ("/openapi.json", "/openapi.yaml")


def as_served(revision: str, url: str) -> Json:
    """The document in a revision, with the server at this URL."""
    document = json.loads(json.dumps(read_spec(SPEC, revision).document, default=float))
    document["servers"] = [{"url": url, "description": "this sandbox"}]
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    flows["clientCredentials"]["tokenUrl"] = f"{url}/oauth/token"
    return document


@pytest.mark.parametrize("admin", [True, False])
@pytest.mark.parametrize("revision", NAMES)
def test_both_forms_are_the_document_with_this_server(revision: str, admin: bool) -> None:  # noqa: FBT001
    with running(Settings(revision=revision, admin=admin, require_token=True)) as team:
        as_json, as_yaml = (team.client.get(path) for path in PATHS)
        assert as_json.headers["content-type"] == "application/json"
        assert as_yaml.headers["content-type"] == "application/yaml"
        assert as_json.json() == as_served(revision, team.mock.url)
        assert yaml.safe_load(as_yaml.text) == as_json.json()
        validate(as_json.json())


def test_numbers_are_written_as_in_the_document() -> None:
    with running() as team:
        assert '"Amount":1250.10,' in team.client.get(PATHS[0]).text
        assert "Amount: 1250.10\n" in team.client.get(PATHS[1]).text


def test_yaml_repeats_what_others_would_point_to() -> None:
    with running() as team:
        assert "&id" not in team.client.get(PATHS[1]).text


def test_answers_of_a_profile_are_in_it(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("answers: {Q49: accepted}")
    with running(Settings(profile=str(profile))) as team:
        schemas = team.client.get(PATHS[0]).json()["components"]["schemas"]
    assert schemas["PaymentAmount"]["required"] == ["Amount"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("sandbox.example", "http://sandbox.example"),
        ("localhost:9", "http://localhost:9"),
        ("[::1]:9", "http://[::1]:9"),
        ('x"y', None),
        ("x/y", None),
        ("a b", None),
        ("", None),
        ("x" * 254, None),
    ],
)
def test_server_has_the_name_that_the_request_has_for_it(host: str, url: str | None) -> None:
    with running() as team:
        for path in PATHS:
            text = team.client.get(path, headers={"Host": host}).text
            assert yaml.safe_load(text)["servers"][0]["url"] == (url or team.mock.url)


@pytest.mark.parametrize(("said", "scheme"), [("https", "https"), ("http", "http"), ("javascript", "http")])
def test_server_behind_a_proxy_that_ends_https_speaks_https(said: str, scheme: str) -> None:
    with running() as team:
        headers = {"Host": "sandbox.example", "X-Forwarded-Proto": said}
        document = team.client.get("/openapi.json", headers=headers).json()
    assert document["servers"][0]["url"] == f"{scheme}://sandbox.example"
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == f"{scheme}://sandbox.example/oauth/token"


def test_server_without_a_name_has_its_address() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    with serving("--host", "::1", "--port", "0") as mock:
        document = httpx2.get(f"{mock.url}/openapi.json", headers={"Host": "?"}).json()
    assert document["servers"][0]["url"] == mock.url


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_405(path: str) -> None:
    with running() as team:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            response = team.client.request(method, path)
            assert response.headers["allow"] == "GET"
            problem_of(response, 405)


def test_it_is_no_request_to_the_api() -> None:
    with running(Settings(faults=("status=503",), cors=("*",))) as team:
        response = team.client.get(PATHS[0], headers={"Origin": "https://editor.example"})
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "*"
        assert team.mock.requests == []
    with serving("--port", "0") as mock:
        httpx2.get(f"{mock.url}/openapi.yaml")
        assert mock.line().startswith("GET /openapi.yaml 200 ")
        assert mock.end(signal.SIGTERM)[2] == 0


def test_greeting_says_where_it_is() -> None:
    with serving("--port", "0", "--no-admin") as mock:
        assert f"\nOpenAPI document: {mock.url}/openapi.json, or .yaml\n" in mock.greeting


def test_port_of_the_admin_api_has_its_own_document_only() -> None:
    with serving("--port", "0", "--admin-port", "0") as mock:
        admin = mock.greeting.split("Admin API: ")[1].split("/_mock/")[0]
        assert httpx2.get(f"{admin}/openapi.json").status_code == 404


def test_path_of_an_operation_is_that_of_the_operation(write: Write) -> None:
    document: Json = json.loads(json.dumps(read_spec(SPEC).document, default=float))
    item = document["paths"].pop("/api/p/v{version}/loads")
    item["get"]["parameters"].pop(0)
    document["paths"]["/openapi.json"] = item
    spec = write("openapi.json", json.dumps(document))
    with MockServer(spec=spec) as mock:
        load = httpx2.get(f"{mock.url}/openapi.json", params={"loadNumber": "LD-1001"}).json()
        assert load["LoadNumber"] == "LD-1001"
        assert yaml.safe_load(httpx2.get(f"{mock.url}/openapi.yaml").text)["paths"].keys() == (
            document["paths"].keys()
        )
        assert httpx2.get(mock.url + LOADS).status_code == 404


def test_document_without_tokens_is_served_too() -> None:
    routes = DocumentRoutes(Spec({"paths": {}, "components": {}}, "spec"), lambda _path: False)
    endpoint, _ = routes.find("GET", PATHS[0])
    trace = Trace({"scheme": "http", "headers": [(b"host", b"x")]}, None, {}, 0, 0)
    served = json.loads(asyncio.run(endpoint.succeed(trace, asyncio.Queue().get)).body)
    servers = [{"url": "http://x", "description": "this sandbox"}]
    assert served == {"paths": {}, "components": {}, "servers": servers}


def test_document_names_no_servers_for_tokens_that_it_does_not_issue(write: Write) -> None:
    document: Json = json.loads(json.dumps(read_spec(SPEC).document, default=float))
    schemes = document["components"]["securitySchemes"]
    schemes["key"] = {"type": "apiKey", "in": "header", "name": "X-Key"}
    with MockServer(spec=write("openapi.json", json.dumps(document))) as mock:
        served = httpx2.get(f"{mock.url}/openapi.json").json()["components"]["securitySchemes"]
    assert served["key"] == schemes["key"]
