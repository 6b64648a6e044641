"""How values are written for people."""

from decimal import Decimal

import pytest

from contract_tests.rules.values import money_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.10", "0.10"),
        ("2.55500000000000000", "2.555"),
        ("3", "3"),
        ("0.1", "0.1"),
        ("1E+3", "1000"),
        ("52585747429623777.32945670000", "52585747429623777.3294567"),
        ("Infinity", "Infinity"),
        ("0", "0"),
    ],
)
def test_sum_is_written_with_its_cents_and_no_zeros_after_them(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text
