"""Our oracle and our credentials for plain `st run`; `schemathesis.toml` names this module.

Nothing here keeps money safe: `st run` owns its sockets. Point it at a mock or at a test tenant.
"""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import schemathesis
from schemathesis import AuthContext, Case, CheckContext, HookContext
from schemathesis.core.transport import Response as Answer

from contract_tests.oracle.expectation import LoadBefore
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import attempt_of, is_payment
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.responses import LoadView, UnexpectedFormError, load_of
from contract_tests.safety.credentials import Credentials
from contract_tests.safety.payment_log import now


class LoadReader:
    """Reads the load before and after each payment, and has the oracle judge what happened between."""

    def __init__(self) -> None:
        """Has seen nothing yet."""
        self.oracle = Oracle()
        self.http = httpx2.Client(trust_env=False, follow_redirects=False)
        self.before: dict[str, tuple[LoadView | None, bool]] = {}

    def look(self, number: str, url: str, headers: Mapping[str, str]) -> tuple[LoadView | None, bool]:
        """The load by its number, and whether it exists; the view is None if it cannot be read."""
        parts = urlsplit(url)
        token = {name: value for name, value in headers.items() if name.lower() == "authorization"}
        answer = self.http.get(
            f"{parts.scheme}://{parts.netloc}/api/p/v1.0/loads", params={"loadNumber": number}, headers=token
        )
        try:
            view = load_of(Response(answer.status_code, {}, answer.content).document)
        except UnexpectedFormError:
            return None, answer.status_code != httpx2.codes.NOT_FOUND
        return view, True

    def judge(self, answer: Answer, case: Case[Any]) -> Verdict:
        """What an answer shows."""
        exchange = exchange_of(answer)
        attempt = attempt_of(exchange.request) if is_payment(exchange.request) else None
        if attempt is None or attempt.load is None or not attempt.load.strip():
            return self.oracle.judge(exchange)
        before, exists = self.before.pop(case.id, (None, True))
        after = None
        if before is not None:
            after, _ = self.look(before.number, str(answer.request.url), texts_of(answer.request.headers))
        expected = self.oracle.expect(attempt, LoadBefore(before, exists=exists))
        return self.oracle.judge_payment(expected, exchange, after)


def exchange_of(answer: Answer) -> Exchange:
    """What `st run` sent and got, as the oracle takes it."""
    sent = answer.request
    parts = urlsplit(str(sent.url))
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body
    request = Request(
        str(sent.method),
        parts.path,
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
        texts_of(sent.headers),
        body if isinstance(body, bytes) else None,
    )
    headers = {name.lower(): values[0] for name, values in answer.headers.items() if values}
    return Exchange(
        request, Response(answer.status_code, headers, answer.content or b""), now(), answer.elapsed
    )


def texts_of(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    """The headers as texts."""
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in headers.items()
    }


_reader = LoadReader()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
    """Reads the load that a payment names before it is sent."""
    del context
    number = case.body.get("LoadNumber") if isinstance(case.body, dict) else None
    if case.operation.definition.raw.get("operationId") != "recordCustomerPayment" or not isinstance(
        number, str
    ):
        return
    sent = kwargs.get("headers")
    headers = {**(sent if isinstance(sent, dict) else {}), **(case.headers or {})}
    base = str(case.operation.base_url)
    if number.strip() and number.isprintable():
        _reader.before[case.id] = _reader.look(number, base, headers)


@schemathesis.check
def alvys_contract(ctx: CheckContext, response: Answer, case: Case[Any]) -> None:
    """Every clause of the contract that this answer could break."""
    del ctx
    verdict = _reader.judge(response, case)
    if verdict.failures:
        raise AssertionError(
            "\n".join(f"{one.clause}: expected {one.expected}; got {one.got}" for one in verdict.failures)
        )


_credentials = Credentials.from_environment(os.environ)

if _credentials.exist:

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
