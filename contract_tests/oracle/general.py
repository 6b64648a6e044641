"""What every response of the API must be, whatever was asked."""

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange, Response

_NO_RESPONSE = 0


def judge_any(verdict: Verdict, exchange: Exchange, *, may_fail: bool = False) -> None:
    """Status, media type and body.

    A failure of the service counts if the same request led to it twice, and not where it `may_fail`.
    """
    response = exchange.response
    if response.is_of_the_road:
        return
    succeeded, media_type = response.status == 200, response.media_type
    if response.status < 500 and response.status != _NO_RESPONSE:
        verdict.require("D8", succeeded or response.is_refusal, "200 or a refusal (4xx)", response.summary)
    elif not may_fail and exchange.attempts > 1:
        verdict.fail("D8", "200 or a refusal (4xx), not the same failure twice", response.summary)
    if succeeded and exchange.request.method != "HEAD":
        verdict.require("R8", media_type == "application/json", "application/json", media_type or "none")
    if response.is_refusal and response.content:
        verdict.observe("A3", media_type or "none")
    if media_type.endswith("json") and response.content:
        verdict.require("R8", response.is_json, "a JSON document", response.summary)


def observe_trace(verdict: Verdict, response: Response, last: str | None) -> str | None:
    """Compares the traceId of a refusal with that of the last one, and returns it."""
    trace = response.fields.get("traceId") if response.is_refusal else None
    if not isinstance(trace, str):
        return last
    if last is not None:
        verdict.observe("A2i", "is the same" if trace == last else "differs")
    return trace
