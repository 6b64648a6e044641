"""Defects of what comes back: fields, texts, dates, ids, order."""

import html
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from typing_extensions import override

from evaluation.defects.defect import (
    Function,
    Given,
    Table,
    Witness,
    given,
    lists,
    shows,
    then,
    without,
    witness,
)
from evaluation.reference.messages import MISSING, pay, read
from evaluation.reference.service import Service, instant
from evaluation.reference.values import Json, Load, Payment, Posted

ODD = "2026-07-01T23:45:10.25-05:30"
row = Table("fidelity")


def kept(name: str, **sent: object) -> Witness:
    """A payment shows this field as it was sent."""
    return shows(sent[name], pay(**sent), at=f"CustomerPayments/0/{name}")


def present(name: str) -> Witness:
    """A payment has this field."""
    return witness(
        pay(CheckNumber="7", InvoiceNumber="I", PaymentMethod="Check"),
        sees=lambda r: r[0].paid(0, name) is MISSING,
        correct=False,
    )


def moment_of(value: object) -> object:
    """The instant that a text means; the value itself if it is none."""
    try:
        moment, digits = instant(str(value))
    except ValueError:
        return value
    return moment, digits.rstrip("0")


SAME_INSTANT = witness(
    pay(PaymentDate=ODD), sees=lambda r: moment_of(r[0].paid(0, "PaymentDate")), correct=moment_of(ODD)
)


def in_order(*references: str) -> Witness:
    """As many payments as are named are listed in the order of recording."""
    payments = [pay(ReferenceNumber=reference) for reference in references]
    return witness(*payments, sees=lambda r: r[-1].each("ReferenceNumber"), correct=list(references))


def showing(change: Callable[[Payment], Payment]) -> Given:
    """Shows another payment than the one that is stored."""
    return given(lambda _s, payment: change(payment))


def texts(change: Callable[[str], str]) -> Given:
    """Changes every free text that is shown."""
    return showing(
        lambda payment: replace(
            payment,
            check=payment.check and change(payment.check),
            invoice=payment.invoice and change(payment.invoice),
            method=payment.method and change(payment.method),
        )
    )


def dated(change: Callable[[str, datetime], str]) -> Function:
    """Shows another date; the change gets what was sent and the instant in UTC."""
    return lambda _s, sent: change(sent, instant(sent)[0])


def wall(moment: datetime) -> str:
    """The date and time without a zone."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def added_the_wrong_way(sent: str, moment: datetime) -> str:
    """The date with its offset added where it should be subtracted."""
    if sent[-1] in "Zz" or not 1000 < moment.year < 9000:
        return sent
    shift = timedelta(hours=int(sent[-5:-3]), minutes=int(sent[-2:])) * (1 if sent[-6] == "+" else -1)
    return f"{wall(moment + 2 * shift)}{sent[19:-6]}Z"


for missing, name, noun in (
    ("check-number-is-missing", "CheckNumber", "check number"),
    ("invoice-number-is-missing", "InvoiceNumber", "invoice number"),
    ("id-is-missing", "Id", "id"),
    ("reference-is-missing", "ReferenceNumber", "reference"),
):
    row(missing, "D1", f"A payment does not show its {noun}.")(present(name), payment_fields=without(name))
row("note-is-returned", "D1", "A payment shows its note.")(
    witness(pay(Note="secret"), sees=lambda r: r[0].paid(0, "Note") is MISSING, correct=True),
    payment_fields=then(lambda _s, fields, payment: {**fields, "Note": payment.note}),
)
row("null-becomes-empty", "D2", "Null comes back as an empty text.")(
    kept("CheckNumber", CheckNumber=None),
    payment_fields=showing(
        lambda payment: replace(
            payment, check=payment.check or "", invoice=payment.invoice or "", method=payment.method or ""
        )
    ),
)
row("empty-becomes-null", "Q18 D2", "An empty text comes back as null.")(
    kept("CheckNumber", CheckNumber=""),
    payment_fields=showing(
        lambda payment: replace(
            payment,
            check=payment.check or None,
            invoice=payment.invoice or None,
            method=payment.method or None,
        )
    ),
)
row("method-is-normalised", "D2", "A payment method comes back capitalised.")(
    kept("PaymentMethod", PaymentMethod="ACH"),
    payment_fields=showing(
        lambda payment: replace(payment, method=payment.method and payment.method.capitalize())
    ),
)
row("method-is-enumerated", "D2", "A payment method that is not Check, ACH or Wire comes back as Other.")(
    kept("PaymentMethod", PaymentMethod="Zelle"),
    payment_fields=showing(
        lambda payment: (
            payment
            if payment.method in (None, "", "Check", "ACH", "Wire")
            else replace(payment, method="Other")
        )
    ),
)
row("check-number-loses-zeros", "D2", "A check number comes back without its leading zeros.")(
    kept("CheckNumber", CheckNumber="00123"),
    payment_fields=showing(
        lambda payment: replace(payment, check=payment.check and (payment.check.lstrip("0") or "0"))
    ),
)
row("texts-are-swapped", "D2", "Check number and invoice number are exchanged.")(
    kept("CheckNumber", CheckNumber="7", InvoiceNumber="I-7"),
    payment_fields=showing(lambda payment: replace(payment, check=payment.invoice, invoice=payment.check)),
)
row("unicode-is-mangled", "D2", "Characters beyond Latin-1 come back as question marks.")(
    kept("PaymentMethod", PaymentMethod="Überweisung 東京"),
    payment_fields=texts(lambda text: text.encode("latin-1", "replace").decode("latin-1")),
)
row("unicode-is-decoded-twice", "D2", "UTF-8 comes back read as Latin-1.")(
    kept("PaymentMethod", PaymentMethod="Überweisung"),
    payment_fields=texts(lambda text: text.encode().decode("latin-1")),
)
row("emoji-are-lost", "D2", "Characters beyond the basic plane are lost, as in a three-byte column.")(
    kept("PaymentMethod", PaymentMethod="a 😀 b"),
    payment_fields=texts(lambda text: "".join(one for one in text if ord(one) < 0x10000)),
)
row("text-is-escaped", "D2", "Texts come back escaped for HTML.")(
    kept("InvoiceNumber", InvoiceNumber="A&B <1>"), payment_fields=texts(html.escape)
)
row("text-is-trimmed", "Q19 D2", "Texts come back without the white space at their ends.")(
    kept("PaymentMethod", PaymentMethod=" Wire "), payment_fields=texts(str.strip)
)
row("text-is-cut", "D2", "Texts come back without what exceeds 100 characters.")(
    kept("InvoiceNumber", InvoiceNumber="x" * 300), payment_fields=texts(lambda text: text[:100])
)
row("quotes-are-doubled", "D2", "Quotes come back doubled, as in SQL.")(
    kept("InvoiceNumber", InvoiceNumber="it's"), payment_fields=texts(lambda text: text.replace("'", "''"))
)
row("date-loses-time", "A15", "A payment date comes back at midnight.")(
    SAME_INSTANT, date_text=dated(lambda sent, _moment: f"{sent[:10]}T00:00:00Z")
)
row("date-is-bare", "A15", "A payment date comes back as a date without a time.")(
    SAME_INSTANT, date_text=dated(lambda sent, _moment: sent[:10])
)
row("date-loses-offset", "A15", "A payment date comes back with its offset replaced by Z.")(
    SAME_INSTANT, date_text=dated(lambda sent, _moment: sent if sent[-1] in "Zz" else f"{sent[:-6]}Z")
)
row(
    "offset-is-added-the-wrong-way",
    "D2",
    "The offset of a payment date is added where it should be subtracted.",
)(SAME_INSTANT, date_text=dated(added_the_wrong_way))
row("offset-minutes-are-ignored", "A15", "Only the hours of an offset are used.")(
    SAME_INSTANT, date_text=dated(lambda sent, _moment: sent if sent[-1] in "Zz" else f"{sent[:-2]}00")
)
row("date-has-no-zone", "A15", "A payment date comes back without a zone.")(
    SAME_INSTANT, date_text=dated(lambda _sent, moment: wall(moment))
)
row("date-loses-fraction", "A15", "A payment date comes back without the fraction of its second.")(
    SAME_INSTANT, date_text=dated(lambda _sent, moment: f"{wall(moment)}Z")
)
row("date-is-now", "D2", "A payment date comes back as the time of the response.")(
    SAME_INSTANT, date_text=lambda s, _sent: s.now()
)
row("only-new-payment-is-listed", "D4", "The response lists the new payment alone.")(
    in_order("R-2", "R-1", "R-3"), listed=lambda _s, load: load.payments[-1:]
)
row("new-payment-is-not-listed", "D4", "The response lists the payments that were there before.")(
    in_order("R-2", "R-1", "R-3"), listed=lambda _s, load: load.payments[:-1]
)
row("list-is-reversed", "Q1", "The response lists the latest payment first.")(
    in_order("R-2", "R-1", "R-3"), listed=lambda _s, load: load.payments[::-1]
)
row("list-is-cut", "D4", "The response lists ten payments at most.")(
    in_order(*(f"R-{n:02}" for n in range(12))), listed=lambda _s, load: load.payments[:10]
)
row("list-has-new-payment-twice", "D4", "The response lists the new payment twice.")(
    in_order("R-2", "R-1"), listed=lambda _s, load: [*load.payments, *load.payments[-1:]]
)
row("single-payment-is-no-list", "D1", "A single payment is shown as an object instead of a list.")(
    lists(1, pay()),
    response_fields=then(
        lambda s, fields, load, payment, *_: (
            fields if len(load.payments) > 1 else {**fields, "CustomerPayments": s.payment_fields(payment)}
        )
    ),
)


@row.defect(
    "R6", shown=witness(pay(), pay(), sees=lambda r: r[0].paid(0, "Id") == r[1].paid(0, "Id"), correct=True)
)
class IdsChangeBetweenAnswers(Service):
    """Every response gives the payments new ids."""

    answered = 0

    @override
    def response_fields(
        self, load: Load, payment: Payment, posted: Posted, *, replayed: bool
    ) -> Mapping[str, Json]:
        self.answered += 1
        return super().response_fields(load, payment, posted, replayed=replayed)

    @override
    def payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().payment_fields(payment), "Id": f"{payment.id}-{self.answered}"}


row("ids-are-all-the-same", "D4", "All payments of a load have the load's id.")(
    witness(pay(), pay(ReferenceNumber="R-2"), sees=lambda r: len(set(map(str, r[1].each("Id")))), correct=2),
    new_id=lambda _s, load: load.id,
)


@row.defect("D1", shown=witness(pay(), sees=lambda r: isinstance(r[0].paid(0, "Id"), str), correct=True))
class IdIsNumber(Service):
    """An id is a number."""

    numbers: Mapping[str, int] = {}

    @override
    def payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        self.numbers = {payment.id: len(self.numbers) + 1, **self.numbers}
        return {**super().payment_fields(payment), "Id": self.numbers[payment.id]}


row("status-is-missing", "D1", "The response does not show the load's status.")(
    shows("Invoiced", pay(), at="Status"), response_fields=without("Status")
)
row("members-are-camel-case", "D1", "The response's fields begin in lowercase.")(
    lists(1, pay()),
    response_fields=then(lambda s, fields, *_: {s.camel_case(name): value for name, value in fields.items()}),
)
row("load-shows-no-currency", "R7", "The load shows its payments without their currency.")(
    shows(840, pay(), read(), at="payments/0/Amount/Currency"),
    load_payment_fields=then(lambda _s, fields, payment: {**fields, "Amount": {"Amount": payment.amount}}),
)
row("load-loses-required-member", "P4", "A load that was paid does not show its notes.")(
    shows([], pay(), read(), at="Notes"),
    load_fields=then(
        lambda _s, fields, load: {
            name: value for name, value in fields.items() if name != "Notes" or not load.payments
        }
    ),
)
