"""The plan: every request that a run would send, with counts and money."""

import math
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console

from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.values import money_text, visible
from contract_tests.safety.guard import Permit

_LONGEST_BODY = 100


@dataclass(slots=True)
class Plan:
    """Collects the requests that would have been sent, in order."""

    requests: list[tuple[Request, Permit]] = field(default_factory=list)

    def note(self, exchange: Exchange, permit: Permit) -> None:
        """Adds a request."""
        self.requests.append((exchange.request, permit))

    def show(self, console: Console, base_url: str, payments: int, amount: Decimal, time: str) -> None:
        """Prints every request and then the totals; `time` is what they take, if that is known."""
        lines = [f"PLAN for {base_url}: nothing was sent to it"]
        lines += [f"{number:4} {_line(*each)}" for number, each in enumerate(self.requests, 1)]
        totals = f"{len(self.requests)} requests, {payments} payments worth {money_text(amount)}"
        lines.append(", ".join(filter(None, (totals, time))))
        for line in lines:
            console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


def how_long(requests: int, most: int, seconds: int) -> str:
    """The time that so many requests take, with at most `most` of them in any span of `seconds`."""
    minutes, rest = divmod(math.ceil(max(0, requests - most) / most) * seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


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
