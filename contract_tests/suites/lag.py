"""How long a suite waits for a read to show what a response has shown."""

import time
from collections.abc import Callable, Iterator

_FIRST_PAUSE = 0.1
_GROWS_BY = 2


class Lag:
    """Waits between reads, in growing pauses, `settle` seconds in all.

    Once a read has not shown by then what it should, nothing is waited for any more: the service does not
    lag behind, it is wrong, and the next failure need not take as long.
    """

    def __init__(self, settle: float, sleep: Callable[[float], None]) -> None:
        """`sleep` waits for so many seconds."""
        self._settle = settle
        self._sleep = sleep

    def pauses(self) -> Iterator[float]:
        """Waits, and gives the seconds that were waited until now. Whoever sees what it waited for, ends.

        What the reads take themselves, and the pace between them, counts as well.
        """
        began, waited, pause = time.monotonic(), 0.0, _FIRST_PAUSE
        while waited < self._settle:
            pause = min(pause, self._settle - waited)
            self._sleep(pause)
            waited, pause = waited + pause, pause * _GROWS_BY
            yield waited
            waited = max(waited, time.monotonic() - began)
        self._settle = 0
