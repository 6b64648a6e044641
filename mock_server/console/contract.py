"""The contract as its page shows it: clauses and questions, from their files, as this sandbox plays them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mock_server.documents import read_document
from mock_server.profiles import choose, read_profile, read_questions
from mock_server.revisions import answers_of
from mock_server.shipped import ASSUMPTIONS, CLAUSES

_SOURCES = {
    "documented": "the endpoint's own page",
    "published": "other publications of the vendor",
    "assumed": "assumed: nobody says it",
    "nobody": "only observed: nobody says it",
}


class Row(NamedTuple):
    """A clause or a question. `text` is what the sandbox does, `default` what it does by default."""

    id: str
    title: str
    text: str
    default: str
    others: tuple[str, ...]
    """The other answers that a correct service may give."""
    source: str


def clauses(revision: str) -> list[Row]:
    """The rules that are asserted, in the words of a revision."""
    rows: Any = read_document(CLAUSES)
    return [
        Row(key, "", said := row.get(revision, row["sentence"]), said, (), _SOURCES[row["grade"]])
        for key, row in rows.items()
    ]


def questions(revision: str, profile: str) -> list[Row]:
    """What the contract leaves open, and what a profile in a revision does about it. ProfileError."""
    rows: Any = read_document(ASSUMPTIONS)
    played: Mapping[str, str] = {
        **{key: next(iter(answers)) for key, answers in answers_of(revision).items()},
        **choose(read_questions(), read_profile(profile)).chosen,
    }
    return [_question(key, row, played.get(key, row["default"])) for key, row in rows.items()]


def _question(key: str, row: Mapping[str, Any], here: str) -> Row:
    default = row["default"]
    others = tuple(str(answer) for answer in row["answers"] if str(answer) not in {here, default})
    return Row(key, row["question"], here, default, others, _SOURCES[row["source"]])
