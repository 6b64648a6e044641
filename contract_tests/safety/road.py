"""The road: what goes wrong between here and the target, and how often a request is sent again for it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from contract_tests.rules.exchange import NO_RESPONSE, Response

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
TOO_MANY: Final = 429
SAYS_NOTHING: Final = frozenset({UNAUTHORIZED, FORBIDDEN, TOO_MANY})
"""Refusals of the caller rather than of the payment: the load is read before it is sent again."""
SCOPES: Final = {
    "recordCustomerPayment": "invoice:update", "getLoad": "load:read", "searchLoads": "load:read",
    "getInvoice": "invoice:read", "searchInvoices": "invoice:read",
}  # fmt: skip
"""Operation -> the scope that a token needs for it."""
OPTIONAL: Final = frozenset({"getInvoice", "searchInvoices"})
"""Operations that a correct service may not have, or not for this token."""

_GATEWAY: Final = frozenset({502, 503, 504})
"""What a gateway says when the service behind it said nothing. It comes and goes."""
_REPEATS_OF_A_READ: Final = 5
_REPEATS_OF_THE_REST: Final = 2
_REPEATS_OF_A_WRITE: Final = 3
_REPEATS_OF_WHAT_IS_LOST: Final = 1
_DEFAULT_WAIT_SECONDS: Final = 60.0
_WORD: Final = re.compile(r"[A-Za-z]{1,40}\Z")
"""The type of a problem that says more than its status: EndpointDisabled."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request may wait in all, and how long before its first repeat; in seconds."""

    total: float = 600.0
    pause: float = 1.0


class TooLongError(Exception):
    """The target asks for more patience than there is. The message says how much, as a phrase."""


class Trip:
    """One request on its way: what went wrong so far, and how long it waited for it."""

    def __init__(self, patience: Patience, sleep: Callable[[float], None]) -> None:
        """Nothing went wrong yet."""
        self._patience = patience
        self._sleep = sleep
        self._waited = 0.0
        self.met: list[int] = []
        """The statuses of the transmissions that ended in trouble."""
        self.token: object = None
        """The token that the last transmission brought."""
        self.is_renewed = False
        """Whether a refused token was renewed for it."""

    def may_repeat_a_read(self, status: int) -> bool:
        """Whether what can book nothing is sent once more after this status."""
        comes_and_goes = status in _GATEWAY or status == NO_RESPONSE
        return self.met.count(status) <= (_REPEATS_OF_A_READ if comes_and_goes else _REPEATS_OF_THE_REST)

    def may_repeat_a_write(self, status: int) -> bool:
        """Whether a write is sent once more after this status, and a read of its load."""
        return self.met.count(status) <= (
            _REPEATS_OF_A_WRITE if status in _GATEWAY else _REPEATS_OF_WHAT_IS_LOST
        )

    def is_about_the_request(self, response: Response) -> bool:
        """Whether what came for a write again and again is about this write, while reads are answered.

        What a gateway says is about the service behind it, and a success in HTML is no success of the API.
        """
        status = response.status
        return (status >= 500 and status not in _GATEWAY) or response.is_refusal

    def wait(self, response: Response) -> None:
        """Waits as long as the response asks, or else twice as long as the last time. TooLongError."""
        asked = response.headers.get("retry-after")
        seconds = self._patience.pause * 2 ** (len(self.met) - 1)
        if response.status == TOO_MANY or asked is not None:
            seconds = max(retry_after(asked or ""), self._patience.pause)
        self._waited += seconds
        if self._waited > self._patience.total:
            raise TooLongError(
                f"{cause_of(response)}, and to try again would take {self._waited:.0f} seconds of waiting in "
                f"all (--patience {self._patience.total:g})"
            )
        self._sleep(seconds)


def is_trouble(response: Response) -> bool:
    """Whether the response may be the road's and not the API's: none at all, a 5xx, or a page of HTML."""
    return response.status == NO_RESPONSE or response.status >= 500 or response.is_html


def cause_of(response: Response) -> str:
    """What went wrong, as a phrase."""
    if response.status == NO_RESPONSE:
        return f"no response ({response.content.decode()})"
    kind = response.fields.get("type")
    word = _WORD.search(kind) if response.status >= 500 and isinstance(kind, str) else None
    name = f" {word[0]}" if word else ""
    return f"{response.status}{name}{' in HTML' if response.is_html else ''}"


def retry_after(text: str) -> float:
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
