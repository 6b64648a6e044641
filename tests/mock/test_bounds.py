"""What clients send leaves nothing behind, and costs no more than its size."""

import asyncio
import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest
from starlette.types import ASGIApp

from mock_server.decimal_json import NotJson, decode
from mock_server.instants import is_instant
from mock_server.opening import opening_loads
from mock_server.sandbox import Sandbox, Settings, served_spec
from mock_server.shipped import FIXTURES, PROFILES, SPEC
from mock_server.spec import FORM
from mock_server.testing import MockServer
from mock_server.trace import Trace
from tests.conftest import Write
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Json, checked_problem, json_of, payment_of
from tests.mock.team import CREDENTIALS, OAUTH, Team, running

KIB = 1024
MIB = KIB * KIB

# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture
def team() -> Iterator[Team]:
    with running(Settings(journal=0)) as team:
        yield team


@pytest.fixture
def growth() -> Iterator[Callable[[Callable[[int], object], int], int]]:
    """Says how many bytes are left when something was done `times` times; it is done before, once."""

    def grown(do: Callable[[int], object], times: int) -> int:
        do(0)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for i in range(1, times + 1):
            do(i)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    yield grown
    tracemalloc.stop()


Growth = Callable[[Callable[[int], object], int], int]


def refuse_long_date(team: Team, i: int) -> None:
    body = payment_of("LD-1001", "R") | {"PaymentDate": f"{i:07}" + "x" * (MIB - KIB)}
    assert team.client.post(PAYMENTS, json=body).status_code == 400


def read_long_date(_team: Team, i: int) -> None:
    assert is_instant(f"2026-07-01T00:00:00.{i:07}" + "0" * (MIB - KIB) + "Z")


def ask_long_path(team: Team, i: int) -> None:
    assert team.client.get(f"/{i:07}" + "x" * 30 * KIB).status_code == 404


def send_long_type(team: Team, i: int) -> None:
    headers = {"Content-Type": f"application/json; a={i:07}" + "x" * 30 * KIB}
    assert team.client.post(PAYMENTS, content=b"{}", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "send", [refuse_long_date, read_long_date, ask_long_path, send_long_type], ids=lambda each: each.__name__
)
def test_what_clients_send_is_not_kept(team: Team, growth: Growth, send: Callable[[Team, int], None]) -> None:
    assert growth(lambda i: send(team, i), 40) < 300 * KIB


@pytest.fixture
def uncollected() -> Iterator[None]:
    """The garbage collector is off, and has done its work."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


TWO_WAYS_IN = """
openapi: 3.1.0
paths: {/a: {get: {security: [{one: []}, {other: []}], responses: {'200': {description: Here}}}}}
components: {securitySchemes: {one: {type: http, scheme: basic}, other: {type: http, scheme: bearer}}}
"""


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "settings", [Settings(), Settings(profile="newtonsoft"), Settings(require_token=True)]
)
def test_refused_request_is_freed_at_once(write: Write, settings: Settings) -> None:
    """By counting references; until the collector comes, hundreds of bodies may have been refused."""
    with (
        MockServer(spec=write("spec.yaml", TWO_WAYS_IN), settings=replace(settings, journal=0)) as foreign,
        running(replace(settings, journal=0)) as team,
    ):
        for _ in range(20):
            assert team.client.post(PAYMENTS, json=payment_of("LD-1001", "")).status_code in (400, 401)
            assert team.client.get(f"{foreign.url}/a").status_code in (200, 401)
        assert sum(isinstance(each, Trace) for each in gc.get_objects()) < 20


def test_token_is_not_remembered_in_every_length(growth: Growth) -> None:
    with running(Settings(journal=0, require_token=True)) as team:
        token = team.client.post(OAUTH, json=CREDENTIALS).json()["access_token"]

        def read(i: int) -> None:
            headers = {"Authorization": f"Bearer {' ' * (20 * KIB + i)}{token}"}
            assert team.client.get(f"{LOADS}?loadNumber=LD-1001", headers=headers).status_code == 200

        assert growth(read, 40) < 300 * KIB
        assert team.read(access=token).status_code == 200


def test_load_that_is_gone_leaves_nothing(team: Team, growth: Growth) -> None:
    def add_pay_and_remove(i: int) -> None:
        where = f"/_mock/loads/GONE-{i}"
        assert team.client.put(where, json={"Status": "Invoiced"}).status_code == 200
        body = payment_of(f"GONE-{i}", "R") | {"Note": "x" * 10 * KIB, "ReferenceNumber": "r" * 10 * KIB}
        assert team.client.post(PAYMENTS, json=body).status_code == 200
        assert team.client.delete(where).status_code == 200

    assert growth(add_pay_and_remove, 60) < 300 * KIB


def test_reset_leaves_nothing_of_what_was_paid(team: Team, growth: Growth) -> None:
    opening = "LD-1002"  # which opens with a payment
    assert len(team.references(opening)) == 1

    def pay_and_reset(i: int) -> None:
        for number in range(i and 60):
            assert team.pay(f"{number}" + "r" * 10 * KIB, opening).status_code == 200
        team.mock.reset()

    assert growth(pay_and_reset, 2) < 300 * KIB


def test_callers_who_are_limited_are_not_kept_in_every_length(growth: Growth) -> None:
    with running(Settings(journal=0, rate_limit="1/minute")) as team:

        def read(i: int) -> None:
            headers = {"Authorization": f"Bearer {i}" + "x" * 30 * KIB}
            params = {"loadNumber": "LD-1001"}
            assert [team.client.get(LOADS, params=params, headers=headers).status_code for _ in "12"] == [
                200,
                429,
            ]

        assert growth(read, 40) < 300 * KIB


def test_references_that_are_refused_are_not_kept_in_every_length(growth: Growth) -> None:
    with running(Settings(journal=0, profile="newtonsoft")) as team:

        def refuse(i: int) -> None:
            body = payment_of("LD-1001", f"{i:07}" + "x" * 100 * KIB, amount=0)
            assert team.client.post(PAYMENTS, json=body).status_code == 400

        assert growth(refuse, 40) < 300 * KIB


# --- CPU ------------------------------------------------------------------------------------------

Request = tuple[str, str, bytes, str]
"""Method, path, body and media type."""

ROOM = MIB - KIB


def filled(piece: str, start: str = "", end: str = "") -> str:
    return start + piece * ((ROOM - len(start) - len(end)) // len(piece)) + end


def listed(item: str) -> str:
    return filled(f"{item},", "[", f"{item}]")


VALUES = {
    "zeros": listed("0"),
    "objects": listed("{}"),
    "lists": listed("[]"),
    "texts": listed('""'),
    "floats": listed("1e1"),
    "beyond a double": listed("1e999"),
    "long integers": listed("1" * 308),
    "escapes": filled(r"\u00e9", '"', '"'),
    "lone surrogates": filled(r"\ud800", '"', '"'),
    "a text": filled("a", '"', '"'),
    "white space": filled(" ", '"', '"'),
    "a fraction": filled("1", "0."),
    "an integer": filled("1"),
    "an exponent": filled("1", "1e-"),
    "fields": "{" + ",".join(f'"f{i}":0' for i in range(80_000)) + "}",
    "one field": filled('"a":0,', "{", '"a":0}'),
    "deep lists": "[" + ",".join(["[" * 400 + "]" * 400] * 1300) + "]",
    "a deep list": "[" * (ROOM // 2) + "]" * (ROOM // 2),
}
BODIES = {
    **VALUES,
    "brackets": filled("["),
    "colons": filled(":"),
    "commas": filled(","),
    "quotes": filled('"'),
    "single quotes": filled("'"),
    "backslashes": filled("\\", '"', '"'),
    "comments": filled("/**/"),
    "a comment": filled("*", "/", "/"),
    "slashes": filled("/"),
    "nothing": filled(" "),
}
IN_FIELDS = {
    "a payment's amount": ("POST", PAYMENTS, json.dumps(payment_of("LD-1001", "R", amount="VALUE"))),
    "a payment's date": ("POST", PAYMENTS, json.dumps(payment_of("LD-1001", "R", PaymentDate="VALUE"))),
    "a payment's note": ("POST", PAYMENTS, json.dumps(payment_of("LD-1001", "R", Note="VALUE"))),
    "the statuses of a search": ("POST", SEARCH, '{"CustomerId": "", "Status": "VALUE"}'),
    "the orders of a search": ("POST", SEARCH, '{"OrderNumbers": "VALUE"}'),
    "what no search has": ("POST", SEARCH, '{"LoadNumbers": ["LD-1001"], "X": "VALUE"}'),
    "the stops of a load": ("PUT", "/_mock/loads/X", '{"Status": "Invoiced", "Stops": "VALUE"}'),
    "the payments of a load": ("PUT", "/_mock/loads/X", '{"Status": "Invoiced", "payments": "VALUE"}'),
    "the delay of a fault": ("POST", "/_mock/faults", '{"delay": "VALUE"}'),
    "a clock": ("PATCH", "/_mock/clock", '{"move": "VALUE"}'),
}
WHOLE = {
    "a payment": ("POST", PAYMENTS),
    "a search": ("POST", SEARCH),
    "a fault": ("POST", "/_mock/faults"),
    "a load": ("PUT", "/_mock/loads/X"),
}
FORMS = ("a=&", "a&", "%41=1&", "%", "%41", "+", "client_id=x&")
JSON = "application/json"

REQUESTS: dict[str, Request] = {
    **{
        f"{where}: {what}": (method, path, template.replace('"VALUE"', value).encode(), JSON)
        for where, (method, path, template) in IN_FIELDS.items()
        for what, value in VALUES.items()
    },
    **{
        f"{where}: {what}": (method, path, body.encode(), JSON)
        for where, (method, path) in WHOLE.items()
        for what, body in BODIES.items()
    },
    **{f"a form: {piece}": ("POST", OAUTH, filled(piece).encode(), FORM) for piece in FORMS},
}


@cache
def app_of(profile: str) -> ASGIApp:
    settings = Settings(profile=profile, max_body=MIB + KIB)
    spec = served_spec(SPEC, settings)
    return Sandbox(spec, opening_loads(spec, [FIXTURES]), settings).app()


def exchange(app: ASGIApp, request: Request) -> tuple[int, bytes]:
    """The status and the body of a response, without a socket between."""
    method, path, body, media_type = request
    sent: list[Json] = []

    async def receive() -> Json:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Json) -> None:
        sent.append(message)

    async def run(scope: Json) -> None:
        await app(scope, receive, send)

    headers = [(b"host", b"localhost"), (b"content-type", media_type.encode())]
    address = ("127.0.0.1", 80)
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers}
    asyncio.run(run({**scope, "query_string": b"", "client": address, "server": address}))
    return sent[0]["status"], sent[1]["body"]


def cpu_of(app: ASGIApp, request: Request) -> float:
    """Seconds of CPU that a request takes."""
    started = time.thread_time()
    status, _ = exchange(app, request)
    assert status < 500
    return time.thread_time() - started


@pytest.mark.parametrize("profile", sorted(path.stem for path in PROFILES.glob("*.yaml")))
@pytest.mark.parametrize("where", [*IN_FIELDS, *WHOLE, "a form"])
def test_no_request_of_a_mebibyte_takes_long(where: str, profile: str) -> None:
    app, requests = app_of(profile), [name for name in REQUESTS if name.startswith(f"{where}: ")]
    # A tenth of a second on a machine that does nothing else; the dearest took 22 seconds.
    slow = [name for name in requests if cpu_of(app, REQUESTS[name]) > 0.3]
    assert [name for name in slow if min(cpu_of(app, REQUESTS[name]) for _ in range(5)) > 0.3] == []


def test_body_of_too_many_values_is_refused() -> None:
    for item in ("0", '"x,\\","', "{}", "[]"):
        for commas, expected in ((49_990, 200), (50_001, 400)):
            items = ",".join([item] * (commas - 1))
            body = f'{{"LoadNumbers": ["LD-1001"], "X": [{items}], "Y": 1}}'.encode()
            status, response = exchange(app_of("default"), ("POST", SEARCH, body, JSON))
            assert status == expected, item
        detail = checked_problem(response, status)["detail"]
        assert detail == "The request body can't be read as JSON: it has more than 50000 values."


@pytest.mark.parametrize("text", ["," * 500_000, "[" * 500_000, r"\"," * 150_000], ids=[",", "[", "escaped"])
def test_long_text_of_whatever_characters_is_taken(text: str) -> None:
    body = json.dumps(payment_of("LD-1001", "R", Note="NOTE")).replace("NOTE", text).encode()
    assert exchange(app_of("default"), ("POST", PAYMENTS, body, JSON))[0] == 200


def test_load_with_a_thousand_payments_can_be_put() -> None:
    payments = [payment_of("", str(i)) for i in range(1000)]
    for payment in payments:
        del payment["LoadNumber"]
    body = json.dumps({"Status": "Invoiced", "payments": payments}).encode()
    status, response = exchange(app_of("default"), ("PUT", "/_mock/loads/X", body, JSON))
    assert status == 200
    assert len(json_of(response)["payments"]) == 1000


@pytest.mark.parametrize("name", ["Status", "LoadNumbers", "OrderNumbers", "PONumbers"])
def test_search_takes_150_of_a_list(name: str, team: Team) -> None:
    item = "Cancelled" if name == "Status" else "x"
    assert team.client.post(SEARCH, json={name: [item] * 150}).status_code in (200, 404)
    refused = team.client.post(SEARCH, json={name: [item] * 151})
    assert json_of(refused.content)["errors"] == {name: [f"The {name} field must have at most 150 items."]}


def test_errors_of_a_long_body_are_told_as_far_as_a_hundred(team: Team) -> None:
    for statuses, told in (([0] * 30, 61), ([0] * 300, 100), ([0] * 30_000, 100), (["Paid"] * 30_000, 1)):
        refused = team.client.post(SEARCH, json={"CustomerId": "C", "Page": -1, "Status": statuses})
        errors = json_of(refused.content)["errors"]
        assert sum(map(len, errors.values())) in (told, told + 1), errors


def test_error_far_behind_in_a_long_body_is_told() -> None:
    body = json.dumps({"Status": "Invoiced", "Notes": [{"Note": "x"}] * 5000 + [1] * 1000})
    status, response = exchange(app_of("default"), ("PUT", "/_mock/loads/X", body.encode(), JSON))
    assert list(checked_problem(response, status)["errors"]) == ["Notes[5000]"]


def test_fault_with_hundreds_of_unknown_fields_names_some() -> None:
    body = json.dumps({"status": 500, **{f"f{i}": 0 for i in range(500)}}).encode()
    status, response = exchange(app_of("default"), ("POST", "/_mock/faults", body, JSON))
    assert len(checked_problem(response, status)["errors"]) == 100


def test_number_of_too_many_digits_is_refused() -> None:
    assert decode(b"0." + b"1" * 99_998)
    for number in (b"0." + b"1" * 100_000, b"1." + b"1" * MIB):
        with pytest.raises(NotJson, match="a number has more than 100000 digits"):
            decode(number)


def test_comments_are_read_as_far_as_anybody_writes_some() -> None:
    app, payment = app_of("newtonsoft"), json.dumps(payment_of("LD-1001", "R"))
    few, many = (f"{'/**/' * count}{payment}".encode() for count in (20_000, 40_000))
    assert exchange(app, ("POST", PAYMENTS, few, JSON))[0] == 200
    assert exchange(app, ("POST", PAYMENTS, many, JSON))[0] == 400


def test_long_body_without_an_error_has_none() -> None:
    [search] = [each for each in served_spec(SPEC, Settings()).operations if each.id == "searchLoads"]
    assert search.body is not None
    assert search.body.errors({"CustomerId": "C", "X": [0] * 5000}) == {}
