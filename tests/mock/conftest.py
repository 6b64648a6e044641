"""Fixtures of the mock's own tests: a real server on a real socket."""

import json
from collections.abc import Iterator

import httpx2
import pytest

from mock_server.testing import MockServer
from tests.mock.api import KINDS, Api

FRESH_LOADS = 100
NAMED_LOADS = 3
"""So many loads of each kind are nobody's: tests name them, and pay none of them."""


@pytest.fixture(scope="session")
def running_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    numbers = {kind: [f"{kind} {i}" for i in range(NAMED_LOADS + FRESH_LOADS)] for kind in KINDS}
    fixtures = tmp_path_factory.mktemp("fixtures") / "loads.jsonl"
    fixtures.write_text(
        "\n".join(
            json.dumps({"LoadNumber": number, **KINDS[kind]}) for kind in KINDS for number in numbers[kind]
        )
    )
    with MockServer(fixtures=[fixtures]) as mock, httpx2.Client(base_url=mock.url) as client:
        yield Api(client, {kind: iter(numbers[kind][NAMED_LOADS:]) for kind in KINDS})


@pytest.fixture
def api(running_api: Api) -> Api:
    """One mock for the whole run; a test takes its own loads from it."""
    return running_api
