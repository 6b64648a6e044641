"""Fixtures of the mock's own tests: a real server on a real socket, and states."""

import json
from collections.abc import Iterator

import httpx2
import pytest

from mock_server.testing import MockServer
from tests.mock.api import KINDS, Api
from tests.mock.states import opened

FRESH_LOADS = 100
NAMED_LOADS = 3
"""So many loads of each kind are nobody's: tests name them, and pay none of them."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of a module on all states that it names in RUNS_ON."""
    kinds = getattr(metafunc.module, "RUNS_ON", ())
    if kinds and "running_api" in metafunc.fixturenames:
        metafunc.parametrize("running_api", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def running_api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A mock in memory, or on the kind of state that the module is parametrized with."""
    kind = getattr(request, "param", "memory")
    server = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    numbers = {kind: [f"{kind} {i}" for i in range(NAMED_LOADS + FRESH_LOADS)] for kind in KINDS}
    folder = tmp_path_factory.mktemp("fixtures")
    fixtures = folder / "loads.jsonl"
    fixtures.write_text(
        "\n".join(
            json.dumps({"LoadNumber": number, **KINDS[kind]}) for kind in KINDS for number in numbers[kind]
        )
    )
    with (
        opened(kind, folder, server) as state,
        MockServer(fixtures=[fixtures], state=state) as mock,
        httpx2.Client(base_url=mock.url) as client,
    ):
        yield Api(client, {kind: iter(numbers[kind][NAMED_LOADS:]) for kind in KINDS})


@pytest.fixture
def api(running_api: Api) -> Api:
    """One mock for the whole run; a test takes its own loads from it."""
    return running_api
