"""How a profile goes another way than the handlers: around them, and where a body is refused."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from mock_server.answers.envelope import ACCEPTED, refusal
from mock_server.domain import NO_PAYMENTS, PAYABLE_STATUSES, Load, LoadNotFound, LoadNotPayable, Terms
from mock_server.handlers import Handler, ValidRequest
from mock_server.instants import instant, instant_text
from mock_server.ledger import Ledger, LoadFilter
from mock_server.problems import InvalidRequest
from mock_server.responses import FoundPage

Record = Callable[[ValidRequest], Awaitable[Load]]
Search = Callable[[ValidRequest], Awaitable[FoundPage]]
Course = Callable[[Record], Record]

NO_ITEMS = "200, no Items"
ORIGINAL = "200, the original"
_FOUND = "400"
"""What a load number that is written otherwise leads to, if it names a load that takes no payment."""

COURSES = (
    *("A6", "A8", "A10d", "A10e", "A10g", "A19", "A21", "A23a", "A23b"),
    *("Q11", "Q12", "Q15", "Q16", "Q28", "Q32", "Q33", "Q40", "Q50"),
)
"""The questions whose answers this module plays."""


class Mock(NamedTuple):
    """What the handlers of a mock work with: `now` is its clock in seconds."""

    ledger: Ledger
    terms: Terms
    load_statuses: Collection[str]
    invoice_statuses: Collection[str]
    now: Callable[[], float]


def other_handlers(
    handlers: Mapping[str, Handler[Any]], mock: Mock, chosen: Mapping[str, str]
) -> dict[str, Handler[Any]]:
    """The handlers as the answers that are not the default want them."""
    payments = Payments(mock.ledger, mock.terms, chosen)
    lag = Lag(mock.ledger, _LAGS.get(chosen.get("Q40", "")), mock.now)
    record = handlers["recordCustomerPayment"]
    handle = payments.around(lag.record(record.handle))
    if handle is not record.handle:
        handle = partial(_undivided, mock.ledger, handle)
    others = {
        "recordCustomerPayment": replace(record, handle=handle, instead=payments.instead),
    }
    for name in ("getLoad", "getInvoice"):
        get = handlers[name]
        others[name] = replace(get, handle=lag.get(_reads(get.handle, mock.ledger, chosen)))
    for name, statuses in (("searchLoads", mock.load_statuses), ("searchInvoices", mock.invoice_statuses)):
        search = handlers[name]
        others[name] = replace(search, handle=lag.search(_searches(search.handle, statuses, chosen)))
    return {**handlers, **others}


async def _undivided(ledger: Ledger, record: Record, request: ValidRequest) -> Load:
    """Recording, of which no other payment sees a part: it reads before it writes."""
    return await ledger.undivided(partial(record, request))


_LAGS = {"within 1 s": Fraction(1, 2), "within 5 s": Fraction(2)}
"""How many seconds reads lag behind, by the answers to Q40."""


class Lag:
    """Reads that show a payment some seconds after it was recorded; without seconds, nothing."""

    def __init__(self, ledger: Ledger, seconds: Fraction | None, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._seconds = seconds
        self._now = now
        self._past: dict[str, list[tuple[float, Load]]] = {}
        """Load number -> until when the load is shown as it was, and how that was; oldest first."""
        ledger.on_reset.append(self._past.clear)

    def record(self, record: Record) -> Record:
        """Recording, which is noted."""

        async def noted(request: ValidRequest) -> Load:
            try:
                before = await self._ledger.load(number=request.body["LoadNumber"])
            except LoadNotFound:
                return await record(request)
            after = await record(request)
            if self._seconds is not None and after != before:
                past = self._still_shown(after.number)
                self._past[after.number] = [*past, (self._now() + self._seconds, before)]
            return after

        return noted if self._seconds else record

    def get(self, get: Record) -> Record:
        """Reading, which is late."""

        async def late(request: ValidRequest) -> Load:
            return self._shown(await get(request))

        return late if self._seconds else get

    def search(self, search: Search) -> Search:
        """Searching, which is late."""

        async def late(request: ValidRequest) -> FoundPage:
            found = await search(request)
            return found._replace(loads=[self._shown(load) for load in found.loads])

        return late if self._seconds else search

    def _shown(self, load: Load) -> Load:
        past = self._still_shown(load.number)
        return past[0][1] if past else load

    def _still_shown(self, number: str) -> list[tuple[float, Load]]:
        now = self._now()
        past = [each for each in self._past.pop(number, ()) if each[0] > now]
        if past:
            self._past[number] = past
        return past


class Payments:
    """Recording payments, another way."""

    def __init__(self, ledger: Ledger, terms: Terms, chosen: Mapping[str, str]) -> None:
        self._ledger = ledger
        self._find = terms.find
        self._chosen = chosen
        self._used: set[bytes] = set()
        """What stands for the loads and the references that were refused, where that uses them up."""
        ledger.on_reset.append(self._used.clear)

    def around(self, record: Record) -> Record:
        """Recording, with all that the answers put around it."""
        courses: dict[str, Course] = {
            "Q50": lambda inner: partial(self._in_currency, inner),
            "A6": lambda inner: partial(self._original_only, inner),
            "A19": lambda inner: partial(self._unless, self._has_invoice_elsewhere, "A19", inner),
            "A8": lambda inner: partial(self._unless, self._is_known_elsewhere, "A8", inner),
            "A21": lambda inner: partial(self._unless, self._is_used_up, "A21", partial(self._noted, inner)),
            "Q12": lambda inner: partial(self._spelled, str.strip, "Q12", inner),
            "Q11": lambda inner: partial(self._spelled, str.casefold, "Q11", inner),
        }
        for question, course in courses.items():
            if question in self._chosen:
                record = course(record)
        return record

    async def instead(self, document: object, error: InvalidRequest) -> Load:
        """What is done about a body that its schema refuses: raises, or returns the original's load."""
        fields = document if isinstance(document, dict) else {}
        number, reference = fields.get("LoadNumber"), fields.get("ReferenceNumber")
        if not isinstance(number, str) or not isinstance(reference, str):
            raise error
        self._note_refused(number, reference)
        load = await self._load(number)
        if load is None:
            raise self._before("A10d", error, "")
        if self._find(load.payments, reference) is not None:
            if self._chosen.get("A10g") == ORIGINAL:
                return load
            raise self._before("A10g", error, load.status)
        if load.status not in PAYABLE_STATUSES:
            raise self._before("A10e", error, load.status)
        raise error

    def _before(self, question: str, error: InvalidRequest, load_status: str) -> Exception:
        """What is said first, where the body is not."""
        answer = self._chosen.get(question, "")
        status, _, about = answer.partition(" about ")
        if about == "the status":
            return LoadNotPayable(load_status)
        if about == "both":
            return InvalidRequest({**error.errors, "Status": [str(LoadNotPayable(load_status))]})
        return refusal(status, "The load takes no such payment.", "LoadNumber") if answer else error

    async def _load(self, number: str) -> Load | None:
        try:
            return await self._ledger.load(number=number)
        except LoadNotFound:
            return None

    async def _others(self, number: str) -> Iterator[Load]:
        loads = await self._ledger.search(LoadFilter())
        return (load for load in loads if load.number != number)

    async def _in_currency(self, record: Record, request: ValidRequest) -> Load:
        """Records in the currency that stands for none."""
        body = request.body
        if body["Amount"].get("Currency") is None:
            body = {**body, "Amount": {**body["Amount"], "Currency": int(self._chosen["Q50"])}}
        return await record(request._replace(body=body))

    async def _original_only(self, record: Record, request: ValidRequest) -> Load:
        before = await self._load(request.body["LoadNumber"])
        after = await record(request)
        if before is None or len(after.payments) != len(before.payments):
            return after
        original = self._find(after.payments, request.body["ReferenceNumber"])
        return after if original is None else replace(after, payments=NO_PAYMENTS.plus(original))

    async def _unless(
        self,
        has_reason: Callable[[ValidRequest], Awaitable[bool]],
        question: str,
        record: Record,
        request: ValidRequest,
    ) -> Load:
        """Records, unless there is a reason not to record a new payment on a load that takes payments."""
        body, answer = request.body, self._chosen[question]
        load = await self._load(body["LoadNumber"])
        is_new = load is not None and self._find(load.payments, body["ReferenceNumber"]) is None
        if load is None or not is_new or load.status not in PAYABLE_STATUSES or not await has_reason(request):
            return await record(request)
        if answer in ("the payment of the other load", "200, without a payment"):
            return load
        status = answer if answer.isdigit() else "409"
        raise refusal(status, "This was used for another payment.", "ReferenceNumber")

    async def _is_known_elsewhere(self, request: ValidRequest) -> bool:
        reference, others = request.body["ReferenceNumber"], await self._others(request.body["LoadNumber"])
        return any(self._find(other.payments, reference) is not None for other in others)

    async def _has_invoice_elsewhere(self, request: ValidRequest) -> bool:
        number, others = request.body.get("InvoiceNumber"), await self._others(request.body["LoadNumber"])
        return bool(number) and any(
            payment.invoice_number == number for other in others for payment in other.payments.values()
        )

    async def _is_used_up(self, request: ValidRequest) -> bool:
        return _digest(request.body["LoadNumber"], request.body["ReferenceNumber"]) in self._used

    async def _noted(self, record: Record, request: ValidRequest) -> Load:
        try:
            return await record(request)
        except (LoadNotPayable, InvalidRequest):
            self._note_refused(request.body["LoadNumber"], request.body["ReferenceNumber"])
            raise

    def _note_refused(self, number: str, reference: str) -> None:
        if "A21" in self._chosen:
            self._used.add(_digest(number, reference))

    async def _spelled(
        self, fold: Callable[[str], str], question: str, record: Record, request: ValidRequest
    ) -> Load:
        number = request.body["LoadNumber"]
        if await self._load(number) is None:
            near = [each.number for each in await self._others(number) if fold(each.number) == fold(number)]
            if near and self._chosen[question] != _FOUND:
                raise refusal(self._chosen[question], "The load's number is written otherwise.", "LoadNumber")
            if near:
                request = request._replace(body={**request.body, "LoadNumber": near[0]})
        return await record(request)


def _digest(number: str, reference: str) -> bytes:
    # A client may send as many as it likes, of any length.
    return blake2b(f"{number}\0{reference}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _reads(get: Record, ledger: Ledger, chosen: Mapping[str, str]) -> Record:
    """Reading a load, where its keys name none."""
    others = {
        "Q15": partial(_of_any_key, get),
        "Q16": partial(_in_other_case, ledger),
    }
    answers = {question: chosen[question] for question in others if question in chosen}

    async def read(request: ValidRequest) -> Load:
        try:
            return await get(request)
        except LoadNotFound:
            question = "Q15" if len(request.query) > 1 else "Q16"
            if question not in answers:
                raise
            found = await others[question](request)
        if answers[question] != ACCEPTED:
            raise refusal(answers[question], "The key is not taken.", "query")
        return found

    return read if answers else get


async def _of_any_key(get: Record, request: ValidRequest) -> Load:
    """The load that has one of the keys; LoadNotFound."""
    for name, value in request.query.items():
        with suppress(LoadNotFound):
            return await get(request._replace(query={name: value}))
    raise LoadNotFound


async def _in_other_case(ledger: Ledger, request: ValidRequest) -> Load:
    """The load that has the number in another case; LoadNotFound."""
    wanted = request.query.get("loadNumber", "").casefold()
    found = [load for load in await ledger.search(LoadFilter()) if load.number.casefold() == wanted]
    if not found:
        raise LoadNotFound
    return found[0]


def _searches(search: Search, statuses: Collection[str], chosen: Mapping[str, str]) -> Search:
    """Searching, where the page, the dates or the hits are special."""
    empty = partial(_empty, chosen, frozenset(statuses))
    steps: dict[str, Callable[[Search, ValidRequest], Awaitable[FoundPage]]] = {
        "Q32": _without_ends,
        "A23a": empty,
        "A23b": empty,
        "Q28": empty,
        "Q33": partial(_paged, chosen.get("Q33", "")),
    }
    for step in dict.fromkeys(step for question, step in steps.items() if question in chosen):
        search = partial(step, search)
    return search


async def _without_ends(search: Search, request: ValidRequest) -> FoundPage:
    """A DateRange without the instant at its end."""
    span = request.body.get("DateRange") or {}
    end = instant(span["End"]) if span.get("End") else None
    if end is not None and end.year > 1:
        span = {**span, "End": instant_text(end - timedelta(microseconds=1))}
    return await search(request._replace(body={**request.body, "DateRange": span}))


async def _empty(
    chosen: Mapping[str, str], statuses: frozenset[str], search: Search, request: ValidRequest
) -> FoundPage:
    """A page without hits, as each reason for that has it."""
    page, size = int(request.body.get("Page", 0)), int(request.body.get("PageSize", 20))
    try:
        return await search(request)
    except LoadNotFound:
        total = await _total(search, request)
        is_unknown = not statuses >= set(request.body.get("Status") or ())
        question = "Q28" if is_unknown and "Q28" in chosen else "A23b" if total else "A23a"
        answer = chosen.get(question, "")
        if answer.isdigit():
            raise refusal(answer, "Nothing is found.") from None
        if answer in (NO_ITEMS, ACCEPTED):
            return FoundPage(page, size, total, [])
        raise


async def _total(search: Search, request: ValidRequest) -> int:
    try:
        return (await search(request._replace(body={**request.body, "Page": 0}))).total
    except LoadNotFound:
        return 0


async def _paged(answer: str, search: Search, request: ValidRequest) -> FoundPage:
    """A search that names no page, if the answer is a status; else with the page and the size it shows."""
    if "Page" in request.body or "PageSize" in request.body:
        return await search(request)
    if answer.isdigit():
        raise refusal(answer, "The PageSize field is required.", "PageSize")
    page, size = (int(part.rpartition(" ")[2]) for part in answer.split(", "))
    body = {**request.body, "PageSize": max(size, 1)}
    return (await search(request._replace(body=body)))._replace(page=page, size=size)
