"""The wire: one request to the target, sent again while the road is bad, with the token of the run."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import urlencode

import httpx2

from contract_tests.rules.attempt import MEDIA_TYPE
from contract_tests.rules.exchange import NO_RESPONSE, Exchange, Request, Response, Spoiled
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.paths import LOADS_PATH, PAYMENTS_PATH, SEARCH_PATH
from contract_tests.safety.credentials import Credentials, CredentialsError, Secret
from contract_tests.safety.guard import Guard, Refused, Stop
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX, Action, Intent, intent_of
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import now
from contract_tests.safety.rate import Pace, operation_of
from contract_tests.safety.road import (
    FORBIDDEN,
    SAYS_NOTHING,
    SCOPES,
    TOO_MANY,
    UNAUTHORIZED,
    Patience,
    TooLongError,
    Trip,
    cause_of,
    is_trouble,
)
from contract_tests.safety.tls import speaks_tls
from contract_tests.safety.transport import (
    EndlessResponseError,
    LostResponseError,
    TlsError,
    Transport,
    UnreachableError,
)

T = TypeVar("T")

JSON: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_OUR_HEADERS: Final = {"User-Agent": "alvys-contract", "Accept": "*/*", "Accept-Encoding": "identity"}
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""In a header, what the HTTP library refuses only after the record says that the payment is sent."""
_PULSE: Final = f"{IMPOSSIBLE_PREFIX}pulse"
_PLAIN_PAYMENT: Final = {
    "LoadNumber": _PULSE, "Amount": {"Amount": 0, "Currency": 840}, "PaymentDate": "2026-07-01T00:00:00Z",
    "ReferenceNumber": _PULSE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request, built and read for the guard, with what is needed to send it again."""

    request: Request
    wire: httpx2.Request
    intent: Intent

    @property
    def name(self) -> str:
        """The request as a person calls it."""
        return f"{self.request.method} {self.request.path}"


class Wire:
    """Sends requests to one target. Safe to call from threads.

    It knows nothing of money: what may be sent at all, and again, is for the client to ask the guard.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator of its own
        self,
        origin: Origin,
        guard: Guard,
        *,
        credentials: Credentials,
        pace: Pace,
        transport: Transport,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens nothing yet. `sleep` waits where the road is bad."""
        self._origin = origin
        self._guard = guard
        self._credentials = credentials
        self._pace = pace
        self._transport = transport
        self._patience = patience or Patience()
        self._sleep = sleep
        self._was_answered = False
        credentials.before_fetch = self._before_fetch
        credentials.new_trip = self.trip

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def trip(self) -> Trip:
        """The patience for one request."""
        return Trip(self._patience, self._sleep)

    def _before_fetch(self) -> None:
        """A token is fetched at the pace of the run, and counts as a request."""
        self._pace.wait("issueToken")
        self._guard.count_request()

    def prepare(self, request: Request) -> Prepared:
        """The request as it goes over the wire, and what it would do; Refused if it cannot be sent."""
        wire = self._build(request)
        return Prepared(
            request, wire, intent_of(wire.method, wire.url.raw_path, request.headers, wire.read())
        )

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

    def answered(self, sent: Prepared, count: Callable[[], None], at_stake: str = "") -> Exchange:
        """Sends what books nothing until the road is clear, or until others are answered and it is not.

        Each repeat is counted first. Stop, with what is `at_stake`, if nothing is answered, or nothing that
        ends in time. The caller may be refused even with a new token.
        """
        trip = self.trip()
        repeats = trip.may_repeat_a_read if sent.intent.action is Action.READ else trip.may_repeat_a_write
        while True:
            lost: LostResponseError | None = None
            try:
                exchange = self.transmit(sent, trip)
            except LostResponseError as error:
                lost, exchange = error, lost_exchange(sent, error)
            response = exchange.response
            if self.refuses_caller(sent, response):
                if not self.renew(trip):
                    return replace(exchange, earlier=tuple(trip.met))
            elif response.status != TOO_MANY and not is_trouble(response):
                return replace(exchange, earlier=tuple(trip.met))
            else:
                trip.met.append(response.status)
                is_hopeless = not self._was_answered or isinstance(lost, EndlessResponseError)
                is_vain = isinstance(lost, TlsError) or (
                    lost is not None and is_hopeless and trip.met.count(NO_RESPONSE) > 1
                )
                if is_vain or (response.status != TOO_MANY and not repeats(response.status)):
                    self._check_pulse(sent, response, lost, at_stake)
                    return replace(exchange, earlier=tuple(trip.met[:-1]))
                self.wait(response, trip, at_stake)
            count()

    def _check_pulse(
        self, sent: Prepared, response: Response, lost: LostResponseError | None, at_stake: str
    ) -> None:
        """Raises Stop, with what came for a request again and again, unless others are answered.

        A response without an end stops the run whatever others are: how long to wait for it is our choice.
        """
        is_new = lost is not None and not self._was_answered
        if not is_new and not isinstance(lost, TlsError | EndlessResponseError) and self._has_pulse():
            return
        why = f"the target responds with {cause_of(response)} to everything"
        if lost is not None:
            is_endless = self._was_answered and isinstance(lost, EndlessResponseError)
            why = f"{sent.name}: {lost}, also when it was sent again" if is_endless else self._why_lost(lost)
        raise self._guard.stop(at_stake + why, ExitStatus.COULD_NOT_TEST)

    def _why_lost(self, lost: LostResponseError) -> str:
        """Why no response came, as a sentence."""
        if isinstance(lost, TlsError):
            return f"the target cannot be reached safely: {lost}"
        if isinstance(lost, UnreachableError):
            return f"the target cannot be reached ({lost})"
        at = self._origin
        is_cut = not self._was_answered and not isinstance(lost, EndlessResponseError)
        wants_tls = is_cut and at.scheme == "http" and speaks_tls(at.host, at.port)
        return f"the target does not respond ({lost}{'; its port wants https://' if wants_tls else ''})"

    def _has_pulse(self) -> bool:
        """Whether the target answers what has nothing to do with what went wrong."""
        for request in (read_of(_PULSE), _search_of(_PULSE)):
            self._guard.admit_read()
            try:
                response = self.transmit(self.prepare(request), self.trip()).response
            except LostResponseError:
                continue
            if not is_trouble(response) and response.status not in SAYS_NOTHING:
                return True
        return False

    def transmit(self, sent: Prepared, trip: Trip) -> Exchange:
        """One transmission, with the token that is valid when it leaves; the trip keeps which it was."""
        self._pace.wait(operation_of(sent.request.method, sent.request.path))
        token = trip.token = self._credentials_say(lambda: self._token(sent.request))
        self._guard.check_running()
        wire = httpx2.Request(
            sent.wire.method, sent.wire.url, headers=sent.wire.headers, content=sent.request.content
        )
        wire.extensions = dict(sent.wire.extensions)
        if token is not None:
            wire.headers["Authorization"] = _authorization(token, sent.request.spoiled)
        started, clock = now(), time.perf_counter()
        received = self._transport.send(wire)
        seconds = time.perf_counter() - clock
        self._was_answered = True
        redact = self._credentials.redact
        headers = {name: redact(value.encode()).decode() for name, value in received.headers}
        response = Response(received.status, headers, redact(received.content))
        return Exchange(sent.request, response, started, seconds)

    def _token(self, request: Request) -> Secret | str | None:
        if request.anonymous:
            return None
        if request.token is not None:
            return request.token
        if request.spoiled is not None:
            spoiled = self._credentials.spoiled(request.spoiled)
            if spoiled is None:
                raise Refused(f"there is no token that could be sent {request.spoiled}")
            return spoiled
        if request.renewed and self._credentials.can_refresh:
            self._credentials.renew(self._credentials.token())
        return self._credentials.token()

    def brings_our_token(self, sent: Prepared) -> bool:
        """Whether a refusal of the caller is one of this run, and not what a test is about."""
        return not self._guard.is_mock and sent.request.brings_our_token

    def refuses_caller(self, sent: Prepared, response: Response) -> bool:
        """Whether the response refuses the token of the run."""
        return response.status in {UNAUTHORIZED, FORBIDDEN} and self.brings_our_token(sent)

    def renew(self, trip: Trip) -> bool:
        """Renews the token that was refused, once for each request; False if that is no use."""
        if trip.is_renewed or not self._credentials.can_refresh:
            return False
        trip.is_renewed = True
        self._credentials_say(lambda: self._credentials.renew(trip.token))
        return True

    def refused(self, sent: Prepared, response: Response) -> Stop:
        """What to raise where the caller is refused whatever is asked."""
        return self._guard.stop(self.cause_of_refusal(sent, response), ExitStatus.COULD_NOT_TEST)

    def cause_of_refusal(self, sent: Prepared, response: Response) -> str:
        """Why the caller is refused, as a sentence."""
        told = f"{sent.name} is refused with {cause_of(response)}"
        if not self._credentials.exist:
            return f"{told}: the target wants a token, and none is set (ALVYS_TOKEN)"
        new = ", also one that was fetched for it" if self._credentials.can_refresh else ""
        if response.status == UNAUTHORIZED:
            return f"{told}: the token is refused{new}"
        scope = SCOPES.get(operation_of(sent.request.method, sent.request.path))
        return (
            f"{told}: the token{new} lacks a scope{f' ({scope})' if scope else ''}, or a gateway refuses it"
        )

    def _credentials_say(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except CredentialsError as error:
            raise self._guard.stop(str(error).rstrip("."), ExitStatus.COULD_NOT_TEST) from None

    def wait(self, response: Response, trip: Trip, at_stake: str = "") -> None:
        """Waits before a repeat; Stop, with what is `at_stake`, if that takes more patience than there is."""
        try:
            trip.wait(response)
        except TooLongError as too_long:
            raise self._guard.stop(f"{at_stake}{too_long}", ExitStatus.COULD_NOT_TEST) from None


def _authorization(token: Secret | str, spoiled: Spoiled | None) -> str:
    """The header's value, never kept in a variable: a traceback may show those."""
    scheme = {"of another scheme": "Basic ", "without a scheme": ""}.get(spoiled or "", "Bearer ")
    return f"{scheme}{token.reveal() if isinstance(token, Secret) else token}"


def lost_exchange(sent: Prepared, error: LostResponseError) -> Exchange:
    """The exchange of a request that got no response."""
    return Exchange(sent.request, Response(NO_RESPONSE, {}, str(error).encode()), now(), 0.0)


def plain_of(sent: Prepared) -> Request:
    """A request for the same scope that books nothing, and in which there is nothing to take offence at."""
    if sent.intent.action is Action.READ:
        return read_of(_PULSE) if sent.request.method == "GET" else _search_of(_PULSE)
    content = json.dumps(_PLAIN_PAYMENT).encode()
    headers = {**JSON, "Content-Type": MEDIA_TYPE}
    return Request("POST", PAYMENTS_PATH, (), headers, content, must_be_refused=True, clause="R3")


def _search_of(load: str) -> Request:
    content = json.dumps({"Page": 0, "PageSize": 1, "LoadNumbers": [load]}).encode()
    return Request("POST", SEARCH_PATH, (), JSON, content)


def read_of(load: str) -> Request:
    """The read of a load by its number."""
    return Request("GET", LOADS_PATH, (("loadNumber", load),), {"Accept": "application/json"})
