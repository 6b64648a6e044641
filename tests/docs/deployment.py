"""The files of examples/deploy as tests read them."""

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any
from unittest.mock import patch

import httpx2
import yaml

from mock_server.testing import MockServer
from tests.docs.commands import SCRIPTS, commands_in, options_of, variable
from tests.docs.page import ROOT, page
from tests.mock.api import PAYMENTS, payment_of

PAGE = page("docs/deploy.md")
FOLDER = ROOT / "examples" / "deploy"
COMPOSE_FILE, CADDYFILE = FOLDER / "compose.yaml", FOLDER / "Caddyfile"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
REPLICAS = [name for name, service in SERVICES.items() if service["image"] == "alvys-sandbox"]
NUMBER = "LD-1001"
"""The load that is paid."""
KEY = "Open5esame"
GIVEN = {"DATABASE_PASSWORD": "s3cret", "ADMIN_KEY": KEY, "CLIENT_SECRET": "geheim"}
"""What somebody who starts it has in the environment."""
_WANTED = re.compile(r"\$\{(\w+)(?::-(\w+)|:\?)\}")


def filled(text: str) -> str:
    """A text of the compose file with what is given; KeyError if it wants more."""
    return _WANTED.sub(lambda match: GIVEN.get(match[1], match[2]) or GIVEN[match[1]], text)


def settings_of(service: str) -> dict[str, str]:
    """The environment of a service."""
    return {name: filled(value) for name, value in SERVICES[service]["environment"].items()}


def wanted() -> tuple[set[str], set[str]]:
    """The variables that the compose file must be given, and those that it may."""
    found = _WANTED.findall(COMPOSE_FILE.read_text("utf-8"))
    may = {name for name, default in found if default}
    return {name for name, default in found if not default}, may


def image() -> list[tuple[str, str]]:
    """The instructions of the container file, with their arguments in one line."""
    lines = (FOLDER / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    words = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return [(name, " ".join(rest.split())) for name, rest in words]


def image_settings() -> dict[str, str]:
    """The environment that the image has."""
    (pairs,) = (rest for name, rest in image() if name == "ENV")
    return dict(pair.split("=") for pair in pairs.split())


def unit() -> dict[str, list[str]]:
    """The settings of the service of systemd, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "alvys-mock.service").read_text("utf-8").splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def unit_settings(state_folder: str) -> dict[str, str]:
    """The environment of that service."""
    pairs = (each.replace("%S", state_folder).split("=", 1) for each in unit()["Environment"])
    return dict(chain.from_iterable([pair] for pair in pairs))


def taken(environ: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """What the mock makes of an environment, without starting; AssertionError if it has no such variable."""
    known = {variable("alvys-mock", option) for option in options_of("alvys-mock").values()}
    assert environ.keys() <= known
    with patch.dict("os.environ", environ):
        return SCRIPTS["alvys-mock"].make_context("alvys-mock", list(arguments)).params


def command_with(word: str) -> list[str]:
    """The only command of the page that has this word."""
    commands = [words for block in PAGE.blocks_in("sh") for words in commands_in(block.text)]
    (found,) = (words for words in commands if word in words or words[0] == word)
    return found


def pay(url: str, reference: str) -> None:
    """Records a payment."""
    assert httpx2.post(url + PAYMENTS, json=payment_of(NUMBER, reference)).status_code == 200


def references(mock: MockServer) -> list[str]:
    """Those of the payments that are recorded."""
    return [payment["ReferenceNumber"] for payment in mock.load(NUMBER)["payments"]]
