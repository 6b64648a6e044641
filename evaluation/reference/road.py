"""The road to a service, when it is a bad one: latency, gateways, firewalls, limits, revoked tokens."""

import asyncio
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evaluation.reference.tokens import TOKEN_PATH

BAD_GATEWAY = b"<html>\n<head><title>502 Bad Gateway</title></head>\n<body>nginx</body>\n</html>\n"
BLOCKED = BAD_GATEWAY.replace(b"502 Bad Gateway", b"403 Forbidden")
TITLE_OF = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds for each operation; after one more, it is blocked for a while."""

    requests: int
    seconds: float
    blocked_seconds: float


@dataclass(frozen=True, slots=True)
class Road:
    """What lies between a client and a service. The defaults let everything through at once."""

    latency_seconds: float = 0.0
    failing: float = 0.0
    """The share of requests that a gateway answers with 502, before they reach the service."""
    lost_booking: int | None = None
    """Of the payments that were answered with 200, the one of this number (from 1) gets a 502 instead."""
    revokes: Literal[401, 403] | None = None
    """The status with which a token is refused from some request on; a new one is taken."""
    revokes_after: int = 20
    closes: bool = False
    """Whether the connection is closed after each response."""
    limit: Limit | None = None
    firewall: re.Pattern[bytes] | None = None
    """What a path, a query or a body may not say: it is refused with 403."""


@dataclass(slots=True)
class Travelled:
    """A service at the end of a road. The clock counts seconds; the seed decides which requests fail."""

    app: ASGIApp
    road: Road
    clock: Callable[[], float]
    seed: int = 1
    requests: int = 0
    bookings: int = 0
    revoked: bytes | None = None
    times: dict[str, list[float]] = field(default_factory=dict)
    blocked: dict[str, float] = field(default_factory=dict)
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Shakes the dice."""
        self.dice = random.Random(self.seed)  # noqa: S311 - nothing secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Brings one request to the service, or not, and its response back, or not."""
        await asyncio.sleep(self.road.latency_seconds)
        sent = (
            []
            if scope["path"] == TOKEN_PATH
            else [self.revoking(scope), self.limiting(scope), self.failing()]
        )
        stopped = next((response for response in sent if response), None)
        if stopped is None and self.road.firewall is not None:
            stopped, receive = await self.inspecting(scope, receive, self.road.firewall)
        await (stopped or self.arriving)(scope, receive, self.closing(send))

    async def arriving(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the service answer."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        if self.is_lost(scope, messages[0]["status"]):
            await bad_gateway()(scope, receive, send)
            return
        for message in messages:
            await send(message)

    def is_lost(self, scope: Scope, status: int) -> bool:
        """Whether this is the booking whose response does not come back."""
        if status != 200 or not scope["path"].lower().endswith("/customer-payments"):
            return False
        self.bookings += 1
        return self.bookings == self.road.lost_booking

    def failing(self) -> Response | None:
        """A gateway's response instead of the service's."""
        return bad_gateway() if self.dice.random() < self.road.failing else None

    def revoking(self, scope: Scope) -> Response | None:
        """The refusal of a token that was valid until now."""
        if self.road.revokes is None:
            return None
        token = dict(scope["headers"]).get(b"authorization")
        self.requests += 1
        if self.requests == self.road.revokes_after:
            self.revoked = token
        return problem(self.road.revokes) if token and token == self.revoked else None

    def limiting(self, scope: Scope) -> Response | None:
        """The refusal of a request beyond the limit."""
        limit, now, operation = self.road.limit, self.clock(), f"{scope['method']} {scope['path'].lower()}"
        if limit is None:
            return None
        if now >= self.blocked.get(operation, 0.0):
            recent = [one for one in self.times.get(operation, ()) if one > now - limit.seconds]
            self.times[operation] = [*recent, now]
            if len(recent) < limit.requests:
                return None
            self.blocked[operation] = now + limit.blocked_seconds
            self.times[operation] = []
        response = problem(429)
        response.headers["retry-after"] = str(math.ceil(self.blocked[operation] - now))
        return response

    async def inspecting(
        self, scope: Scope, receive: Receive, firewall: re.Pattern[bytes]
    ) -> tuple[Response | None, Receive]:
        """The refusal of what a firewall takes offence at, and the body once more."""
        request = Request(scope, receive)
        body = await request.body()

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        said = scope["path"].encode() + unquote_plus(scope["query_string"].decode()).encode() + body
        return Response(BLOCKED, 403, {"content-type": "text/html"}) if firewall.search(said) else None, again

    def closing(self, send: Send) -> Send:
        """Sends what closes the connection after the response, if the road does that."""

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self.road.closes:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        return closing


def problem(status: int) -> Response:
    """A problem document."""
    fields = {"title": TITLE_OF[status], "status": status}
    return JSONResponse(fields, status, media_type="application/problem+json")


def bad_gateway() -> Response:
    """What a gateway says in HTML."""
    return Response(BAD_GATEWAY, 502, {"content-type": "text/html"})


ROADS: dict[str, Road] = {
    "slow": Road(latency_seconds=0.4),
    "failing": Road(failing=0.05),
    "losing": Road(lost_booking=2),
    "closing_connections": Road(closes=True),
    "behind_a_firewall": Road(firewall=re.compile(rb"<|' OR |DROP TABLE", re.IGNORECASE)),
    "limited": Road(limit=Limit(10, 2.0, 1.0)),
    "revoking_with_401": Road(revokes=401),
    "revoking_with_403": Road(revokes=403),
}
