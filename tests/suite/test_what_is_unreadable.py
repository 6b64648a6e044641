"""A service whose responses nobody can read fails clauses, and never breaks the suite."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
from click.testing import CliRunner

from contract_tests.rules.clauses import CLAUSES
from contract_tests.run.cli import main
from mock_server.testing import MockServer
from tests.suite.counting_server import PAYMENTS, CountingServer, Received, Reply, counting_server

Forward: TypeAlias = Callable[[Received], Reply]
"""What the mock answers."""
Answer: TypeAlias = Callable[[Received, Forward], Reply]
PREFLIGHT = 5
"""So many requests come before the first payment."""
LOADS = {
    "Invoiced": ["LD-1001", "LD-1004"],
    "Completed": ["LD-1005"],
    "Financed": ["LD-1007"],
    "Dispatched": ["LD-1014"],
}
INSTEAD = (
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
        own = {name: value for name, value in one.headers.items() if name not in {"host", "connection"}}
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
    if one.path != PAYMENTS or forward(Received("GET", one.path, {}, b"")).status == 0:
        return forward(one)
    body = json.loads(one.body) if one.body.startswith(b"{") else {}
    shown = {"LoadNumber": body.get("LoadNumber"), "Status": "Financed", "CustomerPayments": []}
    return Reply(200, json.dumps(shown).encode(), {"Content-Type": "application/json"})


def smoke(url: str, folder: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the JSON report and what was printed."""
    (folder / "loads.yaml").write_text(json.dumps(LOADS))
    arguments = [
        "--target", url, "--loads", str(folder / "loads.yaml"), "--record-payments", "--suite", "smoke",
        "--json", str(folder / "r.json"), "--record", str(folder / "log.jsonl"), "--settle", "0", *more,
    ]  # fmt: skip
    ended = CliRunner(env={"COLUMNS": "300"}).invoke(main, arguments)
    return ended.exit_code, json.loads((folder / "r.json").read_text("utf-8")), ended.output


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
        pytest.param(records_nothing, {"D4", "R4"}, id="nothing is recorded"),
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
