"""The plan: every request that a run would send, with counts and money."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

from rich.console import Console

from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.values import money_text, visible
from contract_tests.safety.guard import Permit
from contract_tests.safety.rate import Pace, operation_of

_LONGEST_BODY = 100
_HOUR = 60
"""Minutes."""


@dataclass(slots=True)
class Plan:
    """Collects the requests that would have been sent, in order."""

    requests: list[tuple[str, Request, Permit]] = field(default_factory=list)
    """Each with the suite that sends it."""
    suite: str = "before the suites"
    """The one that sends what comes next."""

    def note(self, exchange: Exchange, permit: Permit) -> None:
        """Adds a request."""
        self.requests.append((self.suite, exchange.request, permit))

    def seconds(self, limits: Mapping[str, tuple[int, int]], spacing: float) -> list[float]:
        """When each request leaves at this pace, if responses take no time."""
        moments = [0.0]

        def let_pass(seconds: float) -> None:
            moments[-1] += seconds

        pace = Pace(limits, spacing=spacing, clock=lambda: moments[-1], sleep=let_pass)
        for _, request, _ in self.requests:
            pace.wait(operation_of(request.method, request.path))
            moments.append(moments[-1])
        return moments[:-1]

    def show(
        self,
        console: Console,
        base_url: str,
        money: tuple[int, Decimal],
        limits: Mapping[str, tuple[int, int]],
        spacing: float,
    ) -> None:
        """Prints every request and then the totals; `money` are the payments and what they are worth."""
        lines = [f"PLAN for {base_url}: nothing was sent to it"]
        lines += [
            f"{number:4} {_line(request, permit)}"
            for number, (_, request, permit) in enumerate(self.requests, 1)
        ]
        seconds = self.seconds(limits, spacing)
        is_paced = bool(limits) or spacing > 0
        if is_paced:
            lines += self._times(seconds)
        totals = f"{len(self.requests)} requests, {money[0]} payments worth {money_text(money[1])}"
        time = f"{how_long(seconds[-1] if seconds else 0)} at the pace of the run" if is_paced else ""
        lines.append(", ".join(filter(None, (totals, time))))
        for line in lines:
            console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

    def _times(self, seconds: list[float]) -> list[str]:
        """A line for each suite: its requests, and how long they take."""
        began, lines = 0.0, []
        for suite, group in groupby(zip(self.requests, seconds, strict=True), lambda each: each[0][0]):
            moments = [moment for _, moment in group]
            lines.append(f"{suite}: {len(moments)} requests, {how_long(moments[-1] - began)}")
            began = moments[-1]
        return lines


def how_long(seconds: float) -> str:
    """A time as people say it: to the second, and to the minute from an hour on."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    if minutes < _HOUR:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def _line(request: Request, permit: Permit) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query)
    parts = [request.method, request.path + (f"?{query}" if query else "")]
    if request.content:
        body = request.content.decode("utf-8", "replace")
        shown = (
            body if len(body) <= _LONGEST_BODY else f"{body[:_LONGEST_BODY]}… ({len(request.content)} bytes)"
        )
        parts.append(shown)
    if permit.is_replay:
        parts.append("[replay]")
    elif permit.is_payment and not request.clause:
        parts.append(f"[payment of {permit.intent.amount}]")
    elif permit.intent.possible_loads and not permit.is_read:
        parts.append("[must be refused]")
    return "  ".join(parts)
