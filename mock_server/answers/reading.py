"""How a profile reads a body: leniently where its answers say accepted, and with their statuses elsewhere."""

import re
from collections.abc import Collection, Mapping
from functools import partial

from mock_server.answers import conversions, lenient_json
from mock_server.answers.demands import DATE_FORMS, DEMANDS
from mock_server.answers.envelope import ACCEPTED, refusal
from mock_server.decimal_json import MOST_VALUES, NotJson, decode, last_of_each, refuse_many_values
from mock_server.spec import Operation, Spec

_LAST_OF_REPEATED = "the last of repeated fields"

SYNTAX: Mapping[str, str] = {
    "Q4": _LAST_OF_REPEATED,
    "Q24": lenient_json.INVALID_UTF_8,
    "Q25": lenient_json.LONE_SURROGATES,
    "Q51": lenient_json.COMMENTS,
    "Q52": lenient_json.TRAILING_COMMAS,
    "Q53": lenient_json.SINGLE_QUOTES,
    "Q54": lenient_json.TEXT_AFTER_END,
    "Q55": lenient_json.LEADING_DOTS,
    "Q56": lenient_json.PLUS_SIGNS,
    "Q57": lenient_json.LEADING_ZEROS,
    "Q58": lenient_json.UTF_16,
}
"""What a body is that is no JSON, by the leniency that reads it."""
TAKES: Mapping[tuple[str, str], str] = {
    ("A18b", ACCEPTED): conversions.NAMES_IN_ANY_CASE,
    ("Q2", ACCEPTED): conversions.NUMBERS_IN_TEXTS,
    ("Q18", "stored as null"): conversions.BLANK_TEXTS_AS_NULL,
    ("Q19", "trimmed"): conversions.TRIMMED_TEXTS,
    ("Q44", ACCEPTED): conversions.TEXTS_FROM_NUMBERS,
    ("Q45", ACCEPTED): conversions.TEXTS_FROM_BOOLEANS,
    ("Q46", ACCEPTED): conversions.DATES_FROM_NUMBERS,
    ("Q47", ACCEPTED): conversions.NUMBERS_FROM_BOOLEANS,
    ("Q48", ACCEPTED): conversions.INTEGERS_FROM_FRACTIONS,
    **{(question, ACCEPTED): form for question, form in {**DATE_FORMS, **SYNTAX}.items()},
}
"""What an answer lets through that is refused otherwise."""

_LONGEST_LOOKED_AT = 100_000
"""Bytes of a body that is looked at for why it is no JSON, which takes a reading for each question."""
_NOT_A_NUMBER = re.compile(rb"[:,\[\s](?:NaN|-?Infinity)\b")

READING = {*DEMANDS, *SYNTAX, *(question for question, _ in TAKES), "Q5", "Q6", "Q7", "Q23", "Q29"}
"""The questions whose answers a BodyReader plays."""


class BodyReader:
    """Reads the bodies of one operation, as the answers that are not the default say."""

    def __init__(self, spec: Spec, operation: Operation, chosen: Mapping[str, str]) -> None:
        taken = {TAKES[each] for each in chosen.items() if each in TAKES}
        self._taken = taken
        schema = operation.body_schema
        self._spelled = partial(spec.examples.respelled, schema=schema) if operation.foreign else None
        is_payment = operation.subject.reference is not None
        self._name = conversions.conversion(spec, schema, taken & {conversions.NAMES_IN_ANY_CASE})
        self._convert = conversions.conversion(spec, schema, taken)
        self._statuses = {key: answer for key, answer in chosen.items() if answer.isdigit()}
        self._demands = [(key, DEMANDS[key]) for key in DEMANDS if is_payment and key in self._statuses]

    def __call__(self, body: bytes) -> object:
        """The document in a body; NotJson, or InvalidRequest with a status of its own."""
        try:
            document = _read(body, self._taken)
        except NotJson as error:
            status = self._statuses.get(self._question_of(body, str(error)))
            if status is None:
                raise
            raise refusal(status, str(error)) from error
        if not isinstance(document, dict) and "Q6" in self._statuses:
            raise refusal(self._statuses["Q6"], "The request body must be an object.")
        return self._converted(document)

    def _question_of(self, body: bytes, sentence: str) -> str:
        """Which question a body is about that can't be read."""
        if not body.strip():
            return "Q7"
        if "nested" in sentence:
            return "Q23"
        if _NOT_A_NUMBER.search(body):
            return "Q29"
        asked = [key for key in SYNTAX if key in self._statuses and len(body) <= _LONGEST_LOOKED_AT]
        return next((key for key in asked if self._reads(body, SYNTAX[key])), "Q5")

    def _reads(self, body: bytes, leniency: str) -> bool:
        try:
            _read(body, {*self._taken, leniency})
        except NotJson:
            return False
        return True

    def _converted(self, document: object) -> object:
        if self._spelled is not None:  # the document of others may write all names in its own way
            document = self._spelled(document)
        document = self._name(document)
        for question, demand in self._demands:
            if isinstance(document, dict) and demand(document):
                raise refusal(self._statuses[question], "The request is not taken in this form.")
        return self._convert(document)


def _read(body: bytes, taken: Collection[str]) -> object:
    if len(body) > MOST_VALUES:
        refuse_many_values(body)
    object_of = last_of_each if _LAST_OF_REPEATED in taken else None
    return decode(lenient_json.strict_json(body, taken), object_of)
