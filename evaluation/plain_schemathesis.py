"""Plain `st run openapi.yaml --url` on the seeded defects, beside the suites of this project.

    python -m evaluation plain-schemathesis --sample 24

Prints for each approach how many of the defects it finds and what one run costs. Plain Schemathesis gets
the same document, its default phases and checks, and none of our hooks; its runs start in an empty
directory, so that it reads no configuration of the project. It is red on the correct implementation too
(a load that takes no payment is refused although the body is valid), so that a defect counts as found
when a run reports a kind of failure, or an operation, that is not reported there.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import yaml
from rich.console import Console
from starlette.types import ASGIApp, Receive, Scope, Send

from evaluation.defects import CATALOGUE
from evaluation.engine import Subject, Suites, hunt
from evaluation.forks import run_all
from evaluation.reference.service import Service
from evaluation.reference.serving import serve
from evaluation.reference.subject import correct
from evaluation.reference.values import Load
from evaluation.tally import Tally

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "openapi.yaml"
FIXTURES = ROOT / "fixtures" / "loads.yaml"
OURS: tuple[Suites, ...] = (("smoke",), ("rejects", "smoke", "table"))


@dataclass(frozen=True, slots=True)
class Measured:
    """One run against one subject. `alarms` is what it reports, in its own words."""

    alarms: frozenset[str]
    requests: int
    payments: int
    seconds: float


class Counting:
    """Counts the requests on their way to a service."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps the application."""
        self.app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts and passes on."""
        self.requests += 1
        await self.app(scope, receive, send)


def named_loads() -> dict[str, Load]:
    """The loads that the document's examples name."""
    loads = {}
    for load in yaml.safe_load(FIXTURES.read_text("utf-8")).values():
        invoiced = load.get("InvoicedAmount")
        loads[load["LoadNumber"]] = Load(
            load["LoadNumber"],
            load["Status"],
            None if invoiced is None else Decimal(str(invoiced["Amount"])),
            840 if invoiced is None else invoiced["Currency"],
            load.get("CustomerName", "Acme Foods"),
        )
    return loads


def schemathesis(kind: type[Service]) -> Measured:
    """Runs plain Schemathesis against a defect, or against the correct implementation."""
    service = kind(named_loads())
    counting = Counting(service)
    command = [str(Path(sys.executable).with_name("st")), "run", str(DOCUMENT), "--seed=1", "--report=json"]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, serve(counting) as url:
        report = Path(folder) / "report.json"
        subprocess.run(
            [*command, f"--url={url}", f"--report-json-path={report}"],
            cwd=folder,
            check=False,
            capture_output=True,
        )
        failures = json.loads(report.read_text())["failures"]
    alarms = frozenset(
        f"{failure['title']}: {name}" for failure in failures for name in failure["operations"]
    )
    payments = sum(len(load.payments) for load in service.loads.values())
    seconds = time.perf_counter() - started
    return Measured(alarms, counting.requests, payments, seconds)


def compare(subjects: Sequence[Subject], jobs: int, console: Console) -> Iterator[tuple[str, ...]]:
    """Runs plain Schemathesis and suites of this project against seeded defects; a row of the table for each.

    Raises RuntimeError if Schemathesis does not end.
    """
    started = time.perf_counter()
    kinds: list[type[Service]] = [Service, *(CATALOGUE[subject.id].service for subject in subjects)]
    runs = dict(run_all([partial(schemathesis, kind) for kind in kinds], jobs))
    ended = [run for _, run in sorted(runs.items()) if run is not None]
    if len(ended) < len(kinds):
        raise RuntimeError("a run of Schemathesis did not end")
    right, *others = ended
    console.print(
        f"plain Schemathesis, correct: {right.requests} requests, {right.payments} payments, "
        f"{right.seconds:.1f} s",
        soft_wrap=True,
    )
    found = sum(not run.alarms <= right.alarms for run in others)
    counts = (len(others), found, 0, 0, len(others) - found, len(right.alarms))
    yield ("plain Schemathesis", *map(str, counts), f"{time.perf_counter() - started:.0f}")
    for suites in OURS:
        tally = Tally(" + ".join(suites), subjects, console)
        for stage in hunt(subjects, correct(), [suites], jobs=jobs, rest=False):
            tally.add(stage)
        yield (tally.name, *list(tally.rows())[-1][1:])
