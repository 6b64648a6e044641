"""The mock under hostile clients: every response is one, in its place, and nothing is left behind.

python -m tests.attack.test_hostile_clients REQUESTS
"""

import asyncio
import gc
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Context, Decimal
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.attack.clients import CLOSED, DOCUMENTED, LIMIT, PAYABLE, VICTIM, Grammar, Sent
from tests.mock.wire import Over, Reply, Wire

REQUESTS = 20_000
SEED = 20_260_711
_AT_ONCE = 6
"""Connections that are open at the same time."""
_BETWEEN_LOOKS = 2000
"""Requests after which the loads are compared, and begin anew."""
_EXACT = Context(prec=1000)
_MOST_GROWTH = 30
"""MiB."""


@contextmanager
def attacked() -> Iterator["Attack"]:
    """A mock, and the attack on it."""
    loads = [{"LoadNumber": number, "Status": "Invoiced"} for number in (*PAYABLE, VICTIM)]
    loads.append({"LoadNumber": CLOSED, "Status": "Paid"})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "loads.jsonl"
        path.write_text("\n".join(map(json.dumps, loads)), "utf-8")
        with MockServer([path], settings=Settings(max_body=LIMIT)) as mock:
            yield Attack(mock, SEED)


class Talk:
    """What one client says on one connection."""

    def __init__(self, grammar: Grammar, port: int) -> None:
        chance = grammar.random
        self.requests = [grammar.request() for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 20)))]
        self.tail, self.status = b"", 0
        ends = (
            "half-close",
            "half-close",
            "junk",
            "close",
            "reset",
            "half",
            "half reset",
            "long head",
            "mutated",
        )
        self.end = chance.choices(ends, (8, 8, 5, 1, 1, 3, 1, 0.2, 3))[0]
        if self.end == "junk":
            self.tail, self.status = grammar.junk(), 400
        elif self.end == "long head":
            self.tail, self.status = grammar.long_head(), 431
        elif self.end in {"half", "half reset"}:
            self.tail = grammar.half()
        elif self.end == "mutated":
            self.tail = grammar.mutated()
        self.data = b"".join(request.data for request in self.requests) + self.tail
        self.pieces = grammar.pieces(self.data)
        self.wire = Wire(port)


class Attack:
    """Sends what the grammar makes, and compares what comes back and what is recorded."""

    def __init__(self, mock: MockServer, seed: int) -> None:
        self.mock = mock
        self.sent = 0
        self._grammar = Grammar(seed)
        self._port = int(mock.url.rpartition(":")[2])
        self._forget()

    def _forget(self) -> None:
        self._told: set[tuple[str, str]] = set()
        self._amounts: defaultdict[tuple[str, str], set[Decimal]] = defaultdict(set)

    def run(self, count: int) -> None:
        """Sends that many requests, or a few more."""
        until, look = self.sent + count, self.sent + _BETWEEN_LOOKS
        while self.sent < until:
            self._talk()
            if self.sent >= look:
                self.look()
                look = self.sent + _BETWEEN_LOOKS
        self.look()

    def _talk(self) -> None:
        talks = [Talk(self._grammar, self._port) for _ in range(_AT_ONCE)]
        for talk in talks:
            self.sent += len(talk.requests) + bool(talk.tail)
            for request in talk.requests:
                if request.payment is not None:
                    load, reference, amount = request.payment
                    self._amounts[load, reference].add(amount)
        while unsaid := [talk for talk in talks if talk.pieces]:
            talk = self._grammar.random.choice(unsaid)
            try:
                talk.wire.send(talk.pieces.pop(0))
            except ConnectionError:  # it has heard enough
                talk.pieces.clear()
        for talk in talks:
            try:
                with talk.wire:
                    self._hear(talk)
            except (AssertionError, TimeoutError) as error:
                error.add_note(f"after {self.sent} requests, in what began with {talk.data[:3000]!r}")
                raise

    def _hear(self, talk: Talk) -> None:
        if talk.end == "close":
            return
        if talk.end.endswith("reset"):
            talk.wire.reset()
            return
        if talk.end != "junk":
            with suppress(OSError):  # the server may have heard enough, and closed
                talk.wire.send_no_more()
        for request in talk.requests:
            reply = self._reply(talk.wire, request)
            if reply.is_last:
                assert talk.wire.is_over()
                return
        if talk.status:
            reply = talk.wire.reply()
            assert (reply.status, reply.is_last) == (talk.status, True), reply
        elif talk.end == "mutated":
            self._hear_anything(talk.wire)
        assert talk.wire.is_over()

    def _reply(self, wire: Wire, request: Sent) -> Reply:
        reply = wire.reply(request.method)
        if reply.status == 100:
            reply = wire.reply(request.method)
        assert request.fits(reply), (request, reply)
        assert reply.is_last or not request.is_last
        if request.payment is not None:
            self._told.add(request.payment[:2])
        return reply

    def _hear_anything(self, wire: Wire) -> None:
        try:
            while True:
                reply = wire.reply()
                assert reply.status in DOCUMENTED | {100}, reply
        except Over:
            pass

    def look(self) -> None:
        """Compares the loads with what was told, and begins anew."""
        self.rest()
        recorded = set()
        for number in PAYABLE:
            load = self.mock.load(number)
            amounts = [payment["Amount"]["Amount"] for payment in load["payments"]]
            for payment, amount in zip(load["payments"], amounts, strict=True):
                key = number, payment["ReferenceNumber"]
                assert key not in recorded, key
                assert amount in self._amounts[key], (key, amount)
                recorded.add(key)
            assert (load["totalPaid"] or {"Amount": 0})["Amount"] == reduce(_EXACT.add, amounts, Decimal(0))
        assert self._told <= recorded
        assert not self.mock.load(CLOSED)["payments"]
        references = [each["ReferenceNumber"] for each in self.mock.load(VICTIM)["payments"]]
        assert len(references) == len({*references})
        self.mock.reset()
        self._forget()

    def rest(self) -> None:
        """Returns when every connection is closed, and the app is done with what came over them."""
        mock = self.mock

        async def wait() -> int:
            async with asyncio.timeout(60):
                while mock._server.shared.open:  # noqa: ASYNC110, SLF001 - they know nothing of tests
                    await asyncio.sleep(0)
            return len(asyncio.all_tasks())

        self.tasks = asyncio.run_coroutine_threadsafe(wait(), mock._loop).result()  # noqa: SLF001

    def left(self) -> tuple[int, int, float]:
        """Tasks, file descriptors, and the resident memory in MiB."""
        self.rest()
        gc.collect()
        process = psutil.Process()
        return self.tasks, process.num_fds(), process.memory_info().rss / 2**20


def attack(requests: int) -> tuple[int, float]:
    """Sends the requests; how many it were, and by how many MiB the memory grew after the first tenth."""
    with attacked() as it:
        it.run(requests // 10)
        tasks, descriptors, memory = it.left()
        it.run(requests - it.sent)
        after = it.left()
        assert after[:2] == (tasks, descriptors)
        assert after[2] - memory < _MOST_GROWTH
        return it.sent, after[2] - memory


def test_hostile_clients_find_nothing(caplog: pytest.LogCaptureFixture) -> None:
    attack(REQUESTS)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_attack_is_the_same_every_time() -> None:
    one, other = (Grammar(SEED) for _ in range(2))
    assert [one.request() for _ in range(500)] == [other.request() for _ in range(500)]


if __name__ == "__main__":
    logging.getLogger("mock_server").setLevel(logging.ERROR)
    SENT, GROWTH = attack(int(sys.argv[1]))
    print(f"{SENT} requests, {GROWTH:.1f} MiB more memory")  # noqa: T201 - what it is run for
