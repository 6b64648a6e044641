"""A reference implementation, or what is made of it, as a subject of the suites."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from evaluation.engine import Subject, Suites
from evaluation.reference.freedoms import COMBINATIONS
from evaluation.reference.loads import by_status, opening_loads
from evaluation.reference.service import Service
from evaluation.reference.serving import serve
from evaluation.reference.values import Load

Make = Callable[[Mapping[str, Load]], Service]
# Smoke is judged within the budget that it promises, and keeps a record on the disk; the others get whatever
# they ask for, and don't wait for a disk.
SMOKE_BUDGET = ("--max-payments", "8", "--max-amount", "3.00")
NO_BUDGET = ("--max-payments", "1000000", "--max-requests", "1000000")


def correct() -> Subject:
    """The reference implementation as the contract decided."""
    return Subject("correct", partial(opened, Service))


def freedom(name: str, examples: int) -> Subject:
    """The reference implementation with a combination of freedoms, under so many generated examples."""
    make = partial(Service, freedoms=COMBINATIONS[name])
    return Subject(name, partial(opened, make, examples=examples), group="freedoms")


@contextlib.contextmanager
def opened(
    make: Make, suites: Suites, folder: Path, examples: int = 20, settle: float = 5
) -> Iterator[list[str]]:
    """Serves the implementation, with loads of its own.

    Smoke is for services with real money, and meets the subject as one: by its URL. The other suites
    meet it in the place of the mock, where the guard lets out what no real service may get: payments on
    loads that nobody nominated, references that are not the suite's own.
    """
    loads = folder / "loads.yaml"
    loads.write_text(json.dumps(by_status(opening_loads())))
    arguments = ["--loads", str(loads), f"--examples={examples}", f"--settle={settle}", "--record-payments"]
    with serve(make(opening_loads())) as url:
        if suites == ("smoke",):
            yield ["--target", url, "--record", str(folder / "record.jsonl"), *SMOKE_BUDGET, *arguments]
        else:
            in_place = contextlib.nullcontext(SimpleNamespace(url=url))
            with mock.patch("contract_tests.run.target.MockServer", return_value=in_place):
                yield ["--target", "mock", *NO_BUDGET, *arguments]
