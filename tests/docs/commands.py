"""The commands that pages show: which there are, and which options they take."""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from itertools import dropwhile
from typing import Any

import click
import yaml

from benchmarks.__main__ import main as benchmarks
from contract_tests.run.cli import main as contract
from evaluation.__main__ import main as evaluation
from mock_server.cli import main as mock
from tests.docs.page import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WHEEL = f"alvys_sandbox-{PROJECT['version']}-py3-none-any.whl"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SCRIPTS: Mapping[str, click.Command] = {"alvys-mock": mock, "alvys-contract": contract}
MODULES: Mapping[str, click.Command] = {"evaluation": evaluation, "benchmarks": benchmarks}
"""What is run with `python -m`."""
MAKE_RUNS = {
    "serve": "alvys-mock",
    "contract": "alvys-contract",
    "evaluate": "evaluation",
    "bench": "benchmarks",
}
"""What `make` passes ARGS on to."""


class NoSuchCommand(AssertionError):
    """A page shows a command that there is not, or that would refuse its options."""


def options_of(name: str) -> dict[str, click.Option]:
    """The options of a script, but those that have no variable."""
    return {
        option.opts[0]: option
        for option in SCRIPTS[name].params
        if isinstance(option, click.Option) and option.name not in {"version", "help"}
    }


def variable(name: str, option: click.Option) -> str:
    """The environment variable that counts when an option is not given."""
    prefix = SCRIPTS[name].context_settings.get("auto_envvar_prefix")
    return str(option.envvar or f"{prefix}_{str(option.name).upper()}")


def commands_in(script: str) -> Iterator[list[str]]:
    """The words of each command of a script, one to a line unless a quote or a backslash goes on."""
    pending = ""
    for line in script.splitlines():
        pending += line.removesuffix("\\") if line.endswith("\\") else line + "\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quote is still open
            continue
        if not line.endswith("\\"):
            pending = ""
            if words:
                yield words


def check(words: list[str]) -> None:
    """NoSuchCommand unless the command is one of those below, and takes its words."""
    program, *arguments = dropwhile(lambda word: re.match(r"[A-Z_]+=", word), words)
    try:
        CHECKS[program](arguments)
    except (KeyError, ValueError, click.ClickException, AssertionError) as error:
        raise NoSuchCommand(f"{shlex.join(words)}: {error!r}") from error


def script_in(words: list[str]) -> tuple[str, list[str]] | None:
    """The script of the package that a command comes to, with its arguments; None for other commands."""
    program, *arguments = words
    if program == "make" and arguments[0] in MAKE_RUNS:
        options = [each.removeprefix("ARGS=") for each in arguments[1:]]
        return MAKE_RUNS[arguments[0]], shlex.split(" ".join(options))
    return (program, arguments) if program in SCRIPTS else None


def _make(arguments: list[str]) -> None:
    target, *variables = arguments
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"no target {target}"
    for variable in variables:
        name, _, value = variable.partition("=")
        assert name == "ARGS", f"no variable {name}"
        if target in MAKE_RUNS:
            _script(MAKE_RUNS[target], shlex.split(value))


def _script(name: str, arguments: list[str]) -> None:
    # Parses and runs nothing; what ends a command early, such as --version, does so here.
    try:
        {**SCRIPTS, **MODULES}[name].make_context(name, list(arguments))
    except click.exceptions.Exit:
        return


def _pip(arguments: list[str]) -> None:
    assert arguments[0] == "install"
    for word in arguments[1:]:
        if extra := re.search(r"\[(\w+)\]$", word):
            assert extra[1] in PROJECT["optional-dependencies"]
            assert word.removesuffix(extra[0]) in {".", WHEEL}
        elif word.endswith(".txt"):
            assert (ROOT / word).is_file()
        else:
            assert word in {"-e", "-c", ".", WHEEL}, f"{word} is not something to install"


def _from_folder(*words: str) -> Callable[[list[str]], None]:
    """A command that runs a script of the project in this folder."""

    def checked(arguments: list[str]) -> None:
        assert tuple(arguments[: len(words)]) == words
        name, *others = arguments[len(words) :]
        _script(name, others)

    return checked


def _python(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        assert find_spec(arguments[1]), f"no module {arguments[1]}"
        if arguments[1] in MODULES:
            _script(arguments[1], arguments[2:])
    else:
        _file(arguments)


def _file(arguments: list[str]) -> None:
    assert (ROOT / arguments[0]).exists(), f"no file {arguments[0]}"


def _schemathesis(arguments: list[str]) -> None:
    assert arguments[0] == "run"
    _file(arguments[1:])


def _compose(arguments: list[str]) -> None:
    """A command for services of a compose file; what runs in one of them is not looked at."""
    assert arguments[:2] == ["compose", "-f"]
    services = yaml.safe_load((ROOT / arguments[2]).read_text("utf-8"))["services"]
    command, *others = arguments[3:]
    assert command in {"build", "exec", "start", "stop", "up"}
    named = [word for word in others if not word.startswith("-")]
    assert set(named[:1] if command == "exec" else named) <= services.keys()


def _anything(_arguments: list[str]) -> None:
    """A program of the system; test_deploy looks at what it is told."""


CHECKS: Mapping[str, Callable[[list[str]], None]] = {
    **{name: partial(_script, name) for name in SCRIPTS},
    "make": _make,
    "pip": _pip,
    "pipx": _from_folder("run", "--spec", "."),
    "uvx": _from_folder("--from", "."),
    "python": _python,
    "node": _file,
    "java": _file,
    "pytest": _file,
    "st": _schemathesis,
    "cp": _file,
    "docker": _compose,
    "/opt/alvys-mock/bin/pip": _pip,
    **dict.fromkeys(("python3", "sqlite3", "systemctl"), _anything),
}
