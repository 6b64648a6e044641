"""Defects that bad input brings out."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isinf

from typing_extensions import override

from evaluation.defects.defect import (
    Table,
    Then,
    Witness,
    blame,
    crash,
    given,
    responds,
    then,
    witness,
)
from evaluation.reference.messages import ABSENT, INVOICED, PAYMENTS, Sent, pay, raw
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json

TEXTS = ("CheckNumber", "InvoiceNumber", "PaymentMethod", "Note")
row = Table("robustness")


def refused(request: Sent) -> Witness:
    """The request is refused."""
    return responds(400, request)


def failing(fails: Callable[[Json], bool]) -> Then:
    """Answers 500 where it should refuse the body."""
    return then(lambda _s, body, _content: crash() if fails(body) else body)


def lacking(name: str, *, beside: str) -> Then:
    """Answers 500 to a body without this field; the other one tells that it is a payment."""
    return failing(lambda body: isinstance(body, Mapping) and beside in body and name not in body)


@row.defect("D8", shown=refused(raw(b'{"LoadNumber": ')))
class MalformedBodyIsServerError(Service):
    """A body that is not JSON is answered with 500."""

    @override
    def decode(self, content: bytes) -> Json:
        try:
            json.loads(content.decode(errors="replace"))
        except RecursionError:
            pass
        except ValueError:
            if content.strip():
                raise
        return super().decode(content)


row("empty-body-is-server-error", "D8", "An empty body is answered with 500.")(
    refused(raw(b"")), decode=given(lambda _s, content: content or crash())
)
row("null-body-is-server-error", "D8", "A body of `null` is answered with 500.")(
    refused(raw(b"null")), decode=failing(lambda body: body is None)
)
row("list-body-is-server-error", "D8", "A body that is a list is answered with 500.")(
    refused(raw(b"[]")), decode=failing(lambda body: isinstance(body, list))
)
row("scalar-body-is-server-error", "D8", "A body that is a bare value is answered with 500.")(
    refused(raw(b'"text"')), decode=failing(lambda body: isinstance(body, str | int | Decimal))
)
row(
    "bare-amount-is-server-error",
    "D7",
    "An amount that is a number instead of an object is answered with 500.",
)(
    refused(pay(Amount=10)),
    decode=failing(
        lambda body: isinstance(body, Mapping) and isinstance(body.get("Amount"), int | Decimal | str | list)
    ),
)
row("missing-amount-is-server-error", "D5", "A payment without an amount is answered with 500.")(
    refused(pay(Amount=ABSENT)),
    decode=failing(
        lambda body: isinstance(body, Mapping) and body.get("Amount") is None and "LoadNumber" in body
    ),
)
row("missing-reference-is-server-error", "R5", "A payment without a reference is answered with 500.")(
    refused(pay(ReferenceNumber=ABSENT)), decode=lacking("ReferenceNumber", beside="LoadNumber")
)
row("missing-load-number-is-server-error", "D5", "A payment without a load number is answered with 500.")(
    refused(pay(LoadNumber=ABSENT)), decode=lacking("LoadNumber", beside="PaymentDate")
)
row(
    "number-as-load-number-is-server-error",
    "D8",
    "A load number that is sent as a number is answered with 500.",
)(
    refused(pay(LoadNumber=7)),
    decode=failing(lambda body: isinstance(body, Mapping) and isinstance(body.get("LoadNumber"), int)),
)
row("missing-date-is-today", "D5", "A payment without a date is recorded with the current one.")(
    refused(pay(PaymentDate=ABSENT)),
    read_date=given(lambda s, fields, _errors: {"PaymentDate": s.now(), **fields}),
)


@row.defect("D7", shown=refused(pay(PaymentDate="tomorrow")))
class AnyTextIsDate(Service):
    """The date is stored unchecked."""

    @override
    def read_date(self, fields: Mapping[str, Json], errors: Errors) -> str:
        value = fields.get("PaymentDate")
        return value if isinstance(value, str) else super().read_date(fields, errors)


row("impossible-date-is-server-error", "D8", "A date that the calendar does not have is answered with 500.")(
    refused(pay(PaymentDate="2026-02-30T00:00:00Z")),
    read_date=then(
        lambda _s, date, _fields, errors: (
            crash() if date[5:10] in ("02-30", "02-29", "13-01") and "PaymentDate" in errors else date
        )
    ),
)
row("number-is-accepted-as-date", "A17", "A date that is sent as seconds since 1970 is taken.")(
    refused(pay(PaymentDate=1_780_000_000)),
    read_date=given(
        lambda _s, fields, _errors: (
            {"PaymentDate": "2026-07-01T00:00:00Z"} if type(fields.get("PaymentDate")) is int else fields
        )
    ),
)
row("number-is-accepted-as-text", "Q2", "An optional text that is sent as a number is taken as its digits.")(
    refused(pay(CheckNumber=20391)),
    read_text=given(
        lambda _s, fields, name, _errors: (
            {name: str(fields[name])} if isinstance(fields.get(name), int) and name in TEXTS else fields
        )
    ),
)
row("nesting-is-server-error", "D8", "A body that is nested very deeply is answered with 500.")(
    refused(raw(b"[" * 100_000)),
    decode=given(
        lambda _s, content: crash() if content.count(b"[") + content.count(b"{") > 1000 else content
    ),
)
row("huge-number-is-server-error", "D8", "An amount beyond the range of a double is answered with 500.")(
    refused(pay(Number=Decimal("1e400"))),
    number=given(lambda _s, text: crash() if isinf(float(text)) else text),
)
row("not-anumber-is-server-error", "D8", "An amount of NaN, which is not JSON, is answered with 500.")(
    refused(
        raw(
            b'{"LoadNumber":"%s","Amount":{"Amount":NaN,"Currency":840},"PaymentDate":'
            b'"2026-07-01T00:00:00Z","ReferenceNumber":"R-1"}' % INVOICED.encode()
        )
    ),
    constant=lambda _s, _text: crash(),
)


@row.defect("Q24 D8", shown=refused(raw(b'{"LoadNumber": "\xff"}')))
class InvalidUnicodeIsServerError(Service):
    """A body that is not UTF-8 is answered with 500."""

    @override
    def decode(self, content: bytes) -> Json:
        try:
            content.decode()
        except UnicodeDecodeError as invalid:
            raise RuntimeError from invalid
        return super().decode(content)


row("utf16-is-server-error", "Q24 D8", "A body in UTF-16 is answered with 500.")(
    refused(raw(pay().content.decode().encode("utf-16"))),
    decode=given(lambda _s, content: crash() if content[:2] in (b"\xff\xfe", b"\xfe\xff") else content),
)
row("offset-of-a-day-is-server-error", "A17 D8", "A date with an offset of 24 hours is answered with 500.")(
    refused(pay(PaymentDate="2026-07-01T00:00:00+24:00")),
    read_date=then(lambda _s, date, *_: crash() if date[-6:] in ("+24:00", "-24:00") else date),
)
row("braces-are-server-error", "D8", "Braces in a text are taken for a format.")(
    responds(200, pay(Note="{0} {name} %s")),
    read_text=then(lambda _s, text, *_: crash() if text and "{" in text else text),
)


@row.defect("A18", shown=responds(200, pay(Extra="x")))
class UnknownMemberIsRefused(Service):
    """A field that the page does not list is refused."""

    @override
    def named(self, body: Mapping[str, Json], errors: Errors, *groups: tuple[str, ...]) -> Mapping[str, Json]:
        known = {name for group in groups for name in group}
        errors.update({name: ["The field is unknown."] for name in body if name not in known})
        return super().named(body, errors, *groups)


row("only-first-fault-is-reported", "A11", "Of several errors only one is reported.")(
    witness(
        pay(ReferenceNumber="", Number=0),
        sees=lambda r: sorted(str(r[0].at("errors", name)) for name in ("ReferenceNumber", "Amount.Amount")),
        correct=["['Amount must be greater than zero.']", "['The ReferenceNumber field is required.']"],
    ),
    refuse=given(lambda _s, refusal: Refusal(refusal.status, dict([next(iter(refusal.errors.items()))]))),
)
row("two-faults-are-server-error", "R5 A11", "Two errors in one body are answered with 500.")(
    refused(pay(ReferenceNumber="", Number=0)),
    refuse=given(lambda _s, refusal: crash() if len(refusal.errors) > 1 else refusal),
)
row("null-texts-are-refused", "D6", "Null is refused where the page allows it.")(
    responds(200, pay(InvoiceNumber=None, PaymentMethod=None, CheckNumber=None, Note=None)),
    read_text=then(
        lambda _s, text, fields, name, errors: (
            blame(errors, name, f"The {name} field must be a string.")
            if name != "LoadNumber" and fields.get(name, "") is None
            else text
        )
    ),
)
row("optional-members-are-required", "D6", "A payment without an invoice number is refused.")(
    responds(200, pay()),
    read_text=then(
        lambda _s, text, fields, name, errors: (
            blame(errors, name, "The InvoiceNumber field is required.")
            if name == "InvoiceNumber" and name not in fields
            else text
        )
    ),
)
row(
    "blank-load-number-pays-first",
    "R3",
    "A blank load number pays the first load there is that takes payments.",
)(
    refused(pay(LoadNumber=" ")),
    read_load_number=given(
        lambda s, fields, _errors: (
            {"LoadNumber": next(load.number for load in s.loads.values() if s.is_payable(load))}
            if fields.get("LoadNumber") in ("", " ", "   ")
            else fields
        )
    ),
)
row("other-method-is-server-error", "D8", "A method that the path does not have is answered with 500.")(
    responds(405, Sent("HEAD", PAYMENTS)),
    respond=given(lambda _s, request: request if request.method in ("GET", "POST") else crash()),
)
row(
    "long-text-is-server-error",
    "D8",
    "A text of more than 255 characters does not fit its column and is answered with 500.",
)(
    responds(200, pay(Note="x" * 5000, CheckNumber="1" * 300)),
    read_text=then(lambda _s, text, *_: crash() if text and len(text) > 255 else text),
)
