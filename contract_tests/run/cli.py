"""The command line `alvys-contract`: every option of a run, once, and pytest that runs the suites."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from re import fullmatch
from typing import Any, Final, TypeVar

import click
import pytest
from rich.console import Console

from contract_tests.report.drift import Baseline
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.revisions import REVISIONS, Revision
from contract_tests.run.progress import ProgressBar
from contract_tests.run.settings import MOCK, SUITES, OperationRate, Settings
from contract_tests.safety.credentials import Credentials, CredentialsError
from contract_tests.safety.origin import Origin
from contract_tests.safety.tls import trust
from contract_tests.safety.transport import MEBIBYTE

T = TypeVar("T")

PACKAGE: Final = Path(__file__).parents[1]


class _Text(click.ParamType[T]):
    """A value that is read from a text; the reader's ValueError says what to type."""

    def __init__(self, read: Callable[[str], T]) -> None:
        self.name = read.__name__.strip("_")
        self._read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> T:
        try:
            return self._read(str(value))
        except ValueError as error:
            self.fail(f"{str(error).rstrip('.')}.", param, ctx)


def _target(text: str) -> str:
    return text if text == MOCK else str(Origin.parse(text))


def _revision(text: str) -> Revision | None:
    if text != "auto" and text not in REVISIONS:
        raise ValueError(f"{text!r} is not a revision; write auto, {' or '.join(REVISIONS)}")
    return next((revision for revision in REVISIONS if revision == text), None)


def _count(text: str) -> int:
    if fullmatch(r"[0-9]{1,18}", text) is None:
        raise ValueError(f"{text!r} is not a whole number; write 0 or more")
    return int(text)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{text!r} is not an amount; write it as 3.00")
    return amount


def _seconds(text: str) -> float:
    if fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is None or not float(text):
        raise ValueError(f"{text!r} is not a time in seconds; write it as 60")
    return float(text)


def _time(text: str) -> float:
    return 0.0 if fullmatch(r"0(\.0*)?", text) else _seconds(text)


def _certificates(text: str) -> Path:
    trust(Path(text))
    return Path(text)


def _bytes(text: str) -> int:
    if not _count(text):
        raise ValueError("no response fits in 0 bytes; write 1 or more")
    return int(text)


def _run_id(text: str) -> str:
    if fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}", text) is None:
        raise ValueError(f"{text!r} is not a run id; write up to 32 letters, digits and hyphens")
    return text


def _output(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"{text} cannot be written; name a file in a folder that exists")
    return path


def _baseline(text: str) -> Path:
    Baseline.read(Path(text))
    return Path(text)


def _words(text: str) -> list[str]:
    """The values of a variable, with commas or spaces between."""
    return text.replace(",", " ").split()


class _Suites(click.Choice[str]):
    """The name of a suite; in the variable, several."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return _words(rv)


class _Rates(_Text[OperationRate]):
    """A rate; in the variable, several."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return _words(rv)


_option = partial(click.option, show_envvar=True)


@click.command(
    "alvys-contract", context_settings={"auto_envvar_prefix": "ALVYS_CONTRACT", "max_content_width": 100}
)
@_option(
    "--target",
    type=_Text(_target),
    metavar="mock|URL",
    default=MOCK,
    show_default=True,
    help="What is tested: a service by its base URL, or the mock, which is started on a free port.",
)
@_option(
    "--revision",
    type=_Text(_revision),
    metavar="auto|page|2026-07",
    default="auto",
    show_default=True,
    help="The revision of the contract that the target speaks; auto takes that of its first responses.",
)
@_option(
    "--loads",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML file: load status -> a load number or a list of them, for a target that is not the mock.",
)
@_option(
    "--record-payments",
    is_flag=True,
    help="Consent: payments may be recorded on the loads of the loads file, within the budgets.",
)
@_option(
    "--max-payments",
    type=_Text(_count),
    metavar="N",
    help="At most so many payments are recorded (default 8; the mock: no limit).",
)
@_option(
    "--max-amount",
    type=_Text(_amount),
    metavar="X",
    help="At most so much money in all (default 3.00; the mock: no limit).",
)
@_option(
    "--rate",
    "rates",
    envvar="ALVYS_CONTRACT_RATE",
    type=_Rates(OperationRate.parse),
    multiple=True,
    metavar="[OPERATION=]N/UNIT",
    help="At most so many requests in a time, such as 8/second for all of them together, or "
    "getLoad=5/minute for one operation; may be given several times. Default: the limits that the vendor "
    "publishes; on loopback none.",
)
@_option(
    "--spacing",
    type=_Text(_time),
    metavar="SECONDS",
    default=0.0,
    show_default=True,
    help="At least so long between any two requests.",
)
@_option(
    "--max-requests",
    type=_Text(_count),
    metavar="N",
    help="At most so many requests in all (default 600; on loopback 20000; the mock: no limit).",
)
@_option(
    "--suite",
    "suites",
    envvar="ALVYS_CONTRACT_SUITE",
    type=_Suites(SUITES),
    multiple=True,
    metavar="NAME",
    help="Run this suite; may be given several times. Default: everything against the mock, reads against "
    "a URL, with --record-payments also rejects and smoke, and with --max-payments above 50 everything.",
)
@_option(
    "--examples",
    type=_Text(_count),
    metavar="N",
    default=50,
    show_default=True,
    help="Generated examples for each property; 0 switches generation off.",
)
@_option(
    "--seed",
    type=_Text(_count),
    metavar="N",
    default=lambda: secrets.randbelow(2**31),
    help="Seed of everything that is generated; the report prints the one in use.",
)
@_option("--report", type=_Text(_output), metavar="FILE.html", help="Write the report as one HTML file.")
@_option("--json", type=_Text(_output), metavar="FILE.json", help="Write the report as JSON.")
@_option(
    "--junit",
    type=_Text(_output),
    metavar="FILE.xml",
    help="Write the clauses and questions as JUnit XML, each as a test case.",
)
@_option(
    "--profile",
    type=_Text(_output),
    metavar="FILE.yaml",
    help="Write what the target does about each open question; `alvys-mock --profile` behaves that way.",
)
@_option(
    "--baseline",
    type=_Text(_baseline),
    metavar="FILE.json",
    help="Compare with the JSON report of an earlier run: what changed is said first, and a clause that got "
    "worse is a failure.",
)
@_option(
    "--fail-on-change",
    is_flag=True,
    help="With --baseline: an open question that is answered otherwise than before is a failure too.",
)
@_option(
    "--plan",
    is_flag=True,
    help="Print every request that would be sent, with counts and money, and send nothing to the target.",
)
@_option(
    "--run-id",
    type=_Text(_run_id),
    metavar="ID",
    help="Resume the run of this id from its payment log: the same references, so that payments are "
    "replayed, not added.",
)
@_option(
    "--record",
    type=_Text(_output),
    metavar="FILE.jsonl",
    help="Payment log: the file that every payment is written to, before and after it is sent "
    "(default alvys-contract-RUNID.jsonl; the mock: none).",
)
@_option(
    "--patience",
    type=_Text(_seconds),
    metavar="SECONDS",
    default=600.0,
    show_default=True,
    help="At most so long a wait in all for one request that is answered with 429 or that the road loses.",
)
@_option(
    "--deadline",
    type=_Text(_seconds),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="At most so long for one response in all.",
)
@_option(
    "--ca",
    type=_Text(_certificates),
    metavar="FILE",
    help="Trust the certificates of this PEM file too, beside those of the system or of SSL_CERT_FILE.",
)
@_option(
    "--max-response",
    type=_Text(_bytes),
    metavar="BYTES",
    default=32 * MEBIBYTE,
    show_default=True,
    help="At most so long a response body.",
)
@_option(
    "--settle",
    type=_Text(_time),
    metavar="SECONDS",
    help="Wait at most so long for a load to show what a response has shown (default 5; the mock: 0).",
)
@_option(
    "--state",
    metavar="URL",
    help="What keeps the loads of the mock that the run starts: sqlite:///FILE or postgresql://... "
    "(default memory).",
)
@click.version_option(package_name="alvys-sandbox")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def main(pytest_arguments: tuple[str, ...], **given: Any) -> None:
    """Tests whether a service keeps the contract of the Alvys customer payments.

    No payment is ever recorded without --record-payments. Credentials come from the environment only:
    ALVYS_TOKEN, or ALVYS_CLIENT_ID, ALVYS_CLIENT_SECRET, ALVYS_TOKEN_URL and ALVYS_AUDIENCE.

    Exit status: 0 every clause that was tested passed, 1 a clause failed, 2 wrong usage or an unmet
    safety gate, 3 the target could not be tested. Arguments after -- go to pytest, for example -- -n 2.
    """
    settings = Settings.of(given)
    try:
        Credentials.from_environment(os.environ)
    except CredentialsError as error:
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
            *arguments_of(given),
            *pytest_arguments,
        ],
        plugins=[ProgressBar(console, sys.stderr)],
    )
    # pytest has a status of its own for arguments that it does not know.
    sys.exit(ExitStatus.USAGE if status == pytest.ExitCode.USAGE_ERROR else int(status))


OPTIONS: Final = [
    option for option in main.params if isinstance(option, click.Option) and not option.is_eager
]
"""What a run can be asked; pytest has the same options."""


def arguments_of(values: Mapping[str, object]) -> list[str]:
    """The values of options, by their names, as a command line. None, False and nothing are not given."""
    arguments = []
    for option in OPTIONS:
        value, flag = values.get(option.name or ""), option.opts[0]
        for each in value if isinstance(value, tuple | list) else [value]:
            if each is True:
                arguments.append(flag)
            elif each is not None and each is not False:
                arguments.append(f"{flag}={each}")
    return arguments


def settings_from(values: Mapping[str, object]) -> Settings:
    """The settings of a run that has these options, as texts, and the environment's variables.

    Raises click.UsageError with a sentence about the first that cannot be used.
    """
    context = main.make_context("alvys-contract", arguments_of(values))
    return Settings.of({option.name: context.params[option.name] for option in OPTIONS if option.name})
