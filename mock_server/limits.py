"""Rate limits: how many requests of one token an operation takes in a span of time."""

import math
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from pyrate_limiter import InMemoryBucket, RateItem
from pyrate_limiter import Rate as Window
from starlette.types import Scope

from mock_server.clock import Clock
from mock_server.problems import RateLimitExceeded
from mock_server.rates import Rate
from mock_server.spec import Operation
from mock_server.tokens import authorization_of, token_of

MOST_CALLERS = 10_000


class Limits:
    """Counts requests by operation and token, and those without a token by the client's address.

    `rate` holds for every operation that needs a token; None for what the spec says of each.
    """

    def __init__(self, clock: Clock, rate: Rate | None) -> None:
        self._clock = clock
        self._rate = rate
        self._callers: dict[tuple[str, str], _Caller] = {}

    def reset(self) -> Awaitable[None] | None:
        """Forgets every request so far."""
        self._callers.clear()
        return None

    def check_for(self, operation: Operation | None) -> Callable[[Scope], Awaitable[None] | None] | None:
        """The check for one operation; raises RateLimitExceeded."""
        if operation is None:
            return None
        name, limit = operation.id, self._limit_of(operation)
        if limit is None:
            return None

        def check(scope: Scope) -> Awaitable[None] | None:
            authorization = authorization_of(scope)
            who = _digest(token_of(authorization)) if authorization else (scope["client"] or ("",))[0]
            return self._count(name, who, *limit)

        return check

    def _count(self, operation: str, who: str, rate: Rate, blocked_seconds: int) -> Awaitable[None] | None:
        """Counts a request; RateLimitExceeded, at once or when awaited."""
        caller = self._callers.get((operation, who))
        if caller is None:
            while len(self._callers) >= MOST_CALLERS:
                del self._callers[next(iter(self._callers))]
            caller = self._callers[operation, who] = _Caller(rate, blocked_seconds)
        caller.pass_at(math.floor(self._clock.seconds() * 1000))
        return None

    def _limit_of(self, operation: Operation) -> tuple[Rate, int] | None:
        """The rate, and for how many seconds one request too many blocks a caller."""
        if self._rate is not None:
            return None if operation.scopes is None else (self._rate, 0)
        published = operation.rate_limit
        if published is None:
            return None
        return Rate(published["requests"], published["seconds"]), published["blockedSeconds"]


def _digest(token: bytes) -> str:
    # A header may have 64 KiB, and there are thousands of callers.
    return blake2b(token, digest_size=16).hexdigest()


class _Caller:
    """One caller of one operation. Times are in milliseconds."""

    def __init__(self, rate: Rate, blocked_seconds: int) -> None:
        # The bucket counts both ends of a span; what came exactly a minute ago is over.
        self._bucket = InMemoryBucket([Window(rate.requests, rate.seconds * 1000 - 1)])
        self._blocked_for = blocked_seconds * 1000
        self._blocked_until = 0
        self._latest = 0

    def pass_at(self, now: int) -> None:
        """Counts a request; RateLimitExceeded if it is one too many. One that is refused does not count."""
        if now < self._latest:  # the clock was set back
            self._bucket.flush()
            self._blocked_until = 0
        self._latest = now
        self._bucket.leak(now)
        if now >= self._blocked_until:
            item = RateItem("request", now)
            if self._bucket.put(item):
                return
            if self._blocked_for:
                self._bucket.flush()
                self._blocked_until = now + self._blocked_for
            else:
                wait = self._bucket.waiting(item)
                self._blocked_until = now + (wait if isinstance(wait, int) else 0)
        raise exceeded(self._blocked_until - now)


def exceeded(milliseconds: int) -> RateLimitExceeded:
    """The refusal of a request that came so long before the next one is taken."""
    return RateLimitExceeded(max(1, math.ceil(milliseconds / 1000)))
