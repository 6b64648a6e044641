"""The tables: bodies of payments, valid and not, each with why it is in the table."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import pytest

from contract_tests.rules.clauses import Grade
from contract_tests.rules.responses import LoadView
from contract_tests.rules.values import encode_json
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX

USD = 840
CENT = Decimal("0.01")
DATE = "2026-07-01T15:30:00Z"
OMITTED = object()
"""A field with this value is left out."""
UNKNOWN_LOAD = f"{IMPOSSIBLE_PREFIX}1"

Body: TypeAlias = Mapping[str, object] | bytes


def currency_of(load: LoadView | None) -> int:
    """The load's own currency, or US dollars where nothing tells."""
    return (load.currency if load else None) or USD


def payment(load: LoadView | str, reference: object, **changes: object) -> dict[str, object]:
    """A payment of one cent with only what is required; `changes` are fields, `Sum` and `Currency` too."""
    view = load if isinstance(load, LoadView) else None
    money = {
        "Amount": changes.pop("Sum", CENT),
        "Currency": changes.pop("Currency", currency_of(view)),
    }
    body: dict[str, object] = {
        "LoadNumber": view.number if view else load,
        "Amount": _present(money),
        "PaymentDate": DATE,
        "ReferenceNumber": reference,
    }
    return _present(body | changes)


def _present(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not OMITTED}


def with_text(body: Mapping[str, object], old: str, new: str) -> bytes:
    """The body as JSON with one piece of its text replaced, for what no encoder writes."""
    text = encode_json(body)
    if old.encode() not in text:
        raise ValueError(old)
    return text.replace(old.encode(), new.encode("utf-8", "surrogatepass"), 1)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of a table. `make` builds the body for a load and a fresh reference.

    Where the response is open, `question` is what it tells about: `accepted` in these words, or else the
    status. `large` marks amounts that must not land on a load whose rest is still needed.
    """

    name: str
    grade: Grade
    ids: tuple[str, ...]
    make: Callable[[LoadView | str, str], Body]
    question: str | None = None
    accepted: str = "accepted"
    large: bool = False


def parametrize(cases: list[Case]) -> pytest.MarkDecorator:
    """The cases as parameters of a test, each with its own grade."""
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=case.name, marks=getattr(pytest.mark, case.grade)(*case.ids))
            for case in cases
        ],
    )


def _documented(name: str, clause: str, **changes: object) -> Case:
    return Case(
        name, "documented", (clause,), lambda load, ref: payment(load, ref, **_of_one_load(changes, ref))
    )


def _of_one_load(fields: Mapping[str, object], ref: str) -> Mapping[str, object]:
    """The fields with an invoice number that no other payment has: it may belong to one load (A19)."""
    number = fields.get("InvoiceNumber")
    own = {"InvoiceNumber": f"{number} {ref}"[-_LONGEST_TEXT:]} if isinstance(number, str) else {}
    return {**fields, **own}


_LONGEST_TEXT = 100


def _open(name: str, question: str, accepted: str = "accepted", **changes: object) -> Case:
    def make(load: LoadView | str, ref: str) -> Body:
        return payment(load, ref, **changes)

    return Case(name, "assumed", (question,), make, question, accepted)


def _raw(name: str, question: str, old: str, new: str, accepted: str = "accepted", **changes: object) -> Case:
    """A case whose body no encoder writes. `{ref}` in the texts stands for the reference."""

    def make(load: LoadView | str, ref: str) -> Body:
        body = payment(load, ref, **changes)
        return with_text(body, old.replace("{ref}", ref), new.replace("{ref}", ref))

    return Case(name, "assumed", (question,), make, question, accepted)


# --- what must be refused -----------------------------------------------------------------------------

_OPTIONAL = ("InvoiceNumber", "PaymentMethod", "CheckNumber", "Note")
_WRONG: dict[str, object] = {"an array": ["x"], "an object": {"x": "y"}}


def _wrong_types() -> list[Case]:
    cases = []
    for name in ("LoadNumber", "ReferenceNumber", "PaymentDate", *_OPTIONAL):
        for kind, value in _WRONG.items():
            cases.append(_documented(f"{name} is {kind}", "D7", **{name: value}))
    for kind, value in {"a word": "ten", "an array": [CENT], "an object": {"Amount": CENT}}.items():
        cases.append(_documented(f"Amount.Amount is {kind}", "D7", Sum=value))
        cases.append(_documented(f"Amount.Currency is {kind}", "D7", Currency=value))
    cases += [
        _documented("Amount is a number", "D7", Amount=CENT),
        _documented("Amount is a text", "D7", Amount="0.01 USD"),
        _documented("Amount is an array", "D7", Amount=[{"Amount": CENT, "Currency": USD}]),
        _documented("PaymentDate is a word", "D7", PaymentDate="someday"),
    ]
    return cases


def _missing() -> list[Case]:
    cases = []
    for key, name in (
        *((each, each) for each in ("LoadNumber", "Amount", "PaymentDate")),
        ("Sum", "Amount.Amount"),
    ):
        cases.append(_documented(f"{name} is omitted", "D5", **{key: OMITTED}))
        cases.append(_documented(f"{name} is null", "D5", **{key: None}))
    cases.append(_documented("Amount is empty", "D5", Amount={}))
    return cases


def _amounts_refused() -> list[Case]:
    cases = [
        _documented(f"an amount of {text}", "R4", Sum=Decimal(text))
        for text in ("0", "0.00", "-0.01", "-0.010", "-1E-2", "-0", "-0.0", "-0.005", "0E+2", "-0.0001")
    ]
    return [*cases, _documented("an amount of -0.01 in another currency", "R4", Sum=-CENT, Currency=124)]


def _references_refused() -> list[Case]:
    given = {"CheckNumber": "1", "InvoiceNumber": "I", "PaymentMethod": "ACH", "Note": "n"}
    return [
        _documented("no reference", "R5", ReferenceNumber=OMITTED),
        _documented("an empty reference", "R5", ReferenceNumber=""),
        _documented("a null reference", "R5", ReferenceNumber=None),
        _documented("no reference, all else given", "R5", ReferenceNumber=OMITTED, **given),
    ]


def _bodies_refused() -> list[Case]:
    def literally(name: str, question: str, content: bytes) -> Case:
        return Case(f"a body that is {name}", "documented", ("D7",), lambda _load, _ref: content, question)

    def broken(name: str, damage: Callable[[bytes], bytes], question: str) -> Case:
        def make(load: LoadView | str, ref: str) -> Body:
            return damage(encode_json(payment(load, ref)))

        return Case(f"a body that {name}", "documented", ("D7",), make, question)

    return [
        literally("empty", "Q7", b""),
        literally("white space", "Q7", b" \n"),
        literally("null", "Q6", b"null"),
        literally("true", "Q6", b"true"),
        literally("a number", "Q6", b"12"),
        literally("a text", "Q6", b'"text"'),
        literally("an empty array", "Q6", b"[]"),
        literally("nested deeply in arrays", "Q23", b"[" * 10_000 + b"]" * 10_000),
        literally("a word", "Q5", b"payment"),
        literally("a JSON Patch", "Q6", b'[{"op": "add", "path": "/Note", "value": "x"}]'),
        broken("is an array with a payment", lambda text: b"[" + text + b"]", "Q6"),
        broken("ends early", lambda text: text[:-1], "Q5"),
    ]


REFUSED: list[Case] = [
    *_amounts_refused(), *_references_refused(), *_missing(), *_wrong_types(), *_bodies_refused(),
]  # fmt: skip

# --- what is open, and tells without a payment: 404 is about the load, so the body was read ------------

_DATES = {
    "A17a": "2026-07-01T15:30:00",
    "A17b": "2026-07-01",
    "A17c": "2026-07-01 15:30:00Z",
    "A17d": "2026-07-01T15:30:00+02",
    "A17e": "2026-02-30T15:30:00Z",
    "A17f": "2026-07-01T24:00:00Z",
    "A17g": "",
    "A17h": "1782920000",
    "A17i": "2026-07-01T15:30:00+24:00",
    "A17j": " 2026-07-01T15:30:00Z ",
}


def _damaged(name: str, question: str, damage: Callable[[bytes], bytes]) -> Case:
    """A body that only a lenient reader takes for JSON."""

    def make(load: LoadView | str, ref: str) -> Body:
        return damage(encode_json(payment(load, ref, Note="n")))

    return Case(f"a body that {name}", "assumed", (question,), make, question)


def _damaged_bodies() -> list[Case]:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    return [
        _damaged("is nested deeply", "Q23", lambda text: text.replace(b'"n"', deep)),
        _damaged("is not UTF-8", "Q24", lambda text: text.replace(b'"n"', b'"\xff\xfe"')),
        _damaged("has a surrogate's own bytes", "Q24", lambda text: text.replace(b'"n"', b'"\xed\xa0\x80"')),
        _damaged("is UTF-16", "Q58", lambda text: text.decode().encode("utf-16")),
        _damaged("has a comment", "Q51", lambda text: b"// payment\n" + text),
        _damaged("has a comma too many", "Q52", lambda text: text[:-1] + b",}"),
        _damaged("has single quotes", "Q53", lambda text: text.replace(b'"', b"'")),
        _damaged("goes on after its end", "Q54", lambda text: text + b"}"),
        _damaged("has an amount without a whole part", "Q55", lambda text: text.replace(b"0.01", b".01")),
        _damaged("has an amount with a plus sign", "Q56", lambda text: text.replace(b"0.01", b"+0.01")),
        _damaged("has an amount with a leading zero", "Q57", lambda text: text.replace(b"0.01", b"00.01")),
        _damaged("has NaN as amount", "Q29", lambda text: text.replace(b"0.01", b"NaN")),
        _damaged("has Infinity as amount", "Q29", lambda text: text.replace(b"0.01", b"Infinity")),
        _damaged("has minus Infinity as amount", "Q29", lambda text: text.replace(b"0.01", b"-Infinity")),
    ]


def _with(name: str, value: object) -> Callable[[LoadView | str, str], Body]:
    return lambda load, ref: payment(load, ref, **{name: value})


def _converted() -> list[Case]:
    """Values of another type than the page says. A load number of digits might exist: there is none here."""
    cases = [
        Case(f"{name} is {kind}", "assumed", (question,), _with(name, value), question)
        for name in ("ReferenceNumber", *_OPTIONAL)
        for kind, question, value in (("a number", "Q44", 7), ("true", "Q45", True))
    ]
    return [
        *cases,
        _open("PaymentDate is a number", "Q46", PaymentDate=1782920000),
        _open("PaymentDate is true", "Q45", PaymentDate=True),
        _open("Amount.Amount is true", "Q47", Sum=True),
        _open("Amount.Currency is true", "Q47", Currency=True),
        _open("Amount.Currency has a fraction", "Q48", Currency=Decimal("840.5")),
        _open("Amount.Currency is omitted", "Q49", Currency=OMITTED),
        _open("Amount.Currency is null", "Q49", Currency=None),
        _open("the amount in a string", "Q2", Sum="0.01"),
        _open("the currency in a string", "Q2", Currency="840"),
    ]


LENIENT: list[Case] = [
    *(_open(f"PaymentDate {date!r}", question, PaymentDate=date) for question, date in _DATES.items()),
    *_converted(),
    *_damaged_bodies(),
    _open("a blank reference", "A9c", ReferenceNumber="  \t"),
    _raw("the reference in other case", "A18b", '"ReferenceNumber"', '"referenceNumber"'),
    _raw("the load number in other case", "A18b", '"LoadNumber"', '"loadNumber"'),
    _raw("the amount in other case", "A18b", '{"Amount":', '{"amount":'),
    _raw("a field twice", "Q4", '"PaymentDate"', '"PaymentDate":"2026-07-01T00:00:00Z","PaymentDate"'),
    _raw("the load number twice", "Q4", '"PaymentDate"', f'"LoadNumber":"{UNKNOWN_LOAD}2","PaymentDate"'),
    _raw("an amount of 1e400", "A20b", ":0.01", ":1e400"),
    _raw("an amount with 400 digits", "A20b", ":0.01", ":" + "9" * 400),
    _raw("an amount of 1e999999999", "A20b", ":0.01", ":1e999999999"),
    _open("U+0000 in a text", "Q10", Note="a\x00b"),
    Case(
        "U+0000 in the reference", "assumed", ("Q10",), lambda load, ref: payment(load, f"{ref}\x00"), "Q10",
    ),
    _raw("a lone surrogate", "Q25", '"Note":"n"', '"Note":"\\ud800"', Note="n"),
]  # fmt: skip

# --- what must be accepted ----------------------------------------------------------------------------

TEXTS = {
    "German": "Überweisung Größe ß",
    "Polish": "zażółć gęślą jaźń",
    "Greek": "Πληρωμή",
    "Cyrillic": "Оплата №5",
    "Hebrew": "תשלום 12",
    "Arabic": "دفعة ٣",
    "Hindi": "भुगतान",
    "Thai": "การชำระเงิน",
    "Chinese": "客户付款",
    "Japanese": "お支払い",
    "Korean": "결제",
    "emoji": "💶 paid 👩‍👩‍👧",
    "beyond the basic plane": "𝒳𠜎",
    "combining": "e\u0301 n\u0303",
    "quotes": "\"double\" 'single' `back`",
    "backslashes": "C:\\temp\\n",
    "slashes": "a/b//c",
    "markup": "<b>&amp;</b><script>alert(1)</script>",
    "SQL": "'; DROP TABLE payments; --",
    "braces": "{0} {name} {{}} %s %(x)s ${env} #{y}",
    "JSON in a text": '{"Amount": -1}',
    "the word null": "null",
    "the word true": "true",
    "leading zeros": "000123",
    "many digits": "12345678901234567890",
    "an exponent": "1e5",
    "inner spaces": "a  b   c",
    "a no-break space": "a\u00a0b",
    "mixed case": "aCh WIRE tRansfer",
    "punctuation": "-_.,:;!?@#$^&*()[]|~+=",
    "a date": "2026-07-01",
    "one character": "x",
    "100 characters": "x" * 100,
    "a plus and percent": "a+b%20c",
    "a zero-width space": "a\u200bb",
}

DATES = (
    "2026-07-01T15:30:00Z", "2026-07-01T15:30:00+00:00", "2026-07-01T15:30:00-05:00",
    "2026-07-01T00:00:00Z", "2026-07-01T15:30:00+05:30", "2026-07-01T15:30:00+05:45",
    "2026-07-01T15:30:00-03:30", "2026-07-01T15:30:00+14:00", "2026-07-01T15:30:00-12:00",
    "2026-07-01T23:30:00-05:00", "2026-07-01T00:30:00+02:00", "2026-12-31T23:59:59Z",
    "2027-01-01T00:30:00+09:00", "2024-02-29T12:00:00Z", "2024-03-01T00:30:00+01:00",
    "1999-12-31T23:59:59-08:00", "2069-06-15T08:00:00Z", "2026-07-01T15:30:00.5Z",
    "2026-07-01T15:30:00.123Z", "2026-07-01T15:30:00.999+02:00", "2026-07-01T15:30:00.000001Z",
    "2026-07-01T15:30:00.1234567Z", "2026-03-08T02:30:00-05:00", "1970-01-01T00:00:00Z",
)  # fmt: skip

AMOUNTS = (
    "0.01", "0.07", "0.1", "0.2", "0.29", "0.57", "0.70", "1", "1.0", "1.10", "1.15", "2.50",
)  # fmt: skip
LARGE_AMOUNTS = (
    "4.35", "10", "10.00", "19.99", "33.33", "100.10", "1234.56", "99999.99", "1000000", "16777217",
    "2147483648.01", "123456789.12", "9999999.99",
)  # fmt: skip
NUMBERS_WRITTEN_OTHERWISE = ("1e0", "1E+0", "10e-1", "0.1e1", "1.000", "100E-2", "2.5e-1", "5e-2")
PRECISE_AMOUNTS = (
    "0.001", "0.005", "0.1234567", "1.005", "0.30000000000000004", "1.0000000000000000001",
    "12345678901234567.89", "9007199254740993", "0.00000000000000000001",
)  # fmt: skip


def _amount(text: str, grade: Grade, *ids: str, large: bool = False) -> Case:
    def make(load: LoadView | str, ref: str) -> Body:
        return with_text(payment(load, ref, Sum=12345), ":12345", f":{text}")

    question = ids[0] if grade == "assumed" else None
    return Case(f"an amount of {text}", grade, ids, make, question, accepted="", large=large)


def _text(name: str, text: str) -> Case:
    def make(load: LoadView | str, ref: str) -> Body:
        fields = _of_one_load(dict.fromkeys(_OPTIONAL, text), ref)
        return payment(load, f"{ref} {text}"[:_LONGEST_TEXT].rstrip(), **fields)

    return Case(f"texts in {name}", "documented", ("D2",), make)


ACCEPTED: list[Case] = [
    *(_text(name, text) for name, text in TEXTS.items()),
    *(_documented(f"PaymentDate {text}", "D2", PaymentDate=text) for text in DATES),
    *(_amount(text, "documented", "D2", "R7") for text in (*AMOUNTS, *NUMBERS_WRITTEN_OTHERWISE)),
    *(_amount(text, "documented", "D2", "R7", large=True) for text in LARGE_AMOUNTS),
    *(_documented(f"only {name} of the optional fields", "D6", **{name: "given"}) for name in _OPTIONAL),
    _documented("no optional field", "D6"),
    _documented("every optional field null", "D6", **dict.fromkeys(_OPTIONAL)),
    _documented("every optional field different", "D2", **dict(zip(_OPTIONAL, "ABCD", strict=True))),
    Case(
        "an invoice number of digits",
        "documented",
        ("D2",),
        lambda load, ref: payment(load, ref, InvoiceNumber=f"00{zlib.crc32(ref.encode())}"),
    ),
    Case(
        "fields in another order",
        "documented",
        ("D2",),
        lambda load, ref: dict(reversed(payment(load, ref, CheckNumber="9", Note="n").items())),
    ),
    Case(
        "fields escaped and spread over lines",
        "documented",
        ("D2",),
        lambda load, ref: with_text(
            payment(load, ref, Note="n"), '"PaymentDate"', '\n\t"Payment\\u0044ate" '
        ),
    ),
]

UNUSUAL: list[Case] = [
    *(_amount(text, "assumed", "A20c", large=True) for text in PRECISE_AMOUNTS),
    Case("no currency", "assumed", ("Q50",), lambda load, ref: payment(load, ref, Currency=OMITTED)),
    _open("an unknown field", "A18a", "ignored", Comment="x"),
    _open("unknown fields that are nested", "A18a", "ignored", Extra={"LoadNumber": ["x"], "Amount": None}),
    _open("fields of the response", "A18a", "ignored", Id="my-own-id", Status="Paid"),
    _open("currency 840.0", "Q3", Currency=Decimal("840.0")),
    _open("a negative currency", "Q26", Currency=-1),
    _open("currency 124", "A14a", Currency=124),
    _open("currency 484", "A14a", Currency=484),
    _open("currency 978", "A14a", Currency=978),
    _open("currency 1", "A14a", Currency=1),
    _open("currency 2147483648", "Q59", Currency=2147483648),
    _open("currency 0", "A14c", "", Currency=0),
    _open("empty optional texts", "Q18", "", InvoiceNumber="", PaymentMethod="", CheckNumber="", Note=""),
    _open(
        "white space around optional texts",
        "Q19",
        "",
        InvoiceNumber=" a ",
        PaymentMethod="\u2003b",
        CheckNumber="c ",
    ),
    _open("white space as optional text", "Q19", "", InvoiceNumber=" "),
    _open(
        "a long text",
        "Q17",
        "stored",
        Note="n" * 10_000,
        InvoiceNumber="i" * 10_000,
        PaymentMethod="m" * 10_000,
    ),
    Case(
        "a long reference",
        "assumed",
        ("Q17",),
        lambda load, ref: payment(load, ref + "x" * 9_000),
        "Q17",
        "stored",
    ),
    _open("a text above 64 KiB", "Q60", Note="n" * 70_000),
    _open("line breaks and tabs", "Q34", "stored", Note="a\nb", InvoiceNumber="a\r\n\tb"),
]
