"""How values are written for people and for targets."""

import json
from decimal import Decimal

import pytest

from contract_tests.rules.values import encode_json, money_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.10", "0.10"),
        ("2.55500000000000000", "2.555"),
        ("2.61000000000000002", "2.61"),
        ("3", "3"),
        ("0.1", "0.1"),
        ("1E+3", "1000"),
        ("52585747429623777.32945670000", "52585747429623777.3295"),
        ("Infinity", "Infinity"),
        ("0", "0"),
    ],
)
def test_sum_is_written_with_its_cents_and_no_zeros_after_them(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text


def test_a_lone_surrogate_is_escaped_in_json() -> None:
    content = encode_json({"a\udc00": ["\ud800ü", Decimal("0.10"), None]})
    assert content == '{"a\\udc00":["\\ud800ü",0.10,null]}'.encode()
    assert json.loads(content) == {"a\udc00": ["\ud800ü", 0.1, None]}
