"""The command line: options -> spec, loads and settings -> a running server."""

import shlex
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from mock_server.app import DEFAULT_MAX_BODY
from mock_server.call_log import CallLog
from mock_server.control import PREFIX
from mock_server.decimal_json import encode
from mock_server.documents import UnreadableDocument
from mock_server.domain import PAYABLE_STATUSES
from mock_server.handlers import with_load_number
from mock_server.journal import DEFAULT_BODY_LIMIT, DEFAULT_ENTRIES
from mock_server.opening import FixtureError, opening_loads
from mock_server.sandbox import OFF, Sandbox, Settings, UnusableSetting
from mock_server.serving import PortTaken, Server, listen, url_of
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Operation, Spec, SpecError
from mock_server.tokens import DEFAULT_LIFETIME, Client, NotAClient

_option = partial(click.option, show_default=True, show_envvar=True)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


class _ClientType(click.ParamType[Client]):
    """A client of the token endpoint."""

    name = "ID:SECRET:SCOPES"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Client:
        """Reads it, or says what it must look like."""
        try:
            return Client.parse(str(value))
        except NotAClient as error:
            self.fail(str(error), param, ctx)


EPILOG = """
\b
Examples:
  alvys-mock                                 serve the shipped loads on port 8080
  alvys-mock --port 0                        on a free port, which is printed
  alvys-mock --fixtures my.yaml              your own loads instead
  alvys-mock --fixtures a.yaml --fixtures b.jsonl    several files
  alvys-mock --require-token --rate-limit documented    as strict as the vendor
  alvys-mock --fault operation=recordCustomerPayment,every=5,drop=after
                                             every fifth answer is lost, its payment is not
  alvys-mock --fault probability=0.1,seed=7,delay=0.5,delayMax=2

\b
A fixtures file maps a scenario to a load. LoadNumber and Status are required:
  overdue:
    LoadNumber: LD-9001
    Status: Invoiced
    InvoicedAmount: {Amount: 120.50, Currency: 840}

\b
A fault says when, and what goes wrong, with commas between:
  operation=ID load=NUMBER reference=NUMBER    only these; any without
  next=N every=N probability=P seed=N          how often; always without
  delay=SECONDS delayMax=SECONDS delaySigma=S  a late answer: fixed, even or log-normal
  status=503 retryAfter=2 problem=false processed=true    another answer
  body=truncated body=malformed bytesPerSecond=N          a broken or slow answer
  drop=before drop=after                       no answer: before or after it is processed
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
@_option(
    "--require-token", is_flag=True, help="Refuse calls without a valid access token that has the scope."
)
@_option(
    "--client",
    "clients",
    type=_ClientType(),
    multiple=True,
    show_default="one, which is printed",
    help="Who may get tokens; commas between the scopes. Repeatable.",
)
@_option(
    "--token-lifetime",
    default=DEFAULT_LIFETIME,
    type=click.IntRange(1),
    help="Seconds until a token expires.",
)
@_option(
    "--rate-limit",
    default=OFF,
    metavar="LIMIT",
    help="N/second or N/minute for each token and operation; documented, as the vendor's own; or off.",
)
@_option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="Something that goes wrong; see below. Repeatable.",
)
@_option(
    "--journal",
    default=DEFAULT_ENTRIES,
    type=click.IntRange(0),
    help="How many requests are remembered for /_mock/requests; 0 for none.",
)
@_option(
    "--journal-body",
    default=DEFAULT_BODY_LIMIT,
    type=click.IntRange(0),
    help="Bytes of each body that are remembered.",
)
@_option("--no-control", is_flag=True, help="No control plane under /_mock/.")
@_option(
    "--control-port",
    type=click.IntRange(0, 65535),
    show_default="the same port",
    help="A port for the control plane alone; 0 picks a free one.",
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
    require_token: bool,
    clients: tuple[Client, ...],
    token_lifetime: int,
    rate_limit: str,
    faults: tuple[str, ...],
    journal: int,
    journal_body: int,
    no_control: bool,
    control_port: int | None,
    log_level: str,
    quiet: bool,
) -> None:
    """Serve a mock of the Alvys customer payments.

    It keeps its loads in memory: every start begins anew. Unless told otherwise it accepts any access
    token, and none.
    """
    settings = Settings(
        max_body=max_body,
        require_token=require_token,
        clients=clients,
        token_lifetime=token_lifetime,
        rate_limit=rate_limit,
        faults=faults,
        journal=0 if no_control else journal,  # nobody could read it
        journal_body=journal_body,
        control=not no_control,
    )
    if no_control and control_port is not None:
        raise click.UsageError("--no-control and --control-port contradict each other.")
    try:
        read = Spec.read(spec)
        sandbox = Sandbox(read, opening_loads(read, fixtures), settings)
        listeners = [listen(host, each) for each in (port, control_port) if each is not None]
    except (SpecError, FixtureError, UnreadableDocument, PortTaken, UnusableSetting) as error:
        raise click.ClickException(str(error)) from error
    urls = [url_of(listener) for listener in listeners]
    app = sandbox.app(listeners[1].getsockname()[1] if control_port is not None else None)
    say: Callable[[str], None] = partial(print, flush=True)
    server = Server(
        app if quiet else CallLog(app, say),
        log_level,
        on_start=lambda: say(_greeting(urls, read, sandbox, settings)),
        shows_transport=sandbox.can_fail,
    )
    # uvicorn ends in good order on both signals, and then raises them again for us. One that comes
    # before it listens to them ends it too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, server.handle_exit)
    server.run(listeners)
    say("Stopped.")


def _greeting(urls: list[str], spec: Spec, sandbox: Sandbox, settings: Settings) -> str:
    url, ledger = urls[0], sandbox.ledger
    counts = Counter(load.status for load in ledger)
    checks = "an access token is required" if settings.require_token else "any access token is accepted"
    lines = [f"Serving on {url} (press Ctrl-C to stop; {checks})", *_switched_on(urls, sandbox, settings), ""]
    lines += ["Operations:"]
    lines += [f"  {operation.method:4} {operation.path}  {operation.id}" for operation in spec.operations]
    lines += ["", f"Loads: {counts.total()}", *(f"  {count:4} {status}" for status, count in counts.items())]
    payable = next((load.number for load in ledger if load.status in PAYABLE_STATUSES), None)
    if payable:
        record = next(each for each in spec.operations if each.id == "recordCustomerPayment")
        token = ' \\\n    -H "Authorization: Bearer $TOKEN"' if settings.require_token else ""
        lines += ["", "Try:", _curl(url, record, payable, token)]
    return "\n".join([*lines, ""])


def _switched_on(urls: list[str], sandbox: Sandbox, settings: Settings) -> list[str]:
    lines = []
    if settings.control:
        lines.append(f"Control plane on {urls[-1]}{PREFIX}health, described by {PREFIX}openapi.json")
    lines += [
        f"Client: {client.id}, secret {client.secret}, scopes {' '.join(client.scopes)}"
        for client in sandbox.tokens.clients
    ]
    if settings.rate_limit != OFF:
        lines.append(f"Rate limit: {settings.rate_limit}")
    lines += [f"Fault: {fault}" for fault in settings.faults]
    return lines


def _curl(url: str, operation: Operation, load_number: str, token: str) -> str:
    body = encode(with_load_number(operation.example or {}, load_number))
    return (
        f"  curl -i {shlex.quote(url + operation.example_path)}{token} \\\n"
        f"    -H 'Content-Type: {operation.media_types.names[0]}' \\\n"
        f"    -d {shlex.quote(body.decode())}"
    )
