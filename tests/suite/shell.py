"""`alvys-contract` in a folder of its own."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import jsonschema_rs
from click.testing import CliRunner

from contract_tests.run.cli import main

ROOT = Path(__file__).parents[2]
REPORT = jsonschema_rs.Draft202012Validator(
    json.loads((ROOT / "docs" / "report.schema.json").read_text()), validate_formats=True
)
"""What every JSON report must be."""


@dataclass
class Shell:
    """Runs the command in a folder of its own, in this process: it takes a second less to start."""

    folder: Path

    def __call__(self, *arguments: str) -> "Ended":
        with contextlib.chdir(self.folder):
            ended = CliRunner(env={"COLUMNS": "200"}).invoke(main, arguments)
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def everything_written(self) -> str:
        return "".join(path.read_text("utf-8") for path in self.folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def first_line(self) -> str:
        return self.out.splitlines()[0]
