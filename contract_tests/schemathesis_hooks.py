"""Our oracle and our credentials for plain `st run`; `schemathesis.toml` names this module.

Nothing here keeps money safe: `st run` owns its sockets. So it is refused for any target that is not on
loopback, unless ALVYS_ST_RUN_BOOKS_MONEY=yes says that its payments may be real.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import httpx2
import schemathesis
from schemathesis import AuthContext, Case, CheckContext, HookContext
from schemathesis.core.transport import Response as Received
from schemathesis.schemas import BaseSchema

from contract_tests.oracle.expectation import LoadBefore
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import attempt_of, is_payment
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import ClauseFailedError
from contract_tests.rules.paths import LOADS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, load_of
from contract_tests.safety.credentials import Credentials, CredentialsError
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import now

CONSENT = "ALVYS_ST_RUN_BOOKS_MONEY"


def _check_target(url: str) -> Origin:
    """The origin of a URL that may be tested; ends the command otherwise, before anything is sent."""
    try:
        origin = Origin.parse(url)
    except ValueError as error:
        _end(f"{error}")
    if not origin.on_loopback and os.environ.get(CONSENT) != "yes":
        _end(
            f"{origin} is not on loopback, and `st run` keeps no budget: it may record any payment there. "
            f"Use alvys-contract, or set {CONSENT}=yes."
        )
    return origin


def _end(sentence: str) -> NoReturn:
    """Ends the process at once: Schemathesis takes SystemExit in a hook for an error of that hook."""
    sys.stderr.write(f"alvys: {sentence}\n")
    sys.stderr.flush()
    os._exit(ExitStatus.USAGE)


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _begin() -> Credentials:
    """Checks what the command line names, forgets the proxies, says so, and reads the credentials."""
    for word in sys.argv[1:]:
        text = word.partition("=")[2] if word.startswith("-") else word
        if _is_url(text):
            _check_target(text.partition("?")[0])
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    sys.stderr.write(
        "alvys: payments are not counted here (alvys-contract counts them), proxies of the environment are "
        "ignored, and no token is sent over http beyond loopback.\n"
    )
    try:
        return Credentials.from_environment(os.environ)
    except CredentialsError as error:
        _end(str(error))


_credentials = _begin()
_oracle = Oracle()
_http = httpx2.Client(trust_env=False, follow_redirects=False)
_before: dict[str, tuple[LoadView | None, bool]] = {}
"""By the id of a case, the load that its payment names, and whether it exists, before it is sent."""


@schemathesis.hook
def after_load_schema(context: HookContext, schema: BaseSchema) -> None:
    """Checks the target, wherever it is named, before Schemathesis probes it."""
    del context
    if _is_url(schema.get_base_url()):
        _check_target(schema.get_base_url())


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Reads the load that a payment names before it is sent."""
    del context
    _check_target(str(case.operation.base_url))
    number = case.body.get("LoadNumber") if isinstance(case.body, dict) else None
    is_payment = case.operation.definition.raw.get("operationId") == "recordCustomerPayment"
    if is_payment and isinstance(number, str) and number.strip() and number.isprintable():
        headers = {**(kwargs.get("headers") or {}), **(case.headers or {})}
        _before[case.id] = _read(number, str(case.operation.base_url), headers)


@schemathesis.check
def alvys_contract(ctx: CheckContext, response: Received, case: Case[Any]) -> None:
    """Every clause of the contract that this response could break."""
    del ctx
    failures = _judge(response, case).failures
    if failures:
        raise AssertionError(str(ClauseFailedError(failures)))


def _judge(received: Received, case: Case[Any]) -> Verdict:
    exchange = _exchange_of(received)
    attempt = attempt_of(exchange.request) if is_payment(exchange.request) else None
    if attempt is None or attempt.load is None or not attempt.load.strip():
        return _oracle.judge(exchange)
    before, exists = _before.pop(case.id, (None, True))
    after = None
    if before is not None:
        after, _ = _read(before.number, str(received.request.url), exchange.request.headers)
    expected = _oracle.expect(attempt, LoadBefore(before, exists=exists))
    return _oracle.judge_payment(expected, exchange, after)


def _read(number: str, url: str, headers: Mapping[str, str]) -> tuple[LoadView | None, bool]:
    """The load by its number, None if it cannot be read, and whether it exists."""
    parts = urlsplit(url)
    response = _http.get(
        f"{parts.scheme}://{parts.netloc}{LOADS_PATH}",
        params={"loadNumber": number},
        headers={name: value for name, value in headers.items() if name.lower() == "authorization"},
    )
    try:
        return load_of(Response(response.status_code, {}, response.content).document), True
    except UnexpectedFormError:
        return None, response.status_code != httpx2.codes.NOT_FOUND


def _exchange_of(received: Received) -> Exchange:
    """What `st run` sent and got, as the oracle takes it."""
    sent = received.request
    parts = urlsplit(str(sent.url))
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body
    request = Request(
        str(sent.method),
        parts.path,
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
        {
            name: value.decode("latin-1") if isinstance(value, bytes) else value
            for name, value in sent.headers.items()
        },
        body if isinstance(body, bytes) else None,
    )
    headers = {name.lower(): values[0] for name, values in received.headers.items() if values}
    response = Response(received.status_code, headers, received.content or b"")
    return Exchange(request, response, now(), received.elapsed)


if _credentials.exist:

    @schemathesis.auth(refresh_interval=60)
    class AlvysCredentials:
        """The token that ALVYS_TOKEN or the client credentials of the environment give."""

        def get(self, case: Case[Any], context: AuthContext) -> str | None:
            """The token, None if it would travel unencrypted; it is refreshed before it expires."""
            del context
            try:
                _credentials.check_target(Origin.parse(str(case.operation.base_url)))
            except CredentialsError:
                return None
            token = _credentials.token()
            return None if token is None else token.reveal()

        def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
            """Puts it on the request."""
            del context
            case.headers["Authorization"] = f"Bearer {data}"
