"""The command line: options -> spec, loads and settings -> a running server."""

import shlex
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from mock_server.app import DEFAULT_MAX_BODY, create_app
from mock_server.call_log import CallLog
from mock_server.decimal_json import encode
from mock_server.documents import UnreadableDocument
from mock_server.domain import PAYABLE_STATUSES
from mock_server.handlers import with_load_number
from mock_server.ledger import MemoryLedger
from mock_server.opening import FixtureError, opening_loads
from mock_server.serving import PortTaken, Server, listen, url_of
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Operation, Spec, SpecError

_option = partial(click.option, show_default=True, show_envvar=True)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)

EPILOG = """
\b
Examples:
  alvys-mock                                 serve the shipped loads on port 8080
  alvys-mock --port 0                        on a free port, which is printed
  alvys-mock --fixtures my.yaml              your own loads instead
  alvys-mock --fixtures a.yaml --fixtures b.jsonl    several files

\b
A fixtures file maps a scenario to a load. LoadNumber and Status are required:
  overdue:
    LoadNumber: LD-9001
    Status: Invoiced
    InvoicedAmount: {Amount: 120.50, Currency: 840}
"""


@click.command(context_settings={"auto_envvar_prefix": "ALVYS_MOCK", "max_content_width": 100}, epilog=EPILOG)
@_option("--host", default="127.0.0.1", help="Address to listen on.")
@_option("--port", default=8080, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@_option(
    "--fixtures",
    type=_file,
    multiple=True,
    default=[FIXTURES],
    show_default="the shipped loads",
    help="The opening loads: YAML or JSON (scenario -> load), or JSON Lines (.jsonl, a load a line). "
    "Repeatable.",
)
@_option(
    "--spec", type=_file, default=SPEC, show_default="the shipped openapi.yaml", help="The OpenAPI document."
)
@_option(
    "--max-body",
    default=DEFAULT_MAX_BODY,
    type=click.IntRange(1),
    help="Longest request body in bytes; a longer one is answered 413.",
)
@_option(
    "--log-level",
    default="warning",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much the server says about itself on standard error.",
)
@_option("--quiet", is_flag=True, help="Don't print a line for each call.")
@click.version_option(package_name="alvys-sandbox")
def main(  # noqa: PLR0913 - one for each option
    *,
    host: str,
    port: int,
    fixtures: tuple[Path, ...],
    spec: Path,
    max_body: int,
    log_level: str,
    quiet: bool,
) -> None:
    """Serve a mock of the Alvys customer payments.

    It keeps its loads in memory: every start begins anew. Any access token is accepted, and none.
    """
    try:
        read = Spec.read(spec)
        ledger = MemoryLedger(opening_loads(read, fixtures))
        app = create_app(read, ledger, max_body)
        listener = listen(host, port)
    except (SpecError, FixtureError, UnreadableDocument, PortTaken) as error:
        raise click.ClickException(str(error)) from error
    say: Callable[[str], None] = partial(print, flush=True)
    server = Server(
        app if quiet else CallLog(app, say),
        log_level,
        on_start=lambda: say(_greeting(url_of(listener), read, ledger)),
    )
    # uvicorn ends in good order on both signals, and then raises them again for us. One that comes
    # before it listens to them ends it too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, server.handle_exit)
    server.run([listener])
    say("Stopped.")


def _greeting(url: str, spec: Spec, ledger: MemoryLedger) -> str:
    counts = Counter(load.status for load in ledger)
    lines = [f"Serving on {url} (press Ctrl-C to stop; any access token is accepted)", "", "Operations:"]
    lines += [f"  {operation.method:4} {operation.path}  {operation.id}" for operation in spec.operations]
    lines += ["", f"Loads: {counts.total()}", *(f"  {count:4} {status}" for status, count in counts.items())]
    payable = next((load.number for load in ledger if load.status in PAYABLE_STATUSES), None)
    if payable:
        record = next(each for each in spec.operations if each.id == "recordCustomerPayment")
        lines += ["", "Try:", _curl(url, record, payable)]
    return "\n".join([*lines, ""])


def _curl(url: str, operation: Operation, load_number: str) -> str:
    body = encode(with_load_number(operation.example or {}, load_number))
    return (
        f"  curl -i {shlex.quote(url + operation.example_path)} \\\n"
        f"    -H 'Content-Type: {operation.media_types.names[0]}' \\\n"
        f"    -d {shlex.quote(body.decode())}"
    )
