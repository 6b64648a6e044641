"""Whether a mock with the profile of a service gives the service's own answers to the open questions.

A correct service is met by the suites, its profile is given to the mock, and the mock is met by the same
suites: every question that both answered, and that the mock can play, must have the same answer.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from evaluation.engine import Outcome, Subject, Suites, run
from evaluation.reference.subject import freedom
from mock_server.profiles import Profile, choose, read_questions
from mock_server.sandbox import Settings
from mock_server.testing import MockServer

EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What a service answered, and what the mock did with its profile; question -> what differs."""

    service: Outcome
    mock: Outcome
    differing: dict[str, str] = field(default_factory=dict)
    unplayed: tuple[str, ...] = ()


def round_trip(name: str, suites: Suites) -> RoundTrip:
    """Meets a combination of freedoms, and then the mock with its profile; both in this process."""
    service = run(freedom(name, EXAMPLES), suites)
    answers = {key: tuple(seen.split(" | ")) for key, seen in service.observed.items()}
    revision = "2026-07" if answers.get("A1c") == ("2026-07",) else "page"
    played = run(Subject(name, partial(_mock, {"revision": revision, "answers": answers})), suites)
    questions = read_questions()
    choice = choose(questions, Profile(revision, answers))
    differing = {
        key: f"{' | '.join(given)}, but the mock {played.observed[key]}"
        for key, given in answers.items()
        if key in questions
        and key in played.observed
        and len(given) == 1
        and not questions[key].why_not(given[0])
        and played.observed[key] != given[0]
    }
    return RoundTrip(service, played, differing, choice.notes)


@contextlib.contextmanager
def _mock(profile: dict[str, object], _suites: Suites, folder: Path) -> Iterator[list[str]]:
    """The mock with a profile, in the place of the one that the suites start."""
    file = folder / "profile.json"
    file.write_text(json.dumps(profile))
    with MockServer(settings=Settings(profile=str(file))) as server:
        in_place = contextlib.nullcontext(SimpleNamespace(url=server.url))
        with mock.patch("contract_tests.run.target.MockServer", return_value=in_place):
            yield ["--target", "mock", f"--examples={EXAMPLES}"]
