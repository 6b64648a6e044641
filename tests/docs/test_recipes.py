"""The recipes of docs/testing.md, as files of one project."""

import pytest

from tests.docs.page import ROOT, page
from tests.mock.test_testing import ALONE

pytest_plugins = ["pytester"]

RECIPES = {
    f"test_{block.heading.lower().replace(' ', '_')}.py": block.text
    for block in page("docs/testing.md").blocks_in("python")
}


def test_there_are_six_recipes() -> None:
    assert len(RECIPES) == 6


def test_recipes_pass_side_by_side_in_parallel(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name, text in RECIPES.items():
        (pytester.path / name).write_text(text, "utf-8")
    pytester.runpytest_subprocess(*ALONE, "-n", "2").assert_outcomes(passed=len(RECIPES))
