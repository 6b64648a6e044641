"""How a profile words refusals: where each sentence is, what else is there, in which media type."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import NamedTuple

from mock_server.decimal_json import encode
from mock_server.problems import head_of, header_list, problem, refusal_of, trace_id
from mock_server.trace import Response

WORDING = (
    *("A2a", "A2b", "A2c", "A2d", "A2e", "A2f", "A2g", "A2h", "A2i"),
    *("A3", "A11", "A24a", "A24b", "A24c", "Q27", "Q30"),
)
"""The questions whose answers a Wording plays."""

_STATUSES = {
    "A2d": HTTPStatus.BAD_REQUEST,
    "A2e": HTTPStatus.NOT_FOUND,
    "A2f": HTTPStatus.METHOD_NOT_ALLOWED,
    "A2g": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
_DOCUMENT = re.compile("type (.*?), title (.*), status(?: (.+))?, (traceId|no traceId)", re.DOTALL)
_SENTENCES = {"ReferenceNumber": "a", "Amount.Amount": "b", "Status": "c"}
"""The fields with a sentence of their own, and the letter of the questions about it."""
_PLAIN = "a plain body"
_ONE_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Place(NamedTuple):
    """A field of a problem document, or a key of its `errors`."""

    name: str
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Reads `detail` or `errors[Status]`."""
        name, bracket, rest = text.partition("[")
        return cls(name, rest.removesuffix("]") if bracket else None)


class Said(NamedTuple):
    """A sentence and where it is said."""

    sentence: str
    places: tuple[Place, ...]


class Wording:
    """Makes the response to an error, as the answers to the questions of WORDING say."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._heads = {status: _head(answers[key], status) for key, status in _STATUSES.items()}
        self._places = {
            letter: tuple(map(Place.parse, answers[f"A2{letter}"].split(", "))) for letter in "abc"
        }
        self._says_detail = any(place.name == "detail" for some in self._places.values() for place in some)
        self._naming = answers["A2h"]
        self._has_own_trace = answers["A2i"] == "differs"
        self._media_type = answers["A3"]
        self._reported = answers["A11"]
        self._rewords = {letter for letter in "abc" if answers[f"A24{letter}"] != "exactly the page's"}
        self._headers = {"www-authenticate": answers["Q27"], "allow": answers["Q30"]}

    def __call__(self, error: Exception) -> Response:
        """The response to an error. A failure of the server itself is always the same problem."""
        status, errors, detail, headers = refusal_of(error)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            return problem(error)
        said = self._reported_of(
            [self._said(field, sentence) for field, some in errors.items() for sentence in some]
        )
        sent = {"content-type": self._media_type, **self._worded(headers)}
        if self._media_type == "none":
            del sent["content-type"]
        return Response(status.value, header_list(sent), self._body(status, said, detail))

    def _body(self, status: HTTPStatus, said: list[Said], detail: str) -> bytes:
        head = self._heads.get(status, head_of(status) | {"traceId": ""})
        if head is None or any(place.name == _PLAIN for one in said for place in one.places):
            return self._plain(" ".join(one.sentence for one in said) or detail)
        document = {name: value for name, value in head.items() if name != "traceId"}
        if self._says_detail and not said:
            document["detail"] = detail
        # What no other place says is said in full; else the first sentence is enough.
        elsewhere = any(place.key is not None for one in said for place in one.places)
        for name in {place.name for one in said for place in one.places if place.key is None}:
            told = [one.sentence for one in said if Place(name) in one.places]
            document[name] = told[0] if elsewhere else " ".join(told)
        for name in {place.name for one in said for place in one.places if place.key is not None}:
            document[name] = _keyed(said, name)
        if "traceId" in head:
            document["traceId"] = trace_id() if self._has_own_trace else _ONE_TRACE
        return encode(document)

    def _plain(self, text: str) -> bytes:
        return encode(text) if self._media_type.endswith("json") else text.encode("utf-8", "replace")

    def _reported_of(self, said: list[Said]) -> list[Said]:
        if len(said) < 2 or self._reported == "all reported":  # noqa: PLR2004 - there are several
            return said
        kept = said[0]
        return [kept if self._reported == "one reported" else Said("The request is not valid.", kept.places)]

    def _said(self, field: str, sentence: str) -> Said:
        letter = _SENTENCES.get(field, "")
        # An amount that is missing is missing like any other field.
        if not letter or (letter == "b" and sentence.endswith("is required.")):
            return Said(sentence, tuple(self._by_name(field)))
        if letter in self._rewords:
            sentence = f"The payment is refused: {sentence}"
        return Said(sentence, self._places[letter])

    def _by_name(self, field: str) -> Iterator[Place]:
        if self._naming == "errors, by its name":
            yield Place("errors", field)
        elif self._naming == "errors, by its name in other case":
            yield Place("errors", ".".join(f"{step[:1].lower()}{step[1:]}" for step in field.split(".")))
        elif self._naming == "errors, by another name":
            yield Place("errors", "$")
        if self._says_detail:
            yield Place("detail")

    def _worded(self, headers: Mapping[str, str]) -> dict[str, str]:
        worded = dict(headers)
        for name in worded.keys() & self._headers.keys():
            answer = self._headers[name]
            if answer == "none":
                del worded[name]
            elif name == "www-authenticate":
                worded[name] = " ".join([answer, *worded[name].split(" ", 1)[1:]])
            else:
                worded[name] = answer
        return worded


def _head(answer: str, status: HTTPStatus) -> dict[str, object] | None:
    """What a problem document begins with, `traceId` among it if it has one; None if it is none."""
    match = _DOCUMENT.fullmatch(answer)
    if match is None:
        return None
    type_, title, shown, trace = match.groups()
    number: object = status.value if shown is None else int(shown) if shown.isdigit() else shown
    head = {"type": type_, "title": title, "status": number}
    head = {name: value for name, value in head.items() if value != "None"}
    return head | ({"traceId": ""} if trace == "traceId" else {})


def _keyed(said: list[Said], name: str) -> dict[str, list[str]]:
    """The sentences that are said by key in the field of that name."""
    by_key: dict[str, list[str]] = {}
    for one in said:
        for place in one.places:
            if place.name == name and place.key is not None:
                by_key.setdefault(place.key, []).append(one.sentence)
    return by_key
