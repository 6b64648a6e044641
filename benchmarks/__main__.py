"""Measures the mock beside a bare ASGI function under uvicorn.

Machines are noisy, so both are measured in turns and the ratio is what counts. CPU time and memory
are the operating system's own figures for the server process.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click
import httpx2
import psutil
from sqlalchemy import make_url

from benchmarks.floor import seconds_per_payment
from benchmarks.load import responses_to
from evaluation.durability.database import PostgreSQL
from mock_server.testing import MockServer

PAYMENTS = "/api/p/v1.0/invoices/customer-payments"
SEARCH = "/api/p/v2.0/loads/search"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def payment(load_number: str, reference: str) -> bytes:
    """The body of a payment of 0.01."""
    return json.dumps(
        {
            "LoadNumber": load_number,
            "Amount": {"Amount": 0.01, "Currency": 840},
            "PaymentDate": "2026-07-01T15:30:00Z",
            "ReferenceNumber": reference,
            "InvoiceNumber": "INV-1001",
            "PaymentMethod": "ACH",
            "CheckNumber": None,
            "Note": "A payment as long as they usually are",
        }
    ).encode()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Served:
    """A running server, and how long it took until its first response."""

    def __init__(self, process: psutil.Popen, url: str, first_response: float) -> None:
        self.process = process
        self.url = url
        self.first_response = first_response

    def cpu(self) -> float:
        """Seconds of CPU spent so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Resident memory in MiB."""
        return float(self.process.memory_info().rss) / 2**20


def _responds(port: int) -> bool:
    # Not by an HTTP client: to make one takes longer than to start the server.
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.recv(12).startswith(b"HTTP/1.1")
    except ConnectionError:
        return False


@contextmanager
def serving(module: str, port: int, *arguments: str) -> Iterator[Served]:
    """Starts a server, waits for its first response, and ends it."""
    url = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL)
    try:
        while not _responds(port):
            if process.poll() is not None:
                raise RuntimeError(f"{module} ended at once")
        yield Served(process, url, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()


OFF = ("--no-admin", "--journal", "0")
"""Switches off what is on by default."""


@contextmanager
def mock(*arguments: str) -> Iterator[Served]:
    """The mock, without its line for each call."""
    port = free_port()
    with serving("mock_server", port, "--quiet", "--port", str(port), *arguments) as served:
        yield served


@contextmanager
def bare(response: bytes) -> Iterator[Served]:
    """A bare ASGI function that responds with these bytes."""
    port = free_port()
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(response)
        with serving("benchmarks.bare", port, str(port), file.name) as served:
            yield served


def micros_per_request(served: Served, body: bytes, connections: int, seconds: int, token: str = "") -> float:
    """CPU time that the server spends per payment, in microseconds."""
    headers = {**JSON_PATCH, **({"Authorization": f"Bearer {token}"} if token else {})}
    request = httpx2.Request("POST", served.url + PAYMENTS, headers=headers, content=body)
    before = served.cpu()
    responses = responses_to(request, connections, seconds)
    return (served.cpu() - before) / responses * 1e6


def compare(what: str, ours: Served, theirs: Served, *, bodies: tuple[bytes, bytes], **load: int) -> None:
    """Measures two servers in turns, and prints both and the ratio, pair by pair."""
    rounds = load.pop("rounds")
    pairs = [
        (
            micros_per_request(ours, bodies[0], load["connections"], load["seconds"]),
            micros_per_request(theirs, bodies[1], load["connections"], load["seconds"]),
        )
        for _ in range(rounds)
    ]
    our_cost, their_cost = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    print(
        f"{what:58} {our_cost:7.1f} : {their_cost:7.1f} us CPU, ratio {statistics.median(ratios):.2f}"
        f" ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        flush=True,
    )


def switched_on(rounds: int, seconds: int) -> None:
    """Measures what each switch costs in payments per CPU second, in turns with everything off."""
    body = payment("LD-1001", "BENCH-1")
    with ExitStack() as stack:
        off = stack.enter_context(mock(*OFF))
        for what, options in (
            ("admin API", ("--journal", "0")),
            ("admin API and journal, the default", ()),
            ("tokens, admin API and journal", ("--require-token",)),
        ):
            served = stack.enter_context(mock(*options))
            token = token_of(served.url)
            post(off.url, body)
            pairs = [
                (
                    micros_per_request(off, body, 16, seconds),
                    micros_per_request(served, body, 16, seconds, token),
                )
                for _ in range(rounds)
            ]
            shares = sorted(before / after for before, after in pairs)
            cost = statistics.median(after for _, after in pairs)
            print(
                f"{what + ': payments per CPU s':58} {statistics.median(shares):7.0%}"
                f" of off ({shares[0]:.0%} to {shares[-1]:.0%}), {cost:.1f} us CPU,"
                f" {served.memory():.1f} MiB",
                flush=True,
            )


def token_of(url: str) -> str:
    """An access token of the client that the mock has by default."""
    asked = {
        "client_id": "sandbox",
        "client_secret": "sandbox-secret",
        "audience": "https://api.alvys.com/public/",
        "grant_type": "client_credentials",
    }
    return str(httpx2.post(f"{url}/oauth/token", json=asked).json()["access_token"])


def in_tests(rounds: int) -> None:
    """Measures what the fixture `alvys_mock` costs once, and for each test."""
    started = time.perf_counter()
    with MockServer() as server:
        once = time.perf_counter() - started
        resets = []
        for number in range(rounds * 20):
            post(server.url, payment("LD-1001", f"R-{number}"))
            started = time.perf_counter()
            server.reset()
            resets.append(time.perf_counter() - started)
    print(f"{'alvys_mock: once':58} {once:7.2f} s", flush=True)
    print(
        f"{'alvys_mock: reset before a test, median':58} {statistics.median(resets) * 1000:7.2f} ms",
        flush=True,
    )


def journalled(count: int) -> None:
    """Measures the memory of a mock after requests of 100 kB, of which it keeps what it has room for."""
    body = payment("LD-1001", "BENCH-1")[:-1] + b" " * 100_000 + b"}"
    with mock("--journal", str(count)) as served, httpx2.Client() as client:
        for _ in range(count):
            client.post(served.url + PAYMENTS, content=body, headers=JSON_PATCH)
        print(f"{f'journal on, after {count} requests of 100 kB':58} {served.memory():7.1f} MiB", flush=True)


def post(url: str, *bodies: bytes) -> bytes:
    """Posts payments; the bytes of the last response."""
    with httpx2.Client(base_url=url, headers=JSON_PATCH) as client:  # one: to make it takes longest
        for body in bodies:
            response = client.post(PAYMENTS, content=body).raise_for_status()
    return response.content


STATUSES = ("Dispatched", "Completed", "Financed", "Invoiced")


def many_loads(path: Path, count: int) -> None:
    """Writes that many loads as JSON Lines; of each status a quarter, of each customer a thousand."""
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            status, customer = STATUSES[n % len(STATUSES)], f"CUS-{n % max(count // 1000, 1)}"
            load = {"LoadNumber": f"B-{n}", "OrderNumber": f"O-{n}", "Status": status, "CustomerId": customer}
            file.write(f"{json.dumps(load)}\n")


def growing(folder: Path, count: int) -> None:
    """Measures new payments on a load that has many, with a response that shows them all, and one without."""
    file = folder / "grown.jsonl"
    payments = [json.loads(payment("", f"OLD-{n}")) for n in range(count)]
    for each in payments:
        del each["LoadNumber"]
    file.write_text(json.dumps({"LoadNumber": "B-0", "Status": "Invoiced", "payments": payments}))
    for revision, times in (("page", 50), ("2026-07", 2000)):
        with mock(*OFF, "--revision", revision, "--fixtures", str(file)) as served:
            post(served.url, payment("B-0", "NEW"))
            before = served.cpu()
            response = post(served.url, *(payment("B-0", f"NEW-{n}") for n in range(times)))
            cost = (served.cpu() - before) / times * 1000
        what = f"a new payment on a load with {count:,}, {revision} ({len(response) // 1000} kB)"
        print(f"{what:58} {cost:7.2f} ms CPU", flush=True)


def searched(folder: Path, count: int) -> None:
    """Measures the start with many loads, and searches among them."""
    file = folder / "searched.jsonl"
    many_loads(file, count)
    with mock(*OFF, "--fixtures", str(file)) as served:
        print(
            f"{f'{count:,} loads: start':58} {served.cpu():7.2f} s CPU, {served.memory():.0f} MiB", flush=True
        )
        _search(served, count, "")
    with closing(PostgreSQL()) as server, server.database() as state:
        with mock(*OFF, "--fixtures", str(file), "--state", state):
            pass  # the first start adds the loads
        server.do("VACUUM ANALYZE", database=str(make_url(state).database))
        with mock(*OFF, "--state", state) as served:
            what = f"{count:,} loads in PostgreSQL: start"
            print(f"{what:58} {served.first_response:7.2f} s, {served.memory():.0f} MiB", flush=True)
            _search(served, count, " in PostgreSQL")


def _search(served: Served, count: int, where: str) -> None:
    with httpx2.Client(base_url=served.url) as client:
        for what, wanted in (
            ("status", {"Status": ["Invoiced"]}),
            ("number", {"LoadNumbers": [f"B-{count // 2}"]}),
            ("order number", {"OrderNumbers": [f"O-{count // 2}"]}),
            ("customer", {"CustomerId": "CUS-7"}),
            ("customer and status", {"CustomerId": "CUS-7", "Status": ["Invoiced"]}),
        ):
            before, took = served.cpu(), []
            for _ in range(50):
                started = time.perf_counter()
                total = client.post(SEARCH, json=wanted).raise_for_status().json()["Total"]
                took.append((time.perf_counter() - started) * 1000)
            cost = (served.cpu() - before) / len(took) * 1000
            print(
                f"{f'{count:,} loads{where}: search by {what}':58} {cost:7.2f} ms CPU,"
                f" {statistics.median(took):.2f} ms in all, {total} hits",
                flush=True,
            )


def kept(rounds: int, count: int) -> None:
    """Measures new payments in a database: the mock, and the same transactions by the bare driver.

    Beside the CPU of the mock, that of the database; SQLite is in the mock.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(closing(PostgreSQL()))
        many_loads(folder / "loads.jsonl", 4 * count)
        leader = psutil.Process(server.server.get_pid())
        for name, state, database in (
            ("memory", "memory", []),
            ("SQLite", f"sqlite:///{folder / 'state.db'}", []),
            ("PostgreSQL", stack.enter_context(server.database()), [leader]),
        ):
            fixtures = ("--fixtures", str(folder / "loads.jsonl"))
            served = stack.enter_context(mock(*OFF, *fixtures, "--state", state))
            costs = []
            for turn in range(rounds + 1):  # the first makes it warm
                # Those of `many_loads` that take payments: every fourth.
                bodies = [payment(f"B-{4 * n + 3}", f"R-{turn}") for n in range(count)]
                before = served.cpu(), _family_cpu(database)
                _post_at_once(served.url, bodies)
                ours, its = served.cpu() - before[0], _family_cpu(database) - before[1]
                floor, its_floor = 0.0, 0.0
                if name != "memory":
                    before = 0.0, _family_cpu(database)
                    floor = seconds_per_payment(state, "B-0", 1, count, 1_000_000 * (turn + 1)) * count
                    its_floor = _family_cpu(database) - before[1]
                costs.append((ours, its, floor, its_floor))
            ours, its, floor, its_floor = (
                statistics.median(side) / count * 1e6 for side in zip(*costs[1:], strict=True)
            )
            print(f"{f'a new payment, {name}':58} {ours:7.0f} us CPU", end="")
            if floor:
                print(f", bare driver {floor:.0f}, ratio {floor / ours:.2f}", end="")
            if its:
                both = (floor + its_floor) / (ours + its)
                print(f"; database {its:.0f} and {its_floor:.0f}, ratio with it {both:.2f}", end="")
            print(flush=True)


def _family_cpu(leaders: list[psutil.Process]) -> float:
    """CPU seconds of the processes and their children, also of those that have ended."""
    own = [leader.cpu_times() for leader in leaders]
    times = [child.cpu_times() for leader in leaders for child in leader.children()]
    ended = sum(each.children_user + each.children_system for each in own)
    return float(ended + sum(each.user + each.system for each in (*own, *times)))


def _post_at_once(url: str, bodies: list[bytes], connections: int = 16) -> None:
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda some: post(url, *some), [bodies[i::connections] for i in range(connections)]))


@click.command()
@click.option("--rounds", default=7, show_default=True, help="How often each pair is measured.")
@click.option("--seconds", default=2, show_default=True, help="How long each measurement takes.")
def main(*, rounds: int, seconds: int) -> None:
    """Measure the mock beside a bare ASGI function."""
    usual = payment("LD-1001", "BENCH-1")
    with ExitStack() as stack:
        ours = stack.enter_context(mock(*OFF))
        print(f"{'start to first response':58} {ours.first_response:7.2f} s", flush=True)
        print(f"{'resident memory, idle':58} {ours.memory():7.1f} MiB", flush=True)
        theirs = stack.enter_context(bare(post(ours.url, usual)))
        for connections in (16, 64):
            what = f"a replayed payment, {connections} connections: mock : bare"
            load = {"connections": connections, "seconds": seconds, "rounds": rounds}
            compare(what, ours, theirs, bodies=(usual, usual), **load)
        usually = stack.enter_context(mock())
        post(usually.url, usual)
        load = {"connections": 16, "seconds": seconds, "rounds": rounds}
        what = "the same with admin API and journal, the default"
        compare(what, usually, theirs, bodies=(usual, usual), **load)

        response = post(ours.url, *(payment("LD-1004", f"MANY-{number}") for number in range(2_000)))
        many = payment("LD-1004", "MANY-0")
        theirs = stack.enter_context(bare(response))
        what = f"on a load with 2,000 payments ({len(response) // 1000} kB): mock : bare"
        compare(what, ours, theirs, bodies=(many, many), **load)

        with tempfile.TemporaryDirectory() as folder:
            few, lots = Path(folder) / "few.jsonl", Path(folder) / "lots.jsonl"
            many_loads(few, 10)
            many_loads(lots, 100_000)
            small, large = (stack.enter_context(mock(*OFF, "--fixtures", str(file))) for file in (few, lots))
            print(f"{'100,000 loads: start to first response':58} {large.first_response:7.2f} s", flush=True)
            body = payment("B-7", "BENCH-1")
            what = "a replayed payment: 100,000 loads : 10 loads"
            compare(what, large, small, bodies=(body, body), **load)
    with tempfile.TemporaryDirectory() as folder:
        growing(Path(folder), 50_000)
        searched(Path(folder), 1_000_000)
    kept(rounds, 500)
    switched_on(rounds, seconds)
    in_tests(rounds)
    journalled(10_000)


if __name__ == "__main__":
    main()
