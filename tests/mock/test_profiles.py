"""What the contract leaves open: every answer that the mock can give, it gives."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from mock_server.profiles import Question, choose, read_profile, read_questions
from mock_server.sandbox import Settings
from mock_server.testing import MockServer
from tests.mock.probes import PROBES, Probe

QUESTIONS = read_questions()
FORMS: dict[str, list[str]] = {
    "4xx": ["422"],
    "4xx about something else": ["409 about something else"],
    "{places}": ["detail", "errors[referenceNumber], title", "errors", "errors[], message"],
    "type {text}, title {text}, {status}, {traceId}": [
        "type None, title Not so, status, no traceId",
        "type about:blank, title None, status None, traceId",
        "type about:blank, title a, title b, status 418, traceId",
    ],
    "{media type}": ["application/json", "text/plain"],
    "{load status}": ["Paid", "Financed"],
    "Page {integer}, PageSize {integer}": ["Page 0, PageSize 50", "Page 1, PageSize 10"],
}
"""Answers of a form that stands for several."""
TEXTS = {
    "A1b": ["Amount, Id, PaymentDate"],
    "A14d": ["840"],
    "Q20": ["840"],
    "Q50": ["840"],
    "Q27": ["Basic"],
    "Q30": ["GET, POST"],
}


NEEDS = {"Q50": {"Q49": "accepted"}}
"""What else a mock must do, for the question to come up."""


def answers_of(question: Question) -> Iterator[str]:
    yield question.default
    for form in question.answers:
        written = TEXTS.get(question.id, []) if form in ("{text}", "{integer}") else FORMS.get(form, [form])
        yield from (answer for answer in written if not question.why_not(answer))


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("question", [QUESTIONS[key] for key in PROBES], ids=lambda question: question.id)
def test_every_answer_is_played(tmp_path: Path, question: Question) -> None:
    def played(answer: str) -> str:
        number = answers.index(answer)
        answered = {**NEEDS.get(question.id, {}), question.id: answer}
        profile = write(tmp_path / f"{number}.json", json.dumps({"answers": answered}))
        settings = Settings(profile=profile, require_token=question.id == "Q27")
        with MockServer(settings=settings) as mock, httpx2.Client(base_url=mock.url) as client:
            return PROBES[question.id](Probe(client))

    answers = list(dict.fromkeys(answers_of(question)))
    with ThreadPoolExecutor(len(answers)) as pool:
        assert dict(zip(answers, pool.map(played, answers), strict=True)) == {each: each for each in answers}


def test_every_question_but_those_that_follow_from_others_has_a_probe() -> None:
    unasked = QUESTIONS.keys() - PROBES.keys()
    assert all(QUESTIONS[key].unplayable for key in unasked)
    assert len(PROBES) >= 90


@pytest.mark.parametrize("question", [*QUESTIONS.values()], ids=lambda question: question.id)
def test_default_is_among_the_answers(question: Question) -> None:
    assert question.form_of(question.default)


@pytest.mark.parametrize("name", ["default", "newtonsoft"])
def test_shipped_profile_is_played_wholly(name: str) -> None:
    choice = choose(QUESTIONS, read_profile(name))
    assert choice.notes == ()
    for question, answer in choice.chosen.items():
        settings = Settings(profile=name)
        with MockServer(settings=settings) as mock, httpx2.Client(base_url=mock.url) as client:
            assert PROBES[question](Probe(client)) == answer, question
