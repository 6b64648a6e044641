"""What a test needs of the target; without it the test is skipped, and the report says why."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest

from contract_tests.rules.responses import LoadView
from contract_tests.suites.api import Api

References: TypeAlias = Callable[[], str]
"""Gives a reference that nobody has used."""

NOTHING_PAYABLE = "no nominated load takes payments now"


def need_payable(api: Api, clauses: Iterable[str], *statuses: str, but: Iterable[str] = ()) -> LoadView:
    """A load that takes payments now, in one of the statuses if given, and none of `but`."""
    view = api.payable(*statuses, but=but)
    return view or give_up(api, clauses, _reason(statuses))


def need_sink(api: Api, clauses: Iterable[str]) -> LoadView:
    """A load that may be paid any amount."""
    return api.sink() or give_up(api, clauses, "no nominated load can be overpaid")


def give_up(api: Api, clauses: Iterable[str], reason: str) -> LoadView:
    """Skips the test. Never returns."""
    for clause in clauses:
        api.findings.cannot_test(clause, reason)
    pytest.skip(reason)


def _reason(statuses: tuple[str, ...]) -> str:
    return f"no nominated load is {' or '.join(statuses)} now" if statuses else NOTHING_PAYABLE
