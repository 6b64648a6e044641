"""Runs the contract suite against a lenient service, in a process of its own, and tells what was booked."""

import contextlib
import gc
import importlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis.strategies  # noqa: F401 - before the forks, since it takes a second to import

from contract_tests.run import pytest_hooks  # noqa: F401 - for the same reason
from contract_tests.run.cli import main
from evaluation.forks import run_all
from evaluation.reference.loads import by_status, opening_loads
from evaluation.reference.serving import serve
from tests.attack.services import BOOKING, Booked, LenientService, Responding


@dataclass(frozen=True, slots=True)
class Attack:
    """A service and how it is tested. Without `payments` there is no consent."""

    booking: str
    responding: Responding
    suites: tuple[str, ...]
    payments: int | None = None
    amount: str = "3.00"
    forgets: bool = False
    hides: bool = False

    @property
    def name(self) -> str:
        """What it is, in a line."""
        consent = (
            "without consent" if self.payments is None else f"budget {self.payments} worth {self.amount}"
        )
        extra = ", forgets" * self.forgets + ", hides" * self.hides
        return f"{self.booking}, {self.responding}, {'+'.join(self.suites)}, {consent}{extra}"


@dataclass(frozen=True, slots=True)
class Damage:
    """What a run came to: the exit status, what the service booked, and the lines of the payment log."""

    attack: Attack
    status: int | None
    booked: tuple[Booked, ...]
    logged: tuple[dict[str, object], ...]
    writes: int
    output: str

    @property
    def booked_wrongly(self) -> bool:
        """Whether the service booked what it must refuse."""
        return any(one.wrongly for one in self.booked)


def attacked(attack: Attack) -> Damage:
    """Serves the lenient service and runs the suites against it, in a process that ends with it."""
    gc.disable()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # no plugin but our own is needed
    service = LenientService(
        BOOKING[attack.booking], attack.responding, forgets=attack.forgets, hides=attack.hides
    )
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as name, serve(service) as url:
        folder = Path(name)
        loads, log = folder / "loads.yaml", folder / "payments.jsonl"
        loads.write_text(json.dumps(by_status(opening_loads())))
        arguments = ["--target", url, "--loads", str(loads), "--seed", "1", "--examples=5"]
        arguments += [f"--suite={suite}" for suite in attack.suites]
        arguments += ["--record", str(log), "--max-requests", "1000"]
        if attack.payments is not None:
            arguments += ["--record-payments", "--max-payments", str(attack.payments)]
            arguments += ["--max-amount", attack.amount]
        arguments += ["--", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
        status: int | None = 0
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                main.main(arguments, standalone_mode=False)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else None
        lines = log.read_text().splitlines() if log.exists() else []
    logged = tuple(line for line in map(json.loads, lines) if "failed" not in line)
    return Damage(attack, status, tuple(service.booked), logged, service.writes, output.getvalue())


def all_attacked(attacks: Sequence[Attack]) -> list[Damage]:
    """Every attack in a fork of its own, so that imports are paid for once and nothing is shared."""
    for name in ("api", "bursts", "needs"):
        importlib.import_module(f"contract_tests.suites.{name}")
    gc.freeze()
    try:
        ended = dict(run_all([partial(attacked, attack) for attack in attacks], os.cpu_count() or 1))
    finally:
        gc.unfreeze()
    return [damage for position in range(len(attacks)) if (damage := ended[position]) is not None]
