"""Defects of finding loads, for a payment, a read or a search."""

from collections.abc import Callable, Mapping

from typing_extensions import override

from evaluation.defects.defect import Function, Table, given, lists, refuse, responds, shows, then, witness
from evaluation.reference.messages import INVOICED, pay, read, read_by, search
from evaluation.reference.service import Refusal, Service, is_blank
from evaluation.reference.values import Load

NOWHERE = "SL-NONE"
ON_NOTHING = responds(404, pay(LoadNumber=NOWHERE))
READ_NOTHING = responds(404, read(NOWHERE))
NO_LOAD = "The load does not exist."
KEYS = ("id", "loadNumber", "orderNumber")
row = Table("load look-up")


def first(service: Service) -> Load:
    """The first load there is."""
    return next(iter(service.loads.values()))


def finding(found: Callable[[Load, str], bool]) -> Function:
    """Pays the first load for which this is true."""
    return lambda s, number: next((load for load in s.loads.values() if found(load, number)), None)


row("unknown-load-is-bad-request", "R3", "A payment on an unknown load is answered with 400.")(
    ON_NOTHING, find_load=then(lambda _s, load, _number: load or refuse(400, "LoadNumber", NO_LOAD))
)
row("unknown-load-is-created", "R3", "A payment on an unknown load creates the load.")(
    ON_NOTHING, find_load=lambda s, number: s.loads.setdefault(number, Load(number, "Invoiced"))
)
row("unknown-load-is-ignored", "R3", "A payment on an unknown load is answered with 200 and an empty list.")(
    ON_NOTHING,
    find_load=lambda s, number: s.loads.get(number, Load(number, "Invoiced")),
    keep=lambda s, load, payment: Service.keep(s, load, payment) if load.number in s.loads else None,
)
row("unknown-load-is-server-error", "R3", "A payment on an unknown load is answered with 500.")(
    ON_NOTHING, find_load=lambda s, number: s.loads[number]
)
row("load-is-found-by-prefix", "R3", "The beginning of a load number is enough to pay a load.")(
    responds(404, pay(LoadNumber=INVOICED[:-1])),
    find_load=finding(lambda load, number: load.number.startswith(number)),
)
row("load-number-is-cut", "R3", "What follows a load number is ignored.")(
    responds(404, pay(LoadNumber=f"{INVOICED}-X")),
    find_load=finding(lambda load, number: number.startswith(load.number)),
)
row("payment-finds-order-number", "R3", "A payment may name the order instead of the load.")(
    responds(404, pay(LoadNumber=f"ORD-{INVOICED}")),
    find_load=finding(lambda load, number: number in (load.number, load.order_number)),
)


class ReadingUnknown(Service):
    """A read of an unknown load finds one."""

    def instead(self) -> Load:
        """The load that is found."""
        return first(self)

    @override
    def wanted_load(self, query: Mapping[str, str]) -> Load:
        try:
            return super().wanted_load(query)
        except Refusal as refusal:
            if refusal.status == 404:
                return self.instead()
            raise


row("unknown-load-reads-as-null", "P3", "A read of an unknown load is answered with 200 and null.")(
    READ_NOTHING,
    parent=ReadingUnknown,
    instead=lambda _s: Load("", ""),
    load_fields=then(lambda _s, fields, load: fields if load.number else {}),
)
row("unknown-load-reads-as-first", "P3", "A read of an unknown load returns the first load there is.")(
    READ_NOTHING, parent=ReadingUnknown
)
row("read-without-key-returns-first", "P2", "A read without a key returns the first load there is.")(
    responds(400, read_by()),
    wanted_load=lambda s, query: (
        Service.wanted_load(s, query) if any(key in query for key in KEYS) else first(s)
    ),
)
row("blank-key-returns-first", "Q14", "A read with a blank key returns the first load there is.")(
    witness(read_by(loadNumber=" "), sees=lambda r: r[0].status < 300, correct=False),
    wanted_load=lambda s, query: (
        first(s) if query and all(map(is_blank, query.values())) else Service.wanted_load(s, query)
    ),
)
row("order-number-is-not-read", "P1", "A read by order number finds nothing.")(
    shows(INVOICED, read_by(orderNumber=f"ORD-{INVOICED}"), at="LoadNumber"),
    has_key=then(lambda _s, has, _load, name, _value: has and name != "orderNumber"),
)
row("id-is-compared-with-number", "P1", "A read by id compares it with the load number.")(
    shows(INVOICED, read_by(id=f"load-{INVOICED.lower()}"), at="LoadNumber"),
    has_key=lambda s, load, name, value: Service.has_key(
        s, load, "loadNumber" if name == "id" else name, value
    ),
)
row("id-and-number-are-swapped", "P1", "A load shows its id as number and its number as id.")(
    shows(INVOICED, read(), at="LoadNumber"),
    load_fields=then(
        lambda _s, fields, _load: {**fields, "Id": fields["LoadNumber"], "LoadNumber": fields["Id"]}
    ),
)
row("search-ignores-status", "P5", "A search by status returns loads of every status.")(
    witness(
        search(Status=["Dispatched"]),
        sees=lambda r: set(map(str, r[0].each("Status", of="Items"))),
        correct={"Dispatched"},
    ),
    matches=lambda s, load, filters, customer: Service.matches(s, load, {**filters, "Status": ()}, customer),
)
row("pages-count-from-one", "P6", "A search counts pages from 1.")(
    lists(1, search(LoadNumbers=[INVOICED], PageSize=1, Page=0), of="Items"),
    page_of=lambda s, hits, page, size: Service.page_of(s, hits, page - 1, size) if page else (),
)
row(
    "total-is-that-of-page",
    "P6",
    "A search says how many hits are on the page instead of how many there are.",
)(shows(2, search(Status=["Invoiced"], PageSize=1), at="Total"), hits=lambda _s, _hits, shown: len(shown))
row("empty-search-is-bad-request", "A23", "A search without a hit is answered with 400.")(
    responds(404, search(LoadNumbers=[NOWHERE])),
    page_of=then(lambda _s, shown, *_: shown or refuse(400, "$", "There is no hit.")),
)
row("answer-names-order", "D1", "The response to a payment shows the order number as the load's.")(
    shows(INVOICED, pay(), at="LoadNumber"),
    response_fields=then(lambda _s, fields, load, *_: {**fields, "LoadNumber": load.order_number}),
)
row("answer-names-id", "D1", "The response to a payment shows the load's id as its number.")(
    shows(INVOICED, pay(), at="LoadNumber"),
    response_fields=then(lambda _s, fields, load, *_: {**fields, "LoadNumber": load.id}),
)
row(
    "load-is-found-before-body-is-checked", "A10", "An unknown load with a faulty body is answered with 404."
)(
    responds(400, pay(LoadNumber=NOWHERE, Number=0)),
    read_load_number=then(
        lambda s, number, *_: (
            number if not number or number in s.loads else refuse(404, "LoadNumber", NO_LOAD)
        )
    ),
)
row("search-needs-no-filter", "P7", "A search without a filter returns everything.")(
    responds(400, search(PageSize=5)),
    search=given(
        lambda s, body: (
            {**body, "LoadNumbers": list(s.loads)}
            if isinstance(body, Mapping) and set(body) <= {"Page", "PageSize"}
            else body
        )
    ),
)
