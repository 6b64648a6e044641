"""How clauses were broken: each kind of failure once, by its shortest request, as text that can be shown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contract_tests.report.curl import curl
from contract_tests.report.picture import Step, picture
from contract_tests.report.results import Results
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.findings import Failure
from contract_tests.rules.values import visible

_MOST_FAILURES: Final = 5
"""So many different failures of a clause are shown; the rest is only counted."""
_LONGEST_TEXT: Final = 4000
_STATUS: Final = re.compile(r"[1-5]\d\d\b")
_WORD: Final = re.compile(r"[\w.:-]+")
_DIGIT: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """A request and its response as text. `curl` is without a token."""

    curl: str
    method: str
    url: str
    request_headers: str
    request_body: str
    status: int
    response_headers: str
    response_body: str
    started: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ShownFailure:
    """How a clause was broken: the last exchange shows it, the ones before led there.

    `picture` is the payment with its response and the read after it, field by field.
    """

    clause: str
    expected: str
    got: str
    curl: str
    times: int
    exchanges: tuple[ShownExchange, ...]
    picture: tuple[Step, ...]


def shown_failures(found: Sequence[Failure], results: Results) -> tuple[ShownFailure, ...]:
    """The different ways in which a clause was broken, each by its shortest request."""
    shortest: dict[tuple[str, str], Failure] = {}
    times: dict[tuple[str, str], int] = {}
    for failure in found:
        key = kind(failure.expected, failure.got)
        times[key] = times.get(key, 0) + 1
        if key not in shortest or _size(failure) < _size(shortest[key]):
            shortest[key] = failure
    ordered = sorted(shortest.items(), key=lambda each: _size(each[1]))[:_MOST_FAILURES]
    return tuple(_shown(failure, times[key], results) for key, failure in ordered)


def kind(expected: str, got: str) -> tuple[str, str]:
    """What failures of one kind share: their words, without the numbers, ids and dates that vary."""
    return _without_variables(expected), _without_variables(got)


def _without_variables(text: str) -> str:
    status = _STATUS.match(text)
    kept = status[0] if status else ""
    # A word at a time: one that a service makes long must not take the square of its length.
    return kept + _WORD.sub(lambda word: "#" if _DIGIT.search(word[0]) else word[0], text[len(kept) :])


def _size(failure: Failure) -> int:
    if not failure.exchanges:
        return 0
    request = failure.exchanges[-1].request
    return len(request.path) + len(request.content or b"") + sum(map(len, request.headers.values()))


def _shown(failure: Failure, times: int, results: Results) -> ShownFailure:
    exchanges = tuple(_shown_exchange(exchange, results) for exchange in failure.exchanges)
    read = () if failure.after is None else (_shown_exchange(failure.after, results),)
    return ShownFailure(
        failure.clause,
        phrase(failure.expected),
        phrase(failure.got),
        exchanges[-1].curl if exchanges else "",
        times,
        exchanges + read,
        picture(failure),
    )


def _shown_exchange(exchange: Exchange, results: Results) -> ShownExchange:
    request, response = exchange.request, exchange.response
    query = "&".join(f"{name}={value}" for name, value in request.query)
    return ShownExchange(
        curl=visible(curl(request, results.base_url, with_token=results.with_token)),
        method=request.method,
        url=visible(results.base_url + request.path + (f"?{query}" if query else "")),
        request_headers=_lines(request.headers),
        request_body=_text(request.content or b""),
        status=response.status,
        response_headers=_lines(response.headers),
        response_body=_text(response.content),
        started=exchange.started,
        milliseconds=round(exchange.seconds * 1000),
    )


def _lines(headers: Mapping[str, str]) -> str:
    shown = (f"{name}: {value}" for name, value in headers.items() if name.lower() != "authorization")
    return "\n".join(map(phrase, shown))


def _text(content: bytes) -> str:
    return visible(_cut(content.decode("utf-8", "backslashreplace")), "\n\t")


def phrase(text: str) -> str:
    """A text in one line, so that none of its lines passes for one of the report."""
    return visible(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text)} characters)"
