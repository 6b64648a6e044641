"""What clients send leaves nothing behind, and costs no more than its size."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from mock_server.instants import is_instant
from mock_server.sandbox import Settings
from tests.mock.api import LOADS, PAYMENTS, payment_of
from tests.mock.team import CREDENTIALS, OAUTH, Team, running

KIB = 1024
MIB = KIB * KIB


@pytest.fixture
def team() -> Iterator[Team]:
    with running(Settings(journal=0)) as team:
        yield team


@pytest.fixture
def growth() -> Iterator[Callable[[Callable[[int], object], int], int]]:
    """Says how many bytes are left when something was done `times` times; it is done before, once."""

    def grown(do: Callable[[int], object], times: int) -> int:
        do(0)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for i in range(1, times + 1):
            do(i)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    yield grown
    tracemalloc.stop()


Growth = Callable[[Callable[[int], object], int], int]


def refuse_long_date(team: Team, i: int) -> None:
    body = payment_of("LD-1001", "R") | {"PaymentDate": f"{i:07}" + "x" * (MIB - KIB)}
    assert team.client.post(PAYMENTS, json=body).status_code == 400


def read_long_date(_team: Team, i: int) -> None:
    assert is_instant(f"2026-07-01T00:00:00.{i:07}" + "0" * (MIB - KIB) + "Z")


def ask_long_path(team: Team, i: int) -> None:
    assert team.client.get(f"/{i:07}" + "x" * 30 * KIB).status_code == 404


def send_long_type(team: Team, i: int) -> None:
    headers = {"Content-Type": f"application/json; a={i:07}" + "x" * 30 * KIB}
    assert team.client.post(PAYMENTS, content=b"{}", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "send", [refuse_long_date, read_long_date, ask_long_path, send_long_type], ids=lambda each: each.__name__
)
def test_what_clients_send_is_not_kept(team: Team, growth: Growth, send: Callable[[Team, int], None]) -> None:
    assert growth(lambda i: send(team, i), 40) < 300 * KIB


def test_token_is_not_remembered_in_every_length(growth: Growth) -> None:
    with running(Settings(journal=0, require_token=True)) as team:
        token = team.client.post(OAUTH, json=CREDENTIALS).json()["access_token"]

        def read(i: int) -> None:
            headers = {"Authorization": f"Bearer {' ' * (20 * KIB + i)}{token}"}
            assert team.client.get(f"{LOADS}?loadNumber=LD-1001", headers=headers).status_code == 200

        assert growth(read, 40) < 300 * KIB
        assert team.read(access=token).status_code == 200


def test_load_that_is_gone_leaves_nothing(team: Team, growth: Growth) -> None:
    def add_pay_and_remove(i: int) -> None:
        where = f"/_mock/loads/GONE-{i}"
        assert team.client.put(where, json={"Status": "Invoiced"}).status_code == 200
        body = payment_of(f"GONE-{i}", "R") | {"Note": "x" * 10 * KIB, "ReferenceNumber": "r" * 10 * KIB}
        assert team.client.post(PAYMENTS, json=body).status_code == 200
        assert team.client.delete(where).status_code == 200

    assert growth(add_pay_and_remove, 60) < 300 * KIB
