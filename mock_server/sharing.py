"""How parts of a mock are shared with other mocks: here, not at all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from starlette.types import Scope

from mock_server.clock import Clock
from mock_server.endpoint import Gate
from mock_server.journal import Journal
from mock_server.rates import Rate
from mock_server.spec import Operation

if TYPE_CHECKING:
    from mock_server.limits import Limits

T = TypeVar("T")

PAST = "past"


class Part(Protocol):
    """A part of a mock that others may share."""

    def kept(self) -> Mapping[str, object]:
        """All that there is to it, as JSON has it; under PAST, what only counts what was."""

    def become(self, kept: Any) -> None:
        """Goes on from what `kept` returned, here or elsewhere."""


class Sharing(Protocol):
    """What keeps parts for all that share them."""

    @property
    def notes(self) -> Sequence[str]:
        """What is not as it was to be, a line each, since the state was opened."""

    @property
    def before(self) -> Callable[[Scope, Operation | None], Awaitable[bool]] | None:
        """Catches up before a request; if it can't, returns False, and the gates refuse the request."""

    @property
    def gates(self) -> Sequence[Gate]: ...

    def limits(self, clock: Clock, rate: Rate | None) -> "Limits":
        """What counts requests."""

    def journal(self, most: int, body_limit: int) -> Journal:
        """What keeps requests."""

    def keep(self, name: str, part: Part) -> None:
        """Keeps a part over restarts, and shares it, from when the state is opened on."""

    def share(self, name: str, part: Part) -> None:
        """Keeps a part if there may be several that share it."""

    async def change(self, part: object, work: Callable[[], T]) -> T:
        """What `work` returns, which changes a part as all know it, and no others at the same time.

        StateUnavailable: nothing is changed.
        """

    async def catch_up(self) -> None:
        """Knows all changes by others that were over before. StateUnavailable."""


class Alone:
    """Keeps everything to itself, for as long as it is there."""

    notes: Sequence[str] = ()
    before: Callable[[Scope, Operation | None], Awaitable[bool]] | None = None
    gates: Sequence[Gate] = ()

    def limits(self, clock: Clock, rate: Rate | None) -> "Limits":
        from mock_server.limits import Limits  # noqa: PLC0415 - its library is for those who limit

        return Limits(clock, rate)

    def journal(self, most: int, body_limit: int) -> Journal:
        return Journal(most, body_limit)

    def keep(self, name: str, part: Part) -> None:
        pass

    def share(self, name: str, part: Part) -> None:
        pass

    async def change(self, part: object, work: Callable[[], T]) -> T:  # noqa: ARG002 - there is but one
        return work()

    async def catch_up(self) -> None:
        pass
