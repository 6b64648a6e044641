"""Defects of time: what is right for some seconds, at some hours, on some days."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.defects.defect import Table, Then, Witness, lists, shows, then, witness
from evaluation.defects.memory import Remembering
from evaluation.reference.messages import INVOICED, Pause, pay, read
from evaluation.reference.service import Service, instant
from evaluation.reference.values import Load, Payment, Posted

SECOND = pay(ReferenceNumber="R-2")
row = Table("windows", "production")


class Timed(Remembering):
    """Recognises a replay only while the original has the right age, in seconds."""

    @override
    def stamp(self) -> float:
        return self.clock()

    def age(self, stamp: float) -> float:
        """How old a payment with this stamp is."""
        return self.clock() - stamp


for words, seconds in (("a-second", 1), ("ten-seconds", 10), ("a-minute", 60)):
    row(
        f"reference-is-known-for-{words}", "R6", f"A replay is recognised for {words.replace('-', ' ')} only."
    )(
        lists(1, pay(), Pause(seconds + 0.1), pay()),
        parent=Timed,
        remembers=lambda s, stamp, seconds=seconds: s.age(stamp) < seconds,
    )
row(
    "reference-is-unknown-for-a-moment", "R6", "A reference is recognised only 200 ms after it was recorded."
)(lists(1, pay(), pay()), parent=Timed, remembers=lambda s, stamp: s.age(stamp) >= 0.2)


def alike(*names: str, within: float) -> Then:
    """Takes a payment for a replay if one with the same values was recorded so many seconds before."""

    def find(s: Timed, found: Payment | None, load: Load, posted: Posted) -> Payment | None:
        values = [getattr(posted, name) for name in names]
        return found or next(
            (
                one
                for one in load.payments
                if [getattr(one, name) for name in names] == values and s.age(s.stamps[one.id]) < within
            ),
            None,
        )

    return then(find)


row("second-click-is-swallowed", "D4", "Of two payments on a load within one second the second is dropped.")(
    lists(2, pay(), SECOND), parent=Timed, remembers=lambda *_: True, find_original=alike(within=1)
)
row(
    "equal-payment-is-swallowed",
    "D4",
    "A payment of the same amount and date within five minutes is taken for a replay of the first.",
)(
    lists(2, pay(), SECOND),
    parent=Timed,
    remembers=lambda *_: True,
    find_original=alike("amount", "date", within=300),
)


class Cached(Service):
    """Answers a read as it answered the same one so many seconds ago."""

    seconds = 30.0
    answers: Mapping[str, tuple[float, bytes]] = {}

    def cache_key(self, request: Request) -> str:
        """What a read has in common with another that gets the same response."""
        return str(request.url)

    @override
    async def respond(self, request: Request) -> Response:
        if request.method != "GET":
            return await super().respond(request)
        key = self.cache_key(request)
        at, body = self.answers.get(key, (-self.seconds, b""))
        if self.clock() - at >= self.seconds:
            body = bytes((await super().respond(request)).body)
            self.answers = {**self.answers, key: (self.clock(), body)}
        return Response(body, 200, {"content-type": "application/json"})


row("read-is-cached-for-half-a-minute", "R7", "A read of a load is answered from a cache of 30 seconds.")(
    lists(1, read(), pay(), read(), of="payments"), parent=Cached
)
row("read-is-cached-by-digits", "P1", "Reads are cached by the last two digits of what they ask for.")(
    shows(INVOICED, read(f"SL-25{INVOICED[-2:]}"), read(), at="LoadNumber"),
    parent=Cached,
    seconds=3.0,
    cache_key=lambda _s, request: str(request.url)[-2:],
)


@row.defect("R7", shown=lists(1, pay(), read(), of="payments"))
class TotalIsSeenBeforePayments(Timed):
    """A load shows a payment in its total at once, in its list half a minute later."""

    @override
    def remembers(self, stamp: float) -> bool:
        return True

    @override
    def listed_on_load(self, load: Load) -> list[Payment]:
        return [one for one in load.payments if self.age(self.stamps[one.id]) > 30]


def dated(sent: str, change: timedelta, form: str = "%Y-%m-%dT%H:%M:%SZ") -> Then:
    """Shows another date if the request's instant, in UTC, ends like this."""

    def show(_s: Service, text: str, date: str) -> str:
        moment = instant(date)[0]
        return (moment + change).strftime(form) if sent in moment.strftime("%m-%dT%H:%M:%S") else text

    return then(show)


def day(date: str) -> Witness:
    """A payment shows the day that was sent."""
    return witness(
        pay(PaymentDate=date), sees=lambda r: str(r[0].paid(0, "PaymentDate"))[:10], correct=date[:10]
    )


row("midnight-falls-to-the-day-before", "D2", "A date at midnight is taken for local, and is a day early.")(
    day("2026-07-01T00:00:00Z"), date_text=dated("T00:00:00", timedelta(hours=-5))
)
row("date-is-shown-in-server-zone", "D2", "A date comes back as the wall time of Denver, without a zone.")(
    day("2026-07-01T03:00:00Z"),
    date_text=dated("", timedelta(hours=-6), "%Y-%m-%dT%H:%M:%S"),
)
row("last-days-belong-to-next-year", "D2", "The year of a date is that of its week: 2025-12-30 is in 2026.")(
    day("2025-12-30T12:00:00Z"), date_text=dated("12-3", timedelta(), "%G-%m-%dT%H:%M:%SZ")
)
row("leap-day-is-march", "D2", "29 February comes back as 1 March.")(
    day("2028-02-29T12:00:00Z"), date_text=dated("02-29", timedelta(days=1))
)
row("month-and-day-are-swapped", "D2", "Month and day of a date are swapped where the calendar allows it.")(
    day("2026-07-01T12:00:00Z"),
    date_text=then(
        lambda _s, text, _sent: (
            f"{text[:5]}{text[8:10]}-{text[5:7]}{text[10:]}" if text[8:10] < "13" else text
        )
    ),
)
