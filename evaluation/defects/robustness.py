"""Defects that bad input brings out."""

import json
from collections.abc import Mapping
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import ABSENT, INVOICED, Ask, pay, raw
from evaluation.defects.defect import Witness, defect, witness
from evaluation.reference.service import Errors, Refusal, Service
from evaluation.reference.values import Json


def refused(ask: Ask, status: int = 400) -> Witness:
    """The request is refused with this status."""
    return witness(ask, sees=lambda a: a[0].status, correct=status)


class Failing(Service):
    """Fails where it should refuse."""

    def check(self, value: Json) -> None:
        """Raises what nobody catches."""

    @override
    def decode(self, content: bytes) -> Json:
        value = super().decode(content)
        self.check(value)
        return value


@defect("robustness", "D8", shown=refused(raw(b'{"LoadNumber": ')))
class MalformedBodyIsServerError(Service):
    """A body that is no JSON is answered with 500."""

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


@defect("robustness", "D8", shown=refused(raw(b"")))
class EmptyBodyIsServerError(Service):
    """An empty body is answered with 500."""

    @override
    def decode(self, content: bytes) -> Json:
        return super().decode(content) if content[0] else None


@defect("robustness", "D8", shown=refused(raw(b"null")))
class NullBodyIsServerError(Failing):
    """A body of `null` is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if value is None:
            raise TypeError


@defect("robustness", "D8", shown=refused(raw(b"[]")))
class ListBodyIsServerError(Failing):
    """A body that is a list is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, list):
            raise TypeError


@defect("robustness", "D8", shown=refused(raw(b'"text"')))
class ScalarBodyIsServerError(Failing):
    """A body that is a bare value is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, str | int | Decimal):
            raise TypeError


@defect("robustness", "D7", shown=refused(pay(Amount=10)))
class BareAmountIsServerError(Failing):
    """An amount that is a number instead of an object is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, Mapping) and isinstance(value.get("Amount"), int | Decimal | str | list):
            raise TypeError


@defect("robustness", "D5", shown=refused(pay(Amount=ABSENT)))
class MissingAmountIsServerError(Failing):
    """A payment without an amount is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, Mapping) and value.get("Amount") is None and "LoadNumber" in value:
            raise TypeError


@defect("robustness", "R5", shown=refused(pay(ReferenceNumber=ABSENT)))
class MissingReferenceIsServerError(Failing):
    """A payment without a reference is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, Mapping) and "LoadNumber" in value and "ReferenceNumber" not in value:
            raise KeyError


@defect("robustness", "D5", shown=refused(pay(LoadNumber=ABSENT)))
class MissingLoadNumberIsServerError(Failing):
    """A payment without a load number is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, Mapping) and "PaymentDate" in value and "LoadNumber" not in value:
            raise KeyError


@defect("robustness", "D7", shown=refused(pay(LoadNumber=7)))
class NumberAsLoadNumberIsServerError(Failing):
    """A load number that is sent as a number is answered with 500."""

    @override
    def check(self, value: Json) -> None:
        if isinstance(value, Mapping) and isinstance(value.get("LoadNumber"), int):
            raise TypeError


@defect("robustness", "D5", shown=refused(pay(PaymentDate=ABSENT)))
class MissingDateIsToday(Service):
    """A payment without a date is recorded with the current one."""

    @override
    def read_date(self, members: Mapping[str, Json], faults: Errors) -> str:
        return super().read_date({"PaymentDate": self.now()} | dict(members), faults)


@defect("robustness", "D7", shown=refused(pay(PaymentDate="tomorrow")))
class AnyTextIsDate(Service):
    """The date is stored unchecked."""

    @override
    def read_date(self, members: Mapping[str, Json], faults: Errors) -> str:
        value = members.get("PaymentDate")
        return value if isinstance(value, str) else super().read_date(members, faults)


@defect("robustness", "D8", shown=refused(pay(PaymentDate="2026-02-30T00:00:00Z")))
class ImpossibleDateIsServerError(Service):
    """A date that the calendar does not have is answered with 500."""

    @override
    def read_date(self, members: Mapping[str, Json], faults: Errors) -> str:
        value = super().read_date(members, faults)
        if value[5:10] in ("02-30", "02-29", "13-01") and "PaymentDate" in faults:
            raise ValueError
        return value


@defect("robustness", "D7", shown=refused(pay(PaymentDate=1_780_000_000)))
class NumberIsAcceptedAsDate(Service):
    """A date that is sent as seconds since 1970 is taken."""

    @override
    def read_date(self, members: Mapping[str, Json], faults: Errors) -> str:
        value = members.get("PaymentDate")
        if isinstance(value, int) and not isinstance(value, bool):
            return "2026-07-01T00:00:00Z"
        return super().read_date(members, faults)


@defect("robustness", "D7", shown=refused(pay(CheckNumber=20391)))
class NumberIsAcceptedAsText(Service):
    """An optional text that is sent as a number is taken as its digits."""

    @override
    def read_text(self, members: Mapping[str, Json], name: str, faults: Errors) -> str | None:
        value = members.get(name)
        if isinstance(value, int) and name in ("CheckNumber", "InvoiceNumber", "PaymentMethod", "Note"):
            return str(value)
        return super().read_text(members, name, faults)


@defect("robustness", "D8", shown=refused(raw(b"[" * 100_000)))
class NestingIsServerError(Service):
    """A body that is nested very deeply is answered with 500."""

    @override
    def decode(self, content: bytes) -> Json:
        if content.count(b"[") + content.count(b"{") > 1000:
            raise RecursionError
        return super().decode(content)


@defect(
    "robustness",
    "D8",
    shown=witness(pay(Number=Decimal("1e400")), sees=lambda a: a[0].status, correct=400),
)
class HugeNumberIsServerError(Service):
    """An amount beyond the range of a double is answered with 500."""

    @override
    def number(self, text: str) -> Decimal:
        if float(text) in (float("inf"), float("-inf")):
            raise RuntimeError
        return super().number(text)


@defect(
    "robustness",
    "D8",
    shown=refused(
        raw(
            b'{"LoadNumber":"%s","Amount":{"Amount":NaN,"Currency":840},"PaymentDate":'
            b'"2026-07-01T00:00:00Z","ReferenceNumber":"R-1"}' % INVOICED.encode()
        )
    ),
)
class NotANumberIsServerError(Service):
    """An amount of NaN, which is no JSON, is answered with 500."""

    @override
    def constant(self, text: str) -> Json:
        raise RuntimeError


@defect("robustness", "D8", shown=refused(raw(b'{"LoadNumber": "\xff"}')))
class InvalidUnicodeIsServerError(Service):
    """A body that is not UTF-8 is answered with 500."""

    @override
    def decode(self, content: bytes) -> Json:
        try:
            content.decode()
        except UnicodeDecodeError as invalid:
            raise RuntimeError from invalid
        return super().decode(content)


@defect(
    "robustness",
    "D8",
    shown=witness(pay(Note="{0} {name} %s"), sees=lambda a: a[0].status, correct=200),
)
class BracesAreServerError(Service):
    """Braces in a text are taken for a format."""

    @override
    def read_text(self, members: Mapping[str, Json], name: str, faults: Errors) -> str | None:
        text = super().read_text(members, name, faults)
        if text is not None and "{" in text:
            raise IndexError
        return text


@defect(
    "robustness",
    "A18",
    shown=witness(pay(Extra="x"), sees=lambda a: a[0].status, correct=200),
)
class UnknownMemberIsRefused(Service):
    """A member that the page does not list is refused."""

    @override
    def named(self, body: Mapping[str, Json], faults: Errors, *groups: tuple[str, ...]) -> Mapping[str, Json]:
        known = {name for group in groups for name in group}
        faults.update({name: ["The member is unknown."] for name in body if name not in known})
        return super().named(body, faults, *groups)


@defect(
    "robustness",
    "A11",
    shown=witness(
        pay(ReferenceNumber="", Number=0),
        sees=lambda a: sorted(str(a[0].at("errors", name)) for name in ("ReferenceNumber", "Amount.Amount")),
        correct=["['Amount must be greater than zero.']", "['The ReferenceNumber field is required.']"],
    ),
)
class OnlyFirstFaultIsReported(Service):
    """Of several faults only one is reported."""

    @override
    def refuse(self, refusal: Refusal) -> Response:
        first = dict([next(iter(refusal.faults.items()))])
        return super().refuse(Refusal(refusal.status, first))


@defect(
    "robustness",
    "R5",
    "A11",
    shown=witness(pay(ReferenceNumber="", Number=0), sees=lambda a: a[0].status, correct=400),
)
class TwoFaultsAreServerError(Service):
    """Two faults in one body are answered with 500."""

    @override
    def refuse(self, refusal: Refusal) -> Response:
        if len(refusal.faults) > 1:
            raise RuntimeError
        return super().refuse(refusal)


@defect(
    "robustness",
    "D6",
    shown=witness(
        pay(InvoiceNumber=None, PaymentMethod=None, CheckNumber=None, Note=None),
        sees=lambda a: a[0].status,
        correct=200,
    ),
)
class NullTextsAreRefused(Service):
    """Null is refused where the page allows it."""

    @override
    def read_text(self, members: Mapping[str, Json], name: str, faults: Errors) -> str | None:
        if name in members and members[name] is None and name != "LoadNumber":
            faults[name] = [f"The {name} field must be a string."]
        return super().read_text(members, name, faults)


@defect(
    "robustness",
    "D6",
    shown=witness(pay(), sees=lambda a: a[0].status, correct=200),
)
class OptionalMembersAreRequired(Service):
    """A payment without an invoice number is refused."""

    @override
    def read_text(self, members: Mapping[str, Json], name: str, faults: Errors) -> str | None:
        if name == "InvoiceNumber" and name not in members:
            faults[name] = ["The InvoiceNumber field is required."]
        return super().read_text(members, name, faults)


@defect(
    "robustness",
    "D5",
    shown=refused(pay(LoadNumber=" ")),
)
class BlankLoadNumberPaysFirst(Service):
    """A blank load number pays the first load there is that takes payments."""

    @override
    def read_load_number(self, members: Mapping[str, Json], faults: Errors) -> str:
        if members.get("LoadNumber") in ("", " ", "   "):
            return next(load.number for load in self.loads.values() if self.is_payable(load))
        return super().read_load_number(members, faults)


@defect(
    "robustness",
    "D8",
    shown=witness(
        Ask("HEAD", "/api/p/v1.0/invoices/customer-payments"), sees=lambda a: a[0].status, correct=405
    ),
)
class OtherMethodIsServerError(Service):
    """A method that the path does not have is answered with 500."""

    @override
    async def answer(self, request: Request) -> Response:
        if request.method not in ("GET", "POST"):
            raise NotImplementedError
        return await super().answer(request)


@defect(
    "robustness",
    "D8",
    shown=witness(pay(Note="x" * 5000, CheckNumber="1" * 300), sees=lambda a: a[0].status, correct=200),
)
class LongTextIsServerError(Service):
    """A text of more than 255 characters does not fit its column and is answered with 500."""

    @override
    def read_text(self, members: Mapping[str, Json], name: str, faults: Errors) -> str | None:
        text = super().read_text(members, name, faults)
        if text is not None and len(text) > 255:
            raise RuntimeError
        return text
