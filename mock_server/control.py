"""The control plane: what a test or a person can do to a running mock, under /_mock/."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.app import route
from mock_server.clock import Clock
from mock_server.decimal_json import encode
from mock_server.documents import read_document
from mock_server.domain import Load
from mock_server.faults import Fault, Faults
from mock_server.handlers import Call, FoundPage, Handler, bound
from mock_server.instants import instant, instant_text
from mock_server.journal import ENTRY, Entry, Journal
from mock_server.ledger import Ledger, LoadFilter
from mock_server.opening import Filler, FixtureError
from mock_server.problems import InvalidRequest, SwitchedOff
from mock_server.schemas import WHOLE_BODY
from mock_server.shapes import Facts
from mock_server.shipped import CONTROL
from mock_server.spec import Spec
from mock_server.tokens import Tokens
from mock_server.wire import LOAD, PAGE

if TYPE_CHECKING:  # its library is for those who limit
    from mock_server.limits import Limits

PREFIX = "/_mock/"


def control_spec(spec: Spec) -> Spec:
    """The document of the control plane, with the schemas of the API's own beside its own."""
    document: Any = read_document(CONTROL)
    public = spec.document.get("components", {}).get("schemas", {})
    components = {"schemas": {**public, **document["components"]["schemas"]}}
    return Spec({**document, "components": components}, CONTROL.name)


class Controls:
    """What there is to control in one mock. Of what is switched off, there is None."""

    def __init__(  # noqa: PLR0913 - one for each part
        self,
        spec: Spec,
        *,
        ledger: Ledger,
        clock: Clock,
        tokens: Tokens,
        limits: "Limits | None",
        faults: Faults | None,
        journal: Journal | None,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.tokens = tokens
        self._faults = faults
        self._limits = limits
        self._journal = journal
        self._spec = spec

    @cached_property
    def _filler(self) -> Filler:
        return Filler(self._spec)

    @property
    def faults(self) -> Faults:
        """The faults; SwitchedOff if there can be none."""
        if self._faults is None:
            raise SwitchedOff("Without a control plane there are no faults but those of the command line.")
        return self._faults

    @property
    def journal(self) -> Journal:
        """The journal; SwitchedOff if there is none."""
        if self._journal is None:
            raise SwitchedOff("The journal is switched off.")
        return self._journal

    async def reset(self, *parts: str) -> list[str]:
        """Takes the parts, or without any all of them, back to how they were; their names."""
        resets: dict[str, Callable[[], Awaitable[None] | None]] = {
            "loads": self.ledger.reset,
            "tokens": self.tokens.reset,
            "limits": _nothing if self._limits is None else self._limits.reset,
            "faults": _nothing if self._faults is None else self._faults.reset,
            "requests": _nothing if self._journal is None else self._journal.clear,
            "clock": self.clock.reset,
        }
        for part in parts or resets:
            done = resets[part]()
            if done is not None:
                await done
        return list(parts or resets)

    async def put_load(self, number: str, members: Mapping[str, Any]) -> Load:
        """Adds a load, in place of the one that has the number; InvalidRequest, LoadIdTaken."""
        try:
            load = self._filler.load_numbered(number, members)
        except FixtureError as error:
            member, colon, sentence = str(error).partition(": ")
            raise InvalidRequest({member: [sentence]} if colon else {WHOLE_BODY: [member]}) from error
        await self.ledger.put(load)
        return load

    async def health(self) -> dict[str, object]:
        """How it is, by the names of the document."""
        return {
            "status": "ok",
            "version": self._spec.document["info"]["version"],
            "now": instant_text(self.clock.now()),
            "loads": await self.ledger.count(),
            "faults": len(self.faults.rules),
            "requests": None if self._journal is None else len(self._journal),
        }


def _nothing() -> None:
    """What resetting a thing comes to that is switched off."""


async def get_health(controls: Controls, _call: Call) -> dict[str, object]:
    """Tells how it is."""
    return await controls.health()


async def reset_all(controls: Controls, _call: Call) -> list[str]:
    """Resets everything."""
    return await controls.reset()


async def reset_part(controls: Controls, call: Call) -> list[str]:
    """Resets one part."""
    return await controls.reset(call.path["part"])


async def list_loads(controls: Controls, call: Call) -> FoundPage:
    """Lists loads."""
    status = call.query.get("status")
    loads = await controls.ledger.search(LoadFilter(statuses=(status,) if status else ()))
    return FoundPage(0, len(loads), len(loads), loads)


async def read_load(controls: Controls, call: Call) -> Load:
    """Reads a load; LoadNotFound."""
    return await controls.ledger.load(number=call.path["loadNumber"])


async def put_load(controls: Controls, call: Call) -> Load:
    """Adds or replaces a load; InvalidRequest, LoadIdTaken."""
    return await controls.put_load(call.path["loadNumber"], call.body)


async def change_load(controls: Controls, call: Call) -> Load:
    """Moves a load to a status; LoadNotFound."""
    return await controls.ledger.set_status(call.path["loadNumber"], call.body["Status"])


async def remove_load(controls: Controls, call: Call) -> Load:
    """Forgets a load, and returns it as it was; LoadNotFound."""
    load = await controls.ledger.load(number=call.path["loadNumber"])
    await controls.ledger.remove(load.number)
    return load


async def list_requests(controls: Controls, call: Call) -> list[Entry]:
    """Lists the requests that pass the filters; SwitchedOff."""
    wanted = dict(call.query)
    since, status = wanted.pop("since", None), wanted.pop("status", None)
    start = instant(since) if since else None
    return [
        entry
        for entry in controls.journal
        if (start is None or entry.at >= start)
        and (status is None or entry.status == int(status))
        and all(getattr(entry, name) == value for name, value in wanted.items())
    ]


async def clear_requests(controls: Controls, _call: Call) -> list[str]:
    """Forgets all requests; SwitchedOff."""
    controls.journal.clear()
    return ["requests"]


async def list_faults(controls: Controls, _call: Call) -> list[Fault]:
    """Lists the faults."""
    return controls.faults.rules


async def add_fault(controls: Controls, call: Call) -> Fault:
    """Adds a fault; InvalidRequest."""
    return controls.faults.add(call.body)


async def clear_faults(controls: Controls, _call: Call) -> list[str]:
    """Ends all faults."""
    controls.faults.clear()
    return ["faults"]


async def remove_fault(controls: Controls, call: Call) -> list[str]:
    """Ends one fault; UnknownFault."""
    controls.faults.remove(call.path["id"])
    return [call.path["id"]]


async def read_clock(controls: Controls, _call: Call) -> Clock:
    """Reads the clock."""
    return controls.clock


async def change_clock(controls: Controls, call: Call) -> Clock:
    """Sets, moves and freezes the clock; InvalidRequest if that leads out of the calendar."""
    clock, wanted = controls.clock, call.body
    frozen = wanted.get("frozen")
    if frozen:  # first, so that no time passes on the way to where it is to stand
        clock.freeze()
    member = "at"
    try:
        if "at" in wanted:
            clock.set(instant(wanted["at"]))
        member = "move"
        if "move" in wanted:
            clock.move(float(wanted["move"]))
    except OverflowError as error:
        raise InvalidRequest({member: ["The clock knows the years 1 to 9998."]}) from error
    if frozen is False:
        clock.thaw()
    return clock


_FAULT = Facts(
    plain={
        "id": attrgetter("id"),
        "applied": attrgetter("applied"),
        "fault": attrgetter("document"),
    }
)
_TOLD = Facts(rest=lambda name, _: itemgetter(name))
_RESET = Facts(plain={"reset": lambda names: names})
_CLOCK = Facts(plain={"now": lambda clock: instant_text(clock.now()), "frozen": attrgetter("frozen")})


def _list_of(kind: Facts) -> Facts:
    return Facts(
        plain={"total": len},
        lists={"items": (lambda pick: lambda things: [pick(thing) for thing in things], kind)},
    )


HANDLERS: Mapping[str, Handler[Controls]] = {
    "getHealth": Handler(get_health, _TOLD),
    "resetAll": Handler(reset_all, _RESET),
    "resetPart": Handler(reset_part, _RESET),
    "listLoads": Handler(list_loads, PAGE),
    "readLoad": Handler(read_load, LOAD),
    "putLoad": Handler(put_load, LOAD),
    "changeLoad": Handler(change_load, LOAD),
    "removeLoad": Handler(remove_load, LOAD),
    "listRequests": Handler(list_requests, _list_of(ENTRY)),
    "clearRequests": Handler(clear_requests, _RESET),
    "listFaults": Handler(list_faults, _list_of(_FAULT)),
    "addFault": Handler(add_fault, _FAULT),
    "clearFaults": Handler(clear_faults, _RESET),
    "removeFault": Handler(remove_fault, _RESET),
    "readClock": Handler(read_clock, _CLOCK),
    "changeClock": Handler(change_clock, _CLOCK),
}


def control_app(spec: Spec, controls: Controls, max_body: int) -> ASGIApp:
    """Serves the document of the control plane: `spec` is what `control_spec` made."""
    document = Raw(encode(spec.document))

    async def get_document(_controls: Controls, _call: Call) -> Raw:
        return document

    handlers = {**HANDLERS, "getControlDocument": Handler(get_document, None)}
    return route(spec, bound(handlers, controls), max_body)


def beside(app: ASGIApp, control: ASGIApp) -> ASGIApp:
    """Both apps on one port: what is under PREFIX goes to the control plane."""

    def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return (control if scope["path"].startswith(PREFIX) else app)(scope, receive, send)

    return call


def on_port(port: int, app: ASGIApp, control: ASGIApp) -> ASGIApp:
    """Both apps, for a server that listens on two ports: one is the control plane's."""

    def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return (control if scope["server"][1] == port else app)(scope, receive, send)

    return call
