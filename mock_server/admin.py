"""The admin API: what a test or a person can do to a running mock, under /_mock/."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Raw

from mock_server.clock import Clock
from mock_server.decimal_json import encode
from mock_server.documents import read_document
from mock_server.domain import Load
from mock_server.faults import Fault, Faults
from mock_server.handlers import Handler
from mock_server.instants import instant, instant_text
from mock_server.journal import ENTRY, Entry, Journal
from mock_server.ledger import Ledger, LoadFilter
from mock_server.opening import Filler, FixtureError, fixture_of, loads_in
from mock_server.problems import InvalidRequest, StateUnavailable, SwitchedOff
from mock_server.responses import LOAD, Fields, T, Writer, compile_response, many
from mock_server.schemas import WHOLE_BODY
from mock_server.sharing import Sharing
from mock_server.shipped import ADMIN
from mock_server.spec import Spec
from mock_server.tokens import Tokens
from mock_server.trace import Response, Stream, Trace
from mock_server.webhooks import DELIVERY, NEW_WEBHOOK, WEBHOOK, Delivery, Webhook, Webhooks

if TYPE_CHECKING:  # for those who use it
    from mock_server.limits import Limits
    from mock_server.metrics import Metrics
    from mock_server.verification import Verification
    from mock_server.worlds import Worlds, WorldState


def admin_spec(spec: Spec, *, probes_only: bool = False) -> Spec:
    """The document of the admin API, with the schemas of the API's own beside its own.

    With `probes_only` it has nothing but what everybody may ask.
    """
    document: Any = read_document(ADMIN)
    if probes_only:
        paths = document["paths"]
        document["paths"] = {path: paths[path] for path in paths if _is_probe(paths[path])}
    public = spec.document.get("components", {}).get("schemas", {})
    components = {"schemas": {**public, **document["components"]["schemas"]}}
    return Spec({**document, "components": components}, ADMIN.name)


def _is_probe(item: Mapping[str, Any]) -> bool:
    return "get" in item and item["get"].get("security") == []


class LoadList(NamedTuple):
    """Loads that were asked for. `total` are all that pass the filters, `counts` all there are, by status."""

    total: int
    loads: list[Load]
    counts: Mapping[str, int]


class Admin:
    """What the admin API can do to a mock with these `operations`. A part that is switched off is None.

    Who wants to hear of every request that is over is added to `watchers`.
    """

    def __init__(  # noqa: PLR0913 - one for each part
        self,
        spec: Spec,
        operations: Sequence[str],
        watchers: list[Callable[[Trace], object]],
        *,
        ledger: Ledger,
        clock: Clock,
        tokens: Tokens,
        limits: "Limits | None",
        faults: Faults | None,
        journal: Journal | None,
        webhooks: Webhooks,
        sharing: Sharing,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.tokens = tokens
        self.webhooks = webhooks
        self.sharing = sharing
        self._faults = faults
        self._limits = limits
        self._journal = journal
        self._spec = spec
        self._operations = operations
        self._watchers = watchers
        self._metrics: Metrics | None = None
        self.worlds: Callable[[], Worlds] | None = None
        """What has the worlds beside this one, if it is the default one."""

    @cached_property
    def filler(self) -> Filler:
        """What makes loads of fixtures."""
        return Filler(self._spec)

    @property
    def faults(self) -> Faults:
        """The faults; SwitchedOff if none can be injected."""
        if self._faults is None:
            raise SwitchedOff("Without the admin API, only the command line can inject faults.")
        return self._faults

    @property
    def journal(self) -> Journal:
        """The journal; SwitchedOff if there is none."""
        if self._journal is None:
            raise SwitchedOff("The journal is switched off.")
        return self._journal

    async def read_journal(self) -> Journal:
        """The journal, with what others have responded to; SwitchedOff, StateUnavailable."""
        journal = self.journal
        await journal.settle()
        await journal.refresh()
        return journal

    async def health(self) -> str:
        """That the mock runs."""
        return "ok"

    async def readiness(self) -> str:
        """That the loads can be read; StateUnavailable."""
        await self.ledger.check()
        return "ok"

    async def reset(self, *parts: str) -> list[str]:
        """Takes the parts, or without any all of them, back to how they were; their names."""
        resets: dict[str, Callable[[], Awaitable[object] | None]] = {
            "loads": self.ledger.reset,
            "tokens": partial(self.sharing.change, self.tokens, self.tokens.reset),
            "limits": _nothing if self._limits is None else self._limits.reset,
            "faults": _nothing
            if self._faults is None
            else partial(self.sharing.change, self._faults, self._faults.reset),
            "requests": _nothing if self._journal is None else self.clear_requests,
            "clock": partial(self.sharing.change, self.clock, self.clock.reset),
            "webhooks": partial(self.sharing.change, self.webhooks, self.webhooks.reset),
        }
        for part in parts or resets:
            done = resets[part]()
            if done is not None:
                await done
        return list(parts or resets)

    async def list_loads(
        self, status: str = "", find: str = "", offset: str = "0", limit: str | None = None
    ) -> LoadList:
        """The loads that pass the filters, in the order in which they were added."""
        wanted, text, first = LoadFilter(statuses=(status,) if status else ()), find.lower(), int(offset)
        counts = await self.ledger.statuses()
        most = counts.total() if limit is None else int(limit)
        if not text:
            return LoadList(*await self.ledger.page(wanted, first, most), counts)
        found = [load for load in await self.ledger.search(wanted) if text in _searched(load).lower()]
        return LoadList(len(found), found[first : first + most], counts)

    async def read_metrics(self) -> Response:
        """What happened so far, in numbers, for Prometheus."""
        if self._metrics is None:
            from mock_server.metrics import Metrics  # noqa: PLC0415 - for who asks

            journal = self._journal
            self._metrics = Metrics(() if journal is None or journal.is_shared else journal)
            self._watchers.append(self._metrics.add)
        try:
            await self.ledger.check()  # so that a state that hangs keeps nobody from the other numbers
            loads = await self.ledger.statuses()
        except StateUnavailable:
            loads = None
        return self._metrics.response(loads)

    async def put_load(self, number: str, fields: Mapping[str, Any]) -> Load:
        """Adds a load, in place of the one that has the number; InvalidRequest, LoadIdTaken."""
        try:
            load = self.filler.load_numbered(number, fields)
        except FixtureError as error:
            name, colon, sentence = str(error).partition(": ")
            raise InvalidRequest({name: [sentence]} if colon else {WHOLE_BODY: [name]}) from error
        await self.ledger.put(load)
        return load

    async def snapshot(self) -> dict[str, object]:
        """All loads with their payments, as a fixtures file has them."""
        loads = await self.ledger.search(LoadFilter())
        return {load.number: fixture_of(load) for load in loads}

    async def restore(self, snapshot: Mapping[str, object]) -> list[str]:
        """Puts the loads of a fixtures file in the place of all that there are; InvalidRequest."""
        try:
            loads = loads_in(self.filler, snapshot, "snapshot")
        except FixtureError as error:
            raise InvalidRequest({WHOLE_BODY: [str(error)]}) from error
        await self.ledger.restore(loads)
        return ["loads"]

    async def remove_load(self, number: str) -> Load:
        """Forgets a load, and returns it as it was; LoadNotFound."""
        load = await self.ledger.load(number=number)
        await self.ledger.remove(load.number)
        return load

    async def list_requests(self, filters: Mapping[str, str]) -> list[Entry]:
        """The requests that pass the filters; SwitchedOff."""
        wanted = dict(filters)
        since, status = wanted.pop("since", None), wanted.pop("status", None)
        start = instant(since) if since else None
        return [
            entry
            for entry in await self.read_journal()
            if (start is None or entry.at >= start)
            and (status is None or entry.status == int(status))
            and all(getattr(entry, name) == value for name, value in wanted.items())
        ]

    async def archive_requests(self, filters: Mapping[str, str]) -> dict[str, object]:
        """The requests that pass the filters, as an HTTP archive; SwitchedOff."""
        from mock_server.har import har_of  # noqa: PLC0415 - for who asks

        return har_of(await self.list_requests(filters))

    async def watch_requests(self, after: str | None, write: Writer[Entry]) -> Stream:
        """The requests as they end, after the one with this id; SwitchedOff, TooManyListeners."""
        from mock_server.events import listen  # noqa: PLC0415 - for who listens

        return listen(await self.read_journal(), write, None if after is None else int(after))

    async def verify_requests(self, wanted: Mapping[str, Any]) -> "Verification":
        """Whether requests came as wanted; InvalidRequest, SwitchedOff."""
        from mock_server.verification import verify  # noqa: PLC0415 - for who asks

        operation = wanted.get("operation")
        if operation not in (None, *self._operations):
            names = ", ".join(self._operations)
            raise InvalidRequest({"operation": [f"The operation field must be one of: {names}."]})
        return verify(await self.read_journal(), wanted)

    async def clear_requests(self) -> list[str]:
        """Forgets all requests; SwitchedOff."""
        journal = self.journal
        await journal.refresh()
        await self.sharing.change(journal, journal.clear)
        return ["requests"]

    async def list_faults(self) -> list[Fault]:
        """The faults, in the order in which they are tried."""
        return self.faults.rules

    async def add_fault(self, document: Mapping[str, Any]) -> Fault:
        """Injects a fault; InvalidRequest."""
        return await self.sharing.change(self.faults, partial(self.faults.add, document))

    async def clear_faults(self) -> list[str]:
        """Removes all faults."""
        await self.sharing.change(self.faults, self.faults.clear)
        return ["faults"]

    async def remove_fault(self, id: str) -> list[str]:
        """Removes one fault; UnknownFault."""
        await self.sharing.change(self.faults, partial(self.faults.remove, id))
        return [id]

    async def list_webhooks(self) -> list[Webhook]:
        """The webhooks, oldest first."""
        return list(self.webhooks.registered.values())

    async def add_webhook(self, document: Mapping[str, Any]) -> Webhook:
        """Registers a receiver; InvalidRequest, SwitchedOff."""
        return await self.sharing.change(self.webhooks, partial(self.webhooks.add, **document))

    async def change_webhook(self, id: str, change: Mapping[str, Any]) -> Webhook:
        """Switches a webhook on or off; UnknownWebhook."""
        switch = partial(self.webhooks.switch, id, on=change["enabled"])
        return await self.sharing.change(self.webhooks, switch)

    async def remove_webhook(self, id: str) -> list[str]:
        """Removes a webhook; UnknownWebhook."""
        await self.sharing.change(self.webhooks, partial(self.webhooks.remove, id))
        return [id]

    async def list_deliveries(self, filters: Mapping[str, str]) -> list[Delivery]:
        """The deliveries of a webhook or in a state, oldest first."""
        webhook, state = filters.get("webhook"), filters.get("state")
        return [
            each
            for each in self.webhooks.deliveries
            if webhook in (None, each.webhook.id) and state in (None, each.state)
        ]

    async def resend_delivery(self, id: str) -> Delivery:
        """Sends an event again; UnknownWebhook, SwitchedOff."""
        return self.webhooks.resend(id)

    @property
    def other_worlds(self) -> "Worlds":
        """The worlds beside this one; SwitchedOff."""
        if self.worlds is None:
            raise SwitchedOff("A world knows of no others. Ask without naming one.")
        return self.worlds()

    async def list_worlds(self) -> "list[WorldState]":
        """The worlds, by their names; SwitchedOff."""
        return await self.other_worlds.states()

    async def end_world(self, name: str) -> list[str]:
        """Ends a world; SwitchedOff, UnknownWorld."""
        self.other_worlds.end(name)
        return [name]

    def end(self) -> None:
        """Ends what goes on without a request: deliveries of events, streams of requests, other worlds."""
        self.webhooks.end()
        if self._journal is not None:
            self._journal.end()
        if self.worlds is not None:
            self.worlds().end_all()

    async def read_clock(self) -> Clock:
        """The clock."""
        return self.clock

    async def change_clock(self, change: Mapping[str, Any]) -> Clock:
        """Sets, moves and freezes the clock; or InvalidRequest, if that leads out of the calendar."""
        return await self.sharing.change(self.clock, partial(self._change_clock, change))

    def _change_clock(self, change: Mapping[str, Any]) -> Clock:
        clock, frozen = self.clock, change.get("frozen")
        field = "at"
        try:
            with clock.all_or_nothing():
                if frozen:  # first, so that no time passes on the way to where it is to stop
                    clock.freeze()
                if "at" in change:
                    clock.set(instant(change["at"]))
                field = "move"
                if "move" in change:
                    clock.move(float(change["move"]))
        except OverflowError as error:
            raise InvalidRequest({field: ["The clock can show the years 1 to 9998."]}) from error
        if frozen is False:
            clock.thaw()
        return clock


def _searched(load: Load) -> str:
    name = load.details.get("CustomerName")
    return f"{load.number}\n{load.order_number}\n{load.customer_id}\n{name or ''}"


def _nothing() -> None:
    """Resets a part that is switched off."""


def _list_of(fields: Fields[T]) -> Fields[list[T]]:
    return Fields[list[T]]({"total": len, "items": many(lambda things: things, fields)})


PROBE = Fields[str]({"status": lambda status: status})
FAULT = Fields[Fault](
    {
        "id": lambda fault: fault.id,
        "applied": lambda fault: fault.applied,
        "fault": lambda fault: fault.document,
    }
)
RESET = Fields[list[str]]({"reset": lambda names: names})
VERIFICATION = Fields["Verification"](
    {
        "passed": lambda verification: verification.passed,
        "count": lambda verification: verification.count,
        "text": lambda verification: verification.text,
    }
)
CLOCK = Fields[Clock]({"now": lambda clock: instant_text(clock.now()), "frozen": lambda clock: clock.frozen})
LOADS = Fields[LoadList](
    {
        "total": lambda found: found.total,
        "counts": lambda found: found.counts,
        "items": many(lambda found: found.loads, LOAD),
    }
)
WORLDS = _list_of(
    Fields["WorldState"](
        {
            "name": lambda world: world.name,
            "loads": lambda world: world.loads,
            "requests": lambda world: world.requests,
            "silentseconds": lambda world: round(world.silent, 3),
        }
    )
)
FAULTS, ENTRIES = _list_of(FAULT), _list_of(ENTRY)
WEBHOOKS, DELIVERIES = _list_of(WEBHOOK), _list_of(DELIVERY)


class AdminDocument:
    """The document of the admin API, as `admin_spec` made it, and what it makes, for all worlds."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @cached_property
    def text(self) -> Raw:
        """What is sent of it."""
        return Raw(encode(self.spec.document))

    @cached_property
    def entry(self) -> Writer[Entry]:
        """What writes a request of the journal."""
        return compile_response(self.spec, self.spec.schema("Request"), ENTRY, "Request")


def admin_handlers(
    admin: Admin, document: AdminDocument, settings: Mapping[str, Any]
) -> Mapping[str, Handler[Any]]:
    """The handlers of the admin API, by operationId.

    `settings` are what it says of how the mock was started.
    """
    ledger = admin.ledger

    async def get_document(_request: object) -> Raw:
        return document.text

    async def get_settings(_request: object) -> Mapping[str, Any]:
        return settings

    handlers: Mapping[str, Handler[Any]] = {
        "getHealth": Handler(lambda _: admin.health(), PROBE),
        "getReadiness": Handler(lambda _: admin.readiness(), PROBE),
        "getSettings": Handler(get_settings, None),
        "getAdminDocument": Handler(get_document, None),
        "readMetrics": Handler(lambda _: admin.read_metrics(), None),
        "resetAll": Handler(lambda _: admin.reset(), RESET),
        "resetPart": Handler(lambda request: admin.reset(request.path["part"]), RESET),
        "takeSnapshot": Handler(lambda _: admin.snapshot(), None),
        "restoreSnapshot": Handler(lambda request: admin.restore(request.body), RESET),
        "listLoads": Handler(lambda request: admin.list_loads(**request.query), LOADS),
        "readLoad": Handler(lambda request: ledger.load(number=request.path["loadNumber"]), LOAD),
        "putLoad": Handler(lambda request: admin.put_load(request.path["loadNumber"], request.body), LOAD),
        "changeLoad": Handler(
            lambda request: ledger.set_status(request.path["loadNumber"], request.body["Status"]), LOAD
        ),
        "removeLoad": Handler(lambda request: admin.remove_load(request.path["loadNumber"]), LOAD),
        "listRequests": Handler(lambda request: admin.list_requests(request.query), ENTRIES),
        "archiveRequests": Handler(lambda request: admin.archive_requests(request.query), None),
        "watchRequests": Handler(
            lambda request: admin.watch_requests(request.query.get("after"), document.entry), None
        ),
        "verifyRequests": Handler(lambda request: admin.verify_requests(request.body), VERIFICATION),
        "clearRequests": Handler(lambda _: admin.clear_requests(), RESET),
        "listFaults": Handler(lambda _: admin.list_faults(), FAULTS),
        "addFault": Handler(lambda request: admin.add_fault(request.body), FAULT),
        "clearFaults": Handler(lambda _: admin.clear_faults(), RESET),
        "removeFault": Handler(lambda request: admin.remove_fault(request.path["id"]), RESET),
        "listWebhooks": Handler(lambda _: admin.list_webhooks(), WEBHOOKS),
        "addWebhook": Handler(lambda request: admin.add_webhook(request.body), NEW_WEBHOOK),
        "changeWebhook": Handler(
            lambda request: admin.change_webhook(request.path["id"], request.body), WEBHOOK
        ),
        "removeWebhook": Handler(lambda request: admin.remove_webhook(request.path["id"]), RESET),
        "listDeliveries": Handler(lambda request: admin.list_deliveries(request.query), DELIVERIES),
        "resendDelivery": Handler(lambda request: admin.resend_delivery(request.path["id"]), DELIVERY),
        "listWorlds": Handler(lambda _: admin.list_worlds(), WORLDS),
        "endWorld": Handler(lambda request: admin.end_world(request.path["name"]), RESET),
        "readClock": Handler(lambda _: admin.read_clock(), CLOCK),
        "changeClock": Handler(lambda request: admin.change_clock(request.body), CLOCK),
    }
    return {each.id: handlers[each.id] for each in document.spec.operations}
