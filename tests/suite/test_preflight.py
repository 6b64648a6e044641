"""What is read before the first write, and what keeps a run from beginning."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contract_tests.run.cli import settings_from
from contract_tests.run.preflight import CannotRun, check_loads, probe
from contract_tests.run.run import open_run
from contract_tests.run.target import LoadsFileError, Target, read_loads
from contract_tests.safety.payment_log import RECORDED, LoggedPayment
from tests.suite.counting_server import LOST, CountingServer, Received, Reply, as_json, counting_server
from tests.suite.payments import guarded

TARGET = Target("http://target", is_mock=False, loads={"Invoiced": ["LD-1"]}, run_id="run", wants_token=False)


def load(**fields: object) -> Callable[[Received], Reply]:
    body = {"LoadNumber": "LD-1", "Status": "Invoiced", "payments": None, **fields}
    return lambda _: Reply(body=json.dumps(body).encode())


def checked(
    answer: Callable[[Received], Reply],
    log: Sequence[LoggedPayment] = (),
    *,
    target: Target = TARGET,
    resumed: bool = False,
) -> CountingServer:
    with counting_server(answer) as server, guarded(server.url) as (client, _, _):
        check_loads(client.send, target, log, resumed=resumed)
    return server


def test_a_load_as_nominated_is_read_and_nothing_written() -> None:
    server = checked(load(payments=[{"Id": "1", "ReferenceNumber": "BANK-1"}]))
    assert [one.path for one in server.received] == ["/api/p/v1.0/loads?loadNumber=LD-1"]
    assert server.writes == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            lambda one: Reply(404 if "?" in one.path else 400),
            "Load LD-1 cannot be read: the target responds with 404.",
        ),
        (lambda _: Reply(200, b"no JSON"), "Load LD-1 cannot be read: the target responds with 200."),
        (load(LoadNumber="LD-9"), "cannot be read: the target responds with 200."),
        (load(Status=None), "has the status None"),
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
            load(payments=[{"Id": "1", "ReferenceNumber": "ct-run-1"}]),
            "already carries a payment of this suite (ct-run-1)",
        ),
        (load(payments=[{"Note": "ct-older-2"}]), "already carries a payment of this suite (ct-older-2)"),
        (
            load(payments=[{"Id": "1", "Amount": 5, "PaidAt": "2026-07-01"}], totalPaid=5),
            "Load LD-1 has payments that show no reference, so that nobody can tell whose they are",
        ),
        (load(totalPaid={"Amount": 0.01, "Currency": 840}), "has payments that show no reference"),
    ],
)
def test_a_load_not_as_nominated_ends_the_run(answer: Callable[[Received], Reply], sentence: str) -> None:
    with pytest.raises(CannotRun) as reason:
        checked(answer)
    assert sentence in reason.value.sentence
    assert reason.value.status == 2


PAYABLE_AND_CLOSED = replace(TARGET, loads={"Invoiced": ["LD-1"], "Paid": ["LD-2", "LD-3"]})


def all_checked(items: list[dict[str, object]]) -> list[str]:
    """Where the requests went, on a target whose search shows these items."""

    def answer(request: Received) -> Reply:
        if request.method == "POST":
            return as_json({"Items": items})
        number = request.path.rsplit("=", 1)[1]
        return as_json(item(number, "Invoiced" if number == "LD-1" else "Paid"))

    return [request.path for request in checked(answer, target=PAYABLE_AND_CLOSED).received]


def item(number: str, status: str, **fields: object) -> dict[str, object]:
    return {"LoadNumber": number, "Status": status, "payments": [], "totalPaid": None, **fields}


def test_what_may_be_paid_is_read_and_the_other_loads_are_searched_for() -> None:
    items = [item("LD-2", "Paid"), item("LD-3", "Paid", totalPaid={"Amount": 9})]
    assert all_checked(items) == ["/api/p/v1.0/loads/search", "/api/p/v1.0/loads?loadNumber=LD-1"]


@pytest.mark.parametrize(
    "doubtful",
    [
        item("LD-2", "Dispatched"),
        {"LoadNumber": "LD-2", "Status": "Paid", "payments": []},
        {"LoadNumber": "LD-2", "Status": "Paid", "totalPaid": None},
        item("LD-2", "Paid", payments=[{"ReferenceNumber": "ct-old-1"}]),
        item("LD-9", "Paid"),
    ],
)
def test_what_a_search_does_not_show_as_nominated_is_read(doubtful: dict[str, object]) -> None:
    searched, *read = all_checked([doubtful, item("LD-3", "Paid")])
    assert searched == "/api/p/v1.0/loads/search"
    assert read == ["/api/p/v1.0/loads?loadNumber=LD-1", "/api/p/v1.0/loads?loadNumber=LD-2"]


def test_a_resumed_run_meets_its_own_payments() -> None:
    checked(load(Status="Completed", payments=[{"Id": "1", "ReferenceNumber": "ct-run-1"}]), resumed=True)
    with pytest.raises(CannotRun):
        checked(load(payments=[{"ReferenceNumber": "ct-other-1"}]), resumed=True)


def test_payments_without_a_reference_are_those_of_the_resumed_run_if_its_log_says_so() -> None:
    paid = LoggedPayment("2026-07-01T00:00:00Z", "LD-1", "ct-run-1", "0.10", 840, RECORDED, 200, "1")
    july = load(Status="Completed", payments=[{"Id": "1", "Amount": 0.1}], totalPaid=0.1)
    checked(july, [paid], resumed=True)
    with pytest.raises(CannotRun):
        checked(july, [replace(paid, load="LD-2")], resumed=True)


def why_not(answer: Callable[[Received], Reply] | str, **given: object) -> CannotRun:
    """Why a run on a service, or on a URL, does not begin."""
    with counting_server() as server:
        url = answer if isinstance(answer, str) else server.url
        server.answer = server.answer if isinstance(answer, str) else answer
        with pytest.raises(CannotRun) as reason, open_run(settings_from({"target": url, **given}), {}):
            pass
    return reason.value


PAGE = Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (LOST, "could not be tested: the target does not respond (RemoteProtocolError)."),
        (Reply(401), "is refused with 401: the target wants a token, and none is set (ALVYS_TOKEN)."),
        (Reply(403), "is refused with 403: the target wants a token, and none is set (ALVYS_TOKEN)."),
        (Reply(404), "every read under /api/p/v1.0 is answered with 404. Is the base URL right"),
        (Reply(502), "could not be tested: the target responds with 502 to everything."),
        (PAGE, "could not be tested: the target responds with 200 in HTML to everything."),
        (Reply(301, headers={"Location": "https://a/"}), "redirects to https://a/ (301)"),
        (
            Reply(429, headers={"Retry-After": "601"}),
            "429, and to try again would take 601 seconds",
        ),
    ],
    ids=["lost", "401", "403", "404", "502", "HTML", "301", "429"],
)
def test_a_target_that_cannot_be_asked_ends_the_run(reply: Reply, sentence: str, tmp_path: Path) -> None:
    reason = why_not(lambda _: reply, record=str(tmp_path / "log.jsonl"))
    assert sentence in reason.sentence
    assert reason.status == 3


def test_a_base_url_under_which_nothing_is_found_is_named_for_nominated_loads_too() -> None:
    with pytest.raises(CannotRun, match=r"every read under /api/p/v1\.0 is answered with 404") as reason:
        checked(lambda _: Reply(404))
    assert reason.value.status == 3


@pytest.mark.parametrize("found", ["GET /api/p/v1.0/loads", "POST /api/p/v1.0/loads/search"])
def test_a_target_that_finds_something_under_the_path_is_tested(found: str) -> None:
    def answer(one: Received) -> Reply:
        return Reply(400 if f"{one.method} {one.path}" == found else 404)

    with counting_server(answer) as server, guarded(server.url) as (client, _, _):
        probe(client.send, TARGET)


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
