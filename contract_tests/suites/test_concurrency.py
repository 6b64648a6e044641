"""Payments at the same time: one reference is one payment, and no payment is lost."""

import random
from decimal import Decimal

import pytest

from contract_tests.oracle.bursts import TimedExchange
from contract_tests.oracle.verdict import Verdict
from contract_tests.run.settings import Settings
from contract_tests.suites.api import Api
from contract_tests.suites.bursts import pay_at_once, require_accepted
from contract_tests.suites.cases import CENT, payment
from contract_tests.suites.needs import References, need_payable

pytestmark = pytest.mark.suite("concurrency")
documented = pytest.mark.documented
MANY = 20
EXAMPLES_PER_SCHEDULE = 10
TIMES = 3


def require_payments(api: Api, calls: list[TimedExchange], number: int) -> None:
    """So many ids are what the responses give to the payments that they were asked for."""
    ids = {key for call in calls for key in call.own}
    verdict = Verdict(exchanges=tuple(call.exchange for call in calls))
    verdict.require("R6", len(ids) == number, f"{number} payments, one for each reference", f"{len(ids)}")
    api.take(verdict)


@documented("R6")
def test_one_reference_at_once_is_one_payment(api: Api, reference: References) -> None:
    load = need_payable(api)
    body = payment(load, reference())
    calls = pay_at_once(api, load, [[body]] * MANY)
    require_accepted(api, calls)
    require_payments(api, calls, 1)


@documented("R6")
def test_one_reference_with_other_values_at_once_is_one_payment(api: Api, reference: References) -> None:
    load, ref = need_payable(api), reference()
    calls = pay_at_once(api, load, [[payment(load, ref, Sum=n * CENT)] for n in range(1, 9)])
    require_accepted(api, calls)
    require_payments(api, calls, 1)


@documented("D4", "R7")
def test_different_references_at_once_are_all_recorded(api: Api, reference: References) -> None:
    load = need_payable(api)
    bodies = [[payment(load, reference(), Sum=Decimal("0.07"))] for _ in range(MANY)]
    calls = pay_at_once(api, load, bodies)
    for call in calls:
        require_accepted(api, [call])
    require_payments(api, calls, MANY)


@documented("R6", "R7")
def test_pairs_of_references_at_once(api: Api, reference: References) -> None:
    load = need_payable(api)
    references = [reference() for _ in range(MANY // 2)]
    calls = pay_at_once(api, load, [[payment(load, ref)] for ref in references * 2])
    require_payments(api, calls, len(references))


@documented("D4", "R6")
def test_short_histories_have_an_order(api: Api, reference: References, settings: Settings) -> None:
    chance = random.Random(settings.seed)  # noqa: S311 - chooses schedules, guards no secret
    for _ in range(settings.examples // EXAMPLES_PER_SCHEDULE):
        schedule = [
            [chance.randrange(3) for _ in range(chance.randint(1, 2))] for _ in range(chance.randint(2, 3))
        ]
        prefix = chance.randrange(3)
        for _ in range(TIMES):
            _play(api, reference, prefix, schedule)


def _play(api: Api, reference: References, prefix: int, schedule: list[list[int]]) -> None:
    load = need_payable(api)
    references = [reference() for _ in range(3)]
    for ref in references[:prefix]:
        api.pay(payment(load, ref))
    before = api.load(load.number)
    branches = [[payment(load, references[index]) for index in branch] for branch in schedule]
    pay_at_once(api, before, branches)
