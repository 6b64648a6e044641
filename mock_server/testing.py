"""The mock inside a test: a real server in a thread, on a free port."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mock_server.decimal_json import decode, encode
from mock_server.domain import Load
from mock_server.journal import Entry
from mock_server.ledger import UnusableState
from mock_server.opening import opening_loads
from mock_server.problems import UnknownWorld
from mock_server.receiver import ReceivedEvent, WebhookReceiver, verify_signature
from mock_server.responses import LOAD, compile_response
from mock_server.sandbox import Sandbox, Settings, served_spec
from mock_server.serving import Server, listen, url_of
from mock_server.shared_world import AdminRefusal, SharedWorld
from mock_server.shipped import FIXTURES, SPEC
from mock_server.trace import WORLD_HEADER, WORLD_PREFIX
from mock_server.webhooks import EVENTS, WITH_ID, Delivery

if TYPE_CHECKING:
    from mock_server.tls import Tls

Result = TypeVar("Result")

_GRACE = 2
"""Seconds that the end of a test waits for requests that its end left behind."""

__all__ = [
    "AdminRefusal",
    "MockServer",
    "MockWorld",
    "ReceivedEvent",
    "Settings",
    "SharedWorld",
    "WebhookReceiver",
    "verify_signature",
]


def _certified() -> "AbstractContextManager[Tls]":
    from mock_server.tls import made_tls  # noqa: PLC0415 - for those who want it

    return made_tls(())


class MockServer:
    """A context manager that serves the mock on 127.0.0.1.

        with MockServer() as mock:
            httpx2.get(f"{mock.url}/api/p/v1.0/loads?loadNumber=LD-1001")

    `fixtures` and `spec` are files, as on the command line, and `settings` its other options. With `tls` it
    speaks https, with a certificate made for it; that needs the extra `tls` (NoCertificate). Several
    can run at once; they share nothing but a database, if their `state` is the same one. The methods may be
    called from any thread while the server runs. Raises what `alvys-mock` refuses to start with: SpecError,
    FixtureError, UnreadableDocument, UnusableSetting, and once it is entered UnusableState.
    """

    url: str
    """The base URL, for example `http://127.0.0.1:40123`."""

    def __init__(
        self,
        fixtures: Sequence[Path] = (FIXTURES,),
        spec: Path = SPEC,
        settings: Settings | None = None,
        *,
        state: str | None = None,
        tls: bool = False,
    ) -> None:
        """`state` takes the place of that of the settings."""
        settings = settings or Settings()
        if state is not None:
            settings = replace(settings, state=state)
        read = served_spec(spec, settings)
        self._sandbox = Sandbox(read, opening_loads(read.ours, fixtures), settings)
        self.admin = self._sandbox.admin
        """What the methods below use. It belongs to the thread of the server, while that runs."""
        self._write = compile_response(read.ours, read.ours.schema("Load"), LOAD, "Load")
        self._up: Future[asyncio.AbstractEventLoop] = Future()
        self._exits = ExitStack()
        certified = self._exits.enter_context(_certified()) if tls else None
        context = None if certified is None else certified.context
        self.ca = None if certified is None else certified.ca
        """The file of the authority that clients must trust, while the server runs; None without TLS."""
        self._scheme = "http" if certified is None else "https"
        self._server = Server(
            self._sandbox.app(),
            self._started,
            grace=_GRACE,
            tls=context,
            around=self._sandbox.ledger.opened(),
        )

    async def _started(self) -> None:
        self._up.set_result(asyncio.get_running_loop())

    def _run(self) -> None:
        try:
            self._server.run([self._listener])
        except UnusableState as error:
            self._up.set_exception(error)

    def __enter__(self) -> Self:
        self._listener = listen("127.0.0.1", 0)
        self.url = url_of(self._listener, self._scheme)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        try:
            self._loop = self._up.result()
        except UnusableState:
            self._listener.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()
        self._listener.close()
        self._exits.close()

    def world(self, name: str | None = None) -> "MockWorld":
        """A world of this server, a new one without a name; SwitchedOff, InvalidRequest, TooManyWorlds.

            with mock.world() as world:
                httpx2.get(f"{world.url}/api/p/v1.0/loads?loadNumber=LD-1001")

        Its `url` is the prefix form of the address; `headers` name it at the server's own. The end of the
        block ends it.
        """
        return MockWorld(self, name)

    def reset(self) -> None:
        """Takes loads, tokens, limits, faults, requests, webhooks and the clock back to the start."""
        self._do(self.admin.reset())

    def add_load(self, number: str, status: str = "Invoiced", **fields: object) -> dict[str, Any]:
        """Adds a load, in place of one with the same number; returns it as `load` does.

            mock.add_load("LD-7", InvoicedAmount={"Amount": 120.50, "Currency": 840})

        `fields` have the names of the API. What is left out is filled with plausible values, except money.
        InvalidRequest names the field that is wrong, LoadIdTaken another load with the `Id`.
        """
        # Through JSON and back: a float becomes the decimal that it is written as.
        fixture: Any = decode(encode({"Status": status, **fields}))
        return self._seen(self._do(self.admin.put_load(number, fixture)))

    def load(self, number: str) -> dict[str, Any]:
        """The load as the API shows it, numbers as int or Decimal; LoadNotFound.

        assert mock.load("LD-1001")["totalPaid"]["Amount"] == Decimal("1250.10")
        """
        return self._seen(self._do(self.admin.ledger.load(number=number)))

    def set_status(self, number: str, status: str) -> dict[str, Any]:
        """Moves a load to a status, whatever it was in; LoadNotFound."""
        return self._seen(self._do(self.admin.ledger.set_status(number, status)))

    def snapshot(self) -> str:
        """All loads and their payments, as JSON that `restore` and `--fixtures` take.

        Path("loads.json").write_text(mock.snapshot())
        """
        return encode(self._do(self.admin.snapshot())).decode()

    def restore(self, snapshot: str) -> None:
        """Puts the loads of a snapshot in the place of all that there are; InvalidRequest, NotJson.

        A reset still goes back to the loads of the start.
        """
        loads: Any = decode(snapshot.encode())
        self._do(self.admin.restore(loads))

    @property
    def requests(self) -> list[Entry]:
        """The latest requests, oldest first; SwitchedOff if the journal is off.

        assert [request.status for request in mock.requests] == [200]
        """
        return self._do(self.admin.list_requests({}))

    def verify(  # noqa: PLR0913 - one for each condition
        self,
        *,
        operation: str | None = None,
        load: str | None = None,
        reference: str | None = None,
        status: int | None = None,
        body: Mapping[str, object] | None = None,
        exactly: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
    ) -> None:
        """Asserts that as many requests came as expected: without a number, at least one.

            mock.verify(reference="ACH-17", status=200, exactly=1)
            mock.verify(load="LD-1001", body={"Amount": {"Amount": 90.00}})

        `body` are fields that the body must have, besides others. AssertionError says in what the nearest
        requests differ, and why they got their responses; InvalidRequest, SwitchedOff if the journal is off.
        """
        given = {
            "operation": operation,
            "load": load,
            "reference": reference,
            "status": status,
            "body": body,
            "exactly": exactly,
            "atLeast": at_least,
            "atMost": at_most,
        }
        wanted: Any = decode(encode({name: value for name, value in given.items() if value is not None}))
        verification = self._do(self.admin.verify_requests(wanted))
        if not verification.passed:
            raise AssertionError(verification.text)

    def fail_next(self, count: int = 1, operation: str = "recordCustomerPayment", **what: object) -> None:
        """Injects a fault into the next `count` requests of an operation; InvalidRequest.

            mock.fail_next(drop="after")              # recorded, and the response is lost
            mock.fail_next(2, status=503, retryAfter=1)
            mock.fail_next(operation="getLoad", delay=0.2)

        admin.yaml describes the faults that there are, under Fault.
        """
        document: Any = decode(encode({"operation": operation, "next": count, **what}))
        self._do(self.admin.add_fault(document))

    def add_webhook(
        self, url: str, secret: str | None = None, events: Sequence[str] = EVENTS, signed: str = WITH_ID
    ) -> str:
        """Registers a receiver of events and returns its secret; InvalidRequest, SwitchedOff.

        It stays until the next reset. `signed` is what the signature covers, as in the admin API.
        """
        wanted = {"url": url, "secret": secret, "events": events, "signed": signed}
        return self._do(self.admin.add_webhook(wanted)).secret

    @property
    def deliveries(self) -> list[Delivery]:
        """The events that were sent or wait, oldest first.

        assert [delivery.state for delivery in mock.deliveries] == ["delivered"]
        """
        return self._soon(lambda: self.admin.webhooks.deliveries)

    def fail_next_event(self, webhook: str, count: int = 1) -> None:
        """Injects a fault into the next `count` attempts to deliver an event; InvalidRequest.

        `webhook` is `lost`, `doubled`, `outOfOrder` or `wrongSignature`.
        """
        self._do(self.admin.add_fault({"webhook": webhook, "next": count}))

    def token(self, client: str | None = None) -> str:
        """An access token of a client, of the first if none is named; StopIteration if it is unknown."""
        tokens = self.admin.tokens
        owner = next(each for each in tokens.clients if client in (None, each.id))
        return self._soon(tokens.token_for, owner)

    def move_clock(self, seconds: float) -> None:
        """Lets that many seconds pass at once: tokens expire, rate limits end. Nothing sleeps."""
        clock = self._sandbox.clock
        self._change(clock, partial(clock.move, seconds))

    def freeze_clock(self, at: datetime) -> None:
        """Stops the clock at an instant, which must have a time zone, until the next reset."""
        clock = self._sandbox.clock

        def freeze() -> None:
            with clock.all_or_nothing():
                clock.freeze()
                clock.set(at)

        self._change(clock, freeze)

    def _change(self, part: object, work: Callable[[], Result]) -> Result:
        return self._do(self.admin.sharing.change(part, work))

    def _soon(self, what: Callable[..., Result], *arguments: object) -> Result:
        async def call() -> Result:
            return what(*arguments)

        return self._do(call())

    def _do(self, what: Coroutine[None, None, Result]) -> Result:
        async def caught_up() -> Result:
            with closing(what):
                await self.admin.sharing.catch_up()
                return await what

        # In the server's own thread, so that no request is served halfway through it.
        return asyncio.run_coroutine_threadsafe(caught_up(), self._loop).result()

    def _seen(self, load: Load) -> dict[str, Any]:
        document: Any = decode(encode(self._write(load)))
        return document  # type: ignore[no-any-return]


class MockWorld(MockServer):
    """A world of a server, with all that a server has; made by its `world`."""

    def __init__(self, server: MockServer, name: str | None) -> None:
        self._loop, self._write = server._loop, server._write
        self._worlds = server._soon(lambda: server.admin.other_worlds)
        self.name, self._sandbox = server._soon(self._worlds.sandbox, name)
        self.admin = self._sandbox.admin
        self.url = f"{server.url}{WORLD_PREFIX}{self.name}"
        self.headers = {WORLD_HEADER: self.name}
        """What names it to the server's own address."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(UnknownWorld):  # somebody ended it before
            self._soon(self._worlds.end, self.name)
