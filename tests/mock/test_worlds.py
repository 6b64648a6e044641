"""Worlds: each has a state of its own, and nothing leaks from one to another."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mock_server.domain import LoadNotFound
from mock_server.opening import opening_loads
from mock_server.problems import InvalidRequest, SwitchedOff, TooManyWorlds, UnknownWorld
from mock_server.sandbox import Sandbox, Settings, served_spec
from mock_server.shipped import FIXTURES, SPEC
from mock_server.testing import MockServer, MockWorld
from mock_server.worlds import SILENCE, Worlds

pytest_plugins = ["pytester"]

ALONE = ("-p", "xdist", "-p", "mock_server.pytest_plugin")
STRICT = Settings(worlds=4, require_token=True, rate_limit="3/minute")


def get(mock: MockServer, path: str = "/api/p/v1.0/loads?loadNumber=LD-1001", **more: Any) -> httpx2.Response:
    return httpx2.get(f"{mock.url}{path}", **more)


def pay(mock: MockServer, reference: str, amount: str = "1", headers: dict[str, str] | None = None) -> int:
    body = {
        "LoadNumber": "LD-1001",
        "Amount": {"Amount": float(amount), "Currency": 840},
        "ReferenceNumber": reference,
        "PaymentDate": "2026-01-01T00:00:00Z",
    }
    path = next(
        each["path"] for each in mock.admin_settings["operations"] if each["id"] == "recordCustomerPayment"
    )
    return httpx2.post(f"{mock.url}{path}", json=body, headers=headers).status_code
