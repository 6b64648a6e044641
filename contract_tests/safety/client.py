"""The client: the only thing that opens a socket to the target."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from contract_tests.rules.exchange import NO_RESPONSE, Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.paths import SEARCH_PATH
from contract_tests.safety.exposure import Exposure, Fate, same_reference
from contract_tests.safety.guard import Guard, MustRead, Permit, Refused, Stop
from contract_tests.safety.intent import Action, Intent
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
from contract_tests.safety.rate import operation_of
from contract_tests.safety.road import (
    FORBIDDEN,
    OPTIONAL,
    SAYS_NOTHING,
    TOO_MANY,
    UNAUTHORIZED,
    TooLongError,
    Trip,
    cause_of,
    is_trouble,
)
from contract_tests.safety.sight import SeenLoad, SeenPayment, loads_in, payments_in
from contract_tests.safety.transport import LostResponseError, TlsError, UnreachableError
from contract_tests.safety.wire import JSON, Prepared, Wire, lost_exchange, plain_of, read_of

_ENOUGH_FOR_A_SEARCH: Final = 3
_OK: Final = 200
_AT_STAKE: Final = "what was sent to it may have been recorded"


class GuardedClient:
    """Sends requests to one target, through the guard.

    Safe to call from threads. `observe` is told of every exchange.
    """

    def __init__(
        self,
        wire: Wire,
        guard: Guard,
        *,
        record: PaymentLog,
        observe: Callable[[Exchange, Permit], None] = lambda _exchange, _permit: None,
    ) -> None:
        """Opens nothing yet. The wire has the same guard."""
        self._wire = wire
        self._guard = guard
        self._log = record
        self._observe = observe
        self._told: dict[int, Exchange] = {}
        """By the number of a transmission, the response that is no success: its payment may show up yet."""
        self._reading = threading.Lock()

    def close(self) -> None:
        """Closes the connections."""
        self._wire.close()

    def send(self, request: Request) -> Exchange:
        """Sends a request and returns what came back; a lost response has the status NO_RESPONSE.

        What the road may be to blame for is sent again. What comes back all the same, while other requests
        are answered, has more than one of `attempts`. 401 and 403 come back only for a request that brought
        no token of the run.

        Raises guard.Refused when the request may not be sent, or was refused with 403 for what is in it, and
        guard.Stop when the run must end.
        """
        sent = self._wire.prepare(request)
        permit = self._admitted(sent)
        exchange = self._send_harmless(sent, permit) if permit.exposure is None else self._write(sent, permit)
        self._observe(exchange, permit)
        return exchange

    def _admitted(self, sent: Prepared) -> Permit:
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

    # --- what can book nothing ---------------------------------------------------------------------

    def _send_harmless(self, sent: Prepared, permit: Permit) -> Exchange:
        """Sends what can book nothing; a success of what could is a sign of a booking."""
        logged = self._begin(sent, permit) if self._is_watched(sent) else None
        began = self._guard.now()
        try:
            exchange = self._wire.answered(sent, self._guard.count_request)
        except (Stop, Refused):
            if logged is not None:
                self._log_last(settled(logged, UNKNOWN, None))
            raise
        self._watch(exchange, sent.intent, began, logged)
        if self._wire.refuses_caller(sent, exchange.response):
            raise self._refused(sent, exchange.response)
        return exchange

    def _refused(self, sent: Prepared, response: Response) -> Stop | Refused:
        """What to raise where the caller is refused: Refused if that is about this one request."""
        if operation_of(sent.request.method, sent.request.path) in OPTIONAL:
            return Refused(self._wire.cause_of_refusal(sent, response))
        if response.status == FORBIDDEN and self._answers_a_plain_one(sent):
            return Refused(
                f"{sent.name} is refused with 403, though a plain one is answered: something in between, "
                "such as a firewall, takes offence at what it says"
            )
        return self._wire.refused(sent, response)

    def _answers_a_plain_one(self, sent: Prepared) -> bool:
        """Whether the target answers what needs the same scope, with the same token, right after."""
        plain = self._wire.prepare(plain_of(sent))
        permit = self._admitted(plain)
        logged = self._begin(plain, permit) if self._is_watched(plain) else None
        began = self._guard.now()
        try:
            exchange = self._wire.transmit(plain, self._wire.trip())
        except LostResponseError as error:
            exchange = lost_exchange(plain, error)
        self._watch(exchange, plain.intent, began, logged)
        return exchange.response.status not in SAYS_NOTHING and not is_trouble(exchange.response)

    def _is_watched(self, sent: Prepared) -> bool:
        """Whether a success would be a booking: it names a load, and the target is not the mock."""
        return not self._guard.is_mock and (sent.intent.action is Action.PAYMENT or bool(sent.intent.loads))

    def _watch(self, exchange: Exchange, intent: Intent, began: int, logged: LoggedPayment | None) -> None:
        """Stops the run at any sign of a booking: an accepted write, or a payment that a read shows."""
        response = exchange.response
        if logged is None:
            is_of_loads = operation_of(intent.method, exchange.request.path) not in OPTIONAL
            if (
                not self._guard.is_mock
                and is_of_loads
                and intent.action is Action.READ
                and response.status == _OK
            ):
                asked = dict(exchange.request.query).get("loadNumber")
                for load in loads_in(response):
                    if asked is not None:
                        self._guard.see_spelling(asked, load.number)
                    self._see(load, began if intent.method == "GET" else None, exchange)
            return
        if not _succeeded(response):
            outcome = REFUSED if response.is_refusal else UNKNOWN
            self._note(settled(logged, outcome, response.status or None))
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

    def _write(self, sent: Prepared, permit: Permit) -> Exchange:
        """Sends what may book, until there is a response that tells what became of it.

        Each transmission is possible money: after a response that tells nothing, the loads are read
        before anything is sent again.
        """
        trip = self._wire.trip()
        while True:
            exchange, is_settled = self._transmit_write(sent, permit, trip)
            status = exchange.response.status
            if is_settled:
                return replace(exchange, earlier=tuple(trip.met))
            if status in {UNAUTHORIZED, FORBIDDEN}:
                if not self._wire.brings_our_token(sent):
                    return exchange
                if not self._wire.renew(trip):
                    raise self._refused(sent, exchange.response)
            elif status != TOO_MANY and not trip.may_repeat_a_write(status):
                return self._unsettled(sent, exchange, trip)
            permit = self._admitted(sent)

    def _transmit_write(self, sent: Prepared, permit: Permit, trip: Trip) -> tuple[Exchange, bool]:
        """One transmission with its lines in the log, and whether its response tells what became of it.

        If it does not, the loads were read.
        """
        exposure = _exposure(permit)
        logged = self._begin(sent, permit)
        try:
            exchange = self._wire.transmit(sent, trip)
        except (Stop, Refused, UnreachableError) as error:
            self._guard.drop(exposure)
            self._note(settled(logged, REFUSED, None))
            if isinstance(error, UnreachableError):
                return self._not_left(sent, error, trip), False
            raise
        except LostResponseError as error:
            exchange = lost_exchange(sent, error)
        response = exchange.response
        if _succeeded(response) and not response.is_html:
            self._take(permit, logged, exchange)
            return exchange, True
        self._told[exposure.attempt] = exchange
        if response.is_refusal and response.status not in SAYS_NOTHING and not response.is_html:
            self._guard.refuse(exposure)
            self._note(settled(logged, REFUSED, response.status))
            return exchange, True
        is_refused = 300 <= response.status < 500
        (self._guard.refuse if is_refused else self._guard.doubt)(exposure)
        self._note(settled(logged, UNKNOWN, response.status or None))
        too_long = self._wait_before_a_repeat(response, trip)
        self._look(exposure, logged, response.status, is_refused=is_refused)
        if too_long is not None:
            raise self._guard.stop(f"{sent.name}: {too_long}", ExitStatus.COULD_NOT_TEST)
        return exchange, 300 <= response.status < 400

    def _not_left(self, sent: Prepared, error: UnreachableError, trip: Trip) -> Exchange:
        """Nothing, of a write that never left; Stop unless it may be tried once more."""
        exchange = lost_exchange(sent, error)
        trip.met.append(NO_RESPONSE)
        if isinstance(error, TlsError) or not trip.may_repeat_a_write(NO_RESPONSE):
            raise self._guard.stop(
                f"the target cannot be reached any more ({error})", ExitStatus.COULD_NOT_TEST
            ) from None
        self._wire.wait(exchange.response, trip)
        return exchange

    def _wait_before_a_repeat(self, response: Response, trip: Trip) -> TooLongError | None:
        """Waits if a write is to be sent again because of the road; what speaks against it, if anything."""
        if response.status != TOO_MANY and not is_trouble(response):
            return None
        trip.met.append(response.status)
        try:
            if trip.may_repeat_a_write(response.status):
                trip.wait(response)
        except TooLongError as too_long:
            return too_long
        return None

    def _unsettled(self, sent: Prepared, exchange: Exchange, trip: Trip) -> Exchange:
        """What the target says of a write again and again, though its loads can be read; Stop if nothing."""
        response = exchange.response
        if not trip.is_about_the_request(response) and not (response.status and self._guard.is_mock):
            raise self._guard.stop(
                f"{cause_of(response)} came again and again for the payment {sent.intent.reference} on load "
                f"{', '.join(sorted(sent.intent.possible_loads))}; whether it was recorded is unknown",
                ExitStatus.COULD_NOT_TEST,
            )
        return replace(exchange, earlier=tuple(trip.met[:-1]))

    def _begin(self, sent: Prepared, permit: Permit) -> LoggedPayment:
        """The line of the log that is on the disk before anything leaves."""
        intent = sent.intent
        load = LOAD_SEPARATOR.join(sorted(map(self._guard.spelt_out, intent.possible_loads or intent.loads)))
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

    def _log_last(self, payment: LoggedPayment) -> None:
        """Writes a line of the log of a run that ends already."""
        with suppress(LogUnusableError):
            self._log.write(payment)

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
            self._look(exposure, logged, response.status, is_refused=False)
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

    def _look(self, exposure: Exposure, logged: LoggedPayment, status: int, *, is_refused: bool) -> None:
        """Reads the loads of a write that may have booked; the log says what is known then."""
        if self._guard.is_mock:
            self._guard.drop(exposure)
            return
        for load in sorted(exposure.loads):
            self._read(load)
        if exposure.fate is Fate.BOOKED:
            return
        if is_refused:
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
        began = self._guard.now()
        read = self._look_up(Request("POST", SEARCH_PATH, (), JSON, content), loads)
        shown = {load.number: load for load in loads_in(read.response) if load.tells}
        control = shown.get(booked[0])
        if control is None or not booked[1] <= {payment.id for payment in control.payments}:
            return loads
        for load in loads:
            if load in shown:
                self._see(shown[load], began, read)
        return [load for load in loads if load not in shown]

    def _read(self, load: str) -> None:
        """Reads a load to see what was booked on it; Stop if that cannot be done."""
        for _ in range(2):
            began = self._guard.now()
            read = self._look_up(read_of(load), [load])
            seen = next((one for one in loads_in(read.response) if one.number == load), None)
            if read.response.status == _OK and seen is not None:
                self._see(seen, began, read)
                return
        raise self._guard.stop(
            f"load {load} cannot be read any more ({cause_of(read.response)}); {_AT_STAKE}",
            ExitStatus.COULD_NOT_TEST,
        )

    def _look_up(self, request: Request, loads: Sequence[str]) -> Exchange:
        """The exchange of a read of the client's own, which needs no room in the budget of requests."""
        self._guard.admit_read()
        at_stake = f"load {', '.join(loads)} cannot be read any more, and {_AT_STAKE}: "
        sent = self._wire.prepare(request)
        exchange = self._wire.answered(sent, self._guard.admit_read, at_stake)
        if self._wire.refuses_caller(sent, exchange.response):
            raise self._wire.refused(sent, exchange.response)
        self._observe(exchange, Permit(Intent(Action.READ, request.method)))
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
