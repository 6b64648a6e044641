"""Every page does what it says: its commands run, its output compares, its links lead somewhere."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from contract_tests.rules.clauses import STATUSES
from contract_tests.run.target import read_loads
from mock_server.opening import opening_loads
from mock_server.policy import policy_named
from mock_server.shipped import SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer
from tests.conftest import Write
from tests.docs.page import FILES, ROOT, Block, page
from tests.docs.session import Session
from tests.mock.test_testing import ALONE

pytest_plugins = ["pytester"]

LANGUAGES = {"sh", "http", "json", "text", "yaml", "python", "mermaid"}
WALKTHROUGH = "CONTRIBUTING.md"
"""Its blocks in Python and YAML are applied by test_contributing."""


def blocks(language: str) -> list[Block]:
    """The blocks of every page but the walkthrough's."""
    return [block for name in FILES if name != WALKTHROUGH for block in page(name).blocks_in(language)]


def heading(block: Block) -> str:
    return block.heading


@pytest.mark.parametrize("name", FILES)
def test_page_does_what_it_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nominated,) = page("docs/contract-suite.md").blocks_in("yaml")
    (tmp_path / "loads.yaml").write_text(nominated.text, "utf-8")
    (profile,) = (each for each in page("docs/options.md").blocks_in("yaml") if each.heading == "Profiles")
    (tmp_path / "profile.yaml").write_text(profile.text, "utf-8")
    monkeypatch.chdir(tmp_path)
    with Session(tmp_path) as session:
        session.play(page(name))


@pytest.mark.parametrize("name", FILES)
def test_blocks_are_in_languages_that_are_tested(name: str) -> None:
    assert {block.language for block in page(name).blocks} <= LANGUAGES


@pytest.mark.parametrize("name", FILES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    for link in page(name).links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent.joinpath(file).resolve() if file else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in page(target.relative_to(ROOT).as_posix()).anchors, link


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in page("README.md").links}
    assert set(FILES) - {"README.md"} <= linked


@pytest.mark.parametrize("block", blocks("python"), ids=heading)
def test_python_passes_as_a_test(
    block: Block, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MockServer() as shared:
        monkeypatch.setenv("SANDBOX_URL", shared.url)
        run_as_test(block.text, pytester, monkeypatch, passed=1)


def test_shown_test_fails_for_a_client_that_does_not_retry(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = page("README.md").blocks_in("python")
    run_as_test(block.text.replace("range(3)", "range(1)"), pytester, monkeypatch, failed=1)


def run_as_test(
    text: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *, passed: int = 0, failed: int = 0
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(text)
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=passed, failed=failed)


@pytest.mark.parametrize("block", blocks("yaml"), ids=heading)
def test_yaml_is_taken_by_what_it_is_for(block: Block, write: Write) -> None:
    content = yaml.safe_load(block.text)
    read: Callable[[Path], object]
    if "jobs" in content:
        read = workflow
    elif set(content) <= set(STATUSES):
        read = read_loads
    elif "answers" in content:
        read = profile
    else:
        read = fixtures
    read(write("block.yaml", block.text))


def fixtures(path: Path) -> None:
    overdue, half_paid = opening_loads(Spec.read(SPEC), [path])
    assert (overdue.number, overdue.status) == ("LD-9001", "Invoiced")
    assert half_paid.total_paid is not None
    assert half_paid.total_paid.amount == Decimal(40)


def profile(path: Path) -> None:
    assert not policy_named(str(path)).notes


def workflow(path: Path) -> None:
    assert path.read_text("utf-8") == (ROOT / "examples" / "contract.yml").read_text("utf-8")


def test_readme_is_short() -> None:
    assert len(page("README.md").text.splitlines()) <= 150
