"""The client: the only thing that opens a socket to the target."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Final
from urllib.parse import urlencode

import httpx2

from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.values import Json
from contract_tests.safety.credentials import Credentials, CredentialsError, Secret
from contract_tests.safety.guard import Guard, Permit, Refused
from contract_tests.safety.intent import Action, intent_of
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import (
    RECORDED,
    REFUSED,
    SENDING,
    UNKNOWN,
    LoggedPayment,
    PaymentLog,
    now,
    settled,
)
from contract_tests.safety.rate import Pace

NO_RESPONSE: Final = 0
"""The status of a response that never came. No contract allows it, so an oracle reports it."""

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_RESENDS_AFTER_429: Final = 3
_LONGEST_WAIT_SECONDS: Final = 300.0
_DEFAULT_WAIT_SECONDS: Final = 60.0
_SILENCES_BEFORE_STOP: Final = 5
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""In a header, what the HTTP library refuses only after the record says that the payment is sent."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """One request, built and admitted, with what is needed to send it again."""

    request: Request
    wire: httpx2.Request
    permit: Permit


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
        timeout_seconds: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        observe: Callable[[Exchange, Permit], None] = lambda _exchange, _permit: None,
    ) -> None:
        """Opens nothing yet."""
        self._origin = origin
        self._guard = guard
        self._credentials = credentials
        self._pace = pace
        self._record = record
        self._sleep = sleep
        self._observe = observe
        self._silences = 0
        self._http = httpx2.Client(
            follow_redirects=False,
            trust_env=False,
            timeout=timeout_seconds,
            headers={"User-Agent": "alvys-contract", "Accept-Encoding": "identity"},
        )
        # A cookie would tie requests together; the client copies a jar that it is given, not its policy.
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
        self._pace.close()

    def send(self, request: Request) -> Exchange:
        """Sends a request and returns what came back; a lost response has the status NO_RESPONSE.

        Raises guard.Refused when the request may not be sent, and guard.Stop when the run must end.
        """
        wire = self._build(request)
        intent = intent_of(wire.method, wire.url.raw_path, request.headers, wire.read())
        permit = self._guard.admit(intent, request.headers, must_be_refused=request.must_be_refused)
        sent = _Sent(request, wire, permit)
        if permit.may_record and intent.possible_loads:
            exchange = self._send_write(sent)
        else:
            exchange = self._send_harmless(sent)
            self._check_nothing_accepted(permit, exchange.response)
        self._observe(exchange, permit)
        return exchange

    def _build(self, request: Request) -> httpx2.Request:
        """The request as it goes over the wire, checked to go to the target."""
        if not request.path.startswith("/"):
            raise Refused("the path does not start with a slash")
        try:
            query = "?" + urlencode(request.query) if request.query else ""
            url = str(self._origin) + request.path + query
            wire = self._http.build_request(request.method, url, content=request.content)
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

    def _send_harmless(self, sent: _Sent) -> Exchange:
        """Sends what records nothing; a lost response is asked for once more."""
        for repeated in (False, True):
            if repeated:
                self._guard.admit_again(sent.permit)
            try:
                exchange = self._answered(sent)
            except httpx2.TransportError:
                continue
            self._silences = 0
            return exchange
        self._silences += 1
        if self._silences >= _SILENCES_BEFORE_STOP:
            raise self._guard.stop("the target does not respond any more", ExitStatus.COULD_NOT_TEST)
        return Exchange(sent.request, Response(NO_RESPONSE, {}, b""), now(), 0.0)

    def _check_nothing_accepted(self, permit: Permit, response: Response) -> None:
        """Stops the run when a payment was accepted whose load cannot exist."""
        wrong = permit.intent.action is Action.PAYMENT or (permit.must_be_refused and not permit.is_read)
        if wrong and _succeeded(response) and not self._guard.is_mock:
            self._write_booked(_logged(permit), response)
            raise self._guard.stop("the target accepted a payment on a load that does not exist")

    def _send_write(self, sent: _Sent) -> Exchange:
        """Sends what may record, with its lines in the record; a lost response is resolved by a replay."""
        payment = _logged(sent.permit)
        self._record.write(payment)
        try:
            exchange = self._answered(sent)
        except httpx2.ConnectError:
            self._record.write(settled(payment, REFUSED, None))
            raise self._guard.stop(
                "the target cannot be reached any more", ExitStatus.COULD_NOT_TEST
            ) from None
        except httpx2.TransportError:
            exchange = self._resolve(sent, payment)
        self._settle(sent, payment, exchange.response)
        return exchange

    def _resolve(self, sent: _Sent, payment: LoggedPayment) -> Exchange:
        """Sends the same reference once again, to learn what became of the first request."""
        self._record.write(settled(payment, UNKNOWN, None))
        if payment.reference is not None and payment.reference.strip():
            self._guard.admit_again(sent.permit)
            try:
                return self._answered(sent)
            except httpx2.TransportError:
                pass
        raise self._guard.stop(
            f"no response came for the payment {payment.reference} on load {payment.load}; "
            "whether it was recorded is unknown",
            ExitStatus.COULD_NOT_TEST,
        ) from None

    def _settle(self, sent: _Sent, payment: LoggedPayment, response: Response) -> None:
        if not _succeeded(response):
            outcome = REFUSED if response.is_refusal else UNKNOWN
            if outcome == UNKNOWN and sent.permit.must_be_refused:
                self._guard.count_unplanned(payment.money)
            self._record.write(settled(payment, outcome, response.status))
            return
        booked = _booked(response, payment.reference)
        if booked:
            self._guard.confirm(sent.permit)
        for _, amount in booked[1:]:
            if amount is not None:
                self._guard.count_unplanned(amount)
        self._write_booked(payment, response)
        if sent.permit.must_be_refused and not self._guard.is_mock:
            raise self._guard.stop(
                f"the target accepted a payment that it must refuse (reference {payment.reference}, "
                f"load {payment.load}, {payment.amount})"
            )

    def _write_booked(self, payment: LoggedPayment, response: Response) -> None:
        """A line for each payment under the reference that a 2xx shows; one without an id if none."""
        for identity, _ in _booked(response, payment.reference) or [(None, None)]:
            self._record.write(settled(payment, RECORDED, response.status, identity))

    def _answered(self, sent: _Sent) -> Exchange:
        """Sends until the response is neither a rate limit nor a token that ran out."""
        token = self._token(sent.request)
        exchange = self._transmit(sent, token)
        if exchange.response.status in {_UNAUTHORIZED, _FORBIDDEN} and self._may_refresh(sent.request):
            self._guard.admit_again(sent.permit)
            refused = token if isinstance(token, Secret) else None
            exchange = self._transmit(
                sent, self._credentials_say(lambda: self._credentials.refreshed(refused))
            )
        for _ in range(_RESENDS_AFTER_429):
            if exchange.response.status != _TOO_MANY:
                return exchange
            self._wait(exchange.response)
            self._guard.admit_again(sent.permit)
            exchange = self._transmit(sent, self._token(sent.request))
        if exchange.response.status == _TOO_MANY:
            raise self._guard.stop("the target responds with nothing but 429", ExitStatus.COULD_NOT_TEST)
        return exchange

    def _transmit(self, sent: _Sent, token: Secret | str | None) -> Exchange:
        self._pace.wait()
        wire = httpx2.Request(
            sent.wire.method, sent.wire.url, headers=sent.wire.headers, content=sent.request.content
        )
        wire.extensions = dict(sent.wire.extensions)
        if token is not None:
            wire.headers["Authorization"] = _bearer(token)
        started, clock = now(), time.perf_counter()
        try:
            got = self._http.send(wire)
        except httpx2.TransportError:
            raise
        except (httpx2.HTTPError, httpx2.StreamError, ValueError, TypeError) as error:
            # A response came, or the request could not be written; neither can be judged.
            raise httpx2.RemoteProtocolError(type(error).__name__) from None
        seconds = time.perf_counter() - clock
        redact = self._credentials.redact
        headers = {name.lower(): redact(value.encode()).decode() for name, value in got.headers.items()}
        response = Response(got.status_code, headers, redact(got.content))
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


def _succeeded(response: Response) -> bool:
    return 200 <= response.status < 300


def _logged(permit: Permit) -> LoggedPayment:
    intent = permit.intent
    load = ", ".join(sorted(intent.possible_loads or intent.loads))
    return LoggedPayment(now(), load, intent.reference, str(intent.amount), intent.currency, SENDING)


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


def _booked(response: Response, reference: str | None) -> list[tuple[str | None, Decimal | None]]:
    """Id and amount of every payment in a response that has our reference, the first one first."""
    payments = response.fields.get("CustomerPayments")
    return [
        (_text(payment.get("Id")), _amount(payment.get("Amount")))
        for payment in (payments if isinstance(payments, list) else [])
        if isinstance(payment, dict) and payment.get("ReferenceNumber") == reference
    ]


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _amount(money: Json) -> Decimal | None:
    amount = money.get("Amount") if isinstance(money, dict) else None
    return amount if isinstance(amount, Decimal) else None
