"""`make` knows what the pages name, and serves until it is interrupted."""

import os
import re
import signal
import subprocess

import pytest

from tests.docs.commands import MAKEFILE, PROJECT, SCRIPTS
from tests.docs.page import FILES, ROOT, page


@pytest.mark.parametrize("name", FILES)
def test_make_knows_every_target_that_is_named(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    named = re.findall(r"`make ([a-z]+)", page(name).text)
    assert set(named) <= targets


def test_make_serves_until_it_is_interrupted() -> None:
    command = ["make", "--no-print-directory", "serve", "ARGS=--port 0"]
    # In a session of its own, as a terminal would have it: Ctrl-C reaches make and the mock.
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    try:
        assert any(line.startswith("Serving on http://127.0.0.1:") for line in lines)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=300)
    assert out.endswith("Stopped.\n")


def test_commands_of_the_pages_are_those_of_the_package() -> None:
    assert SCRIPTS.keys() == PROJECT["scripts"].keys()
