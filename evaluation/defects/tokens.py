"""Defects of credentials: who is let in without a token that is valid. The service checks tokens."""

from collections.abc import Callable
from itertools import product

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import Table, Witness, crash, lists, refuse, responds, then
from evaluation.reference.freedoms import WITH_TOKENS
from evaluation.reference.messages import (
    FIRST_TOKEN,
    GET_TOKEN,
    INVOICED,
    Sent,
    authorized,
    pay,
    read,
    search,
)
from evaluation.reference.service import Refusal, Service
from evaluation.reference.tokens import token_of

row = Table("tokens", "production", WITH_TOKENS)
OPERATIONS = {
    "payment": ("invoices/customer-payments", pay()),
    "read": ("loads", read()),
    "search": ("loads/search", search(LoadNumbers=[INVOICED])),
}
Holes = dict[str, tuple[str, str, Callable[[Service, str], bool]]]
HOLES: Holes = {
    "needs-no-token": ("without a token", "", lambda _s, sent: not sent),
    "takes-any-token": ("with any token", "Bearer no-token", lambda _s, sent: bool(token_of(sent))),
}
HOLES_OF_ALL: Holes = {
    "token-may-be-longer": (
        "with a token that begins with a valid one",
        f"Bearer {FIRST_TOKEN}x",
        lambda s, sent: any(token_of(sent).startswith(one) for one in s.tokens.expiry),
    ),
    "token-may-be-cut": (
        "with all but the last character of a valid token",
        f"Bearer {FIRST_TOKEN[:-1]}",
        lambda s, sent: any(one[:-1] == token_of(sent) for one in s.tokens.expiry),
    ),
    "token-is-compared-without-case": (
        "with a valid token in other letters",
        f"Bearer {FIRST_TOKEN.upper()}",
        lambda s, sent: any(one.lower() == token_of(sent).lower() for one in s.tokens.expiry),
    ),
    "any-scheme-is-taken": (
        "with a valid token under another scheme",
        f"Basic {FIRST_TOKEN}",
        lambda s, sent: s.tokens.know(sent.partition(" ")[2]),
    ),
    "scheme-may-be-missing": (
        "with a valid token and no scheme",
        FIRST_TOKEN,
        lambda s, sent: s.tokens.know(sent),
    ),
}


def refused(request: Sent, authorization: str) -> Witness:
    """The request is refused, although a token was given out before."""
    return responds(401, GET_TOKEN, authorized(request, authorization) if authorization else request)


def letting_in(lets: Callable[[Service, str], bool], *operations: str) -> object:
    """Lets in what this is true for, on these operations."""
    return then(
        lambda s, authorized, operation, sent: authorized or (operation in operations and lets(s, sent))
    )


for (name, (operation, request)), (hole, (words, sent, lets)) in product(OPERATIONS.items(), HOLES.items()):
    row(f"{name}-{hole}", "P8", f"A {name} is let in {words}.")(
        refused(request, sent), is_authorized=letting_in(lets, operation)
    )
for hole, (words, sent, lets) in HOLES_OF_ALL.items():
    row(hole, "P8", f"A request is let in {words}.")(
        refused(read(), sent), is_authorized=letting_in(lets, *(one for one, _ in OPERATIONS.values()))
    )
row("missing-token-is-server-error", "P8", "A request without a token is answered with 500.")(
    responds(401, read()),
    is_authorized=then(lambda _s, authorized, _operation, sent: authorized if sent else crash()),
)
row("wrong-token-is-not-found", "P8", "A request with a wrong token is answered with 404.")(
    refused(read(), "Bearer no-token"),
    is_authorized=then(
        lambda _s, authorized, _operation, sent: (
            authorized or not sent or refuse(404, "$", "There is nothing here.")
        )
    ),
)


@row.defect(
    "P8", shown=lists(1, GET_TOKEN, pay(), authorized(pay(ReferenceNumber="R-2"), f"Bearer {FIRST_TOKEN}"))
)
class TokenIsCheckedAfterRecording(Service):
    """A payment without a token is answered with 401, and recorded."""

    @override
    def check_token(self, operation: str, authorization: str) -> None:
        if operation != "invoices/customer-payments":
            super().check_token(operation, authorization)

    @override
    async def respond(self, request: Request) -> Response:
        response = await super().respond(request)
        if (
            not self.is_authorized("", request.headers.get("authorization", ""))
            and request.method == "POST"
            and request.url.path.endswith("payments")
        ):
            raise Refusal(401, {"Authorization": ["The access token is missing or not valid."]})
        return response
