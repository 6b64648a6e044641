"""Whether a mock with the profile of a service gives the service's own answers to the open questions.

A correct service is met by the suites, its profile is given to the mock, and the mock is met by the same
suites: every question that both answered, and that the mock can play, must have the same answer.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from evaluation.engine import FAILED, PASSED, Outcome, Subject, Suites, in_place_of_the_mock, run
from evaluation.reference.subject import freedom
from mock_server.profiles import read_questions
from mock_server.sandbox import Settings
from mock_server.testing import MockServer

SUITES: Suites = ("reads", "rejects", "smoke", "table", "concurrency")
EXAMPLES = 10
_SEPARATOR = " | "


def round_trip(name: str, suites: Suites = SUITES) -> Outcome:
    """The mock's outcome, with the profile of a combination of freedoms: both runs in this process.

    It has `failed` if either run did, and then holds the questions that the mock answers otherwise.
    """
    service = run(freedom(name, EXAMPLES), suites)
    answers = {key: seen.split(_SEPARATOR) for key, seen in service.observed.items()}
    revision = "2026-07" if answers.get("A1c") == ["2026-07"] else "page"
    played = run(Subject(name, partial(_opened, {"revision": revision, "answers": answers})), suites)
    differing = tuple(_differing(service, played))
    passed = (service.status, played.status, differing) == (PASSED, PASSED, ())
    said = [f"{key}: {service.observed[key]}, but the mock: {played.observed[key]}" for key in differing]
    return replace(
        played,
        status=PASSED if passed else FAILED,
        failed=(*service.failed, *played.failed, *differing),
        output="\n".join([*said, service.output, played.output]),
    )


def _differing(service: Outcome, played: Outcome) -> Iterator[str]:
    """The questions with one playable answer that the mock answers otherwise."""
    questions = read_questions()
    for key in service.observed.keys() & played.observed.keys() & questions.keys():
        answer = service.observed[key]
        can_be_played = _SEPARATOR not in answer and not questions[key].why_not(answer)
        if can_be_played and played.observed[key] != answer:
            yield key


@contextlib.contextmanager
def _opened(profile: dict[str, object], _suites: Suites, folder: Path) -> Iterator[list[str]]:
    """The mock with a profile, in the place of the one that the suites start."""
    file = folder / "profile.json"
    file.write_text(json.dumps(profile))
    with MockServer(settings=Settings(profile=str(file))) as server, in_place_of_the_mock(server.url):
        yield ["--target", "mock", f"--examples={EXAMPLES}"]
