"""A rate: so many requests in a span of time, as an option writes it."""

import re
from dataclasses import dataclass

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_UNITS = "|".join(f"{name}s?|{name[0]}" for name in _SECONDS)
_RATE = re.compile(rf"\s*([1-9][0-9]{{0,5}})\s*/\s*({_UNITS})\s*", re.IGNORECASE | re.ASCII)


class NotARate(ValueError):
    """A text is not a rate; the message says how to write one."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in any span of `seconds`."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Reads `10/second`, `600/minute` or `5000/hour`; the first letter of the unit will do. NotARate."""
        match = _RATE.fullmatch(text)
        if match is None:
            raise NotARate(f"{text!r} is not a rate; write it as 10/second or 600/minute")
        seconds = next(each for name, each in _SECONDS.items() if name[0] == match[2][0].lower())
        return cls(int(match[1]), seconds)

    def __str__(self) -> str:
        """As `parse` reads it; a span that has no name of its own, in seconds (`3/90 seconds`)."""
        named = next((unit for unit, seconds in _SECONDS.items() if seconds == self.seconds), None)
        return f"{self.requests}/{named or f'{self.seconds} seconds'}"
