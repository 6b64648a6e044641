"""Services that remember with each payment under which circumstances it was made; parents of defects."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from evaluation.reference.service import Service
from evaluation.reference.values import Load, Payment, Posted

REQUEST: ContextVar[Request] = ContextVar("REQUEST")
"""The request that is being answered."""


class Counting(Service):
    """Counts the requests; each keeps its number for as long as it is answered."""

    answered = 0

    @override
    async def respond(self, request: Request) -> Response:
        self.answered += 1
        REQUEST.set(request)
        request.state.number = self.answered
        return await super().respond(request)

    @property
    def turn(self) -> int:
        """The number of the request that is being answered, from 1."""
        number: int = REQUEST.get().state.number
        return number


class Remembering(Counting):
    """Recognises a replay of the payments that it remembers: those whose stamp is today's."""

    stamps: Mapping[str, Any] = {}

    def stamp(self) -> Any:
        """What is kept with a payment."""
        return None

    def remembers(self, stamp: Any) -> bool:
        """Whether a payment with this stamp is recognised."""
        return bool(stamp == self.stamp())

    @override
    def find_original(self, load: Load, posted: Posted) -> Payment | None:
        alike = [
            one for one in reversed(load.payments) if self.key(one.reference) == self.key(posted.reference)
        ]
        return next((one for one in alike if self.remembers(self.stamps[one.id])), None)

    @override
    def keep(self, load: Load, payment: Payment) -> None:
        super().keep(load, payment)
        self.stamps = {**self.stamps, payment.id: self.stamp()}
