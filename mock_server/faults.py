"""Faults that somebody asked for: late, wrong, broken and lost answers."""

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from random import Random
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_server.decimal_json import NotJson, decode, encode
from mock_server.handlers import subject
from mock_server.problems import InvalidRequest, UnknownFault, failure
from mock_server.schemas import Checker
from mock_server.spec import Operation

CONDITIONS = ("operation", "load", "reference", "next", "every", "probability", "seed")
"""The members of a fault that say when; all others say what."""
_OFTEN = ("next", "every", "probability")
_PIECES_A_SECOND = 20


class Fault:
    """One fault: when it happens, and what. The members of `document` are described in control.yaml."""

    def __init__(self, id: str, document: Mapping[str, Any]) -> None:
        self.id = id
        self.document = document
        self.applied = 0
        """How many requests it has struck."""
        self._considered = 0
        seed = document.get("seed")
        self._random = Random(None if seed is None else int(seed))  # noqa: S311 - chance, not secrets

    @property
    def what(self) -> str:
        """What it does, as the command line writes it."""
        return _written({name: value for name, value in self.document.items() if name not in CONDITIONS})

    @property
    def used_up(self) -> bool:
        """Whether it has struck as often as it was to."""
        return bool(self.applied == self.document.get("next"))

    def concerns(self, operation: str) -> bool:
        """Whether it could strike that operation at all."""
        return "operation" not in self.document or operation == self.document["operation"]

    def strikes(self, load: object, reference: object) -> bool:
        """Whether it strikes a request, which is counted if it is one of those that it is meant for."""
        wanted = self.document
        if wanted.get("load", load) != load or wanted.get("reference", reference) != reference:
            return False
        self._considered += 1
        hit: bool
        if "probability" in wanted:
            hit = self._random.random() < wanted["probability"]
        else:
            hit = self._considered % wanted.get("every", 1) == 0
        self.applied += hit
        return hit

    def delay(self) -> float:
        """Seconds to wait: always the same, even over a span, or log-normal around the median."""
        shortest = float(self.document.get("delay", 0))
        if "delayMax" in self.document:
            return self._random.uniform(shortest, float(self.document["delayMax"]))
        if "delaySigma" in self.document:
            return self._random.lognormvariate(math.log(shortest), float(self.document["delaySigma"]))
        return shortest


class Faults:
    """The faults of one mock. Those that it opens with come back with every reset."""

    def __init__(self, check: Checker, max_body: int) -> None:
        self.rules: list[Fault] = []
        self._check = check
        self._max_body = max_body
        self._operations: dict[str, Operation] = {}
        self._opening: list[Mapping[str, Any]] = []
        self._count = 0

    def open_with(self, document: Mapping[str, Any]) -> None:
        """Adds a fault that is there from the start; InvalidRequest."""
        self._opening.append(self.add(document).document)

    def add(self, document: Mapping[str, Any]) -> Fault:
        """Adds a fault, after those there are; InvalidRequest says what is wrong with it."""
        faults = self._check.faults(document) or self._contradictions(document)
        if faults:
            raise InvalidRequest(faults)
        self._count += 1
        fault = Fault(f"fault-{self._count}", document)
        self.rules.append(fault)
        return fault

    def _contradictions(self, document: Mapping[str, Any]) -> dict[str, list[str]]:
        given = document.keys()
        often = [name for name in _OFTEN if name in given]
        faults = {}
        if document.get("operation", next(iter(self._operations))) not in self._operations:
            faults["operation"] = [f"The operation field must be one of: {', '.join(self._operations)}."]
        if len(often) > 1:
            faults[often[1]] = [f"The {often[1]} field can't be combined with {often[0]}."]
        for name, needed in (
            ("delayMax", "delay"),
            ("delaySigma", "delay"),
            ("problem", "status"),
            ("processed", "status"),
            ("retryAfter", "status"),
            ("seed", "probability" if "delayMax" not in given and "delaySigma" not in given else "delay"),
        ):
            if name in given and needed not in given:
                faults[name] = [f"The {name} field needs {needed}."]
        for name, other in (
            ("delaySigma", "delayMax"),
            ("status", "drop"),
            ("body", "drop"),
            ("bytesPerSecond", "drop"),
        ):
            if name in given and other in given:
                faults[name] = [f"The {name} field can't be combined with {other}."]
        if "delaySigma" in given and not document.get("delay"):
            faults["delay"] = ["delay must be greater than zero."]
        if document.get("delayMax", math.inf) < document.get("delay", 0):
            faults["delayMax"] = ["The delayMax field must be at least delay."]
        return faults

    def remove(self, id: str) -> None:
        """Ends a fault; UnknownFault."""
        left = [fault for fault in self.rules if fault.id != id]
        if len(left) == len(self.rules):
            raise UnknownFault(id)
        self.rules[:] = left

    def clear(self) -> None:
        """Ends all faults."""
        self.rules.clear()

    def reset(self) -> None:
        """Goes back to the faults from the start, which count anew."""
        self.clear()
        for document in self._opening:
            self.add(document)

    def wrap(self, app: ASGIApp, operations: Mapping[str, Operation]) -> ASGIApp:
        """The app of one path, as the faults let it look from outside."""
        self._operations |= {operation.id: operation for operation in operations.values()}
        return _FaultyPath(self, app, operations)

    async def call(
        self, app: ASGIApp, operation: Operation, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serves a request, with the fault that strikes it, if one does."""
        # Read to its end before anything is decided: a socket that is closed with bytes unread resets.
        messages = await _read(receive, self._max_body)
        # Whoever left before the request was whole waits for no answer: nothing is left to go wrong.
        left = messages[-1]["type"] == "http.disconnect"
        fault = None if left else self._fault_for(operation, scope, messages)
        replay = _replaying(messages, receive)
        if fault is None:
            await app(scope, replay, send)
        else:
            scope["mock.fault"] = fault.what
            await _strike(fault, app, scope, replay, _noting(scope, send))

    def _fault_for(self, operation: Operation, scope: Scope, messages: Sequence[Message]) -> Fault | None:
        candidates = [fault for fault in self.rules if fault.concerns(operation.id)]
        load, reference = _subject(operation, scope, messages)
        fault = next((fault for fault in candidates if fault.strikes(load, reference)), None)
        if fault is not None and fault.used_up:
            self.rules.remove(fault)
        return fault


class _FaultyPath:
    """The app of one path, in a mock that has faults now and then."""

    def __init__(self, faults: Faults, app: ASGIApp, operations: Mapping[str, Operation]) -> None:
        self._faults = faults
        self._app = app
        self._operations = operations

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        operation = self._operations.get(scope["method"]) if self._faults.rules else None
        if operation is None:
            return self._app(scope, receive, send)
        return self._faults.call(self._app, operation, scope, receive, send)


def read_fault(text: str, properties: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """The document in `NAME=VALUE,NAME=VALUE`; the schemas of the properties say what a value is.

    What is no number where one is due stays a text, for the schema to refuse.
    """
    document: dict[str, object] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if properties.get(name, {}).get("type") == "string":
            document[name] = value
        else:
            try:
                document[name] = decode(value.encode())
            except NotJson:
                document[name] = value
    return document


def _written(document: Mapping[str, object]) -> str:
    return ",".join(
        f"{name}={value if isinstance(value, str) else encode(value).decode()}"
        for name, value in document.items()
    )


def _subject(operation: Operation, scope: Scope, messages: Sequence[Message]) -> tuple[object, object]:
    query = operation.query_in(scope["query_string"])
    body = b"".join(message.get("body", b"") for message in messages)
    try:
        document = decode(body)
    except NotJson:
        document = None
    # Where the operation leaves it too: the journal wants to know of a request that it never gets.
    scope["mock.operation"] = operation.id
    scope.update({"mock.query": query, "mock.body": body, "mock.document": document})
    return subject(scope)


async def _read(receive: Receive, most: int) -> list[Message]:
    messages: list[Message] = []
    size = 0
    more = True
    while more and size <= most:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return messages


def _replaying(messages: Sequence[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def replay() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return replay


def _noting(scope: Scope, send: Send) -> Send:
    async def note(message: Message) -> None:
        # Where the app leaves it too: the journal tells what was sent, not what would have been.
        if message["type"] == "http.response.start":
            scope["mock.status"], scope["mock.answer"] = message["status"], b""
        else:
            scope["mock.answer"] += message["body"]
        await send(message)

    return note


async def _strike(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    wanted = fault.document
    answer: list[Message] = []
    if wanted.get("drop") != "before" and ("status" not in wanted or wanted.get("processed")):

        async def keep(message: Message) -> None:
            answer.append(message)

        await app(scope, receive, keep)
        scope.update({"mock.status": None, "mock.answer": b""})
    # After the request was processed: a client that gives up waiting finds its payment recorded.
    await asyncio.sleep(fault.delay())
    if "drop" in wanted:
        scope["mock.transport"].abort()
        await _until_gone(receive)
        return
    if "status" in wanted:
        answer = _failure(wanted)
    start, body = answer
    await send(start)
    await _send_body(wanted, body["body"], scope, receive, send)


def _failure(wanted: Mapping[str, Any]) -> list[Message]:
    retry_after = None if "retryAfter" not in wanted else int(wanted["retryAfter"])
    status, headers, body = failure(
        int(wanted["status"]), retry_after, with_problem=wanted.get("problem", True)
    )
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    return [
        {"type": "http.response.start", "status": status.value, "headers": raw},
        {"type": "http.response.body", "body": body},
    ]


async def _send_body(
    wanted: Mapping[str, Any], body: bytes, scope: Scope, receive: Receive, send: Send
) -> None:
    truncated = wanted.get("body") == "truncated"
    if truncated:
        body = body[: len(body) // 2]
    elif wanted.get("body") == "malformed" and body:
        body = body[:-1] + b","
    transport = scope["mock.transport"]
    rate = int(wanted.get("bytesPerSecond", 0))
    size = max(1, rate // _PIECES_A_SECOND) if rate else max(1, len(body))
    for at in range(0, max(1, len(body)), size):
        piece = body[at : at + size]
        await asyncio.sleep(len(piece) / rate if rate else 0)
        if transport.is_closing():
            return
        more = truncated or at + size < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
    if truncated:
        transport.close()
        await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    # The server takes an answer that is not whole for an error of the app, unless nobody is there.
    while (await receive())["type"] != "http.disconnect":
        pass
