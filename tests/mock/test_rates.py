"""A rate is read as people write it, and written as it is read."""

import pytest

from mock_server.rates import NotARate, Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/second", Rate(10, 1)),
        ("600/minute", Rate(600, 60)),
        ("5000/hour", Rate(5000, 3600)),
        ("10/s", Rate(10, 1)),
        ("5/M", Rate(5, 60)),
        ("3/h", Rate(3, 3600)),
        (" 8 / Seconds ", Rate(8, 1)),
        ("999999/MINUTE", Rate(999_999, 60)),
    ],
)
def test_rate_is_read_and_written(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize(
    "text", ["5", "0/second", "5/day", "5/sec", "-1/second", "1.5/second", "", "1/", "1234567/hour"]
)
def test_other_text_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(NotARate, match=rf"^'{text}' is not a rate; write it as 10/second or 600/minute$"):
        Rate.parse(text)


def test_span_without_a_name_is_written_in_seconds() -> None:
    assert str(Rate(3, 90)) == "3/90 seconds"
