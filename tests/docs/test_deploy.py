"""The files of examples/deploy hold together, as far as that can be seen without a container engine."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
import yaml

from mock_server.sandbox import Settings
from mock_server.serving import GRACE
from mock_server.shipped import ADMIN, SPEC
from mock_server.spec import Spec
from mock_server.testing import MockServer
from tests.docs import deployment
from tests.docs.deployment import (
    COMPOSE_FILE,
    FOLDER,
    PAGE,
    REPLICAS,
    SERVICES,
    command_with,
    pay,
    references,
    settings_of,
    taken,
)
from tests.docs.page import ROOT, differences
from tests.mock.command import serving

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_file_is_on_the_page() -> None:
    files = [(f"[{path.name}](../examples/deploy/{path.name})", None) for path in FOLDER.iterdir()]
    found = differences(PAGE, "A sandbox for several teams", files)
    assert not found, "\n".join(found)


def test_metrics_to_watch_are_those_that_there_are() -> None:
    with MockServer() as mock:
        text = httpx2.get(f"{mock.url}/_mock/metrics").text
    names = re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)
    found = differences(PAGE, "What to watch", [(name, None) for name in names])
    assert not found, "\n".join(found)


def test_probes_are_those_that_there_are() -> None:
    paths = yaml.safe_load(ADMIN.read_text("utf-8"))["paths"]
    probes = [path for path, item in paths.items() if item.get("get", {}).get("security") == []]
    found = differences(PAGE, "Health and readiness", [(f"GET {path}", None, None) for path in probes])
    assert not found, "\n".join(found)


# --- compose ------------------------------------------------------------------------------------------


def test_compose_file_is_one_by_its_published_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, str(COMPOSE_FILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_replicas_are_the_same_but_for_their_names() -> None:
    assert len(REPLICAS) == 3
    assert all(SERVICES[name] == SERVICES[REPLICAS[0]] for name in REPLICAS)


def test_replicas_take_their_settings() -> None:
    settings = taken(deployment.image_settings() | settings_of(REPLICAS[0]))
    assert settings["state"] == "postgresql://sandbox:s3cret@database/sandbox"
    assert settings["allow_hosts"] == ("localhost", *REPLICAS)
    (client,) = settings["clients"]
    assert (client.id, client.secret) == ("sandbox", "geheim")
    assert set(client.scopes) == set(Spec.read(SPEC).token_terms().scopes)


def test_database_is_the_one_that_the_replicas_are_told() -> None:
    database = settings_of("database")
    told = "postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@database/{POSTGRES_DB}".format(**database)
    assert settings_of(REPLICAS[0])["ALVYS_MOCK_STATE"] == told


def test_compose_file_names_what_it_must_be_given() -> None:
    text = COMPOSE_FILE.read_text("utf-8")
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", text.partition("\nname:")[0]))
    must, may = deployment.wanted()
    assert (must, may) == (set(deployment.GIVEN), {"SITE"})
    assert named == must | may


def test_compose_file_names_files_and_services_that_there_are() -> None:
    build = SERVICES[REPLICAS[0]]["build"]
    context = FOLDER / build["context"]
    assert context.resolve() == ROOT
    assert (context / build["dockerfile"]).samefile(FOLDER / "Containerfile")
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= SERVICES.keys()
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (FOLDER / source).is_file() or source in deployment.COMPOSE["volumes"]


def test_replica_may_end_in_good_order() -> None:
    assert SERVICES[REPLICAS[0]]["stop_grace_period"] == "15s"
    assert GRACE < 15


def test_proxy_knows_the_replicas() -> None:
    port = deployment.image_settings()["ALVYS_MOCK_PORT"]
    upstreams = " ".join(f"{name}:{port}" for name in REPLICAS)
    assert f"{{$REPLICAS:{upstreams}}}" in deployment.CADDYFILE.read_text("utf-8")


# --- the image ----------------------------------------------------------------------------------------


def test_image_has_all_that_is_installed_and_pins_it() -> None:
    copied = {
        source
        for name, rest in deployment.image()
        if name == "COPY" and rest[0] != "-"
        for source in rest.split()[:-1]
    }
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        *("pyproject.toml", "constraints.txt", PROJECT["project"]["readme"]),
        *PROJECT["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }
    assert {path for path in needed if not {path, path.partition("/")[0]} & copied} == set()
    assert {path for path in copied if not (ROOT / path).exists()} == set()
    (install,) = (rest for name, rest in deployment.image() if name == "RUN" and "pip" in rest)
    extras = re.search(r"--constraint /source/constraints.txt '/source\[([\w,]+)\]'$", install)
    assert extras
    assert set(extras[1].split(",")) <= PROJECT["project"]["optional-dependencies"].keys()


def test_image_runs_without_rights_and_passes_signals_on() -> None:
    last = dict(deployment.image())
    assert last["USER"] == "10001:10001"
    (program,) = json.loads(last["ENTRYPOINT"])
    assert last["COPY"] == f"--from=build {Path(program).parents[1]} {Path(program).parents[1]}"
    assert {rest.split()[0] for name, rest in deployment.image() if name == "FROM"} == {"python:3.13-slim"}
    settings = taken(deployment.image_settings())
    assert (settings["host"], settings["quiet"]) == ("0.0.0.0", True)  # noqa: S104 - in a container
    assert settings["port"] == int(last["EXPOSE"])


def test_health_check_of_the_image_tells_a_mock_from_none() -> None:
    program, *arguments = json.loads(dict(deployment.image())["HEALTHCHECK"].partition(" CMD ")[2])
    assert program == "python"
    own = f"127.0.0.1:{deployment.image_settings()['ALVYS_MOCK_PORT']}"

    def status(url: str) -> int:
        asked = [word.replace(own, url.removeprefix("http://")) for word in arguments]
        assert asked != arguments
        return subprocess.run([sys.executable, *asked], capture_output=True, check=False).returncode

    with MockServer() as mock:
        assert status(mock.url) == 0
    assert status(mock.url) == 1


# --- systemd ------------------------------------------------------------------------------------------


def test_unit_takes_its_settings_and_its_program_is_what_the_page_installs() -> None:
    unit = deployment.unit()
    (start,), (folder,) = unit["ExecStart"], unit["StateDirectory"]
    program, *arguments = start.split()
    settings = taken(deployment.unit_settings("/var/lib"), *arguments)
    assert settings["state"] == f"sqlite:////var/lib/{folder}/sandbox.db"
    assert command_with("venv")[-1] == program.removesuffix("/bin/alvys-mock")
    assert Path(command_with("-c")[0]).parent == Path(program).parent
    assert command_with("systemctl")[-1] == "alvys-mock"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("this machine has no systemd")
    unit = tmp_path / "alvys-mock.service"
    text = (FOLDER / unit.name).read_text("utf-8")
    unit.write_text(text.replace("/opt/alvys-mock/bin", str(Path(sys.executable).parent)), "utf-8")
    for command in (("verify",), ("security", "--offline=true", "--threshold=25")):
        done = subprocess.run(
            ["systemd-analyze", *command, str(unit)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


# --- backup and restore -------------------------------------------------------------------------------


def test_copy_of_a_file_in_use_has_all_its_payments(tmp_path: Path) -> None:
    """The mock is the one of the unit."""
    settings = deployment.unit_settings(str(tmp_path))
    _, named, statement = command_with("sqlite3")
    file, copy = Path(named.replace("/var/lib", str(tmp_path))), tmp_path / "copy.db"
    file.parent.mkdir()
    with serving("--port", "0", environ=settings) as mock:
        pay(mock.url, "R-1")
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute(statement.replace("/var/backups/sandbox.db", str(copy)))
        pay(mock.url, "R-2")
        mock.process.kill()
        mock.process.communicate()
    shutil.copyfile(copy, file)
    for rest in ("-wal", "-shm"):
        file.with_name(file.name + rest).unlink()
    with MockServer(state=settings["ALVYS_MOCK_STATE"]) as restored:
        assert references(restored) == ["R-1"]


# --- Prometheus ---------------------------------------------------------------------------------------


def test_prometheus_asks_each_replica_by_a_name_that_it_knows() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    port = deployment.image_settings()["ALVYS_MOCK_PORT"]
    (targets,) = job["static_configs"]
    assert targets["targets"] == [f"{name}:{port}" for name in REPLICAS]
    (key,) = job["http_headers"]
    hosts = tuple(taken(settings_of(REPLICAS[0]))["allow_hosts"])
    with MockServer(settings=Settings(admin_key="secret", allow_hosts=hosts)) as mock:
        for target in targets["targets"]:
            headers = {"Host": target, key: "secret"}
            assert httpx2.get(mock.url + job["metrics_path"], headers=headers).status_code == 200
