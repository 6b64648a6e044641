"""Webhooks: events about loads, signed, sent to who registered for them, and sent again when that fails."""

import asyncio
import hmac
import re
import time
from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from mock_server.clock import Clock
from mock_server.decimal_json import encode
from mock_server.domain import Load, Money, Payment
from mock_server.faults import Faults
from mock_server.instants import instant_text
from mock_server.ledger import Ledger
from mock_server.problems import InvalidRequest, StateUnavailable, SwitchedOff, UnknownWebhook
from mock_server.responses import Fields, many
from mock_server.sharing import PAST, Sharing
from mock_server.trace import WORLD_HEADER

if TYPE_CHECKING:  # its library is for those who have a webhook
    from mock_server.courier import Courier

LOAD_CHANGED = "load.changed"
STATUS_CHANGED = "load.status.changed"
EVENTS = (LOAD_CHANGED, STATUS_CHANGED)
WITH_ID = "timestamp.id.body"
WITHOUT_ID = "timestamp.body"
SIGNED = (WITH_ID, WITHOUT_ID)
"""What a signature covers: as published, and as one integrator verifies it."""

PAUSES = (10, 30, 60)
"""Seconds from an attempt that failed to the next one."""
TIME_OUT = 30
"""Seconds in which a receiver must have responded."""
_PATIENCE = TIME_OUT
"""Real seconds after which it is given up, however slowly the clock goes."""
_GRACE = 1
"""Real seconds in which a response still counts if the clock has jumped beyond that."""
MOST_FAILURES = 10
"""Events in a row that could not be delivered, after which a webhook is switched off."""

MOST_WEBHOOKS = 16
MOST_DELIVERIES = 1000
"""Deliveries that are over and kept; as many may wait."""
MOST_BYTES = 16 * 1024 * 1024
"""What either of them may take, whatever their number."""
MOST_OF_RESPONSE = 1024
"""Bytes of a response that are read and kept."""
_MOST_ATTEMPTS = 8
"""The latest attempts of a delivery, which are kept."""
_OVERHEAD = _MOST_ATTEMPTS * (MOST_OF_RESPONSE + 1000) + 1000
"""About what a delivery takes at most, besides the event."""


def signature(secret: str, signed: str, timestamp: int, event_id: str, body: bytes) -> str:
    """The X-Alvys-Signature of an event, whose timestamp is in seconds since 1970."""
    covered = f"{timestamp}.{event_id}." if signed == WITH_ID else f"{timestamp}."
    digest = hmac.digest(_bytes_of(secret), covered.encode() + body, "sha256")
    return f"t={timestamp},v1={digest.hex()}"


def _bytes_of(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


class Event(NamedTuple):
    """Something that happened to a load. `body` is what is sent."""

    id: str
    type: str
    at: datetime
    load: str
    reference: str | None
    """That of the payment that was recorded, if one was."""
    body: bytes


class Attempt(NamedTuple):
    """One request of a delivery, and what became of it."""

    number: int
    at: datetime
    seconds: float
    headers: Mapping[str, str]
    fault: str | None
    status: int | None
    """None if no response came."""
    error: str | None
    response: bytes
    """Its beginning."""

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it, which any 2xx says."""
        return self.status is not None and self.status // 100 == 2  # noqa: PLR2004


@dataclass(slots=True, eq=False)
class Webhook:
    """One receiver. It is sent one request at a time."""

    id: str
    url: str
    secret: str = field(repr=False)
    events: Sequence[str]
    signed: str
    courier: "Courier" = field(repr=False)
    enabled: bool = True
    failures: int = 0
    """Events in a row that could not be delivered."""
    dropped: int = 0
    """Events that were not sent because too many waited."""
    waiting: "list[Delivery]" = field(default_factory=list)
    """Those whose attempt is still to come, the next one first."""
    sending: "asyncio.Task[None] | None" = None
    since: float = 0
    """When the attempt began that is under way, by the sandbox's clock in seconds."""
    limit: asyncio.Timeout | None = None


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to one receiver."""

    id: str
    webhook: Webhook
    event: Event
    due: float
    """When the next attempt is to be, by the sandbox's clock in seconds since 1970."""
    state: str = "waiting"
    """Then `sending`, and at the end `delivered`, `failed` or `cancelled`."""
    tries: int = 0
    """Attempts since it was sent, or sent again by hand."""
    held_by: str | None = None
    """The fault that lets another event overtake it."""
    attempts: deque[Attempt] = field(default_factory=lambda: deque(maxlen=_MOST_ATTEMPTS))

    @property
    def size(self) -> int:
        """About how many bytes of memory it may come to take."""
        return _OVERHEAD + len(self.event.body)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self.state not in {"waiting", "sending"}


ATTEMPT = Fields[Attempt](
    {
        "attempt": lambda attempt: attempt.number,
        "at": lambda attempt: instant_text(attempt.at),
        "milliseconds": lambda attempt: round(attempt.seconds * 1000, 3),
        "headers": lambda attempt: attempt.headers,
        "fault": lambda attempt: attempt.fault,
        "status": lambda attempt: attempt.status,
        "error": lambda attempt: attempt.error,
        "response": lambda attempt: attempt.response.decode("utf-8", "replace"),
    }
)
DELIVERY = Fields[Delivery](
    {
        "id": lambda delivery: delivery.id,
        "webhook": lambda delivery: delivery.webhook.id,
        "event": lambda delivery: delivery.event.type,
        "eventid": lambda delivery: delivery.event.id,
        "at": lambda delivery: instant_text(delivery.event.at),
        "load": lambda delivery: delivery.event.load,
        "reference": lambda delivery: delivery.event.reference,
        "state": lambda delivery: delivery.state,
        "due": lambda delivery: (
            instant_text(datetime.fromtimestamp(delivery.due, UTC)) if delivery.state == "waiting" else None
        ),
        "body": lambda delivery: delivery.event.body.decode(),
        "attempts": many(lambda delivery: delivery.attempts, ATTEMPT),
    }
)
WEBHOOK = Fields[Webhook](
    {
        "id": lambda webhook: webhook.id,
        "url": lambda webhook: webhook.url,
        "secret": lambda _: None,
        "events": lambda webhook: webhook.events,
        "signed": lambda webhook: webhook.signed,
        "enabled": lambda webhook: webhook.enabled,
        "failures": lambda webhook: webhook.failures,
        "waiting": lambda webhook: len(webhook.waiting),
        "dropped": lambda webhook: webhook.dropped,
    }
)
NEW_WEBHOOK = replace(WEBHOOK, known={**WEBHOOK.known, "secret": lambda webhook: webhook.secret})


class Change(NamedTuple):
    """What an event is about: its type, the payment that was recorded, if one was, and its data."""

    event: str
    payment: Payment | None
    data: Mapping[str, object]


def changes(before: Load, after: Load) -> Iterator[Change]:
    """The events about a load that changed. A payment is told first; its status has an event of its own."""
    load = {
        "id": after.id,
        "loadNumber": after.number,
        "orderNumber": after.order_number,
        "customerId": after.customer_id,
        "status": after.status,
        "totalPaid": None if after.total_paid is None else _money(after.total_paid),
        "paidAt": None if after.paid_at is None else instant_text(after.paid_at),
    }
    payment = next(iter(after.payments.after(len(before.payments))), None)
    if payment is not None:
        data = {"changeKind": "PaymentRecorded", "load": load, "payment": _payment(payment)}
        yield Change(LOAD_CHANGED, payment, data)
    if after.status != before.status:
        moved = {"changeKind": "StatusChanged", "previousStatus": before.status, "load": load}
        if payment is None:
            yield Change(LOAD_CHANGED, None, moved)
        yield Change(STATUS_CHANGED, payment, moved)


def _money(money: Money) -> dict[str, object]:
    return {"amount": money.amount, "currency": money.currency}


def _payment(payment: Payment) -> dict[str, object]:
    return {
        "id": payment.id,
        "referenceNumber": payment.reference,
        "amount": _money(payment.amount),
        "paymentDate": payment.date,
        "paymentMethod": payment.method,
        "invoiceNumber": payment.invoice_number,
        "checkNumber": payment.check_number,
    }


class Webhooks:
    """The receivers of one sandbox, and what is sent to them. It works within the server's event loop only.

    `hosts` are those that the admin API may register beside loopback; `*` stands for all. `world` is the name
    of theirs, unless it is the default one. Replicas share the receivers; each sends the events about what it
    has recorded.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that decides what is sent
        self,
        ledger: Ledger,
        clock: Clock,
        faults: Faults | None,
        sharing: Sharing,
        *,
        hosts: Iterable[str] = (),
        world: str | None = None,
    ) -> None:
        self.registered: dict[str, Webhook] = {}
        self._ledger = ledger
        self._clock = clock
        self._faults = faults
        self._sharing = sharing
        self._resets = 0
        self._following: asyncio.Task[None] | None = None
        self._hosts = {host.lower() for host in hosts}
        self._world: Mapping[str, str] = {} if world is None else {WORLD_HEADER: world}
        self._opening: list[Webhook] = []
        self._webhook_count = self._delivery_count = 0
        self._over: deque[Delivery] = deque()
        self._bytes_over = self._bytes_waiting = self._number_waiting = 0
        self._timer: asyncio.TimerHandle | None = None

    def again(self, ledger: Ledger, clock: Clock, faults: Faults | None, world: str) -> "Webhooks":
        """Those of the start, with their secrets, in a world of its own."""
        other = Webhooks(ledger, clock, faults, self._sharing, hosts=self._hosts, world=world)
        for webhook in self._opening:
            other.open_with(webhook.url, webhook.secret, webhook.signed)
        return other

    def open_with(self, url: str, secret: str | None, signed: str) -> Webhook:
        """Registers a receiver that is there from the start, wherever it is; InvalidRequest, SwitchedOff."""
        self._hosts.add(_host_of(url))
        webhook = self.add(url, secret, signed=signed)
        self._opening.append(webhook)
        return webhook

    def add(
        self, url: str, secret: str | None = None, events: Sequence[str] = EVENTS, signed: str = WITH_ID
    ) -> Webhook:
        """Registers a receiver; InvalidRequest, SwitchedOff. Without a secret, it is given one."""
        host = _host_of(url)
        if "*" not in self._hosts and host not in self._hosts and not _is_loopback(host):
            sentence = "The host is not this machine; --webhook-host lets the admin API register it."
            raise InvalidRequest({"url": [sentence]})
        if len(self.registered) >= MOST_WEBHOOKS:
            sentence = f"There are {MOST_WEBHOOKS} webhooks, which is the most. Remove one first."
            raise InvalidRequest({"url": [sentence]})
        courier = _courier()
        self._webhook_count += 1
        secret = secret or f"whsec_{token_urlsafe(24)}"
        webhook = Webhook(f"webhook-{self._webhook_count}", url, secret, events, signed, courier)
        self._register(webhook)
        return webhook

    def _register(self, webhook: Webhook) -> None:
        self.registered[webhook.id] = webhook
        if len(self.registered) == 1:
            self._ledger.on_change.append(self._note)
            self._clock.on_change.append(self._note_time)

    def find(self, id: str) -> Webhook:
        """The webhook with an id; UnknownWebhook."""
        webhook = self.registered.get(id)
        if webhook is None:
            raise UnknownWebhook("webhook", id)
        return webhook

    def switch(self, id: str, *, on: bool) -> Webhook:
        """Switches a webhook on, with nothing failed yet, or off; UnknownWebhook."""
        webhook = self.find(id)
        webhook.failures = 0
        if on:
            webhook.enabled = True
        else:
            self._switch_off(webhook)
        return webhook

    def remove(self, id: str) -> Webhook:
        """Ends a webhook, and all that waits for it; UnknownWebhook."""
        webhook = self.find(id)
        del self.registered[id]
        self._switch_off(webhook)
        if not self.registered:
            self._ledger.on_change.remove(self._note)
            self._clock.on_change.remove(self._note_time)
        return webhook

    def _switch_off(self, webhook: Webhook) -> None:
        webhook.enabled = False
        if webhook.sending is not None and webhook.sending is not asyncio.current_task():
            webhook.sending.cancel()
            webhook.sending = webhook.limit = None
        for delivery in tuple(webhook.waiting):
            self._end(delivery, "cancelled")

    def end(self) -> None:
        """Ends all webhooks, and all that waits for them."""
        for webhook in tuple(self.registered.values()):
            self.remove(webhook.id)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def reset(self) -> None:
        """Ends all that waits, forgets all deliveries, and goes back to the receivers of the start."""
        self._resets += 1
        self._forget()
        for webhook in self._opening:
            webhook.enabled, webhook.failures, webhook.dropped = True, 0, 0
            self._register(webhook)

    def _forget(self) -> None:
        self.end()
        self._over.clear()
        self._bytes_over = 0

    def kept(self) -> Mapping[str, object]:
        """What `become` takes, for another mock to send to the same receivers: secrets too."""
        names = ("id", "url", "events", "signed", "enabled")
        webhooks = [
            {**{name: getattr(each, name) for name in names}, "secret": _bytes_of(each.secret).hex()}
            for each in self.registered.values()
        ]
        return {PAST: [self._webhook_count, self._resets], "webhooks": webhooks}

    def become(self, kept: Any) -> None:
        """Has the receivers of another mock. What is on its way to one that stays goes on."""
        self._webhook_count, resets = kept[PAST]
        if resets != self._resets:
            self._resets = resets
            self._forget()
        told = {
            each["id"]: {**each, "secret": bytes.fromhex(each["secret"]).decode("utf-8", "surrogatepass")}
            for each in kept["webhooks"]
        }
        for known in tuple(self.registered.values()):
            if known.id not in told or told[known.id]["secret"] != known.secret:
                self.remove(known.id)
        for each in told.values():
            webhook = self.registered.get(each["id"])
            if webhook is None:
                with suppress(SwitchedOff):  # where its library is not installed, nothing is sent
                    self._register(Webhook(**each, courier=_courier()))
            elif webhook.enabled != each["enabled"]:
                self.switch(webhook.id, on=each["enabled"])

    @property
    def deliveries(self) -> list[Delivery]:
        """The deliveries, oldest first: those that wait, and the latest that are over."""
        waiting = [each for webhook in self.registered.values() for each in webhook.waiting]
        return sorted([*self._over, *waiting], key=lambda each: int(each.id.rpartition("-")[2]))

    def resend(self, id: str) -> Delivery:
        """Sends an event again, at once and from its first attempt on; UnknownWebhook, SwitchedOff."""
        delivery = next((each for each in self.deliveries if each.id == id), None)
        if delivery is None:
            raise UnknownWebhook("delivery", id)
        webhook = self.find(delivery.webhook.id)
        if not webhook.enabled:
            raise SwitchedOff(f"{webhook.id} is switched off.")
        if delivery.state == "sending":
            raise SwitchedOff(f"{id} is being sent.")
        if delivery.is_over:
            self._over.remove(delivery)
            self._bytes_over -= delivery.size
        else:
            self._leave(delivery)
        delivery.state, delivery.tries = "waiting", 0
        self._wait(delivery, self._clock.seconds())
        self._look()
        return delivery

    def _note(self, before: Load, after: Load) -> None:
        # Later: what changed the load has yet to respond.
        asyncio.get_running_loop().call_soon(self._announce, before, after, self._clock.now())

    def _note_time(self) -> None:
        # Later: the change may yet be taken back.
        asyncio.get_running_loop().call_soon(self._look)

    def _announce(self, before: Load, after: Load, at: datetime) -> None:
        for kind, payment, data in changes(before, after):
            wanting = [each for each in self.registered.values() if each.enabled and kind in each.events]
            if not wanting:
                continue
            named = str(uuid4())
            envelope = {
                "id": named,
                "type": kind,
                "timestamp": instant_text(at),
                "version": "v1",
                "data": data,
            }
            reference = None if payment is None else payment.reference
            event = Event(named, kind, at, after.number, reference, encode(envelope))
            for webhook in wanting:
                self._send(webhook, event)
        self._look()

    def _send(self, webhook: Webhook, event: Event) -> None:
        if self._number_waiting >= MOST_DELIVERIES or self._bytes_waiting >= MOST_BYTES:
            webhook.dropped += 1
            return
        self._delivery_count += 1
        delivery = Delivery(f"delivery-{self._delivery_count}", webhook, event, 0)
        self._wait(delivery, self._clock.seconds())

    def _wait(self, delivery: Delivery, due: float) -> None:
        delivery.due = due
        insort(delivery.webhook.waiting, delivery, key=lambda each: each.due)
        self._number_waiting += 1
        self._bytes_waiting += delivery.size

    def _leave(self, delivery: Delivery) -> None:
        delivery.webhook.waiting.remove(delivery)
        self._number_waiting -= 1
        self._bytes_waiting -= delivery.size

    def _end(self, delivery: Delivery, state: str) -> None:
        self._leave(delivery)
        delivery.state = state
        self._over.append(delivery)
        self._bytes_over += delivery.size
        while len(self._over) > MOST_DELIVERIES or self._bytes_over > MOST_BYTES:
            self._bytes_over -= self._over.popleft().size

    def _look(self) -> None:
        """Begins what is due, ends what takes too long, and looks again when the next attempt is due."""
        loop, now = asyncio.get_running_loop(), self._clock.seconds()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pauses = []
        for webhook in self.registered.values():
            if webhook.sending is not None:
                if webhook.limit is not None and now - webhook.since >= TIME_OUT:
                    webhook.limit.reschedule(loop.time() + _GRACE)
                    webhook.limit = None
            elif webhook.waiting and webhook.waiting[0].due <= now:
                webhook.sending = loop.create_task(self._serve(webhook))
            elif webhook.waiting:
                pauses.append(webhook.waiting[0].due - now)
        if pauses and not self._clock.frozen:
            self._timer = loop.call_later(min(pauses), self._look)
        if pauses and self._sharing.before is not None and self._following is None:
            self._following = loop.create_task(self._follow())

    async def _follow(self) -> None:
        """While something waits, hears of a clock that another mock is told to move."""
        while any(webhook.waiting for webhook in self.registered.values()):
            with suppress(StateUnavailable):
                await self._sharing.catch_up()
            await asyncio.sleep(1)
        self._following = None

    async def _serve(self, webhook: Webhook) -> None:
        """Sends to one receiver, one request after the other, until nothing is due."""
        while webhook.waiting and webhook.waiting[0].due <= self._clock.seconds():
            await self._attempt(webhook.waiting[0])
        webhook.sending = None
        self._look()

    async def _attempt(self, delivery: Delivery) -> None:
        webhook, event = delivery.webhook, delivery.event
        fault, effect = delivery.held_by, None
        if fault is None and self._faults is not None:
            injected = None
            with suppress(StateUnavailable):
                injected = await self._faults.for_event(event)
            if injected is not None:
                fault, effect = injected.effect, injected.document["webhook"]
        self._leave(delivery)
        if effect == "outOfOrder":
            delivery.held_by = fault
            self._wait(delivery, self._clock.seconds() + PAUSES[0])
            return
        delivery.held_by = None
        self._wait(delivery, delivery.due)
        delivery.state = "sending"
        delivery.tries += 1
        webhook.since = self._clock.seconds()
        await self._request(delivery, fault, effect)
        is_taken = delivery.attempts[-1].succeeded
        if effect == "doubled":
            await self._request(delivery, fault, effect)
            is_taken |= delivery.attempts[-1].succeeded
        if is_taken:
            webhook.failures = 0
            self._end(delivery, "delivered")
        elif delivery.tries <= len(PAUSES):
            self._leave(delivery)
            delivery.state = "waiting"
            # From when it was sent on: a clock that jumped before the response was read has moved this too.
            failed = self._clock.seconds() if delivery.attempts[-1].error is _TOO_LATE else webhook.since
            self._wait(delivery, failed + PAUSES[delivery.tries - 1])
        else:
            webhook.failures += 1
            self._end(delivery, "failed")
            if webhook.failures >= MOST_FAILURES:
                with suppress(StateUnavailable):
                    await self._sharing.change(self, partial(self._switch_off, webhook))
        for overtaken in [each for each in webhook.waiting if each.held_by is not None]:
            self._leave(overtaken)
            self._wait(overtaken, self._clock.seconds())

    async def _request(self, delivery: Delivery, fault: str | None, effect: str | None) -> None:
        """One request, noted in the delivery."""
        webhook, event, at = delivery.webhook, delivery.event, self._clock.now()
        timestamp = int(at.timestamp())
        secret = f"{webhook.secret}?" if effect == "wrongSignature" else webhook.secret
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "alvys-sandbox",
            "Connection": "close",
            "X-Alvys-Event": event.type,
            "X-Alvys-Event-Id": event.id,
            "X-Alvys-Timestamp": str(timestamp),
            "X-Alvys-Attempt": str(delivery.tries),
            "X-Alvys-Signature": signature(secret, webhook.signed, timestamp, event.id, event.body),
            **self._world,
        }
        started = time.perf_counter()
        answer = (
            (None, b"", _TOO_LATE) if effect == "lost" else await self._answer(webhook, headers, event.body)
        )
        seconds = time.perf_counter() - started
        status, response, error = answer
        delivery.attempts.append(
            Attempt(delivery.tries, at, seconds, headers, fault, status, error, response)
        )

    async def _answer(
        self, webhook: Webhook, headers: Mapping[str, str], body: bytes
    ) -> tuple[int | None, bytes, str | None]:
        answer: tuple[int | None, bytes, str | None] = (None, b"", _TOO_LATE)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE) as limit:
                webhook.limit = limit
                answer = await webhook.courier.post(webhook.url, headers, body, MOST_OF_RESPONSE)
        webhook.limit = None
        return answer


_TOO_LATE = f"No response came within {TIME_OUT} seconds."


def _courier() -> "Courier":
    try:
        from mock_server.courier import Courier  # noqa: PLC0415 - its library is for those who have a webhook
    except ModuleNotFoundError as error:
        raise SwitchedOff("Webhooks need more: pip install 'alvys-sandbox[webhooks]'.") from error
    return Courier()


_URL = re.compile(r"https?://[!-~]{1,2048}", re.IGNORECASE)


def _host_of(url: str) -> str:
    """The host of a URL, in lowercase; InvalidRequest if nothing could be sent to it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not _URL.fullmatch(url) or parts.username is not None or parts.fragment:
        sentence = "The url field must be an absolute URL of http or https, without a user and a fragment."
        raise InvalidRequest({"url": [sentence]})
    return host


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever names mean elsewhere."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
