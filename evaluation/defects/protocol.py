"""Defects of HTTP: media types, versions, methods, and the form of errors."""

import re
from collections.abc import Mapping

from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import (
    Table,
    Then,
    Witness,
    crash,
    given,
    having,
    refuse,
    responds,
    shows,
    then,
    without,
    witness,
)
from evaluation.reference.messages import DISPATCHED, MEDIA_TYPE, MISSING, PAYMENTS, Sent, pay
from evaluation.reference.service import Refusal, Service, sentences

REFUSED = pay(LoadNumber=DISPATCHED)
UNKNOWN = pay(LoadNumber="SL-NONE")
PLAIN_TEXT = responds(415, pay().typed("text/plain"))
PROBLEM_TYPE = witness(REFUSED, sees=lambda r: r[0].media_type, correct="application/problem+json")
row = Table("protocol")


def taken(media_type: str) -> Witness:
    """A payment of this media type is recorded."""
    return responds(200, pay().typed(media_type))


def version(number: str, correct: int) -> Witness:
    """A payment to this version has this status."""
    return responds(correct, pay().to(PAYMENTS.replace("1.0", number)))


def present(name: str, *more: str) -> Witness:
    """A problem has this field."""
    return witness(REFUSED, sees=lambda r: r[0].at(name, *more) is MISSING, correct=False)


def refusing(refused: str) -> Then:
    """Does not take one of the media types."""
    return then(lambda _s, taken, media_type: taken and media_type != refused)


row("json-patch-is-refused", "R8", "The page's own media type is refused.")(
    taken(MEDIA_TYPE), takes_media_type=refusing(MEDIA_TYPE)
)
row("json-is-refused", "A4", "`application/json` is refused.")(
    taken("application/json"), takes_media_type=refusing("application/json")
)
row("text-json-is-refused", "A4", "`text/json` is refused.")(
    taken("text/json"), takes_media_type=refusing("text/json")
)
row(
    "json-suffix-is-refused", "A4", "A media type that ends in `+json` is refused, but for that of the page."
)(
    taken("application/vnd.alvys+json"),
    takes_media_type=lambda _s, media_type: media_type in (MEDIA_TYPE, "application/json", "text/json"),
)
row("charset-is-refused", "A4", "A media type with a charset is refused.")(
    taken(f"{MEDIA_TYPE}; charset=utf-8"), takes_charset=lambda _s, parameters: not parameters
)
row("any-media-type-is-taken", "A4", "Every media type is read as JSON.")(
    PLAIN_TEXT, takes_media_type=lambda _s, _media_type: True
)
row("other-media-type-is-server-error", "D8", "Another media type is answered with 500.")(
    PLAIN_TEXT,
    takes_media_type=then(lambda _s, taken, media_type: taken or (crash() if media_type else False)),
)
row("answer-is-text", "R8", "A response to a payment is sent as `text/plain`.")(
    witness(pay(), sees=lambda r: r[0].media_type, correct="application/json"),
    ok=lambda s, fields: s.send(200, fields, "text/plain"),
)
row("error-is-page", "A3 R8", "An error is an HTML page.")(
    PROBLEM_TYPE,
    problem=lambda _s, status, errors: Response(
        f"<html><p>{' '.join(sentences(errors))}</p></html>", status, media_type="text/html"
    ),
)
row("errors-are-ok", "R2 R8", "An error is a problem document with status 200.")(
    responds(400, REFUSED), send=given(lambda *_: 200)
)
row("problem-status-differs", "A2", "The `status` of a problem is 500, whatever the response's is.")(
    shows(400, REFUSED, at="status"), problem_fields=having(status=500)
)
row("problem-status-is-text", "A2", "The `status` of a problem is a text.")(
    witness(REFUSED, sees=lambda r: isinstance(r[0].at("status"), int), correct=True),
    problem_fields=then(lambda _s, fields, status, _errors: fields | {"status": str(status)}),
)
row("problem-type-is-always-bad-request", "A2", "The `type` of every problem is that of 400.")(
    witness(UNKNOWN, sees=lambda r: str(r[0].at("type"))[-6:], correct="15.5.5"),
    problem_type=given(lambda *_: 400),
)
row("problem-title-is-always-error", "A2", "The `title` of every problem is Error.")(
    shows("Not Found", UNKNOWN, at="title"), problem_title=lambda *_: "Error"
)
row("trace-id-is-missing", "A2", "A problem has no `traceId`.")(
    present("traceId"), problem_fields=without("traceId")
)
row("problem-title-is-missing", "A2", "A problem has no `title`.")(
    present("title"), problem_fields=without("title")
)
row("trace-id-is-constant", "A2", "All problems have the same `traceId`.")(
    witness(REFUSED, REFUSED, sees=lambda r: r[0].at("traceId") == r[1].at("traceId"), correct=False),
    trace_id=lambda _s: f"00-{'a' * 32}-{'b' * 16}-01",
)
row("errors-are-missing", "A2", "A problem of 400 has no `errors`.")(
    present("errors"), problem_fields=without("errors")
)
row("errors-have-one-key", "A2", "The `errors` of every problem are under one key.")(
    present("errors", "Status"),
    problem_fields=then(
        lambda _s, fields, _status, errors: (
            fields | {"errors": {"general": sentences(errors)}} if "errors" in fields else fields
        )
    ),
)
row("paths-are-case-sensitive", "A5", "A path in other letters is not found.")(
    responds(200, pay().to(PAYMENTS.replace("invoices", "Invoices"))), path_flags=re.NOFLAG
)
row("any-version-is-taken", "A5", "Every version is served.")(
    version("9.9", 404), check_version=lambda _s, _version: None
)
row("only-long-versions-are-taken", "A5", "Version `1` is not found, only `1.0` is.")(
    version("1", 200), versions=("1.0", "2.0")
)
row("default-version-is-not-found", "R1", "A payment to the page's default version is not found.")(
    version("1.0", 200),
    route=then(
        lambda _s, found, _path: (
            refuse(404, "$", "There is nothing here.")
            if found == ("1.0", "invoices/customer-payments")
            else found
        )
    ),
)
row("other-method-is-not-found", "Q8", "A method that the path does not have is answered with 404.")(
    responds(405, Sent("PUT", PAYMENTS)),
    refuse=given(lambda _s, refusal: Refusal(404, refusal.errors) if refusal.status == 405 else refusal),
)


@row.defect(
    "Q30", shown=witness(Sent("PUT", PAYMENTS), sees=lambda r: r[0].headers.get("allow"), correct="POST")
)
class AllowIsMissing(Service):
    """A response of 405 does not say which methods there are."""

    @override
    def refuse(self, refusal: Refusal) -> Response:
        response = super().refuse(refusal)
        if "allow" in response.headers:
            del response.headers["allow"]
        return response


row("payment-is-created", "D8", "A payment is answered with 201 instead of 200.")(
    responds(200, pay()),
    send=given(
        lambda _s, status, fields, _media_type: (
            201 if isinstance(fields, Mapping) and "CustomerPayments" in fields else status
        )
    ),
)
row("problem-is-plain-json", "A3", "A problem is sent as `application/json`.")(
    PROBLEM_TYPE,
    send=lambda s, status, fields, _media_type: Service.send(s, status, fields, "application/json"),
)
