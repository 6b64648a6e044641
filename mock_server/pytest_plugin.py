"""The fixture `alvys_mock`: a running mock for each test, as it was at the start."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # imported when a test wants it: pytest loads this file for every run
    from mock_server.sandbox import Settings
    from mock_server.testing import MockServer, MockWorld


@pytest.fixture(scope="session")
def alvys_mock_settings() -> "Settings":
    """The settings of the mock; override it in a conftest.py.

    @pytest.fixture(scope="session")
    def alvys_mock_settings():
        return Settings(require_token=True)
    """
    from mock_server.sandbox import Settings  # noqa: PLC0415

    return Settings()


@pytest.fixture(scope="session")
def alvys_mock_server(alvys_mock_settings: "Settings") -> Iterator["MockServer"]:
    """The one mock of this run; with pytest-xdist, of this worker."""
    from mock_server.testing import MockServer  # noqa: PLC0415

    with MockServer(settings=alvys_mock_settings) as mock:
        yield mock


@pytest.fixture
def alvys_mock(alvys_mock_server: "MockServer") -> "MockServer":
    """A running mock with its opening loads, and nothing left of any test before."""
    alvys_mock_server.reset()
    return alvys_mock_server


@pytest.fixture
def alvys_mock_world(alvys_mock_server: "MockServer") -> Iterator["MockWorld"]:
    """A world of its own for each test, ended with it."""
    with alvys_mock_server.world() as world:
        yield world
