"""Plain `st run openapi.yaml --url` on the seeded defects, beside the suites of this project.

    python -m benchmarks.plain_schemathesis --sample 30

Prints for each approach how many of the sampled defects it finds and what one run costs. Plain
Schemathesis gets the same document, its default phases and checks, and none of our hooks; its runs
start in an empty directory, so that it reads no configuration of the project. It is red on the correct
implementation too (a load that takes no payment is refused although the body is valid), so that a
defect counts as found when a run reports a kind of failure, or an operation, that is not reported there.
"""

import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import click
import yaml
from starlette.types import ASGIApp, Receive, Scope, Send

from evaluation.defects import CATALOGUE
from evaluation.defects.hunt import CORRECT, Job, Outcome, run_all
from evaluation.reference.service import Service
from evaluation.reference.serving import serve
from evaluation.reference.values import Load

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "openapi.yaml"
FIXTURES = ROOT / "fixtures" / "loads.yaml"
OURS: tuple[tuple[str, ...], ...] = (("smoke",), ("rejects", "smoke", "table"))
LIMIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an approach against one subject. `alarms` is what it reports, in its own words."""

    subject: str
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


def schemathesis(subject: str) -> Run:
    """Runs plain Schemathesis against a defect, or against the correct implementation."""
    kind = CATALOGUE[subject].service if subject in CATALOGUE else Service
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
            timeout=LIMIT_SECONDS,
        )
        failures = json.loads(report.read_text())["failures"]
    alarms = frozenset(
        f"{failure['title']}: {name}" for failure in failures for name in failure["operations"]
    )
    payments = sum(len(load.payments) for load in service.loads.values())
    seconds = time.perf_counter() - started
    return Run(subject, alarms, counting.requests, payments, seconds)


def suites(names: tuple[str, ...], subjects: Sequence[str], jobs: int) -> list[Run]:
    """Runs suites of this project against the subjects."""
    wanted = [Job(names, subject) for subject in subjects]
    outcomes: dict[str, Outcome] = {outcome.job.subject: outcome for outcome in run_all(wanted, jobs)}
    correct = outcomes[CORRECT]
    runs = []
    for subject, one in outcomes.items():
        shown = one.status == 1 if subject == CORRECT else one.shows(CATALOGUE[subject], correct)
        alarms = frozenset(one.failed or ["an observation"]) if shown else frozenset[str]()
        runs.append(Run(subject, alarms, one.requests, one.payments, one.seconds))
    return runs


def show(approach: str, runs: Sequence[Run]) -> None:
    """Prints the rate and the cost of one approach."""
    correct = next(run for run in runs if run.subject == CORRECT)
    seeded = [run for run in runs if run.subject != CORRECT]
    found = sum(not run.alarms <= correct.alarms for run in seeded)
    share = 100 * found / len(seeded) if seeded else 0.0
    click.echo(
        f"{approach}: {found} of {len(seeded)} found ({share:.0f} %); on the correct implementation "
        f"{len(correct.alarms)} false alarms, {correct.requests} requests, {correct.payments} payments, "
        f"{correct.seconds:.1f} s"
    )


@click.command()
@click.option(
    "--sample", default=20, show_default=True, help="So many defects, drawn by the seed; 0 takes all."
)
@click.option("--seed", default=1, show_default=True, help="Seed of the draw.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="So many runs at a time.")
def main(sample: int, seed: int, jobs: int) -> None:
    """Compare plain Schemathesis with the suites of this project."""
    ids = sorted(CATALOGUE)
    if 0 < sample < len(ids):
        ids = sorted(random.Random(seed).sample(ids, sample))  # noqa: S311 - a draw, not a secret
    subjects = [CORRECT, *ids]
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        show("plain Schemathesis", pool.map(schemathesis, subjects, chunksize=1))
    for names in OURS:
        show(" + ".join(names), suites(names, subjects, jobs))


if __name__ == "__main__":
    main()
