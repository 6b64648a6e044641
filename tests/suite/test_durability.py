"""A small version of `python -m evaluation durability`."""

from pathlib import Path

from evaluation.durability.database import PostgreSQL
from evaluation.durability.runs import disturbed, killed
from tests.mock.states import on_every_database


@on_every_database
def test_mock_that_is_killed_loses_and_doubles_nothing(state: str, tmp_path: Path) -> None:
    ended = killed(state, tmp_path, kills=2, clients=4)
    assert ended.contradictions == []
    assert ended.acknowledged >= 10


def test_replicas_lose_and_double_nothing(postgresql: PostgreSQL, tmp_path: Path) -> None:
    assert disturbed(postgresql, tmp_path, rounds=2, clients=4, longest_pause=1).contradictions == []
