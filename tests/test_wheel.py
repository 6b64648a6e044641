"""The wheel alone: installed without the test packages, started from an empty folder."""

import re
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import httpx2
import pytest

from mock_server.console.routes import HOME, PAGES
from mock_server.shipped import FIXTURES, REVISIONS, SPEC
from tests.docs.test_recipes import RECIPES
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


@pytest.fixture(scope="module")
def project(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder of somebody's tests, with an environment of the wheel and what tests need."""
    folder = tmp_path_factory.mktemp("project")
    venv.create(folder / ".venv", with_pip=False)
    wanted = [str(wheel), "pytest", "pytest-xdist", "httpx2", "mypy"]
    pip("--python", str(python_of(folder)), "install", "--constraint", str(CONSTRAINTS), *wanted)
    for name, text in RECIPES.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def python_of(project: Path) -> Path:
    return project / ".venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def run_in(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(python_of(project)), "-m", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def read(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode()


def metadata_folder(wheel: Path) -> str:
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def metadata_of(wheel: Path) -> Message:
    return Parser().parsestr(read(wheel, f"{metadata_folder(wheel)}/METADATA"))


def test_wheel_carries_the_documents_and_the_fixtures(wheel: Path) -> None:
    assert read(wheel, "mock_server/openapi.yaml") == SPEC.read_text("utf-8")
    assert read(wheel, "mock_server/fixtures/loads.yaml") == FIXTURES.read_text("utf-8")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    contract = [path for path in (ROOT / "contract").rglob("*") if path.is_file()]
    assert {*REVISIONS.values()} < {*contract}
    for path in contract:
        assert read(wheel, f"mock_server/{path.relative_to(ROOT).as_posix()}") == path.read_text("utf-8")
    report = (ROOT / "contract_tests" / "report").glob("report.*")
    assert {f"contract_tests/report/{path.name}" for path in report} <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mock_server", "contract_tests"}


@pytest.mark.parametrize("package", ["mock_server", "contract_tests"])
def test_packages_say_that_they_are_typed(package: str, wheel: Path) -> None:
    assert read(wheel, f"{package}/py.typed") == ""


def test_wheel_says_whose_it_is_and_what_it_is_for(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert "Copyright (c) 2026" in read(wheel, metadata_folder(wheel) + "/licenses/LICENSE")
    assert metadata["Author"] == "the alvys-sandbox authors"
    assert metadata.get_all("Project-URL") is None
    assert metadata["Keywords"]
    assert str(metadata.get_payload()) == (ROOT / "README.md").read_text("utf-8")


def test_latest_version_has_its_changes(wheel: Path) -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", metadata_of(wheel)["Version"]]


def test_installed_mock_serves_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    with serving("--port", "0", program=[str(installed / "alvys-mock")], folder=tmp_path) as mock:
        answer = httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "W-1", 1850))
        assert (answer.status_code, answer.json()["Status"]) == (200, "Completed")
        load = json_of(httpx2.get(f"{mock.url}{LOADS}?loadNumber=LD-1001").text)
        assert load["totalPaid"] == {"Amount": 1850, "Currency": 840}
    assert list(tmp_path.iterdir()) == []


def test_installed_mock_has_its_console(installed: Path, tmp_path: Path) -> None:
    with serving("--port", "0", program=[str(installed / "alvys-mock")], folder=tmp_path) as mock:
        for page in PAGES:
            shown = httpx2.get(mock.url + page.path, headers={"Accept": "text/html"})
            assert shown.status_code == 200
            for link in re.findall(rf'"({HOME}[^"]*)"', shown.text):
                assert httpx2.get(mock.url + link).status_code == 200, link


def test_installed_mock_speaks_every_revision(installed: Path, tmp_path: Path) -> None:
    command = ("--port", "0", "--revision", "2026-07")
    with serving(*command, program=[str(installed / "alvys-mock")], folder=tmp_path) as mock:
        answer = httpx2.post(mock.url + PAYMENTS, json=payment_of("LD-1001", "W-1", 1850))
        assert answer.json()["TotalBillable"] == {"Amount": 1850, "Currency": 840}


def test_without_the_extra_the_contract_suite_says_what_to_type(installed: Path) -> None:
    ended = subprocess.run([str(installed / "alvys-contract")], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "pip install 'alvys-sandbox[contract]'" in ended.stderr


def test_without_the_extra_a_webhook_says_what_to_type(installed: Path) -> None:
    command = [str(installed / "alvys-mock"), "--port", "0", "--webhook", "http://127.0.0.1:1/"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'alvys-sandbox[webhooks]'" in ended.stderr


def test_only_what_the_mock_needs_is_installed(installed: Path) -> None:
    program = "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})"
    listed = subprocess.run(
        [str(installed / "python"), "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"pytest", "hypothesis", "httpcore2", "httpx2", "coverage"} & set(listed.stdout.split())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_fixture_works_in_another_project(workers: str, project: Path) -> None:
    done = run_in(project, "pytest", "-q", "-W", "error", "-n", workers, *RECIPES)
    assert done.returncode == 0, done.stdout
    assert f"{len(RECIPES)} passed" in done.stdout


def test_fixture_is_typed_for_another_project(project: Path) -> None:
    done = run_in(project, "mypy", "--strict", *RECIPES)
    assert done.returncode == 0, done.stdout
    wrong = project / "test_wrong.py"
    wrong.write_text(RECIPES["test_a_lost_response.py"].replace("exactly=2", "exactly='2'"), "utf-8")
    done = run_in(project, "mypy", "--strict", str(wrong))
    assert 'Argument "exactly" to "verify" of "MockServer" has incompatible type "str"' in done.stdout
