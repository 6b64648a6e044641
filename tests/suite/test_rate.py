"""The pace: each operation at its published limit, evenly, and what a plan says of the time that it takes."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import yaml
from rich.console import Console

from contract_tests.report.plan import Plan
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.safety.guard import Permit
from contract_tests.safety.intent import Action, Intent
from contract_tests.safety.rate import ALL, OPERATIONS, PUBLISHED, Pace, operation_of
from contract_tests.safety.road import SCOPES
from mock_server.shipped import SPEC
from tests.suite.counting_server import LOADS, PAYMENTS, SEARCH, counting_server
from tests.suite.payments import guarded


class Time:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, limits: dict[str, tuple[int, int]], spacing: float = 0.0) -> Pace:
        return Pace(limits, spacing=spacing, clock=lambda: self.now, sleep=self.sleep)

    def moments(self, pace: Pace, *operations: str) -> list[float]:
        """When each of these may leave, beginning with 0."""
        began, moments = self.now, []
        for operation in operations:
            pace.wait(operation)
            moments.append(round(self.now - began, 2))
        return moments


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", LOADS, "getLoad"),
        ("HEAD", LOADS, "getLoad"),
        ("get", "/api/p/v2/Loads/", "getLoad"),
        ("POST", SEARCH, "searchLoads"),
        ("GET", "/api/p/v1.0/invoices", "getInvoice"),
        ("POST", "/api/p/v1.0/invoices/search", "searchInvoices"),
        ("POST", PAYMENTS, "recordCustomerPayment"),
        ("GET", PAYMENTS, "other"),
        ("POST", LOADS, "other"),
        ("GET", "/elsewhere", "other"),
    ],
)
def test_a_request_counts_against_the_limit_of_its_operation(method: str, path: str, operation: str) -> None:
    assert operation_of(method, path) == operation


def test_the_published_limits_and_scopes_are_those_of_the_document() -> None:
    operations = [
        operation
        for item in yaml.safe_load(SPEC.read_text("utf-8"))["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and "x-rate-limit" in operation
    ]
    assert operations
    for operation in operations:
        limit = operation["x-rate-limit"]
        name = operation["operationId"]
        assert PUBLISHED.get(name, PUBLISHED["other"]) == (limit["requests"], limit["seconds"])
        assert {"oauth2": [SCOPES[name]] if name in SCOPES else []} in operation["security"]


def test_requests_are_spread_evenly_and_not_sent_in_a_burst() -> None:
    time = Time()
    moments = time.moments(time.pace(dict(PUBLISHED)), *["recordCustomerPayment"] * 12)
    assert moments == [round(6.12 * each, 2) for each in range(12)]


def test_each_operation_has_a_limit_of_its_own() -> None:
    time = Time()
    pace = time.pace({"getLoad": (1, 60), "searchLoads": (1, 10)})
    assert time.moments(pace, "getLoad", "searchLoads", "other", "searchLoads", "getLoad", "other") == [
        0, 0, 0, 10.2, 61.2, 61.2,
    ]  # fmt: skip


def test_a_limit_for_all_is_shared_but_for_the_token_endpoint_which_is_elsewhere() -> None:
    time = Time()
    pace = time.pace({ALL: (1, 10), "issueToken": (1, 1)})
    assert time.moments(pace, "getLoad", "issueToken", "other", "issueToken", "getLoad") == [
        0, 0, 10.2, 10.2, 20.4,
    ]  # fmt: skip


def test_time_that_passed_anyway_is_not_waited_for() -> None:
    time = Time()
    pace = time.pace({"getLoad": (10, 60)})
    time.moments(pace, "getLoad")
    time.now += 5
    assert time.moments(pace, "getLoad") == [1.12]
    time.now += 100
    assert time.moments(pace, "getLoad", "getLoad") == [0, 6.12]


def test_a_spacing_lies_between_any_two_requests() -> None:
    time = Time()
    assert time.moments(time.pace({}, 0.5), "getLoad", "other", "other") == [0, 0.5, 1]
    slower = time.pace({ALL: (10, 60)}, 0.5)
    assert time.moments(slower, "getLoad", "other") == [0, 6.12]


def test_without_a_limit_nobody_waits() -> None:
    time = Time()
    assert time.moments(time.pace({}), *OPERATIONS) == [0] * len(OPERATIONS)


def test_threads_share_the_pace() -> None:
    waits: list[float] = []
    lock = threading.Lock()

    def note(seconds: float) -> None:
        with lock:
            waits.append(round(seconds, 2))

    pace = Pace({"getLoad": (10, 60)}, clock=lambda: 0.0, sleep=note)
    with (
        counting_server() as server,
        guarded(server.url, pace=pace) as (client, _, _),
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(lambda _: client.send(Request("GET", LOADS)), range(6)))
    assert sorted(waits) == [6.12, 12.24, 18.36, 24.48, 30.6]


# --- what a plan says of it ------------------------------------------------------------------------


def planned(*requests: tuple[str, Request]) -> Plan:
    plan = Plan()
    for plan.suite, request in requests:
        exchange = Exchange(request, Response(200, {}, b""), "", 0.0)
        plan.note(exchange, Permit(Intent(Action.READ, request.method)))
    return plan


GET, PAY = Request("GET", LOADS), Request("POST", PAYMENTS)
PLAN = planned(("reads", GET), ("reads", GET), ("reads", PAY), ("smoke", PAY), ("smoke", GET), ("smoke", PAY))


def shown(limits: dict[str, tuple[int, int]], spacing: float = 0.0) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    PLAN.show(console, "https://a", (0, Decimal(0)), limits, spacing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()[1 + len(PLAN.requests) :]


def test_a_plan_says_how_long_each_suite_takes_at_the_pace_of_the_run() -> None:
    assert shown({"getLoad": (5, 60), "recordCustomerPayment": (1, 60)}) == [
        "reads: 3 requests, 13 s",
        "smoke: 3 requests, 2 min 3 s",
        "6 requests, 0 payments worth 0, 2 min 15 s at the pace of the run",
    ]


def test_a_plan_counts_a_spacing_as_time() -> None:
    assert shown({}, 2.0)[-1] == "6 requests, 0 payments worth 0, 10 s at the pace of the run"


def test_a_plan_without_a_pace_names_no_time() -> None:
    assert shown({}) == ["6 requests, 0 payments worth 0"]
