"""The wheel alone: installed without the test packages, started from an empty folder."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import httpx2
import pytest

from mock_server.shipped import FIXTURES, SPEC
from tests.mock.api import LOADS, PAYMENTS, json_of, payment_of
from tests.mock.command import ROOT, serving

CONSTRAINTS = ROOT / "constraints.txt"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("alvys_sandbox-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a clean environment that the wheel is installed in."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    constraints = ["--constraint", str(CONSTRAINTS)] if CONSTRAINTS.exists() else []
    pip("--python", str(programs / "python"), "install", *constraints, str(wheel))
    return programs


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_wheel_carries_the_document_and_the_fixtures(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("mock_server/openapi.yaml") == SPEC.read_bytes()
        assert archive.read("mock_server/fixtures/loads.yaml") == FIXTURES.read_bytes()
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert "tests" not in tops


def test_installed_mock_serves_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    with serving("--port", "0", program=[str(installed / "alvys-mock")], folder=tmp_path) as mock:
        answer = httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "W-1", 1850))
        assert (answer.status_code, answer.json()["Status"]) == (200, "Completed")
        load = json_of(httpx2.get(f"{mock.url}{LOADS}?loadNumber=LD-1001").text)
        assert load["totalPaid"] == {"Amount": 1850, "Currency": 840}
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_contract_suite_says_what_to_type(installed: Path) -> None:
    ended = subprocess.run([str(installed / "alvys-contract")], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "pip install 'alvys-sandbox[contract]'" in ended.stderr


def test_only_what_the_mock_needs_is_installed(installed: Path) -> None:
    program = "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})"
    listed = subprocess.run(
        [str(installed / "python"), "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"pytest", "hypothesis", "httpx2", "coverage"} & set(listed.stdout.split())
