"""Linters find nothing in the document; Postman and Swagger UI make requests of it that the mock takes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from mock_server.revisions import NAMES
from mock_server.sandbox import Settings
from mock_server.shipped import SPEC
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.mock.api import Json
from tests.tools.npm import FOLDER, installed, node

SPECTRAL = FOLDER.parents[1] / ".spectral.yaml"


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder of the packages."""
    return installed()


class Served(NamedTuple):
    """A mock, and a file with the document as it serves it."""

    mock: MockServer
    file: Path

    @property
    def operations(self) -> dict[str, Json]:
        """The operations, by their summaries, which Postman calls them by."""
        paths = json.loads(self.file.read_text("utf-8"))["paths"]
        return {operation["summary"]: operation for item in paths.values() for operation in item.values()}


@pytest.fixture(params=NAMES)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with MockServer(settings=Settings(revision=request.param)) as mock:
        yield Served(mock, downloaded(mock, tmp_path / "openapi.json"))


def downloaded(mock: MockServer, file: Path) -> Path:
    file.write_bytes(httpx2.get(f"{mock.url}/{file.name}").content)
    return file


@pytest.fixture
def documents(tmp_path: Path) -> list[Path]:
    """The file, and as it is served in both forms and revisions."""
    files = [SPEC]
    for name in NAMES:
        with MockServer(settings=Settings(revision=name)) as mock:
            (tmp_path / name).mkdir()
            files += [downloaded(mock, tmp_path / name / f"openapi.{form}") for form in ("json", "yaml")]
    return files


# --- linters ------------------------------------------------------------------------------------------


def spectral(packages: Path, *documents: Path) -> Json:
    """What Spectral finds, with the rules of the repository."""
    options = ("--ruleset", SPECTRAL, "--fail-severity", "hint", "--format", "json", "--quiet")
    done = node(packages / ".bin" / "spectral", "lint", *options, *documents, folder=documents[0].parent)
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


def redocly(packages: Path, *documents: Path) -> Json:
    """What Redocly finds, with the rules that it recommends."""
    options = ("--extends", "recommended", "--format", "json")
    done = node(packages / ".bin" / "redocly", "lint", *options, *documents, folder=documents[0].parent)
    found, _ = json.JSONDecoder().raw_decode(done.stdout)
    return found


def test_spectral_finds_nothing(packages: Path, documents: list[Path]) -> None:
    assert spectral(packages, *documents) == []


def test_redocly_finds_nothing(packages: Path, documents: list[Path]) -> None:
    found = redocly(packages, *documents)
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, found["problems"]


def test_linters_find_what_is_wrong(packages: Path, write: Write) -> None:
    """Neither is blind to a parameter that nobody defines, or to a missing license."""
    wrong = write(
        "openapi.yaml",
        "{openapi: 3.1.1, info: {title: x, version: '1'}, paths: {'/{a}': {get: {responses: {}}}}}",
    )
    assert {"path-params", "info-contact"} <= {each["code"] for each in spectral(packages, wrong)}
    assert "info-license" in {each["ruleId"] for each in redocly(packages, wrong)["problems"]}


# --- Postman ------------------------------------------------------------------------------------------

EVERYWHERE = """
const body = pm.response.json();
const sent = pm.request.body?.raw ? JSON.parse(pm.request.body.raw) : null;
pm.test("200 in JSON", () => {
  pm.response.to.have.status(200);
  pm.expect(pm.response.headers.get("Content-Type")).to.eql("application/json");
});
const shown = Array.isArray(body) ? body[0] : body;
pm.test("every field", () => pm.expect(shown).to.include.all.keys(REQUIRED));
"""
ASSERTIONS = {
    "recordCustomerPayment": 'pm.test("its load", () => pm.expect(body.LoadNumber).to.eql(sent.LoadNumber));',
    "getLoad": 'pm.test("paid once", () => pm.expect(body.totalPaid ?? body.TotalPaid)'
    ".to.eql({ Amount: 1250.1, Currency: 840 }));",
    "searchLoads": 'pm.test("a filter", () => body.Items.forEach((each) => '
    "pm.expect(sent.Status).to.include(each.Status)));",
    "getInvoice": 'pm.test("a reference", () => pm.expect(body.Payments[0].PaymentReference)'
    '.to.eql("BANK-55012"));',
    "searchInvoices": 'pm.test("a filter", () => body.Items.forEach((each) => '
    "pm.expect(sent.Status).to.include(each.Status)));",
    "listUsers": 'pm.test("a user", () => pm.expect(body).to.have.length(1));',
    "issueToken": 'pm.test("a token", () => pm.expect(body.access_token.split(".")).to.have.length(3));',
    "issueTenantToken": 'pm.test("a token", () => pm.expect(body.scope).to.include("invoice:update"));',
}
"""What is asserted of the response to each operation besides, in the words of Postman."""


def requests_in(folder: Json) -> Iterator[Json]:
    """The requests of a collection, which folders hold."""
    for item in folder["item"]:
        yield from requests_in(item) if "item" in item else [item]


def with_assertions(collection: Json, document: Json, operations: dict[str, Json]) -> Json:
    """The collection, with assertions about every response."""
    for item in requests_in(collection):
        operation = operations[item["name"]]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        schema = schema.get("items", schema)
        required = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["required"]
        script = EVERYWHERE.replace("REQUIRED", json.dumps(required)) + ASSERTIONS[operation["operationId"]]
        item["event"] = [{"listen": "test", "script": {"exec": script.splitlines()}}]
    return collection


def test_collection_of_postman_runs_green(packages: Path, served: Served, tmp_path: Path) -> None:
    """Twice: the second payment is a replay."""
    file = tmp_path / "collection.json"
    options = ("-s", served.file, "-o", file, "-O", "folderStrategy=Tags,parametersResolution=Example")
    done = node(packages / ".bin" / "openapi2postmanv2", *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(served.file.read_text("utf-8"))
    collection = with_assertions(json.loads(file.read_text("utf-8")), document, served.operations)
    file.write_text(json.dumps(collection), "utf-8")

    report = tmp_path / "report.json"
    reporting = ("--reporters", "cli,json", "--reporter-json-export", report)
    done = node(packages / ".bin" / "newman", "run", file, "-n", "2", *reporting, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(report.read_text("utf-8"))["run"]
    assert run["failures"] == []
    assert run["stats"]["assertions"] == {"total": 48, "pending": 0, "failed": 0}
    assert [request.status for request in served.mock.requests] == [200] * 16
    assert {request.operation for request in served.mock.requests} == ASSERTIONS.keys()
    load = served.mock.load("LD-1001")
    assert len(next(load[name] for name in ("payments", "Payments") if name in load)) == 1


# --- Swagger UI ---------------------------------------------------------------------------------------


def test_swagger_ui_fills_in_every_parameter_and_gets_a_response(packages: Path, served: Served) -> None:
    url = f"{served.mock.url}/openapi.json"
    done = node(FOLDER / "swagger-ui.cjs", url, folder=packages, environ={"NODE_PATH": str(packages)})
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown.keys() == ASSERTIONS.keys()
    for operation in served.operations.values():
        seen = shown[operation["operationId"]]
        assert seen["status"] == "200", seen
        assert (seen["body"] is not None) == ("requestBody" in operation)
    assert {name: each["parameters"] for name, each in shown.items()} == {
        "recordCustomerPayment": {"version": "1.0"},
        "getLoad": {
            "version": "1.0",
            "id": served.mock.load("LD-1001")["Id"],
            "loadNumber": "LD-1001",
            "orderNumber": "ORD-7001",
        },
        "searchLoads": {"version": "1.0"},
        "getInvoice": {
            "version": "1.0",
            "id": f"inv-{served.mock.load('LD-1002')['Id']}",
            "invoiceNumber": "INV-1002",
        },
        "searchInvoices": {"version": "1.0"},
        "listUsers": {"version": "1.0"},
        "issueToken": {},
        "issueTenantToken": {"tenant_id": "sandbox"},
    }
    assert [request.status for request in served.mock.requests] == [200] * 8
