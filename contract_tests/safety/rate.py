"""How fast requests may leave."""

import math

from pyrate_limiter import Limiter, Rate

_MARGIN = 1.02
"""The window is a little longer than the target's, because requests do not all travel equally fast."""


class Pace:
    """Lets callers through no faster than a rate; without one, at once. Safe to call from threads."""

    def __init__(self, requests: int | None = None, seconds: int = 60) -> None:
        """At most so many requests in any span of `seconds`; None: no limit."""
        span = math.ceil(seconds * 1000 * _MARGIN)
        self._limiter = None if requests is None else Limiter(Rate(requests, span))

    def wait(self) -> None:
        """Returns when the next request may leave."""
        if self._limiter is not None:
            self._limiter.try_acquire("target", blocking=True)

    def close(self) -> None:
        """Ends the limiter's own thread."""
        if self._limiter is not None:
            self._limiter.close()
