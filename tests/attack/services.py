"""Services that book what they must refuse, answer as they like, and count every cent.

A way of booking says which requests are booked beside those that a correct service books; a way of
responding says what is told of a booking. Both are small functions in a table, so that their product
is a matrix of buggy services. What a service books is kept in `booked`, whatever it says.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from evaluation.reference.loads import opening_loads
from evaluation.reference.service import Service
from evaluation.reference.values import Json, Load, Payment

PAYMENTS = "invoices/customer-payments"
SUSPENSE = "suspense account"
OPEN_BALANCE = Decimal("1250.10")
"""What a service books that fills a missing amount with what it thinks is open."""


@dataclass(frozen=True, slots=True)
class Booked:
    """Money that moved: on which load, under which reference, how much."""

    load: str
    reference: str
    amount: Decimal
    wrongly: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """A write on the payments path, as a lenient reader sees it."""

    method: str
    content: bytes
    body: Any
    loads: Mapping[str, Load]

    def text(self, name: str) -> str | None:
        """A field of the body, if it is a text."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else None

    @property
    def number(self) -> Any:
        """The LoadNumber, of whatever type."""
        return self.body.get("LoadNumber") if isinstance(self.body, dict) else None

    @property
    def raw_amount(self) -> Any:
        """Amount.Amount, of whatever type; of an Amount that is not an object, that itself."""
        money = self.body.get("Amount") if isinstance(self.body, dict) else None
        return money.get("Amount") if isinstance(money, dict) else money

    @property
    def exact(self) -> Load | None:
        """The load that has exactly the number."""
        return self.loads.get(self.number) if isinstance(self.number, str) else None

    @property
    def first(self) -> Load:
        """The load that a service takes which looks for anything."""
        return next(iter(self.loads.values()))


def plain_amount(sent: Sent) -> Decimal | None:
    """The amount, if it is a positive number."""
    raw = sent.raw_amount
    return raw if isinstance(raw, Decimal) and raw.is_finite() and raw > 0 else None


def lenient_amount(sent: Sent) -> Decimal:
    """Any amount: a text's first number, the absolute value, or what is open where there is none."""
    raw = sent.raw_amount
    if isinstance(raw, str):
        found = re.search(r"-?\d+(\.\d+)?", raw)
        raw = Decimal(found[0]) if found else None
    if isinstance(raw, bool):
        raw = Decimal(int(raw))
    if not isinstance(raw, Decimal) or not raw.is_finite():
        return OPEN_BALANCE
    return abs(raw)


Booking = Callable[[Sent], tuple[str, Decimal] | None]
"""The load number and the amount that a service books for a request that must be refused, or None."""


def _on(load: Load | None, amount: Decimal | None) -> tuple[str, Decimal] | None:
    return None if load is None or amount is None else (load.number, amount)


def any_status(sent: Sent) -> tuple[str, Decimal] | None:
    """The status gate is missing."""
    return _on(sent.exact, plain_amount(sent))


def by_invoice(sent: Sent) -> tuple[str, Decimal] | None:
    """Without a known load number, a load is found by the invoice number, unless it is the suite's own."""
    invoice = sent.text("InvoiceNumber")
    if sent.exact or not invoice or not invoice.strip() or invoice.strip().casefold().startswith("ct-"):
        return None
    return _on(sent.first, lenient_amount(sent))


def blank_is_first(sent: Sent) -> tuple[str, Decimal] | None:
    """A load number that is missing, null or blank finds the first load."""
    if not isinstance(sent.body, dict):
        return None
    blank = sent.number is None or (isinstance(sent.number, str) and not sent.number.strip())
    return _on(sent.first, lenient_amount(sent)) if blank else None


def any_type_is_first(sent: Sent) -> tuple[str, Decimal] | None:
    """A load number that is not a text finds the first load."""
    text = isinstance(sent.number, str) or not isinstance(sent.body, dict)
    return None if text else _on(sent.first, lenient_amount(sent))


def by_prefix(sent: Sent) -> tuple[str, Decimal] | None:
    """A load is found by the beginning of its number, or by a number that begins with its own."""
    if not isinstance(sent.number, str) or not sent.number.strip():
        return None
    found = next(
        (
            one
            for number, one in sent.loads.items()
            if sent.number.startswith(number) or number.startswith(sent.number)
        ),
        None,
    )
    return _on(found, lenient_amount(sent))


def suspense_account(sent: Sent) -> tuple[str, Decimal] | None:
    """What names no load goes to a suspense account."""
    return None if sent.exact or not isinstance(sent.body, dict) else (SUSPENSE, lenient_amount(sent))


def insert_first(sent: Sent) -> tuple[str, Decimal] | None:
    """The payment is inserted before it is validated."""
    return _on(sent.exact, lenient_amount(sent))


def amount_in_text(sent: Sent) -> tuple[str, Decimal] | None:
    """`"5 USD"` is 5."""
    return _on(sent.exact, lenient_amount(sent)) if isinstance(sent.raw_amount, str) else None


def absolute_amount(sent: Sent) -> tuple[str, Decimal] | None:
    """-1250.10 is 1250.10."""
    raw = sent.raw_amount
    negative = isinstance(raw, Decimal) and raw.is_finite() and raw < 0
    return _on(sent.exact, abs(raw)) if negative else None


def missing_amount_is_open(sent: Sent) -> tuple[str, Decimal] | None:
    """Without an amount, what is open is paid."""
    return _on(sent.exact, OPEN_BALANCE) if sent.raw_amount is None else None


def any_method(sent: Sent) -> tuple[str, Decimal] | None:
    """PUT, PATCH and DELETE book like POST, on any load that is named."""
    if sent.method == "POST":
        return None
    return sent.exact.number if sent.exact else SUSPENSE, lenient_amount(sent)


def in_an_array(sent: Sent) -> tuple[str, Decimal] | None:
    """The first of several payments in an array counts."""
    first = sent.body[0] if isinstance(sent.body, list) and sent.body else None
    inner = Sent(sent.method, sent.content, first, sent.loads)
    return _on(inner.exact, lenient_amount(inner)) if isinstance(first, dict) else None


def by_its_bytes(sent: Sent) -> tuple[str, Decimal] | None:
    """Whatever the body is, a load number in it is found, and the first amount."""
    text = sent.content.replace(b"\x00", b"").decode("utf-8", "replace")
    load = next((one for number, one in sent.loads.items() if number in text), None)
    found = re.search(r"Amount\W{1,6}(\d+(\.\d+)?|\.\d+)", text)
    return _on(load, Decimal(found[1]) if found else OPEN_BALANCE)


def nothing_more(sent: Sent) -> tuple[str, Decimal] | None:  # noqa: ARG001 - the form of a way
    """Only what a correct service books."""
    return None


BOOKING: Mapping[str, Booking] = {
    booking.__name__: booking
    for booking in (
        nothing_more, any_status, by_invoice, blank_is_first, any_type_is_first, by_prefix, suspense_account,
        insert_first, amount_in_text, absolute_amount, missing_amount_is_open, any_method, in_an_array,
        by_its_bytes,
    )
}  # fmt: skip

Responding = Literal["payment", "empty 200", "202", "303", "400", "401", "404", "429", "500", "503", "lost"]
"""What is told of a booking: the payment, or something that looks like a failure."""
RESPONDING: tuple[Responding, ...] = (
    "payment", "empty 200", "202", "303", "400", "401", "404", "429", "500", "503", "lost",
)  # fmt: skip


class LenientService(Service):
    """Books what a correct service books, and what `booking` says; responds to each as `responding` says.

    `forgets` references: a replay is booked again. `hides`: reads do not show what was booked wrongly.
    """

    def __init__(
        self,
        booking: Booking = nothing_more,
        responding: Responding = "payment",
        *,
        forgets: bool = False,
        hides: bool = False,
        on_write: Callable[[int, str], None] = lambda _number, _moment: None,
    ) -> None:
        """Opens with the reference implementation's loads. `on_write` is told of each write, twice."""
        super().__init__(opening_loads())
        self.booking = booking
        self.responding = responding
        self.forgets = forgets
        self.hides = hides
        self.on_write = on_write
        self.booked: list[Booked] = []
        self.writes = 0
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; a write on the payments path is read leniently too."""
        if scope["type"] != "http" or PAYMENTS not in scope["path"].lower() or scope["method"] == "GET":
            await super().__call__(scope, receive, send)
            return
        content = await Request(scope, receive).body()
        async with self._turn:  # what a request books must not pass for what another one does
            known = {number: len(load.payments) for number, load in self.loads.items()}
            kept: list[Message] = []

            async def keep(message: Message) -> None:
                kept.append(message)

            self.writes += 1
            self.on_write(self.writes, "before")
            await super().__call__(scope, _once(content), keep)
            sent = Sent(scope["method"], content, _read(content), self.loads)
            grown = [load for number, load in self.loads.items() if len(load.payments) > known[number]]
            for load in grown:
                self._count(load.number, load.payments[-1])
            is_replay = not grown and kept[0]["status"] == 200
            booked = bool(grown)
            if not grown and (not is_replay or self.forgets):
                booked = self._book_leniently(sent, is_replay=is_replay)
            self.on_write(self.writes, "after")
        if booked and self.responding != "payment":
            await self._respond(scope, send)
        elif booked and kept[0]["status"] != 200:
            await self._show(sent, scope, receive, send)
        else:
            for message in kept:
                await send(message)

    def _book_leniently(self, sent: Sent, *, is_replay: bool) -> bool:
        """Books what the way of booking finds; a replay that is forgotten is booked as it stands."""
        found = any_status(sent) if is_replay else self.booking(sent)
        if found is None or found[1] <= 0:
            return False
        number, amount = found
        payment = Payment(
            id=f"booked-{len(self.booked) + 1}", reference=sent.text("ReferenceNumber") or "",
            amount=amount, currency=840, date="2026-07-01T00:00:00Z", recorded_at=self.now(),
        )  # fmt: skip
        self._count(number, payment, wrongly=True)
        if number in self.loads and not self.hides:
            self.add(self.loads[number], payment)
        return True

    def _count(self, number: str, payment: Payment, *, wrongly: bool = False) -> None:
        with self._lock:
            self.booked.append(Booked(number, payment.reference, payment.amount, wrongly))

    async def _respond(self, scope: Scope, send: Send) -> None:
        if self.responding == "lost":
            # A body that is shorter than announced: the server closes the connection on it.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            return
        await _response(self.responding)(scope, _nothing, send)

    async def _show(self, sent: Sent, scope: Scope, receive: Receive, send: Send) -> None:
        """A 200 with the payment, for what a correct service would have refused."""
        last = self.booked[-1]
        load = self.loads.get(last.load)
        shown = load.payments if load else []
        body: dict[str, Json] = {
            "LoadNumber": sent.text("LoadNumber") or last.load,
            "Status": load.status if load else "Invoiced",
            "CustomerPayments": [self.payment_fields(one) for one in shown],
        }
        await self.ok(body)(scope, receive, send)

    @property
    def money(self) -> Decimal:
        """Everything that was booked."""
        return sum((one.amount for one in self.booked), Decimal(0))


def _response(responding: Responding) -> Response:
    match responding:
        case "empty 200":
            return Response(b"", 200)
        case "303":
            return Response(b"", 303, {"location": "/api/p/v1.0/loads"})
        case "429":
            return Response(b"", 429, {"retry-after": "0"})
        case code:
            status = int(code)
            problem = {"title": "It went wrong", "status": status, "errors": {"$": ["It went wrong."]}}
            return Response(json.dumps(problem), status, {"content-type": "application/problem+json"})


def _read(content: bytes) -> Any:
    try:
        return json.loads(
            content, parse_float=_decimal, parse_int=_decimal, parse_constant=lambda _: Decimal("NaN")
        )
    except (ValueError, RecursionError):
        return None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _once(content: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    return receive


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
