"""What answers say: a load as it was read, the payments of an answer, the texts of a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract_tests.rules.clauses import STATUSES
from contract_tests.rules.exchange import Response
from contract_tests.rules.values import Json, Money, NotJsonError, instant, parse_json, strings_in

PAYMENT_MEMBERS = (
    "Id", "Amount", "CheckNumber", "InvoiceNumber", "PaymentDate", "PaymentMethod", "ReferenceNumber",
)  # fmt: skip
TEXT_MEMBERS = ("CheckNumber", "InvoiceNumber", "PaymentMethod")
MONEY_MEMBERS = ("CustomerRate", "InvoicedAmount", "Linehaul", "FuelSurcharge", "CustomerAccessorials")
FIXED_MEMBERS = (
    "Id", "LoadNumber", "OrderNumber", "PONumber", "CustomerId", "CustomerName", "CustomerNumber",
    "CustomerType", "Stops", "InvoiceAs", "CreatedAt", "CreatedBy", *MONEY_MEMBERS,
)  # fmt: skip
"""The load's members that no payment has reason to touch (Notes, References and dates may move)."""
REQUIRED_MEMBERS = ("CustomerType", "Stops", "InvoiceAs", "Notes", "CreatedAt", "CreatedBy", "References")
REQUIRED_TEXTS = ("Id", "LoadNumber", "OrderNumber", "CustomerId", "Status")


class UnexpectedFormError(ValueError):
    """An answer lacks what the contract promises; the message says what."""


@dataclass(frozen=True, slots=True)
class Row:
    """A payment as an answer or a load shows it. A load may show fewer members than an answer."""

    id: str
    amount: Money
    members: Mapping[str, Json]

    @property
    def reference(self) -> str | None:
        """The sender's reference, if the row shows one."""
        reference = self.members.get("ReferenceNumber")
        return reference if isinstance(reference, str) else None

    def differences(self, other: "Row") -> list[str]:
        """The members both show whose values differ, instants and numbers compared as such."""
        return [
            name
            for name in PAYMENT_MEMBERS
            if name in self.members and name in other.members
            if not _same(self.members[name], other.members[name])
        ]


def _same(one: Json, other: Json) -> bool:
    if one == other:
        return True
    if Money.of(one) and Money.of(one) == Money.of(other):
        return True
    if isinstance(one, str) and isinstance(other, str):
        return instant(one) is not None and instant(one) == instant(other)
    return False


def row_of(value: Json) -> Row:
    """The payment that an item of a list describes; UnexpectedFormError if it lacks Id or Amount."""
    if not isinstance(value, dict):
        message = f"a payment is {value!r}, not an object"
        raise UnexpectedFormError(message)
    number, amount = value.get("Id"), Money.of(value.get("Amount"))
    if not isinstance(number, str) or not number:
        message = f"a payment's Id is {number!r}, not a text"
        raise UnexpectedFormError(message)
    if amount is None:
        message = f"a payment's Amount is {value.get('Amount')!r}, not a number and an integer currency"
        raise UnexpectedFormError(message)
    return Row(number, amount, value)


def rows_of(value: Json) -> dict[str, Row]:
    """The payments of a list by Id, in its order; UnexpectedFormError if two share an Id."""
    if not isinstance(value, list):
        message = f"the payments are {value!r}, not an array"
        raise UnexpectedFormError(message)
    rows = [row_of(item) for item in value]
    by_id = {row.id: row for row in rows}
    if len(by_id) < len(rows):
        message = f"two payments share an Id in {[row.id for row in rows]}"
        raise UnexpectedFormError(message)
    return by_id


@dataclass(frozen=True, slots=True)
class LoadView:
    """A load as a read shows it. `payments` is by Id; `total` is None before the first payment."""

    number: str
    id: str
    status: str
    paid_at: str | None
    total: Money | None
    payments: Mapping[str, Row]
    members: Mapping[str, Json]

    @property
    def billed(self) -> Money | None:
        """What the customer owes: the invoiced amount, else the agreed rate."""
        return Money.of(self.members.get("InvoicedAmount")) or Money.of(self.members.get("CustomerRate"))

    @property
    def currency(self) -> "int | None":
        """The load's own currency, where an amount of it tells."""
        monies = [self.total if self.payments else None]
        monies += [Money.of(self.members.get(name)) for name in ("InvoicedAmount", "CustomerRate")]
        known = {int(money.currency) for money in monies if money}
        return known.pop() if len(known) == 1 else None

    def changes(self, other: "LoadView") -> list[str]:
        """What `other`, a later read, shows differently among all the members that the contract names."""
        changed = [
            name
            for name in (*FIXED_MEMBERS, "UpdatedAt")
            if self.members.get(name) != other.members.get(name)
        ]
        changed += [f"Status ({self.status!r}, then {other.status!r})"] if self.status != other.status else []
        changed += [f"paidAt ({self.paid_at}, then {other.paid_at})"] if self.paid_at != other.paid_at else []
        return changed + self.payment_changes(other)

    def payment_changes(self, other: "LoadView") -> list[str]:
        """What `other`, a later read, shows differently of the payments and their total."""
        changed = []
        if (
            self.total != other.total
            and (self.total or other.total)
            and not _both_zero(self.total, other.total)
        ):
            changed.append(f"totalPaid ({self.total}, then {other.total})")
        if self.payments.keys() != other.payments.keys():
            changed.append(f"payments ({len(self.payments)}, then {len(other.payments)})")
        for key in self.payments.keys() & other.payments.keys():
            changed += [
                f"{name} of payment {key}" for name in self.payments[key].differences(other.payments[key])
            ]
        return changed

    def fixed_changes(self, other: "LoadView") -> list[str]:
        """The members that a payment must leave alone and that differ in `other`."""
        return [name for name in FIXED_MEMBERS if self.members.get(name) != other.members.get(name)]


def _both_zero(one: Money | None, other: Money | None) -> bool:
    return not (one and one.amount) and not (other and other.amount)


def _member(members: Mapping[str, Json], name: str) -> Json:
    """The member, written with a small or a capital first letter."""
    return members.get(name, members.get(name[0].upper() + name[1:]))


def payment_member_names(members: Mapping[str, Json]) -> str:
    """How the load's three payment members are written."""
    names = ("paidAt", "totalPaid", "payments")
    return ", ".join(name for name in members if name.lower() in {known.lower() for known in names})


def load_of(value: Json) -> LoadView:
    """The load that an object describes; UnexpectedFormError if it lacks what every load has."""
    if not isinstance(value, dict):
        message = f"the load is {value!r}, not an object"
        raise UnexpectedFormError(message)
    texts: dict[str, str] = {}
    for name in REQUIRED_TEXTS:
        text = value.get(name)
        if not isinstance(text, str) or not text:
            message = f"the load's {name} is {text!r}, not a text"
            raise UnexpectedFormError(message)
        texts[name] = text
    missing = [name for name in REQUIRED_MEMBERS if value.get(name) is None]
    if missing:
        message = f"the load lacks {', '.join(missing)}"
        raise UnexpectedFormError(message)
    if texts["Status"] not in STATUSES:
        message = f"the load's Status is {texts['Status']!r}, none of the published ones"
        raise UnexpectedFormError(message)
    total, paid_at = _member(value, "totalPaid"), _member(value, "paidAt")
    if total is not None and Money.of(total) is None:
        message = f"totalPaid is {total!r}, not a number and an integer currency"
        raise UnexpectedFormError(message)
    if paid_at is not None and (not isinstance(paid_at, str) or instant(paid_at) is None):
        message = f"paidAt is {paid_at!r}, not a date-time"
        raise UnexpectedFormError(message)
    rows = rows_of(_member(value, "payments") or [])
    return LoadView(texts["LoadNumber"], texts["Id"], texts["Status"], paid_at, Money.of(total), rows, value)


@dataclass(frozen=True, slots=True)
class PaymentAnswer:
    """The 200 of the payment endpoint. `payments` is by Id, in the order of the answer."""

    load_number: str
    status: str
    payments: Mapping[str, Row]


def payment_answer_of(value: Json) -> PaymentAnswer:
    """What a 200 of the payment endpoint says; UnexpectedFormError if members lack or have wrong types."""
    if not isinstance(value, dict):
        message = f"the answer is {value!r}, not an object"
        raise UnexpectedFormError(message)
    number, status = value.get("LoadNumber"), value.get("Status")
    if not isinstance(number, str) or not isinstance(status, str):
        message = f"LoadNumber is {number!r} and Status is {status!r}, not texts"
        raise UnexpectedFormError(message)
    rows = rows_of(value.get("CustomerPayments"))
    for row in rows.values():
        _check_payment_members(row)
    return PaymentAnswer(number, status, rows)


def _check_payment_members(row: Row) -> None:
    for name in PAYMENT_MEMBERS:
        if name not in row.members:
            message = f"a payment lacks {name}"
            raise UnexpectedFormError(message)
        value = row.members[name]
        wanted = name in ("ReferenceNumber", "PaymentDate")
        if name in (*TEXT_MEMBERS, "ReferenceNumber", "PaymentDate") and not (
            isinstance(value, str) or (value is None and not wanted)
        ):
            message = f"a payment's {name} is {value!r}"
            raise UnexpectedFormError(message)


def media_type_of(headers: Mapping[str, str]) -> str:
    """The media type of a message in lowercase, without parameters; empty if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def document_of(response: Response) -> Json:
    """The answer's JSON, or its text where it is none."""
    try:
        return parse_json(response.content)
    except NotJsonError:
        return response.content.decode(errors="replace")


def texts_of(response: Response) -> list[str]:
    """Every sentence of a refusal, wherever it stands: in `errors`, in `detail` or as a plain body."""
    return strings_in(document_of(response))


def place_of(response: Response, sentence: str) -> str:
    """Where a refusal has the sentence, in the words of question A2."""
    document = document_of(response)
    if not isinstance(document, dict):
        return "a plain body"
    errors = document.get("errors")
    places = [
        f"errors[{name}]"
        for name, texts in (errors.items() if isinstance(errors, dict) else ())
        if any(sentence in text for text in strings_in(texts))
    ]
    places += [
        name
        for name, value in document.items()
        if name != "errors" and any(sentence in text for text in strings_in(value))
    ]
    return ", ".join(places) or "nowhere"


def problem_of(response: Response) -> str:
    """Type, title and the other members of a problem document, in the words of question A2."""
    document = document_of(response)
    if not isinstance(document, dict):
        return "no problem document"
    status = "status" if document.get("status") == response.status else f"status {document.get('status')}"
    trace = "traceId" if isinstance(document.get("traceId"), str) and document["traceId"] else "no traceId"
    return f"type {document.get('type')}, title {document.get('title')}, {status}, {trace}"
