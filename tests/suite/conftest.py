"""A shell to run the command in, and a mock to run it against."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis.core
import pytest

from mock_server.testing import MockServer
from tests.suite.shell import Shell

LOADS = """
Invoiced: [LD-1001, LD-1004]
Completed: [LD-1005]
Dispatched: LD-1014
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    (tmp_path / "loads.yaml").write_text(LOADS)
    # A run that generates sets the seed of all that follows.
    monkeypatch.setattr(hypothesis.core, "global_force_seed", None)
    return Shell(tmp_path)


@pytest.fixture
def mock() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server
