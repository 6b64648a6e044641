"""What decided over a request, as far as nobody could tell once it is over."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from mock_server.domain import LoadNotFound, LoadNotPayable
from mock_server.handlers import ignored_of, is_replay
from mock_server.problems import InvalidRequest, TokenRefused
from mock_server.responses import Recorded
from mock_server.trace import Trace

_MOST_FIELDS = 12
_LONGEST = 250
"""Characters of a text that is kept."""


class Cause(NamedTuple):
    """Why a request was refused, or what it did to a load. Small: the journal keeps thousands."""

    error: type[Exception] | None
    """Its kind; None for a payment, or a replay."""
    sentence: str = ""
    """What the error says."""
    fields: tuple[tuple[str, str], ...] = ()
    """Field -> what is wrong with it; of a replay, what was sent and ignored."""
    load_status: str | None = None
    """The status of the load: what it was refused for, or that after the payment."""
    near: str | None = None
    """The number of a load that may have been meant."""
    at: datetime | None = None
    """When the payment was recorded that this is a replay of, or when the token had expired."""

    @property
    def size(self) -> int:
        """How many characters it holds."""
        return len(self.sentence) + sum(len(name) + len(text) for name, text in self.fields)


def cause_of(trace: Trace) -> Cause | None:
    """What decided over a request that is over; None if its operation and its status say all."""
    error, result = trace.error, trace.result
    if error is not None:
        return _refused(error)
    if not isinstance(result, Recorded):
        return None
    load, payment = result
    if payment is None:  # as a profile has it
        return None
    if not is_replay(payment, trace.document):
        return _recorded(load.status)
    ignored = ignored_of(trace.document, payment)
    cause = _recorded(load.status, payment.recorded_at)
    return cause._replace(fields=tuple((name, _cut(text)) for name, text in ignored)) if ignored else cause


@lru_cache(maxsize=64)
def _recorded(load_status: str, at: datetime | None = None) -> Cause:
    """The cause that all payments share that have nothing else to say."""
    return Cause(None, load_status=load_status, at=at)


def _refused(error: Exception) -> Cause:
    cause = Cause(type(error), _cut(str(error)))
    match error:
        case LoadNotPayable():
            return cause._replace(load_status=error.status)
        case LoadNotFound():
            return cause._replace(near=error.near)
        case InvalidRequest():
            first = [*error.errors.items()][:_MOST_FIELDS]
            return cause._replace(fields=tuple((_cut(name), _cut(" ".join(told))) for name, told in first))
        case TokenRefused() if error.expired_at is not None:
            return cause._replace(at=datetime.fromtimestamp(error.expired_at, UTC))
        case _:
            return cause


def _cut(text: str) -> str:
    return text[:_LONGEST]
