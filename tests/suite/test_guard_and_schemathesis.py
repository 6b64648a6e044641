"""What Schemathesis generates leaves through the same client, and records nothing without consent."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from contract_tests.rules.exchange import Request
from contract_tests.safety.client import GuardedClient
from contract_tests.safety.guard import Budget, Refused
from mock_server.shipped import SPEC
from tests.suite.counting_server import CountingServer, Reply, counting_server
from tests.suite.payments import guarded

_Case = schemathesis.Case[Any]


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server(lambda one: Reply(404 if one.method == "POST" else 200)) as running:
        yield running


def request_of(case: _Case, url: str) -> Request:
    arguments = case.as_transport_kwargs(base_url=url)
    content = json.dumps(arguments["json"]).encode() if "json" in arguments else arguments.get("data")
    path = arguments["url"].removeprefix(url)
    return Request(arguments["method"], path, headers={"Content-Type": "application/json"}, content=content)


def send_generated(cases: st.SearchStrategy[_Case], client: GuardedClient, url: str) -> int:
    """Sends forty generated requests; returns how many the guard refused."""
    refused = 0

    @settings(
        max_examples=40,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def send(case: _Case) -> None:
        nonlocal refused
        try:
            client.send(request_of(case, url))
        except Refused:
            refused += 1

    send()
    return refused


def test_whatever_is_generated_nothing_that_records_gets_out(server: CountingServer) -> None:
    schema = schemathesis.openapi.from_path(str(SPEC), config=schemathesis.Config())
    operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    with guarded(server.url, consent=False, budget=Budget()) as (client, _, _):
        refused = sum(send_generated(each.as_strategy(), client, server.url) for each in operations)
    assert refused > 10
    assert len(server.received) > 40
    for one in server.received:
        if "customer-payments" in one.path:
            body = json.loads(one.body or b"{}")
            assert not (isinstance(body, dict) and str(body.get("LoadNumber") or "").strip())
