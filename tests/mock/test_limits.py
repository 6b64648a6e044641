"""Rate limits: when requests are refused, for how long, and whose. Time is moved, not waited for."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import pytest

from mock_server.sandbox import Settings, UnusableSetting
from mock_server.testing import MockServer
from tests.mock.api import LOADS, PAYMENTS, problem_of
from tests.mock.states import opened
from tests.mock.team import CREDENTIALS, OAUTH, Team, running

FIRST = f"{LOADS}?loadNumber=LD-1001"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=["memory", "postgresql"])
def documented_mock(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """A mock that counts by itself, and one that counts where others could too."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    with (
        opened(request.param, tmp_path_factory.getbasetemp(), server) as state,
        running(Settings(rate_limit="documented", state=state)) as team,
    ):
        yield team


@pytest.fixture
def documented(documented_mock: Team) -> Team:
    documented_mock.mock.reset()
    documented_mock.mock.freeze_clock(NOON)
    return documented_mock


def retry_after(response: httpx2.Response) -> int:
    problem = problem_of(response, 429)
    assert problem["title"] == "Too Many Requests"
    return int(response.headers["retry-after"])


def test_ten_payments_a_minute_then_blocked_for_three_minutes(documented: Team) -> None:
    assert {documented.pay(f"R-{number}").status_code for number in range(10)} == {200}
    assert retry_after(documented.pay("R-10")) == 180
    assert "R-10" not in documented.references()
    documented.mock.move_clock(60.5)
    assert retry_after(documented.pay("R-10")) == 120
    documented.mock.move_clock(119)
    assert retry_after(documented.pay("R-10")) == 1
    documented.mock.move_clock(1)
    assert {documented.pay(f"S-{number}").status_code for number in range(10)} == {200}
    assert retry_after(documented.pay("R-10")) == 180


def test_minute_slides(documented: Team) -> None:
    for number in range(10):
        documented.pay(f"R-{number}")
        documented.mock.move_clock(6)
    assert {documented.pay(f"S-{number}").status_code for number in range(2)} == {200, 429}


def test_reads_and_searches_have_limits_of_their_own(documented: Team) -> None:
    assert [documented.read().status_code for _ in range(6)] == [200] * 5 + [429]
    assert [documented.search().status_code for _ in range(11)] == [200] * 10 + [429]
    assert documented.pay().status_code == 200


def test_each_token_counts_alone(documented: Team) -> None:
    assert [documented.read(access="a").status_code for _ in range(6)][-1] == 429
    assert documented.read(access="b").status_code == 200
    assert documented.read().status_code == 200


def test_token_counts_once_however_its_header_is_spelled() -> None:
    with running(Settings(require_token=True, rate_limit="documented")) as team:
        token = team.mock.token()
        spelled = [f"{start}{token}" for start in ("Bearer ", "bearer ", "BEARER   ", "beaReR ")]
        spelled.append(f"Bearer {token}=")  # Base64 with its padding
        answers = [team.client.get(FIRST, headers={"Authorization": each}).status_code for each in spelled]
        assert answers == [200] * 5
        assert team.read(access=token).status_code == 429


def test_tokens_of_any_form_count_alone_where_none_is_required(documented: Team) -> None:
    for authorization in ("Bearer team.1", "Bearer team.2", "Basic team.1", "Bearer"):
        headers = {"Authorization": authorization}
        answers = [documented.client.get(FIRST, headers=headers).status_code for _ in range(6)]
        assert answers == [200] * 5 + [429]


@pytest.mark.clause("A10")
def test_limit_comes_before_media_type_and_body(documented: Team) -> None:
    wrong = [documented.client.post(PAYMENTS, content=b"x").status_code for _ in range(11)]
    assert wrong == [415] * 10 + [429]


def test_tokens_are_not_limited(documented: Team) -> None:
    assert {documented.client.post(OAUTH, json=CREDENTIALS).status_code for _ in range(12)} == {200}


def test_refused_token_does_not_count() -> None:
    with running(Settings(require_token=True, rate_limit="documented")) as team:
        assert {team.read().status_code for _ in range(7)} == {401}
        assert team.read(access=team.mock.token()).status_code == 200


def test_reset_and_a_clock_set_back_forget_what_was_counted(documented: Team) -> None:
    def use_up() -> None:
        assert [documented.read().status_code for _ in range(6)] == [200] * 5 + [429]

    use_up()
    documented.mock.reset()
    documented.mock.freeze_clock(NOON)
    use_up()
    documented.mock.freeze_clock(NOON.replace(year=2029))
    use_up()


def test_own_limit_holds_for_each_operation_and_ends_with_its_window() -> None:
    with running(Settings(rate_limit="2/second")) as team:
        team.mock.freeze_clock(NOON)
        assert [team.read().status_code for _ in range(2)] == [200, 200]
        assert retry_after(team.read()) == 1
        assert team.pay().status_code == 200
        team.mock.move_clock(1)
        assert [team.read().status_code for _ in range(3)] == [200, 200, 429]
        assert {team.client.post(OAUTH, json=CREDENTIALS).status_code for _ in range(4)} == {200}


def test_own_limit_a_minute_says_how_long_to_wait() -> None:
    with running(Settings(rate_limit="1/minute")) as team:
        team.mock.freeze_clock(NOON)
        team.read()
        team.mock.move_clock(20)
        assert retry_after(team.read()) == 40
        team.mock.move_clock(40)
        assert team.read().status_code == 200


def test_nothing_is_limited_by_default() -> None:
    with running() as team:
        assert {team.read().status_code for _ in range(20)} == {200}


def test_oldest_caller_is_forgotten_when_there_are_too_many(
    documented: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("limits", "limits_sql"):
        monkeypatch.setattr(f"mock_server.{module}.MOST_CALLERS", 2)
    monkeypatch.setattr("mock_server.limits_sql._NEW_AT_ONCE", 1)
    assert [documented.read(access="a").status_code for _ in range(6)][-1] == 429
    documented.read(access="b")
    documented.read(access="c")
    assert documented.read(access="a").status_code == 200


def test_limit_that_is_not_a_rate_stops_the_start() -> None:
    message = "^rate limit: '5' is not a rate; write it as 10/second or 600/minute, or as documented or off$"
    with pytest.raises(UnusableSetting, match=message):
        MockServer(settings=Settings(rate_limit="5"))


def test_operation_without_a_published_limit_has_none() -> None:
    with running(Settings(rate_limit="documented")) as team:
        assert {team.client.get(OAUTH).status_code for _ in range(20)} == {405}
