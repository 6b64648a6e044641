"""The ledger finds and searches loads, whatever keeps them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server.domain import Load, LoadIdTaken, LoadNotFound, Money, Payment
from mock_server.ledger import MEMORY, Ledger, LoadFilter, MemoryLedger, Page
from mock_server.ledger_sql import SqlLedger
from mock_server.transactions import Database, state_url
from tests.mock.api import SEARCH, Api, json_of
from tests.mock.states import on_every_database, on_every_state

JUNE, JULY, AUGUST = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 8))
LOADS = [
    Load("i1", "L1", "O1", "Invoiced", "C1", JUNE, po_number="P1"),
    Load("i2", "L2", "O1", "Paid", "C1", JULY),
    Load("i3", "L3", "O3", "Paid", "C2", AUGUST, po_number="P3"),
]


PAYMENT = Payment("first", Money(Decimal(1), 840), "2026-07-01T00:00:00Z")


def on(state: str, loads: Iterable[Load], work: Callable[[Ledger], Awaitable[None]]) -> None:
    """Does something with a ledger on a state."""
    ledger = MemoryLedger(loads) if state == MEMORY else SqlLedger(Database(state_url(state)), loads)

    async def run() -> None:
        async with ledger.opened():
            await work(ledger)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "123"),
        ({"statuses": ["Paid"]}, "23"),
        ({"statuses": ["Paid", "Invoiced"]}, "123"),
        ({"numbers": ["L3", "L1", "L3", "nope"]}, "31"),
        ({"numbers": ["L1", "L3"], "statuses": ["Paid"]}, "3"),
        ({"order_numbers": ["O1"]}, "12"),
        ({"po_numbers": ["P1", "P3"]}, "13"),
        ({"po_numbers": ["P1"], "customer_id": "C2"}, ""),
        ({"customer_id": "C1"}, "12"),
        ({"created_from": JULY}, "23"),
        ({"created_to": JULY}, "12"),
        ({"created_from": JULY, "created_to": JULY}, "2"),
    ],
)
@on_every_state
def test_search_passes_what_every_filter_passes(state: str, wanted: dict[str, Any], found: str) -> None:
    async def check(ledger: Ledger) -> None:
        search = LoadFilter(**wanted)
        loads = await ledger.search(search)
        assert [load.number for load in loads] == [f"L{number}" for number in found]
        assert await ledger.page(search, 1, 1) == Page(len(loads), loads[1:2])
        assert await ledger.page(search, 10**30, 10**30) == Page(len(loads), [])

    on(state, LOADS, check)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"id": "i2"}, "L2"),
        ({"number": "L3"}, "L3"),
        ({"order_number": "O1"}, "L1"),
        ({"id": "i2", "order_number": "O1"}, "L2"),
        ({"id": "i3", "number": "L3", "order_number": "O3"}, "L3"),
        ({"id": "i3", "number": "L1"}, None),
        ({"number": "L1", "order_number": "O3"}, None),
        ({"id": "L1"}, None),
        ({"number": "l1"}, None),
        ({"order_number": "O2"}, None),
        ({}, None),
    ],
)
@on_every_state
def test_load_has_every_key_given(state: str, keys: dict[str, str], found: str | None) -> None:
    async def check(ledger: Ledger) -> None:
        if found is None:
            with pytest.raises(LoadNotFound, match=r"No load matches the request\."):
                await ledger.load(**keys)
        else:
            assert (await ledger.load(**keys)).number == found

    on(state, LOADS, check)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"CustomerId": "CUS-300", "Status": ["Invoiced", "In Transit"]}, ["LD-1003", "LD-1015"]),
        ({"PONumbers": ["PO-88120"], "LoadNumbers": None, "Status": []}, ["LD-1001"]),
        ({"OrderNumbers": ["ORD-7002", "ORD-7001"]}, ["LD-1001", "LD-1002"]),
        ({"LoadNumbers": ["LD-1002", "LD-1001"], "Page": 1, "PageSize": 1}, ["LD-1001"]),
        ({"CustomerId": "CUS-100", "DateRange": {"Start": "2026-06-01T12:00:01Z"}}, ["LD-1001"]),
        (
            {
                "LoadNumbers": ["LD-1001", "LD-1002"],
                "DateRange": {"Start": None, "End": "2026-06-08T16:05:00+02:00"},
            },
            ["LD-1001", "LD-1002"],
        ),
        ({"LoadNumbers": ["LD-1001"], "DateRange": None}, ["LD-1001"]),
    ],
)
def test_search_over_the_wire(shipped: Api, wanted: object, numbers: list[str]) -> None:
    response = shipped.post(wanted, path=SEARCH)
    assert response.status_code == 200
    response = json_of(response.text)
    assert [item["LoadNumber"] for item in response["Items"]] == numbers
    assert response["Items"][0] == shipped.load(numbers[0])


def test_page_says_where_it_is(shipped: Api) -> None:
    everything = {"Status": ["Invoiced", "Completed", "Financed"]}
    page = json_of(shipped.post({**everything, "Page": 2, "PageSize": 3}, path=SEARCH).text)
    assert {name: page[name] for name in ("Page", "PageSize", "Total")} == {
        "Page": 2,
        "PageSize": 3,
        "Total": 8,
    }
    assert len(page["Items"]) == 2
    whole = json_of(shipped.post(everything, path=SEARCH).text)
    assert (whole["Page"], whole["PageSize"], len(whole["Items"])) == (0, 20, 8)


@on_every_state
def test_load_that_is_not_there_cannot_be_removed(state: str) -> None:
    async def check(ledger: Ledger) -> None:
        with pytest.raises(LoadNotFound):
            await ledger.remove("nope")

    on(state, [], check)


LETTERS = st.sampled_from("abc")
PUTS = st.builds(
    lambda number, key, order, status, customer, po_number: Load(
        key, number, order, status, customer, JUNE, po_number, Money(Decimal(1), 840)
    ),
    LETTERS,
    LETTERS,
    LETTERS,
    st.sampled_from(["Invoiced", "Paid"]),
    LETTERS,
    LETTERS | st.none(),
)
SOME = st.lists(LETTERS, max_size=2)
FILTERS = st.builds(
    LoadFilter,
    statuses=st.lists(st.sampled_from(["Invoiced", "Paid", "Completed"]), max_size=2),
    numbers=SOME,
    order_numbers=SOME,
    po_numbers=SOME,
    customer_id=LETTERS | st.none(),
    created_from=st.sampled_from([None, None, JUNE, JULY]),
)
CHANGES = PUTS | st.tuples(st.sampled_from(["pay", "remove", "Invoiced", "Paid"]), LETTERS) | st.just("reset")


class Looking:
    """A ledger, and the loads that it should have, by number."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.loads = {load.number: load for load in LOADS}

    async def change(self, change: Any) -> None:
        if isinstance(change, Load):
            await self._put(change)
        elif change == "reset":
            await self.ledger.reset()
            self.loads = {load.number: load for load in LOADS}
        elif change[1] in self.loads:
            await self._change_one(*change)
        else:
            with pytest.raises(LoadNotFound):
                await self.ledger.set_status(change[1], "Paid")

    async def _put(self, load: Load) -> None:
        if any(other.id == load.id and other.number != load.number for other in self.loads.values()):
            with pytest.raises(LoadIdTaken):
                await self.ledger.put(load)
        else:
            await self.ledger.put(load)
            self.loads[load.number] = load

    async def _change_one(self, what: str, number: str) -> None:
        if what == "remove":
            await self.ledger.remove(number)
            del self.loads[number]
        elif what != "pay":
            self.loads[number] = await self.ledger.set_status(number, what)
        elif self.loads[number].status == "Invoiced":
            self.loads[number] = await self.ledger.record(number, Payment("R", Money(Decimal(1), 840), ""))

    async def check(self, wanted: LoadFilter) -> None:
        found = [load for load in self.loads.values() if wanted.accepts(load)]
        if wanted.numbers:
            found.sort(key=lambda load: list(wanted.numbers).index(load.number))
        assert await self.ledger.search(wanted) == found
        assert await self.ledger.search(LoadFilter()) == list(self.loads.values())
        assert await self.ledger.count() == len(self.loads)
        assert await self.ledger.statuses() == Counter(load.status for load in self.loads.values())


async def compare(ledger: Ledger, changes: list[Any], filters: list[LoadFilter]) -> None:
    await ledger.reset()
    looking = Looking(ledger)
    for change in changes:
        await looking.change(change)
        for wanted in filters:
            await looking.check(wanted)
        for load in {load.order_number: load for load in [*looking.loads.values()][::-1]}.values():
            assert await looking.ledger.load(order_number=load.order_number) == load


MANY_CHANGES, SOME_FILTERS = st.lists(CHANGES, max_size=12), st.lists(FILTERS, min_size=1, max_size=3)


@given(MANY_CHANGES, SOME_FILTERS)
def test_search_finds_what_looking_at_every_load_finds(changes: list[Any], filters: list[LoadFilter]) -> None:
    on(MEMORY, LOADS, partial(compare, changes=changes, filters=filters))


@on_every_database
@given(MANY_CHANGES, SOME_FILTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_search_in_a_database_finds_what_looking_at_every_load_finds(
    state: str, changes: list[Any], filters: list[LoadFilter]
) -> None:
    on(state, LOADS, partial(compare, changes=changes, filters=filters))


@pytest.mark.parametrize(
    ("wanted", "looked_at"),
    [
        ({"statuses": ["Paid"]}, 0),
        ({"order_numbers": ["O7"]}, 0),
        ({"customer_id": "C7"}, 0),
        ({"po_numbers": ["P7"]}, 0),
        ({"customer_id": "C7", "statuses": ["Invoiced"]}, 10),
        ({"order_numbers": ["O7", "O8"], "customer_id": "C7", "statuses": ["Invoiced"]}, 2),
        ({"customer_id": "C7", "created_from": JULY}, 10),
    ],
)
def test_search_looks_at_few_loads(
    wanted: dict[str, Any], looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = MemoryLedger(
        Load(f"i{i}", f"L{i}", f"O{i}", "Invoiced", f"C{i % 100}", JUNE, f"P{i}") for i in range(1000)
    )
    seen: list[str] = []
    accepts = LoadFilter.accepts

    def looks(wanted: LoadFilter, load: Load) -> bool:
        seen.append(load.number)
        return accepts(wanted, load)

    monkeypatch.setattr(LoadFilter, "accepts", looks)
    asyncio.run(ledger.search(LoadFilter(**wanted)))
    assert len(seen) == looked_at


@on_every_state
def test_changes_are_told_once_they_are_made(state: str) -> None:
    """Also those of a longer transaction; a replay is none."""
    told: list[tuple[int, str, int, str]] = []

    def tell(before: Load, after: Load) -> None:
        told.append((len(before.payments), before.status, len(after.payments), after.status))

    async def check(ledger: Ledger) -> None:
        ledger.on_change.append(tell)

        async def twice() -> None:
            await ledger.record("L1", PAYMENT)
            await ledger.record("L1", PAYMENT._replace(reference="second"))

        await ledger.record("L1", PAYMENT)
        await ledger.undivided(twice)
        await ledger.set_status("L1", "Financed")

    on(state, LOADS, check)
    assert told == [
        (0, "Invoiced", 1, "Invoiced"),
        (1, "Invoiced", 2, "Invoiced"),
        (2, "Invoiced", 2, "Financed"),
    ]
