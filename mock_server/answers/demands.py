"""What a profile refuses in a payment although no rule does, or refuses with a status of its own."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from mock_server.answers.conversions import DATES, is_number_text

Fields = Mapping[str, Any]
Demand = Callable[[Fields], bool]
"""Whether a payment is what a question is about."""

DATE_FORMS = {
    "A17a": "no offset",
    "A17b": "no time",
    "A17c": "a space for the T",
    "A17d": "an offset without minutes",
    "A17e": "a day that does not exist",
    "A17f": "hour 24",
    "A17g": "empty",
    "A17h": "seconds since 1970",
    "A17i": "an offset of 24 hours",
    "A17j": "white space around",
}
"""The forms of dates that the questions are about, by the names in DATES."""

_OPTIONAL = ("InvoiceNumber", "PaymentMethod", "CheckNumber", "Note")
_REQUIRED = ("LoadNumber", "ReferenceNumber", "PaymentDate")
_TEXTS = ("LoadNumber", "ReferenceNumber", *_OPTIONAL)
_FIELDS = {*_REQUIRED, *_OPTIONAL, "Amount"}
_MONEY = {"Amount", "Currency"}
_LONG, _LONGEST = 1000, 2**16
_BEYOND_32_BITS = 2**31
_CENTS, _DIGITS_OF_A_DOUBLE = 2, 15


def _money(fields: Fields) -> Fields:
    money = fields.get("Amount")
    return money if isinstance(money, dict) else {}


def _texts(fields: Fields, *names: str) -> Iterator[str]:
    return (value for name in names or _FIELDS if isinstance(value := fields.get(name), str))


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _number(value: object) -> Decimal:
    """The value if it is a number that a double can hold, else 0."""
    number = Decimal(value) if _is_number(value) else Decimal(0)  # type: ignore[arg-type]
    return number if number.is_finite() else Decimal(0)


def _is_precise(value: object) -> bool:
    number = _number(value)
    digits = number.normalize().as_tuple()
    # What is not above zero is refused for that.
    return number > 0 and (-int(digits.exponent) > _CENTS or len(digits.digits) > _DIGITS_OF_A_DOUBLE)


def _is_whole(value: object) -> bool | None:
    """Whether a number that is written with a fraction is an integer; None for anything else."""
    is_fraction = isinstance(value, Decimal) and value.is_finite()
    return value == value.to_integral_value() if is_fraction else None  # type: ignore[attr-defined]


def _has_wrong_type(fields: Fields) -> bool:
    money = fields.get("Amount")
    numbers = [value for name in _MONEY if (value := _money(fields).get(name)) is not None]
    texts = [value for name in (*_REQUIRED, *_OPTIONAL) if (value := fields.get(name)) is not None]
    return (
        not isinstance(money, dict | None)
        or not all(_is_number(value) or is_number_text(value) for value in numbers)
        or not all(isinstance(value, str) for value in texts)
    )


def _has_names(fields: Fields, *, in_other_case: bool) -> bool:
    """Whether there are fields of another name than the known ones, which may be known in other case."""
    for names, known in ((fields, _FIELDS), (_money(fields), _MONEY)):
        in_lower_case = {name.lower() for name in known}
        for name in names.keys() - known:
            if (name.lower() in in_lower_case) == in_other_case:
                return True
    return False


def _has_date(form: str) -> Demand:
    date = DATES[form]
    return lambda fields: date.match(fields.get("PaymentDate")) is not None


DEMANDS: Mapping[str, Demand] = {
    "A9c": lambda fields: any(text and not text.strip() for text in _texts(fields, "ReferenceNumber")),
    "A14c": lambda fields: _money(fields).get("Currency") == 0,
    **{question: _has_date(form) for question, form in DATE_FORMS.items()},
    "A18a": lambda fields: _has_names(fields, in_other_case=False),
    "A18b": lambda fields: _has_names(fields, in_other_case=True),
    "A20b": lambda fields: any(
        isinstance(value, Decimal) and value.is_nan() for value in _money(fields).values()
    ),
    "A20c": lambda fields: _is_precise(_money(fields).get("Amount")),
    "Q2": lambda fields: any(map(is_number_text, _money(fields).values())),
    "Q3": lambda fields: _is_whole(_money(fields).get("Currency")) is True,
    "Q9": _has_wrong_type,
    "Q10": lambda fields: any("\0" in text for text in _texts(fields)),
    "Q13": lambda fields: any(not text.strip() for text in _texts(fields, "LoadNumber")),
    "Q17": lambda fields: any(len(text) > _LONG for text in _texts(fields)),
    "Q26": lambda fields: _number(_money(fields).get("Currency")) < 0,
    "Q44": lambda fields: any(_is_number(fields.get(name)) for name in _TEXTS),
    "Q45": lambda fields: any(isinstance(fields.get(name), bool) for name in (*_TEXTS, "PaymentDate")),
    "Q46": lambda fields: _is_number(fields.get("PaymentDate")),
    "Q47": lambda fields: any(isinstance(value, bool) for value in _money(fields).values()),
    "Q48": lambda fields: _is_whole(_money(fields).get("Currency")) is False,
    "Q49": lambda fields: isinstance(money := fields.get("Amount"), dict) and money.get("Currency") is None,
    "Q59": lambda fields: _number(_money(fields).get("Currency")) >= _BEYOND_32_BITS,
    "Q60": lambda fields: any(len(text) > _LONGEST for text in _texts(fields)),
    "Q34": lambda fields: any(character in text for text in _texts(fields) for character in "\n\r\t"),
}
"""What a question is about, by question."""
