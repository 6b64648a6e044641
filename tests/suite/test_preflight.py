"""What is read before the first write, and what keeps a run from beginning."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contract_tests.run.cli import settings_from
from contract_tests.run.preflight import CannotRun, check_loads, probe
from contract_tests.run.run import open_run
from contract_tests.run.target import LoadsFileError, Target, read_loads
from tests.suite.counting_server import LOST, CountingServer, Received, Reply, counting_server
from tests.suite.payments import guarded

TARGET = Target("http://target", is_mock=False, loads={"Invoiced": ["LD-1"]}, run_id="run", wants_token=False)


def load(**fields: object) -> Callable[[Received], Reply]:
    body = {"LoadNumber": "LD-1", "Status": "Invoiced", "payments": None, **fields}
    return lambda _: Reply(body=json.dumps(body).encode())


def checked(answer: Callable[[Received], Reply], *, resumed: bool = False) -> CountingServer:
    with counting_server(answer) as server, guarded(server.url) as (client, _, _):
        check_loads(client.send, TARGET, resumed=resumed)
    return server


def test_a_load_as_nominated_is_read_and_nothing_written() -> None:
    server = checked(load(payments=[{"Id": "1", "ReferenceNumber": "BANK-1"}]))
    assert [one.path for one in server.received] == ["/api/p/v1.0/loads?loadNumber=LD-1"]
    assert server.writes == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda _: Reply(404), "Load LD-1 cannot be read: the target answers 404."),
        (lambda _: Reply(200, b"no JSON"), "has the status None"),
        (load(Status="Dispatched"), "has the status 'Dispatched', but the loads file says Invoiced."),
        (
            load(payments=[{"ReferenceNumber": "ct-older-1"}]),
            "already carries a payment of this suite (ct-older-1)",
        ),
        (
            load(Payments=[{"PaymentReference": "CT-old-1"}]),
            "already carries a payment of this suite (ct-old-1)",
        ),
        (
            load(payments=[{"ReferenceNumber": "ct-run-1"}]),
            "already carries a payment of this suite (ct-run-1)",
        ),
    ],
)
def test_a_load_not_as_nominated_ends_the_run(answer: Callable[[Received], Reply], sentence: str) -> None:
    with pytest.raises(CannotRun) as reason:
        checked(answer)
    assert sentence in reason.value.sentence
    assert reason.value.status == 2


THREE = replace(TARGET, loads={"Invoiced": ["LD-1", "LD-2"], "Paid": ["LD-3"]})


def three_checked(items: list[dict[str, object]]) -> list[str]:
    """Where the requests went, on a target whose search shows these items."""

    def answer(request: Received) -> Reply:
        if request.method == "POST":
            return Reply(body=json.dumps({"Items": items}).encode())
        number = request.path.rsplit("=", 1)[1]
        return load(LoadNumber=number, Status="Paid" if number == "LD-3" else "Invoiced")(request)

    with counting_server(answer) as server, guarded(server.url) as (client, _, _):
        check_loads(client.send, THREE, resumed=False)
    return [request.path for request in server.received]


def item(number: str, status: str, **fields: object) -> dict[str, object]:
    return {"LoadNumber": number, "Status": status, "payments": [], **fields}


def test_one_search_shows_all_nominated_loads() -> None:
    items = [item("LD-1", "Invoiced"), item("LD-2", "Invoiced"), item("LD-3", "Paid")]
    assert three_checked(items) == ["/api/p/v1.0/loads/search"]


@pytest.mark.parametrize(
    "doubtful",
    [
        item("LD-2", "Dispatched"),
        item("LD-2", "Invoiced", payments=None),
        item("LD-2", "Invoiced", payments=[{"ReferenceNumber": "ct-old-1"}]),
        item("LD-9", "Invoiced"),
    ],
)
def test_what_a_search_does_not_show_as_nominated_is_read(doubtful: dict[str, object]) -> None:
    items = [item("LD-1", "Invoiced", payments=None, totalPaid=None), doubtful, item("LD-3", "Paid")]
    assert three_checked(items)[1:] == ["/api/p/v1.0/loads?loadNumber=LD-2"]


def test_a_resumed_run_meets_its_own_payments() -> None:
    checked(load(Status="Completed", payments=[{"ReferenceNumber": "ct-run-1"}]), resumed=True)
    with pytest.raises(CannotRun):
        checked(load(payments=[{"ReferenceNumber": "ct-other-1"}]), resumed=True)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [(LOST, "cannot be reached"), (Reply(401), "wants a token"), (Reply(403), "wants a token")],
)
def test_a_target_that_cannot_be_asked_ends_the_run(reply: Reply, sentence: str) -> None:
    with (
        counting_server(lambda _: reply) as server,
        guarded(server.url) as (client, _, _),
        pytest.raises(CannotRun, match=sentence) as reason,
    ):
        probe(client.send, TARGET)
    assert reason.value.status == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[", "cannot be read as YAML"),
        ("- LD-1", "must map load statuses"),
        ("Invoicd: LD-1", "unknown status 'Invoicd'; one of"),
        ("Invoiced: 1001", "1001 is not a load number; write it in quotes"),
        ("Invoiced: ['']", "is not a load number"),
        ("Invoiced: LD-1\nPaid: LD-1", "load LD-1 appears twice"),
    ],
)
def test_a_loads_file_that_cannot_be_used_says_why(content: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "loads.yaml"
    path.write_text(content)
    with pytest.raises(LoadsFileError) as error:
        read_loads(path)
    assert sentence in str(error.value)
    assert str(path) in str(error.value)


def test_a_loads_file_takes_one_load_or_several(tmp_path: Path) -> None:
    path = tmp_path / "loads.yaml"
    path.write_text("Invoiced: [LD-1, LD-2]\nIn Transit: LD-3\n")
    assert read_loads(path) == {"Invoiced": ["LD-1", "LD-2"], "In Transit": ["LD-3"]}


def test_the_mock_has_loads_of_its_own() -> None:
    with open_run(settings_from({}), {}) as run:
        assert len(run.target.loads["Invoiced"]) > 1
        assert run.target.load_numbers
        assert run.reference() == f"ct-{run.settings.run_id}-1"
        assert run.reference() == f"ct-{run.settings.run_id}-2"


def test_the_environment_of_the_user_reaches_no_mock() -> None:
    with open_run(settings_from({}), {"ALVYS_TOKEN": "token"}) as run:
        assert not run.target.wants_token


def test_a_budget_that_allows_no_check_ends_the_run() -> None:
    with (
        counting_server() as server,
        pytest.raises(CannotRun, match="budget: 0 requests are used up") as ended,
        open_run(settings_from({"target": server.url, "max_requests": 0}), {}),
    ):
        pass
    assert ended.value.status == 2
    assert server.received == []


def test_credentials_that_cannot_work_end_the_run() -> None:
    with (
        pytest.raises(CannotRun, match="ALVYS_CLIENT_SECRET") as reason,
        open_run(settings_from({}), {"ALVYS_CLIENT_ID": "a"}),
    ):
        pass
    assert reason.value.status == 2
