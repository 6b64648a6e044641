"""Finds the endpoint of a request: by path, version and method, as the documents say."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.clock import Clock
from mock_server.console.routes import Console, Shown
from mock_server.endpoint import DEFAULT_MAX_BODY, Endpoint, Gate, NoOperation, OperationEndpoint, serve
from mock_server.faults import Faults
from mock_server.handlers import Handler
from mock_server.openapi import DocumentRoutes
from mock_server.policy import DEFAULT_POLICY, Policy
from mock_server.problems import MethodNotAllowed, UnknownPath, check_rows
from mock_server.spec import Operation, Spec, SpecError
from mock_server.trace import WORLD_HEADER, WORLD_PREFIX, ClientGone, Trace

ADMIN_PREFIX = "/_mock/"
_LONGEST_KEPT = 256
"""Characters of a path whose endpoint is kept."""
_LONGEST_TRIED = 4096
"""Characters of a path that may be one of a document that is not ours."""

Watcher = Callable[[Trace], object]
"""Is given each request when it is over."""


class Routes:
    """The endpoints of one document, by path and method.

    SpecError if an operation has no handler, a handler no operation, or a response a field that nothing
    fills.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that can be switched on
        self,
        spec: Spec,
        handlers: Mapping[str, Handler[Any]],
        max_body: int = DEFAULT_MAX_BODY,
        *,
        gates: Sequence[Gate] = (),
        faults: Faults | None = None,
        watchers: Sequence[Watcher] = (),
        policy: Policy = DEFAULT_POLICY,
        beside: "Routes | None" = None,
    ) -> None:
        """`beside` has what is served where the document has no path."""
        self.faults = faults
        self.watchers = list(watchers)
        check_rows()
        _check_handlers(spec, handlers)
        self._beside = beside
        self._bases = spec.bases
        operations: dict[str, list[Operation]] = {}
        for operation in spec.operations:
            operations.setdefault(operation.path, []).append(operation)
        with spec.in_use():
            self._paths = [
                _Path(
                    path,
                    {
                        each.method: OperationEndpoint(
                            spec, each, handlers[each.id], max_body, gates, policy=_policy_of(each, policy)
                        )
                        for each in those
                    },
                    gates,
                    _policy_of(those[0], policy),
                    takes_rest=spec.origin is None,
                )
                for path, those in sorted(operations.items(), key=_rank if spec.origin else lambda _: 0)
            ]
        self._no_path = NoOperation(_unknown_path, gates, policy.refuse, spec.operations)

    def again(
        self,
        handlers: Mapping[str, Handler[Any]],
        gates: Sequence[Gate] = (),
        *,
        faults: Faults | None = None,
        watchers: Sequence[Watcher] = (),
        beside: "Routes | None" = None,
    ) -> Self:
        """The same paths with a state of their own: all that was compiled is shared."""
        other = copy(self)
        other.faults, other.watchers, other._beside = faults, list(watchers), beside
        other._paths = [each.again(handlers, gates) for each in self._paths]
        other._no_path = self._no_path.again(gates)
        return other

    def has_path(self, path: str) -> bool:
        """Whether an operation has this path, with whatever method."""
        return any(each.parameters_in(path) is not None for each in self._paths)

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """The endpoint of a request, and the parameters in its path."""
        below = (path[len(base) :] for base in self._bases if path.lower().startswith(f"{base.lower()}/"))
        for each in (path, *below):
            if (ours := self._endpoint(method, each)) is not None:
                return ours
        if self._beside is not None:
            found = self._beside.find(method, path)
            if isinstance(found[0], OperationEndpoint):
                return found
        return self._no_path, {}

    def _endpoint(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
        """The first path that matches and has the method, else the first that matches, if any does."""
        others: list[tuple[Endpoint, Mapping[str, str]]] = []
        for each in self._paths:
            parameters = each.parameters_in(path)
            if parameters is not None:
                if method in each.endpoints:
                    return each.endpoints[method], parameters
                others.append((each.no_method, parameters))
        return others[0] if others else None


def _check_handlers(spec: Spec, handlers: Mapping[str, Handler[Any]]) -> None:
    ids = {operation.id for operation in spec.operations}
    if missing := ", ".join(sorted(ids - set(handlers))):
        raise SpecError(f"{spec.name}: {missing} needs a handler, like those in mock_server/handlers.py")
    if needless := ", ".join(sorted(set(handlers) - ids)):
        raise SpecError(f"{spec.name}: {needless} has a handler, but is not an operation")


def _policy_of(operation: Operation, policy: Policy) -> Policy:
    """Tokens are issued as OAuth says, whatever the API does; examples are not asked about."""
    return DEFAULT_POLICY if operation.takes_forms or not operation.is_ours else policy


def _anything(_parameters: object) -> bool:
    return True


def _unknown_path(_trace: Trace) -> UnknownPath:
    return UnknownPath("There is no such path, or not in this version of the API.")


class _Path:
    """A path of the document, in any case (A5). It matches only with parameters that the document allows."""

    def __init__(
        self,
        path: str,
        endpoints: Mapping[str, OperationEndpoint],
        gates: Sequence[Gate],
        policy: Policy,
        *,
        takes_rest: bool,
    ) -> None:
        """`takes_rest`: whether a parameter at the end may have slashes, as a load number may."""
        self.endpoints = endpoints
        operations = [endpoint.operation for endpoint in endpoints.values()]
        # Without a token one may not even learn the methods of a path whose operations need one.
        self._secured = any(operation.scopes is not None for operation in operations)
        self.no_method = NoOperation(
            lambda trace: MethodNotAllowed(trace.scope["method"], endpoints),
            gates if self._secured else (),
            policy.refuse,
            operations,
        )
        self._names = re.findall(r"\{(.+?)\}", path)
        # `\Z`, because `$` would let a line feed follow; without ASCII a long s would pass for an s.
        self._pattern = re.compile(_pattern_of(path, takes_rest=takes_rest) + r"\Z", re.IGNORECASE | re.ASCII)
        # With two parameters in a segment, where one ends is tried out.
        self._longest = None if takes_rest else _LONGEST_TRIED
        self._takes = _anything if policy.any_version else operations[0].path_parameters.accepts

    def again(self, handlers: Mapping[str, Handler[Any]], gates: Sequence[Gate]) -> Self:
        other = copy(self)
        other.endpoints = {
            method: endpoint.again(handlers[endpoint.operation.id], gates)
            for method, endpoint in self.endpoints.items()
        }
        other.no_method = self.no_method.again(gates if self._secured else ())
        return other

    def parameters_in(self, path: str) -> dict[str, str] | None:
        """The parameters in the path; None if it is another."""
        is_too_long = self._longest is not None and len(path) > self._longest
        match = None if is_too_long else self._pattern.match(path)
        if match is None:
            return None
        parameters = dict(zip(self._names, match.groups(), strict=True))
        return parameters if self._takes(parameters) else None


def _pattern_of(path: str, *, takes_rest: bool) -> str:
    first, *others = re.split(r"\{.+?\}", path)
    is_last = takes_rest and path.endswith("}")
    pieces = [f"([^/]+){re.escape(piece)}" for piece in others]
    if is_last:
        pieces[-1] = "(.*)"
    return re.escape(first) + "".join(pieces)


def _rank(of_path: tuple[str, object]) -> tuple[bool, ...]:
    """Which of two paths that both match counts: the one that says more, from left to right."""
    return tuple("{" in segment for segment in of_path[0].split("/"))


class _NamesWorld(Exception):
    """A request is for another world than this one. Raised, for what is returned is kept for the next one."""

    def __init__(self, worlds: ASGIApp) -> None:
        self.worlds = worlds


class Router:
    """The ASGI app: serves the API and, if there is one, the admin API beside it.

    The admin API has the paths under ADMIN_PREFIX, or, with `admin_port`, a port of its own. `document`
    serves the document of the API, and `console` its pages where the admin API is.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that can be switched on
        self,
        clock: Clock,
        api: Routes,
        admin: Routes | None = None,
        admin_port: int | None = None,
        *,
        document: DocumentRoutes | None = None,
        console: Console | None = None,
    ) -> None:
        self._now = clock.seconds
        self._api = api
        self._admin = admin
        self._admin_port = admin_port
        self._document = document
        self._console = console
        self.explain: Callable[[Trace, Send], Send] | None = None
        """Makes what sends the responses of the API say more."""
        self.before: Callable[[Scope, Operation | None], Awaitable[bool]] | None = None
        """What is done before each request of the API and of the admin API: whether that can be served."""
        self.worlds: ASGIApp | None = None
        """What serves the requests that name a world."""
        # The same few paths come again and again; what is long is not kept.
        self._found = lru_cache(maxsize=64)(self._find)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        find = self._found if len(scope["path"]) <= _LONGEST_KEPT else self._find
        try:
            routes, endpoint, path = find(scope["method"], scope["path"], scope["server"])
        except _NamesWorld as named:
            await named.worlds(scope, receive, send)
            return
        started = time.perf_counter()
        faults = routes.faults
        if (
            self.before is not None
            and isinstance(routes, Routes)
            and not await self.before(scope, endpoint.operation)
        ):
            faults = None  # nobody knows which there are
        trace = Trace(scope, endpoint.operation, path, self._now(), started)
        if self.explain is not None and routes is self._api:
            send = self.explain(trace, send)
        try:
            if faults is not None and faults.rules and isinstance(endpoint, OperationEndpoint):
                await faults.serve(endpoint, trace, receive, send)
            else:
                await serve(endpoint, trace, receive, send)
        except ClientGone:
            pass
        finally:
            trace.seconds = time.perf_counter() - trace.started
            for watch in routes.watchers:
                watch(trace)

    def _find(
        self, method: str, path: str, server: tuple[str, int]
    ) -> tuple[Routes | DocumentRoutes | Shown, Endpoint, Mapping[str, str]]:
        if self.worlds is not None and self.names_world(path):
            raise _NamesWorld(self.worlds)
        routes: Routes | DocumentRoutes = self._api
        if self._admin is not None and self.is_admin(path, server):
            routes = self._admin
        elif self._document is not None and path in self._document.paths:
            routes = self._document
        if self._console is not None and method == "GET" and self._admin_port in {None, server[1]}:
            shown = self._console.find(path, routes)
            if shown is not None:
                return shown, shown, {}
        return routes, *routes.find(method, path)

    def names_world(self, path: str) -> bool:
        """Whether a request with this `path` in its scope names a world; a path that the API has does not."""
        return path.startswith(WORLD_HEADER) or (
            path.startswith(WORLD_PREFIX) and not self._api.has_path(path)
        )

    def is_admin(self, path: str, server: tuple[str, int]) -> bool:
        """Whether a request to an address is one to the admin API, if there is one."""
        if self._admin_port is None:
            return path.startswith(ADMIN_PREFIX)
        return server[1] == self._admin_port
