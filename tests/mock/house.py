"""A server whose app does what the path says, so that a test can look at both sides of a connection."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from starlette.types import Message, Receive, Scope, Send

from mock_server.serving import Server, listen
from tests.mock.wire import Wire

Result = TypeVar("Result")
LARGE = 3_000_000


class House:
    """The server in a thread. `seen` are the requests that the app got, `done` those that it finished."""

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop], **options: Any) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.done: list[str] = []
        self.scopes: list[Scope] = []
        self.most_at_once = 0
        self.server = Server(self.app, self._started, **options)
        self._new_loop = new_loop
        self._is_up = threading.Event()

    def __enter__(self) -> Self:
        listener = listen("127.0.0.1", 0)
        self.port = int(listener.getsockname()[1])

        def serve() -> None:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                runner.run(self.server.serve([listener]))

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        self._is_up.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.server.stop()
        self.thread.join()

    async def _started(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._base = len(asyncio.all_tasks())
        self._is_up.set()

    def wire(self) -> Wire:
        return Wire(self.port)

    def do(self, what: Callable[..., Result], *arguments: object) -> Result:
        """Calls something in the server's own thread."""

        async def call() -> Result:
            return what(*arguments)

        return self.run(call())

    def run(self, what: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(20)

    def let(self, name: str) -> None:
        """Lets the requests of /wait/NAME be answered."""
        self.do(lambda: self._gates[name].set())  # noqa: PLW0108 - a gate is made in the loop

    def has_seen(self, count: int) -> None:
        """Returns when the app has got that many requests."""
        self.until(lambda: len(self.seen) >= count)

    def is_empty(self) -> None:
        """Returns when no connection and no task is left; else the test fails after a while."""
        self.until(lambda: not self.server.shared.open and len(asyncio.all_tasks()) == self._base + 1)

    def until(self, holds: Callable[[], bool]) -> None:
        """Returns once something holds; fails if it never does."""

        async def wait() -> None:
            async with asyncio.timeout(60):
                while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of tests
                    await asyncio.sleep(0)

        self.run(wait())

    def pass_seconds(self, count: int) -> None:
        for _ in range(count):
            self.do(self.server.pass_a_second)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Does what the path says."""
        self.scopes.append(scope)
        _, what, rest = f"{scope['path']}//".split("/", 2)
        own: dict[str, Callable[[Receive, Send, str], Coroutine[Any, Any, None]]] = {
            "wait": self._wait,
            "stream": self._stream,
            "unread": self._unread,
            "status": self._status,
            "large": self._large,
            "fail": self._fail,
            "late": self._fail_late,
            "short": self._short,
            "long": self._long,
            "nothing": self._nothing,
            "unread-later": self._unread_later,
            "later": self._stream_later,
            "fail-later": self._fail_later,
        }
        if what in {"unread", "unread-later", "nothing", "fail"}:
            self.seen.append((scope["path"], b""))
        else:
            body = await _body(receive)
            if body is None:
                self.done.append("left")
                return
            self.seen.append((scope["path"], body))
        self.most_at_once = max(self.most_at_once, len(self.seen) - len(self.done))
        await own.get(what, self._echo)(receive, send, rest.rstrip("/"))
        self.done.append(scope["path"])

    async def _echo(self, _receive: Receive, send: Send, _rest: str) -> None:
        path, body = self.seen[-1]
        await _respond(send, path.encode() + b" " + body)

    async def _wait(self, _receive: Receive, send: Send, name: str) -> None:
        await self._gates[name].wait()
        await _respond(send, name.encode())

    async def _stream(self, receive: Receive, send: Send, count: str) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(int(count or 0)):
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
        if not count:  # without an end of its own
            message = await receive()
            self.done.append(message["type"])
            return
        await send({"type": "http.response.body", "body": b""})

    async def _unread(self, _receive: Receive, send: Send, _rest: str) -> None:
        await _respond(send, b"unread")

    async def _unread_later(self, _receive: Receive, send: Send, name: str) -> None:
        await self._gates[name].wait()
        await _respond(send, b"unread")

    async def _status(self, _receive: Receive, send: Send, status: str) -> None:
        await _respond(send, b"" if status in {"204", "304"} else b"body", int(status))

    async def _large(self, _receive: Receive, send: Send, _rest: str) -> None:
        await _respond(send, b"x" * LARGE)

    async def _fail(self, *_: object) -> None:
        raise RuntimeError("a secret")

    async def _fail_late(self, _receive: Receive, send: Send, _rest: str) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("a secret")

    async def _short(self, _receive: Receive, send: Send, _rest: str) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"half"})

    async def _long(self, _receive: Receive, send: Send, _rest: str) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"long"})

    async def _stream_later(self, receive: Receive, send: Send, name: str) -> None:
        await self._gates[name].wait()
        await self._stream(receive, send, "")

    async def _fail_later(self, _receive: Receive, _send: Send, name: str) -> None:
        await self._gates[name].wait()
        raise RuntimeError("a secret")

    async def _nothing(self, *_: object) -> None:
        pass


async def _body(receive: Receive) -> bytes | None:
    body, more = b"", True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message["body"], message["more_body"]
    return body


async def _respond(send: Send, body: bytes, status: int = 200) -> None:
    length = [] if status in {204, 304} else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": length})
    await send({"type": "http.response.body", "body": body})
