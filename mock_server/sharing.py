"""How parts of a mock are shared with other mocks: here, not at all."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Part(Protocol):
    """A part of a mock that others may share."""

    def kept(self) -> object:
        """All that there is to it, as JSON has it."""

    def become(self, kept: Any) -> None:
        """Goes on from what `kept` returned, here or elsewhere."""


class Sharing(Protocol):
    """What keeps parts for all that share them."""

    async def change(self, part: Part, work: Callable[[], T]) -> T:
        """What `work` returns, which changes a part as all know it, and no others at the same time.

        StateUnavailable: nothing is changed.
        """

    async def catch_up(self) -> None:
        """Knows all changes by others that were over before. StateUnavailable."""


class Alone:
    """Keeps everything to itself."""

    async def change(self, part: Part, work: Callable[[], T]) -> T:  # noqa: ARG002 - there is but one
        return work()

    async def catch_up(self) -> None:
        pass
