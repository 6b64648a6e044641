"""The time that would pass if the requests came at the pace that the vendor's limits ask for."""

import time
from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from contract_tests.safety.rate import PUBLISHED, Pace, operation_of


class Make(Protocol):
    """Makes the application, whose clock counts seconds."""

    def __call__(self, *, clock: Callable[[], float]) -> ASGIApp:
        """The application."""


class Paced:
    """An application whose clock goes on as if each request had waited for its turn. Nobody waits."""

    def __init__(self, make: Make) -> None:
        """Makes the application."""
        self._skipped = 0.0
        self._pace = Pace(PUBLISHED, clock=self.now, sleep=self.skip)
        self._app = make(clock=self.now)

    def now(self) -> float:
        """Seconds."""
        return time.monotonic() + self._skipped

    def skip(self, seconds: float) -> None:
        """Lets so much time pass."""
        self._skipped += seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request, when its turn has come by the clock."""
        self._pace.wait(operation_of(scope["method"], scope["path"]))
        await self._app(scope, receive, send)
