"""Lenient readers of a request body: what each would book, on which load, and how much.

They are as different as the parsers that services use: other readers of JSON, of forms, of YAML, of
XML, with every freedom for names, repeated fields and numbers. None of them shares code with the guard.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import yaml

OPEN_BALANCE = Decimal("1250.10")
"""What a service books that fills a missing amount with what is open. One that it cannot read, it refuses."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A load number as the reader found it, and an amount without its sign."""

    load: str
    amount: Decimal


Reader = Callable[[bytes], Booking | None]
"""Raises ValueError, or returns None, where it can book nothing."""
Pairs = list[tuple[str, Any]]
Find = Callable[[Any, str], Any]


def _pairs(content: bytes, encoding: str = "utf-8") -> Any:
    return json.loads(
        content.decode(encoding),
        object_pairs_hook=lambda pairs: pairs,
        parse_float=Decimal,
        parse_int=Decimal,
        strict=False,
    )


def _named(pairs: Any, matches: Callable[[str], bool]) -> Iterator[Any]:
    if isinstance(pairs, list):
        for pair in pairs:
            if isinstance(pair, tuple) and matches(pair[0]):
                yield pair[1]


def last(pairs: Any, name: str) -> Any:
    """The last field of exactly that name."""
    return (list(_named(pairs, lambda given: given == name)) or [None])[-1]


def first(pairs: Any, name: str) -> Any:
    """The first field of exactly that name."""
    return next(_named(pairs, lambda given: given == name), None)


def folded(pairs: Any, name: str) -> Any:
    """The last field whose name is the same but for case and punctuation."""
    wanted = name.lower()
    found = list(_named(pairs, lambda given: re.sub(r"[\W_]", "", given).lower() == wanted))
    return (found or [None])[-1]


def plain(raw: Any) -> Decimal | None:
    """A number only."""
    return raw if isinstance(raw, Decimal) and raw.is_finite() else None


def first_number(raw: Any) -> Decimal | None:
    """Of a text, the first number in it: `"5 USD"` is 5."""
    found = re.search(r"\d+(\.\d+)?", raw) if isinstance(raw, str) else None
    return Decimal(found[0]) if found else plain(raw)


def with_comma(raw: Any) -> Decimal | None:
    """Of a text, a number as it is written where the comma marks the decimals."""
    text = raw.strip().replace(".", "").replace(",", ".") if isinstance(raw, str) else ""
    return _decimal(text) if re.fullmatch(r"\d{1,3}(\.\d{3})*(,\d+)?", str(raw).strip()) else plain(raw)


def grouped(raw: Any) -> Decimal | None:
    """Of a text, a number whose digits commas group: `"1,000"` is 1000."""
    return _decimal(raw.strip().replace(",", "")) if isinstance(raw, str) else plain(raw)


def truth(raw: Any) -> Decimal | None:
    """`true` is 1."""
    return Decimal(int(raw)) if isinstance(raw, bool) else plain(raw)


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _booking(load: Any, raw: Any, number: Callable[[Any], Decimal | None]) -> Booking | None:
    if isinstance(load, Decimal):
        load = str(load)
    amount = OPEN_BALANCE if raw is None else number(raw)
    if not isinstance(load, str) or not load.strip() or amount is None:
        return None
    return Booking(load.strip(), amount.copy_abs())


def _text_number(raw: Any) -> Decimal | None:
    return _decimal(raw) if isinstance(raw, str) else None


def as_json(find: Find, number: Callable[[Any], Decimal | None], encoding: str = "utf-8") -> Reader:
    """A reader of JSON that finds fields and reads numbers in its own way; the first of an array counts."""

    def read(content: bytes) -> Booking | None:
        tree = _pairs(content, encoding)
        if isinstance(tree, list) and tree and isinstance(tree[0], list):
            tree = tree[0]
        money = find(tree, "Amount")
        inner = find(money, "Amount") if isinstance(money, list) else money
        return _booking(find(tree, "LoadNumber"), inner, number)

    return read


def as_yaml(content: bytes) -> Booking | None:
    """YAML, which reads JSON with single quotes, comments and no quotes at all."""
    try:
        tree = yaml.load(content, yaml.BaseLoader)  # noqa: S506 - it makes texts only
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(tree, dict):
        return None
    money = tree.get("Amount")
    inner = money.get("Amount") if isinstance(money, dict) else money
    return _booking(tree.get("LoadNumber"), inner, _text_number)


def as_form(content: bytes) -> Booking | None:
    """A form with `LoadNumber=…&Amount.Amount=…`."""
    fields = dict(parse_qsl(content.decode("utf-8", "replace")))
    amount = fields.get("Amount.Amount") or fields.get("Amount")
    return _booking(fields.get("LoadNumber"), amount, _text_number)


def as_xml(content: bytes) -> Booking | None:
    """XML, read with a regular expression."""
    text = content.decode("utf-8", "replace")
    load = re.search(r"<LoadNumber>([^<]*)</LoadNumber>", text)
    amounts = re.findall(r"<Amount>\s*([0-9.]+)\s*</Amount>", text)
    return _booking(load[1] if load else None, (amounts or [None])[-1], _text_number)


def as_relaxed(content: bytes) -> Booking | None:
    """JSON with comments, trailing commas, and text after its end."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", content.decode("utf-8", "replace"), flags=re.DOTALL)
    text = re.sub(r",(\s*[}\]])", r"\1", text).strip()
    tree, _ = json.JSONDecoder(object_pairs_hook=list, parse_float=Decimal, parse_int=Decimal).raw_decode(
        text
    )
    money = last(tree, "Amount")
    inner = last(money, "Amount") if isinstance(money, list) else money
    return _booking(last(tree, "LoadNumber"), inner, plain)


READERS: dict[str, Reader] = {
    f"{find.__name__} field, {number.__name__}": as_json(find, number)
    for find in (last, first, folded)
    for number in (plain, first_number, with_comma, grouped, truth)
} | {
    "UTF-16": as_json(last, plain, "utf-16"),
    "UTF-16 without a mark": as_json(last, plain, "utf-16-le"),
    "YAML": as_yaml,
    "a form": as_form,
    "XML": as_xml,
    "relaxed JSON": as_relaxed,
}
