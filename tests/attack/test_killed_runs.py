"""A run that is killed at any moment can be resumed: nothing is booked twice, nothing is unrecorded."""

import contextlib
import io
import json
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from contract_tests.run.cli import main
from evaluation.reference.loads import by_status, opening_loads
from evaluation.reference.serving import serve
from tests.attack.services import LenientService

WRITES = [*range(9, 27, 2), *range(33, 39, 2)]
"""Before the seventeenth nothing is booked; 27 to 32 leave at once; the last name no load that exists."""
MOMENTS = [(write, moment) for write in WRITES for moment in ("before", "after")]


def run_suite(url: str, folder: Path, *options: str) -> int:
    """The exit status of a run of smoke, quietly."""
    nowhere = io.StringIO()
    arguments = [
        "--target",
        url,
        "--loads",
        str(folder / "loads.yaml"),
        "--suite",
        "smoke",
        "--record-payments",
    ]
    arguments += ["--max-payments", "16", "--max-amount", "6", "--record", str(folder / "payments.jsonl")]
    arguments += [*options, "--seed", "1", "--", "-p", "no:cacheprovider", "-p", "no:xdist"]
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            main.main(arguments, standalone_mode=False)
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def run_when_told(pipe: "multiprocessing.connection.Connection", folder: Path) -> None:
    """The process that is killed: it is made before the server has threads."""
    run_suite(pipe.recv(), folder)


@pytest.mark.parametrize(("write", "moment"), MOMENTS)
def test_a_killed_run_is_resumed_without_a_double(write: int, moment: str, tmp_path: Path) -> None:
    (tmp_path / "loads.yaml").write_text(json.dumps(by_status(opening_loads())))
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=run_when_told, args=(theirs, tmp_path))
    process.start()

    def kill(number: int, at: str) -> None:
        if (number, at) == (write, moment) and process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # the test has waited for it already
                os.waitid(os.P_PID, process.pid or 0, os.WEXITED | os.WNOWAIT)

    service = LenientService(on_write=kill)
    with serve(service) as url:
        ours.send(url)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        logged = [json.loads(line) for line in (tmp_path / "payments.jsonl").read_text().splitlines()]
        known = {(line["load"], line["reference"]) for line in logged if "failed" not in line}
        assert {(one.load, one.reference) for one in service.booked} <= known
        run_id = next(line["reference"] for line in logged if line["reference"]).split("-")[1]
        assert run_suite(url, tmp_path, "--run-id", run_id) == 0
    times = Counter((one.load, one.reference) for one in service.booked)
    assert set(times.values()) == {1}
    assert len(times) == 8
