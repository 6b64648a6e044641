"""Measures what each shortcut of the mock saves: payments with it and without it, in turns.

python -m benchmarks.shortcuts

A shortcut is code that is there for its speed alone. One that saves less than 5 % of a payment's CPU time is
removed. Each is switched off inside a server process of its own.
"""

import json
import statistics
from collections.abc import Callable, Mapping

import click

from benchmarks.__main__ import free_port, micros_per_request, payment, post, serving
from mock_server import decimal_json, policy, responses
from mock_server.cli import main as serve_mock


def _read_json_carefully() -> None:
    def decode(body: bytes) -> object:
        try:
            return decimal_json._decode_carefully(body, decimal_json._object)  # noqa: SLF001
        except json.JSONDecodeError as error:
            raise decimal_json.NotJson(str(error)) from error

    vars(policy)["decode"] = decode


def _write_all_payments_again() -> None:
    vars(responses)["PaymentsWriter"] = lambda write: (
        lambda load: [write(payment) for payment in load.payments.values()]
    )


WITHOUT: Mapping[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "counted colons": _read_json_carefully,
    "kept payments": _write_all_payments_again,
}
"""How each shortcut is switched off."""

CASES = (
    ("counted colons", 1),
    ("kept payments", 1),
    ("kept payments", 10),
    ("kept payments", 2000),
)
"""A shortcut, and how many payments the load has."""


def compare(shortcut: str, count: int, rounds: int, seconds: int) -> None:
    """Measures replayed payments with and without a shortcut, and prints what it saves, pair by pair."""
    bodies = [payment("LD-1004", f"BENCH-{number}") for number in range(count)]
    ports = [free_port(), free_port()]
    commands = [
        ("--without", name, "--port", str(port))
        for name, port in zip(("nothing", shortcut), ports, strict=True)
    ]
    with (
        serving("benchmarks.shortcuts", ports[0], *commands[0]) as ours,
        serving("benchmarks.shortcuts", ports[1], *commands[1]) as without,
    ):
        for served in (ours, without):
            post(served.url, *bodies)
        pairs = [
            (
                micros_per_request(ours, bodies[0], 16, seconds),
                micros_per_request(without, bodies[0], 16, seconds),
            )
            for _ in range(rounds)
        ]
    saved = sorted(1 - with_it / without_it for with_it, without_it in pairs)
    cost, dearer = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"{shortcut:16}{count:5} payments on the load: {cost:7.1f} instead of {dearer:7.1f} us CPU, saves "
        f"{statistics.median(saved):.0%} ({saved[0]:.0%} to {saved[-1]:.0%})",
        flush=True,
    )


@click.command()
@click.option("--rounds", default=9, show_default=True, help="How often each pair is measured.")
@click.option("--seconds", default=1, show_default=True, help="How long each measurement takes.")
@click.option("--without", type=click.Choice(list(WITHOUT)), hidden=True, help="Serve without a shortcut.")
@click.option("--port", hidden=True, help="Where to serve.")
def main(*, rounds: int, seconds: int, without: str | None, port: str | None) -> None:
    """Measure what each shortcut saves of a payment's CPU time."""
    if without is None:
        for shortcut, count in CASES:
            compare(shortcut, count, rounds, seconds)
        return
    WITHOUT[without]()
    serve_mock(["--quiet", "--port", str(port)])


if __name__ == "__main__":
    main()
