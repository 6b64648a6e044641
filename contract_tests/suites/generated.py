"""openapi.yaml as Schemathesis sees it: it generates and validates, our client sends, the oracle judges."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import httpx2
import schemathesis
import yaml
from schemathesis import Case
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
)

from contract_tests.rules.attempt import is_payment
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.documents import SPEC, overlay_of
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.responses import PAYMENT_FIELDS, TEXT_FIELDS
from contract_tests.rules.revisions import PAGE, Revision
from contract_tests.rules.values import encode_json
from contract_tests.run.settings import Settings
from contract_tests.run.target import Target
from contract_tests.suites.api import Api
from mock_server.revisions import overlaid

CHECKS = (content_type_conformance, response_headers_conformance, response_schema_conformance)
"""What makes sense for a 200. The body and media type of an error are the target's own (A2, A3)."""

_NOT_EMPTY: dict[str, Any] = {"type": ["array", "string"], "minItems": 1, "minLength": 1}

Document: TypeAlias = "dict[str, Document] | list[Document] | str | int | float | bool | None"


def document(revision: Revision = PAGE) -> dict[str, Document]:
    """The contract, with what a correct target may do otherwise left open.

    That is what a load shows of its payments, null for absent, and the zone of a date-time.
    Tokens are left out: another host issues the vendor's, and nobody asks for them with made-up secrets.
    So are invoices and users, which a correct target may not have.
    Left out are also the mock's own load, as the target has others, and what Schemathesis does not know is
    said as a schema.
    """
    read: dict[str, Document] = yaml.safe_load(SPEC.read_text("utf-8"))
    if revision != PAGE:
        overlay = yaml.safe_load(overlay_of(revision).read_text("utf-8"))
        # Schemathesis takes no decimals.
        read = json.loads(encode_json(overlaid(read, overlay, revision)))
    paths = _at(read, "paths")
    kept = ("/customer-payments", "/loads", "/loads/search")
    for path in [path for path in paths if not path.endswith(kept)]:
        del paths[path]
    for item in paths.values():
        for operation in _each(item):
            _prepare(operation, _at(read, "components", "schemas"))
    load = _at(read, "components", "schemas", "Load", "properties")
    for name in ("payments", "Payments"):
        if name in load:
            load[name] = {"type": ["array", "null"], "items": {"type": "object"}}
    for name in [name for name in load if name.endswith("At")]:
        load[name] = {"type": "string" if name == "CreatedAt" else ["string", "null"]}
    if revision == PAGE:
        payment = _at(read, "components", "schemas", "CustomerPayment")
        payment["required"] = [name for name in PAYMENT_FIELDS if name not in TEXT_FIELDS]
        _at(payment, "properties")["PaymentDate"] = {"type": "string"}
    return read


def _each(item: Document) -> Iterator[dict[str, Any]]:
    """The operations of a path."""
    yield from (each for each in _at(item).values() if isinstance(each, dict))


def _prepare(operation: dict[str, Any], schemas: dict[str, Document]) -> None:
    for parameter in operation["parameters"]:
        if parameter.get("name") in {"id", "orderNumber"}:
            parameter.pop("example", None)
    names = operation.get("x-at-least-one-of", ())
    for media in operation.get("requestBody", {}).get("content", {}).values():
        if names:
            _at(schemas, media["schema"]["$ref"].rpartition("/")[2])["anyOf"] = [
                {"required": [name], "properties": {name: _NOT_EMPTY}} for name in names
            ]


def _at(node: Document, *steps: str) -> dict[str, Document]:
    for step in steps:
        node = node[step] if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise KeyError(steps)
    return node


def schema_for(
    settings: Settings, target: Target, reference: Callable[[], str], revision: Revision
) -> BaseSchema:
    """The contract with the target's loads as examples to draw from, and nothing read from any file.

    A target that is not the mock gets no other methods and nothing that is not in the document.
    """
    payable = [number for status in PAYABLE_STATUSES for number in target.loads.get(status, [])]
    others = [
        numbers[0] for status, numbers in target.loads.items() if status not in PAYABLE_STATUSES and numbers
    ]
    first = reference()
    config = schemathesis.Config.from_dict(
        {
            "seed": settings.seed,
            "cache": {"enabled": False},
            "generation": {"max-examples": max(settings.examples, 1), "no-shrink": True, "database": "none"},
            "phases": {
                "coverage": {
                    "enabled": bool(settings.examples),
                    **({} if target.is_mock else {"unexpected-methods": []}),
                },
                "fuzzing": {"enabled": bool(settings.examples), "error-feedback": {"enabled": False}},
            },
            "dictionaries": {
                "loads": {"values": (payable[-_FEW:] + others[:_FEW]) or ["ct-no-such-load-1"]},
                "references": {"values": [f"{first}-{ending}" for ending in ("a", "A", "b", "c ", "é")]},
                "amounts": {"values": [0.01, 0.1, 0.2, 1, 0, -1]},
            },
            "parameters": {
                "path.version": "1.0",
                "query.loadNumber": {"dictionary": "loads", "probability": 0.7},
                "body.LoadNumber": {"dictionary": "loads", "probability": 0.9},
                "body.ReferenceNumber": {"dictionary": "references", "probability": 0.8},
                "body.Amount.Amount": {"dictionary": "amounts", "probability": 0.7},
            },
        }
    )
    return schemathesis.openapi.from_dict(document(revision), config=config)


_FEW = 3
_CLIENTS_OWN = {
    "host", "content-length", "transfer-encoding", "connection", "user-agent", "accept-encoding",
    "authorization",
}  # fmt: skip


def request_of(case: Case[Any]) -> Request:
    """What Schemathesis would send, as a request of ours: the same bytes, but not through its socket."""
    arguments = case.as_transport_kwargs(base_url="http://target.invalid")
    arguments.pop("cookies", None)
    if isinstance(arguments.get("data"), bytes | str):
        arguments["content"] = arguments.pop("data")
    wire = httpx2.Request(**arguments)
    path, _, query = wire.url.raw_path.decode("ascii").partition("?")
    kept = {name: value for name, value in wire.headers.items() if name not in _CLIENTS_OWN}
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return Request(wire.method, path, pairs, kept, wire.read() or None)


def send(api: Api, request: Request) -> Exchange:
    """Sends what was generated; a payment is judged with its load before and after."""
    return api.post(request) if is_payment(request) else api.send(request)


def validate(api: Api, case: Case[Any], exchange: Exchange) -> None:
    """Schemathesis' checks of a response that was judged; what they find fails a clause.

    That something was accepted which the document forbids is observed: the document is stricter than
    the page, and what the page forbids the oracle has asserted.
    """
    if exchange.response.is_of_the_road:
        return
    response = response_of(exchange)
    if exchange.response.status == HTTPStatus.OK:
        try:
            case.validate_response(response, checks=list(CHECKS))
        except (Failure, FailureGroup) as found:
            api.fail(
                _clause_of(exchange.request), exchange, f"what openapi.yaml describes ({_said_by(found)})"
            )
        try:
            case.validate_response(response, checks=[negative_data_rejection])
        except (Failure, FailureGroup):
            api.findings.observes("Q31", f"accepted by {case.operation.label}")
    elif case.meta is not None and case.meta.generation.mode is GenerationMode.NEGATIVE:
        api.findings.observes("Q31", "refused")


def _clause_of(request: Request) -> str:
    """The clause about the form of a response."""
    if is_payment(request):
        return "D1"
    return "P5" if request.method == "POST" else "P4"


def _said_by(found: Failure | FailureGroup) -> str:
    each = found.exceptions if isinstance(found, FailureGroup) else (found,)
    return "; ".join(sorted({str(one).partition("\n")[0] for one in each}))


def response_of(exchange: Exchange) -> Response:
    """The response, in the form that Schemathesis validates."""
    request = exchange.request
    sent = httpx2.Request(
        request.method, f"http://target.invalid{request.path}", headers=dict(request.headers)
    )
    got = exchange.response
    headers = {name: value for name, value in got.headers.items() if name != "content-encoding"}
    response = httpx2.Response(got.status, headers=headers, content=got.content, request=sent)
    response.elapsed = timedelta(seconds=exchange.seconds)
    return Response.from_any(response)
