"""What the contract leaves open: every answer that the mock can give, it gives."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from evaluation.durability.database import PostgreSQL
from mock_server.answers.courses import COURSES
from mock_server.answers.lenient_json import (
    COMMENTS,
    INVALID_UTF_8,
    LEADING_DOTS,
    LEADING_ZEROS,
    LONE_SURROGATES,
    PLUS_SIGNS,
    SINGLE_QUOTES,
    TEXT_AFTER_END,
    TRAILING_COMMAS,
    UTF_16,
    strict_json,
)
from mock_server.answers.terms import RECORDING
from mock_server.answers.wording import Wording
from mock_server.decimal_json import NotJson, decode
from mock_server.ledger import MEMORY
from mock_server.policy import DEFAULT_POLICY, policy_named
from mock_server.profiles import Question, choose, read_profile, read_questions
from mock_server.sandbox import Settings, UnusableSetting
from mock_server.testing import MockServer
from tests.mock.api import PAYMENTS, SEARCH, json_of
from tests.mock.command import serving
from tests.mock.probes import PROBES, Probe, shown
from tests.mock.rules import keep_the_rules
from tests.mock.states import DATABASES, opened
from tests.mock.team import CREDENTIALS
from tests.mock.test_bad_input import NO_JSON, payment, with_amount, with_field

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


@contextmanager
def playing(folder: Path, answers: Mapping[str, str], state: str = MEMORY) -> Iterator[Probe]:
    """A mock that gives these answers."""
    profile = write(folder / "profile.json", json.dumps({"answers": answers}))
    settings = Settings(profile=profile, require_token="Q27" in answers, state=state)
    with MockServer(settings=settings) as mock, httpx2.Client(base_url=mock.url) as client:
        yield Probe(client)


@pytest.mark.parametrize("question", [QUESTIONS[key] for key in PROBES], ids=lambda question: question.id)
def test_every_answer_is_played_within_the_rules(tmp_path: Path, question: Question) -> None:
    def played(answer: str) -> str:
        folder = tmp_path / str(answers.index(answer))
        folder.mkdir()
        with playing(folder, {**NEEDS.get(question.id, {}), question.id: answer}) as probe:
            observed = PROBES[question.id](probe)
            if question.id != "Q27":  # without a token, every request is refused
                keep_the_rules(probe)
            return observed

    answers = list(dict.fromkeys(answers_of(question)))
    with ThreadPoolExecutor(len(answers)) as pool:
        assert dict(zip(answers, pool.map(played, answers), strict=True)) == {each: each for each in answers}


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("key", [key for key in PROBES if key in {*RECORDING, *COURSES, "Q42"}])
def test_database_plays_every_answer_that_asks_the_ledger(
    tmp_path: Path, key: str, kind: str, postgresql: PostgreSQL
) -> None:
    question = QUESTIONS[key]
    for number, answer in enumerate(dict.fromkeys(answers_of(question))):
        folder = tmp_path / str(number)
        folder.mkdir()
        answers = {**NEEDS.get(key, {}), key: answer}
        with (
            opened(kind, folder, postgresql if kind == "postgresql" else None) as state,
            playing(folder, answers, state) as probe,
        ):
            assert PROBES[key](probe) == answer


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


@pytest.mark.parametrize("accepted", [True, False], ids=["lenient", "strict"])
def test_no_body_makes_a_mock_fail_that_answers_otherwise(tmp_path: Path, accepted: bool) -> None:  # noqa: FBT001
    """With every answer that takes more, and with every answer that refuses more."""
    wanted = (
        ("accepted", "stored as null", "trimmed", "that of the load", "as a double") if accepted else ("422",)
    )
    answers = {
        key: answer
        for key, question in QUESTIONS.items()
        for answer in answers_of(question)
        if answer != question.default and answer in wanted
    }
    with playing(tmp_path, answers) as probe:
        for body in (*NO_JSON.values(), *odd_bodies()):
            for path in (PAYMENTS, SEARCH):
                response = probe.post(body, path=path)
                assert response.status_code < 500, body[:200]


def odd_bodies() -> Iterator[bytes]:
    numbers = [
        "0",
        "-0",
        "1e400",
        "1e-400",
        "9" * 400,
        "0" * 6000 + "1",
        "NaN",
        "-Infinity",
        "1e308",
        "840.5",
    ]
    texts = ["", " ", "\0", "9" * 6000, "1e999", "NaN", "2026-02-30T00:00:00Z", "9999-12-31T24:00:00Z", "+1"]
    texts += ["0001-01-01T00:00:00+99:00", "9999-12-31T23:59:59.9-14:00", "99999999999", "2026-13-01 00:00"]
    texts += ["2026-00-30T00:00:00Z", "0000-01-01T00:00:00Z", "2026-07-01T23:59:60Z"]
    values = [
        *numbers,
        *(json.dumps(text) for text in texts),
        "null",
        "true",
        "[]",
        "[[1]]",
        "{}",
        '{"a":{}}',
    ]
    for field in ("LoadNumber", "Amount", "PaymentDate", "ReferenceNumber", "Note", "reference", "Status"):
        for value in values:
            for name in (field, field.lower()):
                yield with_field(f'"{name}": {value}'.encode())
                body = payment()
                body = body.replace(
                    b'"' + field.encode() + b'": ',
                    b'"' + name.encode() + b'": ' + value.encode() + b', "x": ',
                )
                yield body
    for value in values:
        yield with_amount(value.encode())
        yield payment().replace(b"840", value.encode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("answers: [a]", r"the answers must be by question, such as A4d: accepted$"),
        ("[A4d]", r"profile.yaml must have `answers`, and perhaps a `revision`, and nothing else$"),
        ("answer: {A4d: accepted}", "must have `answers`"),
        ("revision: [page]", r"the revision must be a name$"),
        ("answers: {A4d: {status: 415}}", r"A4d: an answer must be a text or a list of texts$"),
        ("answers: {A4d: [true]}", "A4d: an answer must be a text"),
        ("answers: {A4d: [", "can't be read"),
        ("answers: {A4d: a, A4d: b}", "appears twice"),
    ],
)
def test_unusable_profile_stops_the_start(tmp_path: Path, text: str, why: str) -> None:
    profile = write(tmp_path / "profile.yaml", text)
    with pytest.raises(UnusableSetting, match=why):
        MockServer(settings=Settings(profile=profile))


def test_unknown_profile_stops_the_start() -> None:
    with pytest.raises(
        UnusableSetting, match=r"^profile: x is no file, and none of .*: default, newtonsoft$"
    ):
        MockServer(settings=Settings(profile="x"))


@pytest.mark.parametrize("text", ["", "answers:", "revision: page", "answers: {}", "answers: {A4d: 415}"])
def test_profile_may_leave_everything_out(tmp_path: Path, text: str) -> None:
    assert policy_named(write(tmp_path / "profile.yaml", text)) == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("answers: {A4z: accepted}", "A4z: there is no such question; is it A4"),
        ("answers: {zebra: accepted}", "zebra: there is no such question"),
        (
            "answers: {A4d: perhaps}",
            "A4d: can't be “perhaps”: it is no answer that contract/assumptions.yaml has",
        ),
        ("answers: {A4d: 499}", "A4d: can't be “499”"),
        ("answers: {A20b: accepted}", "A20b: can't be “accepted”: the mock keeps amounts exactly"),
        ("answers: {Q31: accepted}", "Q31: can't be “accepted”: it follows from the other answers"),
        ("answers: {A4d: [accepted, '415']}", "A4d: of 2 answers, “accepted” is played"),
        ("answers: {A4d: ['415', '409']}", "A4d: of 2 answers, “409” is played"),
        ("revision: 2027-01", "revision: 2027-01 is not served here"),
    ],
)
def test_mock_says_at_start_what_it_can_not_play(tmp_path: Path, text: str, note: str) -> None:
    (said,) = policy_named(write(tmp_path / "profile.yaml", text)).notes
    assert said.startswith(note)


def test_command_line_prints_what_can_not_be_played(tmp_path: Path) -> None:
    profile = write(tmp_path / "profile.yaml", "answers: {A4d: accepted, Q31: accepted}")
    with serving("--port", "0", "--profile", profile) as mock:
        assert f"Profile: {profile}\n  Q31: can't be “accepted”: it follows" in mock.greeting


def test_tokens_are_issued_as_ever(tmp_path: Path) -> None:
    with playing(tmp_path, {"A4f": "422", "A3": "text/plain", "A18a": "422"}) as probe:
        response = probe.client.post("/oauth/token", data=CREDENTIALS)
        assert response.status_code == 200


def test_default_answers_import_nothing_that_plays_others() -> None:
    code = "import sys, mock_server.testing as t; t.MockServer(); print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    others = ("courses", "envelope", "reading", "terms", "wording", "lenient_json")
    assert not {"jsonpath", *(f"mock_server.{name}" for name in others)} & set(imported.split())


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"loadNumber": "ld-1001"}, 200),
        ({"id": "nope", "orderNumber": "ORD-LD-1001"}, 404),
        ({"id": "nope", "loadNumber": "LD-1001"}, 200),
        ({"id": "nope", "loadNumber": "ld-1001"}, 404),
        ({"loadNumber": "nope"}, 404),
        ({"id": "LD-1001"}, 404),
    ],
)
def test_lenient_read_finds_no_load_that_there_is_not(
    tmp_path: Path, query: dict[str, str], status: int
) -> None:
    with playing(tmp_path, {"Q15": "accepted", "Q16": "accepted"}) as probe:
        assert probe.get(**query).status_code == status


def test_one_unknown_key_is_404_whatever_two_are(tmp_path: Path) -> None:
    with playing(tmp_path, {"Q15": "accepted"}) as probe:
        assert probe.get(loadNumber="nope").status_code == 404


def test_other_searches_are_as_ever(tmp_path: Path) -> None:
    answers = {"Q32": "not found", "A23a": "200, no Items", "Q28": "404", "Q33": "Page 1, PageSize 10"}
    with playing(tmp_path, answers) as probe:
        found = probe.search(LoadNumbers=["LD-1001"], Page=0, PageSize=5)
        assert json_of(found.text)["PageSize"] == 5
        assert probe.search(LoadNumbers=["LD-1001"], Page=1, PageSize=5).status_code == 404
        begun = {"Start": "2020-01-01T00:00:00Z", "End": "0001-01-01T00:00:00Z"}
        assert json_of(probe.search(LoadNumbers=["LD-1001"], DateRange=begun, Page=0).text)["Items"] == []


def test_body_that_is_read_first_is_still_of_no_media_type(tmp_path: Path) -> None:
    with playing(tmp_path, {"A10c": "400"}) as probe:
        assert probe.post(b"[]", "text/plain").status_code == 400
        assert probe.post(probe.body(), "text/plain").status_code == 415


def test_unknown_path_is_404_whatever_is_refused_elsewhere(tmp_path: Path) -> None:
    with playing(tmp_path, {"A4a": "422", "A5a": "422"}) as probe:
        assert probe.client.get("/nope").status_code == 404
        assert probe.client.get("/api/p/v9/loads").status_code == 404


def test_one_leniency_brings_no_other(tmp_path: Path) -> None:
    with playing(tmp_path, {"A9c": "accepted"}) as probe:
        assert probe.pay(ReferenceNumber=" ").status_code == 200
        assert probe.pay(ReferenceNumber="a\0").status_code == 400
        assert probe.pay(ReferenceNumber=None).status_code == 400


def test_first_and_last_dates_keep_their_offset(tmp_path: Path) -> None:
    with playing(tmp_path, {"A15": "the same instant with another offset"}) as probe:
        date = "0001-01-01T00:00:00Z"
        assert shown(probe.pay(PaymentDate=date))[0]["PaymentDate"] == date


def test_failure_of_the_mock_itself_is_the_usual_problem() -> None:
    answers = {key: question.default for key, question in QUESTIONS.items()}
    failed = Wording({**answers, "A2d": "not a problem document"})(RuntimeError("secret"))
    assert failed.status == 500
    assert json_of(failed.body)["title"] == "Internal Server Error"
    assert b"secret" not in failed.body


def test_reset_brings_back_what_is_null(tmp_path: Path) -> None:
    with playing(tmp_path, {"Q42": "is null"}) as probe:
        probe.pay("LD-1002")
        probe.client.post("/_mock/reset")
        assert probe.read("LD-1002")["totalPaid"] is None


LENIENT: dict[str, tuple[bytes, object]] = {
    COMMENTS: (b'/* a */{"a": // b\n 1}', {"a": 1}),
    TRAILING_COMMAS: (b'{"a": [1, 2, ], }', {"a": [1, 2]}),
    SINGLE_QUOTES: (rb"""{'a\'b': '"c\\\"\n'}""", {"a'b": '"c\\"\n'}),
    LEADING_DOTS: (b"[.5, -.5, 1.5]", [Decimal("0.5"), Decimal("-0.5"), Decimal("1.5")]),
    LEADING_ZEROS: (b"[007, -00.5, 0, 10]", [7, Decimal("-0.5"), 0, 10]),
    PLUS_SIGNS: (b"[+1, 1e+2]", [1, Decimal("1E+2")]),
    TEXT_AFTER_END: (b'{"a": {}} } and so on', {"a": {}}),
    LONE_SURROGATES: (rb'["\ud800", "\ud83d\ude00", "\\ud800"]', ["\ufffd", "\U0001f600", "\\ud800"]),
    UTF_16: ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
    INVALID_UTF_8: (b'["\xff"]', ["\ufffd"]),
}


@pytest.mark.parametrize("leniency", LENIENT)
def test_leniency_reads_what_no_other_reads(leniency: str) -> None:
    body, meant = LENIENT[leniency]
    assert decode(strict_json(body, {leniency})) == meant
    with pytest.raises(NotJson):
        decode(strict_json(body, LENIENT.keys() - {leniency}))


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"/*" * 500_000, b'"\\' * 300_000, b"a " * 300_000, b"[1,,2]"],
    ids=lambda body: ascii(body[:6]),
)
def test_what_is_not_even_lenient_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        decode(strict_json(body, LENIENT.keys()))


def test_reset_gives_back_references_that_are_used_up(tmp_path: Path) -> None:
    with playing(tmp_path, {"A21": "is used up"}) as probe:
        for amount, status in ((0, 400), (1, 409)):
            assert probe.pay(amount=amount, ReferenceNumber="R-1").status_code == status
        probe.client.post("/_mock/reset/loads")
        assert probe.pay(ReferenceNumber="R-1").status_code == 200


def test_reset_shows_nothing_that_a_late_read_would(tmp_path: Path) -> None:
    with playing(tmp_path, {"Q40": "within 5 s"}) as probe:
        for _ in range(2):
            probe.client.patch("/_mock/clock", json={"frozen": True, "move": 10})
            probe.pay()
        assert len(probe.read()["payments"]) == 1
        probe.client.post("/_mock/reset/loads")
        assert not probe.read()["payments"]


def test_unknown_load_is_404_however_late_reads_are(tmp_path: Path) -> None:
    with playing(tmp_path, {"Q40": "within 5 s"}) as probe:
        assert probe.pay("nope").status_code == 404
