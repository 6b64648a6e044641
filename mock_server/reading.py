"""How a profile reads a body: leniently where its answers say accepted, and with their statuses elsewhere."""

import re
from collections.abc import Mapping

from mock_server import lenient_json
from mock_server.bodies import json_in
from mock_server.conversions import (
    BLANK_TEXTS_AS_NULL,
    NAMES_IN_ANY_CASE,
    NUMBERS_IN_TEXTS,
    TRIMMED_TEXTS,
    conversion,
)
from mock_server.decimal_json import decode, last_of_each
from mock_server.demands import DATE_FORMS, DEMANDS
from mock_server.envelope import ACCEPTED, refusal
from mock_server.problems import InvalidRequest
from mock_server.spec import Operation, Spec

_LAST_OF_REPEATED = "the last of repeated fields"

TAKES: Mapping[tuple[str, str], str] = {
    ("A18b", ACCEPTED): NAMES_IN_ANY_CASE,
    ("Q2", ACCEPTED): NUMBERS_IN_TEXTS,
    ("Q4", ACCEPTED): _LAST_OF_REPEATED,
    ("Q18", "stored as null"): BLANK_TEXTS_AS_NULL,
    ("Q19", "trimmed"): TRIMMED_TEXTS,
    ("Q24", ACCEPTED): lenient_json.INVALID_UTF_8,
    ("Q25", ACCEPTED): lenient_json.LONE_SURROGATES,
    **{(question, ACCEPTED): form for question, form in DATE_FORMS.items()},
}
"""What an answer lets through that is refused otherwise."""

_FAULTS = {
    "Q7": re.compile(rb"\s*"),
    "Q29": re.compile(rb".*[:,\[\s](?:NaN|-?Infinity)\b.*", re.DOTALL),
    "Q25": re.compile(rb".*(?:\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]).*", re.DOTALL),
}
"""What a body is that can't be read, as far as its bytes show it."""
_WORDS = {"Q4": "appears twice", "Q23": "nested", "Q24": "UTF-8"}
"""The same, as far as the sentence about it tells."""

READING = {*DEMANDS, *_FAULTS, *_WORDS, *(question for question, _ in TAKES), "Q5", "Q6"}
"""The questions whose answers a BodyReader plays."""


class BodyReader:
    """Reads the bodies of one operation, as the answers that are not the default say."""

    def __init__(self, spec: Spec, operation: Operation, chosen: Mapping[str, str]) -> None:
        taken = {TAKES[each] for each in chosen.items() if each in TAKES}
        self._taken = taken
        self._object_of = last_of_each if _LAST_OF_REPEATED in taken else None
        schema = operation.body_schema
        is_payment = operation.subject.reference is not None
        self._name = conversion(spec, schema, taken & {NAMES_IN_ANY_CASE})
        self._convert = conversion(spec, schema, taken)
        self._statuses = {key: answer for key, answer in chosen.items() if answer.isdigit()}
        self._demands = [(key, DEMANDS[key]) for key in DEMANDS if is_payment and key in self._statuses]

    def __call__(self, body: bytes) -> object:
        """The document in a body; InvalidRequest."""
        try:
            document = json_in(body, self._decode)
        except InvalidRequest as error:
            status = self._statuses.get(_question_of(body, str(error)))
            if status is None:
                raise
            raise refusal(status, str(error)) from error
        if not isinstance(document, dict) and "Q6" in self._statuses:
            raise refusal(self._statuses["Q6"], "The request body must be an object.")
        return self._converted(document)

    def _decode(self, body: bytes) -> object:
        return decode(lenient_json.strict_json(body, self._taken), self._object_of)

    def _converted(self, document: object) -> object:
        document = self._name(document)
        for question, demand in self._demands:
            if isinstance(document, dict) and demand(document):
                raise refusal(self._statuses[question], "The request is not taken in this form.")
        return self._convert(document)


def _question_of(body: bytes, sentence: str) -> str:
    """Which question a body is about that can't be read."""
    by_bytes = (question for question, pattern in _FAULTS.items() if pattern.fullmatch(body))
    by_words = (question for question, word in _WORDS.items() if word in sentence)
    return next(by_bytes, None) or next(by_words, "Q5")
