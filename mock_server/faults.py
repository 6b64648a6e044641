"""Injected faults: late, wrong, broken and lost responses."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from random import Random
from typing import Any, NamedTuple, Protocol

from starlette.types import Receive, Send

from mock_server.decimal_json import NotJson, decode, encode
from mock_server.endpoint import OperationEndpoint, response_of, serve
from mock_server.problems import InvalidRequest, StateUnavailable, UnknownFault, failure
from mock_server.schemas import Checker
from mock_server.sharing import PAST, Alone, Sharing
from mock_server.spec import Operation
from mock_server.trace import TRANSPORT, Response, Trace

CONDITIONS = ("operation", "load", "reference", "next", "every", "probability", "seed")
"""The fields of a fault that say when it is injected; all others say what it does."""
_OFTEN = ("next", "every", "probability")
_PIECES_A_SECOND = 20


class Subject(Protocol):
    """What a request or an event is about."""

    @property
    def load(self) -> object: ...

    @property
    def reference(self) -> object: ...


class Fault:
    """One fault: when it is injected, and what it does. admin.yaml describes the fields of `document`."""

    def __init__(self, id: str, document: Mapping[str, Any]) -> None:
        self.id = id
        self.document = document
        self.applied = 0
        """Into how many requests it was injected."""
        self._considered = 0
        seed = document.get("seed")
        self._random = Random(None if seed is None else int(seed))  # noqa: S311 - chance, not secrets

    def kept(self) -> Mapping[str, object]:
        """What `of` takes: the document, and how far it has come."""
        told = {"id": self.id, "document": self.document, "applied": self.applied}
        if "every" in self.document:
            told["considered"] = self._considered
        if "seed" in self.document:
            told["random"] = self._random.getstate()
        return told

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Fault":
        """The fault that was kept so."""
        fault = cls(kept["id"], kept["document"])
        fault.applied, fault._considered = kept["applied"], kept.get("considered", 0)
        if "random" in kept:
            version, numbers, spare = kept["random"]
            fault._random.setstate((version, tuple(numbers), spare))
        return fault

    @property
    def effect(self) -> str:
        """What it does, as the command line writes it."""
        return _written({name: value for name, value in self.document.items() if name not in CONDITIONS})

    @property
    def used_up(self) -> bool:
        """Whether it was injected as often as it was to be."""
        return bool(self.applied == self.document.get("next"))

    def concerns(self, operation: str) -> bool:
        """Whether it is meant for that operation."""
        named: str = self.document.get("operation", operation)
        return named == operation and "webhook" not in self.document

    def is_about(self, load: object, reference: object) -> bool:
        """Whether it is meant for a request or an event about these."""
        wanted = self.document
        return bool(wanted.get("load", load) == load and wanted.get("reference", reference) == reference)

    def applies(self, load: object, reference: object) -> bool:
        """Whether it is injected into a request, which is counted if the fault is meant for it."""
        wanted = self.document
        if not self.is_about(load, reference):
            return False
        self._considered += 1
        due: bool
        if "probability" in wanted:
            due = self._random.random() < wanted["probability"]
        else:
            due = self._considered % wanted.get("every", 1) == 0
        self.applied += due
        return due

    def delay(self) -> float:
        """Seconds to wait: always the same, even over a span, or log-normal around the median."""
        shortest = float(self.document.get("delay", 0))
        if "delayMax" in self.document:
            return self._random.uniform(shortest, float(self.document["delayMax"]))
        if "delaySigma" in self.document:
            return self._random.lognormvariate(math.log(shortest), float(self.document["delaySigma"]))
        return shortest


class _Due(NamedTuple):
    """A fault that is injected; `delay` is in seconds."""

    fault: Fault
    delay: float


class Faults:
    """The faults of one mock, or of all that share them. Those of its start come back with every reset."""

    def __init__(
        self, check: Checker, operations: Iterable[Operation], sharing: Sharing | None = None
    ) -> None:
        self._sharing = sharing or Alone()
        self.rules: list[Fault] = []
        self._check = check
        self._operations = [operation.id for operation in operations]
        self._opening: list[Mapping[str, Any]] = []
        self._count = 0

    def again(self) -> "Faults":
        """Those of the start, with counters of their own."""
        other = copy(self)
        other.rules, other._count = [], 0
        other.reset()
        return other

    def open_with(self, document: Mapping[str, Any]) -> None:
        """Adds a fault that is there from the start; InvalidRequest."""
        self._opening.append(self.add(document).document)

    def add(self, document: Mapping[str, Any]) -> Fault:
        """Adds a fault, after those that there are; InvalidRequest says what is wrong with it."""
        errors = self._check.errors(document) or self._contradictions(document)
        if errors:
            raise InvalidRequest(errors)
        self._count += 1
        fault = Fault(f"fault-{self._count}", document)
        self.rules.append(fault)
        return fault

    def _contradictions(self, document: Mapping[str, Any]) -> dict[str, list[str]]:
        given = document.keys()
        often = [name for name in _OFTEN if name in given]
        errors = {}
        if "operation" in given and document["operation"] not in self._operations:
            errors["operation"] = [f"The operation field must be one of: {', '.join(self._operations)}."]
        if len(often) > 1:
            errors[often[1]] = [f"The {often[1]} field can't be combined with {often[0]}."]
        for name, needed in (
            ("delayMax", "delay"),
            ("delaySigma", "delay"),
            ("problem", "status"),
            ("processed", "status"),
            ("retryAfter", "status"),
            ("seed", "probability" if "delayMax" not in given and "delaySigma" not in given else "delay"),
        ):
            if name in given and needed not in given:
                errors[name] = [f"The {name} field needs {needed}."]
        for name, other in (
            ("delaySigma", "delayMax"),
            ("status", "drop"),
            ("body", "drop"),
            ("bytesPerSecond", "drop"),
            *(
                (name, "webhook")
                for name in ("operation", "delay", "status", "body", "bytesPerSecond", "drop")
            ),
        ):
            if name in given and other in given:
                errors[name] = [f"The {name} field can't be combined with {other}."]
        if "delaySigma" in given and not document.get("delay"):
            errors["delay"] = ["delay must be greater than zero."]
        if document.get("delayMax", math.inf) < document.get("delay", 0):
            errors["delayMax"] = ["The delayMax field must be at least delay."]
        return errors

    def kept(self) -> Mapping[str, object]:
        """What `become` takes, for another mock to go on with these faults."""
        return {PAST: self._count, "rules": [fault.kept() for fault in self.rules]}

    def become(self, kept: Any) -> None:
        """Goes on with the faults of another mock."""
        self._count = kept[PAST]
        self.rules[:] = map(Fault.of, kept["rules"])

    def remove(self, id: str) -> None:
        """Removes a fault; UnknownFault."""
        left = [fault for fault in self.rules if fault.id != id]
        if len(left) == len(self.rules):
            raise UnknownFault(id)
        self.rules[:] = left

    def clear(self) -> None:
        """Removes all faults."""
        self.rules.clear()

    def reset(self) -> None:
        """Goes back to the faults of the start, and counts from zero."""
        self.clear()
        for document in self._opening:
            self.add(document)

    async def serve(self, endpoint: OperationEndpoint, trace: Trace, receive: Receive, send: Send) -> None:
        """Serves a request, with the fault that is injected into it, if one is. ClientGone."""
        # Read to its end before anything is decided: a socket that is closed with bytes unread resets.
        # Whoever leaves before the request is whole does not wait for a response, and gets no fault.
        body = await endpoint.read(trace, receive)
        with suppress(InvalidRequest):  # which the response will say
            endpoint.parse(trace, body)
        try:
            due = await self._due(lambda fault: fault.concerns(endpoint.operation.id), trace)
        except StateUnavailable as error:
            trace.error = error.with_traceback(None)
            await _send({}, endpoint.refuse(error), trace, send)
            return
        if due is None:
            await serve(endpoint, trace, receive, send)
        else:
            trace.fault, trace.fault_id = due.fault.effect, due.fault.id
            await _inject(due, endpoint, trace, receive, send)

    async def for_event(self, event: Subject) -> Fault | None:
        """The fault that is injected into an attempt to deliver an event, if one is. StateUnavailable."""
        due = await self._due(lambda fault: "webhook" in fault.document, event)
        return None if due is None else due.fault

    async def _due(self, concerns: Callable[[Fault], bool], subject: Subject) -> _Due | None:
        """The first fault that is due, which is counted. StateUnavailable."""
        load, reference = subject.load, subject.reference

        def first() -> _Due | None:
            for fault in self.rules:
                if concerns(fault) and fault.applies(load, reference):
                    if fault.used_up:
                        self.rules.remove(fault)
                    return _Due(fault, fault.delay())
            return None

        if not any(concerns(fault) and fault.is_about(load, reference) for fault in self.rules):
            return None
        return await self._sharing.change(self, first)


def read_fault(text: str, properties: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    """The document in `NAME=VALUE,NAME=VALUE`; the schemas of the properties say what a value is.

    A value that should be a number and is not stays a text, for the schema to refuse.
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


async def _inject(due: _Due, endpoint: OperationEndpoint, trace: Trace, receive: Receive, send: Send) -> None:
    wanted = due.fault.document
    response = _failure(wanted, endpoint)
    if wanted.get("drop") != "before" and (response is None or wanted.get("processed")):
        processed = await response_of(endpoint, trace, receive)
        response = response or processed
    # After the request was processed: a client that gives up waiting finds its payment recorded.
    await asyncio.sleep(due.delay)
    if response is None or "drop" in wanted:
        trace.scope[TRANSPORT].abort()
        return
    await _send(wanted, response, trace, send)


async def _send(wanted: Mapping[str, Any], response: Response, trace: Trace, send: Send) -> None:
    trace.status = response.status
    headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await _send_body(wanted, response.body, trace, send)


def _failure(wanted: Mapping[str, Any], endpoint: OperationEndpoint) -> Response | None:
    if "status" not in wanted:
        return None
    retry_after = None if "retryAfter" not in wanted else int(wanted["retryAfter"])
    with_problem = wanted.get("problem", True)
    return endpoint.as_documented(failure(int(wanted["status"]), retry_after, with_problem=with_problem))


async def _send_body(wanted: Mapping[str, Any], body: bytes, trace: Trace, send: Send) -> None:
    truncated = wanted.get("body") == "truncated"
    if truncated:
        body = body[: len(body) // 2]
    elif wanted.get("body") == "malformed" and body:
        body = body[:-1] + b","
    transport = trace.scope[TRANSPORT]
    rate = int(wanted.get("bytesPerSecond", 0))
    size = max(1, rate // _PIECES_A_SECOND) if rate else max(1, len(body))
    for at in range(0, max(1, len(body)), size):
        piece = body[at : at + size]
        await asyncio.sleep(len(piece) / rate if rate else 0)
        if transport.is_closing():
            return
        more = truncated or at + size < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        trace.response += piece
    if truncated:
        transport.close()
