"""What holds for all tests: nothing that a developer has set reaches them."""

import asyncio
import inspect
import os
import ssl
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path

import httpcore2
import httpx2
import hypothesis
import pytest
from coverage import Coverage
from sqlalchemy.util import greenlet_spawn

from evaluation.durability.database import PostgreSQL
from mock_server import transactions
from mock_server.testing import MockServer
from tests.mock.api import Api
from tests.mock.states import opened

# What a developer or a CI server has set is nothing to the tests, nor to what they start.
for name in [name for name in os.environ if name.startswith(("ALVYS_", "GITHUB_"))]:
    del os.environ[name]
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "::1")))

# A machine that is busy with something else is no fault of what a test is about.
hypothesis.settings.register_profile(
    "unhurried",
    hypothesis.settings(),
    deadline=None,
    suppress_health_check=[*hypothesis.settings().suppress_health_check, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("unhurried")
_PATIENT = inspect.signature(httpx2.Client).parameters["timeout"].default  # the one that all calls share
_PATIENT.connect = _PATIENT.read = _PATIENT.write = _PATIENT.pool = 120

_read_certificates = httpcore2.default_ssl_context


@cache
def _certificates(trust_env: bool, *_places: str | None) -> ssl.SSLContext:  # noqa: FBT001
    return _read_certificates(_trust_env=trust_env)


# For each client anew, to read the certificates of the system takes as long as to start a mock.
httpcore2.default_ssl_context = lambda *, _trust_env=True: _certificates(
    _trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
)


if Coverage.current() is not None:
    # Once a greenlet has switched, the tracer takes lines of who waits for it for those of another file;
    # those of who waits for a task, it takes for what they are.
    async def _in_a_task(work: Callable[..., object], *arguments: object) -> object:
        waiting = asyncio.current_task()
        done = greenlet_spawn(work, *arguments)
        if waiting is None or "Webhooks" in repr(waiting.get_coro()):  # they look which task they are in
            return await done
        return await asyncio.create_task(done)

    vars(transactions).update(greenlet_spawn=_in_a_task)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Says what else must change if a rule was changed on purpose."""
    report = yield
    mark = item.get_closest_marker("clause")
    if report.failed and mark is not None:
        ids = ", ".join(mark.args)
        advice = (
            f"If {ids} was changed on purpose, change with it this test, its row in docs/contract.md, and "
            "what contract/assumptions.yaml says that the mock does."
        )
        report.sections.append((f"a test of {ids}", advice))
    return report


@pytest.fixture
def shipped() -> Iterator[Api]:
    """A mock of its own, on the loads that ship."""
    with MockServer() as mock, httpx2.Client(base_url=mock.url) as client:
        yield Api(client, {})


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL of this process."""
    started = PostgreSQL(durable=False)
    yield started
    started.close()


@pytest.fixture
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A setting for a new state, of the kind that the test is parametrized with."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    with opened(request.param, tmp_path, server) as setting:
        yield setting


@pytest.fixture
def write(tmp_path: Path) -> "Write":
    return Write(tmp_path)


class Write:
    """Writes files into the test's own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path


@pytest.fixture
def mortal() -> Iterator[PostgreSQL]:
    """A PostgreSQL of the test's own, which it may stop."""
    server = PostgreSQL(durable=False)
    yield server
    server.close()
