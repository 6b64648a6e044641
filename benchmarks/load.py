"""Sends one request over and over, on many keep-alive connections: with wrk, or with Python."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2


def responses_to(request: httpx2.Request, connections: int, seconds: int) -> int:
    """How many responses came back in that many seconds."""
    if shutil.which("wrk"):
        return _with_wrk(request, connections, seconds)
    headers = json.dumps(_own_headers(request))
    arguments = [str(request.url), str(connections), str(seconds), request.method, headers]
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    return int(subprocess.run(command, input=request.content, capture_output=True, check=True).stdout)


def _with_wrk(request: httpx2.Request, connections: int, seconds: int) -> int:
    body = request.content.decode().replace("\\", "\\\\").replace("'", "\\'")
    script = f"wrk.method = '{request.method}'\nwrk.body = '{body}'\n"
    for name, value in _own_headers(request).items():
        script += f"wrk.headers['{name}'] = '{value}'\n"
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


def _own_headers(request: httpx2.Request) -> dict[str, str]:
    names = ("content-type", "authorization")
    return {name: request.headers[name] for name in names if name in request.headers}


async def _one_connection(url: str, head: str, body: bytes, until: float) -> int:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    responses = 0
    while time.monotonic() < until:
        writer.write(head.encode() + body)
        response = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in response.split(b"\r\n", 1)[0]:
            raise RuntimeError(response)
        length = re.search(rb"(?i)content-length: (\d+)", response)
        await reader.readexactly(int(length[1]) if length else 0)
        responses += 1
    writer.close()
    return responses


async def _with_python(url: str, head: str, body: bytes, connections: int, seconds: int) -> int:
    until = time.monotonic() + seconds
    counts = await asyncio.gather(*(_one_connection(url, head, body, until) for _ in range(connections)))
    return sum(counts)


def _head(url: str, method: str, headers: dict[str, str], length: int) -> str:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""])


if __name__ == "__main__":
    URL, CONNECTIONS, SECONDS, METHOD, HEADERS = sys.argv[1:]
    CONTENT = sys.stdin.buffer.read()
    HEAD = _head(URL, METHOD, json.loads(HEADERS), len(CONTENT))
    print(asyncio.run(_with_python(URL, HEAD, CONTENT, int(CONNECTIONS), int(SECONDS))))
