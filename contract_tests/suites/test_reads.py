"""Loads and invoices are read and searched. Nothing is written."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.invoices import loads_of, objects_in
from contract_tests.rules.paths import LOADS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, items_of, load_of, problem_of
from contract_tests.rules.values import date_time
from contract_tests.run.target import Target
from contract_tests.suites.api import Api
from contract_tests.suites.cases import UNKNOWN_LOAD
from contract_tests.suites.invoices import PAGE_SIZE, Invoices
from contract_tests.suites.needs import give_up
from contract_tests.suites.requests import read_request, search_request

pytestmark = pytest.mark.suite("reads")
published = pytest.mark.published
assumed = pytest.mark.assumed
SEVERAL = 3


def get(api: Api, *query: tuple[str, str], path: str = LOADS_PATH) -> Exchange:
    """A load read by any keys."""
    return api.send(read_request(*query, path=path))


def search(api: Api, **fields: object) -> Exchange:
    """A search with these fields."""
    return api.send(search_request(**fields))


@pytest.fixture
def load(api: Api) -> LoadView:
    """A load that the target offers."""
    for numbers in api.loads.values():
        for number in numbers:
            view = api.view(number)
            if view is not None:
                return view
    return give_up("no load is nominated")


@published("P1", "P4")
def test_every_offered_load_is_read_by_its_number(api: Api, load: LoadView) -> None:
    assert load
    for numbers in api.loads.values():
        for number in numbers[:2]:
            api.load(number)


@pytest.mark.documented("R6", "R7")
def test_what_is_recorded_on_the_offered_loads_adds_up(api: Api) -> None:
    views = [api.load(number) for numbers in api.loads.values() for number in numbers]
    if not any(view.payments for view in views):
        pytest.skip("no payment is recorded on the loads")


@published("P1")
@pytest.mark.parametrize("key", ["id", "loadNumber", "orderNumber"])
def test_each_key_names_the_load(api: Api, load: LoadView, key: str) -> None:
    value = {"id": load.id, "loadNumber": load.number, "orderNumber": str(load.fields["OrderNumber"])}[key]
    if not value.strip():
        pytest.skip(f"the load has no {key}")
    exchange = get(api, (key, value))
    api.require("P1", exchange, exchange.response.status == 200, f"200 for {key} {value}")
    found = _load(api, exchange)
    same = found.fields["OrderNumber"] == value if key == "orderNumber" else found.number == load.number
    api.require("P1", exchange, same, f"the load with {key} {value}")


@published("P1")
def test_all_keys_together_name_the_load(api: Api, load: LoadView) -> None:
    order = str(load.fields["OrderNumber"])
    exchange = get(api, ("id", load.id), ("loadNumber", load.number), ("orderNumber", order))
    api.require("P1", exchange, exchange.response.status == 200, "200")
    api.require("P1", exchange, _load(api, exchange).number == load.number, f"load {load.number}")


@published("P1")
def test_loads_are_told_apart(api: Api, load: LoadView) -> None:
    views = [api.load(numbers[0]) for numbers in api.loads.values() if numbers]
    ids, verdict = {view.id for view in views}, Verdict()
    verdict.require("P1", len(ids) == len(views), "an id for each load", ", ".join(sorted(ids)))
    api.take(verdict)
    assert load.id


@published("P3")
@pytest.mark.parametrize("key", ["id", "loadNumber", "orderNumber"])
def test_an_unknown_load_is_not_found(api: Api, key: str) -> None:
    exchange = get(api, (key, UNKNOWN_LOAD))
    api.require("P3", exchange, exchange.response.status == 404, "404")
    api.findings.observes("A2e", problem_of(exchange.response))


@published("P2")
def test_a_read_without_a_key_is_refused(api: Api) -> None:
    exchange = get(api)
    api.require("P2", exchange, exchange.response.status == 400, "400")


@published("P2")
def test_a_read_with_only_an_unknown_key_is_refused(api: Api) -> None:
    exchange = get(api, ("number", UNKNOWN_LOAD))
    api.require("P2", exchange, exchange.response.status == 400, "400")


@assumed("Q14")
@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("key", ["id", "loadNumber", "orderNumber"])
def test_a_blank_key_names_no_load(api: Api, key: str, value: str) -> None:
    exchange = get(api, (key, value))
    api.observe("Q14", exchange)


@assumed("Q15")
def test_keys_of_different_loads(api: Api, load: LoadView) -> None:
    api.observe("Q15", get(api, ("id", UNKNOWN_LOAD), ("loadNumber", load.number)))
    api.observe("Q15", get(api, ("loadNumber", load.number), ("orderNumber", UNKNOWN_LOAD)))
    other = next((one for some in api.loads.values() for one in some if one != load.number), None)
    order = str(load.fields["OrderNumber"])
    if other is not None:
        by_order = (("orderNumber", order),) if order.strip() else ()
        api.observe("Q15", get(api, ("id", load.id), ("loadNumber", other), *by_order))


@assumed("Q16")
def test_a_number_in_other_case(api: Api, load: LoadView) -> None:
    if load.number.swapcase() == load.number:
        pytest.skip("the load number has no letters")
    api.observe("Q16", get(api, ("loadNumber", load.number.swapcase())))


@published("P5")
def test_a_search_by_number_finds_the_load(api: Api, load: LoadView) -> None:
    exchange = search(api, Page=0, PageSize=10, LoadNumbers=[load.number])
    api.require("P5", exchange, [one.number for one in _hits(api, exchange)] == [load.number], load.number)
    api.require("P5", exchange, exchange.response.fields.get("Total") == 1, "Total 1")


@published("P5")
def test_a_hit_is_the_load_as_a_read_shows_it(api: Api, load: LoadView) -> None:
    exchange = search(api, Page=0, PageSize=10, LoadNumbers=[load.number])
    for hit in _hits(api, exchange):
        facts = (hit.id, hit.number, hit.status)
        api.require(
            "P5", exchange, facts == (load.id, load.number, load.status), f"{load.number} as it is read"
        )


@published("P5")
@pytest.mark.parametrize("page_size", [1, 100])
def test_a_search_by_status_finds_only_that_status(api: Api, load: LoadView, page_size: int) -> None:
    exchange = search(api, Page=0, PageSize=page_size, Status=[load.status])
    hits = _hits(api, exchange)
    api.require("P5", exchange, bool(hits), "a hit")
    api.require("P5", exchange, all(hit.status == load.status for hit in hits), f"only {load.status}")
    api.require("P5", exchange, len(hits) <= page_size, f"at most {page_size} Items")


@published("P5")
def test_filters_narrow_each_other(api: Api, load: LoadView) -> None:
    others = [status for status in api.loads if status != load.status]
    wanted = others[0] if others else "Cancelled"
    exchange = search(api, Page=0, PageSize=10, LoadNumbers=[load.number], Status=[wanted])
    api.require("P5", exchange, not _hits(api, exchange), "no hit")


@published("P5")
def test_a_search_by_order_number_and_customer(api: Api, load: LoadView) -> None:
    order, customer = str(load.fields["OrderNumber"]), str(load.fields["CustomerId"])
    exchange = search(api, Page=0, PageSize=10, OrderNumbers=[order], CustomerId=customer)
    numbers = [hit.number for hit in _hits(api, exchange)]
    api.require("P5", exchange, load.number in numbers, f"load {load.number} among the hits")


@published("P5")
def test_a_search_by_purchase_order_finds_the_load(api: Api, load: LoadView) -> None:
    order = load.fields.get("PONumber")
    if not isinstance(order, str) or not order.strip():
        pytest.skip("the load has no PONumber")
    exchange = search(api, Page=0, PageSize=100, PONumbers=[order])
    numbers = [hit.number for hit in _hits(api, exchange)]
    api.require("P5", exchange, load.number in numbers, f"load {load.number} among the hits")


@published("P5")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"OrderNumbers": [UNKNOWN_LOAD]}, id="order number"),
        pytest.param({"PONumbers": [UNKNOWN_LOAD]}, id="purchase order"),
        pytest.param({"CustomerId": UNKNOWN_LOAD}, id="customer"),
        pytest.param(
            {"DateRange": {"Start": "1970-01-01T00:00:00Z", "End": "1970-01-02T00:00:00Z"}}, id="long ago"
        ),
        pytest.param(
            {"DateRange": {"Start": "2100-01-01T00:00:00Z", "End": "2100-01-02T00:00:00Z"}}, id="far ahead"
        ),
    ],
)
def test_a_load_that_one_filter_excludes_is_no_hit(
    api: Api, load: LoadView, fields: dict[str, object]
) -> None:
    exchange = search(api, Page=0, PageSize=10, LoadNumbers=[load.number], **fields)
    api.require("P5", exchange, not _hits(api, exchange), "no hit")


@assumed("Q32")
def test_the_date_that_a_search_looks_at(api: Api, load: LoadView) -> None:
    created = load.fields["CreatedAt"]
    written = date_time(created) if isinstance(created, str) else None
    if written is not None and written.offset is None:
        created = f"{created}Z"
    span = {"Start": created, "End": created}
    exchange = search(api, Page=0, PageSize=10, LoadNumbers=[load.number], DateRange=span)
    api.findings.observes("Q32", "found" if _hits(api, exchange) else "not found")


@published("P6")
def test_every_hit_is_on_one_page(api: Api, load: LoadView) -> None:
    numbers = sorted({load.number, *(one for some in api.loads.values() for one in some[:1])})[:SEVERAL]
    found: list[str] = []
    for page in range(len(numbers)):
        exchange = search(api, Page=page, PageSize=1, LoadNumbers=numbers)
        hits = _hits(api, exchange)
        api.require("P6", exchange, len(hits) == 1, "one hit on the page")
        api.require(
            "P5", exchange, exchange.response.fields.get("Total") == len(numbers), f"Total {len(numbers)}"
        )
        shown = [exchange.response.fields.get(name) for name in ("Page", "PageSize")]
        api.require("P5", exchange, shown == [page, 1], f"Page {page} and PageSize 1")
        found += [hit.number for hit in hits]
    api.require("P6", exchange, sorted(found) == numbers, f"each of {numbers} once")


@assumed("A23b")
def test_a_page_past_the_end(api: Api, load: LoadView) -> None:
    exchange = search(api, Page=1, PageSize=10, LoadNumbers=[load.number])
    api.findings.observes("A23b", _emptiness(api, exchange))


@assumed("A23a")
def test_a_search_without_a_hit(api: Api) -> None:
    exchange = search(api, Page=0, PageSize=10, LoadNumbers=[UNKNOWN_LOAD])
    api.findings.observes("A23a", _emptiness(api, exchange))


@assumed("Q33")
def test_a_search_without_a_page(api: Api, load: LoadView) -> None:
    exchange = search(api, LoadNumbers=[load.number])
    shown = exchange.response.fields
    api.observe("Q33", exchange, f"Page {shown.get('Page')}, PageSize {shown.get('PageSize')}")


@published("P7")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="no filter"),
        pytest.param(
            {"DateRange": {"Start": "2020-01-01T00:00:00Z", "End": "2030-01-01T00:00:00Z"}}, id="only dates"
        ),
        pytest.param({"PageSize": 0, "LoadNumbers": [UNKNOWN_LOAD]}, id="page size 0"),
        pytest.param({"PageSize": -1, "LoadNumbers": [UNKNOWN_LOAD]}, id="page size -1"),
        pytest.param({"Page": -1, "LoadNumbers": [UNKNOWN_LOAD]}, id="page -1"),
        pytest.param({"LoadNumbers": [f"{UNKNOWN_LOAD}{n}" for n in range(151)]}, id="151 load numbers"),
    ],
)
def test_a_search_that_breaks_a_rule_is_refused(api: Api, fields: dict[str, object]) -> None:
    exchange = search(api, **{"Page": 0, "PageSize": 10} | fields)
    response = exchange.response
    api.require("P7", exchange, response.is_refusal and response.status != 404, "400")


@assumed("Q28")
def test_a_search_with_an_unknown_status(api: Api) -> None:
    api.observe("Q28", search(api, Page=0, PageSize=10, Status=["Misplaced"]))


@published("P10", "P13", "P16")
def test_an_invoice_is_read_by_its_number(invoices: Invoices) -> None:
    assert invoices.known


@published("P10")
def test_an_invoice_is_read_by_its_id(invoices: Invoices) -> None:
    known = invoices.known
    invoices.judged(invoices.get(("id", known.id)), known.number)


@published("P11")
def test_an_invoice_read_without_a_key_is_refused(api: Api, invoices: Invoices) -> None:
    assert invoices.known
    exchange = invoices.without_key
    api.require("P11", exchange, exchange.response.status == 400, "400")


@published("P12")
@pytest.mark.parametrize("key", ["id", "invoiceNumber"])
def test_an_unknown_invoice_is_not_found(api: Api, invoices: Invoices, key: str) -> None:
    assert invoices.known
    exchange = invoices.get((key, UNKNOWN_LOAD))
    api.require("P12", exchange, exchange.response.status == 404, "404")


@published("P14")
def test_a_search_of_invoices_shows_how_many_there_are(api: Api, invoices: Invoices) -> None:
    assert invoices.known
    page = invoices.first_page
    if page is None:
        give_up("no search that we know finds invoices")
    fields, items = page.response.fields, objects_in(page.response.fields.get("Items"))
    total = fields.get("Total")
    counted = isinstance(total, Decimal) and total >= len(items)
    api.require("P14", page, counted, f"a Total of {len(items)} or more")
    api.require("P14", page, len(items) <= PAGE_SIZE, f"at most {PAGE_SIZE} Items")


@published("P14")
def test_every_invoice_is_on_one_page(api: Api, invoices: Invoices) -> None:
    assert invoices.known
    page = invoices.first_page
    items = [] if page is None else objects_in(page.response.fields.get("Items"))
    offered = {number for some in api.loads.values() for number in some}
    if not items or not all(loads_of(item) and loads_of(item) <= offered for item in items):
        give_up("no search finds the invoices of the nominated loads alone")
    found: list[object] = []
    for index in range(min(len(items), SEVERAL)):
        exchange = invoices.search(Page=index, PageSize=1, **invoices.filters)
        shown = exchange.response.fields
        api.require("P14", exchange, exchange.response.status == 200, "200")
        told = [shown.get(name) for name in ("Page", "PageSize", "Total")]
        expected = [index, 1, len(items)]
        api.require("P14", exchange, told == expected, f"Page, PageSize and Total {expected}")
        hits = objects_in(shown.get("Items"))
        api.require("P14", exchange, len(hits) == 1, "one hit on the page")
        found += [hit.get("Number") for hit in hits]
    api.require("P14", exchange, len({*found}) == len(found), "another hit on each page")


@assumed("Q61")
def test_invoices_can_be_read(invoices: Invoices) -> None:
    assert invoices.known


@assumed("A27")
def test_an_invoice_that_is_not_overpaid(invoices: Invoices) -> None:
    assert invoices.known


@published("P8")
@pytest.mark.parametrize("token", [None, "not-a-token"], ids=["no token", "a bad token"])
def test_a_request_without_a_valid_token_is_refused(api: Api, target: Target, token: str | None) -> None:
    if not target.wants_token:
        give_up("no credentials are configured")
    query = (("loadNumber", UNKNOWN_LOAD),)
    request = Request("GET", LOADS_PATH, query, anonymous=token is None, token=token)
    exchange = api.send(request)
    api.require("P8", exchange, exchange.response.status == 401, "401")
    challenge = exchange.response.headers.get("www-authenticate", "none")
    api.findings.observes("Q27", challenge.partition(" ")[0])


@assumed("A5a", "A5b", "A5c", "A5d")
@pytest.mark.parametrize(
    ("question", "version"),
    [("A5a", "1"), ("A5b", "2"), ("A5c", "2.0"), ("A5d", "9"), ("A5d", "1.1"), ("A5d", "0"), ("A5d", "one")],
)
def test_a_version(api: Api, load: LoadView, question: str, version: str) -> None:
    path = LOADS_PATH.replace("v1.0", f"v{version}")
    api.observe(question, get(api, ("loadNumber", load.number), path=path))


@assumed("A5e")
@pytest.mark.parametrize("path", ["/api/p/v1.0/Loads", "/API/P/V1.0/LOADS"])
def test_a_path_in_other_case(api: Api, load: LoadView, path: str) -> None:
    api.observe("A5e", get(api, ("loadNumber", load.number), path=path))


@assumed("Q21")
@pytest.mark.parametrize("path", ["/api/p/v1.0/", "/api/p/v1.0/load", "/api/p/v1.0/loads/x"])
def test_an_unknown_path(api: Api, path: str) -> None:
    api.observe("Q21", get(api, path=path))


def _load(api: Api, exchange: Exchange) -> LoadView:
    try:
        return load_of(exchange.response.document)
    except UnexpectedFormError as error:
        api.fail("P4", exchange, f"a load, but {error}")


def _hits(api: Api, exchange: Exchange) -> Sequence[LoadView]:
    """The hits of a search; a 404 is an empty page (A23)."""
    if exchange.response.status == 404:
        return []
    api.require("P5", exchange, exchange.response.status == 200, "200 or 404")
    try:
        items = items_of(exchange.response)
    except UnexpectedFormError as error:
        api.fail("P4", exchange, f"loads in Items, but {error}")
    api.require("P5", exchange, items is not None, "Items, an array")
    return items or []


def _emptiness(api: Api, exchange: Exchange) -> str:
    if exchange.response.status == 200:
        api.require("P5", exchange, not _hits(api, exchange), "no Items")
        return "200, no Items"
    return str(exchange.response.status)
