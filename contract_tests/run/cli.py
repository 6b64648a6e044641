"""The command line `alvys-contract`: checks the options and lets pytest run the suites."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click
import pytest
from rich.console import Console

from contract_tests.run.options import OPTIONS, Given, Kind, Option, OptionError
from contract_tests.run.preflight import WRONG_USE
from contract_tests.run.progress import ProgressBar
from contract_tests.run.settings import resolve
from contract_tests.safety.credentials import Credentials, CredentialsError

PACKAGE: Final = Path(__file__).parents[1]

_HELP = """Tests whether a service keeps the contract of the Alvys customer payments.

Nothing is ever booked without --record-payments. Credentials come from the environment only:
ALVYS_TOKEN, or ALVYS_CLIENT_ID, ALVYS_CLIENT_SECRET, ALVYS_TOKEN_URL and ALVYS_AUDIENCE.

Exit status: 0 every clause that was tested holds, 1 one is violated, 2 wrong usage or an unmet safety
gate, 3 the target could not be tested. Arguments after -- go to pytest, for example -- -n 2.
"""


def _arguments(given: Mapping[str, Given]) -> list[str]:
    """The options as arguments of pytest."""
    arguments: list[str] = []
    for option in OPTIONS:
        value = given.get(option.name)
        if isinstance(value, tuple):
            arguments += [f"{option.flag}={each}" for each in value]
        elif isinstance(value, str):
            arguments.append(f"{option.flag}={value}")
        elif value:
            arguments.append(option.flag)
    return arguments


def _command(pytest_arguments: tuple[str, ...], **values: Given) -> None:
    given = {option.name: values[option.destination] or None for option in OPTIONS}
    try:
        settings = resolve(given, os.environ)
        Credentials.from_environment(os.environ)
    except (OptionError, CredentialsError) as error:
        raise click.UsageError(str(error)) from None
    console = Console(file=sys.stdout)
    status = pytest.main(
        [
            str(PACKAGE),
            f"--rootdir={PACKAGE.parent}",
            f"--config-file={os.devnull}",
            "--capture=sys",
            "-p",
            "no:cacheprovider",
            # The plugin takes two seconds to import, and only this suite needs it.
            *([] if "fuzz" in settings.suites else ["-p", "no:schemathesis"]),
            *_arguments(given),
            *pytest_arguments,
        ],
        plugins=[ProgressBar(console)],
    )
    # pytest has a status of its own for arguments that it does not know.
    sys.exit(WRONG_USE if status == pytest.ExitCode.USAGE_ERROR else int(status))


def _option(option: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    names = (option.flag, option.destination)
    if option.kind is Kind.FLAG:
        return click.option(*names, is_flag=True, help=option.full_help)
    repeated = option.kind is Kind.LIST
    return click.option(*names, multiple=repeated, metavar=option.metavar, help=option.full_help)


def _build() -> click.Command:
    command: Callable[..., None] = click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)(
        _command
    )
    for option in reversed(OPTIONS):
        command = _option(option)(command)
    return click.command("alvys-contract", help=_HELP)(command)


main = _build()
