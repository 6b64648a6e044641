"""A client of bytes: sends whatever a test wants, and takes nothing for a response that is none."""

import re
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple, Self

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [A-Za-z -]*\r\n")
_HEADER = re.compile(rb"([a-z0-9-]+): ([^\r\n\0]*)\r\n")
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


def get(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


def post(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    return get(path, f"Content-Length: {len(body)}", *headers, method="POST", version=version) + body


class Reply(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether it says that no other follows."""
        return self.headers.get(b"connection") == b"close"


class Over(Exception):
    """The server sends no more."""


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._read = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *pieces: bytes) -> None:
        """Sends the pieces, as packets of their own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.socket.sendall(piece)

    def send_no_more(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._read.close()
        self.socket.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def reply(self, method: str = "GET") -> Reply:
        """The next response, to a request with that method; Over if none comes."""
        line = self._read.readline()
        if not line:
            raise Over
        match = _STATUS_LINE.fullmatch(line)
        assert match, line
        status, headers = int(match[1]), self._headers()
        assert status == 100 or b"date" in headers, headers
        return Reply(status, headers, self._body(method, status, headers))

    def is_over(self) -> bool:
        """Whether the server sends no more; waits until it says so, or sends something."""
        return self._read.peek(1) == b""

    def _headers(self) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = {}
        while (line := self._read.readline()) != b"\r\n":
            match = _HEADER.fullmatch(line)
            assert match, line
            assert match[1] not in headers, line
            headers[match[1]] = match[2]
        return headers

    def _body(self, method: str, status: int, headers: Mapping[bytes, bytes]) -> bytes:
        length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
        assert length is None or coding is None
        if method == "HEAD" or status in {100, 204, 304}:
            assert coding is None
            return b""
        if length is not None:
            return self._exactly(int(length))
        if coding is None:
            assert headers.get(b"connection") == b"close", headers
            return self._read.read()
        assert coding == b"chunked"
        pieces = []
        while piece := self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    def piece(self) -> bytes:
        """The next chunk; empty at the end."""
        line = self._read.readline()
        if not line:
            raise Over
        match = _CHUNK.fullmatch(line)
        assert match, line
        piece = self._exactly(int(match[1], 16))
        assert self._exactly(2) == b"\r\n"
        return piece

    def _exactly(self, count: int) -> bytes:
        data = self._read.read(count)
        if len(data) < count:
            raise Over
        return data
