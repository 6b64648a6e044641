"""What is under test: the mock, started here, or a service at a base URL."""

import tempfile
from collections.abc import Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contract_tests.rules.clauses import STATUSES
from contract_tests.run.settings import Settings
from contract_tests.safety.origin import Origin
from mock_server.ledger import UnusableState
from mock_server.sandbox import Settings as MockSettings
from mock_server.sandbox import UnusableSetting
from mock_server.shipped import FIXTURES
from mock_server.testing import MockServer


class LoadsFileError(ValueError):
    """A loads file cannot be used. The message is a sentence with the file, the status and what is wrong."""


class StateError(ValueError):
    """What should keep the loads of the mock can't. The message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is under test. `loads` are the nominated load numbers, by the status they must have."""

    base_url: str
    is_mock: bool
    loads: Mapping[str, list[str]]
    run_id: str
    wants_token: bool

    @property
    def name(self) -> str:
        """The target as a person calls it."""
        return f"the mock at {self.base_url}" if self.is_mock else self.base_url

    @property
    def load_numbers(self) -> list[str]:
        """Every nominated load."""
        return [number for numbers in self.loads.values() for number in numbers]


@contextmanager
def open_target(settings: Settings, *, wants_token: bool) -> Iterator[tuple[Target, Origin]]:
    """Gives the target, and where its requests go; the mock is started and ended here.

    For a plan the requests go to a private mock that has the nominated loads, never to the target.
    Raises LoadsFileError when the loads file cannot be used, StateError when the mock's state can't be.
    """
    loads = _loads(settings)

    def target(url: str) -> Target:
        return Target(url, settings.is_mock, loads, settings.run_id, wants_token and not settings.is_mock)

    if settings.is_mock:
        with _mock(settings) as mock:
            yield target(mock.url), Origin.parse(mock.url)
    elif settings.plan:
        with (
            tempfile.TemporaryDirectory() as folder,
            MockServer(
                [_stand_ins(loads, Path(folder))], settings=MockSettings(revision=settings.revision)
            ) as mock,
        ):
            yield target(settings.target), Origin.parse(mock.url)
    else:
        yield target(settings.target), Origin.parse(settings.target)


@contextmanager
def _mock(settings: Settings) -> Iterator[MockServer]:
    with ExitStack() as stack:
        try:
            mock = stack.enter_context(
                MockServer(settings=MockSettings(revision=settings.revision), state=settings.state)
            )
        except (UnusableSetting, UnusableState) as error:
            raise StateError(f"--state: {error}") from None
        yield mock


def _loads(settings: Settings) -> dict[str, list[str]]:
    if settings.loads is not None:
        return read_loads(settings.loads)
    if not settings.is_mock:
        return {}
    loads: dict[str, list[str]] = {}
    for load in yaml.safe_load(FIXTURES.read_text("utf-8")).values():
        loads.setdefault(load["Status"], []).append(load["LoadNumber"])
    return loads


class _TwiceError(Exception):
    """A key of a mapping appears twice; YAML would take the last one without a word."""


class _EachOnceLoader(yaml.SafeLoader):
    """YAML in which no key appears twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise _TwiceError(repr(key))
        return super().construct_mapping(node, deep)


def read_loads(path: Path) -> dict[str, list[str]]:
    """Reads a loads file; raises LoadsFileError."""
    try:
        content = yaml.load(path.read_text("utf-8"), _EachOnceLoader)  # noqa: S506 - a safe loader
    except _TwiceError as twice:
        raise LoadsFileError(f"{path}: {twice} appears twice.") from None
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise LoadsFileError(f"{path} cannot be read as YAML ({type(error).__name__}).") from None
    if not isinstance(content, dict):
        raise LoadsFileError(f"{path} must map load statuses to load numbers.")
    loads: dict[str, list[str]] = {}
    seen: set[str] = set()
    for status, given in content.items():
        if status not in STATUSES:
            raise LoadsFileError(f"{path}: unknown status {status!r}; one of {', '.join(STATUSES)}.")
        numbers = given if isinstance(given, list) else [given]
        for number in numbers:
            if not isinstance(number, str) or not number.strip():
                raise LoadsFileError(
                    f"{path}, {status}: {number!r} is not a load number; write it in quotes."
                )
            if number in seen:
                raise LoadsFileError(f"{path}, {status}: load {number} appears twice.")
            seen.add(number)
        loads[status] = list(numbers)
    return loads


def _stand_ins(loads: Mapping[str, list[str]], folder: Path) -> Path:
    """A fixtures file with a load for every nominated one, and with one more if there is none."""
    numbered = [(status, number) for status, numbers in loads.items() for number in numbers]
    scenarios = {
        f"planned_{index}": {"LoadNumber": number, "Status": status}
        for index, (status, number) in enumerate(numbered or [("Open", "nobody-nominated")], 1)
    }
    path = folder / "loads.yaml"
    path.write_text(yaml.safe_dump(scenarios), "utf-8")
    return path
