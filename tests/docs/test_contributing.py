"""The walkthrough of CONTRIBUTING: what it says to write, written into a copy of the mock, works."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.docs.page import ROOT, page

HEADING = "Add an operation"
OPERATION = "getCustomer"
MOST_FILES = 4
PLACE = re.compile(r"[Ii]n `([\w/.]+)`(?:, (under|above|below|in place of) `([^`]+)`)?")


@dataclass(frozen=True, slots=True)
class Step:
    """What to write into which file, and where: `how` says it beside or in place of a `line`."""

    file: str
    how: str | None
    line: str
    text: str

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        if self.how is None:
            path = folder / path.name  # beside the copy, so that `tests` are those of the project
            path.write_text(self.text, "utf-8")
            return
        found = re.search(rf"^ *{re.escape(self.line)}", path.read_text("utf-8"), re.MULTILINE)
        assert found, f"{self.file} has no line {self.line} any more: change the step in CONTRIBUTING.md"
        line, written = found[0], self.text.rstrip()
        beside = {"above": f"{written}\n\n\n{line}", "in place of": written}.get(
            self.how, f"{line}\n{written}"
        )
        path.write_text(found.string[: found.start()] + beside + found.string[found.end() :], "utf-8")


def steps() -> list[Step]:
    found = []
    for block in page("CONTRIBUTING.md").blocks:
        if block.heading == HEADING:
            file, how, line = PLACE.findall(block.intro)[-1]
            found.append(Step(file, how or None, line, block.text))
    return found


def copy_of_the_mock(folder: Path) -> Path:
    assert OPERATION not in (ROOT / "openapi.yaml").read_text("utf-8"), (
        f"{OPERATION} exists now: let CONTRIBUTING.md add another operation"
    )
    for name in ("mock_server", "contract", "fixtures"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "openapi.yaml", folder)
    return folder


def python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs Python in a folder whose `mock_server` is the one that is imported."""
    environ = {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def test_walkthrough_touches_few_files() -> None:
    assert 1 < len({step.file for step in steps()}) <= MOST_FILES


def test_mock_says_what_is_missing_after_the_first_file(tmp_path: Path) -> None:
    folder = copy_of_the_mock(tmp_path)
    for step in steps():
        if step.file == "openapi.yaml":
            step.apply(folder)
    refused = python(folder, "-m", "mock_server", "--port", "0")
    assert refused.returncode != 0
    assert OPERATION in refused.stderr


def test_tests_of_the_walkthrough_pass(tmp_path: Path) -> None:
    folder = copy_of_the_mock(tmp_path)
    for step in steps():
        step.apply(folder)
    done = python(folder, "-m", "pytest", "-q", "-p", "tests.conftest", "test_customers.py")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
