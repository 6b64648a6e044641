"""The client: the only thing that opens a socket to the target."""

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode

import httpx2

from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.paths import LOADS_PATH, SEARCH_PATH
from contract_tests.safety.credentials import Credentials, CredentialsError, Secret
from contract_tests.safety.exposure import Exposure, Fate, same_reference
from contract_tests.safety.guard import Guard, MustRead, Permit, Refused, Stop
from contract_tests.safety.intent import Action, Intent, intent_of
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import (
    LOAD_SEPARATOR,
    RECORDED,
    REFUSED,
    SENDING,
    UNKNOWN,
    LoggedPayment,
    LogUnusableError,
    PaymentLog,
    now,
    settled,
)
from contract_tests.safety.rate import Pace
from contract_tests.safety.sight import SeenLoad, SeenPayment, loads_in, payments_in
from contract_tests.safety.transport import (
    EndlessResponseError,
    Limits,
    LostResponseError,
    Transport,
    UnreachableError,
)

NO_RESPONSE: Final = 0
"""The status of a response that never came. No contract allows it, so an oracle reports it."""

_OUR_HEADERS: Final = {"User-Agent": "alvys-contract", "Accept": "*/*", "Accept-Encoding": "identity"}
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_RESENDS_AFTER_429: Final = 3
_LONGEST_WAIT_SECONDS: Final = 300.0
_DEFAULT_WAIT_SECONDS: Final = 60.0
_ENOUGH_FOR_A_SEARCH: Final = 3
_SILENCES_BEFORE_STOP: Final = 5
_SAYS_NOTHING: Final = frozenset({401, 403, 429})
"""Refusals of the caller rather than of the payment: the load is read before it is sent again."""
_OK: Final = 200
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""In a header, what the HTTP library refuses only after the record says that the payment is sent."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """One request, built and read by the guard, with what is needed to send it again."""

    request: Request
    wire: httpx2.Request
    intent: Intent


class GuardedClient:
    """Sends requests to one target, through the guard.

    Safe to call from threads. `sleep` waits for a Retry-After; `observe` is told of every exchange.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator of its own
        self,
        origin: Origin,
        guard: Guard,
        *,
        credentials: Credentials,
        pace: Pace,
        record: PaymentLog,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        observe: Callable[[Exchange, Permit], None] = lambda _exchange, _permit: None,
    ) -> None:
        """Opens nothing yet."""
        self._origin = origin
        self._guard = guard
        self._credentials = credentials
        self._pace = pace
        self._log = record
        self._sleep = sleep
        self._observe = observe
        self._silences = 0
        self._told: dict[int, Exchange] = {}
        """By the number of a transmission, the response that is no success: its payment may show up yet."""
        self._reading = threading.Lock()
        self._transport = Transport(limits or Limits())
        credentials.before_fetch = self._before_fetch

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()
        self._pace.close()

    def _before_fetch(self) -> None:
        """A token is fetched at the pace of the run, and counts as a request."""
        self._pace.wait()
        self._guard.count_request()

    def send(self, request: Request) -> Exchange:
        """Sends a request and returns what came back; a lost response has the status NO_RESPONSE.

        Raises guard.Refused when the request may not be sent, and guard.Stop when the run must end.
        """
        wire = self._build(request)
        intent = intent_of(wire.method, wire.url.raw_path, request.headers, wire.read())
        sent = _Sent(request, wire, intent)
        permit = self._admitted(sent)
        exchange = self._send_harmless(sent, permit) if permit.exposure is None else self._write(sent, permit)
        self._observe(exchange, permit)
        return exchange

    def _admitted(self, sent: _Sent) -> Permit:
        """The guard's leave, after the reads that it asks for."""
        while True:
            try:
                return self._guard.admit(
                    sent.intent, sent.request.headers, must_be_refused=sent.request.must_be_refused
                )
            except MustRead as must:
                with self._reading:  # one of several threads reads, for all of them
                    waiting = [load for load in must.loads if self._guard.waits_for(load)]
                    for load in self._not_shown(waiting):
                        self._read(load)

    def _build(self, request: Request) -> httpx2.Request:
        """The request as it goes over the wire, checked to go to the target."""
        if not request.path.startswith("/"):
            raise Refused("the path does not start with a slash")
        try:
            query = "?" + urlencode(request.query) if request.query else ""
            url = str(self._origin) + request.path + query
            wire = httpx2.Request(request.method, url, headers=_OUR_HEADERS, content=request.content)
            for name, value in request.headers.items():
                if _UNWRITABLE.search(name + value):
                    raise Refused("a header holds a control character")
                if name.lower() not in {"authorization", "connection"}:
                    wire.headers[name] = value
        except (httpx2.InvalidURL, ValueError, TypeError) as error:
            raise Refused(f"the request cannot be written as HTTP ({type(error).__name__})") from None
        if not self._origin.is_of(wire.url):
            raise Refused("the request would go to another host")
        return wire

    # --- what can book nothing ---------------------------------------------------------------------

    def _send_harmless(self, sent: _Sent, permit: Permit) -> Exchange:
        """Sends what can book nothing; a lost response is asked for once more."""
        logged = self._begin(sent, permit) if self._is_watched(sent) else None
        lost = LostResponseError("")
        for attempt in range(2):
            if attempt:
                permit = self._admitted(sent)
            began = self._guard.now()
            try:
                exchange = self._answered(sent)
            except LostResponseError as error:
                lost = error
                if isinstance(error, EndlessResponseError):
                    break
                continue
            self._silences = 0
            self._watch(exchange, sent.intent, began, logged)
            return exchange
        if logged is not None:
            self._note(settled(logged, UNKNOWN, None))
        self._silences += 1
        if self._silences >= _SILENCES_BEFORE_STOP:
            raise self._guard.stop("the target does not respond any more", ExitStatus.COULD_NOT_TEST)
        return Exchange(sent.request, Response(NO_RESPONSE, {}, str(lost).encode()), now(), 0.0, attempts=2)

    def _is_watched(self, sent: _Sent) -> bool:
        """Whether a success would be a booking: it names a load, and the target is not the mock."""
        return not self._guard.is_mock and (sent.intent.action is Action.PAYMENT or bool(sent.intent.loads))

    def _watch(self, exchange: Exchange, intent: Intent, began: int, logged: LoggedPayment | None) -> None:
        """Stops the run at any sign of a booking: an accepted write, or a payment that a read shows."""
        response = exchange.response
        if logged is None:
            if not self._guard.is_mock and intent.action is Action.READ and response.status == _OK:
                for load in loads_in(response):
                    self._see(load, began if intent.method == "GET" else None, exchange)
            return
        if not _succeeded(response):
            outcome = REFUSED if response.is_refusal else UNKNOWN
            self._note(settled(logged, outcome, response.status))
            return
        shown = _of_reference(payments_in(response), logged.reference)
        for one in shown or [SeenPayment(None, None, None)]:
            self._book_unplanned(logged, one)
            self._note(settled(logged, RECORDED, response.status, one, response.content))
        raise self._guard.stop(
            f"the target accepted a payment on a load that does not exist ({_described(logged)})",
            clause="R3",
            exchanges=(exchange,),
        )

    # --- what may book -----------------------------------------------------------------------------

    def _write(self, sent: _Sent, permit: Permit) -> Exchange:
        """Sends what may book, until there is a response that tells what became of it.

        Each transmission is possible money: after a response that tells nothing, the loads are read
        before anything is sent again.
        """
        refreshed = False
        waits = losses = 0
        while True:
            exchange, retry = self._transmit_write(sent, permit)
            status = NO_RESPONSE if exchange is None else exchange.response.status
            if not retry or (exchange is None and losses):
                break
            if exchange is None:
                losses += 1
            elif status in {_UNAUTHORIZED, _FORBIDDEN}:
                if refreshed or not self._may_refresh(sent.request):
                    break
                refreshed = True
                self._credentials_say(lambda: self._credentials.refreshed(None))
            elif waits == _RESENDS_AFTER_429:
                raise self._guard.stop("the target responds with nothing but 429", ExitStatus.COULD_NOT_TEST)
            else:
                waits += 1
            permit = self._admitted(sent)
        if exchange is not None:
            return exchange
        raise self._guard.stop(
            f"no response came for the payment {sent.intent.reference} on load "
            f"{', '.join(sorted(sent.intent.possible_loads))}; whether it was recorded is unknown",
            ExitStatus.COULD_NOT_TEST,
        )

    def _transmit_write(self, sent: _Sent, permit: Permit) -> tuple[Exchange | None, bool]:
        """One transmission with its lines in the log: the exchange if there is one, and whether to retry."""
        exposure = _exposure(permit)
        logged = self._begin(sent, permit)
        try:
            exchange = self._transmit(sent, self._token(sent.request))
        except (Stop, Refused, UnreachableError) as error:
            self._guard.drop(exposure)
            self._note(settled(logged, REFUSED, None))
            if not isinstance(error, UnreachableError):
                raise
            raise self._guard.stop(
                "the target cannot be reached any more", ExitStatus.COULD_NOT_TEST
            ) from None
        except LostResponseError:
            exchange = None
        if exchange is not None and _succeeded(exchange.response):
            self._take(permit, logged, exchange)
            return exchange, False
        if exchange is not None:
            self._told[exposure.attempt] = exchange
        status = NO_RESPONSE if exchange is None else exchange.response.status
        if 400 <= status < 500 and status not in _SAYS_NOTHING:
            self._guard.refuse(exposure)
            self._note(settled(logged, REFUSED, status))
            return exchange, False
        if status in _SAYS_NOTHING or 300 <= status < 400:
            self._guard.refuse(exposure)
        else:
            self._guard.doubt(exposure)
        self._note(settled(logged, UNKNOWN, status or None))
        if exchange is not None and status == _TOO_MANY:
            self._wait(exchange.response)
        self._look(exposure, logged, status)
        return exchange, exchange is None or status in _SAYS_NOTHING

    def _begin(self, sent: _Sent, permit: Permit) -> LoggedPayment:
        """The line of the log that is on the disk before anything leaves."""
        intent = sent.intent
        load = LOAD_SEPARATOR.join(sorted(intent.possible_loads or intent.loads))
        attempt = permit.exposure.attempt if permit.exposure else self._guard.attempt()
        logged = LoggedPayment(
            now(),
            load,
            intent.reference,
            str(intent.amount),
            intent.currency,
            SENDING,
            attempt=attempt,
            planned=permit.is_payment,
        )
        self._note(logged)
        return logged

    def _note(self, payment: LoggedPayment) -> None:
        """Writes a line of the log; a run without its log ends."""
        try:
            self._log.write(payment)
        except LogUnusableError as error:
            raise self._guard.stop(str(error), ExitStatus.COULD_NOT_TEST) from None

    def _take(self, permit: Permit, logged: LoggedPayment, exchange: Exchange) -> None:
        """Takes a success: the payment that was planned, and whatever it shows beside."""
        exposure, response = _exposure(permit), exchange.response
        mine = _of_reference(payments_in(response), exposure.reference)
        if exchange.request.must_be_refused and not self._guard.is_mock:
            booked = mine[-1] if mine else SeenPayment(None, None, None)
            self._guard.book(exposure, booked)
            self._note(settled(logged, RECORDED, response.status, booked, response.content))
            raise self._guard.stop(
                f"the target accepted a payment that it must refuse ({_described(logged, booked)})",
                clause=exchange.request.clause,
                exchanges=(exchange,),
            )
        if not mine and not self._guard.is_mock:
            self._guard.doubt(exposure)
            self._note(settled(logged, UNKNOWN, response.status))
            self._look(exposure, logged, response.status)
            return
        beyond = self._guard.take(permit, mine)
        for one in mine or [SeenPayment(None, None, None)]:
            self._note(settled(logged, RECORDED, response.status, one))
        for one in beyond:
            self._book_unplanned(logged, one)
        if beyond and not self._guard.is_mock:
            raise self._guard.stop(
                f"the target recorded the reference {logged.reference} on load {logged.load} more than once "
                f"({', '.join(f'id {one.id}' for one in beyond)})",
                clause="R6",
                exchanges=(exchange,),
            )

    def _book_unplanned(self, logged: LoggedPayment, seen: SeenPayment) -> None:
        """Counts a payment that no write explains, and what was sent where the response shows no amount."""
        amount = logged.money if seen.amount is None else seen.amount
        self._guard.book_unplanned(logged.load, replace(seen, amount=amount))

    # --- reading what became of it -----------------------------------------------------------------

    def _look(self, exposure: Exposure, logged: LoggedPayment, status: int) -> None:
        """Reads the loads of a write that may have booked; the log says what is known then."""
        if self._guard.is_mock:
            self._guard.drop(exposure)
            return
        for load in sorted(exposure.loads):
            self._read(load)
        if exposure.fate is Fate.BOOKED:
            return
        if status in _SAYS_NOTHING or 300 <= status < 400:
            self._note(settled(logged, REFUSED, status))

    def read_what_is_left(self) -> None:
        """Reads the loads on which the last refusals may have left a trace; Stop if one has."""
        for load in self._not_shown(self._guard.to_read()):
            self._read(load)

    def _not_shown(self, loads: Sequence[str]) -> Sequence[str]:
        """The loads that are still to be read, after a search has shown what it can of several.

        A search may lag behind. It is believed if it shows the payments that were booked last.
        """
        booked = self._guard.shown()
        if len(loads) < _ENOUGH_FOR_A_SEARCH or booked is None:
            return loads
        numbers = [*loads, *({booked[0]} - set(loads))]
        content = json.dumps({"Page": 0, "PageSize": len(numbers), "LoadNumbers": numbers}).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        began = self._guard.now()
        try:
            exchange = self._look_up(Request("POST", SEARCH_PATH, (), headers, content))
        except LostResponseError:
            return loads
        shown = {load.number: load for load in loads_in(exchange.response) if load.tells}
        control = shown.get(booked[0])
        if control is None or not booked[1] <= {payment.id for payment in control.payments}:
            return loads
        for load in loads:
            if load in shown:
                self._see(shown[load], began, exchange)
        return [load for load in loads if load not in shown]

    def _read(self, load: str) -> None:
        """Reads a load to see what was booked on it; Stop if that cannot be done."""
        request = Request("GET", LOADS_PATH, (("loadNumber", load),), {"Accept": "application/json"})
        for _ in range(2):
            began = self._guard.now()
            try:
                exchange = self._look_up(request)
            except LostResponseError:
                continue
            seen = next((one for one in loads_in(exchange.response) if one.number == load), None)
            if exchange.response.status == _OK and seen is not None:
                self._see(seen, began, exchange)
                return
        raise self._guard.stop(
            f"load {load} cannot be read any more; what was sent to it may have been recorded",
            ExitStatus.COULD_NOT_TEST,
        )

    def _look_up(self, request: Request) -> Exchange:
        """The exchange of a read of the client's own, which needs no room in the budget of requests."""
        self._guard.admit_read()
        intent = Intent(Action.READ, request.method)
        exchange = self._answered(_Sent(request, self._build(request), intent))
        self._observe(exchange, Permit(intent))
        return exchange

    def _see(self, load: SeenLoad, began: int | None, read: Exchange) -> None:
        """Takes what a read shows; stops the run at a payment that nothing planned explains."""
        for found in self._guard.see(load, began):
            exposure, seen = found.exposure, found.payment
            planned = exposure is not None and exposure.planned
            logged = LoggedPayment(
                now(), found.load, exposure.reference if exposure else seen.reference,
                str(exposure.amount if exposure else seen.amount or 0), None, UNKNOWN,
                attempt=exposure.attempt if exposure else self._guard.attempt(),
                planned=planned,
            )  # fmt: skip
            content = None if planned and not found.again else read.response.content
            self._note(settled(logged, RECORDED, None, seen, content))
            told = self._told.get(exposure.attempt) if exposure is not None else None
            if exposure is None:
                clause, why = "P9", f"a payment that this run cannot explain (id {seen.id}, {seen.amount})"
            elif found.again:
                clause, why = "R6", f"the reference {exposure.reference} more than once"
            elif found.was is Fate.REFUSED or not planned:
                clause = told.request.clause if told is not None else ""
                why = (
                    f"the payment {exposure.reference}, which the target refused ({_described(logged, seen)})"
                )
            else:
                continue
            raise self._guard.stop(
                f"load {found.load} shows {why}",
                clause=clause or "R1",
                exchanges=(read,) if told is None else (told, read),
            )

    # --- one transmission --------------------------------------------------------------------------

    def _answered(self, sent: _Sent) -> Exchange:
        """Sends what books nothing until the response is neither a rate limit nor a token that ran out."""
        token = self._token(sent.request)
        exchange = self._transmit(sent, token)
        if exchange.response.status in {_UNAUTHORIZED, _FORBIDDEN} and self._may_refresh(sent.request):
            self._guard.count_request()
            refused = token if isinstance(token, Secret) else None
            exchange = self._transmit(
                sent, self._credentials_say(lambda: self._credentials.refreshed(refused))
            )
        for _ in range(_RESENDS_AFTER_429):
            if exchange.response.status != _TOO_MANY:
                return exchange
            self._wait(exchange.response)
            self._guard.count_request()
            exchange = self._transmit(sent, self._token(sent.request))
        if exchange.response.status == _TOO_MANY:
            raise self._guard.stop("the target responds with nothing but 429", ExitStatus.COULD_NOT_TEST)
        return exchange

    def _transmit(self, sent: _Sent, token: Secret | str | None) -> Exchange:
        self._pace.wait()
        self._guard.check_running()
        wire = httpx2.Request(
            sent.wire.method, sent.wire.url, headers=sent.wire.headers, content=sent.request.content
        )
        wire.extensions = dict(sent.wire.extensions)
        if token is not None:
            wire.headers["Authorization"] = _bearer(token)
        started, clock = now(), time.perf_counter()
        received = self._transport.send(wire)
        seconds = time.perf_counter() - clock
        redact = self._credentials.redact
        headers = {name: redact(value.encode()).decode() for name, value in received.headers}
        response = Response(received.status, headers, redact(received.content))
        return Exchange(sent.request, response, started, seconds)

    def _token(self, request: Request) -> Secret | str | None:
        if request.anonymous:
            return None
        if request.token is not None:
            return request.token
        return self._credentials_say(self._credentials.token)

    def _may_refresh(self, request: Request) -> bool:
        return self._credentials.can_refresh and not request.anonymous and request.token is None

    def _credentials_say(self, ask: Callable[[], Secret | None]) -> Secret | None:
        try:
            return ask()
        except CredentialsError as error:
            raise self._guard.stop(str(error), ExitStatus.COULD_NOT_TEST) from None

    def _wait(self, response: Response) -> None:
        seconds = _retry_after(response.headers.get("retry-after", ""))
        if seconds > _LONGEST_WAIT_SECONDS:
            raise self._guard.stop(
                f"the target asks to wait {seconds:.0f} seconds", ExitStatus.COULD_NOT_TEST
            )
        self._sleep(seconds)


def _bearer(token: Secret | str) -> str:
    """The header's value, never kept in a variable: a traceback may show those."""
    return f"Bearer {token.reveal() if isinstance(token, Secret) else token}"


def _described(logged: LoggedPayment, booked: SeenPayment | None = None) -> str:
    """What was sent, and under which id it was booked, as far as that is shown."""
    sent = f"reference {logged.reference}, load {logged.load}, {logged.amount}"
    return f"{sent}, id {booked.id}" if booked is not None and booked.id else sent


def _succeeded(response: Response) -> bool:
    return 200 <= response.status < 300


def _of_reference(shown: list[SeenPayment], reference: str | None) -> list[SeenPayment]:
    """The payments that have the reference: exactly, or else as a lenient service compares it."""
    exactly = [one for one in shown if one.reference == reference]
    return exactly or [
        one for one in shown if one.reference is None or same_reference(one.reference, reference)
    ]


def _exposure(permit: Permit) -> Exposure:
    if permit.exposure is None:
        raise TypeError(permit)
    return permit.exposure


def _retry_after(text: str) -> float:
    """Seconds that a Retry-After asks for, as a number or as a date; a minute when it says nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return _DEFAULT_WAIT_SECONDS
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
