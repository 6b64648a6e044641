"""What happened so far, in numbers, as Prometheus reads them. Imported when somebody asks first."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mock_server.causes import Cause, cause_of
from mock_server.endpoint import OK
from mock_server.journal import Entry
from mock_server.problems import header_list
from mock_server.trace import Response, Trace

_HEADERS = header_list({"content-type": "text/plain; version=0.0.4; charset=utf-8"})
_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 1000, 10_000)
"""Upper bounds of durations, in milliseconds."""


class Metrics:
    """Counts the requests of the journal so far, and each one that is over from now on."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._durations: Counter[int] = Counter()
        self._seconds: float = 0
        self._recorded = self._replays = self._faults = 0
        for entry in entries:
            self._count(entry.operation, entry.status, entry.seconds, entry.fault, entry.cause)

    def add(self, trace: Trace) -> None:
        """Counts a request that is over."""
        operation = None if trace.operation is None else trace.operation.id
        self._count(operation, trace.status, trace.seconds, trace.fault, cause_of(trace))

    def _count(
        self,
        operation: str | None,
        status: int | None,
        seconds: float,
        fault: str | None,
        cause: Cause | None,
    ) -> None:
        self._requests[operation or "none", "none" if status is None else str(status)] += 1
        self._durations.update(bound for bound in _BUCKETS if seconds * 1000 <= bound)
        self._seconds += seconds
        self._faults += fault is not None
        if cause is not None and cause.error is None:
            self._recorded += cause.at is None
            self._replays += cause.at is not None

    def response(self, loads: Mapping[str, int] | None) -> Response:
        """All of it, and how many loads there are in each status; None if that can't be read now."""
        total = self._requests.total()
        lines = [
            *_of("requests_total", "counter", "Requests by operation and status.", self._by_status()),
            *_of("payments_recorded_total", "counter", "New payments.", {"": self._recorded}),
            *_of("replays_total", "counter", "Replays of a payment.", {"": self._replays}),
            *_of("faults_injected_total", "counter", "Requests with an injected fault.", {"": self._faults}),
            *_of("request_seconds", "histogram", "How long responses took.", {}),
            *(
                f'alvys_mock_request_seconds_bucket{{le="{bound / 1000:g}"}} {self._durations[bound]}'
                for bound in _BUCKETS
            ),
            f'alvys_mock_request_seconds_bucket{{le="+Inf"}} {total}',
            f"alvys_mock_request_seconds_sum {self._seconds}",
            f"alvys_mock_request_seconds_count {total}",
            *_of("state_up", "gauge", "Whether the state can be read.", {"": int(loads is not None)}),
            *_of("loads", "gauge", "Loads by status.", _labelled(loads or {})),
        ]
        return Response(OK, _HEADERS, "\n".join([*lines, ""]).encode())

    def _by_status(self) -> dict[str, int]:
        return {
            f'{{operation="{_escaped(operation)}",status="{status}"}}': count
            for (operation, status), count in sorted(self._requests.items())
        }


def _labelled(statuses: Mapping[str, int]) -> dict[str, int]:
    return {f'{{status="{_escaped(status)}"}}': count for status, count in sorted(statuses.items())}


def _of(name: str, kind: str, text: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP alvys_mock_{name} {text}"
    yield f"# TYPE alvys_mock_{name} {kind}"
    for labels, value in values.items():
        yield f"alvys_mock_{name}{labels} {value}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
