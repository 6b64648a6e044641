"""How fast requests may leave."""

import math
import re
from dataclasses import dataclass
from typing import Final

from pyrate_limiter import Limiter
from pyrate_limiter import Rate as WindowRate

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_RATE = re.compile(r"\s*([1-9][0-9]{0,5})\s*/\s*(second|minute|hour)s?\s*", re.IGNORECASE)
_MARGIN = 1.02
"""The window is a little longer than the target's, because requests do not all travel equally fast."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in any span of `seconds`."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Reads `10/minute` or `8/second`; raises ValueError for anything else."""
        match = _RATE.fullmatch(text)
        if match is None:
            message = f"{text!r} is no rate; write it as 10/minute or 8/second."
            raise ValueError(message)
        return cls(int(match[1]), _SECONDS[match[2].lower()])

    def time_for(self, requests: int) -> float:
        """The seconds that so many requests take at least, each answered at once."""
        return math.ceil(max(0, requests - self.count) / self.count) * self.seconds * _MARGIN

    def __str__(self) -> str:
        """The form that `parse` reads."""
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.count}/{unit}"


class Pace:
    """Lets callers through no faster than a rate; without one, at once. Safe to call from threads."""

    def __init__(self, rate: Rate | None) -> None:
        """Starts with an empty window."""
        self._limiter = (
            None
            if rate is None
            else Limiter(WindowRate(rate.count, math.ceil(rate.seconds * 1000 * _MARGIN)))
        )

    def wait(self) -> None:
        """Returns when the next request may leave."""
        if self._limiter is not None:
            self._limiter.try_acquire("target", blocking=True)

    def close(self) -> None:
        """Ends the limiter's own thread."""
        if self._limiter is not None:
            self._limiter.close()
