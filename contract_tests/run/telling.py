"""What is printed when a session ends."""

import pytest
from rich.console import Console
from rich.text import Text

from contract_tests.report.plan import how_long
from contract_tests.report.terminal import show
from contract_tests.run import session as kept


def tell(config: pytest.Config, console: Console) -> None:
    """Shows the plan if one was asked for, else the report, else why there is none."""
    settings = config.stash[kept.SETTINGS]
    report = config.stash.get(kept.REPORT, None)
    run = config.stash.get(kept.RUN, None)
    cannot = config.stash.get(kept.CANNOT, None)
    if report is not None:
        show(report, console, list_payments=not settings.is_mock)
        for sentence in config.stash[kept.UNWRITTEN]:
            console.print(Text(sentence, style="bold red"), soft_wrap=True)
    elif cannot is not None:
        console.print(Text(cannot.sentence, style="bold red"), soft_wrap=True)
    elif run is not None and settings.plan:
        plan, guard, rate = run.plan, run.guard, settings.rate
        time = rate and f"{how_long(len(plan.requests), rate.requests, rate.seconds)} at {rate}"
        plan.show(console, settings.target, guard.payments, guard.amount, time or "")
