"""The options of a run, once: the command line, pytest and the environment all read this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

VARIABLE_PREFIX = "ALVYS_CONTRACT_"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class OptionError(ValueError):
    """An option cannot be used as it was given. The message is one sentence for the user."""


class Kind(Enum):
    """How often an option is given, and with what."""

    VALUE = "value"
    FLAG = "flag"
    LIST = "list"


Given: TypeAlias = str | bool | tuple[str, ...] | None
"""What was given for one option: its text, a flag, several texts, or nothing."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option, as `--name`. `metavar` stands for its value in the help."""

    name: str
    help: str
    metavar: str = ""
    kind: Kind = Kind.VALUE

    @property
    def flag(self) -> str:
        """The option as it is written on a command line."""
        return f"--{self.name}"

    @property
    def destination(self) -> str:
        """The option as a Python name. The prefix keeps it apart from other plugins' options."""
        return "alvys_" + self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable that is read when the option is not given."""
        return VARIABLE_PREFIX + self.name.replace("-", "_").upper()

    @property
    def full_help(self) -> str:
        """The help with the name of the variable."""
        return f"{self.help} [{self.variable}]"

    def value(self, given: Given, environment: Mapping[str, str]) -> Given:
        """What counts: what was given, else what the environment says, else nothing.

        Raises OptionError for a flag whose variable is neither true nor false.
        """
        if given:
            return given
        text = environment.get(self.variable)
        if text is None:
            return None
        match self.kind:
            case Kind.VALUE:
                return text or None
            case Kind.LIST:
                return tuple(text.replace(",", " ").split())
            case Kind.FLAG:
                lowered = text.strip().lower()
                if lowered not in _TRUE | _FALSE:
                    message = f"{self.variable} is {text!r}; it must be 1 or 0."
                    raise OptionError(message)
                return lowered in _TRUE


OPTIONS = (
    Option("target", "What is tested: 'mock' starts the mock on a free port (default).", "mock|URL"),
    Option(
        "loads",
        "YAML file: load status -> a load number or a list of them, for a target that is not the mock.",
        "FILE",
    ),
    Option(
        "record-payments",
        "Consent: payments may be recorded on the loads of the loads file, within the budgets.",
        kind=Kind.FLAG,
    ),
    Option("max-payments", "At most so many payments are recorded (default 8; the mock: no limit).", "N"),
    Option("max-amount", "At most so much money in all (default 3.00; the mock: no limit).", "X"),
    Option(
        "rate",
        "At most so many requests in a time, such as 10/minute or 8/second. Default: 10/minute for a "
        "target that is not on loopback.",
        "N/UNIT",
    ),
    Option("max-requests", "At most so many requests in all (default 600; on loopback 20000).", "N"),
    Option(
        "suite",
        "Run this suite; may be given several times. Default: everything against the mock, reads against "
        "a URL, with --record-payments also rejects and smoke, and with --max-payments above 50 everything.",
        "NAME",
        Kind.LIST,
    ),
    Option("examples", "Generated examples for each property (default 50); 0 switches generation off.", "N"),
    Option("seed", "Seed of everything that is generated; the report prints the one in use.", "N"),
    Option("report", "Write the report as one HTML file.", "FILE.html"),
    Option("json", "Write the report as JSON.", "FILE.json"),
    Option("junit", "Write the tests as JUnit XML.", "FILE.xml"),
    Option(
        "plan",
        "Print every request that would be sent, with counts and money, and send nothing to the target.",
        kind=Kind.FLAG,
    ),
    Option(
        "run-id",
        "Resume the run of this id: the same references, so that payments are repeated, not added.",
        "ID",
    ),
    Option(
        "record",
        "File that every payment is written to, before and after it is sent "
        "(default alvys-contract-RUNID.jsonl; the mock: none).",
        "FILE.jsonl",
    ),
)
