"""State that stays: in SQLite and in PostgreSQL, for one mock or several."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import httpx2
import psutil
import pytest
from sqlalchemy import Connection, text

from evaluation.durability.database import PostgreSQL
from mock_server import ledger_sql, transactions
from mock_server.answers.terms import terms_of
from mock_server.domain import TERMS, Load, LoadIdTaken, LoadNotFound, Money, Payment, Payments, Recording
from mock_server.ledger import Ledger, LoadFilter, MemoryLedger, UnusableState
from mock_server.ledger_sql import TO_CHANGE, SqlLedger
from mock_server.problems import StateUnavailable
from mock_server.sandbox import Settings, UnusableSetting
from mock_server.tables import key_of
from mock_server.testing import MockServer
from mock_server.transactions import Database, state_url
from tests.mock.api import LOADS, PAYMENTS, json_of, payment_of
from tests.mock.command import run, serving
from tests.mock.states import on_every_database, on_every_state

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
INVOICED = Load("i1", "L1", "O1", "Invoiced", "C1", JUNE, billed=Money(Decimal("100.30"), 840))
PAYMENT = Payment("R", Money(Decimal("0.10"), 840), "2026-07-01T15:30:00Z")


def on(
    state: str, work: Callable[[SqlLedger], Awaitable[None]], loads: Iterable[Load] = (INVOICED,), **more: Any
) -> None:
    """Does something with a ledger on a state, which stays."""

    async def run() -> None:
        ledger = SqlLedger(Database(state_url(state)), loads, **more)
        async with ledger.opened():
            await work(ledger)

    asyncio.run(run())


# --- what is kept -----------------------------------------------------------------------------------

LONG = "R" * 20_000
EXTREMES = [
    PAYMENT._replace(reference="nul \0 and \x01, a lone \ud800, a snowman \N{SNOWMAN}", note="\0"),
    PAYMENT._replace(reference=LONG, method="", check_number="\x010000"),
    PAYMENT._replace(reference="e", amount=Money(Decimal("1E+300"), 840)),
    PAYMENT._replace(reference="small", amount=Money(Decimal("5E-324"), 840)),
    PAYMENT._replace(reference="zeros", amount=Money(Decimal("12.500"), -1)),
    PAYMENT._replace(reference="places", amount=Money(Decimal("0." + "3" * 90_000), 840)),
    PAYMENT._replace(reference="currency", amount=Money(Decimal(10**308 + 1), 10**300)),
]


@on_every_database
def test_what_is_kept_is_what_was_recorded(state: str) -> None:
    """Any digits, any text, the first instant and the last."""
    odd = [
        replace(INVOICED, id="i\0", number=LONG, order_number=LONG, po_number=LONG, customer_id=LONG),
        replace(INVOICED, id="first", number="\ud800", created_at=datetime.min.replace(tzinfo=UTC)),
        replace(INVOICED, id="last", number="\0", created_at=datetime.max.replace(tzinfo=UTC)),
        replace(INVOICED, id="x", number="x", details={"A\0": [1, Decimal("1.50"), None, {"B": "\x01"}]}),
    ]
    memory = MemoryLedger([INVOICED, *odd], lambda: JUNE)

    async def pay(ledger: SqlLedger) -> None:
        for payment in EXTREMES:
            after = await ledger.record("L1", payment)
            there = await memory.record("L1", payment)
            assert repr(after.total_paid) == repr(there.total_paid)

    async def look(ledger: SqlLedger) -> None:
        found = await ledger.search(LoadFilter())
        known = {each.reference: each.id for each in found[0].payments.values()}
        there = await memory.search(LoadFilter())
        payments = [each._replace(id=known[each.reference]) for each in there[0].payments.values()]
        there[0] = replace(there[0], payments=Payments(Recording(payments)))
        assert found == there
        assert repr([dict(load.payments) for load in found]) == repr([dict(load.payments) for load in there])
        for number in (LONG, "\0", "\ud800"):
            assert (await ledger.load(number=number)).number == number
            assert [load.number for load in await ledger.search(LoadFilter(numbers=[number, "no"]))] == [
                number
            ]
        assert (await ledger.load(id="i\0")).number == LONG
        wanted = LoadFilter(order_numbers=[LONG, "\0"], customer_id=LONG)
        assert [load.number for load in await ledger.search(wanted)] == [LONG]
        edges = LoadFilter(created_from=datetime.min.replace(tzinfo=UTC), created_to=JUNE)
        assert len(await ledger.search(edges)) == 4

    on(state, pay, [INVOICED, *odd], clock=lambda: JUNE)
    on(state, look)


@on_every_database
def test_search_takes_more_values_than_a_statement_has_parameters(state: str) -> None:
    many = [f"O{number}" for number in range(70_000)]

    async def check(ledger: SqlLedger) -> None:
        assert len(await ledger.search(LoadFilter(order_numbers=many))) == 1

    on(state, check)


@on_every_database
def test_fixtures_are_the_opening_of_an_empty_state_only(state: str) -> None:
    async def pay(ledger: SqlLedger) -> None:
        assert ledger.notes == ()
        await ledger.record("L1", PAYMENT)

    async def look(ledger: SqlLedger) -> None:
        (note,) = ledger.notes
        assert note.startswith("it has 1 loads; the 2 of the fixtures are not added to them")
        assert [load.number for load in await ledger.search(LoadFilter())] == ["L1"]
        assert len((await ledger.load(number="L1")).payments) == 1
        await ledger.reset()
        assert [load.number for load in await ledger.search(LoadFilter())] == ["L1", "L2"]
        assert (await ledger.load(number="L1")).payments == {}

    two = [INVOICED, replace(INVOICED, id="i2", number="L2")]
    on(state, pay)
    on(state, look, two)


@on_every_database
def test_state_of_another_version_is_refused(state: str, postgresql: PostgreSQL) -> None:
    async def nothing(_ledger: SqlLedger) -> None:
        pass

    on(state, nothing)
    change = "UPDATE alvys_state SET version = 99"
    if state.startswith("sqlite"):
        with closing(sqlite3.connect(state.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(change)
    else:
        postgresql.do(change, database=str(state_url(state).database))
    with pytest.raises(UnusableState, match="has tables of version 99, and this program those of version 2"):
        on(state, nothing)


@on_every_database
def test_several_first_starts_at_once_open_one_state(state: str) -> None:
    loads = [replace(INVOICED, id=f"i{i}", number=f"L{i}") for i in range(20)]

    async def start() -> int:
        ledger = SqlLedger(Database(state_url(state)), loads)
        async with ledger.opened():
            return await ledger.count()

    async def run() -> list[int]:
        return await asyncio.gather(*(start() for _ in range(6)))

    assert asyncio.run(run()) == [20] * 6


def test_first_start_waits_for_another_one_that_has_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[Any] = []
    spawn = vars(transactions)["greenlet_spawn"]

    def spawned(*call: Any) -> Any:
        attempts.append(call)
        if len(attempts) == 2:
            other.execute("ROLLBACK")
        return spawn(*call)

    async def look(ledger: SqlLedger) -> None:
        assert await ledger.count() == 1

    monkeypatch.setattr(transactions, "greenlet_spawn", spawned)
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        on(f"sqlite:///{file}", look)
    assert len(attempts) >= 2


@on_every_database
def test_load_in_place_of_itself_has_its_own_payments(state: str) -> None:
    async def check(ledger: SqlLedger) -> None:
        await ledger.record("L1", PAYMENT)
        paid = INVOICED.with_payment(PAYMENT._replace(reference="other", id="p"), JUNE)
        await ledger.put(paid)
        assert await ledger.load(number="L1") == paid
        assert list((await ledger.record("L1", PAYMENT)).payments) == ["other", "R"]
        with pytest.raises(LoadIdTaken):
            await ledger.put(replace(INVOICED, number="L2"))
        await ledger.remove("L1")
        await ledger.put(INVOICED)
        assert (await ledger.load(number="L1")).payments == {}

    on(state, check)


# --- several at once ----------------------------------------------------------------------------------


@contextmanager
def replicas(state: str, count: int = 2, **settings: Any) -> "Iterator[list[MockServer]]":
    with ExitStack() as stack:
        yield [
            stack.enter_context(MockServer(settings=Settings(**settings), state=state)) for _ in range(count)
        ]


def post_at_once(mocks: list[MockServer], bodies: list[Any]) -> list[httpx2.Response]:
    """Posts each body to the next of the mocks, all at once."""
    with httpx2.Client(timeout=300) as client, ThreadPoolExecutor(len(bodies)) as pool:
        urls = [mocks[i % len(mocks)].url + PAYMENTS for i in range(len(bodies))]
        return list(pool.map(lambda url, body: client.post(url, json=body), urls, bodies))


@on_every_database
@pytest.mark.parametrize("references", [1, 10, 100])
def test_payments_at_once_are_recorded_once_each(state: str, references: int) -> None:
    """From two servers on one state: no payment is lost, none is doubled, the total is exact."""
    with replicas(state) as mocks:
        bodies = [payment_of("LD-1001", f"P{i % references}", 0.1) for i in range(100)]
        before = mocks[0].load("LD-1001")
        responses = post_at_once(mocks, bodies)
        assert [response.status_code for response in responses] == [200] * 100
        after = mocks[1].load("LD-1001")
        assert after == mocks[0].load("LD-1001")
        new = after["payments"][len(before["payments"]) :]
        assert {payment["ReferenceNumber"] for payment in new} == {f"P{i}" for i in range(references)}
        assert len(new) == references
        paid = before["totalPaid"]["Amount"] if before["totalPaid"] else 0
        assert after["totalPaid"]["Amount"] == paid + references * Decimal("0.1")
        ids = {payment["ReferenceNumber"]: payment["Id"] for payment in new}
        for body, response in zip(bodies, responses, strict=True):
            shown = {
                each["ReferenceNumber"]: each["Id"] for each in json_of(response.text)["CustomerPayments"]
            }
            assert shown[body["ReferenceNumber"]] == ids[body["ReferenceNumber"]]


@on_every_database
def test_reset_at_once_with_payments_loses_no_load(state: str) -> None:
    """A payment is before the reset, or after it: it never meets a state without loads."""
    with replicas(state) as mocks, ThreadPoolExecutor(1) as pool:
        resets = [pool.submit(mocks[1].reset) for _ in range(5)]
        bodies = [payment_of("LD-1001", f"P{i}") for i in range(40)]
        assert {response.status_code for response in post_at_once(mocks, bodies)} == {200}
        for reset in resets:
            reset.result()
        mocks[0].reset()
        assert "P" not in {each["ReferenceNumber"][0] for each in mocks[1].load("LD-1001")["payments"]}


@on_every_database
def test_load_put_at_once_is_there_once(state: str) -> None:
    with replicas(state) as mocks, ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda i: mocks[i % 2].add_load("NEW", OrderNumber=f"O{i}"), range(20)))
        (load,) = mocks[0]._do(mocks[0].admin.ledger.search(LoadFilter(numbers=["NEW"])))  # noqa: SLF001
        assert load.order_number.startswith("O")


def profile(folder: Path, **answers: str) -> str:
    path = folder / "profile.json"
    path.write_text(json.dumps({"answers": answers}))
    return str(path)


@on_every_state
def test_answer_that_looks_at_other_loads_holds_at_once(state: str, tmp_path: Path) -> None:
    """A reference that may be used on one load only is, whichever of two mocks is asked."""
    numbers = ["LD-1001", "LD-1002", "LD-1003", "LD-1004"]
    with replicas(state, 1 if state == "memory" else 2, profile=profile(tmp_path, A8="409")) as mocks:
        responses = post_at_once(mocks, [payment_of(number, "ONE") for number in numbers * 5])
        assert sorted({response.status_code for response in responses}) == [200, 409]
        loads = [mocks[0].load(number) for number in numbers]
        recorded = [each for load in loads for each in load["payments"] if each["ReferenceNumber"] == "ONE"]
        assert len(recorded) == 1
        assert [response.status_code for response in responses].count(200) == 5


@on_every_state
def test_new_payment_is_told_from_a_replay_at_once(state: str, tmp_path: Path) -> None:
    settings = {"profile": profile(tmp_path, A6="200, the original in another list and status")}
    with replicas(state, 1 if state == "memory" else 2, **settings) as mocks:
        before = len(mocks[0].load("LD-1002")["payments"])
        responses = post_at_once(mocks, [payment_of("LD-1002", "ONE")] * 10)
        shown = sorted(len(json_of(response.text)["CustomerPayments"]) for response in responses)
        assert before > 0
        assert shown == [1] * 9 + [before + 1]


@on_every_state
def test_currency_that_is_left_out_is_that_of_the_load_at_once(state: str) -> None:
    """Of a load that nothing was billed on: that of the first payment, which says one."""
    with replicas(state, 1 if state == "memory" else 2, revision="2026-07") as mocks:
        mocks[0].add_load("NEW")
        bodies = [payment_of("NEW", f"P{i}", currency=124) for i in range(10)]
        for body in bodies[5:]:
            del body["Amount"]["Currency"]
        post_at_once(mocks, bodies)
        assert {load["TotalPaid"]["Amount"] for load in [mock.load("NEW") for mock in mocks]} == {10}


@on_every_database
def test_references_are_unique_as_the_terms_compare_them(state: str) -> None:
    """Whatever terms recorded a payment before, those of now are what counts."""
    same = "the same payment"
    exact, folded, stripped = TERMS, terms_of({"A9a": same}), terms_of({"A9b": same})

    def recorded(reference: str, count: int) -> Callable[[SqlLedger], Awaitable[None]]:
        async def record(ledger: SqlLedger) -> None:
            after = await ledger.record("L1", PAYMENT._replace(reference=reference))
            assert len(after.payments) == count

        return record

    on(state, recorded("A", 1), terms=folded)
    on(state, recorded("a", 1), terms=folded)
    on(state, recorded("a", 2), terms=exact)
    on(state, recorded(" a", 3), terms=exact)
    on(state, recorded("a ", 3), terms=stripped)
    on(state, recorded(" A", 3), terms=folded)
    on(state, recorded("A ", 4), terms=folded)
    on(state, recorded("a  ", 4), terms=stripped)


@on_every_database
def test_database_itself_refuses_what_must_be_unique(state: str) -> None:
    async def check(ledger: SqlLedger) -> None:
        await ledger.record("L1", PAYMENT)
        await ledger.put(replace(INVOICED, id="i2", number="L2"))
        copied = "SELECT load, edition, 7, reference_key, 'x', reference, date FROM alvys_payments"
        for statement in (
            "UPDATE alvys_loads SET number_key = (SELECT max(number_key) FROM alvys_loads)",
            "UPDATE alvys_loads SET id_key = (SELECT max(id_key) FROM alvys_loads)",
            f"INSERT INTO alvys_payments (load, edition, place, reference_key, id, reference, date) {copied}",
        ):
            with pytest.raises(StateUnavailable, match=r"(?i)unique"):
                await ledger.database.write(partial(Connection.execute, statement=text(statement)))

    on(state, check)


@on_every_database
def test_ledger_sees_what_another_one_changed(state: str) -> None:
    """Though it keeps the payments that it has read."""

    async def check(ours: SqlLedger) -> None:
        theirs = SqlLedger(Database(state_url(state)), [])
        async with theirs.opened():
            for turn in range(3):
                for one, other in ((ours, theirs), (theirs, ours)):
                    after = await one.record("L1", PAYMENT._replace(reference=f"{turn} {one is ours}"))
                    assert await other.load(number="L1") == after
            await theirs.put(INVOICED)
            assert await ours.load(number="L1") == INVOICED
            await theirs.set_status("L1", "Paid")
            assert (await ours.search(LoadFilter(statuses=["Paid"]))) == [replace(INVOICED, status="Paid")]
            await theirs.remove("L1")
            with pytest.raises(LoadNotFound):
                await ours.record("L1", PAYMENT)

    on(state, check)


@on_every_database
def test_what_was_read_a_moment_ago_is_a_load_of_that_moment(state: str) -> None:
    async def check(ledger: SqlLedger) -> None:
        await ledger.record("L1", PAYMENT)
        row = await ledger.database.write(
            lambda connection: connection.execute(TO_CHANGE, {"key": key_of("L1")}).one()
        )
        await ledger.record("L1", PAYMENT._replace(reference="later"))
        before = await ledger.database.read(lambda connection: ledger._payments_of(connection, row))  # noqa: SLF001
        assert list(before) == ["R"]

    on(state, check)


@on_every_database
def test_what_is_undivided_is_one_transaction_however_deep(state: str) -> None:
    async def check(ledger: SqlLedger) -> None:
        async def pay(reference: str) -> int:
            return len((await ledger.record("L1", PAYMENT._replace(reference=reference))).payments)

        async def fail() -> None:
            assert await pay("A") == 1
            assert await ledger.undivided(partial(pay, "B")) == 2
            raise LoadNotFound

        with pytest.raises(LoadNotFound):
            await ledger.undivided(fail)
        assert await pay("C") == 1
        assert list((await ledger.load(number="L1")).payments) == ["C"]

    on(state, check)


@on_every_database
def test_reset_is_told_to_what_else_remembers_loads(state: str) -> None:
    async def check(ledger: SqlLedger) -> None:
        told: list[str] = []
        ledger.on_reset.append(partial(told.append, "reset"))
        await ledger.reset()
        assert told == ["reset"]

    on(state, check)


@on_every_database
def test_many_loads_are_kept_in_mind_but_not_all(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_sql, "_MOST_KEPT", 2)
    loads = [replace(INVOICED, id=f"i{i}", number=f"L{i}") for i in range(4)]

    async def check(ledger: SqlLedger) -> None:
        for turn in range(2):
            for load in loads:
                after = await ledger.record(load.number, PAYMENT._replace(reference=str(turn)))
                assert len(after.payments) == turn + 1

    on(state, check, loads)


# --- what can go wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("nonsense", "state: it must be memory, sqlite:///FILE or postgresql://"),
        (
            "mysql://me:secret@host/db?password=secret",
            "state: mysql://me:***@host/db is not memory, sqlite:///",
        ),
        ("sqlite://", "state: sqlite:// is not memory"),
        ("sqlite:///:memory:", "is not memory"),
        ("postgresql://me:secret@host:port/db", "state: it must be memory"),
    ],
)
def test_setting_that_names_no_state_is_refused(setting: str, sentence: str) -> None:
    with pytest.raises(UnusableSetting) as refused:
        MockServer(state=setting)
    assert sentence in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
        ("postgresql://me:secret@127.0.0.1:1/db", "Connect"),
        ("postgresql://me:secret@127.0.0.1:1/db?no_such=option&sslmode=disable", "no_such"),
    ],
)
def test_state_that_cannot_be_opened_is_refused(
    setting: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UnusableState) as refused, MockServer(state=setting):
        pass
    assert " can't be used: " in str(refused.value)
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value) + caplog.text


def test_without_the_extra_the_state_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mock_server.transactions", None)
    with pytest.raises(UnusableSetting, match=r"pip install 'alvys-sandbox\[state\]'"):
        MockServer(state="sqlite:///x.db")


def pay(mock: MockServer, reference: str, number: str = "LD-1001") -> httpx2.Response:
    return httpx2.post(mock.url + PAYMENTS, json=payment_of(number, reference), timeout=300)


def is_unavailable(response: httpx2.Response, reason: str) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["retry-after"] == "1"
    assert response.headers["content-type"] == "application/problem+json"
    problem = json_of(response.text)
    assert problem["type"] == "https://tools.ietf.org/html/rfc9110#section-15.6.4"
    assert problem["title"] == "Service Unavailable"
    assert reason in problem["detail"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 1)
    monkeypatch.setattr(transactions, "_LONGEST", 3)


def references(mock: MockServer, number: str = "LD-1001") -> list[str]:
    return [payment["ReferenceNumber"] for payment in mock.load(number)["payments"]]


@pytest.mark.usefixtures("impatient")
def test_mock_outlives_its_postgresql(mortal: PostgreSQL) -> None:
    with MockServer(state=mortal.url("postgres")) as mock:
        assert pay(mock, "P1").status_code == 200
        mortal.server.stop()
        is_unavailable(pay(mock, "P2"), "can't be used now: ")
        is_unavailable(httpx2.get(mock.url + LOADS, params={"loadNumber": "LD-1001"}), "can't be used now: ")
        mortal.server.start()
        assert references(mock) == ["P1"]
        assert pay(mock, "P2").status_code == 200
        assert references(mock) == ["P1", "P2"]


@pytest.mark.usefixtures("impatient")
def test_restart_of_postgresql_between_two_payments_is_not_noticed(mortal: PostgreSQL) -> None:
    with MockServer(state=mortal.url("postgres")) as mock:
        assert pay(mock, "P1").status_code == 200
        mortal.server.stop()
        mortal.server.start()
        assert pay(mock, "P2").status_code == 200


def test_connection_that_postgresql_says_it_ends_is_not_used_again(postgresql: PostgreSQL) -> None:
    """Not even in the moment between the two, in which the driver has another error for it."""
    said = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"

    async def check(ledger: SqlLedger) -> None:
        database: Any = ledger.database
        (first,) = await database.look("SELECT pg_backend_pid()")
        protocol = database._looking._protocol  # noqa: SLF001
        protocol.data_received(b"E%b%b" % ((len(said) + 4).to_bytes(4), said))
        (second,) = await database.look("SELECT pg_backend_pid()")
        assert second != first

    with postgresql.database() as url:
        on(url, check)


@pytest.mark.usefixtures("impatient")
def test_postgresql_that_hangs_keeps_nobody_waiting_for_ever(mortal: PostgreSQL) -> None:
    with MockServer(state=mortal.url("postgres")) as mock, ThreadPoolExecutor(30) as pool:
        assert pay(mock, "P0").status_code == 200
        leader = psutil.Process(mortal.server.get_pid())
        family = [leader, *leader.children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            responses = list(pool.map(lambda i: pay(mock, f"P{i}"), range(1, 31)))
        finally:
            for process in family:
                process.resume()
        for response in responses:
            is_unavailable(response, "can't be used now: ")
        again = [pay(mock, f"P{i}").status_code for i in range(1, 31)]
        assert again == [200] * 30
        assert sorted(references(mock)) == sorted(f"P{i}" for i in range(31))


@pytest.mark.usefixtures("impatient")
def test_lock_that_is_not_let_go_of_is_waited_for_and_then_refused(postgresql: PostgreSQL) -> None:
    with postgresql.database() as url, MockServer(state=url) as mock:

        async def hold() -> None:
            connection = await asyncpg.connect(
                user="postgres", database=state_url(url).database, host=str(postgresql.socket)
            )
            async with connection.transaction():
                await connection.execute("SELECT 1 FROM alvys_loads WHERE number = 'LD-1001' FOR UPDATE")
                with ThreadPoolExecutor(2) as pool:
                    held, free = pool.submit(pay, mock, "P"), pool.submit(pay, mock, "P", "LD-1002")
                    assert free.result().status_code == 200
                    is_unavailable(held.result(), "lock timeout")
            await connection.close()

        asyncio.run(hold())
        assert pay(mock, "P").status_code == 200


@pytest.mark.usefixtures("impatient")
def test_transaction_that_another_one_keeps_from_ending_is_tried_again(postgresql: PostgreSQL) -> None:
    """As often as there is hope: here, until it has been in the way for the last time."""
    with postgresql.database() as url:
        turns: list[int] = []

        async def check(ledger: SqlLedger) -> None:
            def deadlocked(connection: Connection) -> int:
                turns.append(1)
                if len(turns) < limit:
                    connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))
                return len(turns)

            limit = 3
            assert await ledger.database.write(deadlocked) == 3
            limit = 100
            turns.clear()
            with pytest.raises(StateUnavailable):
                await ledger.database.write(deadlocked)
            assert len(turns) == 5

        on(url, check)


@pytest.mark.usefixtures("impatient")
def test_more_payments_than_connections_wait_and_are_then_refused(postgresql: PostgreSQL) -> None:
    with postgresql.database() as url:

        async def check(ledger: SqlLedger) -> None:
            hour = text("SELECT pg_sleep(2.5)")
            slow = [
                asyncio.create_task(ledger.database.read(partial(Connection.execute, statement=hour)))
                for _ in range(10)
            ]
            await asyncio.sleep(0)
            with pytest.raises(StateUnavailable, match="all its connections are busy"):
                await ledger.count()
            await asyncio.gather(*slow, return_exceptions=True)
            assert await ledger.count() == 1

        on(url, check)


@pytest.mark.usefixtures("impatient")
def test_locked_file_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with MockServer(state=f"sqlite:///{file}") as mock:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            is_unavailable(pay(mock, "P"), "database is locked")
        assert pay(mock, "P").status_code == 200
        assert references(mock) == ["P"]


@pytest.mark.parametrize(
    ("pragma", "undo", "reason"),
    [
        ("query_only = ON", "query_only = OFF", "attempt to write a readonly database"),
        ("max_page_count = 1", "max_page_count = 1000000", "database or disk is full"),
    ],
    ids=["read-only", "full"],
)
def test_file_that_takes_nothing_more_is_a_clear_refusal(
    tmp_path: Path, pragma: str, undo: str, reason: str
) -> None:
    with MockServer(state=f"sqlite:///{tmp_path / 'state.db'}") as mock:
        assert pay(mock, "P0").status_code == 200
        ledger: Any = mock.admin.ledger

        def switch(statement: str) -> None:
            def change(connection: Connection) -> None:
                connection.exec_driver_sql(f"PRAGMA {statement}")

            mock._do(ledger.database.read(change))  # noqa: SLF001

        switch(pragma)
        refused = [pay(mock, f"P{i}" + "x" * 3000) for i in range(1, 9)]
        is_unavailable(refused[-1], reason)
        assert {response.status_code for response in refused} <= {200, 503}
        kept = references(mock)
        assert len(kept) == 1 + [response.status_code for response in refused].count(200)
        switch(undo)
        assert pay(mock, "again").status_code == 200
        assert references(mock) == [*kept, "again"]


def test_command_says_what_keeps_the_loads(tmp_path: Path) -> None:
    options = ("--port", "0", "--state", f"sqlite:///{tmp_path / 'state.db'}")
    with serving(*options) as first:
        httpx2.post(first.url + PAYMENTS, json=payment_of("LD-1001", "P")).raise_for_status()
        out, err, code = first.end(signal.SIGTERM)
        assert f"State: sqlite:///{tmp_path}/state.db" in first.greeting + out
        assert "not added" not in first.greeting + out
        assert (err, code) == ("", 0)
    with serving(*options) as second:
        load = json_of(httpx2.get(second.url + LOADS, params={"loadNumber": "LD-1001"}).text)
        assert [payment["ReferenceNumber"] for payment in load["payments"]] == ["P"]
        out, _, _ = second.end(signal.SIGTERM)
        assert "it has 21 loads; the 21 of the fixtures are not added to them" in second.greeting + out


def test_reload_is_for_what_is_in_memory(tmp_path: Path) -> None:
    ended = run("--port", "0", "--reload", "--state", f"sqlite:///{tmp_path / 'state.db'}")
    assert ended.returncode == 2
    assert "--reload and --state can't be combined." in ended.stderr


@on_every_state
def test_load_that_may_be_meant_is_named(state: str) -> None:
    """By its number in other case or with white space, its id, or its order number."""

    async def check(ledger: Ledger) -> None:
        for number, near in ((" l1 ", "L1"), ("i1", "L1"), ("O1", "L1"), ("no", None), ("l" * 300, None)):
            with pytest.raises(LoadNotFound) as missing:
                await ledger.record(number, PAYMENT)
            assert missing.value.near == near

    async def run_in_memory() -> None:
        await check(MemoryLedger([INVOICED]))

    asyncio.run(run_in_memory()) if state == "memory" else on(state, check)


@on_every_database
def test_loads_are_restored_in_place_of_all(state: str) -> None:
    async def check(ledger: SqlLedger) -> None:
        await ledger.record("L1", PAYMENT)
        kept = await ledger.search(LoadFilter())
        await ledger.restore([replace(INVOICED, id="i2", number="L2")])
        assert [load.number for load in await ledger.search(LoadFilter())] == ["L2"]
        await ledger.restore(kept)
        assert await ledger.search(LoadFilter()) == kept
        await ledger.reset()
        assert await ledger.search(LoadFilter()) == [INVOICED]

    on(state, check)


def test_command_refuses_a_state_that_cannot_be_opened() -> None:
    ended = run("--port", "0", "--state", "postgresql://me:secret@127.0.0.1:1/db")
    assert ended.returncode == 2
    assert "Error: state: postgresql://me:***@127.0.0.1:1/db can't be used: " in ended.stderr
    assert "secret" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
