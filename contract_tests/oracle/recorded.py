"""What a load already has when it is first seen: whatever recorded it, R6 and R7 must have held.

So a run that only reads says something about both.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.responses import LoadView, PaymentView
from contract_tests.rules.values import EXACT, Money, nearly

_HALF_A_CENT = Decimal("0.005")


def judge_recorded(verdict: Verdict, view: LoadView) -> None:
    """References, time and total of the payments on a load; nothing to judge where there are none."""
    if not view.payments:
        return
    counts = Counter(one.reference for one in view.payments.values() if one.reference is not None)
    if counts:
        doubled = ", ".join(repr(reference) for reference, times in counts.items() if times > 1)
        verdict.require(
            "R6", not doubled, f"each reference once on load {view.number}", f"several payments of {doubled}"
        )
    verdict.require("R7", view.paid_at, f"paidAt of load {view.number}, filled", "paidAt null")
    if view.total is not None:
        _judge_total(verdict, view, view.total)


def _judge_total(verdict: Verdict, view: LoadView, total: Money) -> None:
    """The sum of all payments, or of those in the currency of the total: which of them is open (A14)."""
    own = [one for one in view.payments.values() if one.amount.currency in (total.currency, 0)]
    sums = {_sum(some): some for some in (own, list(view.payments.values()))}
    adds_up = any(_is_sum(total.amount, amount, some) for amount, some in sums.items())
    shown = " or ".join(map(str, sums))
    verdict.require("R7", adds_up, f"totalPaid of load {view.number}, {shown}", f"totalPaid {total.amount}")


def _sum(payments: Iterable[PaymentView]) -> Decimal:
    total = Decimal(0)
    for one in payments:
        total = EXACT.add(total, one.amount.amount)
    return total


def _is_sum(total: Decimal, amount: Decimal, payments: list[PaymentView]) -> bool:
    """Whether it is the sum, but for what doubles lose, and for cents that each rounded payment may."""
    amounts = [one.amount.amount for one in payments]
    if nearly(total, amount, *amounts, additions=len(amounts)):
        return True
    fractions = sum(one != round(one, 2) for one in amounts if one.adjusted() < 20)
    return abs(EXACT.subtract(total, amount)) <= fractions * _HALF_A_CENT
