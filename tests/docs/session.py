"""Plays a page from top to bottom, as a reader would: the commands are run, the output compared."""

import contextlib
import re
import subprocess
from contextlib import ExitStack
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Self
from unittest.mock import patch

import hypothesis.core
from click.testing import CliRunner

from tests.docs import commands
from tests.docs.page import ROOT, Page
from tests.mock.api import Json, json_of
from tests.mock.command import Running, serving

DEFAULT_URL = "http://127.0.0.1:8080"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ANY = "…"
"""What a page writes for what is different each time."""


class Session:
    """A reader at work: the mock that the page started last, and what the last command printed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mocks = ExitStack()
        self._mock: Running | None = None
        self._output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._mocks.close()

    def play(self, page: Page) -> None:
        """Runs and compares every block of a page; AssertionError."""
        for block, follows in zip_longest(page.blocks, page.blocks[1:]):
            match block.language:
                case "sh":
                    self._run(block.text, shown=follows is not None and follows.language == "text")
                case "http":
                    self._compare_http(block.text)
                case "json":
                    expected = json_of(block.text)
                    assert alike(expected, json_of(self._output)), f"{self._output}\nis not\n{block.text}"
                case "text":
                    assert re.search(pattern(block.text), self._output), (
                        f"{self._output}\nlacks\n{block.text}"
                    )
                case _:  # those of other languages have tests of their own
                    pass

    def _run(self, script: str, *, shown: bool) -> None:
        if "curl" in script:
            self._output = self._shell(script.replace(DEFAULT_URL, self._url()))
            return
        for words in commands.commands_in(script):
            commands.check(words)
            program, arguments = commands.script_in(words) or ("", [])
            if program == "alvys-mock":
                self._serve(arguments)
            elif program == "alvys-contract" and shown:
                self._output = contract_output(ROOT, *arguments)

    def _serve(self, arguments: list[str]) -> None:
        self._mocks.close()
        files = {each.name: str(each) for each in self._folder.iterdir()}
        named = (files.get(each, each) for each in arguments)
        self._mock = self._mocks.enter_context(serving(*named, "--port", "0"))
        self._output = self._mock.greeting

    def _url(self) -> str:
        if self._mock is None:
            self._serve([])
        assert self._mock
        return self._mock.url

    def _shell(self, script: str) -> str:
        command = ["bash", "-euc", script]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=True, timeout=300
        )
        return done.stdout.replace("\r\n", "\n")

    def _compare_http(self, shown: str) -> None:
        head, body = shown.split("\n\n", 1)
        status, *headers = head.splitlines()
        got_head, got_body = self._output.split("\n\n", 1)
        got_status, *got_headers = got_head.splitlines()
        assert got_status == status
        assert set(headers) <= set(got_headers)
        assert alike(json_of(body), json_of(got_body)), f"{got_body}\nis not\n{body}"


@cache
def contract_output(folder: Path, *arguments: str) -> str:
    """What a run of the contract suite prints; two pages may show the same one.

    It runs in this process, which takes a second less to start.
    """
    # A run sets the seed of all generated examples that follow.
    with contextlib.chdir(folder), patch.object(hypothesis.core, "global_force_seed", None):
        ended = CliRunner(env={"COLUMNS": "110"}).invoke(commands.SCRIPTS["alvys-contract"], arguments)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def alike(expected: Json, actual: Json) -> bool:
    """Whether two JSON values are equal, but for ids and for what the page leaves out."""
    match expected, actual:
        case str(), str():
            return bool(re.fullmatch(pattern(expected), actual)) or bool(
                UUID.fullmatch(expected) and UUID.fullmatch(actual)
            )
        case dict(), dict():
            return expected.keys() == actual.keys() and all(
                alike(expected[key], actual[key]) for key in expected
            )
        case list(), list():
            return len(expected) == len(actual) and all(map(alike, expected, actual))
    return bool(expected == actual)


def pattern(text: str) -> str:
    """The regular expression of a text that leaves something out."""
    return re.escape(text).replace(re.escape(ANY), ".*?")
