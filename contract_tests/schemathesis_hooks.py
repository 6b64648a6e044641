"""Our oracle and our credentials for plain `st run`; `schemathesis.toml` names this module.

Nothing here keeps money safe: `st run` owns its sockets. So it is refused for any target that is not on
loopback, unless ALVYS_ST_RUN_BOOKS_MONEY=yes says that its payments may be real.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import schemathesis
from schemathesis import AuthContext, Case, CheckContext, HookContext
from schemathesis.core.transport import Response as Received

from contract_tests.oracle.expectation import LoadBefore
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import attempt_of, is_payment
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.paths import LOADS_PATH
from contract_tests.rules.responses import LoadView, UnexpectedFormError, load_of
from contract_tests.safety.credentials import Credentials
from contract_tests.safety.origin import Origin
from contract_tests.safety.payment_log import now

CONSENT = "ALVYS_ST_RUN_BOOKS_MONEY"


def _check_target(url: str) -> Origin:
    """The origin of a URL that may be tested; ends the command otherwise, before anything is sent."""
    origin = Origin.parse(url)
    if not origin.on_loopback and os.environ.get(CONSENT) != "yes":
        sys.stderr.write(
            f"{origin} is not on loopback, and `st run` keeps no budget: it may record any payment there. "
            f"Use alvys-contract, or set {CONSENT}=yes.\n"
        )
        sys.stderr.flush()
        os._exit(ExitStatus.USAGE)
    return origin


def _named_on_the_command_line() -> list[Origin]:
    words = (word.partition("=")[2] if word.startswith("-") else word for word in sys.argv[1:])
    return [_check_target(word) for word in words if word.startswith(("http://", "https://"))]


for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]
_origins = _named_on_the_command_line()
sys.stderr.write(
    "alvys: proxies of the environment are ignored; payments are not counted, see alvys-contract\n"
)

_oracle = Oracle()
_http = httpx2.Client(trust_env=False, follow_redirects=False)
_before: dict[str, tuple[LoadView | None, bool]] = {}
"""By the id of a case, the load that its payment names, and whether it exists, before it is sent."""


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
        raise AssertionError(
            "\n".join(f"{one.clause}: expected {one.expected}; got {one.got}" for one in failures)
        )


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


_credentials = Credentials.from_environment(os.environ)

if _credentials.exist and all(origin.scheme == "https" or origin.on_loopback for origin in _origins):

    @schemathesis.auth(refresh_interval=60)
    class AlvysCredentials:
        """The token that ALVYS_TOKEN or the client credentials of the environment give."""

        def get(self, case: Case[Any], context: AuthContext) -> str | None:
            """The token; the credentials refresh it before it expires."""
            del case, context
            token = _credentials.token()
            return None if token is None else token.reveal()

        def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
            """Puts it on the request."""
            del context
            case.headers["Authorization"] = f"Bearer {data}"
