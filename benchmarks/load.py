"""Sends one request over and over, on many keep-alive connections: with wrk, or with Python."""

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2


def requests_answered(request: httpx2.Request, connections: int, seconds: int) -> int:
    """How many answers came back in that many seconds."""
    if shutil.which("wrk"):
        return _with_wrk(request, connections, seconds)
    arguments = [str(request.url), str(connections), str(seconds), request.method]
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    return int(subprocess.run(command, input=request.content, capture_output=True, check=True).stdout)


def _with_wrk(request: httpx2.Request, connections: int, seconds: int) -> int:
    body = request.content.decode().replace("\\", "\\\\").replace("'", "\\'")
    script = f"wrk.method = '{request.method}'\nwrk.body = '{body}'\n"
    script += "wrk.headers['Content-Type'] = 'application/json-patch+json'\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        Path(file.name).write_text(script, encoding="utf-8")
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", file.name, str(request.url)]
        printed = subprocess.run(["wrk", *options], capture_output=True, check=True, text=True).stdout
    if "Non-2xx" in printed:
        raise RuntimeError(printed)
    match = re.search(r"(\d+) requests in", printed)
    if match is None:
        raise RuntimeError(printed)
    return int(match[1])


async def _one_connection(url: str, method: str, body: bytes, until: float) -> int:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"{method} {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    head += f"Content-Type: application/json-patch+json\r\nContent-Length: {len(body)}\r\n\r\n"
    answered = 0
    while time.monotonic() < until:
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer.split(b"\r\n", 1)[0]:
            raise RuntimeError(answer)
        length = re.search(rb"(?i)content-length: (\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        answered += 1
    writer.close()
    return answered


async def _with_python(url: str, method: str, body: bytes, connections: int, seconds: int) -> int:
    until = time.monotonic() + seconds
    counts = await asyncio.gather(*(_one_connection(url, method, body, until) for _ in range(connections)))
    return sum(counts)


if __name__ == "__main__":
    URL, CONNECTIONS, SECONDS, METHOD = sys.argv[1:]
    CONTENT = sys.stdin.buffer.read()
    print(asyncio.run(_with_python(URL, METHOD, CONTENT, int(CONNECTIONS), int(SECONDS))))
