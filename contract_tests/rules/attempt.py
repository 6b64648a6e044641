"""A payment request as the contract reads it: what it asks for, what is wrong, what is open about it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from contract_tests.rules.clauses import NO_REFERENCE, NOT_POSITIVE
from contract_tests.rules.exchange import Request
from contract_tests.rules.responses import media_type_of
from contract_tests.rules.values import Json, NotJsonError, has_repeated_members, instant, parse_json

PAYMENT_PATH = re.compile(r"/api/p/v([^/]*)/invoices/customer-payments", re.IGNORECASE)
MEDIA_TYPE = "application/json-patch+json"
LONGEST_PLAIN_TEXT = 100
LARGEST_PLAIN_AMOUNT = Decimal(1_000_000_000)
ANY_REFUSAL = range(400, 500)
_MEMBERS = {
    "LoadNumber", "Amount", "PaymentDate", "ReferenceNumber", "InvoiceNumber", "PaymentMethod",
    "CheckNumber", "Note",
}  # fmt: skip
_OPTIONAL = ("InvoiceNumber", "PaymentMethod", "CheckNumber", "Note")


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """Why the contract refuses a request. Only a reason that stands alone asks for its sentence."""

    clause: str
    reason: str
    statuses: range = ANY_REFUSAL
    sentence: str | None = None

    @property
    def expected(self) -> str:
        """What a failure says was expected."""
        status = str(self.statuses[0]) if len(self.statuses) == 1 else "a refusal (4xx)"
        return f"{status}{f' and “{self.sentence}”' if self.sentence else ''}, because {self.reason}"


@dataclass(slots=True)
class Attempt:
    """A payment request taken apart. `reasons` break a documented rule.

    `doubts` are what the contract leaves open: with one, a refusal is as good as a payment.
    """

    load: str | None = None
    reference: str | None = None
    amount: Decimal | None = None
    currency: Decimal | None = None
    date: str | None = None
    body: Mapping[str, Json] = field(default_factory=dict)
    reasons: list[RefusalReason] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    vague: bool = False
    """What exactly is asked for depends on the reader, for example where a member stands twice."""

    def text(self, name: str) -> str | None:
        """An optional text of the request, as the answer should return it."""
        value = self.body.get(name)
        return value if isinstance(value, str) else None


def _exactly(status: int) -> range:
    return range(status, status + 1)


def attempt_of(request: Request) -> Attempt | None:
    """What the request attempts; None if it is no request to the payment endpoint."""
    route = PAYMENT_PATH.fullmatch(request.path)
    if not route or request.method != "POST":
        return None
    attempt = Attempt()
    _read_envelope(attempt, request, route[1])
    try:
        document = parse_json(request.content or b"")
    except NotJsonError:
        attempt.reasons.append(RefusalReason("D7", "the body is no JSON document"))
        return attempt
    if not isinstance(document, dict):
        attempt.reasons.append(RefusalReason("D7", "the body is no object"))
        return attempt
    if has_repeated_members(request.content or b""):
        attempt.doubts.append("a member stands twice")
        attempt.vague = True
    attempt.body = _under_known_names(attempt, document, _MEMBERS)
    _read_load(attempt)
    _read_money(attempt)
    _read_date(attempt)
    _read_reference(attempt)
    _read_optional(attempt)
    return attempt


def _read_envelope(attempt: Attempt, request: Request, version: str) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if (
        version != "1.0"
        or not request.path.startswith("/api/p/v")
        or not request.path.endswith("invoices/customer-payments")
    ):
        attempt.doubts.append("the version or the path is not the documented one")
    if media_type_of(headers) != MEDIA_TYPE or ";" in headers["content-type"]:
        attempt.doubts.append("the media type is not the documented one")
    if headers.get("accept", "*/*") not in ("*/*", "application/json"):
        attempt.doubts.append("Accept is not the documented one")
    if request.query:
        attempt.doubts.append("there is a query")
    if request.anonymous or request.token is not None:
        attempt.doubts.append("the access token is not that of the run")


def _required(attempt: Attempt, members: Mapping[str, Json], name: str) -> Json:
    value = members.get(name)
    if value is None:
        attempt.reasons.append(RefusalReason("D5", f"{name} is missing or null", _exactly(400)))
    return value


def _wrong(attempt: Attempt, name: str, wanted: str) -> None:
    attempt.reasons.append(RefusalReason("D7", f"{name} is not {wanted}"))


def _read_load(attempt: Attempt) -> None:
    value = _required(attempt, attempt.body, "LoadNumber")
    if isinstance(value, str):
        attempt.load = value
        _doubt_text(attempt, "LoadNumber", value)
        if not value.strip():
            attempt.reasons.append(RefusalReason("D5", "LoadNumber is blank"))
    elif value is not None:
        _wrong(attempt, "LoadNumber", "a string")


def _read_money(attempt: Attempt) -> None:
    value = _required(attempt, attempt.body, "Amount")
    if value is None:
        return
    if not isinstance(value, dict):
        _wrong(attempt, "Amount", "an object")
        return
    money = _under_known_names(attempt, value, ("Amount", "Currency"))
    amount, currency = money.get("Amount"), money.get("Currency")
    _read_amount(attempt, amount)
    if currency is None:
        attempt.reasons.append(RefusalReason("D5", "Amount.Currency is missing or null", _exactly(400)))
    elif isinstance(currency, Decimal) and _is_moderate(currency) and not currency % 1:
        attempt.currency = currency
        if not _is_plain_integer(currency) or not 0 < currency < 1000:
            attempt.doubts.append("the currency is no ISO 4217 code, or is written with a fraction")
    elif _is_number_text(currency) or (isinstance(currency, Decimal) and not _is_moderate(currency)):
        attempt.doubts.append("the currency is a number in a string, or beyond measure")
        attempt.vague = True
    else:
        _wrong(attempt, "Amount.Currency", "an integer")


def _is_moderate(value: Decimal) -> bool:
    return -20 <= value.adjusted() <= 20


def _is_plain_integer(value: Decimal) -> bool:
    return value.as_tuple().exponent == 0


def _read_amount(attempt: Attempt, amount: Json) -> None:
    if amount is None:
        attempt.reasons.append(RefusalReason("D5", "Amount.Amount is missing or null", _exactly(400)))
    elif isinstance(amount, Decimal):
        attempt.amount = amount
        beyond = amount.adjusted() > 300 or (amount != 0 and amount.adjusted() < -300)
        if amount <= 0 and not beyond:
            reason = "Amount.Amount is zero or negative"
            attempt.reasons.append(RefusalReason("R4", reason, _exactly(400), NOT_POSITIVE))
        elif amount <= 0:
            attempt.reasons.append(RefusalReason("R4", "Amount.Amount is negative, beyond measure"))
        elif not _is_ordinary(amount):
            attempt.doubts.append("the amount has more digits than money has")
    elif _is_number_text(amount):
        attempt.doubts.append("the amount is a number in a string")
        attempt.vague = True
    else:
        _wrong(attempt, "Amount.Amount", "a number")


def _is_ordinary(amount: Decimal) -> bool:
    return amount.adjusted() > -3 and amount <= LARGEST_PLAIN_AMOUNT and not amount % Decimal("0.01")


def _is_number_text(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    return bool(re.fullmatch(r"\s*[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?\s*", value)) or value in (
        "NaN", "Infinity", "-Infinity",
    )  # fmt: skip


def _read_date(attempt: Attempt) -> None:
    value = _required(attempt, attempt.body, "PaymentDate")
    if isinstance(value, str):
        attempt.date = value
        if not _is_plain_date(value):
            if re.search(r"\d", value) or not value.strip():
                attempt.doubts.append("PaymentDate is an unusual date-time")
            else:
                _wrong(attempt, "PaymentDate", "a date-time")
    elif value is not None:
        _wrong(attempt, "PaymentDate", "a string")


_PLAIN_DATE = re.compile(
    r"(19[5-9]|20\d)\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|\+(0\d|1[0-3]):\d\d|\+14:00|-(0\d|1[01]):\d\d|-12:00)",
    re.ASCII,
)


def _is_plain_date(text: str) -> bool:
    return bool(_PLAIN_DATE.fullmatch(text)) and instant(text) is not None and not text.endswith("-00:00")


def _read_reference(attempt: Attempt) -> None:
    value = attempt.body.get("ReferenceNumber")
    if value is None or value == "":
        # An explicit null is neither of the page's two cases, so its sentence is not asked for.
        sentence = None if "ReferenceNumber" in attempt.body and value is None else NO_REFERENCE
        reason = "ReferenceNumber is empty or omitted"
        attempt.reasons.append(RefusalReason("R5", reason, _exactly(400), sentence))
    elif isinstance(value, str):
        attempt.reference = value
        _doubt_text(attempt, "ReferenceNumber", value)
        if not value.strip():
            attempt.doubts.append("ReferenceNumber is white space")
    else:
        _wrong(attempt, "ReferenceNumber", "a string")


def _read_optional(attempt: Attempt) -> None:
    for name in _OPTIONAL:
        value = attempt.body.get(name)
        if isinstance(value, str):
            _doubt_text(attempt, name, value)
        elif value is not None:
            _wrong(attempt, name, "a string or null")


def _doubt_text(attempt: Attempt, name: str, text: str) -> None:
    unusual = any(ord(character) < _SPACE or 0xD800 <= ord(character) < 0xE000 for character in text)
    if unusual or len(text) > LONGEST_PLAIN_TEXT:
        attempt.doubts.append(f"{name} is very long or holds unusual characters")


_SPACE = 0x20
"""Below it are control characters; from U+D800 to U+DFFF are halves of characters, which stand alone."""


def _under_known_names(
    attempt: Attempt, members: Mapping[str, Json], names: Collection[str]
) -> Mapping[str, Json]:
    """The members under the contract's names, as a reader finds them that ignores the case of names."""
    others = members.keys() - names
    if not others:
        return members
    attempt.doubts.append("there are unknown members")
    spelled = {name.lower(): name for name in names if name not in members}
    found = {spelled[name.lower()]: members[name] for name in others if name.lower() in spelled}
    attempt.vague = attempt.vague or any(name.lower() in {one.lower() for one in names} for name in others)
    return {**members, **found}
