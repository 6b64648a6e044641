"""Defects of amounts, currencies and totals."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import ABSENT, INVOICED_CAD, MISSING, pay, read
from evaluation.defects.defect import Witness, defect, witness
from evaluation.reference.service import AMOUNT_SENTENCE, Errors, Refusal, Service
from evaluation.reference.values import Json, Load, Payment, Posted

CENT = Decimal("0.01")


def refused(number: object) -> Witness:
    """A payment of this amount is refused."""
    return witness(pay(Number=number), sees=lambda a: a[0].status, correct=400)


def shown_as(number: object) -> Witness:
    """A payment of this amount shows it."""
    return witness(pay(Number=number), sees=lambda a: a[0].paid(0, "Amount", "Amount"), correct=number)


def total_of(*numbers: Decimal) -> Witness:
    """Payments of these amounts add up."""
    return witness(
        *(pay(Number=number, ReferenceNumber=f"R-{n}") for n, number in enumerate(numbers)),
        read(),
        sees=lambda a: a[-1].at("totalPaid", "Amount"),
        correct=sum(numbers),
    )


@defect("amount and currency", "R4", shown=refused(0))
class ZeroIsAccepted(Service):
    """An amount of zero is recorded."""

    @override
    def is_positive(self, amount: Decimal) -> bool:
        return amount >= 0


@defect("amount and currency", "R4", shown=refused(-5))
class NegativeIsAccepted(Service):
    """A negative amount is recorded, as a refund."""

    @override
    def is_positive(self, amount: Decimal) -> bool:
        return amount != 0


@defect("amount and currency", "R4", shown=refused(Decimal("-0.0")))
class NegativeZeroIsAccepted(Service):
    """An amount of -0.0 is recorded, because only the text `0` is looked for."""

    @override
    def is_positive(self, amount: Decimal) -> bool:
        return amount > 0 or (amount == 0 and amount.is_signed())


@defect("amount and currency", "R4", shown=refused(Decimal("-0.001")))
class SmallNegativeIsAccepted(Service):
    """A negative amount that rounds to zero is recorded."""

    @override
    def is_positive(self, amount: Decimal) -> bool:
        return amount > 0 or CENT * -1 < amount < 0


@defect(
    "amount and currency",
    "R1",
    "R4",
    shown=witness(pay(Number=Decimal("0.25")), sees=lambda a: a[0].status, correct=200),
)
class AmountBelowOneIsRefused(Service):
    """The amount is cut to an integer before it is compared with zero."""

    @override
    def is_positive(self, amount: Decimal) -> bool:
        return amount >= 1


@defect("amount and currency", "Q2", "D7", shown=refused("10.50"))
class TextAmountIsAccepted(Service):
    """An amount that is sent as a string is read as a number."""

    @override
    def read_amount(self, money: Mapping[str, Json], faults: Errors) -> Decimal:
        value = money.get("Amount")
        try:
            number = Decimal(value) if isinstance(value, str) else None
        except InvalidOperation:
            number = None
        return super().read_amount(money if number is None else {"Amount": number}, faults)


@defect("amount and currency", "D7", shown=refused(number=True))
class BooleanAmountIsAccepted(Service):
    """An amount of `true` is read as 1."""

    @override
    def read_amount(self, money: Mapping[str, Json], faults: Errors) -> Decimal:
        return Decimal(1) if money.get("Amount") is True else super().read_amount(money, faults)


@defect("amount and currency", "D5", shown=refused(None))
class NullAmountIsAccepted(Service):
    """An amount of null is recorded as one cent."""

    @override
    def read_amount(self, money: Mapping[str, Json], faults: Errors) -> Decimal:
        return CENT if money.get("Amount") is None else super().read_amount(money, faults)


class Rewriting(Service):
    """Stores another amount than the one that was sent."""

    def rewritten(self, amount: Decimal) -> Decimal:
        """The amount that is stored."""
        raise NotImplementedError

    @override
    def read_amount(self, money: Mapping[str, Json], faults: Errors) -> Decimal:
        amount = super().read_amount(money, faults)
        return amount if "Amount.Amount" in faults else self.rewritten(amount)


@defect("amount and currency", "A20", shown=shown_as(Decimal("10.005")))
class AmountIsRoundedToCents(Rewriting):
    """An amount is rounded to cents."""

    @override
    def rewritten(self, amount: Decimal) -> Decimal:
        return amount.quantize(CENT, ROUND_HALF_UP) if amount.adjusted() < 20 else amount


@defect("amount and currency", "D2", shown=shown_as(Decimal("10.75")))
class AmountIsCutToInteger(Rewriting):
    """An amount loses its cents when it is stored."""

    @override
    def rewritten(self, amount: Decimal) -> Decimal:
        return Decimal(int(amount)) if amount >= 1 else amount


@defect("amount and currency", "D2", shown=shown_as(Decimal("19.99")))
class AmountIsInCents(Rewriting):
    """An amount is returned in cents."""

    @override
    def rewritten(self, amount: Decimal) -> Decimal:
        return amount * 100


@defect("amount and currency", "D2", shown=shown_as(Decimal("19.99")))
class AmountLosesLastDigit(Rewriting):
    """An amount is cut, not rounded, in its conversion to cents by way of a double (19.99 is 19.98)."""

    @override
    def rewritten(self, amount: Decimal) -> Decimal:
        cents = int(float(amount) * 100) if CENT <= amount < 2**40 else None
        return amount if cents is None else Decimal(cents) * CENT


@defect("amount and currency", "A20", shown=shown_as(Decimal("9007199254740993.25")))
class AmountIsDouble(Rewriting):
    """An amount passes through a double, which loses the cents of large amounts."""

    @override
    def rewritten(self, amount: Decimal) -> Decimal:
        return Decimal(repr(float(amount)))


@defect("amount and currency", "A20", "D2", shown=shown_as(Decimal("100000.25")))
class AmountIsSingle(Rewriting):
    """An amount keeps seven significant digits."""

    @override
    def rewritten(self, amount: Decimal) -> Decimal:
        return Decimal(f"{amount:.7g}")


@defect(
    "amount and currency",
    "A20",
    shown=witness(pay(Number=Decimal("100000.00")), sees=lambda a: a[0].status, correct=200),
)
class LargeAmountIsRefused(Service):
    """An amount of 100,000 or more is refused."""

    @override
    def is_positive(self, amount: Decimal) -> bool:
        return 0 < amount < 100_000


@defect("amount and currency", "A20", "R7", shown=total_of(Decimal("0.1"), Decimal("0.2")))
class TotalIsFloat(Service):
    """The total is summed in doubles: 0.1 and 0.2 make 0.30000000000000004."""

    @override
    def total(self, load: Load) -> Decimal:
        return Decimal(repr(sum(float(payment.amount) for payment in self.counted(load))))


@defect("amount and currency", "R7", shown=total_of(Decimal("0.4"), Decimal("0.4")))
class TotalIsRounded(Service):
    """The total is rounded to whole units."""

    @override
    def total(self, load: Load) -> Decimal:
        return super().total(load).to_integral_value(ROUND_HALF_UP)


@defect(
    "amount and currency",
    "A14",
    shown=witness(
        pay(),
        pay(ReferenceNumber="R-2", Currency=124),
        read(),
        sees=lambda a: a[2].at("totalPaid", "Amount"),
        correct=Decimal("10.50"),
    ),
)
class TotalMixesCurrencies(Service):
    """The total sums amounts of different currencies."""

    @override
    def counted(self, load: Load) -> list[Payment]:
        return load.payments


@defect(
    "amount and currency",
    "A14",
    shown=witness(
        pay(Currency=0), read(), sees=lambda a: a[1].at("totalPaid", "Amount"), correct=Decimal("10.50")
    ),
)
class TotalLeavesZeroCurrencyOut(Service):
    """A payment in currency 0 is left out of the total."""

    @override
    def counted(self, load: Load) -> list[Payment]:
        return [payment for payment in load.payments if payment.currency == load.currency]


@defect(
    "amount and currency",
    "R7",
    "A14",
    shown=witness(
        pay(LoadNumber=INVOICED_CAD, Currency=124),
        read(INVOICED_CAD),
        sees=lambda a: a[1].at("totalPaid", "Currency"),
        correct=124,
    ),
)
class TotalIsAlwaysInDollars(Service):
    """The total says USD, whatever the load's currency is."""

    @override
    def total_members(self, load: Load) -> Json:
        return self.money_members(self.total(load), 840)


def shown_currency(currency: int) -> Witness:
    """A payment in this currency shows it."""
    return witness(
        pay(LoadNumber=INVOICED_CAD, Currency=currency),
        sees=lambda a: a[0].paid(0, "Amount", "Currency"),
        correct=currency,
    )


@defect("amount and currency", "D2", "A14", shown=shown_currency(124))
class CurrencyIsHardCoded(Service):
    """Every payment is stored in USD."""

    @override
    def read_currency(self, money: Mapping[str, Json], faults: Errors) -> int:
        super().read_currency(money, faults)
        return 840


@defect("amount and currency", "D2", "A14", shown=shown_currency(484))
class CurrencyIsThatOfLoad(Service):
    """Every payment is shown in the load's currency."""

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        self.of_load = load.currency
        return await super().record(load, posted)

    of_load = 840

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {
            **super().payment_members(payment),
            "Amount": self.money_members(payment.amount, self.of_load),
        }


@defect(
    "amount and currency",
    "D2",
    "A14",
    shown=witness(
        pay(),
        pay(ReferenceNumber="R-2", Currency=124),
        sees=lambda a: a[1].paid(1, "Amount", "Currency"),
        correct=124,
    ),
)
class CurrencyIsThatOfFirstPayment(Service):
    """Later payments take over the currency of the first one."""

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        first = load.payments[0].currency
        self.firsts = {**self.firsts, payment.id: first}

    firsts: Mapping[str, int] = {}

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        money = self.money_members(payment.amount, self.firsts.get(payment.id, payment.currency))
        return {**super().payment_members(payment), "Amount": money}


@defect("amount and currency", "A14", "D2", shown=shown_currency(0))
class ZeroCurrencyIsReplaced(Service):
    """Currency 0 is stored as 840."""

    @override
    def read_currency(self, money: Mapping[str, Json], faults: Errors) -> int:
        return super().read_currency(money, faults) or 840


@defect(
    "amount and currency",
    "A14",
    shown=witness(pay(Currency=999), sees=lambda a: a[0].status, correct=200),
)
class UnknownCurrencyIsRefused(Service):
    """Only the three currencies of North America are taken."""

    @override
    def read_currency(self, money: Mapping[str, Json], faults: Errors) -> int:
        currency = super().read_currency(money, faults)
        if currency not in (0, 840, 124, 484):
            faults["Amount.Currency"] = ["The currency is unknown."]
        return currency


@defect(
    "amount and currency",
    "D5",
    shown=witness(pay(Currency=ABSENT), sees=lambda a: a[0].status, correct=400),
)
class MissingCurrencyIsAccepted(Service):
    """A payment without a currency is recorded in USD."""

    @override
    def read_currency(self, money: Mapping[str, Json], faults: Errors) -> int:
        return 840 if money.get("Currency") is None else super().read_currency(money, faults)


@defect(
    "amount and currency",
    "D7",
    shown=witness(pay(Currency=Decimal("840.5")), sees=lambda a: a[0].status, correct=400),
)
class FractionalCurrencyIsAccepted(Service):
    """A currency with a fraction is cut to an integer."""

    @override
    def read_currency(self, money: Mapping[str, Json], faults: Errors) -> int:
        value = money.get("Currency")
        return super().read_currency(
            {"Currency": int(value) if isinstance(value, Decimal) else value}, faults
        )


@defect(
    "amount and currency",
    "Q2",
    "D7",
    shown=witness(pay(Currency="840"), sees=lambda a: a[0].status, correct=400),
)
class TextCurrencyIsAccepted(Service):
    """A currency that is sent as a string of digits is read as an integer."""

    @override
    def read_currency(self, money: Mapping[str, Json], faults: Errors) -> int:
        value = money.get("Currency")
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        return super().read_currency({"Currency": int(str(value)) if digits else value}, faults)


@defect(
    "amount and currency",
    "D1",
    shown=witness(pay(), sees=lambda a: isinstance(a[0].paid(0, "Amount", "Amount"), str), correct=False),
)
class AmountIsText(Service):
    """Amounts are written as strings."""

    @override
    def number_text(self, value: Decimal) -> str:
        return f'"{value}"'


@defect(
    "amount and currency",
    "D1",
    shown=witness(pay(), sees=lambda a: a[0].paid(0, "Amount", "Currency"), correct=840),
)
class CurrencyIsCode(Service):
    """A currency is returned as letters."""

    @override
    def money_members(self, amount: Decimal, currency: int) -> Mapping[str, Json]:
        return {"Amount": amount, "Currency": {840: "USD", 124: "CAD"}.get(currency, str(currency))}


@defect(
    "amount and currency",
    "A13",
    shown=witness(pay(Number=Decimal("1850.01")), sees=lambda a: a[0].status, correct=200),
)
class OverpaymentIsRefused(Service):
    """A payment of more than what is open is refused."""

    @override
    def check_payment(self, load: Load, posted: Posted) -> None:
        if load.invoiced is not None and self.total(load) + posted.amount > load.invoiced:
            raise Refusal(400, {"Amount.Amount": ["The payment is more than what is open."]})


class AmountSaying(Service):
    """Refuses an amount with another sentence."""

    negative: str
    zero: str

    @override
    def read_amount(self, money: Mapping[str, Json], faults: Errors) -> Decimal:
        amount = super().read_amount(money, faults)
        if faults.get("Amount.Amount") == [AMOUNT_SENTENCE]:
            faults["Amount.Amount"] = [self.negative if amount < 0 else self.zero]
        return amount


@defect(
    "amount and currency",
    "R4",
    "A24",
    shown=witness(pay(Number=-1), sees=lambda a: AMOUNT_SENTENCE in a[0].text, correct=True),
)
class AmountSentenceDiffers(AmountSaying):
    """The sentence of the amount rule is another one."""

    negative = zero = "Amount must be greater than or equal to 0.01."


@defect(
    "amount and currency",
    "R4",
    "A24",
    shown=witness(pay(Number=0), sees=lambda a: AMOUNT_SENTENCE in a[0].text, correct=True),
)
class ZeroIsCalledMissing(AmountSaying):
    """An amount of zero is taken for a missing one."""

    negative = AMOUNT_SENTENCE
    zero = "The Amount field is required."


@defect("amount and currency", "R4", shown=refused(Decimal("-1E-9")))
class ExponentHidesSign(Service):
    """The sign of an amount in scientific notation is lost."""

    @override
    def number(self, text: str) -> Decimal:
        return Decimal(text.lstrip("-") if "e" in text.lower() else text)


@defect(
    "amount and currency",
    "R4",
    shown=witness(pay(Number=0), sees=lambda a: a[0].status, correct=400),
)
class AmountAnswersUnprocessable(Service):
    """An amount that is not positive is answered with 422."""

    @override
    def send(self, status: int, members: Json, media_type: str) -> Response:
        is_amount = isinstance(members, Mapping) and AMOUNT_SENTENCE in str(members)
        return super().send(422 if is_amount else status, members, media_type)


@defect(
    "amount and currency",
    "D1",
    shown=witness(
        pay(),
        sees=lambda a: [a[0].paid(0, "Amount", name) is MISSING for name in ("Amount", "Currency")],
        correct=[False, False],
    ),
)
class AmountIsFlat(Service):
    """A payment shows its amount as a bare number instead of an object."""

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return {**super().payment_members(payment), "Amount": payment.amount}
