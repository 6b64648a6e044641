"""The rule alone: properties of recording payments."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.domain import (
    LOAD_CURRENCY,
    PAYABLE_STATUSES,
    Load,
    LoadNotPayable,
    Money,
    Payment,
    Payments,
    Recording,
    Stamp,
)
from tests.mock.api import STATUSES

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)

amounts = st.decimals(min_value="0.01", max_value="1e12", places=2)
currencies = st.sampled_from([LOAD_CURRENCY, 840, 124])
money = st.builds(Money, amounts, currencies)
payments = st.builds(
    lambda reference, amount: Payment(reference, amount, "2026-07-01T00:00:00Z"),
    st.sampled_from(["a", "A", "a ", "b", "c"]),
    money,
)
unpayable = st.builds(Money, st.just(Decimal("1e20")), currencies)
loads = st.builds(
    lambda status, billed: Load("1", "L", "O", status, "C", BEGIN, billed=billed),
    st.sampled_from(PAYABLE_STATUSES),
    st.none() | unpayable,
)
"""Loads that no payments of these can pay in full: what overpaying does is A13's."""


class Stamps:
    """Gives ids 1, 2, 3, and later and later instants."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.given: list[Stamp] = []

    def __call__(self) -> Stamp:
        number = next(self.numbers)
        self.given.append(Stamp(str(number), BEGIN.replace(microsecond=number)))
        return self.given[-1]


def paid(load: Load, *sequence: Payment) -> Load:
    stamps = Stamps()
    for payment in sequence:
        load = load.record(payment, stamps)
    return load


@given(loads, payments, payments)
def test_replay_changes_nothing(load: Load, payment: Payment, other: Payment) -> None:
    stamps = Stamps()
    once = load.record(payment, stamps)
    replay = other._replace(reference=payment.reference)
    assert once.record(payment, stamps) == once
    assert once.record(replay, stamps) is once
    assert len(stamps.given) == 1


@given(loads, st.lists(payments))
def test_first_of_each_reference_is_kept_in_order(load: Load, sequence: list[Payment]) -> None:
    after = paid(load, *sequence)
    firsts: dict[str, Payment] = {}
    for payment in sequence:
        firsts.setdefault(payment.reference, payment)
    assert [payment._replace(id="", recorded_at=None) for payment in after.payments.values()] == list(
        firsts.values()
    )
    assert [payment.id for payment in after.payments.values()] == [str(i + 1) for i in range(len(firsts))]


@given(loads, st.lists(payments, min_size=1))
def test_total_is_the_exact_sum_in_the_loads_currency(load: Load, sequence: list[Payment]) -> None:
    after = paid(load, *sequence)
    kept = [payment.amount for payment in after.payments.values()]
    named = [load.billed.currency if load.billed else LOAD_CURRENCY, *(money.currency for money in kept)]
    own = next((currency for currency in named if currency != LOAD_CURRENCY), LOAD_CURRENCY)
    cents = sum(int(money.amount * 100) for money in kept if money.currency in (own, LOAD_CURRENCY))
    assert after.total_paid == Money(Decimal(cents).scaleb(-2), own)


@given(loads, st.lists(payments))
def test_order_of_payments_in_one_currency_does_not_matter_for_the_total(
    load: Load, sequence: list[Payment]
) -> None:
    distinct = [
        payment._replace(reference=str(i), amount=Money(payment.amount.amount, 840))
        for i, payment in enumerate(sequence)
    ]
    assert paid(load, *distinct).total_paid == paid(load, *reversed(distinct)).total_paid


@given(st.sampled_from(PAYABLE_STATUSES), st.lists(amounts, min_size=1, max_size=5), st.none() | amounts)
def test_completed_exactly_when_the_billed_amount_is_reached(
    status: str, sequence: list[Decimal], left: Decimal | None
) -> None:
    billed = Money(sum(sequence, left or Decimal(0)), 840)
    load = Load("1", "L", "O", status, "C", BEGIN, billed=billed)
    for number, amount in enumerate(sequence, 1):
        assert number == 1 or load.status == status
        load = load.record(Payment(str(number), Money(amount, 840), "2026-07-01T00:00:00Z"), Stamps())
    assert load.status == (status if left else "Completed")


@given(loads, st.lists(payments, min_size=1))
def test_latest_payment_gives_its_instant(load: Load, sequence: list[Payment]) -> None:
    after = paid(load, *sequence)
    assert after.paid_at == BEGIN.replace(microsecond=len(after.payments))


@given(loads, payments)
def test_recording_leaves_the_load_before_as_it_was(load: Load, payment: Payment) -> None:
    before = dict(load.payments)
    paid(load, payment)
    assert (dict(load.payments), load.total_paid, load.paid_at) == (before, None, None)


@given(loads, st.lists(payments, min_size=1), st.lists(payments))
def test_every_load_keeps_its_own_payments_whatever_was_recorded_on_those_before_it(
    load: Load, one: list[Payment], other: list[Payment]
) -> None:
    start = paid(load, one[0])
    ends = [paid(start, *sequence) for sequence in (one, other, one)]
    for end, sequence in zip(ends, (one, other, one), strict=True):
        alone = Payments(Recording(paid(load, one[0], *sequence).payments.values()))
        assert [*map(_sent, end.payments.values())] == [*map(_sent, alone.values())]
        assert len(end.payments) == len({*end.payments}) == len(alone)
        assert all(end.payments[reference].reference == reference for reference in end.payments)
        assert all(
            end.payments.get(payment.reference) is None for payment in one if payment.reference not in alone
        )
    assert dict(start.payments) == {one[0].reference: start.payments[one[0].reference]}


def _sent(payment: Payment) -> Payment:
    return payment._replace(id="", recorded_at=None)


@given(loads, st.lists(payments, min_size=1, unique_by=lambda payment: payment.reference))
def test_recording_copies_no_payment(load: Load, sequence: list[Payment]) -> None:
    first = paid(load, sequence[0])
    assert paid(first, *sequence).payments.recording is first.payments.recording


def test_payment_of_opening_takes_the_place_of_one_with_its_reference() -> None:
    sent = [Payment(name, Money(Decimal(amount), 840), "") for name, amount in (("a", 1), ("b", 2), ("a", 3))]
    load = Load("1", "L", "O", "Invoiced", "C", BEGIN)
    for payment in sent:
        load = load.with_payment(payment, BEGIN)
    assert [payment.amount.amount for payment in load.payments.values()] == [3, 2]


@given(loads, payments, st.sampled_from([each for each in STATUSES if each not in PAYABLE_STATUSES]))
def test_load_in_another_status_only_replays(load: Load, payment: Payment, status: str) -> None:
    stamps = Stamps()
    once = load.record(payment, stamps)
    gated = Load(**{name: getattr(once, name) for name in Load.__slots__} | {"status": status})
    assert gated.record(payment, stamps) is gated
    with pytest.raises(LoadNotPayable, match="in one of: Invoiced, Completed, Financed"):
        gated.record(payment._replace(reference="new"), stamps)
    assert len(stamps.given) == 1
