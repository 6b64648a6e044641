"""The check of a history finds each kind of contradiction, and nothing in what can be."""

from decimal import Decimal

import pytest

from evaluation.durability.history import Call, Seen, Shown, contradictions

A, B, C = (Shown(name, f"id of {name}", Decimal("0.01")) for name in "ABC")


def call(began: float, ended: float, reference: str | None, *seen: Shown) -> Call:
    return Call(began, ended, reference, Seen.of(seen) if seen else None)


def test_what_can_be_is_no_contradiction() -> None:
    calls = [
        call(0, 3, "A", A),
        call(0, 9, "B"),  # which is there, though nobody was told
        call(4, 5, "A", A, B),
        call(4, 6, None, A),
        call(7, 8, "C"),  # which is not
        call(7, 9, None, A, B),
    ]
    assert list(contradictions(calls, [A, B], Decimal("0.02"))) == []


@pytest.mark.parametrize(
    ("calls", "whole", "sentence"),
    [
        ([call(0, 1, "A", A)], [], "the payment A from 0.000 to 1.000 s saw another list"),
        ([call(0, 1, "A", A), call(0, 1, "B", B)], [A, B], "saw another list"),
        ([call(0, 1, "A", A._replace(id="x"))], [A], "saw another list"),
        ([call(0, 1, "A", A), call(0, 2, "B", A)], [A, B], "was acknowledged without being there"),
        ([call(0, 1, None, A), call(2, 3, "A")], [A], "saw what was asked for later"),
        ([call(0, 1, None, A)], [A], "or by nobody"),
        ([call(0, 1, "A", A), call(0, 2, "B", A, B), call(3, 4, None, A)], [A, B], "a read from 3.000"),
        ([call(0, 1, "A", A), call(0, 2, "B", A, B), call(3, 4, None, A)], [A, B], "saw less"),
        ([call(0, 1, "A", A, A)], [A, A], "twice, by its reference"),
        ([call(0, 1, "A"), call(0, 1, "B")], [A, B._replace(id=A.id)], "twice, by its id"),
    ],
)
def test_what_cannot_be_is_said(calls: list[Call], whole: list[Shown], sentence: str) -> None:
    paid = Decimal("0.01") * len(whole)
    assert sentence in "\n".join(contradictions(calls, whole, paid))


def test_total_is_that_of_the_payments() -> None:
    calls = [call(0, 1, "A", A)]
    (found,) = contradictions(calls, [A], Decimal("0.02"))
    assert found == "the total is 0.02, and the payments add up to 0.01"
