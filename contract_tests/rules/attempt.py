"""A payment request as the contract reads it: what it asks for, what is wrong, what is open about it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from contract_tests.rules.clauses import NO_REFERENCE, NOT_POSITIVE
from contract_tests.rules.exchange import Request, media_type_of
from contract_tests.rules.paths import PAYMENTS_PATH
from contract_tests.rules.refusals import ANY_REFUSAL, Doubt, RefusalReason, exactly
from contract_tests.rules.values import Json, NotJsonError, Parsed, instant, parse_json

MEDIA_TYPE = "application/json-patch+json"
_LONGEST_PLAIN_TEXT = 100
_LARGEST_PLAIN_AMOUNT = Decimal(1_000_000_000)
_PATH = re.compile(r"/api/p/v[^/]*/invoices/customer-payments", re.IGNORECASE)
_OPTIONAL = ("InvoiceNumber", "PaymentMethod", "CheckNumber", "Note")
_FIELDS = {"LoadNumber", "Amount", "PaymentDate", "ReferenceNumber", *_OPTIONAL}


@dataclass(slots=True)
class Attempt:
    """A payment request taken apart. `reasons` break a documented rule; `doubts` may be refused."""

    load: str | None = None
    reference: str | None = None
    amount: Decimal | None = None
    currency: Decimal | None = None
    date: str | None = None
    body: Mapping[str, Json] = field(default_factory=dict)
    reasons: list[RefusalReason] = field(default_factory=list)
    doubts: set[Doubt] = field(default_factory=set)
    vague: bool = False
    """What exactly is asked for depends on the reader, for example where a field appears twice."""

    def text(self, name: str) -> str | None:
        """An optional text of the request, as the response should return it."""
        value = self.body.get(name)
        return value if isinstance(value, str) else None

    @property
    def is_minimal(self) -> bool:
        """Whether only what is required is given."""
        return all(self.body.get(name) is None for name in _OPTIONAL)

    def refuse(self, clause: str, reason: str) -> None:
        """Adds a reason for which any refusal will do."""
        self.reasons.append(RefusalReason(clause, reason, ANY_REFUSAL))


def is_payment(request: Request) -> bool:
    """Whether the request goes to the payment endpoint."""
    return request.method == "POST" and _PATH.fullmatch(request.path) is not None


def attempt_of(request: Request) -> Attempt:
    """What a payment request attempts. Parses its body, so it is asked once for each request."""
    attempt = Attempt()
    _read_envelope(attempt, request)
    content = request.content or b""
    try:
        parsed = parse_json(content)
    except NotJsonError:
        _read_lenient(attempt, content)
        return attempt
    _read_document(attempt, parsed)
    return attempt


def _read_lenient(attempt: Attempt, content: bytes) -> None:
    """What is not JSON: a lenient reader may still find an object in it, unless it is cut off."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        attempt.doubts.add(Doubt.ENCODING)
        text = content.decode("utf-16" if content[:2] in _MARKS_OF_UTF_16 else "utf-8", "replace")
    if b"\x00" in content[:4]:
        attempt.doubts.add(Doubt.ENCODING)
    text = _COMMENT.sub("", text).strip(" \t\r\n\ufeff\x00")
    if not text.startswith("{") or text.count("{") > text.count("}"):
        attempt.refuse("D7", "the body is not a JSON object")
        return
    attempt.doubts.add(Doubt.LENIENT_JSON)
    attempt.vague = True


_MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)


def _read_document(attempt: Attempt, parsed: Parsed) -> None:
    if not isinstance(parsed.document, dict):
        attempt.refuse("D7", "the body is not a JSON object")
        return
    if parsed.repeats:
        attempt.doubts.add(Doubt.REPEATED_FIELD)
        attempt.vague = True
    attempt.body = _under_known_names(attempt, parsed.document, _FIELDS)
    _read_load(attempt)
    _read_money(attempt)
    _read_date(attempt)
    _read_reference(attempt)
    _read_optional(attempt)


def _read_envelope(attempt: Attempt, request: Request) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.path != PAYMENTS_PATH:
        attempt.doubts.add(Doubt.PATH)
    if media_type_of(headers) != MEDIA_TYPE or ";" in headers["content-type"]:
        attempt.doubts.add(Doubt.MEDIA_TYPE)
    if headers.get("accept", "*/*") not in ("*/*", "application/json"):
        attempt.doubts.add(Doubt.ACCEPT)
    if request.query:
        attempt.doubts.add(Doubt.QUERY)
    if not request.brings_our_token:
        attempt.doubts.add(Doubt.TOKEN)


def _required(attempt: Attempt, fields: Mapping[str, Json], name: str, within: str = "") -> Json:
    value = fields.get(name)
    if value is None:
        attempt.refuse("D5", f"{within}{name} is missing or null")
    return value


def _wrong(attempt: Attempt, name: str, wanted: str) -> None:
    attempt.refuse("D7", f"{name} is not {wanted}")


def _convert(attempt: Attempt, name: str, value: Json, wanted: str) -> bool:
    """Doubts a value that a reader may convert; refuses one that none can. Returns whether one may."""
    if isinstance(value, dict | list):
        _wrong(attempt, name, wanted)
        return False
    attempt.doubts.add(Doubt.CONVERTED)
    return True


def _read_load(attempt: Attempt) -> None:
    value = _required(attempt, attempt.body, "LoadNumber")
    if isinstance(value, str):
        attempt.load = value
        _doubt_text(attempt, value)
        if not value.strip():
            attempt.refuse("R3", "LoadNumber is blank")
    elif value is not None:
        attempt.vague = _convert(attempt, "LoadNumber", value, "a text") or attempt.vague


def _read_money(attempt: Attempt) -> None:
    value = _required(attempt, attempt.body, "Amount")
    if isinstance(value, dict):
        money = _under_known_names(attempt, value, ("Amount", "Currency"))
        _read_amount(attempt, _required(attempt, money, "Amount", "Amount."))
        _read_currency(attempt, money.get("Currency"))
    elif value is not None:
        _wrong(attempt, "Amount", "an object")


def _read_currency(attempt: Attempt, currency: Json) -> None:
    if currency is None:
        attempt.doubts.add(Doubt.NO_CURRENCY)
    elif isinstance(currency, Decimal) and _is_moderate(currency) and not currency % 1:
        attempt.currency = currency
        if currency.as_tuple().exponent != 0 or not 0 < currency < 1000:
            attempt.doubts.add(Doubt.UNKNOWN_CURRENCY)
    elif _is_word(currency):
        _wrong(attempt, "Amount.Currency", "a number")
    else:
        attempt.vague = _convert(attempt, "Amount.Currency", currency, "a number") or attempt.vague


def _is_moderate(value: Decimal) -> bool:
    return -20 <= value.adjusted() <= 20


def _read_amount(attempt: Attempt, amount: Json) -> None:
    if isinstance(amount, Decimal):
        attempt.amount = amount
        _judge_amount(attempt, amount)
    elif _is_word(amount):
        _wrong(attempt, "Amount.Amount", "a number")
    elif amount is not None:
        attempt.vague = _convert(attempt, "Amount.Amount", amount, "a number") or attempt.vague


def _is_word(value: Json) -> bool:
    """Whether the value is a text in which nobody finds a number. A blank one may stand for null."""
    return (
        isinstance(value, str)
        and bool(value.strip())
        and not re.search(r"\d|^\s*([+-]?inf(inity)?|nan|true|false|null)\s*$", value, re.IGNORECASE)
    )


def _judge_amount(attempt: Attempt, amount: Decimal) -> None:
    beyond = amount.adjusted() > 300 or (amount != 0 and amount.adjusted() < -300)
    if amount <= 0 and not beyond:
        reason = "Amount.Amount is zero or negative"
        attempt.reasons.append(RefusalReason("R4", reason, exactly(400), NOT_POSITIVE))
    elif amount <= 0:
        attempt.refuse("R4", "Amount.Amount is negative, beyond measure")
    elif not _is_ordinary(amount):
        attempt.doubts.add(Doubt.PRECISE_AMOUNT)


def _is_ordinary(amount: Decimal) -> bool:
    return amount.adjusted() > -3 and amount <= _LARGEST_PLAIN_AMOUNT and not amount % Decimal("0.01")


def _read_date(attempt: Attempt) -> None:
    value = _required(attempt, attempt.body, "PaymentDate")
    if not isinstance(value, str):
        if value is not None and _convert(attempt, "PaymentDate", value, "a text"):
            attempt.doubts.add(Doubt.UNUSUAL_DATE)
        return
    attempt.date = value
    if _FAR_OFFSET.search(value):
        attempt.doubts.add(Doubt.FAR_OFFSET)
    if not _is_plain_date(value):
        if re.search(r"\d", value) or not value.strip():
            attempt.doubts.add(Doubt.UNUSUAL_DATE)
        else:
            _wrong(attempt, "PaymentDate", "a date-time")


_FAR_OFFSET = re.compile(r"[Tt ].*[+-](1[5-9]|[2-9]\d):?\d\d\s*$", re.ASCII)
_PLAIN_DATE = re.compile(
    r"(19[5-9]|20\d)\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|\+(0\d|1[0-3]):\d\d|\+14:00|-(0\d|1[01]):\d\d|-12:00)",
    re.ASCII,
)


def _is_plain_date(text: str) -> bool:
    return bool(_PLAIN_DATE.fullmatch(text)) and instant(text) is not None and not text.endswith("-00:00")


def _read_reference(attempt: Attempt) -> None:
    value = attempt.body.get("ReferenceNumber")
    if value is None and "ReferenceNumber" in attempt.body:
        # An explicit null is neither of the page's two cases, so its sentence is not asked for.
        attempt.refuse("R5", "ReferenceNumber is null")
    elif value is None or value == "":
        reason = "ReferenceNumber is empty or omitted"
        attempt.reasons.append(RefusalReason("R5", reason, exactly(400), NO_REFERENCE))
    elif isinstance(value, str):
        attempt.reference = value
        _doubt_text(attempt, value)
        if not value.strip():
            attempt.doubts.add(Doubt.BLANK_REFERENCE)
    else:
        attempt.vague = _convert(attempt, "ReferenceNumber", value, "a text") or attempt.vague


def _read_optional(attempt: Attempt) -> None:
    for name in _OPTIONAL:
        value = attempt.body.get(name)
        if isinstance(value, str):
            _doubt_text(attempt, value)
        elif value is not None:
            _convert(attempt, name, value, "a text or null")


def _doubt_text(attempt: Attempt, text: str) -> None:
    unusual = any(ord(character) < _SPACE or 0xD800 <= ord(character) < 0xE000 for character in text)
    if unusual or len(text) > _LONGEST_PLAIN_TEXT:
        attempt.doubts.add(Doubt.UNUSUAL_TEXT)


_SPACE = 0x20
"""Below it are control characters; from U+D800 to U+DFFF are halves of characters, which stand alone."""


def _under_known_names(
    attempt: Attempt, fields: Mapping[str, Json], names: Collection[str]
) -> Mapping[str, Json]:
    """The fields under the contract's names, as a reader finds them that ignores the case of names."""
    others = fields.keys() - names
    if not others:
        return fields
    attempt.doubts.add(Doubt.UNKNOWN_FIELD)
    spelled = {name.lower(): name for name in names if name not in fields}
    found = {spelled[name.lower()]: fields[name] for name in others if name.lower() in spelled}
    attempt.vague = attempt.vague or any(name.lower() in {one.lower() for one in names} for name in others)
    return {**fields, **found}
