"""What the README says of tokens, faults, the control plane and tests of one's own."""

import inspect
import re

import pytest
import yaml

from mock_server.cli import EPILOG
from mock_server.faults import CONDITIONS
from mock_server.shipped import ADMIN
from mock_server.testing import MockServer
from tests.mock.test_testing import ALONE, ROOT
from tests.test_readme import README, blocks, rows

pytest_plugins = ["pytester"]

DOCUMENT = yaml.safe_load(ADMIN.read_text())
FAULT = set(DOCUMENT["components"]["schemas"]["Fault"]["properties"])


def test_control_operations_are_those_of_the_document() -> None:
    described = {
        f"`{method.upper()} {path}`": operation["summary"]
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert {cells[0]: cells[1] for cells in rows(r"`[A-Z]+ /_mock/.*`")} == described


def test_parts_and_filters_are_those_of_the_document() -> None:
    for part in DOCUMENT["components"]["schemas"]["Part"]["enum"]:
        assert f"`{part}`" in README
    filters = DOCUMENT["paths"]["/_mock/requests"]["get"]["parameters"]
    sentence = re.search(r"/_mock/requests` filters by (.*?);", README)
    assert sentence
    assert re.findall(r"`(\w+)`", sentence[1]) == [each["name"] for each in filters]


def test_members_of_a_fault_are_those_of_the_document() -> None:
    section = README.split("## When things go wrong")[1].split("\n## ")[0]
    told = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert told | {"seed"} == FAULT
    assert set(re.findall(r"\b(\w+)=", EPILOG.split("A fault says")[1])) == FAULT
    assert set(CONDITIONS) < FAULT


def test_members_of_the_mock_are_those_of_the_class() -> None:
    public = {name for name in vars(MockServer) if not name.startswith("_")} | {"url"}
    told = {cells[0].strip("`").removeprefix("alvys_mock.") for cells in rows(r"`alvys_mock\..*`")}
    assert {name.partition("(")[0] for name in told} == public
    for name in told:
        if "(" in name:
            function = getattr(MockServer, name.partition("(")[0])
            parameters = [str(each).split(":")[0] for each in inspect.signature(function).parameters.values()]
            assert parameters[1:] == re.findall(r"\*{0,2}\w+", name.partition("(")[2])


def test_whole_client_test_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (block,) = blocks("python", "In your own tests")
    pytester.makepyfile(block)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)


def test_whole_client_test_fails_for_a_client_that_does_not_retry(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (block,) = blocks("python", "In your own tests")
    pytester.makepyfile(block.replace("range(3)", "range(1)"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(failed=1)
