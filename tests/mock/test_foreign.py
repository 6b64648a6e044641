"""Documents that nobody wrote for us: what we know is stateful, all else responds with what its schema accepts."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import FormatChecker  # type: ignore[import-untyped]
from openapi_schema_validator import OAS30ReadValidator, OAS31Validator
from openapi_spec_validator import validate

from mock_server.decimal_json import encode
from mock_server.documents import read_document
from mock_server.examples import Unsatisfiable
from mock_server.revisions import read_spec
from mock_server.spec import Operation, Spec, SpecError
from mock_server.testing import MockServer, Settings
from tests.conftest import Write
from tests.mock.api import PAYMENTS, Json, json_of, payment_of

FOLDER = Path(__file__).parent / "documents"
FREIGHT, DEPOT, AWKWARD = (FOLDER / f"{name}.yaml" for name in ("freight_3_0", "depot_3_1", "awkward"))
DOCUMENTS = (FREIGHT, DEPOT, AWKWARD)
IMPOSSIBLE = ("/impossible", "/endless")
UNREADABLE = ("/A/{other}/b", "/wrong")
"""Whose schemas the other validator can't read."""
TOKEN = {"authorization": "Bearer x"}


@cache
def original(path: Path) -> Json:
    """A document as other readers have it."""
    return json.loads(encode(read_document(path)))


@cache
def spec_of(path: Path) -> Spec:
    return read_spec(path)


def operations() -> list[Any]:
    return [
        pytest.param(path, operation, id=f"{path.stem} {operation.method} {operation.path}")
        for path in DOCUMENTS
        for operation in spec_of(path).operations
    ]


@cache
def _mock(path: Path, **settings: Any) -> MockServer:
    return MockServer(spec=path, settings=Settings(**settings)).__enter__()


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield


@contextmanager
def client_of(path: Path, **settings: Any) -> Iterator[httpx2.Client]:
    with (
        MockServer(spec=path, settings=Settings(**settings)) as mock,
        httpx2.Client(base_url=mock.url) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[Path, httpx2.Client]]:
    """A client for a mock of each document."""
    with client_of(FREIGHT) as freight, client_of(DEPOT) as depot, client_of(AWKWARD) as awkward:
        yield {FREIGHT: freight, DEPOT: depot, AWKWARD: awkward}


def node_of(operation: Operation) -> Json:
    assert operation.foreign
    return operation.foreign.node


def request_to(spec: Spec, operation: Operation) -> dict[str, Any]:
    """A request that the document allows, as `httpx2.Client.request` takes it."""
    made: dict[str, Any] = {"params": {}, "headers": dict(TOKEN), "cookies": {}}
    places = {"query": "params", "header": "headers", "cookie": "cookies"}
    path = operation.path
    for each in node_of(operation)["parameters"]:
        value = spec.examples.instance(each["schema"])
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", str(value))
        elif each["required"]:
            made[places[each["in"]]][each["name"]] = str(value)
    cookies = made.pop("cookies")
    made["headers"] |= (
        {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
    )
    for media_type, media in node_of(operation).get("requestBody", {}).get("content", {}).items():
        made["headers"]["content-type"] = media_type.replace("*", "x")
        made["content"] = encode(spec.examples.instance(media["schema"])) if "json" in media_type else b"x"
        break
    if operation.id == "recordCustomerPayment":
        made["content"] = json.dumps(payment_of("LD-1001", "R-1"))
    if operation.id == "getLoad":
        made["params"] = {"loadNumber": "LD-1001"}
    if operation.id == "searchLoads":
        made["content"] = json.dumps({"LoadNumbers": ["LD-1001", "LD-1002"], "Status": ["Invoiced"]})
    return {"method": operation.method, "url": path, **made}


def resolved(path: Path, node: Json) -> Json:
    while "$ref" in node:
        target = original(path)
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def check(path: Path, operation: Operation, response: httpx2.Response) -> None:
    """Compares a response with the document as it is, by a validator that is not ours."""
    responses = resolved(path, original(path)["paths"][operation.path])[operation.method.lower()]["responses"]
    status = str(response.status_code)
    key = next(key for key in (status, f"{status[0]}XX", "default") if key in responses)
    documented = resolved(path, responses[key])
    for name, header in documented.get("headers", {}).items():
        assert name in response.headers or not header.get("required")
    content = documented.get("content", {})
    if not content or status in ("204", "205"):
        assert response.content == b""
        return
    media_type = response.headers["content-type"]
    assert media_type in content or "*/*" in content
    if operation.path in UNREADABLE:
        assert spec_of(path).examples.checker(operation.success).accepts(json_of(response.content))
    elif "json" in media_type and "schema" in content.get(media_type, {}):
        errors = [error.message for error in errors_in(path, content[media_type]["schema"], response.content)]
        assert errors == [], response.text


def errors_in(path: Path, schema: Json, body: bytes) -> list[Any]:
    whole = without_foreign_patterns({"components": original(path)["components"], "allOf": [schema]})
    validator: Any = OAS31Validator if original(path)["openapi"].startswith("3.1") else OAS30ReadValidator
    # Its `time` is one without an offset, as no draft since the third has it.
    formats = FormatChecker()
    formats.checkers = {
        name: known for name, known in validator.FORMAT_CHECKER.checkers.items() if name != "time"
    }
    return list(validator(whole, format_checker=formats).iter_errors(json.loads(body)))


def without_foreign_patterns(node: Json) -> Json:
    """Without patterns that Python does not understand."""
    if isinstance(node, list):
        return [without_foreign_patterns(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: without_foreign_patterns(each)
        for name, each in node.items()
        if name != "pattern" or not isinstance(each, str) or is_pattern(each)
    }


def is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


@pytest.mark.parametrize("path", [FREIGHT, DEPOT], ids=lambda path: path.stem)
def test_documents_are_valid_openapi(path: Path) -> None:
    validate(original(path))


@pytest.mark.parametrize(("path", "operation"), operations())
def test_every_operation_responds_with_what_its_schema_accepts_and_again(
    clients: dict[Path, httpx2.Client], path: Path, operation: Operation
) -> None:
    request = request_to(spec_of(path), operation)
    response, again = clients[path].request(**request), clients[path].request(**request)
    if operation.path in IMPOSSIBLE:
        assert response.status_code == 501
        assert "No example satisfies the schema" in response.text
        return
    check(path, operation, response)
    assert (again.status_code, again.content) == (response.status_code, response.content)
    stateful = operation.id in ("recordCustomerPayment", "getLoad", "searchLoads")
    assert response.headers.get("x-sandbox") == (None if stateful else "example")
