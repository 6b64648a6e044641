"""A receiver of events for people's own tests, and the check of their signatures."""

import hmac
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from starlette.types import Receive, Scope, Send

from mock_server.decimal_json import decode
from mock_server.endpoint import OK
from mock_server.serving import Server, listen, url_of
from mock_server.webhooks import WITH_ID, signature

_LONGEST_STAMP = 12
"""Digits of a timestamp; the last second of the year 9999 has that many."""


def verify_signature(  # noqa: PLR0913 - one for each thing that counts
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: int = 5 * 60,
    signed: str = WITH_ID,
    now: int | None = None,
) -> bool:
    """Whether the sandbox signed this body with the secret, at most `tolerance` seconds from now.

    `headers` are those of the request, in whatever case, and `signed` is what the signature covers, as in the
    admin API. `now` is in seconds since 1970, by default the real time. Compares in constant time.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    given, event_id = sent.get("x-alvys-signature", ""), sent.get("x-alvys-event-id", "")
    stamp = given.partition(",")[0].removeprefix("t=")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP):
        return False
    expected = signature(secret, signed, int(stamp), event_id, body)
    is_recent = abs((time.time() if now is None else now) - int(stamp)) <= tolerance
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()) and is_recent


class ReceivedEvent(NamedTuple):
    """One request that a receiver got: an attempt to deliver an event."""

    headers: Mapping[str, str]
    """By their lowercase names."""
    body: bytes

    @property
    def json(self) -> Any:
        """The envelope: `id`, `type`, `timestamp`, `version` and `data`; numbers as int or Decimal."""
        return decode(self.body)


class WebhookReceiver:
    """A context manager that receives events on 127.0.0.1, on a free port.

        with WebhookReceiver(503) as receiver:
            secret = mock.add_webhook(receiver.url)

    It responds with the `statuses`, one after the other, and then with 200.
    """

    url: str
    """Where it receives, for example `http://127.0.0.1:40123/`."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[ReceivedEvent] = []
        """What came, in its order."""
        self._statuses = deque(statuses)
        self._news = threading.Condition()
        self._server = Server(self._app, grace=0)

    def __enter__(self) -> Self:
        self._listener = listen("127.0.0.1", 0)
        self.url = f"{url_of(self._listener)}/"
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()
        self._listener.close()

    def respond(self, *statuses: int) -> None:
        """Responds to what comes next with these statuses, and then with 200."""
        with self._news:
            self._statuses = deque(statuses)

    def wait_for(self, count: int, seconds: int = 30) -> list[ReceivedEvent]:
        """All that has come, once that is `count` requests; TimeoutError if it takes longer than that."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.received) >= count, seconds):
                came = ", ".join(each.headers.get("x-alvys-event", "?") for each in self.received)
                raise TimeoutError(f"{len(self.received)} of {count} requests came: {came or 'none'}")
            return list(self.received)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._news:
            status = self._statuses.popleft() if self._statuses else OK
            self.received.append(ReceivedEvent(headers, body))
            self._news.notify_all()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
