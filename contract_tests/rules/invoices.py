"""What a response says of an invoice: little is published of its forms, so what is there is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from contract_tests.rules.responses import UnexpectedFormError
from contract_tests.rules.values import EXACT, Json, Money, as_json, nearly

INVOICE_STATUSES = ("Draft", "AwaitingPayment", "Paid")


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice as a response shows it. An amount is None where none is shown; so are the payments."""

    id: str
    number: str
    total: Decimal | None
    paid: Decimal | None
    remaining: Decimal | None
    payments: Sequence[Mapping[str, Json]] | None
    fields: Mapping[str, Json]

    @property
    def is_overpaid(self) -> bool:
        """Whether more was paid than its total."""
        return self.total is not None and self.paid is not None and self.paid > self.total

    @property
    def adds_up(self) -> bool | None:
        """Whether what remains and what is paid are the total; None where that can't be said."""
        if self.total is None or self.paid is None or self.remaining is None or self.is_overpaid:
            return None
        return nearly(EXACT.add(self.remaining, self.paid), self.total, additions=_ADDITIONS)

    def paid_as(self, reference: str, payment_id: str) -> list[Mapping[str, Json]]:
        """The payments that have this reference or this id."""
        keys = (("PaymentReference", reference), ("Id", payment_id))
        return [each for each in self.payments or () if any(each.get(name) == key for name, key in keys)]


_ADDITIONS = 100
"""So many payments an invoice may have whose total was added as doubles."""


def invoice_of(value: Json) -> InvoiceView:
    """The invoice that an object describes; UnexpectedFormError if it lacks what every invoice has."""
    if not isinstance(value, dict):
        raise UnexpectedFormError(f"the invoice is {as_json(value)}, not an object")
    if value.get("Status") not in INVOICE_STATUSES:
        raise UnexpectedFormError(
            f"the invoice's Status is {as_json(value.get('Status'))}, none of the published ones"
        )
    payments = value.get("Payments")
    return InvoiceView(
        _text(value, "Id"),
        _text(value, "Number"),
        amount_in(value.get("Total")),
        amount_in(value.get("AmountPaid")),
        amount_in(value.get("RemainingBalance")),
        objects_in(payments) if isinstance(payments, list) else None,
        value,
    )


def amount_in(value: Json) -> Decimal | None:
    """The amount of money, or a number that is one; None if it is neither."""
    money = Money.of(value)
    if money is not None:
        return money.amount
    return value if isinstance(value, Decimal) else None


def loads_of(fields: Mapping[str, Json]) -> set[str]:
    """The numbers of the loads that an invoice shows to be of."""
    numbers = (each.get("LoadNumber") for each in objects_in(fields.get("Loads")))
    return {number for number in numbers if isinstance(number, str)}


def objects_in(value: Json) -> list[dict[str, Json]]:
    """The objects of a list; none of anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(fields: Mapping[str, Json], name: str) -> str:
    text = fields.get(name)
    if isinstance(text, Decimal):
        return str(text)
    if not isinstance(text, str) or not text:
        raise UnexpectedFormError(f"the invoice's {name} is {as_json(text)}, not a text")
    return text
