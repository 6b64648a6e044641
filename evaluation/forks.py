"""Calls in forks of this process: imports are paid for once, nothing is shared, and each can be ended."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Generic, TypeVar

LIMIT_SECONDS = 180.0
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Fork(Generic[Result]):
    position: int
    process: ForkProcess
    results: "Connection[object, Result]"
    deadline: float

    def result(self) -> Result | None:
        try:
            return self.results.recv()
        except EOFError:  # it died, or was ended
            return None
        finally:
            self.results.close()
            self.process.join()


def run_all(calls: Sequence[Callable[[], Result]], processes: int) -> Iterator[tuple[int, Result | None]]:
    """Makes each call in a fork of its own, so many at a time; gives (position, result) as they end.

    The result is None if the fork died or took longer than LIMIT_SECONDS. What it prints goes nowhere.
    """
    waiting = list(enumerate(calls))[::-1]
    running: list[_Fork[Result]] = []
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                running.append(_start(*waiting.pop()))
            soonest = min(fork.deadline for fork in running)
            ready = wait([fork.results for fork in running], max(0.0, soonest - time.monotonic()))
            for fork in running:
                if fork.deadline < time.monotonic():
                    fork.process.kill()
            ended = [fork for fork in running if fork.results in ready]
            running = [fork for fork in running if fork not in ended]
            yield from ((fork.position, fork.result()) for fork in ended)
    finally:
        for fork in running:
            fork.process.kill()
            fork.process.join()


def _start(position: int, call: Callable[[], Result]) -> _Fork[Result]:
    results, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(call, sender))
    process.start()
    sender.close()
    return _Fork(position, process, results, time.monotonic() + LIMIT_SECONDS)


def _work(call: Callable[[], Result], sender: "Connection[Result, object]") -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sender.send(call())
    os._exit(0)
