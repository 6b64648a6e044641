"""What a test needs of the target; without it nothing is sent, and the report says why."""

from collections.abc import Callable, Iterable
from typing import NoReturn, TypeAlias

from contract_tests.rules.responses import LoadView
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api

References: TypeAlias = Callable[[], str]
"""Gives a reference that nobody has used."""


def need_payable(api: Api, *statuses: str, but: Iterable[str] = ()) -> LoadView:
    """A load that takes payments now, in one of the statuses if given, and none of `but`."""
    return api.payable(*statuses, but=but) or give_up(_reason(statuses))


def need_sink(api: Api) -> LoadView:
    """A load that may be paid any amount."""
    return api.sink() or give_up("no nominated load can be overpaid")


def give_up(reason: str) -> NoReturn:
    """Ends the test as the guard does when it lets nothing out: it is skipped, its clauses not tested."""
    raise Refused(reason)


def _reason(statuses: tuple[str, ...]) -> str:
    wanted = f"is {' or '.join(statuses)}" if statuses else "can be paid"
    return f"none of the nominated loads {wanted} now"
