"""What a run that fails leaves in its report: the read after a payment, and each failure only once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from contract_tests.run import pytest_hooks
from mock_server.testing import MockServer
from tests.suite.counting_server import CountingServer, Received, Reply, counting_server
from tests.suite.shell import Shell

pytest_plugins = ["pytester"]

GROUP = """
import pytest
from contract_tests.rules.findings import ClauseFailedError, Failure

pytestmark = [pytest.mark.suite("smoke"), pytest.mark.documented("R1")]
FAILED = ClauseFailedError([Failure("R1", "200", "400", ())])

def test_first(findings):
    raise FAILED

def test_again(findings):
    raise BaseExceptionGroup("flaky", [FAILED, {other}])
"""


@contextmanager
def service_that_forgets_totals() -> Iterator[CountingServer]:
    """A service that records, and shows no total."""

    def answer(one: Received) -> Reply:
        own = {name: value for name, value in one.headers.items() if name not in {"host", "connection"}}
        got = client.request(one.method, f"{mock.url}{one.path}", headers=own, content=one.body)
        content = got.json()
        if isinstance(content, dict) and content.get("totalPaid"):
            content["totalPaid"]["Amount"] = 0
        return Reply(
            got.status_code, json.dumps(content).encode(), {"Content-Type": got.headers["content-type"]}
        )

    with MockServer() as mock, httpx2.Client() as client, counting_server(answer) as server:
        yield server


def test_report_shows_the_load_after_the_payment(run: Shell) -> None:
    with service_that_forgets_totals() as server:
        arguments = ("--loads=loads.yaml", "--record-payments", "--suite=smoke", "--report=r.html")
        ended = run("--target", server.url, *arguments)
    assert ended.status == 1, ended.out
    page = (run.folder / "r.html").read_text("utf-8")
    assert "<h4>Read-back</h4>" in page
    assert '<dt>totalPaid.Amount</dt>\n        <dd><mark>0</mark> <span class="note">≠ expected' in page


@pytest.mark.parametrize(
    ("other", "broke"), [("FAILED", False), ("ValueError('boom')", True)], ids=["known", "of another kind"]
)
def test_group_of_known_failures_is_no_test_that_broke(
    other: str,
    broke: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
    pytester: pytest.Pytester,
) -> None:
    path = pytester.makepyfile(test_group=GROUP.format(other=other))
    report = tmp_path / "r.json"
    pytester.runpytest_subprocess("-p", pytest_hooks.__name__, path, f"--json={report}")
    content = json.loads(report.read_text("utf-8"))
    assert content["verdict"] == "failed"
    assert bool(content["errors"]) == broke
