"""Profiles: what a service answers to the open questions, read from a file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mock_server.documents import UnreadableDocument, read_document
from mock_server.shipped import ASSUMPTIONS, PROFILES

DEFAULT = "default"


def _is_refusal(status: HTTPStatus) -> bool:
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR


_REFUSALS = "|".join(str(status.value) for status in HTTPStatus if _is_refusal(status))
_FORMS = {
    "text": ".+",
    "integer": r"-?[0-9]{1,18}",
    "number": r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?",
    "load status": "[A-Z][A-Za-z ]+",
    "media type": r"[\w.+-]+/[\w.+-]+",
    "places": r"[^,\[\]]+(?:\[[^\]]*\])?(?:, [^,\[\]]+(?:\[[^\]]*\])?)*",
    "status": "status(?: .+)?",
    "traceId": "traceId|no traceId",
}
"""What may stand in an answer for the name in braces."""


class ProfileError(Exception):
    """A profile can't be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the contract leaves open, with the answers that there are.

    `unplayable` says why an answer can't be played; under the empty text, why none but the default can.
    """

    id: str
    default: str
    answers: tuple[str, ...]
    unplayable: Mapping[str, str]

    def form_of(self, answer: str) -> str | None:
        """Which of the answers it is, as the table writes it; None if it is none."""
        return next((form for form in self.answers if _pattern(form).fullmatch(answer)), None)

    def why_not(self, answer: str) -> str:
        """Why the mock can't give this answer; empty if it can."""
        if answer == self.default:
            return ""
        form = self.form_of(answer)
        if form is None:
            return "it is no answer that contract/assumptions.yaml has"
        return self.unplayable.get("") or self.unplayable.get(form, "")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a service does: the revision of the contract that it speaks, and its answers by question.

    A question that was answered in several ways has several answers, the most frequent first. Whatever is
    not said is as the mock does it by default.
    """

    revision: str | None = None
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """The answers that are not the default. `notes` say, a line each, what of a profile can't be played."""

    chosen: Mapping[str, str]
    notes: tuple[str, ...]


def read_questions() -> dict[str, Question]:
    """The questions in contract/assumptions.yaml, by id."""
    rows: Any = read_document(ASSUMPTIONS)
    return {key: _question(key, row) for key, row in rows.items()}


def _question(key: str, row: Mapping[str, Any]) -> Question:
    unplayable = row.get("unplayable", {})
    reasons = unplayable if isinstance(unplayable, dict) else {"": unplayable}
    return Question(key, row["default"], tuple(map(str, row["answers"])), reasons)


def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\}|4xx)", form)
    return re.compile("".join(map(_part, parts)))


def _part(part: str) -> str:
    if part == "4xx":
        return f"(?:{_REFUSALS})"
    return f"(?:{_FORMS[part[1:-1]]})" if part.startswith("{") else re.escape(part)


def read_profile(named: str) -> Profile:
    """The profile in a file, or the shipped one of that name. ProfileError.

    The file is YAML or JSON: `{revision: page, answers: {A4d: accepted, A9a: [another payment, '409']}}`.
    """
    shipped = {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}
    path = shipped.get(named, Path(named))
    if not path.is_file():
        names = ", ".join(shipped)
        raise ProfileError(f"{named} is no file, and none of the shipped profiles: {names}")
    try:
        document = read_document(path)
    except UnreadableDocument as error:
        raise ProfileError(str(error)) from error
    return _profile(document if document is not None else {}, path)


def _profile(document: object, path: Path) -> Profile:
    if not isinstance(document, dict) or not document.keys() <= {"revision", "answers"}:
        raise ProfileError(f"{path} must have `answers`, and perhaps a `revision`, and nothing else")
    revision, answers = document.get("revision"), document.get("answers") or {}
    if not isinstance(revision, str | None):
        raise ProfileError(f"{path}: the revision must be a name")
    if not isinstance(answers, dict):
        raise ProfileError(f"{path}: the answers must be by question, such as A4d: accepted")
    return Profile(revision, {key: tuple(_texts(value, f"{path}, {key}")) for key, value in answers.items()})


def _texts(value: object, where: str) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        # A status may be written without quotes.
        if isinstance(each, bool) or not isinstance(each, str | int):
            raise ProfileError(f"{where}: an answer must be a text or a list of texts")
        yield str(each)


def choose(questions: Mapping[str, Question], profile: Profile) -> Choice:
    """What the mock answers to every question: as the profile says, where that can be played."""
    chosen, notes = {}, []
    for key, given in profile.answers.items():
        question = questions.get(key)
        if question is None:
            close = get_close_matches(key, questions, n=1)
            notes.append(f"{key}: there is no such question{f'; is it {close[0]}?' if close else ''}")
            continue
        playable = [answer for answer in given if not question.why_not(answer)]
        notes += [
            f"{key}: can't be “{answer}”: {why}" for answer in given if (why := question.why_not(answer))
        ]
        # Who does sometimes what the default is, shows it too when the other answer is played.
        played = next((answer for answer in playable if answer != question.default), question.default)
        if len(given) > 1 and playable:
            notes.append(f"{key}: of {len(given)} answers, “{played}” is played")
        if played != question.default:
            chosen[key] = played
    return Choice(chosen, tuple(notes))
