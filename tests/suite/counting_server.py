"""A throw-away server on loopback that keeps everything that reaches it, and a small book of loads."""

import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAYMENTS = "/api/p/v1.0/invoices/customer-payments"
LOADS = "/api/p/v1.0/loads"
SEARCH = "/api/p/v1.0/loads/search"


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


LOST = Reply(status=0)
"""The connection is closed without a response."""

Answer = Callable[[Received], Reply]


class Books:
    """Loads that come into being when they are named, and the payments on them.

    `pay` answers writes on the payments path; it is `record`, a correct service, until a test replaces it.
    In the shape of July 2026 nothing shows a reference. `forgets` books a replay again.
    """

    def __init__(self, *, july_2026: bool = False, forgets: bool = False) -> None:
        self.july_2026 = july_2026
        self.forgets = forgets
        self.hidden: set[str] = set()
        """The ids of payments that reads leave out of the list, though not of the total."""
        self.converted = 0.0
        """What a conversion from another currency adds to every total."""
        self.loads: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.pay: Answer = self.record
        self._lock = threading.Lock()

    def __call__(self, one: Received) -> Reply:
        if "customer-payments" in one.path.lower():
            return self.pay(one)
        return self.show(one)

    @property
    def booked(self) -> list[dict[str, Any]]:
        return [payment for payments in self.loads.values() for payment in payments]

    def record(self, one: Received) -> Reply:
        load, payment = self.book(one)
        if self.july_2026:
            fields: dict[str, Any] = {"Id": payment["Id"], "TotalPaid": self._total(load)}
        else:
            fields = {"CustomerPayments": self.loads[load]}
        return as_json({"LoadNumber": load, "Status": "Invoiced", **fields})

    def book(self, one: Received) -> tuple[str, dict[str, Any]]:
        """Books a payment unless its reference was booked; whatever is told of it is the caller's."""
        body = json.loads(one.body)
        load, reference = body["LoadNumber"], body.get("ReferenceNumber")
        with self._lock:
            known = [each for each in self.loads[load] if each["ReferenceNumber"] == reference]
            if known and not self.forgets:
                return load, known[0]
            return load, self.add(load, reference, body["Amount"]["Amount"])

    def add(self, load: str, reference: str | None, amount: float) -> dict[str, Any]:
        """A payment that anybody made."""
        payment = {
            "Id": f"id-{len(self.booked) + 1}",
            "Amount": {"Amount": amount, "Currency": 840},
            "ReferenceNumber": reference,
        }
        self.loads[load].append(payment)
        return payment

    def show(self, one: Received) -> Reply:
        if one.method == "POST":
            return as_json({"Items": [self._load(load) for load in json.loads(one.body)["LoadNumbers"]]})
        [load] = parse_qs(urlsplit(one.path).query).get("loadNumber", ["LD-1"])
        return as_json(self._load(load))

    def _load(self, load: str) -> dict[str, Any]:
        shown = [payment for payment in self.loads[load] if payment["Id"] not in self.hidden]
        if self.july_2026:
            shown = [
                {"Id": each["Id"], "Amount": each["Amount"]["Amount"], "PaidAt": "2026-07-01"}
                for each in shown
            ]
        return {
            "LoadNumber": load,
            "Status": "Invoiced",
            "Payments": shown,
            "TotalPaid": {"Amount": self._total(load), "Currency": 840},
        }

    def _total(self, load: str) -> float:
        total: float = sum(payment["Amount"]["Amount"] for payment in self.loads[load])
        return round(total + self.converted, 4)


def as_json(tree: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(tree).encode())


@dataclass
class CountingServer:
    url: str
    received: list[Received]
    answer: Answer

    @property
    def writes(self) -> list[Received]:
        return [one for one in self.received if one.method != "GET"]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that fails, or a client that leaves, is what some tests are about."""


@contextmanager
def counting_server(
    answer: Answer = lambda _received: Reply(), tls: ssl.SSLContext | None = None
) -> Iterator[CountingServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the second would wait 40 ms for an acknowledgement

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(self.command, self.path, headers, body)
            with lock:
                state.received.append(one)
            reply = state.answer(one)
            if reply is LOST:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def log_message(self, *_arguments: object) -> None:
            pass

    lock = threading.Lock()
    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # The handshake is the handler's: one that fails must not end the thread that accepts.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if tls is None else "https"
    state = CountingServer(f"{scheme}://127.0.0.1:{server.server_port}", [], answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
