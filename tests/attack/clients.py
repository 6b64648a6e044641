"""What hostile clients send: requests by a grammar, whole ones, broken ones and half ones, from one seed."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import NamedTuple

from tests.mock.api import LOADS, PAYMENTS, SEARCH, payment_of
from tests.mock.wire import Reply

PAYABLE = [f"OPEN-{number}" for number in range(40)]
CLOSED = "PAID-1"
VICTIM = "VICTIM-1"
"""The load of requests of which nobody knows any more what they say."""
LIMIT = 64 * 1024
"""Longest body that the mock takes in these tests, in bytes."""
DOCUMENTED = frozenset({200, 400, 404, 405, 408, 413, 415, 431})

_JSON = "application/json"
_BAD_MONEY = (
    "0",
    "-1",
    "-0.0",
    "0e5",
    "1e999",
    "-1e999",
    '"12"',
    "null",
    "true",
    "[]",
    "{}",
    '"NaN"',
    "0.0e-400",
)
_ODD_MONEY = ("0.1", "1e2", "1E-7", "123456789012345678901234567890.123456789", "1e-300", "100.000", "7e22")
_BAD_JSON: Sequence[Callable[[bytes], bytes]] = (
    lambda body: body[:-1],
    lambda body: body + b",",
    lambda body: body.replace(b'"', b"'"),
    lambda body: body.replace(b"{", b'{"Note":1,"Note":2,', 1),
    lambda body: body.decode().encode("utf-16"),
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body.replace(b"2026", b"\xff\xfe", 1),
    lambda body: body.replace(b'"2026', b'"\\ud800', 1),
    lambda body: b"[" * 5000 + body,
    lambda _: b"NaN",
    lambda _: b"",
)  # fmt: skip
_METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "SEARCH")
_PATHS = ("/", "//", "/%", "/%zz", "/%00", "/a/../b", "/" + "a" * 5000, "/{0}", "*", "http://x")
_JUNK = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    bytes.fromhex("1603010200010001fc0303"),
)


class Sent(NamedTuple):
    """One request as sent, and what its response must be."""

    data: bytes
    method: str
    statuses: frozenset[int]
    mark: bytes = b""
    """What the body of the response contains, and that of no other."""
    payment: tuple[str, str, Decimal] | None = None
    """The load, the reference and the amount that a 200 says are recorded."""
    is_last: bool = False
    """Whether the client asks to close afterwards."""

    def fits(self, reply: Reply) -> bool:
        """Whether the response may be the one to this request."""
        return reply.status in self.statuses and (self.method == "HEAD" or self.mark in reply.body)


class Grammar:
    """Makes requests. The same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - chance, not secrets
        self._count = 0

    def mark(self) -> str:
        self._count += 1
        return f"M{self._count}Z"

    def request(self) -> Sent:
        """A request that is HTTP, whatever else it is."""
        kinds = (self._payment, self._replay, self._refused, self._unknown, self._other, self._read)
        return self.random.choices(kinds, (8, 4, 6, 4, 3, 3))[0]()

    def junk(self) -> bytes:
        """What is no request, and refused with 400."""
        choice = self.random.random()
        if choice < 0.8:
            return self.random.choice(_JUNK)
        return b"\0" + self.random.randbytes(self.random.randrange(1, 2000)) + b"\r\n\r\n"

    def long_head(self) -> bytes:
        """What is refused with 431."""
        size = self.random.randrange(90_000, 150_000)
        begin = self.random.choice([b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"GET / HTTP/1.1\r\nA"])
        return begin + b"a" * size

    def mutated(self) -> bytes:
        """Requests about VICTIM in which some bytes are others, more or fewer."""
        data = bytearray()
        for _ in range(self.random.randrange(1, 4)):
            data += self._post(self._body(VICTIM, self.mark(), "1")).replace(b"\r\n", b"\r\n", 1)
        for _ in range(self.random.randrange(1, 6)):
            at = self.random.randrange(len(data))
            data[at : at + self.random.randrange(3)] = self.random.choice(
                [b"", self.random.randbytes(1), b"\r\n", b"\0", b" ", b":", b"0", b"%", data[at : at + 20]]
            )
        return bytes(data)

    def half(self) -> bytes:
        """The beginning of a payment on VICTIM."""
        data = self._post(self._body(VICTIM, self.mark(), "1"))
        return data[: self.random.randrange(1, len(data))]

    def pieces(self, data: bytes) -> list[bytes]:
        """The same bytes in a few packets, which may end anywhere."""
        cuts = sorted(
            self.random.randrange(len(data) + 1) for _ in range(self.random.choice((0, 0, 1, 2, 5)))
        )
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def _payment(self, reference: str | None = None) -> Sent:
        load, reference = self.random.choice(PAYABLE), reference or self.mark()
        money = self.random.choice(_ODD_MONEY) if self.random.random() < 0.3 else "0.01"
        data, is_last = self._sent(self._body(load, reference, money))
        mark = f'"ReferenceNumber":"{reference}"'.encode()
        return Sent(data, "POST", frozenset({200}), mark, (load, reference, Decimal(money)), is_last)

    def _replay(self) -> Sent:
        return self._payment(f"AGAIN-{self.random.randrange(5)}")

    def _refused(self) -> Sent:
        body, load = b"", self.random.choice(PAYABLE)
        statuses, media_type = {400}, _JSON
        match self.random.randrange(6):
            case 0:
                body = self._body(CLOSED, self.mark(), "1")
            case 1:
                body = self._body(load, self.mark(), self.random.choice(_BAD_MONEY))
            case 2:
                body = self.random.choice(_BAD_JSON)(self._body(load, self.mark(), "1"))
            case 3:
                body = self._body(load, self.random.choice(["", " ", "\\t"]), "1")
            case 4:
                statuses, media_type = (
                    {415},
                    self.random.choice(["text/plain", "a", "application/json; charset=x"]),
                )
                body = self._body(load, self.mark(), "1")
            case _:
                statuses, body = {413}, b" " * self.random.randrange(LIMIT + 1, 3 * LIMIT)
        data, is_last = self._sent(body, media_type)
        return Sent(data, "POST", frozenset(statuses), is_last=is_last)

    def _unknown(self) -> Sent:
        number = self.mark()
        data, is_last = self._sent(self._body(number, "R", "1"))
        return Sent(data, "POST", frozenset({404}), f"number {number}.".encode(), is_last=is_last)

    def _other(self) -> Sent:
        method, path = self.random.choice(_METHODS), self.random.choice([*_PATHS, PAYMENTS, SEARCH])
        mark = b"" if path in _PATHS else f"{method} is not allowed".encode()
        statuses = frozenset({404 if path in _PATHS else 405})
        head = [f"{method} {path} HTTP/1.1", "Host: x", *self._noise()]
        return Sent("\r\n".join([*head, "", ""]).encode(), method, statuses, mark)

    def _read(self) -> Sent:
        if self.random.random() < 0.5:
            load = self.random.choice(PAYABLE)
            data = f"GET {LOADS}?loadNumber={load} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            return Sent(data, "GET", frozenset({200}), f'"LoadNumber":"{load}"'.encode())
        load = self.random.choice(PAYABLE)
        data, is_last = self._sent(json.dumps({"LoadNumbers": [load]}).encode(), path=SEARCH)
        return Sent(data, "POST", frozenset({200}), f'"LoadNumber":"{load}"'.encode(), is_last=is_last)

    def _body(self, load: str, reference: str, money: str) -> bytes:
        body = json.dumps(payment_of(load, "REFERENCE", "MONEY")).replace('"MONEY"', money)
        return body.replace("REFERENCE", reference).encode()

    def _sent(self, body: bytes, media_type: str = _JSON, path: str = PAYMENTS) -> tuple[bytes, bool]:
        """A POST in one of its forms, and whether it is the last of its connection."""
        is_last = self.random.random() < 0.03
        more = ["Connection: close"] if is_last else []
        return self._post(body, media_type, path, *more, *self._noise()), is_last

    def _post(self, body: bytes, media_type: str = _JSON, path: str = PAYMENTS, *headers: str) -> bytes:
        is_chunked = self.random.random() < 0.3
        length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
        form = self.random.choice(["{}", "{}", "http://x{}", "{}?a=b"])
        head = [
            f"POST {form.format(path)} HTTP/1.1",
            "Host: x",
            f"Content-Type: {media_type}",
            length,
            *headers,
        ]
        return "\r\n".join([*head, "", ""]).encode() + (self._chunks(body) if is_chunked else body)

    def _chunks(self, body: bytes) -> bytes:
        data = b""
        while body:
            size = self.random.choice([1, 7, 100, 30_000])
            extension = self.random.choice([b"", b"", b";a=b"])
            data += b"%x%b\r\n%b\r\n" % (len(body[:size]), extension, body[:size])
            body = body[size:]
        return data + self.random.choice([b"0\r\n\r\n", b"0\r\nAuthorization: x\r\nHost: y\r\n\r\n"])

    def _noise(self) -> list[str]:
        return self.random.sample(
            [
                "Expect: 100-continue",
                "Connection: Upgrade\r\nUpgrade: h2c",
                "Cookie: " + "a" * 5000,
                "Accept: */*",
                "X: \xe9",
                "\r\n".join(f"A{number}: b" for number in range(50)),
                "Origin: null",
            ],
            self.random.choice((0, 0, 0, 1, 2)),
        )
