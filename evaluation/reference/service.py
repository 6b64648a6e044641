"""The API once more, independent of the mock, in small methods: a defect changes exactly one."""

import copy
import json
import re
import sys
import time
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from evaluation.reference import lenient
from evaluation.reference.freedoms import Freedoms
from evaluation.reference.tokens import TOKEN_PATH, Tokens, token_of
from evaluation.reference.values import (
    Json,
    Load,
    Payment,
    Posted,
    encode,
    exponent,
    one_decimal,
    without_nulls,
)

PAYABLE = ("Invoiced", "Completed", "Financed")
STATUSES = (
    "In Review", "Open", "Quoted", "Reserved", "Covered", "Dispatched", "In Transit", "Delivered",
    "TONU", "Released", "Queued", "Invoiced", "Financed", "Completed", "Paid", "Cancelled",
)  # fmt: skip
GATE_SENTENCE = "Load must be in one of: Invoiced, Completed, Financed."
AMOUNT_SENTENCE = "Amount must be greater than zero."
TYPE_OF = {
    400: "15.5.1", 401: "15.5.2", 404: "15.5.5", 405: "15.5.6", 409: "15.5.10", 415: "15.5.16",
    422: "15.5.21", 500: "15.6.1",
}  # fmt: skip
TITLE_OF = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
}
INVOICE_STATUS_OF = {
    "Released": "Draft",
    "Queued": "Draft",
    "Invoiced": "AwaitingPayment",
    "Financed": "AwaitingPayment",
    "Completed": "Paid",
    "Paid": "Paid",
}
CREATED_AT = "2026-06-01T08:00:00Z"
JULY_STOPS: Json = [
    {"$type": "pickup", "Id": "stop-1", "Address": {"Street": "1 Mill Road", "City": "Fargo", "State": "ND"}},
    {"$type": "delivery", "Id": "stop-2", "Address": {"Street": "9 Quay", "City": "Duluth", "State": "MN"}},
]
CURRENCIES = (840, 124, 484, 978, 826)
PATH = (
    r"/api/p/v(?P<version>[^/]*)/"
    r"(?P<operation>invoices/customer-payments|loads/search|loads|invoices/search|invoices)"
)
READS = ("loads", "invoices")
OF_INVOICES = ("invoices", "invoices/search")
INSTANT = re.compile(
    r"(?P<seconds>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)", re.IGNORECASE
)
EXACT = Context(prec=2000)  # more digits than the sum of any two doubles has
LARGEST = Decimal("1.7976931348623157e308")
LONGEST_EXPONENT = 400

Errors = dict[str, list[str]]


class Refusal(Exception):
    """The request is refused with this status, because of these fields (`$` is the whole)."""

    def __init__(self, status: int, errors: Mapping[str, Sequence[str]]) -> None:
        """Keeps the status and, for each field at fault, the sentences about it."""
        super().__init__(status)
        self.status = status
        self.errors = errors


def required(field: str) -> str:
    """The sentence about a field that is missing or empty."""
    return f"The {field} field is required."


def sentences(errors: Mapping[str, Sequence[str]]) -> list[str]:
    """What is said of all the fields."""
    return [sentence for said in errors.values() for sentence in said]


def rounded(amount: Decimal, digits: int) -> Decimal:
    """The amount with so many digits after the point at most."""
    if -int(amount.as_tuple().exponent) <= digits:
        return amount
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN, EXACT)


def is_blank(text: str) -> bool:
    """Whether there is nothing in the text but white space."""
    return not text.strip()


def instant(text: str) -> tuple[datetime, str]:
    """The date-time in UTC without its fraction, and the fraction's digits. ValueError if it is none."""
    found = INSTANT.fullmatch(text)
    if not found or not text.isascii():
        raise ValueError(text)
    zone = found["zone"].upper().replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(f"{found['seconds'].upper()}{zone}").astimezone(UTC)
    except OverflowError as beyond:
        raise ValueError(text) from beyond
    return moment, (found["fraction"] or "").removeprefix(".")


class Service:
    """The API as an ASGI application. It owns copies of the loads, so that each service starts afresh."""

    versions: tuple[str, ...] = ("1", "1.0", "2", "2.0")
    path_flags = re.IGNORECASE

    def __init__(
        self,
        loads: Mapping[str, Load],
        freedoms: Freedoms = Freedoms(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens with copies of the loads. The clock counts seconds."""
        self.loads = {number: copy.deepcopy(load) for number, load in loads.items()}
        self.free = freedoms
        self.clock = clock
        self.tokens = Tokens(clock, 60 if freedoms.tokens == "for_a_minute" else 3600)
        self.past: dict[str, list[tuple[float, Load]]] = {}
        self.issued = 0

    # --- the way of a request ------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        request = Request(scope, receive)
        try:
            response = await self.respond(request)
        except Refusal as refusal:
            response = self.refuse(refusal)
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """Finds the operation and runs it."""
        if self.free.tokens != "unchecked" and request.url.path == TOKEN_PATH:
            return await self.tokens.respond(request)
        version, operation = self.route(request.url.path)
        if self.free.tokens != "unchecked":
            self.check_token(operation, request.headers.get("authorization", ""))
        self.check_version(version)
        method = "GET" if operation in READS else "POST"
        if request.method != method:
            raise Refusal(405, {"$": [method]})
        if operation == "loads":
            return self.ok(self.load_fields(self.as_read(self.wanted_load(request.query_params))))
        if operation == "invoices":
            return self.ok(self.invoice_fields(self.as_read(self.wanted_invoice(request.query_params))))
        self.check_media_type(request.headers.get("content-type", ""))
        body = self.decode(await request.body())
        if operation == "loads/search":
            return self.search(body)
        if operation == "invoices/search":
            return self.search_invoices(body)
        posted = self.read_posted(body)
        load = self.find_load(posted.load_number)
        if load is None:
            raise Refusal(404, {"LoadNumber": ["The load does not exist."]})
        payment, replayed = await self.record(load, posted)
        return self.ok(self.response_fields(load, payment, posted, replayed=replayed))

    def route(self, path: str) -> tuple[str, str]:
        """The version and the operation that a path names."""
        found = re.fullmatch(PATH, path, self.path_flags)
        if not found or (found["operation"].lower() in OF_INVOICES and self.free.invoice_reads == "none"):
            raise Refusal(404, {"$": ["There is nothing here."]})
        return found["version"], found["operation"].lower()

    def check_token(self, operation: str, authorization: str) -> None:
        """Refuses a request without a valid token."""
        if not self.is_authorized(operation, authorization):
            raise Refusal(401, {"Authorization": ["The access token is missing or not valid."]})

    def is_authorized(self, operation: str, authorization: str) -> bool:
        """Whether the header lets the request through."""
        del operation
        return self.tokens.know(token_of(authorization))

    def check_version(self, version: str) -> None:
        """Refuses a version that the API does not have."""
        if version not in self.versions:
            raise Refusal(self.free.version_refusal, {"version": ["There is no such version."]})

    def check_media_type(self, content_type: str) -> None:
        """Refuses a body that is not said to be JSON in UTF-8."""
        media_type, _, parameters = content_type.partition(";")
        if not self.takes_media_type(media_type.strip().lower()) or not self.takes_charset(
            parameters.lower()
        ):
            raise Refusal(
                self.free.media_type_refusal, {"Content-Type": ["The media type is not supported."]}
            )

    def takes_media_type(self, media_type: str) -> bool:
        """Whether a body of this media type is read."""
        return media_type in ("application/json", "text/json") or bool(
            re.fullmatch(r"application/[^/\s]+\+json", media_type)
        )

    def takes_charset(self, parameters: str) -> bool:
        """Whether the media type's parameters name a charset that is read."""
        found = re.search(r"charset\s*=\s*\"?([^\";\s]*)", parameters)
        if self.free.encoding != "utf8" and found and found[1].startswith("utf-16"):
            return True
        return not found or found[1] in ("utf-8", "utf8")

    # --- reading the body ----------------------------------------------------------------------

    def decode(self, content: bytes) -> Json:
        """The body's JSON, with decimals."""
        try:
            text = self.characters(content)
            if self.free.syntax == "lenient":
                return lenient.loads(text, number=self.number, object_of=self.object_of)
            decoded: Json = json.loads(
                text,
                parse_float=self.number,
                parse_constant=self.constant,
                object_pairs_hook=self.object_of,
            )
        except (ValueError, ArithmeticError, RecursionError) as malformed:
            raise Refusal(400, {"$": ["The body is not valid JSON."]}) from malformed
        return decoded

    def characters(self, content: bytes) -> str:
        """The text of a body; a ValueError if it is none."""
        if self.free.encoding == "utf8":
            return content.decode()
        repaired = self.free.encoding == "repaired"
        return content.decode(json.detect_encoding(content), "replace" if repaired else "strict")

    def number(self, text: str) -> Decimal:
        """A JSON number that has a fraction or an exponent."""
        return Decimal(text)

    def constant(self, text: str) -> Json:
        """`NaN` and `Infinity`, which are not JSON."""
        raise ValueError(text)

    def object_of(self, pairs: list[tuple[str, Json]]) -> Json:
        """A JSON object, of whose replayed fields the last one counts."""
        fields = dict(pairs)
        if self.free.duplicate_fields == "refused" and len(fields) != len(pairs):
            raise ValueError
        return fields

    def read_posted(self, body: Json) -> Posted:
        """The payment that the body asks for; a Refusal with what is wrong."""
        if not isinstance(body, Mapping):
            raise Refusal(400, {"$": ["The body must be an object."]})
        errors: Errors = {}
        fields = self.named(
            body,
            errors,
            ("LoadNumber", "Amount", "PaymentDate", "ReferenceNumber"),
            ("InvoiceNumber", "PaymentMethod", "CheckNumber", "Note"),
        )
        money = self.read_money(fields, errors)
        posted = Posted(
            load_number=self.read_load_number(fields, errors),
            amount=self.read_amount(money, errors),
            currency=self.read_currency(money, errors),
            date=self.read_date(fields, errors),
            reference=self.read_reference(fields, errors),
            invoice=self.read_text(fields, "InvoiceNumber", errors),
            method=self.read_text(fields, "PaymentMethod", errors),
            check=self.read_text(fields, "CheckNumber", errors),
            note=self.read_text(fields, "Note", errors),
        )
        if errors:
            self.on_errors(posted, errors)
            raise Refusal(400, errors)
        return posted

    def on_errors(self, posted: Posted, errors: Errors) -> None:
        """Called before a faulty payment is refused; a correct implementation does nothing."""

    def named(self, body: Mapping[str, Json], errors: Errors, *groups: tuple[str, ...]) -> Mapping[str, Json]:
        """The fields under the names of the contract."""
        names = {name for group in groups for name in group}
        if self.free.field_names == "any_case":
            spelled = {name.lower(): name for name in names}
            body = {spelled.get(name.lower(), name): value for name, value in body.items()}
        if self.free.unknown_fields == "refused":
            errors.update({name: ["The field is unknown."] for name in body if name not in names})
        return body

    def read_load_number(self, fields: Mapping[str, Json], errors: Errors) -> str:
        """The load's number, which must not be blank."""
        value = fields.get("LoadNumber")
        if isinstance(value, str) and is_blank(value) and self.free.blank_load_number == 404:
            return value
        return self.read_required(fields, "LoadNumber", errors)

    def read_reference(self, fields: Mapping[str, Json], errors: Errors) -> str:
        """The reference, which must not be blank."""
        return self.read_required(fields, "ReferenceNumber", errors)

    def read_required(self, fields: Mapping[str, Json], name: str, errors: Errors) -> str:
        """A text that must be there and must not be blank."""
        text = self.read_text(fields, name, errors)
        if name not in errors and (text is None or is_blank(text)):
            errors[name] = [required(name)]
        return text or ""

    def read_text(self, fields: Mapping[str, Json], name: str, errors: Errors) -> str | None:
        """A text or null."""
        value = fields.get(name)
        if self.free.values == "converted":
            value = lenient.text_of(value)
        if value is not None and not isinstance(value, str):
            errors[name] = [f"The {name} field must be a string."]
            return None
        if value is not None and any(unicodedata.category(character) == "Cs" for character in value):
            errors[name] = [f"The {name} field is not valid Unicode."]
            return None
        if value is not None and "\0" in value and self.free.nul == "refused":
            errors[name] = [f"The {name} field must not contain U+0000."]
            return None
        return value

    def read_money(self, fields: Mapping[str, Json], errors: Errors) -> Mapping[str, Json]:
        """The object with the amount and its currency."""
        money = fields.get("Amount")
        if not isinstance(money, Mapping):
            errors["Amount"] = [
                required("Amount") if money is None else "The Amount field must be an object."
            ]
            return {"Amount": 1, "Currency": 840}  # so that only the object itself is reported
        return self.named(money, errors, ("Amount", "Currency"))

    def read_amount(self, money: Mapping[str, Json], errors: Errors) -> Decimal:
        """The amount, which must be a number greater than zero."""
        value = money.get("Amount")
        if self.free.values == "converted":
            value = lenient.number_of(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            errors["Amount.Amount"] = [
                required("Amount") if value is None else "The Amount field must be a number."
            ]
            return Decimal(1)
        amount = Decimal(value)
        if not self.is_positive(amount):
            errors["Amount.Amount"] = [AMOUNT_SENTENCE]
        elif amount > self.largest() or amount.adjusted() < -LONGEST_EXPONENT or not amount.is_finite():
            errors["Amount.Amount"] = ["The Amount field is out of range."]
        return amount

    def largest(self) -> Decimal:
        """The largest amount that can be stored."""
        return lenient.LARGEST_OF_28_DIGITS if self.free.amounts == "dotnet" else LARGEST

    def is_positive(self, amount: Decimal) -> bool:
        """Whether the amount is one that can be paid."""
        return amount > 0

    def read_currency(self, money: Mapping[str, Json], errors: Errors) -> int:
        """The currency, which must be an integer."""
        value = money.get("Currency")
        if self.free.values == "converted":
            value = lenient.integer_of(value)
        if value is None and self.free.currency == "optional":
            value = 0
        if isinstance(value, Decimal) and value == int(value) and abs(value) < LARGEST:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            errors["Amount.Currency"] = [
                required("Currency") if value is None else "The Currency field must be an integer."
            ]
            return 0
        if abs(value) > LARGEST:
            errors["Amount.Currency"] = ["The Currency field is out of range."]
        if self.free.currencies == "iso_only" and value not in CURRENCIES:
            errors["Amount.Currency"] = ["The currency is unknown."]
        return value

    def read_date(self, fields: Mapping[str, Json], errors: Errors) -> str:
        """When the payment was made."""
        value = fields.get("PaymentDate")
        if not isinstance(value, str):
            errors["PaymentDate"] = [
                required("PaymentDate") if value is None else "The PaymentDate field must be a string."
            ]
            return ""
        if self.free.dates == "lenient":
            value = lenient.date_of(value)
        try:
            instant(value)
        except ValueError:
            errors["PaymentDate"] = ["The PaymentDate field must be a date-time."]
        return value

    # --- the rule ------------------------------------------------------------------------------

    def find_load(self, number: str) -> Load | None:
        """The load with this number."""
        return next((load for load in self.loads.values() if self.is_number(load.number, number)), None)

    def is_number(self, number: str, sent: str) -> bool:
        """Whether the load number that was sent is this one."""
        if self.free.load_numbers == "any_case":
            return number.casefold() == sent.casefold()
        return number == sent

    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        """The payment on the load, and whether it was there before. There is no await in between."""
        if self.free.gate_before_replay:
            self.check_gate(load)
        original = self.find_original(load, posted)
        if original is not None:
            return self.on_replay(load, original, posted), True
        self.check_gate(load)
        self.check_payment(load, posted)
        payment = self.new_payment(load, posted)
        self.add(load, payment)
        return payment, False

    def find_original(self, load: Load, posted: Posted) -> Payment | None:
        """The payment that the load already has under the reference of the request."""
        wanted = self.key(posted.reference)
        for payment in load.payments:
            if self.key(payment.reference) == wanted:
                return payment
        return None

    def key(self, reference: str) -> str:
        """What is compared of a reference."""
        if self.free.references == "any_case":
            return reference.casefold()
        return reference.strip() if self.free.references == "trimmed" else reference

    def on_replay(self, load: Load, original: Payment, posted: Posted) -> Payment:
        """The payment that a replay returns, which it leaves as it is."""
        del load
        changed = (original.amount, original.currency) != (posted.amount, posted.currency)
        if self.free.changed_replay == "refused" and changed:
            raise Refusal(409, {"ReferenceNumber": ["The reference was used for another payment."]})
        return original

    def check_gate(self, load: Load) -> None:
        """Refuses a load that takes no payment."""
        if not self.is_payable(load):
            raise Refusal(400, {"Status": [GATE_SENTENCE]})

    def is_payable(self, load: Load) -> bool:
        """Whether the load's status lets it take payments."""
        return load.status in PAYABLE

    def check_payment(self, load: Load, posted: Posted) -> None:
        """What an implementation may refuse beyond the documented rules."""
        if self.free.reference_scope == "everywhere" and any(
            self.key(payment.reference) == self.key(posted.reference)
            for other in self.loads.values()
            for payment in other.payments
        ):
            raise Refusal(409, {"ReferenceNumber": ["The reference was used on another load."]})
        if self.free.invoices == "of_one_load" and any(
            posted.invoice and payment.invoice == posted.invoice
            for other in self.loads.values()
            if other is not load
            for payment in other.payments
        ):
            raise Refusal(422, {"InvoiceNumber": ["The invoice is another load's."]})
        if self.free.currencies == "of_the_load" and posted.currency not in (0, load.currency):
            raise Refusal(400, {"Amount.Currency": ["The currency is not that of the load."]})
        if self.free.overpayment == "refused" and load.invoiced is not None:
            with localcontext(EXACT):
                beyond = self.total(load) + posted.amount > load.invoiced
            if beyond:
                raise Refusal(400, {"Amount.Amount": ["The payment is more than what is open."]})

    def new_payment(self, load: Load, posted: Posted) -> Payment:
        """The payment as it is stored."""
        return Payment(
            id=self.new_id(load),
            reference=posted.reference,
            amount=self.stored_amount(posted.amount),
            currency=posted.currency,
            date=posted.date,
            invoice=posted.invoice,
            method=posted.method,
            check=posted.check,
            note=posted.note,
            recorded_at=self.now(),
        )

    def stored_amount(self, amount: Decimal) -> Decimal:
        """The amount in the form in which it is kept."""
        match self.free.amounts:
            case "decimal":
                return amount
            case "double":
                return Decimal(repr(float(amount)))
            case "dotnet":
                return rounded(lenient.OF_28_DIGITS.plus(amount), 28)
            case "two_digits":
                return rounded(amount, 2)
            case "four_digits":
                return rounded(amount, 4)

    def new_id(self, load: Load) -> str:
        """An id that no other payment has."""
        del load
        self.issued += 1
        if self.free.ids == "uuid":
            return str(uuid.uuid4())
        return str(1000 + self.issued) if self.free.ids == "integer" else f"cp_{self.issued:08x}"

    def now(self) -> str:
        """The recording time."""
        return self.zoned(datetime.now(UTC).isoformat().replace("+00:00", "Z"))

    def zoned(self, date: str) -> str:
        """A date-time of our own with the zone that it is shown with, if with any."""
        return date.removesuffix("Z") if self.free.payment_date in ("utc_naive", "local_naive") else date

    def add(self, load: Load, payment: Payment) -> None:
        """Puts the payment on the load, with all that follows from it."""
        self.remember(load)
        self.keep(load, payment)
        load.paid_at = self.paid_at(load, payment)
        load.status = self.status_after(load)

    def remember(self, load: Load) -> None:
        """Notes what the load was until now, for reads that lag behind."""
        if self.free.lag_milliseconds:
            before = replace(load, payments=list(load.payments))
            self.past.setdefault(load.number, []).append((self.clock(), before))

    def as_read(self, load: Load) -> Load:
        """The load as reads and searches show it now."""
        since = self.clock() - self.free.lag_milliseconds / 1000
        return next((before for until, before in self.past.get(load.number, ()) if until > since), load)

    def keep(self, load: Load, payment: Payment) -> None:
        """Stores the payment."""
        load.payments.append(payment)

    def paid_at(self, load: Load, payment: Payment) -> str | None:
        """When a payment of the load was recorded."""
        if self.free.paid_at == "first" and load.paid_at is not None:
            return load.paid_at
        return payment.recorded_at

    def status_after(self, load: Load) -> str:
        """The status that the load has after a payment."""
        paid = load.invoiced is not None and self.total(load) >= load.invoiced
        match self.free.status_after:
            case "unchanged":
                return load.status
            case "completed_at_once":
                return "Completed"
            case "completed_when_paid":
                return "Completed" if paid else load.status
            case "paid_when_paid":
                return "Paid" if paid else load.status

    def total(self, load: Load) -> Decimal:
        """What was paid in the load's currency."""
        if self.free.amounts == "double":
            total = sum(float(payment.amount) for payment in self.counted(load))
            return Decimal(repr(min(total, sys.float_info.max)))
        with localcontext(EXACT):
            return sum((payment.amount for payment in self.counted(load)), Decimal(0))

    def counted(self, load: Load) -> list[Payment]:
        """The payments that count towards the total."""
        return [payment for payment in load.payments if payment.currency in (0, load.currency)]

    # --- what is sent --------------------------------------------------------------------------

    def ok(self, fields: Json) -> Response:
        """A successful response."""
        return self.send(200, fields, "application/json")

    def send(self, status: int, fields: Json, media_type: str) -> Response:
        """A response with a JSON body."""
        if self.free.nulls == "omitted":
            fields = without_nulls(fields)
        text = encode(fields, self.number_text)
        return Response(text.encode(), status, {"content-type": media_type})

    def number_text(self, value: Decimal) -> str:
        """How an amount is written."""
        match self.free.numbers:
            case "as_sent":
                return str(value)
            case "one_decimal":
                return one_decimal(value)
            case "exponent":
                return exponent(value)

    def response_fields(
        self, load: Load, payment: Payment, posted: Posted, *, replayed: bool
    ) -> Mapping[str, Json]:
        """The fields of the response to a payment."""
        if self.free.revision == "2026-07":
            return self.july_fields(load, payment)
        shown = [payment] if replayed and self.free.replay_shows == "original_only" else self.listed(load)
        fields: dict[str, Json] = {
            "LoadNumber": load.number,
            "Status": load.status,
            "CustomerPayments": [self.payment_fields(one) for one in shown],
        }
        if self.free.extra_fields:
            fields |= {"Id": load.id, "TotalPaid": self.total_fields(load), "Warnings": []}
        del posted
        return fields

    def july_fields(self, load: Load, payment: Payment) -> Mapping[str, Json]:
        """The fields of the response to a payment in the revision of July 2026."""
        return {
            "Id": payment.id,
            "LoadNumber": load.number,
            "Status": load.status,
            "TotalPaid": self.total_fields(load),
            "TotalBillable": self.money_fields(load.invoiced or Decimal(0), load.currency),
        }

    def listed(self, load: Load) -> Sequence[Payment]:
        """The payments that a response lists, in their order."""
        return load.payments

    def payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        """The fields of one payment; `Note` is none of them."""
        fields: dict[str, Json] = {
            "Id": payment.id,
            "Amount": self.money_fields(payment.amount, payment.currency),
            "CheckNumber": payment.check,
            "InvoiceNumber": payment.invoice,
            "PaymentDate": self.date_text(payment.date),
            "PaymentMethod": payment.method,
            "ReferenceNumber": payment.reference,
        }
        if self.free.extra_fields:
            fields["Source"] = "api"
        return fields

    def money_fields(self, amount: Decimal, currency: int) -> Mapping[str, Json]:
        """An amount of money."""
        return {"Amount": amount, "Currency": currency}

    def date_text(self, sent: str) -> str:
        """The instant of a payment, as it is written in responses."""
        form = self.free.payment_date
        if form == "as_sent" and self.free.date_kept == "exact":
            return sent
        moment, digits = self.rounded_date(*instant(sent))
        if form == "local_naive":
            moment += datetime.fromisoformat(sent[:19]).replace(tzinfo=UTC) - instant(sent)[0]
        seconds = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        if form == "utc_fraction":
            digits = digits.ljust(7, "0")
        zone = "+00:00" if form == "utc_offset" else self.zoned("Z")
        return f"{seconds}.{digits}{zone}" if digits else f"{seconds}{zone}"

    def rounded_date(self, moment: datetime, digits: str) -> tuple[datetime, str]:
        """The instant in the precision in which it is kept."""
        match self.free.date_kept:
            case "exact":
                return moment, digits
            case "sql":
                thirds = round(Decimal(f"0.{digits or 0}") * 300)
                moment += timedelta(seconds=thirds // 300)
                return moment, f"{Decimal(thirds % 300) / 300:.3f}"[2:]
            case "second":
                return moment, ""
            case "day":
                return moment.replace(hour=0, minute=0, second=0), ""

    def total_fields(self, load: Load) -> Json:
        """What was paid to date, in the load's currency."""
        return self.money_fields(self.total(load), load.currency)

    def load_fields(self, load: Load) -> Mapping[str, Json]:
        """The fields of a load."""
        money: Json = None if load.invoiced is None else self.money_fields(load.invoiced, load.currency)
        fields: dict[str, Json] = {
            "Id": load.id,
            "LoadNumber": load.number,
            "OrderNumber": load.order_number,
            "PONumber": f"PO-{load.number}",
            "CustomerId": load.customer_id,
            "CustomerName": load.customer,
            "Status": load.status,
            "CustomerType": ["Shipper"],
            "Stops": [],
            "InvoiceAs": "Customer",
            "CustomerRate": money,
            "InvoicedAmount": money,
            "Notes": [],
            "References": [],
            "CreatedAt": self.zoned(CREATED_AT),
            "CreatedBy": "dispatch",
        }
        if self.free.revision == "2026-07":
            fields |= {"LoadType": "Truckload", "Stops": JULY_STOPS}
        if self.free.extra_fields:
            fields["Tags"] = []
        fields |= self.paid_fields(load)
        return fields

    def paid_fields(self, load: Load) -> dict[str, Json]:
        """The fields of a load that payments fill."""
        names = ("paidAt", "totalPaid", "payments")
        if self.free.load_names == "pascal":
            names = ("PaidAt", "TotalPaid", "Payments")
        values: tuple[Json, Json, Json] = (
            load.paid_at,
            self.total_fields(load),
            [self.load_payment_fields(payment) for payment in self.listed_on_load(load)],
        )
        if not load.payments and self.free.unpaid_load == "absent":
            return {}
        if not load.payments and self.free.unpaid_load == "null":
            values = (None, None, None)
        return dict(zip(names, values, strict=True))

    def listed_on_load(self, load: Load) -> Sequence[Payment]:
        """The payments that a load lists, in their order."""
        return load.payments

    def load_payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        """The fields of a payment in a load."""
        if self.free.load_payments == "brief":
            money = self.money_fields(payment.amount, payment.currency)
            return {"Id": payment.id, "Amount": money, "PaidAt": payment.recorded_at}
        return self.payment_fields(payment)

    # --- reads ---------------------------------------------------------------------------------

    def wanted_load(self, query: Mapping[str, str]) -> Load:
        """The load that a query names."""
        keys = {name: query[name] for name in ("id", "loadNumber", "orderNumber") if name in query}
        if not keys or any(is_blank(value) for value in keys.values()):
            raise Refusal(self.free.blank_key if keys else 400, {"$": ["Name a load."]})
        for load in self.loads.values():
            if all(self.has_key(load, name, value) for name, value in keys.items()):
                return load
        raise Refusal(404, {"$": ["The load does not exist."]})

    def has_key(self, load: Load, name: str, value: str) -> bool:
        """Whether the load has this id, load number or order number."""
        key = {"id": load.id, "loadNumber": load.number, "orderNumber": load.order_number}[name]
        return self.is_number(key, value)

    def search(self, body: Json) -> Response:
        """A page of the loads that match every filter."""
        if not isinstance(body, Mapping):
            raise Refusal(400, {"$": ["The body must be an object."]})
        page = self.read_count(body, "Page", 0)
        size = self.read_count(body, "PageSize", 1)
        lists = {
            name: self.read_list(body, name)
            for name in ("Status", "LoadNumbers", "OrderNumbers", "PONumbers")
        }
        customer = body.get("CustomerId")
        if not (customer is None or isinstance(customer, str)) or not self.is_date_range(
            body.get("DateRange")
        ):
            raise Refusal(400, {"$": ["A filter is not valid."]})
        if not any(lists.values()) and not customer:
            raise Refusal(400, {"$": ["At least one filter is needed."]})
        if len(lists["LoadNumbers"]) > 150 or any(one not in STATUSES for one in lists["Status"]):
            raise Refusal(400, {"$": ["A filter is not valid."]})
        spanned = self.is_created_in(body.get("DateRange"))
        loads = [self.as_read(load) for load in self.loads.values()]
        hits = [load for load in loads if spanned and self.matches(load, lists, customer)]
        shown = self.page_of(hits, page, size)
        if not shown and self.free.empty_search == 404:
            raise Refusal(404, {"$": ["There is no hit."]})
        items = [self.load_fields(load) for load in shown]
        return self.ok({"Page": page, "PageSize": size, "Total": self.hits(hits, shown), "Items": items})

    def is_date_range(self, value: Json) -> bool:
        """Whether the value is a span of time, or none."""
        if not isinstance(value, Mapping):
            return value is None
        ends = [value.get(name) for name in ("Start", "End")]
        try:
            return all(end is None or (isinstance(end, str) and self.filtered(end)) for end in ends)
        except ValueError:
            return False

    def is_created_in(self, span: Json) -> bool:
        """Whether the loads were created in a valid span, both ends included."""
        ends = span if isinstance(span, Mapping) else {}
        start, end = (ends.get(name) or CREATED_AT for name in ("Start", "End"))
        return self.filtered(str(start)) <= instant(CREATED_AT) <= self.filtered(str(end))

    def filtered(self, date: str) -> tuple[datetime, str]:
        """The instant in a filter; without a zone, where the service's own dates have none."""
        return instant(lenient.date_of(date) if self.zoned("Z") == "" else date)

    def matches(self, load: Load, lists: Mapping[str, Sequence[str]], customer: Json) -> bool:
        """Whether the load passes every filter that is given."""
        values = {
            "Status": load.status,
            "LoadNumbers": load.number,
            "OrderNumbers": load.order_number,
            "PONumbers": f"PO-{load.number}",
        }
        listed = all(
            not wanted or any(self.is_number(values[name], one) for one in wanted)
            for name, wanted in lists.items()
        )
        return listed and (not customer or customer == load.customer_id)

    def page_of(self, hits: Sequence[Load], page: int, size: int) -> Sequence[Load]:
        """The hits on one page; the first page is 0."""
        return hits[page * size : (page + 1) * size]

    def hits(self, hits: Sequence[Load], shown: Sequence[Load]) -> int:
        """The number of hits on all pages."""
        del shown
        return len(hits)

    def read_count(self, body: Mapping[str, Json], name: str, least: int) -> int:
        """A page number or size."""
        value = body.get(name, {"Page": 0, "PageSize": 20}[name])
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            raise Refusal(400, {name: [f"The {name} field is not valid."]})
        return value

    def read_list(self, body: Mapping[str, Json], name: str) -> Sequence[str]:
        """A filter that is a list of texts."""
        value = body.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Refusal(400, {name: [f"The {name} field must be a list of strings."]})
        return value

    # --- invoices ------------------------------------------------------------------------------

    def wanted_invoice(self, query: Mapping[str, str]) -> Load:
        """The load whose invoice a query names."""
        keys = {name: query[name] for name in ("id", "invoiceNumber") if name in query}
        if not keys or any(is_blank(value) for value in keys.values()):
            raise Refusal(400, {"$": ["Name an invoice."]})
        names = {"id": self.invoice_id, "invoiceNumber": self.invoice_number}
        for load in self.invoiced():
            if all(names[name](load) == value for name, value in keys.items()):
                return load
        raise Refusal(404, {"$": ["The invoice does not exist."]})

    def invoiced(self) -> list[Load]:
        """The loads that have an invoice."""
        return [load for load in self.loads.values() if load.status in INVOICE_STATUS_OF]

    def invoice_id(self, load: Load) -> str:
        """The id of a load's invoice."""
        return f"bill-of-{load.id}"

    def invoice_number(self, load: Load) -> str:
        """The number of a load's invoice."""
        digits = load.number.partition("-")[2]
        return digits[::-1] if self.free.invoice_reads == "brief" else f"F-{digits}"

    def invoice_fields(self, load: Load) -> Mapping[str, Json]:
        """The fields of an invoice."""
        total, paid = load.invoiced or Decimal(0), self.invoice_paid(load)
        fields: dict[str, Json] = {
            "Id": self.invoice_id(load),
            "Number": self.invoice_number(load),
            "Status": "Paid" if load.invoiced and paid >= total else INVOICE_STATUS_OF.get(load.status),
            "Total": self.invoice_money(total, load),
            "AmountPaid": self.invoice_money(paid, load),
            "Loads": [{"LoadNumber": load.number}],
            "Payments": [self.invoice_payment_fields(one) for one in self.listed_on_invoice(load)],
        }
        if self.free.invoice_reads == "whole":
            fields |= {
                "Type": "Customer",
                "RemainingBalance": self.invoice_money(self.remaining(total, paid), load),
                "OverPaymentAmount": None,
                "PaidDate": load.paid_at,
                "Loads": [{"Id": load.id, "LoadNumber": load.number}],
            }
        return fields

    def invoice_paid(self, load: Load) -> Decimal:
        """What was paid of an invoice."""
        return self.total(load)

    def remaining(self, total: Decimal, paid: Decimal) -> Decimal:
        """What is left to pay of an invoice."""
        with localcontext(EXACT):
            return max(total - paid, Decimal(0))

    def invoice_money(self, amount: Decimal, load: Load) -> Json:
        """An amount of an invoice."""
        return amount if self.free.invoice_reads == "brief" else self.money_fields(amount, load.currency)

    def listed_on_invoice(self, load: Load) -> Sequence[Payment]:
        """The payments that an invoice lists, in their order."""
        return load.payments

    def invoice_payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        """The fields of a payment in an invoice."""
        if self.free.invoice_reads == "brief":
            return {"Id": f"in-{payment.id}", "Amount": payment.amount, "PaymentReference": payment.reference}
        return {
            "Id": payment.id,
            "Amount": self.money_fields(payment.amount, payment.currency),
            "PaymentDate": self.date_text(payment.date),
            "CheckNumber": payment.check,
            "PaymentReference": payment.reference,
        }

    def search_invoices(self, body: Json) -> Response:
        """A page of the invoices that match every filter."""
        if not isinstance(body, Mapping):
            raise Refusal(400, {"$": ["The body must be an object."]})
        page, size = self.read_count(body, "Page", 0), self.read_count(body, "PageSize", 1)
        statuses, numbers = self.read_list(body, "Status"), self.read_list(body, "LoadNumbers")
        if not (statuses or numbers) or (numbers and self.free.invoice_reads == "brief"):
            raise Refusal(400, {"$": ["The filters are not valid."]})
        loads = [self.as_read(load) for load in self.invoiced() if not numbers or load.number in numbers]
        hits = [load for load in loads if not statuses or self.invoice_fields(load).get("Status") in statuses]
        shown = self.invoices_on(hits, page, size)
        if not shown and self.free.empty_search == 404:
            raise Refusal(404, {"$": ["There is no hit."]})
        items = [self.invoice_fields(load) for load in shown]
        return self.ok({"Page": page, "PageSize": size, "Total": len(hits), "Items": items})

    def invoices_on(self, hits: Sequence[Load], page: int, size: int) -> Sequence[Load]:
        """The loads whose invoices are on one page."""
        return self.page_of(hits, page, size)

    # --- errors --------------------------------------------------------------------------------

    def refuse(self, refusal: Refusal) -> Response:
        """The response to a request that was refused."""
        response = self.problem(refusal.status, refusal.errors)
        if refusal.status == 401:
            response.headers["www-authenticate"] = "Bearer"
        if refusal.status == 405:
            response.headers["allow"] = refusal.errors["$"][0]
        return response

    def problem(self, status: int, errors: Mapping[str, Sequence[str]]) -> Response:
        """An error document."""
        if self.free.errors_reported == "first":
            errors = dict([next(iter(errors.items()))])
        if self.free.error_form == "plain_text":
            return Response(
                "\n".join(sentences(errors)).encode(), status, {"content-type": "text/plain; charset=utf-8"}
            )
        if self.free.error_form == "json_string":
            return self.send(status, "\n".join(sentences(errors)), "application/json")
        fields = self.problem_fields(status, errors)
        if self.free.extra_fields:
            fields["instance"] = "/"
        return self.send(status, fields, self.free.error_media_type)

    def problem_fields(self, status: int, errors: Mapping[str, Sequence[str]]) -> dict[str, Json]:
        """The fields of an error document."""
        fields: dict[str, Json] = {
            "type": self.problem_type(status),
            "title": self.problem_title(status),
            "status": status,
            "traceId": self.trace_id(),
        }
        if status == 400 and self.free.error_form == "validation_problem":
            fields |= {"errors": errors, "detail": sentences(errors)[0]}
        elif status == 400 and self.free.error_form == "camel_case":
            fields["errors"] = {self.camel_case(name): field for name, field in errors.items()}
        elif status == 400 and self.free.error_form in ("model_state", "json_path"):
            fields["errors"] = self.model_state(errors)
        elif status in (400, 409):
            fields["detail"] = " ".join(sentences(errors))
        return fields

    def model_state(self, errors: Mapping[str, Sequence[str]]) -> Mapping[str, Json]:
        """Errors keyed as ASP.NET keys them."""
        keyed: dict[str, Json] = {}
        for name, said in errors.items():
            if "Status" in name or name == "$":
                keyed[""] = said
            elif self.free.error_form == "json_path" and "must be" in said[0] and "zero" not in said[0]:
                keyed |= {f"$.{name}": said, "request": [required("request")]}
            else:
                keyed[name] = said
        return keyed

    def problem_type(self, status: int) -> str:
        """The URI of the kind of problem."""
        return f"https://tools.ietf.org/html/rfc9110#section-{TYPE_OF[status]}"

    def problem_title(self, status: int) -> str:
        """The kind of problem, in words."""
        return "One or more validation errors occurred." if status == 400 else TITLE_OF[status]

    def trace_id(self) -> str:
        """Names this one response, in the form of W3C trace context."""
        return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"

    def camel_case(self, name: str) -> str:
        """`Amount.Amount` as `amount.amount`."""
        return ".".join(part[:1].lower() + part[1:] for part in name.split("."))
