"""The time that the mock goes by: the real one, until somebody moves or freezes it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Any

_INSTANT = timedelta(seconds=1)


class Clock:
    """Tells the time. One clock serves a whole mock: moving it ages everything at once."""

    def __init__(self) -> None:
        self._stopped_at: datetime | None = None
        self._ahead = timedelta()
        self.times_back = 0
        """How often it was set back, by more than time passes while it is set."""
        self.on_change: list[Callable[[], object]] = []
        """Called when it is set, moved, stopped or let go; a change may be taken back at once."""

    @property
    def frozen(self) -> bool:
        """Whether the time stands still."""
        return self._stopped_at is not None

    def now(self) -> datetime:
        """The instant, in UTC."""
        return self._stopped_at or datetime.now(UTC) + self._ahead

    def seconds(self) -> float:
        """The instant, in seconds since 1970."""
        if self._stopped_at is None:
            return time.time() + self._ahead.total_seconds()
        return self._stopped_at.timestamp()

    def move(self, seconds: float) -> None:
        """Lets that many seconds pass at once, also while frozen. OverflowError as `set`."""
        self.set(self.now() + timedelta(seconds=seconds))

    def set(self, at: datetime) -> None:
        """Goes to an instant, and on from there unless frozen; OverflowError from the year 9999 on."""
        at = at.astimezone(UTC)
        if at.year == MAXYEAR:  # so close to the end of the calendar, the next tick may be beyond it
            raise OverflowError(at)
        self._note_if_back(at)
        if self.frozen:
            self._stopped_at = at
        else:
            self._ahead = at - datetime.now(UTC)
        self._tell()

    def _note_if_back(self, at: datetime) -> None:
        if at < self.now() - _INSTANT:
            self.times_back += 1

    def _tell(self) -> None:
        for told in self.on_change:
            told()

    def freeze(self) -> None:
        """Stands still."""
        self._stopped_at = self.now()

    def thaw(self) -> None:
        """Goes on from where it stands; does nothing to a clock that goes."""
        if self._stopped_at is not None:
            self._ahead = self._stopped_at - datetime.now(UTC)
            self._stopped_at = None
            self._tell()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Takes back every change inside if one of them raises OverflowError."""
        before = self._stopped_at, self._ahead
        try:
            yield
        except OverflowError:
            self._stopped_at, self._ahead = before
            raise

    def kept(self) -> Mapping[str, object]:
        """What `become` takes, for another clock to show the same time."""
        stopped_at = None if self._stopped_at is None else self._stopped_at.isoformat()
        ahead = self._ahead // timedelta(microseconds=1)
        return {"stoppedAt": stopped_at, "microsecondsAhead": ahead, "past": self.times_back}

    def become(self, kept: Any) -> None:
        """Shows the time that another clock shows."""
        stopped_at = kept["stoppedAt"]
        self._stopped_at = None if stopped_at is None else datetime.fromisoformat(stopped_at)
        self._ahead = timedelta(microseconds=kept["microsecondsAhead"])
        self.times_back = kept["past"]
        self._tell()

    def reset(self) -> None:
        """Goes by the real time again."""
        self._note_if_back(datetime.now(UTC))
        self._stopped_at = None
        self._ahead = timedelta()
        self._tell()
