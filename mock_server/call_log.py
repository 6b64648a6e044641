"""Prints one line for each call."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_server.handlers import subject

_LONGEST = 200
"""Characters of what a client sent that a line shows."""


class CallLog:
    """An app around an app: tells `write` of each call what was asked, answered, and how fast."""

    def __init__(self, app: ASGIApp, write: Callable[[str], object]) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        started = time.perf_counter()
        await self._app(scope, receive, note_status)
        milliseconds = (time.perf_counter() - started) * 1000
        load, reference = subject(scope)
        # What a client sends is quoted, so that it can neither forge a line nor steer a terminal.
        path = _short(ascii(scope["raw_path"].decode("latin-1"))[1:-1])
        named = "".join(
            f" {what}={_short(ascii(value))}"
            for what, value in (("load", load), ("reference", reference))
            if value
        )
        self._write(f"{scope['method']} {path} {status or '-'}{named} {milliseconds:.1f} ms")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
