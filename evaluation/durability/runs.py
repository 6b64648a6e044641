"""The runs: a mock that is killed again and again, and replicas of which something is always wrong."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from evaluation.durability.database import PostgreSQL
from evaluation.durability.disk import SmallDisk
from evaluation.durability.traffic import Mock, Traffic, write_fixtures

SEED = 1


class Ended(NamedTuple):
    """What a run came to: how often something was done to it, and what can't be."""

    disturbances: int
    acknowledged: int
    contradictions: list[str]


def killed(state: str, folder: Path, kills: int, clients: int = 8) -> Ended:
    """Kills the only mock on a state, at random moments while clients pay, and starts it again."""
    mock = Mock(state, write_fixtures(folder))
    traffic = Traffic([mock], clients, SEED)
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    try:
        for _ in range(kills):
            _wait_for(lambda: traffic.acknowledged)
            time.sleep(chance.random() / 10)
            mock.kill()
            mock.start()
        return _ended(traffic, kills)
    finally:
        traffic.stop()
        mock.kill()


def disturbed(
    postgresql: PostgreSQL, folder: Path, rounds: int, clients: int = 16, longest_pause: int = 8
) -> Ended:
    """Three replicas on one database: in turn, one is killed, one is paused, and the database restarted.

    `longest_pause` is in seconds; 8 are more than a transaction may be idle.
    """
    with ExitStack() as stack:
        state, fixtures = stack.enter_context(postgresql.database()), write_fixtures(folder)
        mocks = []
        for _ in range(3):
            mocks.append(Mock(state, fixtures))
            stack.callback(mocks[-1].kill)
        traffic = Traffic(mocks, clients, SEED)
        stack.callback(traffic.stop)
        disturb = _disturbances(mocks, postgresql, longest_pause)
        for _ in range(rounds):
            _wait_for(lambda: traffic.acknowledged)
            next(disturb)()
        return _ended(traffic, rounds)


def filled(
    state: str, folder: Path, disk: SmallDisk, rounds: int, restart: Callable[[], None] = lambda: None
) -> Ended:
    """Pays into a state whose disk is filled again and again until payments are refused, and then freed.

    `restart` starts what a full disk has ended.
    """
    mock = Mock(state, write_fixtures(folder))
    traffic = Traffic([mock], 4, SEED)
    try:
        for _ in range(rounds):
            _wait_for(lambda: traffic.acknowledged)
            with disk.full():
                _wait_for(lambda: traffic.refused)
            restart()
        _wait_for(lambda: traffic.acknowledged)
        return _ended(traffic, rounds)
    finally:
        traffic.stop()
        mock.kill()


def killed_on_sqlite(kills: int) -> Ended:
    """`killed`, on a file."""
    with TemporaryDirectory() as folder:
        return killed(f"sqlite:///{folder}/state.db", Path(folder), kills)


def killed_on_postgresql(kills: int) -> Ended:
    """`killed`, on a database."""
    with TemporaryDirectory() as folder, closing(PostgreSQL()) as server, server.database() as state:
        return killed(state, Path(folder), kills)


def replicas_disturbed(rounds: int) -> Ended:
    """`disturbed`, with a server of its own."""
    with TemporaryDirectory() as folder, closing(PostgreSQL()) as server:
        return disturbed(server, Path(folder), rounds, clients=64)


def disk_full_on_sqlite(rounds: int) -> Ended:
    """`filled`, with a file."""
    with closing(SmallDisk(16)) as disk:
        return filled(f"sqlite:///{disk.folder}/state.db", disk.folder, disk, rounds)


def disk_full_on_postgresql(rounds: int) -> Ended:
    """`filled`, with a database."""
    with (
        closing(SmallDisk(128)) as disk,
        closing(PostgreSQL(on=disk.folder)) as server,
        server.database() as state,
    ):
        return filled(state, disk.folder, disk, rounds, server.restart)


RUNS: Mapping[str, Callable[[int], Ended]] = {
    "killed on SQLite": killed_on_sqlite,
    "killed on PostgreSQL": killed_on_postgresql,
    "three replicas disturbed": replicas_disturbed,
    "disk full on SQLite": disk_full_on_sqlite,
    "disk full on PostgreSQL": disk_full_on_postgresql,
}


def _disturbances(
    mocks: list[Mock], postgresql: PostgreSQL, longest_pause: int
) -> Iterator[Callable[[], None]]:
    chance = random.Random(SEED)  # noqa: S311 - nothing secret

    def kill() -> None:
        mock = chance.choice(mocks)
        mock.kill()
        time.sleep(chance.random())
        mock.start()

    def pause() -> None:
        with chance.choice(mocks).paused():
            time.sleep(chance.random() * longest_pause)

    while True:
        yield from (kill, pause, kill, pause, postgresql.restart)


def _wait_for(count: Callable[[], int]) -> None:
    """Waits until it has counted five more."""
    wanted, patience = count() + 5, time.monotonic() + 120
    while count() < wanted:
        if time.monotonic() > patience:
            raise RuntimeError("no payment is acknowledged, or refused, any more")
        time.sleep(0.01)


def _ended(traffic: Traffic, disturbances: int) -> Ended:
    traffic.stop()
    return Ended(disturbances, traffic.acknowledged, traffic.check())
