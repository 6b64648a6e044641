"""Follows one payment from the socket to the ledger and back: the files that a reader must open.

python -m benchmarks.path

Everything is at its defaults, as the command line has it. A change of file is a call from a function in one
file of `mock_server` into another. The clock is left out: it is only asked for the time.
"""

import asyncio
import sys
from pathlib import Path
from types import FrameType

import mock_server
from benchmarks.__main__ import JSON_PATCH, PAYMENTS, payment
from mock_server.journal import CallLog
from mock_server.opening import opening_loads
from mock_server.sandbox import Sandbox
from mock_server.serving import Server, listen
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Spec

PACKAGE = str(Path(mock_server.__file__).parent)


class Steps:
    """The functions of the mock in the order in which they are called."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        caller: FrameType | None = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back
        before = "" if caller is None else Path(caller.f_code.co_filename).stem
        self.taken.append((before, Path(frame.f_code.co_filename).stem, frame.f_code.co_qualname))


async def _follow(steps: Steps) -> None:
    spec = Spec.read(SPEC)
    sandbox = Sandbox(spec, opening_loads(spec, [FIXTURES]))
    has_started = asyncio.Event()

    async def started() -> None:
        has_started.set()

    app = sandbox.app(watch=CallLog(print))
    server = Server(app, started)
    listener = listen("127.0.0.1", 0)
    serving = asyncio.create_task(server.serve([listener]))
    await has_started.wait()
    reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
    for reference, followed in (("WARM-UP", False), ("EX-1", True)):
        body = payment("LD-1001", reference)
        head = [f"POST {PAYMENTS} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in JSON_PATCH.items()]
        sys.setprofile(steps if followed else None)
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        response = await reader.read(65536)
        sys.setprofile(None)
        assert response.startswith(b"HTTP/1.1 200 "), response
    writer.close()
    server.stop()
    await serving


def main() -> None:
    """Print the way, and how many files and changes of file it has."""
    steps = Steps()
    asyncio.run(_follow(steps))
    for before, here, name in steps.taken:
        print(f"{here if here != before else '':14} {name}")
    visited = [(before, here) for before, here, _ in steps.taken if here != "clock"]
    print(f"{len({here for _, here in visited})} files")
    print(f"{sum(before != here for before, here in visited)} calls into another file")


if __name__ == "__main__":
    main()
