"""Defects of finding loads, for a payment, a read or a search."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import INVOICED, pay, read, read_by, search
from evaluation.defects.defect import defect, witness
from evaluation.reference.service import Refusal, Service, is_blank
from evaluation.reference.values import Json, Load, Payment, Posted

NOWHERE = "SL-NONE"
ON_NOTHING = pay(LoadNumber=NOWHERE)


@defect("load look-up", "R3", shown=witness(ON_NOTHING, sees=lambda a: a[0].status, correct=404))
class UnknownLoadIsBadRequest(Service):
    """A payment on an unknown load is answered with 400."""

    @override
    def find_load(self, number: str) -> Load | None:
        if number not in self.loads:
            raise Refusal(400, {"LoadNumber": ["The load does not exist."]})
        return self.loads[number]


@defect("load look-up", "R3", shown=witness(ON_NOTHING, sees=lambda a: a[0].status, correct=404))
class UnknownLoadIsCreated(Service):
    """A payment on an unknown load creates the load."""

    @override
    def find_load(self, number: str) -> Load | None:
        return self.loads.setdefault(number, Load(number, "Invoiced"))


@defect("load look-up", "R3", shown=witness(ON_NOTHING, sees=lambda a: a[0].status, correct=404))
class UnknownLoadIsIgnored(Service):
    """A payment on an unknown load is answered with 200 and an empty list."""

    @override
    def find_load(self, number: str) -> Load | None:
        return self.loads.get(number, Load(number, "Invoiced"))

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        if load.number in self.loads:
            super().keep(load, payment)


@defect("load look-up", "R3", shown=witness(ON_NOTHING, sees=lambda a: a[0].status, correct=404))
class UnknownLoadIsServerError(Service):
    """A payment on an unknown load is answered with 500."""

    @override
    def find_load(self, number: str) -> Load | None:
        return self.loads[number]


@defect(
    "load look-up",
    "R3",
    shown=witness(pay(LoadNumber=INVOICED[:-1]), sees=lambda a: a[0].status, correct=404),
)
class LoadIsFoundByPrefix(Service):
    """The beginning of a load number is enough to pay a load."""

    @override
    def find_load(self, number: str) -> Load | None:
        return next((load for load in self.loads.values() if load.number.startswith(number)), None)


@defect(
    "load look-up",
    "R3",
    shown=witness(pay(LoadNumber=f"{INVOICED}-X"), sees=lambda a: a[0].status, correct=404),
)
class LoadNumberIsCut(Service):
    """What follows a load number is ignored."""

    @override
    def find_load(self, number: str) -> Load | None:
        return next((load for load in self.loads.values() if number.startswith(load.number)), None)


@defect(
    "load look-up",
    "R3",
    shown=witness(pay(LoadNumber=f"ORD-{INVOICED}"), sees=lambda a: a[0].status, correct=404),
)
class PaymentFindsOrderNumber(Service):
    """A payment may name the order instead of the load."""

    @override
    def find_load(self, number: str) -> Load | None:
        return next(
            (load for load in self.loads.values() if number in (load.number, load.order_number)), None
        )


@defect("load look-up", "P3", shown=witness(read(NOWHERE), sees=lambda a: a[0].status, correct=404))
class UnknownLoadReadsAsNull(Service):
    """A read of an unknown load is answered with 200 and null."""

    @override
    def wanted_load(self, query: Mapping[str, str]) -> Load:
        try:
            return super().wanted_load(query)
        except Refusal as refusal:
            if refusal.status == 404:
                return Load("", "")
            raise

    @override
    def load_members(self, load: Load) -> Mapping[str, Json]:
        return super().load_members(load) if load.number else {}


@defect("load look-up", "P3", shown=witness(read(NOWHERE), sees=lambda a: a[0].status, correct=404))
class UnknownLoadReadsAsFirst(Service):
    """A read of an unknown load returns the first load there is."""

    @override
    def wanted_load(self, query: Mapping[str, str]) -> Load:
        try:
            return super().wanted_load(query)
        except Refusal as refusal:
            if refusal.status == 404:
                return next(iter(self.loads.values()))
            raise


@defect("load look-up", "P2", shown=witness(read_by(), sees=lambda a: a[0].status, correct=400))
class ReadWithoutKeyReturnsFirst(Service):
    """A read without a key returns the first load there is."""

    @override
    def wanted_load(self, query: Mapping[str, str]) -> Load:
        if not any(key in query for key in ("id", "loadNumber", "orderNumber")):
            return next(iter(self.loads.values()))
        return super().wanted_load(query)


@defect(
    "load look-up",
    "Q14",
    shown=witness(read_by(loadNumber=" "), sees=lambda a: a[0].status < 300, correct=False),
)
class BlankKeyReturnsFirst(Service):
    """A read with a blank key returns the first load there is."""

    @override
    def wanted_load(self, query: Mapping[str, str]) -> Load:
        if query and all(is_blank(value) for value in query.values()):
            return next(iter(self.loads.values()))
        return super().wanted_load(query)


@defect(
    "load look-up",
    "P1",
    shown=witness(
        read_by(orderNumber=f"ORD-{INVOICED}"), sees=lambda a: a[0].at("LoadNumber"), correct=INVOICED
    ),
)
class OrderNumberIsNotRead(Service):
    """A read by order number finds nothing."""

    @override
    def has_key(self, load: Load, name: str, value: str) -> bool:
        return name != "orderNumber" and super().has_key(load, name, value)


@defect(
    "load look-up",
    "P1",
    shown=witness(
        read_by(id=f"load-{INVOICED.lower()}"), sees=lambda a: a[0].at("LoadNumber"), correct=INVOICED
    ),
)
class IdIsComparedWithNumber(Service):
    """A read by id compares it with the load number."""

    @override
    def has_key(self, load: Load, name: str, value: str) -> bool:
        return super().has_key(load, "loadNumber" if name == "id" else name, value)


@defect("load look-up", "P1", shown=witness(read(), sees=lambda a: a[0].at("LoadNumber"), correct=INVOICED))
class IdAndNumberAreSwapped(Service):
    """A load shows its id as number and its number as id."""

    @override
    def load_members(self, load: Load) -> Mapping[str, Json]:
        members = super().load_members(load)
        return {**members, "Id": members["LoadNumber"], "LoadNumber": members["Id"]}


@defect(
    "load look-up",
    "P5",
    shown=witness(
        search(Status=["Dispatched"]),
        sees=lambda a: set(map(str, a[0].each("Status", member="Items"))),
        correct={"Dispatched"},
    ),
)
class SearchIgnoresStatus(Service):
    """A search by status returns loads of every status."""

    @override
    def matches(self, load: Load, lists: Mapping[str, Sequence[str]], customer: Json) -> bool:
        return super().matches(load, {**lists, "Status": ()}, customer)


@defect(
    "load look-up",
    "P6",
    shown=witness(
        search(LoadNumbers=[INVOICED], PageSize=1, Page=0), sees=lambda a: a[0].count("Items"), correct=1
    ),
)
class PagesCountFromOne(Service):
    """A search counts pages from 1."""

    @override
    def page_of(self, hits: Sequence[Load], page: int, size: int) -> Sequence[Load]:
        return super().page_of(hits, page - 1, size) if page else ()


@defect(
    "load look-up",
    "P6",
    shown=witness(search(Status=["Invoiced"], PageSize=1), sees=lambda a: a[0].at("Total"), correct=2),
)
class TotalIsThatOfPage(Service):
    """A search says how many hits are on the page instead of how many there are."""

    @override
    def hits(self, hits: Sequence[Load], shown: Sequence[Load]) -> int:
        return len(shown)


@defect(
    "load look-up",
    "A23",
    shown=witness(search(LoadNumbers=[NOWHERE]), sees=lambda a: a[0].status, correct=404),
)
class EmptySearchIsBadRequest(Service):
    """A search without a hit is answered with 400."""

    @override
    def page_of(self, hits: Sequence[Load], page: int, size: int) -> Sequence[Load]:
        shown = super().page_of(hits, page, size)
        if not shown:
            raise Refusal(400, {"$": ["There is no hit."]})
        return shown


@defect(
    "load look-up",
    "D1",
    shown=witness(pay(), sees=lambda a: a[0].at("LoadNumber"), correct=INVOICED),
)
class AnswerNamesOrder(Service):
    """The answer to a payment shows the order number as the load's."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        return {**members, "LoadNumber": load.order_number}


@defect(
    "load look-up",
    "D1",
    shown=witness(read(), pay(), sees=lambda a: a[1].at("LoadNumber") == a[0].at("LoadNumber"), correct=True),
)
class AnswerNamesId(Service):
    """The answer to a payment shows the load's id as its number."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        return {**super().answer_members(load, payment, posted, repeated=repeated), "LoadNumber": load.id}


@defect(
    "load look-up",
    "A10",
    shown=witness(pay(LoadNumber=NOWHERE, Number=0), sees=lambda a: a[0].status, correct=400),
)
class LoadIsFoundBeforeBodyIsChecked(Service):
    """An unknown load with a faulty body is answered with 404."""

    @override
    def read_load_number(self, members: Mapping[str, Json], faults: dict[str, list[str]]) -> str:
        number = super().read_load_number(members, faults)
        if number and number not in self.loads:
            raise Refusal(404, {"LoadNumber": ["The load does not exist."]})
        return number


@defect("load look-up", "P7", shown=witness(search(PageSize=5), sees=lambda a: a[0].status, correct=400))
class SearchNeedsNoFilter(Service):
    """A search without a filter returns everything."""

    @override
    def search(self, body: Json) -> Response:
        if isinstance(body, Mapping) and set(body) <= {"Page", "PageSize"}:
            body = {**body, "LoadNumbers": list(self.loads)}
        return super().search(body)
