"""What can keep the loads, for tests: memory, a file of SQLite, and databases of a PostgreSQL of this run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evaluation.durability.database import PostgreSQL

STATES = ("memory", "sqlite", "postgresql")
DATABASES = STATES[1:]

on_every_state = pytest.mark.parametrize("state", STATES, indirect=True)
on_every_database = pytest.mark.parametrize("state", DATABASES, indirect=True)


@contextmanager
def opened(kind: str, folder: Path, server: PostgreSQL | None) -> Iterator[str]:
    """The setting for a new state of that kind; `server` is for PostgreSQL only."""
    if server is not None:
        with server.database() as url:
            yield url
    else:
        yield f"sqlite:///{folder / 'state.db'}" if kind == "sqlite" else kind
