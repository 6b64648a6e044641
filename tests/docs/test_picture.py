"""The picture in the README shows what alvys-mock really prints."""

import re
from xml.etree import ElementTree as ET

import pytest

from tests.docs.picture import COMMAND, FILE, start_up_text


def test_picture_shows_the_start_up_text() -> None:
    expected = without_space(f"$ {COMMAND}\n{start_up_text()}")
    if text_in(FILE.read_text("utf-8")) != expected:
        pytest.fail("docs/start.svg is out of date; run: python -m tests.docs.picture", pytrace=False)


def test_picture_loads_nothing() -> None:
    assert "url(http" not in FILE.read_text("utf-8")


def text_in(svg: str) -> str:
    """The text of the terminal, without white space: a line that was wrapped is like one that was not."""
    root = ET.fromstring(svg)  # noqa: S314 - a file of ours
    texts = [each for each in root.iter() if each.tag.endswith("}text")]
    return without_space("".join("".join(each.itertext()) for each in texts))


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)
