"""Services that book what they must refuse: what a run costs there at most, and what its log says of it."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from contract_tests.safety.guard import LARGEST_WITHOUT_CONSENT
from tests.attack.runs import Attack, Damage, all_attacked
from tests.attack.services import BOOKING, RESPONDING, SUSPENSE, Responding

BLIND = ("suspense_account", "any_method")
"""They book what names no load that exists: no read can show it, and only a success tells."""

EVERY_WAY: tuple[Responding, ...] = ("payment", "400", "lost")
SMOKE_WAYS: tuple[Responding, ...] = ("payment", "400", "429")
REJECTS_WAYS: tuple[Responding, ...] = ("payment", "400", "500")


def attacks() -> Iterator[Attack]:
    """The table: a way of booking, a way of responding, the suites, and the budget."""
    for booking in BOOKING:
        for responding in EVERY_WAY:
            yield Attack(booking, responding, ("rejects",))
        for responding in SMOKE_WAYS:
            yield Attack(booking, responding, ("smoke",), 8)
        for responding in REJECTS_WAYS:
            yield Attack(booking, responding, ("rejects",), 1, "0.10")
    for responding in RESPONDING:
        yield Attack("nothing_more", responding, ("smoke",), 8, forgets=True)
        yield Attack("nothing_more", responding, ("smoke",), 1, "0.10", forgets=True)
    for payments in (1, 3):
        yield Attack("nothing_more", "payment", ("concurrency",), payments, "0.10", forgets=True)
    for booking in ("any_status", "insert_first", "by_prefix"):
        yield Attack(booking, "payment", ("smoke",), 8, hides=True)
    for payments, amount in ((0, "3.00"), (8, "0")):
        yield Attack("by_its_bytes", "400", ("smoke", "rejects"), payments, amount)


ATTACKS = {attack.name: attack for attack in attacks()}


@pytest.fixture(scope="module")
def damages() -> dict[str, Damage]:
    """What every attack came to; all of them are run at once, to save time."""
    return {damage.attack.name: damage for damage in all_attacked(list(ATTACKS.values()))}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_more_is_booked_than_the_budget_and_one(name: str, damages: dict[str, Damage]) -> None:
    damage, attack = damages[name], ATTACKS[name]
    if attack.payments is None:
        if attack.booking in BLIND:
            assert all(one.amount <= LARGEST_WITHOUT_CONSENT for one in damage.booked)
            assert attack.responding != "payment" or len(damage.booked) == 1
        else:
            assert damage.booked == ()
    elif 0 in (attack.payments, Decimal(attack.amount)):
        assert damage.booked == ()
    else:
        seen = [one for one in damage.booked if one.load != SUSPENSE]
        assert len(seen) <= attack.payments + 1, damage.output
        largest = max((one.amount for one in seen), default=Decimal(0))
        assert sum((one.amount for one in seen), Decimal(0)) <= Decimal(attack.amount) + largest, (
            damage.output
        )


@pytest.mark.parametrize("name", ATTACKS)
def test_everything_that_is_booked_is_in_the_log(name: str, damages: dict[str, Damage]) -> None:
    damage = damages[name]
    logged = [(str(line["load"]), line["reference"] or "") for line in damage.logged]
    for one in damage.booked:
        assert any(
            reference == one.reference and (one.load == SUSPENSE or one.load in load)
            for load, reference in logged
        ), (one, damage.output)


OF_NO_RULE = ("amount_in_text", "in_an_array")
"""They book what has a wrong type: that fails a clause, but breaks none of the rules that end a run."""


@pytest.mark.parametrize("name", ATTACKS)
def test_what_was_booked_wrongly_and_can_be_seen_fails_and_ends_the_run(
    name: str, damages: dict[str, Damage]
) -> None:
    damage, attack = damages[name], ATTACKS[name]
    wrong = attack.booking != "nothing_more" or attack.forgets
    visible = attack.booking not in BLIND or attack.responding == "payment"
    if wrong and visible and damage.booked_wrongly:
        assert damage.status == 1
        assert attack.booking in OF_NO_RULE or "The run was stopped: " in damage.output
