"""Nothing leaks from one world to another: all that can be done is done in one, and others are looked at."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from mock_server.admin import admin_spec
from mock_server.sandbox import Settings
from mock_server.shipped import SPEC
from mock_server.spec import Operation, Spec
from mock_server.testing import WebhookReceiver
from tests.mock.api import payment_of
from tests.mock.team import CREDENTIALS, Team, running, until

FROZEN = datetime(2030, 1, 1, tzinfo=UTC)
MARK = "LEAK"
"""Is in all that is written."""
IN_PATH = {
    "version": "1.0",
    "tenant_id": "t",
    "part": "loads",
    "loadNumber": f"{MARK}-9",
    "name": MARK,
    "format": "har",
}
LOAD, SEARCH = {"query": "loadNumber=LD-1001"}, {"json": {"LoadNumbers": ["LD-1001"]}}
CALLS: dict[str, dict[str, Any]] = {
    "recordCustomerPayment": {"json": payment_of("LD-1001", f"{MARK}-1", 7)},
    "getLoad": LOAD,
    "searchLoads": SEARCH,
    "getInvoice": {"query": "invoiceNumber=INV-1001"},
    "searchInvoices": SEARCH,
    "listUsers": {},
    "issueToken": {"json": CREDENTIALS},
    "issueTenantToken": {"json": CREDENTIALS},
    "getHealth": {},
    "getReadiness": {},
    "getSettings": {},
    "getAdminDocument": {"path": {"format": "json"}},
    "readMetrics": {},
    "takeSnapshot": {},
    "listLoads": {},
    "putLoad": {"json": {"Status": "Invoiced"}},
    "readLoad": {},
    "changeLoad": {"json": {"Status": "Open"}},
    "removeLoad": {},
    "listRequests": {},
    "archiveRequests": {"path": {"format": "har"}},
    "watchRequests": {"query": "after=0"},
    "verifyRequests": {"json": {"reference": f"{MARK}-1"}},
    "clearRequests": {},
    "addFault": {"json": {"operation": "getLoad", "load": MARK, "status": 503}},
    "listFaults": {},
    "removeFault": {"path": {"id": "fault-2"}},
    "clearFaults": {},
    "addWebhook": {},
    "changeWebhook": {"path": {"id": "webhook-2"}, "json": {"enabled": True}},
    "listWebhooks": {},
    "listDeliveries": {},
    "resendDelivery": {"path": {"id": "delivery-1"}},
    "removeWebhook": {"path": {"id": "webhook-2"}},
    "listWorlds": {},
    "endWorld": {},
    "readClock": {},
    "changeClock": {"json": {"frozen": True, "move": 86400}},
    "restoreSnapshot": {"json": {"a": {"LoadNumber": f"{MARK}-3", "Status": "Open"}}},
    "resetPart": {},
    "resetAll": {},
}
"""operationId -> what is sent, in this order."""
VIEWED = ["health", "metrics", "snapshot", "loads", "requests", "requests.har", "faults", "webhooks"]
VIEWS = [f"/_mock/{name}" for name in (*VIEWED, "webhooks/deliveries", "clock")]


def operations() -> dict[str, Operation]:
    spec = Spec.read(SPEC)
    return {each.id: each for each in (*spec.operations, *admin_spec(spec).operations)}


def test_every_operation_is_tried() -> None:
    assert set(CALLS) == set(operations())


class World(Team):
    """A world with something of each kind in it, and what is to be seen of it."""

    def fill(self, receiver: WebhookReceiver) -> None:
        self.mock.reset()
        self.mock.freeze_clock(FROZEN)
        self.mock.add_webhook(receiver.url)
        self.pay("R-1")
        self.mock.fail_next(reference="R-2", status=503)
        until(lambda: [each.state for each in self.mock.deliveries] == ["delivered"])

    def view(self) -> dict[str, str]:
        return {path: self.client.get(path).text for path in VIEWS}


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.mark.parametrize("acting", ["default", "header", "prefix"])
def test_what_is_done_in_one_world_is_not_seen_in_another(acting: str, receiver: WebhookReceiver) -> None:
    with running(Settings(journal=50)) as team, ExitStack() as stack:
        default, client = World(team.mock, team.client), stack.enter_context(httpx2.Client())
        one, two = (
            World(mock, stack.enter_context(httpx2.Client(base_url=mock.url)))
            for mock in map(team.mock.world, ("one", "two"))
        )
        others = [two, default if acting != "default" else one]
        for each in (default, one, two):
            each.fill(receiver)
        calls = CALLS | {"addWebhook": {"json": {"url": receiver.url + MARK, "secret": MARK}}}
        before = [each.view() for each in others]
        base = one.mock.url if acting == "prefix" else team.mock.url
        headers = {"X-Sandbox-World": "one"} if acting == "header" else {}
        found = operations()
        for name, call in calls.items():
            path = found[name].path.format_map(IN_PATH | call.get("path", {}))
            url = f"{base}{path}?{call.get('query', '')}"
            with client.stream(found[name].method, url, json=call.get("json"), headers=headers) as response:
                expected = {"listWorlds": {200, 409}, "endWorld": {404, 409}}.get(name, {200})
                assert response.status_code in expected, name
            after = [each.view() for each in others]
            assert after == before, name
            assert MARK not in str(after)
