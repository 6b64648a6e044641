"""RFC 3339, from text to instant and back."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.instants import instant, instant_text, is_instant

offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=offsets))
def test_text_of_an_instant_is_read_as_it(at: datetime) -> None:
    text = at.isoformat()
    assert is_instant(text)
    assert is_instant(text.lower())
    assert instant_text(instant(text)).endswith("Z")
    if 1 < at.year < 9999:
        assert instant(text) == instant(instant_text(at)) == at


@given(st.text("0123456789-:.TZz+ \N{ARABIC-INDIC DIGIT ONE}", max_size=30))
def test_any_text_is_an_instant_or_not(text: str) -> None:
    assert is_instant(text) in (True, False)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("0000-02-29T12:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59-00:01", "9999-12-31T23:59:59.999999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2017-01-01T05:29:60.5+05:30", "2016-12-31T23:59:59.500000Z"),
        ("2026-07-01T00:00:00.1234567Z", "2026-07-01T00:00:00.123456Z"),
    ],
)
def test_instant_that_python_lacks_becomes_the_nearest(text: str, nearest: str) -> None:
    assert instant_text(instant(text)) == nearest


@pytest.mark.parametrize(
    "text", ["0000-02-30T00:00:00Z", "2026-12-31T22:59:60Z", "2026-07-01T00:00:00+24:00"]
)
def test_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text)
    assert not is_instant(text)
