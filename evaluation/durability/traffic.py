"""Clients that pay until they are told to stop, and mocks as processes that can be killed and paused."""

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2

from evaluation.durability.history import Call, Seen, Shown, contradictions

ROOT = Path(__file__).parents[2]
PAYMENTS = "/api/p/v1.0/invoices/customer-payments"
LOADS = "/api/p/v1.0/loads"
NUMBERS = tuple(f"D-{number}" for number in range(1, 301))
"""The loads that are paid."""
_AT_ONCE = 3
"""So many of them are paid at a time."""
_PAYMENTS = 600
"""After so many payments it is the turn of the next ones: every response shows all payments of its load."""
_PATIENCE = 60
"""Seconds that a client waits for a response: longer than any mock should need."""


class Mock:
    """`alvys-mock` as a process on a state."""

    def __init__(self, state: str, fixtures: Path) -> None:
        self._command = [sys.executable, "-m", "mock_server", "--port", "0", "--quiet", "--no-admin"]
        self._command += ["--fixtures", str(fixtures), "--state", state]
        self.start()

    def start(self) -> None:
        """Starts it, on a port of its own, and waits until it serves."""
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout
        match = re.match(r"Serving on (\S+) ", self._process.stdout.readline())
        if match is None:
            raise RuntimeError("the mock did not start")
        self.url = match[1]

    def kill(self) -> None:
        """Ends it at once: it can't say anything more."""
        self._process.kill()
        self._process.communicate()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops it where it is."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def write_fixtures(folder: Path) -> Path:
    """The loads that are paid; nothing is billed on them, so that they are never paid in full."""
    loads = [json.dumps({"LoadNumber": number, "Status": "Invoiced"}) for number in NUMBERS]
    file = folder / "loads.jsonl"
    file.write_text("\n".join(loads), "utf-8")
    return file


class Traffic:
    """Clients that pay loads, some references again and again, and what they saw."""

    def __init__(self, mocks: Sequence[Mock], clients: int, seed: int) -> None:
        self._mocks = mocks
        self.calls: defaultdict[str, list[Call]] = defaultdict(list)
        self.surprises: list[str] = []
        """Responses that are neither a success nor a 503, a line each."""
        self.acknowledged = 0
        """How many payments have a response."""
        self.refused = 0
        """How many requests got a 503."""
        self._counts = threading.Lock()
        self._goes_on = True
        self._threads = [threading.Thread(target=self._pay, args=(seed, number)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets the clients end what they are at."""
        self._goes_on = False
        for thread in self._threads:
            thread.join()

    def _paid_now(self) -> Sequence[str]:
        first = self.acknowledged // _PAYMENTS * _AT_ONCE
        return NUMBERS[first : first + _AT_ONCE] or NUMBERS[-_AT_ONCE:]

    def _pay(self, seed: int, number: int) -> None:
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - nothing secret
        with httpx2.Client(timeout=_PATIENCE) as client:
            turn = 0
            while self._goes_on:
                turn += 1
                # A third of the references are sent by all clients, the others by this one alone.
                reference = f"all-{turn}" if chance.random() < 1 / 3 else f"{number}-{turn}"
                load = chance.choice(self._paid_now())
                while self._goes_on and not self._call(client, chance.choice(self._mocks), load, reference):
                    time.sleep(0.05)  # as a client does that tries again

    def _call(self, client: httpx2.Client, mock: Mock, load: str, reference: str | None) -> bool:
        """Pays, or reads without a reference; whether there was a response that says what is there."""
        began, seen = time.monotonic(), None
        try:
            if reference is None:
                response = client.get(mock.url + LOADS, params={"loadNumber": load})
            else:
                response = client.post(mock.url + PAYMENTS, json=_payment(load, reference))
        except httpx2.ReadTimeout:
            self.surprises.append("a mock did not respond at all")
        except httpx2.TransportError:  # it was killed
            pass
        else:
            if response.status_code == httpx2.codes.OK:
                seen = Seen.of(_shown(json.loads(response.text, parse_float=Decimal)))
                if reference is not None:
                    with self._counts:
                        self.acknowledged += 1
            elif response.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
                with self._counts:
                    self.refused += 1
            else:
                self.surprises.append(f"{response.status_code}: {response.text}")
        self.calls[load].append(Call(began, time.monotonic(), reference, seen))
        return seen is not None

    def check(self) -> list[str]:
        """What can't be, a line each, after a last look at every load through every mock."""
        found = list(self.surprises)
        with httpx2.Client(timeout=_PATIENCE) as client:
            for load in list(self.calls):
                unread = [mock for mock in self._mocks if not self._call(client, mock, load, None)]
                found += [f"{load} can't be read in the end from {mock.url}" for mock in unread]
                response = client.get(self._mocks[0].url + LOADS, params={"loadNumber": load})
                document = json.loads(response.text, parse_float=Decimal)
                paid = Decimal(document["totalPaid"]["Amount"]) if document["totalPaid"] else Decimal(0)
                wrong = contradictions(self.calls[load], _shown(document), paid)
                found += [f"{load}: {each}" for each in wrong]
        return found


def _payment(load: str, reference: str) -> dict[str, Any]:
    return {
        "LoadNumber": load,
        "Amount": {"Amount": 0.01, "Currency": 840},
        "PaymentDate": "2026-07-01T15:30:00Z",
        "ReferenceNumber": reference,
    }


def _shown(document: dict[str, Any]) -> list[Shown]:
    """The payments in a response: that of a payment, or that of a read."""
    return [
        Shown(each["ReferenceNumber"], each["Id"], Decimal(each["Amount"]["Amount"]))
        for each in document["CustomerPayments" if "CustomerPayments" in document else "payments"]
    ]
