"""Defects of what comes back: members, texts, dates, ids, order."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from typing_extensions import override

from evaluation.defects.asking import MISSING, pay, read
from evaluation.defects.defect import Witness, defect, witness
from evaluation.reference.service import Service, instant
from evaluation.reference.values import Json, Load, Payment, Posted


def member(name: str, **sent: object) -> Witness:
    """A payment shows this member as it was sent."""
    return witness(pay(**sent), sees=lambda a: a[0].paid(0, name), correct=sent.get(name))


class Showing(Service):
    """Shows another payment than the one that is stored."""

    def shown(self, payment: Payment) -> Payment:
        """The payment that is shown."""
        raise NotImplementedError

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return super().payment_members(self.shown(payment))


class Without(Service):
    """Leaves a member out of a payment."""

    member: str

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {
            name: value for name, value in super().payment_members(payment).items() if name != self.member
        }


def there(name: str) -> Witness:
    """A payment has this member."""
    return witness(
        pay(CheckNumber="7", InvoiceNumber="I", PaymentMethod="Check"),
        sees=lambda a: a[0].paid(0, name) is MISSING,
        correct=False,
    )


@defect("fidelity", "D1", shown=there("CheckNumber"))
class CheckNumberIsMissing(Without):
    """A payment does not show its check number."""

    member = "CheckNumber"


@defect("fidelity", "D1", shown=there("InvoiceNumber"))
class InvoiceNumberIsMissing(Without):
    """A payment does not show its invoice number."""

    member = "InvoiceNumber"


@defect("fidelity", "D1", shown=there("Id"))
class IdIsMissing(Without):
    """A payment does not show its id."""

    member = "Id"


@defect("fidelity", "D1", shown=there("ReferenceNumber"))
class ReferenceIsMissing(Without):
    """A payment does not show its reference."""

    member = "ReferenceNumber"


@defect(
    "fidelity",
    "D1",
    shown=witness(pay(Note="secret"), sees=lambda a: a[0].paid(0, "Note") is MISSING, correct=True),
)
class NoteIsReturned(Service):
    """A payment shows its note."""

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().payment_members(payment), "Note": payment.note}


@defect("fidelity", "D2", shown=member("CheckNumber", CheckNumber=None))
class NullBecomesEmpty(Showing):
    """Null comes back as an empty text."""

    @override
    def shown(self, payment: Payment) -> Payment:
        return replace(
            payment, check=payment.check or "", invoice=payment.invoice or "", method=payment.method or ""
        )


@defect("fidelity", "Q18", "D2", shown=member("CheckNumber", CheckNumber=""))
class EmptyBecomesNull(Showing):
    """An empty text comes back as null."""

    @override
    def shown(self, payment: Payment) -> Payment:
        return replace(
            payment,
            check=payment.check or None,
            invoice=payment.invoice or None,
            method=payment.method or None,
        )


@defect("fidelity", "D2", shown=member("PaymentMethod", PaymentMethod="ACH"))
class MethodIsNormalised(Showing):
    """A payment method comes back capitalised."""

    @override
    def shown(self, payment: Payment) -> Payment:
        return replace(payment, method=payment.method and payment.method.capitalize())


@defect("fidelity", "D2", shown=member("PaymentMethod", PaymentMethod="Zelle"))
class MethodIsEnumerated(Showing):
    """A payment method that is not Check, ACH or Wire comes back as Other."""

    @override
    def shown(self, payment: Payment) -> Payment:
        return replace(
            payment,
            method=payment.method if payment.method in (None, "", "Check", "ACH", "Wire") else "Other",
        )


@defect("fidelity", "D2", shown=member("CheckNumber", CheckNumber="00123"))
class CheckNumberLosesZeros(Showing):
    """A check number comes back without its leading zeros."""

    @override
    def shown(self, payment: Payment) -> Payment:
        return replace(payment, check=payment.check and (payment.check.lstrip("0") or "0"))


@defect("fidelity", "D2", shown=member("CheckNumber", CheckNumber="7", InvoiceNumber="I-7"))
class TextsAreSwapped(Showing):
    """Check number and invoice number are exchanged."""

    @override
    def shown(self, payment: Payment) -> Payment:
        return replace(payment, check=payment.invoice, invoice=payment.check)


class Texting(Showing):
    """Changes every free text."""

    def changed(self, text: str) -> str:
        """The text as it is shown."""
        raise NotImplementedError

    @override
    def shown(self, payment: Payment) -> Payment:
        texts = [
            None if text is None else self.changed(text)
            for text in (payment.check, payment.invoice, payment.method)
        ]
        return replace(payment, check=texts[0], invoice=texts[1], method=texts[2])


@defect("fidelity", "D2", shown=member("PaymentMethod", PaymentMethod="Überweisung 東京"))
class UnicodeIsMangled(Texting):
    """Characters beyond Latin-1 come back as question marks."""

    @override
    def changed(self, text: str) -> str:
        return text.encode("latin-1", "replace").decode("latin-1")


@defect("fidelity", "D2", shown=member("PaymentMethod", PaymentMethod="Überweisung"))
class UnicodeIsDecodedTwice(Texting):
    """UTF-8 comes back read as Latin-1."""

    @override
    def changed(self, text: str) -> str:
        return text.encode().decode("latin-1")


@defect("fidelity", "D2", shown=member("PaymentMethod", PaymentMethod="a 😀 b"))
class EmojiAreLost(Texting):
    """Characters beyond the basic plane are lost, as in a three-byte column."""

    @override
    def changed(self, text: str) -> str:
        return "".join(one for one in text if ord(one) < 0x10000)


@defect("fidelity", "D2", shown=member("InvoiceNumber", InvoiceNumber="A&B <1>"))
class TextIsEscaped(Texting):
    """Texts come back escaped for HTML."""

    @override
    def changed(self, text: str) -> str:
        return html.escape(text)


@defect("fidelity", "Q19", "D2", shown=member("PaymentMethod", PaymentMethod=" Wire "))
class TextIsTrimmed(Texting):
    """Texts come back without the white space at their ends."""

    @override
    def changed(self, text: str) -> str:
        return text.strip()


@defect("fidelity", "D2", shown=member("InvoiceNumber", InvoiceNumber="x" * 300))
class TextIsCut(Texting):
    """Texts come back without what exceeds 100 characters."""

    @override
    def changed(self, text: str) -> str:
        return text[:100]


@defect("fidelity", "D2", shown=member("InvoiceNumber", InvoiceNumber="it's"))
class QuotesAreDoubled(Texting):
    """Quotes come back doubled, as in SQL."""

    @override
    def changed(self, text: str) -> str:
        return text.replace("'", "''")


class Dating(Service):
    """Shows another date."""

    def dated(self, sent: str, moment: datetime) -> str:
        """The date as it is shown; `moment` is the instant in UTC."""
        raise NotImplementedError

    @override
    def date_text(self, sent: str) -> str:
        moment, _ = instant(sent)
        return self.dated(sent, moment)


def wall(moment: datetime) -> str:
    """The date and time without a zone."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


ODD = "2026-07-01T23:45:10.25-05:30"


def dated(date: str = ODD) -> Witness:
    """A payment shows the instant that was sent."""
    return witness(
        pay(PaymentDate=date), sees=lambda a: moment_of(a[0].paid(0, "PaymentDate")), correct=moment_of(date)
    )


def moment_of(value: object) -> object:
    """The instant that a text means; the value itself if it is none."""
    try:
        moment, digits = instant(str(value))
    except ValueError:
        return value
    return moment, digits.rstrip("0")


@defect("fidelity", "D2", shown=dated())
class DateLosesTime(Dating):
    """A payment date comes back at midnight."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return f"{sent[:10]}T00:00:00Z"


@defect("fidelity", "D2", shown=dated())
class DateIsBare(Dating):
    """A payment date comes back as a date without a time."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return sent[:10]


@defect("fidelity", "D2", shown=dated())
class DateLosesOffset(Dating):
    """A payment date comes back with its offset replaced by Z."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return sent if sent[-1] in "Zz" else f"{sent[:-6]}Z"


@defect("fidelity", "D2", shown=dated())
class OffsetIsAddedTheWrongWay(Dating):
    """The offset of a payment date is added where it should be subtracted."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        if sent[-1] in "Zz" or not 1000 < moment.year < 9000:
            return sent
        shift = timedelta(hours=int(sent[-5:-3]), minutes=int(sent[-2:])) * (1 if sent[-6] == "+" else -1)
        return f"{wall(moment + 2 * shift)}{sent[19:-6]}Z"


@defect("fidelity", "D2", shown=dated())
class OffsetMinutesAreIgnored(Dating):
    """Only the hours of an offset are used."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return sent if sent[-1] in "Zz" else f"{sent[:-2]}00"


@defect("fidelity", "D2", shown=dated())
class DateHasNoZone(Dating):
    """A payment date comes back without a zone."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return wall(moment)


@defect("fidelity", "D2", "A15", shown=dated())
class DateLosesFraction(Dating):
    """A payment date comes back without the fraction of its second."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return f"{wall(moment)}Z"


@defect(
    "fidelity",
    "D2",
    shown=dated(),
)
class DateIsNow(Dating):
    """A payment date comes back as the time of the answer."""

    @override
    def dated(self, sent: str, moment: datetime) -> str:
        return self.now()


def references(*correct: str) -> Witness:
    """As many payments as are named are listed in the order of recording."""
    return witness(
        *(pay(ReferenceNumber=reference) for reference in correct),
        sees=lambda a: a[-1].each("ReferenceNumber"),
        correct=list(correct),
    )


@defect("fidelity", "D4", shown=references("R-2", "R-1", "R-3"))
class OnlyNewPaymentIsListed(Service):
    """The answer lists the new payment alone."""

    @override
    def listed(self, load: Load) -> Sequence[Payment]:
        return load.payments[-1:]


@defect("fidelity", "D4", shown=references("R-2", "R-1", "R-3"))
class NewPaymentIsNotListed(Service):
    """The answer lists the payments that were there before."""

    @override
    def listed(self, load: Load) -> Sequence[Payment]:
        return load.payments[:-1]


@defect("fidelity", "Q1", shown=references("R-2", "R-1", "R-3"))
class ListIsReversed(Service):
    """The answer lists the latest payment first."""

    @override
    def listed(self, load: Load) -> Sequence[Payment]:
        return load.payments[::-1]


@defect("fidelity", "D4", shown=references(*(f"R-{n:02}" for n in range(12))))
class ListIsCut(Service):
    """The answer lists ten payments at most."""

    @override
    def listed(self, load: Load) -> Sequence[Payment]:
        return load.payments[:10]


@defect("fidelity", "D4", shown=references("R-2", "R-1"))
class ListHasNewPaymentTwice(Service):
    """The answer lists the new payment twice."""

    @override
    def listed(self, load: Load) -> Sequence[Payment]:
        return [*load.payments, *load.payments[-1:]]


@defect(
    "fidelity",
    "D1",
    shown=witness(pay(), sees=lambda a: a[0].count(), correct=1),
)
class SinglePaymentIsNoList(Service):
    """A single payment is shown as an object instead of a list."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        if len(load.payments) > 1:
            return members
        return {**members, "CustomerPayments": self.payment_members(payment)}


@defect(
    "fidelity",
    "R6",
    shown=witness(pay(), pay(), sees=lambda a: a[0].paid(0, "Id") == a[1].paid(0, "Id"), correct=True),
)
class IdsChangeBetweenAnswers(Service):
    """Every answer gives the payments new ids."""

    answered = 0

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        self.answered += 1
        return super().answer_members(load, payment, posted, repeated=repeated)

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().payment_members(payment), "Id": f"{payment.id}-{self.answered}"}


@defect(
    "fidelity",
    "D4",
    shown=witness(
        pay(), pay(ReferenceNumber="R-2"), sees=lambda a: len(set(map(str, a[1].each("Id")))), correct=2
    ),
)
class IdsAreAllTheSame(Service):
    """All payments of a load have the load's id."""

    @override
    def new_id(self, load: Load) -> str:
        return load.id


@defect(
    "fidelity",
    "D1",
    shown=witness(pay(), sees=lambda a: isinstance(a[0].paid(0, "Id"), str), correct=True),
)
class IdIsNumber(Service):
    """An id is a number."""

    numbers: Mapping[str, int] = {}

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        self.numbers = {payment.id: len(self.numbers) + 1, **self.numbers}
        return {**super().payment_members(payment), "Id": self.numbers[payment.id]}


@defect(
    "fidelity",
    "D1",
    shown=witness(pay(), sees=lambda a: a[0].at("Status"), correct="Invoiced"),
)
class StatusIsMissing(Service):
    """The answer does not show the load's status."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        return {name: value for name, value in members.items() if name != "Status"}


@defect(
    "fidelity",
    "D1",
    shown=witness(pay(), sees=lambda a: a[0].count(), correct=1),
)
class MembersAreCamelCase(Service):
    """The answer's members begin in lowercase."""

    @override
    def answer_members(
        self, load: Load, payment: Payment, posted: Posted, *, repeated: bool
    ) -> Mapping[str, Json]:
        members = super().answer_members(load, payment, posted, repeated=repeated)
        return {self.camel_case(name): value for name, value in members.items()}


@defect(
    "fidelity",
    "R7",
    shown=witness(
        pay(),
        read(),
        sees=lambda a: a[1].at("payments", 0, "Amount", "Currency"),
        correct=840,
    ),
)
class LoadShowsNoCurrency(Service):
    """The load shows its payments without their currency."""

    @override
    def load_payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().load_payment_members(payment), "Amount": {"Amount": payment.amount}}


@defect(
    "fidelity",
    "P4",
    shown=witness(pay(), read(), sees=lambda a: a[1].at("Notes"), correct=[]),
)
class LoadLosesRequiredMember(Service):
    """A load that was paid does not show its notes."""

    @override
    def load_members(self, load: Load) -> Mapping[str, Json]:
        members = super().load_members(load)
        return {name: value for name, value in members.items() if name != "Notes" or not load.payments}
