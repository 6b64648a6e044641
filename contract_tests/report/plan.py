"""The plan: every request that a run would send, with counts and money."""

import math
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console

from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.values import money_text
from contract_tests.safety.guard import Permit
from mock_server.rates import Rate

_LONGEST_BODY = 100


@dataclass(slots=True)
class Plan:
    """Collects the requests that would have been sent, in order."""

    requests: list[tuple[Request, Permit]] = field(default_factory=list)

    def note(self, exchange: Exchange, permit: Permit) -> None:
        """Adds a request."""
        self.requests.append((exchange.request, permit))

    def show(
        self, console: Console, base_url: str, payments: int, amount: Decimal, rate: Rate | None
    ) -> None:
        """Prints every request and then the totals."""
        console.print(f"PLAN for {base_url}: nothing was sent to it", markup=False, highlight=False)
        for number, (request, permit) in enumerate(self.requests, 1):
            console.print(
                f"{number:4} {_line(request, permit)}", markup=False, highlight=False, soft_wrap=True
            )
        time = "" if rate is None else f", {_duration(_time_for(len(self.requests), rate))} at {rate}"
        console.print(
            f"{len(self.requests)} requests, {payments} payments worth {money_text(amount)}{time}",
            markup=False,
            highlight=False,
        )


def _line(request: Request, permit: Permit) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query)
    parts = [request.method, request.path + (f"?{query}" if query else "")]
    if request.content:
        body = request.content.decode("utf-8", "replace")
        shown = (
            body if len(body) <= _LONGEST_BODY else f"{body[:_LONGEST_BODY]}… ({len(request.content)} bytes)"
        )
        parts.append("".join(char if char.isprintable() else "·" for char in shown))
    if permit.is_replay:
        parts.append("[repeat]")
    elif permit.is_payment:
        parts.append(f"[payment of {permit.intent.amount}]")
    elif permit.intent.possible_loads and not permit.is_read:
        parts.append("[must be refused]")
    return "  ".join(parts)


def _time_for(requests: int, rate: Rate) -> float:
    return math.ceil(max(0, requests - rate.requests) / rate.requests) * rate.seconds


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
