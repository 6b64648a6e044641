"""What responses say: a load as it was read, the payments of a response, the texts of a refusal."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from contract_tests.rules.clauses import STATUSES
from contract_tests.rules.exchange import Response
from contract_tests.rules.revisions import JULY, PAGE, Revision
from contract_tests.rules.values import Json, Money, as_json, date_time, nearly, same_day, strings_in

PAYMENT_FIELDS = (
    "Id", "Amount", "CheckNumber", "InvoiceNumber", "PaymentDate", "PaymentMethod", "ReferenceNumber",
)  # fmt: skip
TEXT_FIELDS = ("CheckNumber", "InvoiceNumber", "PaymentMethod")
MONEY_FIELDS = ("CustomerRate", "InvoicedAmount", "Linehaul", "FuelSurcharge", "CustomerAccessorials")
FIXED_FIELDS = (
    "Id", "LoadNumber", "OrderNumber", "PONumber", "CustomerId", "CustomerName", "CustomerNumber",
    "CustomerType", "Stops", "InvoiceAs", "CreatedAt", "CreatedBy", *MONEY_FIELDS,
)  # fmt: skip
"""The load's fields that no payment has reason to touch (Notes, References and dates may move)."""
REQUIRED_FIELDS = ("CustomerType", "Stops", "InvoiceAs", "Notes", "CreatedAt", "CreatedBy", "References")
REQUIRED_TEXTS = ("Id", "LoadNumber", "OrderNumber", "CustomerId", "Status")
_FIELDS_OF_PAYMENTS = ("paidAt", "totalPaid", "payments")


class UnexpectedFormError(ValueError):
    """A response lacks what the contract promises; the message says what."""


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as a response or a load shows it. A load may show fewer fields than a response."""

    id: str
    amount: Money
    fields: Mapping[str, Json]

    @property
    def reference(self) -> str | None:
        """The sender's reference, if it is shown."""
        reference = self.fields.get("ReferenceNumber")
        return reference if isinstance(reference, str) else None

    def shows(self, name: str) -> bool:
        """Whether it tells the value of a field; null and absent are the same, but a load may tell less."""
        return name in self.fields or (name in TEXT_FIELDS and self.reference is not None)

    def differences(self, other: "PaymentView") -> list[str]:
        """The fields both show whose values differ: numbers compared as such, dates to the day."""
        return [
            name
            for name in PAYMENT_FIELDS
            if self.shows(name) and other.shows(name)
            if not _same(self.fields.get(name), other.fields.get(name))
        ]

    def said(self, names: Iterable[str]) -> str:
        """The fields of these names with their values, for people."""
        return ", ".join(f"{name} {_said(self.fields.get(name))}" for name in names)


def _said(value: Json) -> str:
    money = Money.of(value)
    return as_json(value) if money is None else str(money)


def _same(one: Json, other: Json) -> bool:
    if one == other:
        return True
    first, second = Money.of(one), Money.of(other)
    if first and second:
        return first.currency == second.currency and nearly(first.amount, second.amount)
    return isinstance(one, str) and isinstance(other, str) and same_day(one, other)


def payment_of(value: Json) -> PaymentView:
    """The payment that an item of a list describes; UnexpectedFormError if it lacks Id or Amount."""
    if not isinstance(value, dict):
        raise UnexpectedFormError(f"a payment is {as_json(value)}, not an object")
    identity, amount = value.get("Id"), Money.of(value.get("Amount"))
    if not isinstance(identity, str) or not identity:
        raise UnexpectedFormError(f"a payment's Id is {as_json(identity)}, not a text")
    if amount is None:
        shown = value.get("Amount")
        raise UnexpectedFormError(
            f"a payment's Amount is {as_json(shown)}, not a number and an integer currency"
        )
    return PaymentView(identity, amount, value)


def payments_of(value: Json) -> dict[str, PaymentView]:
    """The payments of a list by Id, in its order; UnexpectedFormError if two share an Id."""
    if not isinstance(value, list):
        raise UnexpectedFormError(f"the payments are {as_json(value)}, not an array")
    payments = [payment_of(item) for item in value]
    by_id = {payment.id: payment for payment in payments}
    if len(by_id) < len(payments):
        raise UnexpectedFormError(f"two payments share an Id in {[payment.id for payment in payments]}")
    return by_id


@dataclass(frozen=True, slots=True)
class LoadView:
    """A load as a read shows it. `payments` is by Id; `total` is None before the first payment."""

    number: str
    id: str
    status: str
    paid_at: str | None
    total: Money | None
    payments: Mapping[str, PaymentView]
    fields: Mapping[str, Json]

    @property
    def billed(self) -> Money | None:
        """What the customer owes: the invoiced amount, else the agreed rate."""
        return Money.of(self.fields.get("InvoicedAmount")) or Money.of(self.fields.get("CustomerRate"))

    @property
    def paid(self) -> Decimal:
        """The amount paid to date."""
        return self.total.amount if self.total else Decimal(0)

    @property
    def currency(self) -> "int | None":
        """The load's own currency, where an amount of it tells."""
        monies = [self.total if self.payments else None]
        monies += [Money.of(self.fields.get(name)) for name in ("InvoicedAmount", "CustomerRate")]
        known = {int(money.currency) for money in monies if money}
        return known.pop() if len(known) == 1 else None

    @property
    def revision(self) -> Revision:
        """The revision that has this form: since July 2026 every load has a LoadType."""
        return JULY if "LoadType" in self.fields else PAGE

    @property
    def payment_field_names(self) -> str:
        """How the load's three fields of payments are written."""
        written = {name.lower(): name for name in self.fields}
        names = (name.lower() for name in _FIELDS_OF_PAYMENTS)
        return ", ".join(written[name] for name in names if name in written)

    def changes(self, other: "LoadView") -> list[str]:
        """What `other`, a later read, shows differently among all the fields that the contract names."""
        names = (*FIXED_FIELDS, "UpdatedAt")
        changed = [name for name in names if self.fields.get(name) != other.fields.get(name)]
        changed += [f"Status ({self.status!r}, then {other.status!r})"] if self.status != other.status else []
        changed += [f"paidAt ({self.paid_at}, then {other.paid_at})"] if self.paid_at != other.paid_at else []
        return changed + self.payment_changes(other)

    def payment_changes(self, other: "LoadView") -> list[str]:
        """What `other`, a later read, shows differently of the payments and their total."""
        changed = []
        if not _same_total(self.total, other.total):
            changed.append(f"totalPaid ({self.total}, then {other.total})")
        if self.payments.keys() != other.payments.keys():
            changed.append(f"payments ({len(self.payments)}, then {len(other.payments)})")
        for key in self.payments.keys() & other.payments.keys():
            differences = self.payments[key].differences(other.payments[key])
            changed += [f"{name} of payment {key}" for name in differences]
        return changed

    def fixed_changes(self, other: "LoadView") -> list[str]:
        """The fields that a payment must leave alone and that differ in `other`."""
        return [name for name in FIXED_FIELDS if self.fields.get(name) != other.fields.get(name)]


def _same_total(one: Money | None, other: Money | None) -> bool:
    """No total and a total of zero are the same."""
    return one == other or (not (one and one.amount) and not (other and other.amount))


def load_of(value: Json) -> LoadView:
    """The load that an object describes; UnexpectedFormError if it lacks what every load has."""
    if not isinstance(value, dict):
        raise UnexpectedFormError(f"the load is {as_json(value)}, not an object")
    texts = {name: _text(value, name) for name in REQUIRED_TEXTS}
    missing = [name for name in REQUIRED_FIELDS if value.get(name) is None]
    if missing:
        raise UnexpectedFormError(f"the load lacks {', '.join(missing)}")
    if texts["Status"] not in STATUSES:
        raise UnexpectedFormError(
            f"the load's Status is {as_json(texts['Status'])}, none of the published ones"
        )
    paid_at, total, payments = (_of_payments(value, name) for name in _FIELDS_OF_PAYMENTS)
    if total is not None and Money.of(total) is None:
        raise UnexpectedFormError(f"totalPaid is {as_json(total)}, not a number and an integer currency")
    if paid_at is not None and (not isinstance(paid_at, str) or date_time(paid_at) is None):
        raise UnexpectedFormError(f"paidAt is {as_json(paid_at)}, not a date-time")
    number, identity, status = texts["LoadNumber"], texts["Id"], texts["Status"]
    return LoadView(number, identity, status, paid_at, Money.of(total), payments_of(payments or []), value)


def _text(fields: Mapping[str, Json], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not text:
        raise UnexpectedFormError(f"the load's {name} is {as_json(text)}, not a text")
    return text


def _of_payments(fields: Mapping[str, Json], name: str) -> Json:
    """The field, written with a small or a capital first letter."""
    return fields.get(name, fields.get(name[0].upper() + name[1:]))


@dataclass(frozen=True, slots=True)
class PaymentResponse:
    """The 200 of the payment endpoint.

    The page's lists the `payments`: by Id, in the order of the response. That of July 2026 has the `id` of
    the one recorded payment, and the `total` to date, instead.
    """

    load_number: str
    status: str
    payments: Mapping[str, PaymentView]
    id: str | None = None
    total: Money | None = None

    @property
    def revision(self) -> Revision:
        """The revision that has this form."""
        return PAGE if self.id is None else JULY

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all payments that it shows."""
        return frozenset(self.payments if self.id is None else (self.id,))

    def paid_as(self, reference: str | None) -> list[PaymentView]:
        """The payments that have this reference."""
        return [
            payment
            for payment in self.payments.values()
            if (payment.reference == reference if self.id is None else payment.id == self.id)
        ]


def payment_response_of(response: Response) -> PaymentResponse:
    """What a 200 of the payment endpoint says; UnexpectedFormError if fields lack or have wrong types."""
    value = response.document
    if not isinstance(value, dict):
        raise UnexpectedFormError(f"the response is {as_json(value)}, not an object")
    number, status = value.get("LoadNumber"), value.get("Status")
    if not isinstance(number, str) or not isinstance(status, str):
        raise UnexpectedFormError(
            f"LoadNumber is {as_json(number)} and Status is {as_json(status)}, not texts"
        )
    if "CustomerPayments" not in value and {"Id", "TotalPaid"} & value.keys():
        return _response_of_july(value, number, status)
    payments = payments_of(value.get("CustomerPayments"))
    for payment in payments.values():
        _check_fields(payment)
    return PaymentResponse(number, status, payments)


def _response_of_july(fields: Mapping[str, Json], number: str, status: str) -> PaymentResponse:
    identity, total = fields.get("Id"), Money.of(fields.get("TotalPaid"))
    if not isinstance(identity, str) or not identity:
        raise UnexpectedFormError(f"Id is {as_json(identity)}, not a text")
    for name in ("TotalPaid", "TotalBillable"):
        if Money.of(fields.get(name)) is None:
            shown = fields.get(name)
            raise UnexpectedFormError(f"{name} is {as_json(shown)}, not a number and an integer currency")
    return PaymentResponse(number, status, {}, identity, total)


def _check_fields(payment: PaymentView) -> None:
    for name in PAYMENT_FIELDS:
        if name not in payment.fields and name not in TEXT_FIELDS:
            raise UnexpectedFormError(f"a payment lacks {name}")
        value = payment.fields.get(name)
        is_text = isinstance(value, str) or (value is None and name in TEXT_FIELDS)
        if name not in ("Id", "Amount") and not is_text:
            raise UnexpectedFormError(f"a payment's {name} is {as_json(value)}")


def items_of(response: Response) -> list[LoadView] | None:
    """The loads on a page of a search, None if it has no Items; UnexpectedFormError as for `load_of`."""
    items = response.fields.get("Items")
    return [load_of(item) for item in items] if isinstance(items, list) else None


def says(response: Response, sentence: str) -> bool:
    """Whether a refusal has the sentence, wherever: in `errors`, in `detail` or as a plain body."""
    return any(sentence in text for text in strings_in(response.document))


def place_of(response: Response, sentence: str) -> str:
    """Where a refusal has the sentence, in the words of question A2."""
    if not isinstance(response.document, dict):
        return "a plain body"
    return ", ".join(_places(response.document, sentence)) or "nowhere"


def _places(fields: Mapping[str, Json], sentence: str) -> Iterator[str]:
    errors = fields.get("errors")
    found = {f"errors[{name}]": texts for name, texts in errors.items()} if isinstance(errors, dict) else {}
    found |= {name: value for name, value in fields.items() if name != "errors" or not found}
    return (name for name, value in found.items() if any(sentence in text for text in strings_in(value)))


def problem_of(response: Response) -> str:
    """Type, title and the other fields of a problem document, in the words of question A2."""
    document = response.document
    if not isinstance(document, dict):
        return "not a problem document"
    status = "status" if document.get("status") == response.status else f"status {document.get('status')}"
    trace = "traceId" if isinstance(document.get("traceId"), str) and document["traceId"] else "no traceId"
    return f"type {document.get('type')}, title {document.get('title')}, {status}, {trace}"
