"""A throw-away server on loopback that keeps everything that reaches it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


@dataclass
class CountingServer:
    url: str
    received: list[Received]
    answer: Answer

    @property
    def writes(self) -> list[Received]:
        return [one for one in self.received if one.method != "GET"]


@contextmanager
def counting_server(answer: Answer = lambda _received: Reply()) -> Iterator[CountingServer]:
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
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = CountingServer(f"http://127.0.0.1:{server.server_port}", [], answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def recorded(one: Received, *, identity: str = "id-1") -> Reply:
    """The response of a correct service to a payment."""
    body = json.loads(one.body)
    payment = {name: body.get(name) for name in ("Amount", "ReferenceNumber")} | {"Id": identity}
    response = {"LoadNumber": body["LoadNumber"], "Status": "Invoiced", "CustomerPayments": [payment]}
    return Reply(body=json.dumps(response).encode())
