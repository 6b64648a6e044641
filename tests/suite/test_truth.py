"""Whole runs against services that answer wrongly: each fails the clause it broke, and breaks no suite."""

import contextlib
import copy
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from contract_tests.oracle.oracle import Oracle
from contract_tests.rules.clauses import CLAUSES
from contract_tests.rules.findings import ClauseFailedError, Findings
from contract_tests.suites.api import Api
from contract_tests.suites.cases import UNKNOWN_LOAD, payment
from contract_tests.suites.lag import Lag
from mock_server.testing import MockServer
from tests.suite.counting_server import PAYMENTS, CountingServer, Received, Reply, counting_server
from tests.suite.payments import guarded
from tests.suite.shell import Shell

Forward: TypeAlias = Callable[[Received], Reply]
"""What the mock answers."""
Answer: TypeAlias = Callable[[Received, Forward], Reply]
LEFT_OUT = ("host", "connection", "content-length")
PREFLIGHT = 5
"""So many requests come before the first payment."""
LOADS = {
    "Invoiced": ["LD-1001", "LD-1004"],
    "Completed": ["LD-1005"],
    "Financed": ["LD-1007"],
    "Dispatched": ["LD-1014"],
}
INSTEAD: tuple[Any, ...] = (
    None, "", "x", 0, -1, 7.5, 10**30, True, [], [None], ["x"], [[]], {}, {"a": None}, {"Amount": "x"},
    {"Amount": 1, "Currency": 0.5}, "2026-07-01", "\ud800", "x" * 5000,
)  # fmt: skip


def places(node: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The way to every value in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(document: Any, chance: random.Random) -> Any:
    """The document with one value dropped or replaced; or another one instead of all of it."""
    ways = list(places(document))
    if not ways or chance.random() < 0.05:
        return chance.choice(INSTEAD)
    document = copy.deepcopy(document)
    node: Any = document
    *steps, last = chance.choice(ways)
    for step in steps:
        node = node[step]
    if chance.random() < 0.3:
        del node[last]
    else:
        node[last] = chance.choice(INSTEAD)
    return document


class Mutating:
    """Changes some of what comes back, once the run has begun."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - guards no secret
        self._share = self._chance.choice((0.02, 0.1, 0.5))
        self._requests = 0

    def __call__(self, one: Received, forward: Forward) -> Reply:
        got, chance = forward(one), self._chance
        self._requests += 1
        if self._requests <= PREFLIGHT or chance.random() > self._share:
            return got
        content = json.dumps(changed(json.loads(got.body), chance)).encode()
        if chance.random() < 0.1:
            content = content.replace(b"1", b"1e999999", 1)
        return Reply(got.status, content, got.headers)


@contextmanager
def service(answer: Answer) -> Iterator[CountingServer]:
    """The mock behind `answer`, which gets each request and the way to the mock."""

    def forward(one: Received) -> Reply:
        own = {name: value for name, value in one.headers.items() if name not in LEFT_OUT}
        got = client.request(one.method, f"{mock.url}{one.path}", headers=own, content=one.body)
        return Reply(got.status_code, got.content, {"Content-Type": got.headers.get("content-type", "")})

    with (
        MockServer() as mock,
        httpx2.Client() as client,
        counting_server(lambda one: answer(one, forward)) as server,
    ):
        yield server


def paying(change: Callable[[Reply], Reply]) -> Answer:
    """A service that records and answers payments in its own way."""

    def answer(one: Received, forward: Forward) -> Reply:
        got = forward(one)
        return change(got) if one.path == PAYMENTS and got.status == 200 else got

    return answer


def said(document: object) -> Answer:
    """Records a payment, and answers something else."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return paying(lambda got: Reply(200, body, got.headers))


def with_field(name: str, value: object) -> Answer:
    def change(got: Reply) -> Reply:
        document = json.loads(got.body) | {name: value}
        return Reply(200, json.dumps(document).encode(), got.headers)

    return paying(change)


def records_nothing(one: Received, forward: Forward) -> Reply:
    if one.path != PAYMENTS:
        return forward(one)
    try:
        body = dict(json.loads(one.body))
    except ValueError:
        return forward(one)
    shown: dict[str, Any] = {
        "LoadNumber": body.get("LoadNumber"),
        "Status": "Financed",
        "CustomerPayments": [],
    }
    return Reply(200, json.dumps(shown).encode(), {"Content-Type": "application/json"})


def smoke(url: str, folder: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the JSON report and what was printed."""
    (folder / "loads.yaml").write_text(json.dumps(LOADS))
    arguments = [
        "--target", url, "--loads", str(folder / "loads.yaml"), "--record-payments", "--suite", "smoke",
        "--json", str(folder / "r.json"), "--record", str(folder / "log.jsonl"), "--settle", "0", *more,
    ]  # fmt: skip
    ended = Shell(folder)(*arguments)
    return ended.status, json.loads((folder / "r.json").read_text("utf-8")), ended.out


def failed(report: dict[str, Any]) -> set[str]:
    return {row["id"] for row in report["clauses"] if row["outcome"] == "failed"}


@pytest.mark.parametrize("seed", range(15))
def test_no_response_breaks_a_run(seed: int, tmp_path: Path) -> None:
    with service(Mutating(seed)) as server:
        status, report, output = smoke(server.url, tmp_path, "--suite", "reads")
    assert report["errors"] == [], output
    assert "Traceback" not in output
    assert status in {0, 1} or (status == 3 and report["stopped"]), output
    assert bool(failed(report)) <= (status == 1)


@pytest.mark.parametrize(
    ("answer", "clauses"),
    [
        pytest.param(records_nothing, {"D4", "R2"}, id="nothing is recorded"),
        pytest.param(said({}), {"D1"}, id="an empty object"),
        pytest.param(said([]), {"D1"}, id="an array"),
        pytest.param(said(None), {"D1"}, id="null"),
        pytest.param(said(b"[" * 100_000 + b"]" * 100_000), {"R8"}, id="nested deeply"),
        pytest.param(with_field("CustomerPayments", None), {"D1"}, id="CustomerPayments null"),
        pytest.param(with_field("CustomerPayments", ["x"]), {"D1"}, id="a list of texts"),
        pytest.param(with_field("CustomerPayments", [{"Amount": 1}]), {"D1"}, id="no ids"),
        pytest.param(with_field("Status", 7), {"D1"}, id="a number as status"),
    ],
)
def test_what_cannot_be_read_fails_its_clause_with_the_request(
    answer: Answer, clauses: set[str], tmp_path: Path
) -> None:
    with service(answer) as server:
        status, report, output = smoke(server.url, tmp_path)
    assert (status, report["errors"]) == (1, []), output
    assert clauses <= failed(report), output
    assert "Traceback" not in output
    shown = [one for row in report["clauses"] for one in row["evidence"]["failures"]]
    assert all(one["curl"].startswith("curl ") for one in shown)
    for row in report["clauses"]:
        assert (row["outcome"] == "failed") == bool(row["evidence"]["failures"])
    assert failed(report) <= CLAUSES.keys()


# --- stops --------------------------------------------------------------------------------------------


def taking(is_wrong: Callable[[dict[str, Any]], bool], repaired: dict[str, Any]) -> Answer:
    """Records what it must refuse, as if the values were the `repaired` ones."""

    def answer(one: Received, forward: Forward) -> Reply:
        if one.path != PAYMENTS or not one.body.startswith(b"{"):
            return forward(one)
        try:
            body = json.loads(one.body)
        except ValueError:
            return forward(one)
        wrong = is_wrong(body)
        return forward(replace(one, body=json.dumps(body | repaired).encode()) if wrong else one)

    return answer


CENT = {"Amount": {"Amount": 0.01, "Currency": 840}}


def amount_of(body: dict[str, Any]) -> object:
    return body["Amount"].get("Amount") if isinstance(body.get("Amount"), dict) else None


ZERO = taking(lambda body: amount_of(body) == 0 and bool(body.get("ReferenceNumber")), CENT)
NO_REFERENCE = taking(lambda body: "ReferenceNumber" not in body, {"ReferenceNumber": "made up"})
NO_GATE = taking(lambda body: body["LoadNumber"] == "LD-1014", {"LoadNumber": "LD-1005"})
NOWHERE = taking(lambda body: body.get("LoadNumber") == UNKNOWN_LOAD, {"LoadNumber": "LD-1001"} | CENT)


@pytest.mark.parametrize(
    ("answer", "clause"),
    [
        pytest.param(ZERO, "R4", id="an amount of zero"),
        pytest.param(NO_REFERENCE, "R5", id="no reference"),
        pytest.param(NO_GATE, "R2", id="a status that is not payable"),
        pytest.param(NOWHERE, "R3", id="an unknown load"),
    ],
)
def test_a_stop_is_filed_under_the_rule_that_was_broken(answer: Answer, clause: str, tmp_path: Path) -> None:
    with service(answer) as server:
        status, report, output = smoke(server.url, tmp_path)
    assert (status, failed(report)) == (1, {clause}), output
    assert f"which breaks {clause}" in report["stopped"]["reason"]
    (row,) = (row for row in report["clauses"] if row["id"] == clause)
    assert all(one["curl"].startswith("curl ") for one in row["evidence"]["failures"])
    reasons = {row["reason"] for row in report["clauses"] if row["outcome"] == "not_tested"}
    assert "the run ended before" in reasons
    assert output.count("the run ended before") == 1


def test_a_run_that_is_resumed_after_a_stop_is_never_green(tmp_path: Path) -> None:
    with service(ZERO) as server:
        _, report, _ = smoke(server.url, tmp_path)
        again = ("--run-id", report["run_id"], "--suite", "reads")
        status, report, output = smoke(server.url, tmp_path, *again)
    assert (status, "R4" in failed(report)) == (1, True), output
    (row,) = (row for row in report["clauses"] if row["id"] == "R4")
    assert any("in the run that is resumed" in one["got"] for one in row["evidence"]["failures"])


@pytest.mark.parametrize(
    ("answer", "clause"),
    [
        (taking(lambda body: "PaymentDate" not in body, {"PaymentDate": "2026-07-01T00:00:00Z"}), "D5"),
        (taking(lambda body: isinstance(body.get("CheckNumber"), list), {"CheckNumber": "420"}), "D7"),
    ],
)
def test_what_breaks_no_rule_is_a_payment_and_the_run_goes_on(
    answer: Answer, clause: str, tmp_path: Path
) -> None:
    with service(answer) as server:
        _, report, output = smoke(server.url, tmp_path)
    assert clause in failed(report), output
    assert report["stopped"] is None
    assert all(one["id"] and one["outcome"] == "recorded" for one in report["payments"])
    assert "P5" in {row["id"] for row in report["clauses"] if row["outcome"] == "passed"}


# --- the road -----------------------------------------------------------------------------------------


HTML = {"Content-Type": "text/html"}


def once(reply: Reply, is_meant: Callable[[Received], bool]) -> Answer:
    """Answers the first request of a kind otherwise."""
    pending = [reply]

    def answer(one: Received, forward: Forward) -> Reply:
        return pending.pop() if pending and is_meant(one) else forward(one)

    return answer


def test_a_failure_counts_only_if_the_same_request_leads_to_it_again(tmp_path: Path) -> None:
    def is_meant(one: Received) -> bool:
        return one.method == "PUT"

    with service(once(Reply(500), is_meant)) as server:
        status, report, output = smoke(server.url, tmp_path)
    assert (status, failed(report)) == (0, set()), output
    with service(lambda one, forward: Reply(500) if is_meant(one) else forward(one)) as server:
        status, report, output = smoke(server.url, tmp_path)
    assert (status, failed(report)) == (1, {"D8"}), output


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, b"<html>", HTML),
        Reply(200, b"<html>", {"Content-Type": "text/html"}),
    ],
    ids=["404 in HTML", "200 in HTML"],
)
def test_what_tells_of_the_road_fails_no_clause(reply: Reply, tmp_path: Path) -> None:
    def is_meant(one: Received) -> bool:
        return one.method == "GET" and "loadNumber=ct-no-such-load-1" in one.path

    with service(lambda one, forward: reply if is_meant(one) else forward(one)) as server:
        status, report, output = smoke(server.url, tmp_path, "--suite", "reads")
    assert (status, failed(report)) == (0, set()), output


def test_a_run_that_only_reads_judges_what_is_recorded(tmp_path: Path) -> None:
    def answer(one: Received, forward: Forward) -> Reply:
        got = forward(one)
        if "loadNumber=LD-1002" not in one.path or got.status != 200:
            return got
        load = json.loads(got.body)
        load["totalPaid"]["Amount"] += 1
        return Reply(200, json.dumps(load).encode(), got.headers)

    with service(answer) as server:
        (tmp_path / "loads.yaml").write_text("Invoiced: LD-1002\n")
        arguments = ("--target", server.url, "--loads=loads.yaml", "--suite=reads", "--json=report.json")
        ended = Shell(tmp_path)(*arguments)
    assert ended.status == 1
    assert failed(json.loads((tmp_path / "report.json").read_text())) == {"R7"}


# --- reads that lag -----------------------------------------------------------------------------------


class Lagging:
    """Shows a load as it was, so many reads long after a payment."""

    def __init__(self, reads: int) -> None:
        self.reads = reads
        self._before: dict[str, Reply] = {}
        self._left: dict[str, int] = {}

    def __call__(self, one: Received, forward: Forward) -> Reply:
        number = parse_qs(urlsplit(one.path).query).get("loadNumber", [""])[0]
        if one.path == PAYMENTS:
            got = forward(one)
            if got.status == 200:
                self._left[json.loads(got.body)["LoadNumber"]] = self.reads
            return got
        if one.method != "GET" or not number:
            return forward(one)
        if self._left.get(number) and number in self._before:
            self._left[number] -= 1
            return self._before[number]
        self._before[number] = forward(one)
        return self._before[number]


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, in seconds; nothing else takes time."""
    pauses: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append)
    monkeypatch.setattr("contract_tests.suites.lag.time", clock)
    return pauses


@pytest.mark.parametrize(("reads", "clauses"), [(0, set()), (3, set()), (10_000, {"R7", "D4"})])
def test_a_read_may_lag_behind_for_a_while(reads: int, clauses: set[str], waited: list[float]) -> None:
    with service(Lagging(reads)) as server, guarded(server.url, is_mock=True) as (client, _, _):
        findings = Findings()
        loads = {"Invoiced": ["LD-1001"]}
        api = Api(client.send, Oracle(), findings, loads, lag=Lag(5))
        for reference in ("r-1", "r-2"):
            with contextlib.suppress(ClauseFailedError):
                api.pay(payment(api.load("LD-1001"), reference))
    assert {one.clause for one in findings.failures} == clauses
    if reads < 10:
        assert set(findings.observed["Q40"]) == {"within 1 s" if reads else "at once"}
    assert sum(waited) == pytest.approx({0: 0, 3: 1.4, 10_000: 5}[reads])
    assert waited[:3] == sorted(waited[:3])
