"""Defects of size: what is cut off, overflows or loses digits from some size on."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from evaluation.defects.ageing import many
from evaluation.defects.defect import Function, Table, Then, given, lists, responds, shows, then
from evaluation.reference.messages import INVOICED, pay, read, search
from evaluation.reference.service import STATUSES, Service

row = Table("limits", "production")
WHOLE_ABOVE = Decimal(1000)
LARGEST_CENTS = 2**31


def first(shown: int) -> Function:
    """Lists so many payments at most."""
    return lambda _s, load: load.payments[:shown]


for shown in (10, 20, 50):
    row(f"load-lists-{shown}-payments", "R7", f"A load lists its first {shown} payments, and no more.")(
        lists(shown + 1, *many(shown + 1), read(), of="payments"), listed_on_load=first(shown)
    )
for shown in (20, 50, 100):
    row(f"answer-lists-{shown}-payments", "D4", f"A response lists the first {shown} payments, and no more.")(
        lists(shown + 1, *many(shown + 1)), listed=first(shown)
    )
row("total-counts-fifty-payments", "R7", "The total is that of the first 50 payments.")(
    shows(Decimal("10.50") * 51, *many(51), read(), at="totalPaid/Amount"),
    counted=given(lambda _s, load: replace(load, payments=load.payments[:50])),
)
row("total-is-rounded-above-thousand", "R7", "A total above 1,000 is rounded to whole units.")(
    shows(Decimal("1000.25"), pay(Number=Decimal("1000.25")), read(), at="totalPaid/Amount"),
    total=then(
        lambda _s, total, _load: total.to_integral_value(ROUND_HALF_UP) if total > WHOLE_ABOVE else total
    ),
)
row("total-overflows", "R7", "A total is kept in 32 bits of cents, and begins again at zero.")(
    shows(Decimal(30_000_000), pay(Number=30_000_000), read(), at="totalPaid/Amount"),
    total=then(
        lambda _s, total, _load: total if total < LARGEST_CENTS / 100 else total % (LARGEST_CENTS // 100)
    ),
)
row("total-leaves-cents-out", "R7", "Payments below 0.10 are not summed.")(
    shows(
        Decimal("10.55"),
        pay(),
        pay(ReferenceNumber="R-2", Number=Decimal("0.05")),
        read(),
        at="totalPaid/Amount",
    ),
    counted=then(lambda _s, counted, _load: [one for one in counted if one.amount >= Decimal("0.10")]),
)
row("integer-amount-is-double", "A20", "An amount without a fraction loses its last digit above 2^53.")(
    shows(
        Decimal(2**53 + 1),
        pay(Number=2**53 + 1),
        at="CustomerPayments/0/Amount/Amount",
    ),
    stored_amount=given(lambda _s, amount: Decimal(int(float(amount))) if amount == int(amount) else amount),
)
row("tiny-negative-is-accepted", "R4", "An amount between zero and -0.000001 is taken for a rounding error.")(
    responds(400, pay(Number=Decimal("-1e-9"))),
    is_positive=lambda _s, amount: amount > 0 or -Decimal("1e-6") < amount < 0,
)
row("large-negative-is-accepted", "R4", "The sign of an amount above a million is lost in its conversion.")(
    responds(400, pay(Number=-2_000_000)), is_positive=lambda _s, amount: amount > 0 or amount < -1_000_000
)
row("body-is-cut", "Q60 D6", "A body is read up to 64 KiB, so that a longer one is no JSON.")(
    responds(200, pay(Note="x" * 70_000)), decode=given(lambda _s, content: content[:65_536])
)


def cut(name: str, length: int) -> Then:
    """Cuts a text of the body."""
    return then(lambda _s, text, _fields, field, _errors: text[:length] if text and field == name else text)


row("check-number-is-cut", "D2", "A check number is cut after 20 characters.")(
    shows("1" * 25, pay(CheckNumber="1" * 25), at="CustomerPayments/0/CheckNumber"),
    read_text=cut("CheckNumber", 20),
)
row("invoice-number-is-cut", "D2", "An invoice number is cut after 255 characters.")(
    shows("1" * 300, pay(InvoiceNumber="1" * 300), at="CustomerPayments/0/InvoiceNumber"),
    read_text=cut("InvoiceNumber", 255),
)
row(
    "long-note-loses-payment",
    "R7",
    "A payment with a note of more than 500 characters is answered, but not stored.",
)(
    lists(1, pay(Note="x" * 600), read(), of="payments"),
    add=lambda s, load, payment: Service.add(s, load, payment) if len(payment.note or "") <= 500 else None,
)
row(
    "check-number-loses-other-scripts",
    "D2",
    "A check number that is not in Latin letters comes back as null.",
)(
    shows("\u041f-\u0662", pay(CheckNumber="\u041f-\u0662"), at="CustomerPayments/0/CheckNumber"),
    read_text=then(
        lambda _s, text, _fields, name, _errors: (
            None if name == "CheckNumber" and text and max(text) > "\u00ff" else text
        )
    ),
)
row("page-has-five-hits", "P6", "A page of a search has five hits at most, whatever its size and total say.")(
    lists(16, search(Status=list(STATUSES[:10] + STATUSES[11:14]), PageSize=20), of="Items"),
    page_of=lambda s, hits, page, size: Service.page_of(s, hits, page, size)[:5],
)
row("only-first-load-is-searched", "P5", "Of a list of load numbers a search looks for the first one.")(
    lists(2, search(LoadNumbers=[INVOICED, INVOICED.replace("20", "25", 1)]), of="Items"),
    matches=lambda s, load, filters, customer: Service.matches(
        s, load, {**filters, "LoadNumbers": filters["LoadNumbers"][:1]}, customer
    ),
)
