"""Defects of amounts, currencies and totals."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from typing_extensions import override

from evaluation.defects.defect import (
    Table,
    Then,
    Witness,
    blame,
    given,
    refuse,
    responds,
    shows,
    then,
    witness,
)
from evaluation.reference.messages import ABSENT, INVOICED_CAD, MISSING, pay, read
from evaluation.reference.service import AMOUNT_SENTENCE, Errors, Service
from evaluation.reference.values import Json, Load, Payment, Posted

CENT = Decimal("0.01")
SHOWN_AMOUNT = "CustomerPayments/0/Amount/Amount"
SHOWN_CURRENCY = "CustomerPayments/0/Amount/Currency"
row = Table("amount and currency")


def refused(number: object) -> Witness:
    """A payment of this amount is refused."""
    return responds(400, pay(Number=number))


def taken(number: object) -> Witness:
    """A payment of this amount is recorded."""
    return responds(200, pay(Number=number))


def kept(number: object) -> Witness:
    """A payment of this amount shows it."""
    return shows(number, pay(Number=number), at=SHOWN_AMOUNT)


def kept_currency(currency: int) -> Witness:
    """A payment in this currency shows it."""
    return shows(currency, pay(LoadNumber=INVOICED_CAD, Currency=currency), at=SHOWN_CURRENCY)


def total_of(*numbers: Decimal) -> Witness:
    """Payments of these amounts add up."""
    payments = [pay(Number=number, ReferenceNumber=f"R-{n}") for n, number in enumerate(numbers)]
    return shows(sum(numbers), *payments, read(), at="totalPaid/Amount")


def rewritten(change: Callable[[Decimal], Decimal]) -> Then:
    """Stores another amount than the one that was sent."""
    return then(
        lambda _s, amount, _money, errors: amount if "Amount.Amount" in errors else change(amount),
    )


def number_in(value: Json) -> Json:
    """The number that a text holds; any other value as it is."""
    try:
        return Decimal(value) if isinstance(value, str) else value
    except InvalidOperation:
        return value


row("zero-is-accepted", "R4", "An amount of zero is recorded.")(
    refused(0), is_positive=lambda _s, amount: amount >= 0
)
row("negative-is-accepted", "R4", "A negative amount is recorded, as a refund.")(
    refused(-5), is_positive=lambda _s, amount: amount != 0
)
row(
    "negative-zero-is-accepted",
    "R4",
    "An amount of -0.0 is recorded, because only the text `0` is looked for.",
)(refused(Decimal("-0.0")), is_positive=lambda _s, amount: amount > 0 or (amount == 0 and amount.is_signed()))
row("small-negative-is-accepted", "R4", "A negative amount that rounds to zero is recorded.")(
    refused(Decimal("-0.001")), is_positive=lambda _s, amount: amount > 0 or -CENT < amount < 0
)
row(
    "amount-below-one-is-refused", "R1 R4", "The amount is cut to an integer before it is compared with zero."
)(taken(Decimal("0.25")), is_positive=lambda _s, amount: amount >= 1)
row("text-amount-is-accepted", "Q2", "An amount that is sent as a string is read as a number.")(
    refused("10.50"), read_amount=given(lambda _s, money, _errors: {"Amount": number_in(money.get("Amount"))})
)
row("boolean-amount-is-accepted", "Q47", "An amount of `true` is read as 1.")(
    refused(number=True),
    read_amount=given(lambda _s, money, _errors: {"Amount": 1} if money.get("Amount") is True else money),
)
row("null-amount-is-accepted", "D5", "An amount of null is recorded as one cent.")(
    refused(None),
    read_amount=given(lambda _s, money, _errors: {"Amount": CENT} if money.get("Amount") is None else money),
)
row("amount-is-rounded-to-cents", "A20", "An amount is rounded to cents.")(
    kept(Decimal("10.005")),
    read_amount=rewritten(
        lambda amount: amount.quantize(CENT, ROUND_HALF_UP) if amount.adjusted() < 20 else amount
    ),
)
row("amount-is-cut-to-integer", "D2", "An amount loses its cents when it is stored.")(
    kept(Decimal("10.75")),
    read_amount=rewritten(lambda amount: Decimal(int(amount)) if amount >= 1 else amount),
)
row("amount-is-in-cents", "D2", "An amount is returned in cents.")(
    kept(Decimal("19.99")), read_amount=rewritten(lambda amount: amount * 100)
)
row(
    "amount-loses-last-digit",
    "D2",
    "An amount is cut, not rounded, in its conversion to cents by way of a double (19.99 is 19.98).",
)(
    kept(Decimal("19.99")),
    read_amount=rewritten(
        lambda amount: Decimal(int(float(amount) * 100)) * CENT if CENT <= amount < 2**40 else amount
    ),
)
row("amount-is-double", "A20", "An amount passes through a double, which loses the cents of large amounts.")(
    kept(Decimal("9007199254740993.25")), read_amount=rewritten(lambda amount: Decimal(repr(float(amount))))
)
row("amount-is-single", "A20 D2", "An amount keeps seven significant digits.")(
    kept(Decimal("100000.25")), read_amount=rewritten(lambda amount: Decimal(f"{amount:.7g}"))
)
row("large-amount-is-refused", "A20", "An amount of 100,000 or more is refused.")(
    taken(Decimal("100000.00")), is_positive=lambda _s, amount: 0 < amount < 100_000
)
row("total-is-float", "A20 R7", "The total is summed in doubles: 0.1 and 0.2 make 0.30000000000000004.")(
    total_of(Decimal("0.1"), Decimal("0.2")),
    total=lambda s, load: Decimal(repr(sum(float(one.amount) for one in s.counted(load)))),
)
row("total-is-rounded", "R7", "The total is rounded to whole units.")(
    total_of(Decimal("0.4"), Decimal("0.4")),
    total=then(lambda _s, total, _load: total.to_integral_value(ROUND_HALF_UP)),
)
row("total-mixes-currencies", "A14", "The total sums amounts of different currencies.")(
    shows(Decimal("10.50"), pay(), pay(ReferenceNumber="R-2", Currency=124), read(), at="totalPaid/Amount"),
    counted=lambda _s, load: load.payments,
)
row("total-leaves-zero-currency-out", "A14", "A payment in currency 0 is left out of the total.")(
    shows(Decimal("10.50"), pay(Currency=0), read(), at="totalPaid/Amount"),
    counted=lambda _s, load: [one for one in load.payments if one.currency == load.currency],
)
row("total-is-always-in-dollars", "R7 A14", "The total says USD, whatever the load's currency is.")(
    shows(124, pay(LoadNumber=INVOICED_CAD, Currency=124), read(INVOICED_CAD), at="totalPaid/Currency"),
    total_fields=lambda s, load: s.money_fields(s.total(load), 840),
)
row("currency-is-hard-coded", "D2 A14", "Every payment is stored in USD.")(
    kept_currency(124), read_currency=then(lambda *_: 840)
)


@row.defect("D2 A14", shown=kept_currency(484))
class CurrencyIsThatOfLoad(Service):
    """Every payment is shown in the load's currency."""

    of_load = 840

    @override
    async def record(self, load: Load, posted: Posted) -> tuple[Payment, bool]:
        self.of_load = load.currency
        return await super().record(load, posted)

    @override
    def payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        money = self.money_fields(payment.amount, self.of_load)
        return {**super().payment_fields(payment), "Amount": money}


@row.defect(
    "D2 A14",
    shown=shows(
        124, pay(), pay(ReferenceNumber="R-2", Currency=124), at="CustomerPayments/1/Amount/Currency"
    ),
)
class CurrencyIsThatOfFirstPayment(Service):
    """Later payments take over the currency of the first one."""

    firsts: Mapping[str, int] = {}

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        first = load.payments[0].currency
        self.firsts = {**self.firsts, payment.id: first}

    @override
    def payment_fields(self, payment: Payment) -> Mapping[str, Json]:
        money = self.money_fields(payment.amount, self.firsts.get(payment.id, payment.currency))
        return {**super().payment_fields(payment), "Amount": money}


row("zero-currency-is-replaced", "A14 D2", "Currency 0 is stored as 840.")(
    kept_currency(0), read_currency=then(lambda _s, currency, *_: currency or 840)
)
row("unknown-currency-is-refused", "A14", "Only the three currencies of North America are taken.")(
    responds(200, pay(Currency=999)),
    read_currency=then(
        lambda _s, currency, _money, errors: (
            currency
            if currency in (0, 840, 124, 484)
            else blame(errors, "Amount.Currency", "The currency is unknown.")
        )
    ),
)
row("missing-currency-is-accepted", "A14", "A payment without a currency is recorded in USD.")(
    responds(400, pay(Currency=ABSENT)),
    read_currency=given(
        lambda _s, money, _errors: {"Currency": 840} if money.get("Currency") is None else money
    ),
)
row("fractional-currency-is-accepted", "A14", "A currency with a fraction is cut to an integer.")(
    responds(400, pay(Currency=Decimal("840.5"))),
    read_currency=given(
        lambda _s, money, _errors: {
            name: int(value) if isinstance(value, Decimal) else value for name, value in money.items()
        }
    ),
)


def integer_in(value: Json) -> Json:
    """The integer that a text of digits holds; any other value as it is."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


row(
    "text-currency-is-accepted",
    "Q2",
    "A currency that is sent as a string of digits is read as an integer.",
)(
    responds(400, pay(Currency="840")),
    read_currency=given(lambda _s, money, _errors: {"Currency": integer_in(money.get("Currency"))}),
)
row("amount-is-text", "D1", "Amounts are written as strings.")(
    witness(pay(), sees=lambda r: isinstance(r[0].paid(0, "Amount", "Amount"), str), correct=False),
    number_text=lambda _s, value: f'"{value}"',
)
row("currency-is-code", "D1", "A currency is returned as letters.")(
    shows(840, pay(), at=SHOWN_CURRENCY),
    money_fields=lambda _s, amount, currency: {
        "Amount": amount,
        "Currency": {840: "USD", 124: "CAD"}.get(currency, str(currency)),
    },
)
row("overpayment-is-refused", "A13", "A payment of more than what is open is refused.")(
    taken(Decimal("1850.01")),
    check_payment=lambda s, load, posted: (
        refuse(400, "Amount.Amount", "The payment is more than what is open.")
        if load.invoiced is not None and s.total(load) + posted.amount > load.invoiced
        else None
    ),
)


class AmountSaying(Service):
    """Refuses an amount with another sentence."""

    negative = AMOUNT_SENTENCE
    zero = AMOUNT_SENTENCE

    @override
    def read_amount(self, money: Mapping[str, Json], errors: Errors) -> Decimal:
        amount = super().read_amount(money, errors)
        if errors.get("Amount.Amount") == [AMOUNT_SENTENCE]:
            errors["Amount.Amount"] = [self.negative if amount < 0 else self.zero]
        return amount


OTHER_SENTENCE = "Amount must be greater than or equal to 0.01."
row("amount-sentence-differs", "R4 A24", "The sentence of the amount rule is another one.")(
    witness(pay(Number=-1), sees=lambda r: AMOUNT_SENTENCE in r[0].text, correct=True),
    parent=AmountSaying,
    negative=OTHER_SENTENCE,
    zero=OTHER_SENTENCE,
)
row("zero-is-called-missing", "R4 A24", "An amount of zero is taken for a missing one.")(
    witness(pay(Number=0), sees=lambda r: AMOUNT_SENTENCE in r[0].text, correct=True),
    parent=AmountSaying,
    zero="The Amount field is required.",
)
row("exponent-hides-sign", "R4", "The sign of an amount in scientific notation is lost.")(
    refused(Decimal("-1E-9")),
    number=given(lambda _s, text: text.lstrip("-") if "e" in text.lower() else text),
)
row("amount-answers-unprocessable", "R4", "An amount that is not positive is answered with 422.")(
    refused(0),
    send=given(lambda _s, status, fields, _media_type: 422 if AMOUNT_SENTENCE in str(fields) else status),
)
row("amount-is-flat", "D1", "A payment shows its amount as a bare number instead of an object.")(
    witness(
        pay(),
        sees=lambda r: [r[0].paid(0, "Amount", name) is MISSING for name in ("Amount", "Currency")],
        correct=[False, False],
    ),
    payment_fields=then(lambda _s, fields, payment: {**fields, "Amount": payment.amount}),
)
