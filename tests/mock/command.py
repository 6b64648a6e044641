"""`alvys-mock` as a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
MODULE = (sys.executable, "-m", "mock_server")


class Running:
    """A mock that has said where it serves. `greeting` is what it printed until then."""

    def __init__(self, process: "subprocess.Popen[str]", output: IO[str], *, tries: bool) -> None:
        self.process = process
        self.output = output
        lines = [output.readline()]
        match = re.search(r"^Serving on (\S+) ", lines[0])
        assert match, process.communicate()
        self.url = match[1]
        while lines.count("\n") < (4 if tries else 3):
            lines.append(output.readline())
            assert lines[-1], lines
        self.greeting = "".join(lines)

    def line(self) -> str:
        return self.output.readline()

    def end(self, by: signal.Signals) -> tuple[str, str, int]:
        """What it still printed, what it complained of, and its exit code."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=60)
        return out, err, self.process.returncode


@contextmanager
def serving(
    *options: str,
    environ: dict[str, str] | None = None,
    program: Sequence[str] = MODULE,
    folder: Path = ROOT,
    tries: bool = True,
) -> Iterator[Running]:
    """The mock as a process; ended when the test has not done so.

    `tries` says whether its greeting ends with something to try.
    """
    process = subprocess.Popen(
        [*program, *options],
        cwd=folder,
        env=os.environ | (environ or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield Running(process, process.stdout, tries=tries)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def has_ipv6() -> bool:
    """Whether something can listen on the IPv6 address of this machine."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return socket.has_ipv6


def run(*options: str, environ: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """The command, for options that do not serve."""
    return subprocess.run(
        [*MODULE, *options],
        cwd=ROOT,
        env=os.environ | (environ or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
