"""How a profile takes the outside of a request: path, version, method, media type, Accept."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.types import Scope

from mock_server.problems import InvalidRequest
from mock_server.spec import Operation

ENVELOPE = (
    *("A4a", "A4b", "A4c", "A4d", "A4e", "A4f", "A4g", "A4h"),
    *("A5a", "A5b", "A5c", "A5d", "A5e", "A10a", "A10b", "Q8", "Q14", "Q21", "Q22"),
)
"""The questions whose answers an Envelope plays."""

_MEDIA_TYPES = {
    "application/json": "A4a",
    "text/json": "A4b",
    "text/plain": "A4d",
    "application/xml": "A4e",
    "application/x-www-form-urlencoded": "A4f",
    "": "A4g",
}
_OTHER_JSON = re.compile(r"application/(?!json-patch\+).+\+json")
_VERSIONS = {"1": "A5a", "2": "A5b", "2.0": "A5c"}
_VERSION = re.compile(r"/v([^/]*)/", re.IGNORECASE)
_OFFERED = ("*/*", "application/*", "json")
ACCEPTED = "accepted"

Check = Callable[[Scope], None]


def refusal(status: str, sentence: str, field: str = "$") -> InvalidRequest:
    """A refusal with the status that an answer names."""
    return InvalidRequest({field: [sentence]}, HTTPStatus(int(status)))


def taking(take: Callable[[bytes], bool], chosen: Mapping[str, str]) -> Callable[[bytes], bool]:
    """Which Content-Type is taken: what the document says, and what is accepted besides."""
    accepted = {key for key, answer in chosen.items() if answer == ACCEPTED}
    return lambda content_type: take(content_type) or bool(accepted.intersection(_kinds(content_type)))


class Envelope:
    """A gate: refuses what the answers refuse and the document takes."""

    def __init__(self, operations: Sequence[Operation], chosen: Mapping[str, str]) -> None:
        """`chosen` are the answers that are not the default."""
        self._refused = {key: answer for key, answer in chosen.items() if answer.isdigit()}
        self._known = [(_pattern(each.path), each) for each in operations if not each.takes_forms]

    def check_for(self, operation: Operation | None) -> Check | None:
        """The check for one operation; of None, for a path or a method that none has."""
        if operation is None:
            return self._check_route
        if operation.takes_forms:
            return None
        checks = tuple(self._checks(operation))

        def check(scope: Scope) -> None:
            for each in checks:
                each(scope)

        return check if checks else None

    def _checks(self, operation: Operation) -> Iterator[Check]:
        if self._refused.keys() & _VERSIONS.values():
            yield self._check_version
        if "A5e" in self._refused:
            pattern = re.compile(_pattern(operation.path).pattern)
            yield lambda scope: self._refuse("A5e", not pattern.fullmatch(scope["path"]))
        if "Q22" in self._refused:
            yield lambda scope: self._refuse("Q22", not _is_offered(_header(scope, b"accept")))
        is_payment = operation.subject.reference is not None
        if is_payment and self._refused.keys() & {*_MEDIA_TYPES.values(), "A4c", "A4h"}:
            yield self._check_media_type
        if "Q14" in self._refused and operation.query_names:
            names = operation.query_names
            yield lambda scope: self._refuse("Q14", _asks_for_nothing(scope, names))

    def _refuse(self, question: str, *conditions: bool) -> None:
        if all(conditions) and question in self._refused:
            raise refusal(self._refused[question], "The request is not taken in this form.")

    def _check_version(self, scope: Scope) -> None:
        named = "".join(_VERSION.findall(scope["path"])[:1])
        self._refuse(_VERSIONS.get(named, ""))

    def _check_media_type(self, scope: Scope) -> None:
        for question in _kinds(_header(scope, b"content-type")):
            self._refuse(question)

    def _check_route(self, scope: Scope) -> None:
        found = next((each for each in self._known if each[0].fullmatch(scope["path"])), None)
        if found is None:
            self._refuse("Q21")
            return
        pattern, operation = found
        content_type = _header(scope, b"content-type")
        is_taken = not content_type or operation.media_types.take(content_type)
        match = pattern.fullmatch(scope["path"])
        if match is not None and operation.path_parameters.accepts(match.groupdict()):
            self._refuse("Q8" if is_taken else "A10b")
        else:
            self._refuse("A5d" if is_taken else "A10a")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]*)", re.escape(path)), re.IGNORECASE)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _kinds(content_type: bytes) -> Iterator[str]:
    """The questions that a Content-Type is about."""
    name, _, parameters = content_type.decode("latin-1").lower().partition(";")
    name = name.strip()
    if name in _MEDIA_TYPES:
        yield _MEDIA_TYPES[name]
    if _OTHER_JSON.fullmatch(name):
        yield "A4c"
    if "charset" in parameters:
        yield "A4h"


def _is_offered(accept: bytes) -> bool:
    text = accept.decode("latin-1").lower()
    return not text or any(offered in text for offered in _OFFERED)


def _asks_for_nothing(scope: Scope, names: Mapping[str, str]) -> bool:
    """Whether known keys are given, and all of them blank."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    values = [value for name, value in pairs if name.lower() in names]
    return bool(values) and not any(value.strip() for value in values)
