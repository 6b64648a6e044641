"""How fast requests may leave: evenly, operation by operation."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

OPERATIONS: Final = (
    "getLoad", "searchLoads", "getInvoice", "searchInvoices", "recordCustomerPayment", "issueToken", "other",
)  # fmt: skip
"""What has a limit of its own: ids of openapi.yaml, and the rest."""
ALL: Final = ""
"""In a mapping of limits, the one that all requests share."""

_MINUTE: Final = 60
PUBLISHED: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    dict.fromkeys(OPERATIONS, (10, _MINUTE)) | dict.fromkeys(("getLoad", "getInvoice"), (5, _MINUTE))
)
"""The vendor's limits: operation -> so many requests in so many seconds; one more blocks for 3 minutes."""

_PATHS: Final = (
    (("GET", "HEAD"), re.compile(r"/api/p/v[^/]*/loads/?"), "getLoad"),
    (("POST",), re.compile(r"/api/p/v[^/]*/loads/search/?"), "searchLoads"),
    (("GET", "HEAD"), re.compile(r"/api/p/v[^/]*/invoices/?"), "getInvoice"),
    (("POST",), re.compile(r"/api/p/v[^/]*/invoices/search/?"), "searchInvoices"),
    (("POST",), re.compile(r"/api/p/v[^/]*/invoices/customer-payments/?"), "recordCustomerPayment"),
)

_MARGIN: Final = 1.02
"""Requests leave a little further apart than the limit asks, because they do not all travel equally fast."""


def operation_of(method: str, path: str) -> str:
    """The operation whose limit a request counts against."""
    plain = path.lower()
    matches = (name for methods, form, name in _PATHS if method.upper() in methods and form.fullmatch(plain))
    return next(matches, "other")


class Pace:
    """Lets callers through evenly, never several at once. Safe to call from threads.

    A limit of 10 a minute lets one request through every 6 seconds: a limit that counts a burst in its
    first second is kept too, and a bug that lasts for seconds has the time to show.
    """

    def __init__(
        self,
        limits: Mapping[str, tuple[int, int]] = MappingProxyType({}),
        *,
        spacing: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`limits` are by operation, as in PUBLISHED, or ALL; `spacing`: seconds between any two requests."""
        self._intervals = {name: seconds / most * _MARGIN for name, (most, seconds) in limits.items()}
        self._intervals[ALL] = max(self._intervals.get(ALL, 0.0), spacing)
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()
        self._clock = clock
        self._sleep = sleep

    def wait(self, operation: str) -> None:
        """Returns when the next request of the operation may leave."""
        # A token is requested from another host, which shares no limit with the target.
        names = (operation,) if operation == "issueToken" else (operation, ALL)
        with self._lock:
            now = self._clock()
            leaves = max([now, *(self._next.get(name, now) for name in names)])
            for name in names:
                if interval := self._intervals.get(name):
                    self._next[name] = leaves + interval
        if leaves > now:
            self._sleep(leaves - now)
