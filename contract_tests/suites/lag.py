"""How long a suite waits for a read to show what a response has shown."""

import time
from collections.abc import Iterator

_FIRST_PAUSE = 0.1
_GROWS_BY = 2


class Lag:
    """Waits between reads, in growing pauses, until `settle` seconds after what they should show.

    Once a read has not shown by then what it should, nothing is waited for any more: the service does not
    lag behind, it is wrong, and the next failure need not take as long.
    """

    def __init__(self, settle: float = 0) -> None:
        """Nothing has failed to show yet."""
        self._settle = settle

    def now(self) -> float:
        """The seconds from which a pause is counted."""
        return time.monotonic()

    def pauses(self, since: float) -> Iterator[float]:
        """Waits, and gives the seconds since then, by `now`. Whoever sees what it waited for, ends.

        Where the pace between requests took longer than that already, a read that shows nothing is wrong at
        once: another one might come from a replica that works.
        """
        pause = _FIRST_PAUSE
        while (left := since + self._settle - self.now()) > 0:
            time.sleep(min(pause, left))
            pause *= _GROWS_BY
            yield self.now() - since
        self._settle = 0

    def rest(self, since: float, seconds: float) -> None:
        """Waits until so many seconds have passed since then, but no longer than a read may lag."""
        time.sleep(max(0.0, min(since + seconds - self.now(), self._settle)))
