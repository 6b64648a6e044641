"""Worlds beside the default one: each has a state of its own. Imported when one is named."""

import re
import time
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.clock import Clock
from mock_server.endpoint import NoOperation, serve
from mock_server.problems import InvalidRequest, SwitchedOff, TooManyWorlds, UnknownWorld
from mock_server.router import ADMIN_PREFIX, Routes
from mock_server.trace import WORLD_HEADER, WORLD_PREFIX, Trace

if TYPE_CHECKING:  # which makes what is here
    from mock_server.sandbox import Sandbox

SILENCE = 3600
"""Seconds without a request after which a world ends."""

_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,64}")  # most clients resolve . and .. in a path
_KEY, _RAW_PREFIX = WORLD_HEADER.lower().encode(), WORLD_PREFIX.encode()


class WorldState(NamedTuple):
    """How a world is. `silent` are the seconds since its latest request, by a clock that nobody can set."""

    name: str
    loads: int
    requests: int
    silent: float


class _World:
    """One world, its app, and how it was used."""

    def __init__(self, sandbox: "Sandbox", app: ASGIApp, now: float) -> None:
        self.sandbox = sandbox
        self.app = app
        self.requests = 0
        self.under_way = 0
        self.used_at = now


class Worlds:
    """The ASGI app that leads a request to the world that it names.

    A world is made on first use, by `make`; there are at most `most`. `api` and `clock` are those of the
    default one, which has what is refused here in its journal.
    """

    def __init__(
        self,
        most: int,
        make: "Callable[[str], tuple[Sandbox, ASGIApp]]",
        api: Routes,
        clock: Clock,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is in seconds; only differences count."""
        self._most = most
        self._make = make
        self._api = api
        self._clock = clock
        self._now = now
        self.around: Callable[[ASGIApp], ASGIApp] | None = None
        """Opens what refuses a request to the web pages that may call the API."""
        self._worlds: dict[str, _World] = {}  # the one that was used longest ago first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            name, inner = self._addressed(scope)
            world = self._used(name)
        except (InvalidRequest, SwitchedOff, TooManyWorlds) as error:
            await self._refuse(error, scope, receive, send)
            return
        world.requests += 1
        world.under_way += 1
        try:
            await world.app(inner, receive, send)
        finally:
            world.under_way -= 1
            if self._worlds.get(name) is world:  # else it was ended meanwhile
                self._use(name, world)

    def sandbox(self, name: str | None = None) -> "tuple[str, Sandbox]":
        """A world, made if there is none of that name; without a name, a new one. SwitchedOff, TooManyWorlds.

        InvalidRequest for what can't be a name.
        """
        checked = _checked(str(uuid4()) if name is None else name)
        return checked, self._used(checked).sandbox

    async def states(self) -> list[WorldState]:
        """How each world is, by their names."""
        self._end_silent()
        now = self._now()
        return [
            WorldState(
                name,
                await world.sandbox.ledger.count(),
                world.requests,
                0 if world.under_way else now - world.used_at,
            )
            for name, world in sorted(self._worlds.items())
        ]

    def end(self, name: str) -> None:
        """Ends a world; requests that are under way there get their responses. UnknownWorld."""
        self._end_silent()
        world = self._worlds.pop(name, None)
        if world is None:
            raise UnknownWorld(name)
        world.sandbox.admin.end()

    def end_all(self) -> None:
        """Ends every world."""
        while self._worlds:
            self._worlds.popitem()[1].sandbox.admin.end()

    def _addressed(self, scope: Scope) -> tuple[str, Scope]:
        """The world that a request names, and the request as that world sees it; InvalidRequest."""
        named = [value.decode("latin-1") for key, value in scope["headers"] if key == _KEY]
        if len(named) > 1:
            raise _refusal(f"The {WORLD_HEADER} header can be sent once only.")
        path = scope["path"].removeprefix(WORLD_HEADER)
        if not path.startswith(WORLD_PREFIX) or self._api.has_path(path):
            return _checked(named[0]), {**scope, "path": path}
        # As it was sent: an escaped slash does not end a name.
        in_path = scope["raw_path"].removeprefix(_RAW_PREFIX).partition(b"/")[0].decode("latin-1")
        if [in_path] != (named or [in_path]):
            raise _refusal(f"The {WORLD_HEADER} header and the path name two worlds.")
        prefix = WORLD_PREFIX + _checked(in_path)
        return in_path, {**scope, "path": path.removeprefix(prefix) or "/", "root_path": prefix}

    def _used(self, name: str) -> _World:
        self._end_silent()
        world = self._worlds.get(name)
        if world is None:
            if not self._most:
                raise SwitchedOff("There are no worlds here: --worlds is 0, or the state is in a database.")
            if len(self._worlds) >= self._most:
                raise TooManyWorlds(self._most)
            world = _World(*self._make(name), self._now())
        self._use(name, world)
        return world

    def _use(self, name: str, world: _World) -> None:
        world.used_at = self._now()
        self._worlds.pop(name, None)
        self._worlds[name] = world

    def _end_silent(self) -> None:
        silent_since = self._now() - SILENCE
        silent = takewhile(lambda item: item[1].used_at <= silent_since, self._worlds.items())
        for name in [name for name, world in silent if not world.under_way]:
            self._worlds.pop(name).sandbox.admin.end()

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        def why(_trace: Trace) -> Exception:
            return error

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            trace = Trace(scope, None, {}, self._clock.seconds(), time.perf_counter())
            await serve(NoOperation(why), trace, receive, send)
            trace.seconds = time.perf_counter() - trace.started
            for watch in self._api.watchers:
                watch(trace)

        if self.around is None or ADMIN_PREFIX in scope["path"]:
            await app(scope, receive, send)
        else:
            await self.around(app)(scope, receive, send)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _refusal(
            "The name of a world has 1 to 64 of the characters A-Z, a-z, 0-9, ., _ and -; . and .. are none."
        )
    return name


def _refusal(sentence: str) -> InvalidRequest:
    return InvalidRequest({WORLD_HEADER: [sentence]})
