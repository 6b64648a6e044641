"""The command line: options -> spec, loads and settings -> a running server."""

import gc
import logging
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import click
from starlette.types import ASGIApp

from mock_server.decimal_json import encode
from mock_server.documents import STDIN, UnreadableDocument
from mock_server.domain import PAYABLE_STATUSES
from mock_server.endpoint import DEFAULT_MAX_BODY
from mock_server.handlers import with_load_number
from mock_server.journal import DEFAULT_BODY_LIMIT, DEFAULT_ENTRIES, CallLog
from mock_server.ledger import MEMORY, LoadFilter, UnusableState
from mock_server.opening import FixtureError, opening_loads
from mock_server.output import Output
from mock_server.problems import ADMIN_KEY
from mock_server.profiles import DEFAULT
from mock_server.revisions import NAMES, PAGE
from mock_server.router import ADMIN_PREFIX
from mock_server.sandbox import (
    MOST_WORLDS,
    OFF,
    Sandbox,
    Settings,
    UnusableSetting,
    revision_of,
    served_spec,
)
from mock_server.serving import GRACE, PortTaken, Server, is_loopback, listen, url_of
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Operation, Spec, SpecError
from mock_server.tokens import DEFAULT_LIFETIME, NotAClient, OAuthClient
from mock_server.webhooks import SIGNED, WITH_ID

if TYPE_CHECKING:
    from mock_server.tls import Tls

_option = partial(click.option, show_default=True, show_envvar=True)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_files = click.Path(exists=True, allow_dash=True, path_type=Path)


_UNUSABLE = (SpecError, FixtureError, UnreadableDocument, UnusableSetting)
"""What is raised for files and settings that can't be served."""


class _Unusable(click.ClickException):
    """What the mock was given can't be served."""

    exit_code = 2


class _ClientType(click.ParamType[OAuthClient]):
    """A client of the token endpoint."""

    name = "ID:SECRET:SCOPES"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> OAuthClient:
        """Reads it, or says how to write one."""
        try:
            return OAuthClient.parse(str(value))
        except NotAClient as error:
            self.fail(str(error), param, ctx)


EPILOG = """
\b
Examples:
  alvys-mock                                 serve the shipped loads on port 8080
  alvys-mock --port 0                        use a free port, which is printed
  alvys-mock --fixtures my.yaml              serve your own loads instead
  alvys-mock --fixtures a.yaml --fixtures b.jsonl    serve the loads of several files
  alvys-mock --require-token --rate-limit documented    be as strict as the vendor
  alvys-mock --profile newtonsoft            read leniently, as such a server does
  alvys-mock --fault operation=recordCustomerPayment,every=5,drop=after
                                             every fifth response is lost, its payment is not
  alvys-mock --fault probability=0.1,seed=7,delay=0.5,delayMax=2

\b
A fixtures file maps a scenario to a load. LoadNumber and Status are required:
  overdue:
    LoadNumber: LD-9001
    Status: Invoiced
    InvoicedAmount: {Amount: 120.50, Currency: 840}

\b
A fault says when it is injected and what it does, separated by commas:
  operation=ID load=NUMBER reference=NUMBER    only into these requests; by default into any
  next=N every=N probability=P seed=N          how often; by default into every request
  delay=SECONDS delayMax=SECONDS delaySigma=S  a late response: fixed, uniform or log-normal
  status=503 retryAfter=2 problem=false processed=true    an error response
  body=truncated body=malformed bytesPerSecond=N          a broken or slow response
  drop=before drop=after                       no response: before or after processing
  webhook=lost webhook=doubled webhook=outOfOrder webhook=wrongSignature    an event goes astray
"""


@click.command(context_settings={"auto_envvar_prefix": "ALVYS_MOCK", "max_content_width": 100}, epilog=EPILOG)
@_option("--host", default="127.0.0.1", help="Address to listen on.")
@_option("--port", default=8080, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@_option(
    "--fixtures",
    type=_files,
    multiple=True,
    default=[FIXTURES],
    show_default="the shipped loads",
    help="The opening loads: YAML or JSON (scenario -> load), or JSON Lines (.jsonl or .ndjson, a load a "
    "line); a folder of such files, or - for standard input. Repeatable.",
)
@_option(
    "--spec", type=_file, default=SPEC, show_default="the shipped openapi.yaml", help="The OpenAPI document."
)
@_option(
    "--revision",
    type=click.Choice(NAMES),
    show_default="that of the profile",
    help="The revision of the contract: the endpoint's page, or the vendor's OpenAPI document of July 2026.",
)
@_option(
    "--max-body",
    default=DEFAULT_MAX_BODY,
    type=click.IntRange(1),
    help="Longest request body in bytes; a longer one gets a 413.",
)
@_option(
    "--grace",
    default=GRACE,
    type=click.IntRange(0),
    help="Seconds in which requests are still answered once it is told to stop; a second signal cuts them.",
)
@_option(
    "--log-level",
    default="warning",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much the server logs on standard error.",
)
@_option(
    "--require-token", is_flag=True, help="Refuse requests without a valid access token that has the scope."
)
@_option(
    "--client",
    "clients",
    type=_ClientType(),
    multiple=True,
    show_default="one, which is printed",
    help="A client of the token endpoint; its scopes are separated by commas. Repeatable.",
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
    help="Limit for each token and operation, such as 10/second, 600/minute or 5000/hour; documented for "
    "the vendor's own limits; or off.",
)
@_option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="Inject a fault; see below. Repeatable.",
)
@_option(
    "--journal",
    default=DEFAULT_ENTRIES,
    type=click.IntRange(0),
    help="How many requests are kept for /_mock/requests; 0 for none.",
)
@_option(
    "--journal-body",
    default=DEFAULT_BODY_LIMIT,
    type=click.IntRange(0),
    help="Bytes of each body that are kept.",
)
@_option("--no-admin", is_flag=True, help="Switch off the admin API under /_mock/, but for health.")
@_option(
    "--admin-port",
    type=click.IntRange(0, 65535),
    show_default="the same port",
    help="Serve the admin API on a port of its own; 0 picks a free one.",
)
@_option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which the admin API may be reached, beside its address and loopback. Repeatable.",
)
@_option(
    "--admin-key",
    metavar="KEY",
    show_default="none on loopback, else one that is printed",
    help="What the admin API wants in the header X-Admin-Key.",
)
@_option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    show_default="none",
    help="The origin of web pages that may call the API, such as http://localhost:3000, or * for all. "
    "Repeatable; commas separate several.",
)
@_option(
    "--profile",
    default=DEFAULT,
    metavar="FILE|NAME",
    help="What is done about the questions that the contract leaves open: a profile in YAML or JSON, or one "
    "of the shipped ones, default and newtonsoft.",
)
@_option(
    "--state",
    default=MEMORY,
    metavar="URL",
    help="What keeps the loads and their payments: memory, sqlite:///FILE or "
    "postgresql://USER:PASSWORD@HOST/DATABASE. A database without loads opens with the fixtures.",
)
@_option(
    "--tls",
    is_flag=True,
    help="Serve https, with a certificate that is made at the start; needs the extra tls.",
)
@_option("--tls-cert", type=_file, help="Serve https with the certificate in this PEM file.")
@_option("--tls-key", type=_file, help="The key of --tls-cert, if it is in a file of its own.")
@_option(
    "--reload",
    is_flag=True,
    help="Open the document, the profile and the fixtures again when one of their files changes.",
)
@_option(
    "--explain",
    is_flag=True,
    help="Say in the header X-Sandbox-Reason of each response which rule or assumption decided.",
)
@_option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="URL",
    help="Send signed events about loads to this receiver. Repeatable.",
)
@_option(
    "--webhook-secret",
    metavar="SECRET",
    show_default="one for each, which is printed",
    help="What signs the events for --webhook.",
)
@_option(
    "--webhook-signed",
    type=click.Choice(SIGNED),
    default=WITH_ID,
    help="What the signature of the events for --webhook covers.",
)
@_option(
    "--webhook-host",
    "webhook_hosts",
    multiple=True,
    metavar="NAME",
    help="A host on which the admin API may register receivers, beside loopback and those of --webhook, or * "
    "for all. Repeatable.",
)
@_option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="The file that alvys-contract --report writes; the console shows the latest.",
)
@_option(
    "--worlds",
    type=click.IntRange(0),
    show_default=f"{MOST_WORLDS}, or 0 with a database",
    help="How many worlds there may be beside the default one, each with a state of its own: a request names "
    "one in the header X-Sandbox-World or by the prefix /worlds/NAME.",
)
@_option("--quiet", is_flag=True, help="Don't print a line for each request.")
@click.version_option(package_name="alvys-sandbox")
def main(  # noqa: PLR0913 - one for each option
    *,
    host: str,
    port: int,
    fixtures: tuple[Path, ...],
    spec: Path,
    revision: str | None,
    max_body: int,
    require_token: bool,
    clients: tuple[OAuthClient, ...],
    token_lifetime: int,
    rate_limit: str,
    faults: tuple[str, ...],
    journal: int,
    journal_body: int,
    no_admin: bool,
    admin_port: int | None,
    allow_hosts: tuple[str, ...],
    admin_key: str | None,
    cors: tuple[str, ...],
    grace: int,
    log_level: str,
    profile: str,
    state: str,
    tls: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    reload: bool,
    explain: bool,
    webhooks: tuple[str, ...],
    webhook_secret: str | None,
    webhook_signed: str,
    webhook_hosts: tuple[str, ...],
    report: Path | None,
    worlds: int | None,
    quiet: bool,
) -> None:
    """Serve a mock of the Alvys customer payments API.

    By default loads and payments are kept in memory: every start loads the fixtures again. Requests need no
    access token, and any token is accepted.
    """
    is_open = not is_loopback(host)
    makes_key = is_open and not no_admin and admin_key is None
    settings = Settings(
        max_body=max_body,
        require_token=require_token,
        clients=clients,
        token_lifetime=token_lifetime,
        rate_limit=rate_limit,
        faults=faults,
        journal=0 if no_admin else journal,  # nobody could read it
        journal_body=journal_body,
        admin=not no_admin,
        allow_hosts=(host, *allow_hosts),
        admin_key=token_urlsafe(12) if makes_key else admin_key,
        cors=cors,
        profile=profile,
        revision=revision,
        state=state,
        explain=explain,
        webhooks=webhooks,
        webhook_secret=webhook_secret,
        webhook_signed=webhook_signed,
        webhook_hosts=webhook_hosts,
        report=report,
        worlds=worlds,
    )
    _check_apart(settings, admin_port, reload=reload)
    if reload and STDIN in fixtures:
        raise click.UsageError("--reload can't read standard input again.")
    opened = partial(_opened, spec, fixtures, settings)
    with _said_in_one_line():
        read, sandbox = opened()
        gc.freeze()  # what opens stays: to look for garbage in a million loads stops the server for a second
        listeners = [listen(host, port)]
        if admin_port is not None:
            listeners.append(listen(host, admin_port, "--admin-port"))
    certified = click.get_current_context().with_resource(
        _certified(tls_cert, tls_key, settings.allow_hosts, makes=tls)
    )
    urls = [url_of(listener, "https" if certified else "http") for listener in listeners]
    output, complaints = Output(sys.stdout), Output(sys.stderr)

    def say(line: str) -> None:
        output.write(f"{line}\n")

    logging.basicConfig(stream=complaints, level=log_level.upper(), format="%(levelname)s: %(message)s")
    if is_open:
        wants = ", and its admin API wants a key" if settings.admin else ""
        complaints.write(f"Warning: {host} is not loopback: other machines can reach this mock{wants}.\n")

    def app_of(sandbox: Sandbox) -> ASGIApp:
        port, other = [*(listener.getsockname()[1] for listener in listeners), None][:2]
        return sandbox.app(other, None if quiet else CallLog(say), port=port)

    def reopen() -> None:
        nonlocal sandbox
        before, (_, sandbox) = sandbox, opened()
        server.serve_instead(app_of(sandbox))
        before.admin.end()
        gc.unfreeze()  # what was open before can go
        gc.collect()
        gc.freeze()

    with redirect_stderr(complaints):

        async def greet() -> None:
            say(await _greeting(urls, read, sandbox, settings, certified))

        server = Server(
            app_of(sandbox),
            greet,
            grace=grace,
            tls=certified and certified.context,
            around=sandbox.ledger.opened(),
        )
        if reload:
            from mock_server.reloading import Reloader  # noqa: PLC0415 - for who asks

            reloader = Reloader(
                (spec, Path(profile), *fixtures),
                reopen,
                _UNUSABLE,
                say=say,
                complain=complaints.write,
            )
            server.each_second.append(reloader.check)
        for ending in _endings():
            signal.signal(ending, lambda *_: server.stop())
        _run(server, listeners)
    output.finish("Stopped.\n")
    complaints.finish()


def _opened(spec: Path, fixtures: tuple[Path, ...], settings: Settings) -> tuple[Spec, Sandbox]:
    read = served_spec(spec, settings)
    return read, Sandbox(read, opening_loads(read.ours, fixtures), settings)


@contextmanager
def _said_in_one_line() -> Iterator[None]:
    try:
        yield
    except _UNUSABLE as error:
        raise _Unusable(str(error)) from error
    except PortTaken as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _certified(
    certificate: Path | None, key: Path | None, names: tuple[str, ...], *, makes: bool
) -> Iterator["Tls | None"]:
    if makes and certificate:
        raise click.UsageError("--tls makes a certificate, and --tls-cert gives one.")
    if key and not certificate:
        raise click.UsageError("--tls-key needs --tls-cert.")
    if not (makes or certificate):
        yield None
        return
    from mock_server.tls import NoCertificate, made_tls, tls_from  # noqa: PLC0415 - for those who want it

    try:
        with nullcontext(tls_from(certificate, key)) if certificate else made_tls(names) as made:
            yield made
    except NoCertificate as error:
        raise _Unusable(str(error)) from error


def _check_apart(settings: Settings, admin_port: int | None, *, reload: bool) -> None:
    if not settings.admin and admin_port is not None:
        raise click.UsageError("--no-admin and --admin-port can't be combined.")
    if reload and settings.state != MEMORY:  # a reload opens with the fixtures, and a database stays as it is
        raise click.UsageError("--reload and --state can't be combined.")


def _run(server: Server, listeners: list[socket.socket]) -> None:
    try:
        server.run(listeners)
    except UnusableState as error:
        raise _Unusable(f"state: {error}") from error


def _endings() -> Iterator[signal.Signals]:
    yield signal.SIGINT
    yield signal.SIGTERM
    # Windows has none, and nohup has it ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        yield signal.SIGHUP


async def _greeting(
    urls: list[str], spec: Spec, sandbox: Sandbox, settings: Settings, certified: "Tls | None"
) -> str:
    url, ledger, ca = urls[0], sandbox.ledger, certified and certified.ca
    counts = await ledger.statuses()
    checks = "an access token is required" if settings.require_token else "no access token is needed"
    revision = revision_of(settings)
    speaks = "" if revision == PAGE else f"revision {revision}; "
    lines = [
        f"Serving on {url} (press Ctrl-C to stop; {speaks}{checks})",
        *([] if ca is None else [f"CA certificate, until the mock stops: {ca}"]),
        *_switched_on(urls, sandbox, settings),
        "",
    ]
    lines += [
        "Operations:" if spec.origin is None else f"Operations that keep state: {len(sandbox.stateful)}"
    ]
    lines += [_line_of(operation) for operation in sandbox.stateful]
    if sandbox.exemplary:
        lines += [
            f"Operations that respond with examples, and the header x-sandbox: {len(sandbox.exemplary)}"
        ]
        lines += [_line_of(operation) for operation in sandbox.exemplary]
    total = sum(counts.values())
    lines += ["", f"Loads: {total}", *(f"  {count:4} {status}" for status, count in counts.items())]
    payable = (await ledger.page(LoadFilter(statuses=PAYABLE_STATUSES), 0, 1)).loads
    record = next((each for each in sandbox.stateful if each.id == "recordCustomerPayment"), None)
    if payable and record:
        more = "" if ca is None else f" --cacert {shlex.quote(str(ca))}"
        more += ' \\\n    -H "Authorization: Bearer $TOKEN"' if settings.require_token else ""
        lines += ["", "Try:", _curl(url, record, payable[0].number, more)]
    return "\n".join([*lines, ""])


def _line_of(operation: Operation) -> str:
    by_name = operation.id != f"{operation.method} {operation.path}"
    return f"  {operation.method:4} {operation.path}" + (f"  {operation.id}" if by_name else "")


def _switched_on(urls: list[str], sandbox: Sandbox, settings: Settings) -> list[str]:
    lines = [f"OpenAPI document: {urls[0]}/openapi.json, or .yaml"]
    if settings.admin:
        lines.append(f"Console: {urls[-1]}{sandbox.console.paths['overview']}")
        lines.append(f"Admin API: {urls[-1]}{ADMIN_PREFIX}health, described by {ADMIN_PREFIX}openapi.json")
        if settings.admin_key is not None:
            lines.append(f"Admin key: {settings.admin_key}, in the header {ADMIN_KEY}")
    lines += [
        f"Client: {client.id}, secret {client.secret}, scopes {' '.join(client.scopes)}"
        for client in sandbox.tokens.clients
    ]
    if settings.cors:
        lines.append(f"CORS: {', '.join(settings.cors)}")
    if settings.state != MEMORY:
        lines += [
            f"State: {sandbox.ledger.name}",
            *(f"  {note}" for note in (*sandbox.ledger.notes, *sandbox.sharing.notes)),
        ]
    if settings.rate_limit != OFF:
        lines.append(f"Rate limit: {settings.rate_limit}")
    lines += [f"Fault: {fault}" for fault in settings.faults]
    lines += [
        # What others have registered by the admin API is not for this log: it shows a secret once.
        f"Webhook: {webhook.url}" + (f", secret {webhook.secret}" if webhook.url in settings.webhooks else "")
        for webhook in sandbox.webhooks.registered.values()
    ]
    if settings.profile != DEFAULT:
        lines.append(f"Profile: {settings.profile}")
    lines += [f"  {note}" for note in sandbox.notes]
    return lines


def _curl(url: str, operation: Operation, load_number: str, more: str) -> str:
    body = encode(with_load_number(operation.example or {}, load_number))
    return (
        f"  curl -i {shlex.quote(url + operation.example_path)}{more} \\\n"
        f"    -H 'Content-Type: {operation.media_types.names[0]}' \\\n"
        f"    -d {shlex.quote(body.decode())}"
    )
