"""A world of a sandbox that runs elsewhere, for tests of several processes or machines that share it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import uuid4

from mock_server.decimal_json import NotJson, decode, encode
from mock_server.problems import ADMIN_KEY
from mock_server.trace import WORLD_HEADER, WORLD_PREFIX
from mock_server.webhooks import EVENTS, WITH_ID

_PATIENCE = 60
"""Seconds that a sandbox may take to respond."""


class AdminRefusal(Exception):
    """The sandbox refused what the admin API was asked for; the message says why."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        told = problem.get("detail") or problem.get("title")
        super().__init__(told or f"The response, a {status}, is not that of a sandbox.")


class SharedWorld:
    """A context manager for a world of its own on a sandbox that somebody else has started.

        with SharedWorld("http://sandbox.example.com:8080") as world:
            world.set_status("LD-1001", "Open")
            httpx2.get(f"{world.url}/api/p/v1.0/loads?loadNumber=LD-1001")

    Without a `name` it is a new one; the end of the block ends it. `key` is that of the admin API, if it has
    one, and `admin` the base URL of that, if it has another port.
    It has the members of a MockServer, by the admin API: requests and deliveries are the objects that this
    shows. Whatever the sandbox refuses is an AdminRefusal; OSError if it can't be reached.
    """

    def __init__(
        self, server: str, name: str | None = None, *, key: str | None = None, admin: str | None = None
    ) -> None:
        """`server` is the base URL of the sandbox."""
        self.name = name or uuid4().hex
        self.url = f"{server.rstrip('/')}{WORLD_PREFIX}{self.name}"
        """The base URL of this world."""
        self._admin = (admin or server).rstrip("/")
        self.headers = {WORLD_HEADER: self.name}
        """What names it to the server's own address."""
        self._key = {} if key is None else {ADMIN_KEY: key}

    def __enter__(self) -> Self:
        self.call("GET", "clock")  # makes it, or is refused where there are no worlds, or no more of them
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ask("DELETE", f"{self._admin}/_mock/worlds/{self.name}")
        except AdminRefusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:  # somebody ended it before
                raise

    def call(self, method: str, path: str, document: object = None) -> Any:
        """What the admin API of this world responds with, numbers as int or Decimal.

        world.call("GET", "requests?status=400")["items"]
        """
        return self._ask(method, f"{self._admin}{WORLD_PREFIX}{self.name}/_mock/{path}", document)

    def _ask(self, method: str, url: str, document: object = None) -> Any:
        headers = {"Content-Type": "application/json", **self._key}
        body = None if document is None else encode(document)
        request = Request(url, body, headers, method=method)  # noqa: S310 - where the test says that it is
        try:
            with urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310
                return decode(response.read())
        except HTTPError as error:
            with error:
                raise AdminRefusal(error.code, _problem_in(error.read())) from None
        except NotJson:
            raise AdminRefusal(response.status, {}) from None

    def reset(self) -> None:
        """Takes this world back to the start."""
        self.call("POST", "reset")

    def add_load(self, number: str, status: str = "Invoiced", **fields: object) -> dict[str, Any]:
        """Adds a load, in place of one with the same number; returns it as `load` does."""
        return self._load("PUT", number, {"Status": status, **fields})

    def load(self, number: str) -> dict[str, Any]:
        """The load as the API shows it."""
        return self._load("GET", number)

    def set_status(self, number: str, status: str) -> dict[str, Any]:
        """Moves a load to a status, whatever it was in."""
        return self._load("PATCH", number, {"Status": status})

    def _load(self, method: str, number: str, document: object = None) -> dict[str, Any]:
        load: dict[str, Any] = self.call(method, f"loads/{quote(number, safe='')}", document)
        return load

    def snapshot(self) -> str:
        """All loads and their payments, as JSON that `restore` and `--fixtures` take."""
        return encode(self.call("GET", "snapshot")).decode()

    def restore(self, snapshot: str) -> None:
        """Puts the loads of a snapshot in the place of all that there are."""
        self.call("PUT", "snapshot", decode(snapshot.encode()))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The latest requests, oldest first."""
        items: list[dict[str, Any]] = self.call("GET", "requests")["items"]
        return items

    def verify(self, **expected: object) -> None:
        """Asserts that as many requests came as expected, with the names and values of MockServer.verify."""
        renamed = {"at_least": "atLeast", "at_most": "atMost"}
        verification = self.call(
            "POST", "requests/verify", {renamed.get(name, name): value for name, value in expected.items()}
        )
        if not verification["passed"]:
            raise AssertionError(verification["text"])

    def fail_next(self, count: int = 1, operation: str = "recordCustomerPayment", **what: object) -> None:
        """Injects a fault into the next `count` requests of an operation."""
        self.call("POST", "faults", {"operation": operation, "next": count, **what})

    def add_webhook(
        self, url: str, secret: str | None = None, events: Sequence[str] = EVENTS, signed: str = WITH_ID
    ) -> str:
        """Registers a receiver of events and returns its secret."""
        wanted: dict[str, object] = {"url": url, "events": events, "signed": signed}
        if secret is not None:
            wanted["secret"] = secret
        return str(self.call("POST", "webhooks", wanted)["secret"])

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        """The events that were sent or wait, oldest first."""
        items: list[dict[str, Any]] = self.call("GET", "webhooks/deliveries")["items"]
        return items

    def fail_next_event(self, webhook: str, count: int = 1) -> None:
        """Injects a fault into the next `count` attempts to deliver an event."""
        self.call("POST", "faults", {"webhook": webhook, "next": count})

    def token(self, client: str | None = None) -> str:
        """An access token of a client, of the first if none is named; StopIteration if it is unknown."""
        settings = self.call("GET", "settings")
        owner = next(each for each in settings["clients"] if client in (None, each["id"]))
        terms = settings["tokens"]
        asked = {
            "client_id": owner["id"],
            "client_secret": owner["secret"],
            "audience": terms["audience"],
            "grant_type": "client_credentials",
        }
        return str(self._ask("POST", f"{self.url}{terms['path']}", asked)["access_token"])

    def move_clock(self, seconds: float) -> None:
        """Lets that many seconds pass at once."""
        self.call("PATCH", "clock", {"move": seconds})

    def freeze_clock(self, at: datetime) -> None:
        """Stops the clock at an instant, which must have a time zone, until the next reset."""
        self.call("PATCH", "clock", {"frozen": True, "at": at.isoformat()})


def _problem_in(body: bytes) -> Mapping[str, Any]:
    try:
        problem = decode(body)
    except NotJson:  # of a proxy in front of it
        return {}
    return problem if isinstance(problem, dict) else {}
