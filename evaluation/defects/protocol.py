"""Defects of HTTP: media types, versions, methods, and the form of errors."""

import re
from collections.abc import Mapping, Sequence

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.asking import DISPATCHED, MEDIA_TYPE, MISSING, PAYMENTS, Ask, pay
from evaluation.defects.defect import Witness, defect, witness
from evaluation.reference.service import Refusal, Service
from evaluation.reference.values import Json

REFUSED = pay(LoadNumber=DISPATCHED)
UNKNOWN = pay(LoadNumber="SL-NONE")


def taken(media_type: str) -> Witness:
    """A payment of this media type is recorded."""
    return witness(pay().typed(media_type), sees=lambda a: a[0].status, correct=200)


class Taking(Service):
    """Does not take one of the media types."""

    refused: str

    @override
    def takes_media_type(self, media_type: str) -> bool:
        return media_type != self.refused and super().takes_media_type(media_type)


@defect("protocol", "R8", shown=taken(MEDIA_TYPE))
class JsonPatchIsRefused(Taking):
    """The page's own media type is refused."""

    refused = MEDIA_TYPE


@defect("protocol", "A4", shown=taken("application/json"))
class JsonIsRefused(Taking):
    """`application/json` is refused."""

    refused = "application/json"


@defect("protocol", "A4", shown=taken("text/json"))
class TextJsonIsRefused(Taking):
    """`text/json` is refused."""

    refused = "text/json"


@defect("protocol", "A4", shown=taken("application/vnd.alvys+json"))
class JsonSuffixIsRefused(Service):
    """A media type that ends in `+json` is refused, but for that of the page."""

    @override
    def takes_media_type(self, media_type: str) -> bool:
        return media_type in (MEDIA_TYPE, "application/json", "text/json")


@defect("protocol", "A4", shown=taken(f"{MEDIA_TYPE}; charset=utf-8"))
class CharsetIsRefused(Service):
    """A media type with a charset is refused."""

    @override
    def takes_charset(self, parameters: str) -> bool:
        return not parameters


@defect("protocol", "A4", shown=witness(pay().typed("text/plain"), sees=lambda a: a[0].status, correct=415))
class AnyMediaTypeIsTaken(Service):
    """Every media type is read as JSON."""

    @override
    def takes_media_type(self, media_type: str) -> bool:
        return True


@defect("protocol", "D8", shown=witness(pay().typed("text/plain"), sees=lambda a: a[0].status, correct=415))
class OtherMediaTypeIsServerError(Service):
    """Another media type is answered with 500."""

    @override
    def takes_media_type(self, media_type: str) -> bool:
        if media_type and not super().takes_media_type(media_type):
            raise RuntimeError
        return bool(media_type)


@defect("protocol", "R8", shown=witness(pay(), sees=lambda a: a[0].media_type, correct="application/json"))
class AnswerIsText(Service):
    """An answer to a payment is sent as `text/plain`."""

    @override
    def ok(self, members: Json) -> Response:
        return self.send(200, members, "text/plain")


@defect(
    "protocol",
    "A3",
    "R8",
    shown=witness(REFUSED, sees=lambda a: a[0].media_type, correct="application/problem+json"),
)
class ErrorIsPage(Service):
    """An error is an HTML page."""

    @override
    def problem(self, status: int, faults: Mapping[str, Sequence[str]]) -> Response:
        text = " ".join(sentence for member in faults.values() for sentence in member)
        return Response(f"<html><p>{text}</p></html>", status, media_type="text/html")


@defect("protocol", "R2", "R8", shown=witness(REFUSED, sees=lambda a: a[0].status, correct=400))
class ErrorsAreOk(Service):
    """An error is a problem document with status 200."""

    @override
    def send(self, status: int, members: Json, media_type: str) -> Response:
        return super().send(200, members, media_type)


@defect("protocol", "A2", shown=witness(REFUSED, sees=lambda a: a[0].at("status"), correct=400))
class ProblemStatusDiffers(Service):
    """The `status` of a problem is 500, whatever the answer's is."""

    @override
    def problem_members(self, status: int, faults: Mapping[str, Sequence[str]]) -> dict[str, Json]:
        return super().problem_members(status, faults) | {"status": 500}


@defect(
    "protocol", "A2", shown=witness(REFUSED, sees=lambda a: isinstance(a[0].at("status"), int), correct=True)
)
class ProblemStatusIsText(Service):
    """The `status` of a problem is a text."""

    @override
    def problem_members(self, status: int, faults: Mapping[str, Sequence[str]]) -> dict[str, Json]:
        return super().problem_members(status, faults) | {"status": str(status)}


@defect(
    "protocol",
    "A2",
    shown=witness(UNKNOWN, sees=lambda a: str(a[0].at("type"))[-6:], correct="15.5.5"),
)
class ProblemTypeIsAlwaysBadRequest(Service):
    """The `type` of every problem is that of 400."""

    @override
    def problem_type(self, status: int) -> str:
        return super().problem_type(400)


@defect("protocol", "A2", shown=witness(UNKNOWN, sees=lambda a: a[0].at("title"), correct="Not Found"))
class ProblemTitleIsAlwaysError(Service):
    """The `title` of every problem is Error."""

    @override
    def problem_title(self, status: int) -> str:
        return "Error"


class Dropping(Service):
    """Leaves a member out of problems."""

    member: str

    @override
    def problem_members(self, status: int, faults: Mapping[str, Sequence[str]]) -> dict[str, Json]:
        members = super().problem_members(status, faults)
        members.pop(self.member, None)
        return members


@defect("protocol", "A2", shown=witness(REFUSED, sees=lambda a: a[0].at("traceId") is MISSING, correct=False))
class TraceIdIsMissing(Dropping):
    """A problem has no `traceId`."""

    member = "traceId"


@defect("protocol", "A2", shown=witness(REFUSED, sees=lambda a: a[0].at("title") is MISSING, correct=False))
class ProblemTitleIsMissing(Dropping):
    """A problem has no `title`."""

    member = "title"


@defect(
    "protocol",
    "A2",
    shown=witness(REFUSED, REFUSED, sees=lambda a: a[0].at("traceId") == a[1].at("traceId"), correct=False),
)
class TraceIdIsConstant(Service):
    """All problems have the same `traceId`."""

    @override
    def trace_id(self) -> str:
        return f"00-{'a' * 32}-{'b' * 16}-01"


@defect("protocol", "A2", shown=witness(REFUSED, sees=lambda a: a[0].at("errors") is MISSING, correct=False))
class ErrorsAreMissing(Dropping):
    """A problem of 400 has no `errors`."""

    member = "errors"


@defect(
    "protocol",
    "A2",
    shown=witness(REFUSED, sees=lambda a: a[0].at("errors", "Status") is MISSING, correct=False),
)
class ErrorsHaveOneKey(Service):
    """The `errors` of every problem are under one key."""

    @override
    def problem_members(self, status: int, faults: Mapping[str, Sequence[str]]) -> dict[str, Json]:
        members = super().problem_members(status, faults)
        if "errors" in members:
            members["errors"] = {"general": [sentence for member in faults.values() for sentence in member]}
        return members


@defect(
    "protocol",
    "A5",
    shown=witness(
        pay().to(PAYMENTS.replace("invoices", "Invoices")), sees=lambda a: a[0].status, correct=200
    ),
)
class PathsAreCaseSensitive(Service):
    """A path in other letters is not found."""

    path_flags = re.NOFLAG


def version(number: str, correct: int) -> Witness:
    """A payment to this version has this status."""
    return witness(pay().to(PAYMENTS.replace("1.0", number)), sees=lambda a: a[0].status, correct=correct)


@defect("protocol", "A5", shown=version("9.9", 404))
class AnyVersionIsTaken(Service):
    """Every version is served."""

    @override
    def check_version(self, version: str) -> None:
        return


@defect("protocol", "A5", shown=version("1", 200))
class OnlyLongVersionsAreTaken(Service):
    """Version `1` is not found, only `1.0` is."""

    versions = ("1.0", "2.0")


@defect("protocol", "R1", shown=version("1.0", 200))
class DefaultVersionIsNotFound(Service):
    """A payment to the page's default version is not found."""

    @override
    def route(self, path: str) -> tuple[str, str]:
        version, operation = super().route(path)
        if (version, operation) == ("1.0", "invoices/customer-payments"):
            raise Refusal(404, {"$": ["There is nothing here."]})
        return version, operation


@defect("protocol", "Q8", shown=witness(Ask("PUT", PAYMENTS), sees=lambda a: a[0].status, correct=405))
class OtherMethodIsNotFound(Service):
    """A method that the path does not have is answered with 404."""

    @override
    def refuse(self, refusal: Refusal) -> Response:
        return super().refuse(Refusal(404, refusal.faults) if refusal.status == 405 else refusal)


@defect(
    "protocol",
    "Q30",
    shown=witness(Ask("PUT", PAYMENTS), sees=lambda a: a[0].headers.get("allow"), correct="POST"),
)
class AllowIsMissing(Service):
    """An answer of 405 does not say which methods there are."""

    @override
    def refuse(self, refusal: Refusal) -> Response:
        response = super().refuse(refusal)
        if "allow" in response.headers:
            del response.headers["allow"]
        return response


@defect("protocol", "D8", shown=witness(pay(), sees=lambda a: a[0].status, correct=200))
class PaymentIsCreated(Service):
    """A payment is answered with 201 instead of 200."""

    @override
    def send(self, status: int, members: Json, media_type: str) -> Response:
        recorded = isinstance(members, Mapping) and "CustomerPayments" in members
        return super().send(201 if recorded else status, members, media_type)


@defect(
    "protocol",
    "A3",
    shown=witness(REFUSED, sees=lambda a: a[0].media_type, correct="application/problem+json"),
)
class ProblemIsPlainJson(Service):
    """A problem is sent as `application/json`."""

    @override
    def send(self, status: int, members: Json, media_type: str) -> Response:
        return super().send(status, members, "application/json")
