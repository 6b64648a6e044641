"""A reference implementation, or what is made of it, as a subject of the suites."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from starlette.types import ASGIApp

from evaluation.engine import Subject, Suites, in_place_of_the_mock
from evaluation.reference.freedoms import COMBINATIONS, WITH_TOKENS, Freedoms
from evaluation.reference.loads import by_status, opening_loads
from evaluation.reference.pace import Paced
from evaluation.reference.road import ROADS, Travelled
from evaluation.reference.service import Service
from evaluation.reference.serving import serve
from evaluation.reference.tokens import CLIENT, TOKEN_PATH
from evaluation.reference.values import Load

Make = Callable[..., ASGIApp]
"""Makes the implementation from its loads; where time matters, with a `clock`, too."""
# Smoke is judged within the budget that it promises, and keeps a record on the disk; the others get whatever
# they ask for, and don't wait for a disk.
SMOKE_BUDGET = ("--max-payments", "8", "--max-amount", "3.00")
NO_BUDGET = ("--max-payments", "1000000", "--max-requests", "1000000")


def correct(freedoms: Freedoms = Freedoms()) -> Subject:  # noqa: B008 - frozen
    """The reference implementation as the contract decided, or with freedoms."""
    return Subject("correct", partial(opened, partial(Service, freedoms=freedoms), freedoms, paced=True))


def freedom(name: str, examples: int) -> Subject:
    """The reference implementation with a combination of freedoms, under so many generated examples."""
    freedoms = COMBINATIONS[name]
    make = partial(Service, freedoms=freedoms)
    return Subject(name, partial(opened, make, freedoms, examples=examples), group="freedoms")


def at_the_end_of(name: str) -> Subject:
    """The reference implementation, with tokens, at the end of a bad road."""

    def make(loads: Mapping[str, Load]) -> ASGIApp:
        return Travelled(Service(loads, WITH_TOKENS), ROADS[name], time.monotonic)

    return Subject(name, partial(opened, make, WITH_TOKENS), group="freedoms")


@contextlib.contextmanager
def opened(  # noqa: PLR0913 - two are options
    make: Make, freedoms: Freedoms, suites: Suites, folder: Path, examples: int = 20, *, paced: bool = False
) -> Iterator[list[str]]:
    """Serves the implementation, with loads of its own.

    Smoke is for services with real money, and meets the subject as one: by its URL. So does every suite
    when tokens are checked, for the mock is given none. Else the other suites meet the subject in the place
    of the mock, where the guard lets out what no real service may get: payments on loads that nobody
    nominated, references that are not the suite's own. A subject that is `paced` has the time of the limits
    that a real service gets by default, where it is met as one.
    """
    loads = folder / "loads.yaml"
    loads.write_text(json.dumps(by_status(opening_loads())))
    app: ASGIApp
    time_of_the_suites: AbstractContextManager[object] = contextlib.nullcontext()
    made = partial(make, opening_loads())
    if paced and suites == ("smoke",):
        app = Paced(made)
        time_of_the_suites = mock.patch(
            "contract_tests.suites.lag.time", SimpleNamespace(monotonic=app.now, sleep=app.skip)
        )
    else:
        app = made()
    # Where nothing lags, nobody need wait as long as for a real service.
    settle = 5 if freedoms.lag_milliseconds or isinstance(app, Paced) else 0.1
    arguments = ["--loads", str(loads), f"--examples={examples}", f"--settle={settle}", "--record-payments"]
    budget = SMOKE_BUDGET if suites == ("smoke",) else (*NO_BUDGET, "--max-amount", "1e600")
    with time_of_the_suites, serve(app) as url:
        if freedoms.tokens != "unchecked":
            os.environ |= {f"ALVYS_{name.upper()}": value for name, value in CLIENT.items()}
            os.environ["ALVYS_TOKEN_URL"] = f"{url}{TOKEN_PATH}"
        if suites == ("smoke",) or freedoms.tokens != "unchecked":
            yield ["--target", url, "--record", str(folder / "record.jsonl"), *budget, *arguments]
        else:
            with in_place_of_the_mock(url):
                yield ["--target", "mock", *NO_BUDGET, *arguments]
