"""What is printed when a session ends."""

import pytest
from rich.console import Console

from contract_tests import session as kept
from contract_tests.summary import show


def tell(config: pytest.Config, console: Console) -> None:
    """Shows the plan if one was asked for, else the report, else why there is none."""
    settings = config.stash[kept.SETTINGS]
    report = config.stash.get(kept.REPORT, None)
    run = config.stash.get(kept.RUN, None)
    if report is not None:
        show(report, console, list_payments=not settings.is_mock)
    elif run is not None and settings.plan:
        run.plan.show(console, settings.target, run.guard.payments, run.guard.amount, settings.rate)
