"""What every response of the API must be, whatever was asked."""

from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.exchange import Exchange, Response


def judge_any(verdict: Verdict, exchange: Exchange) -> None:
    """Status, media type and body."""
    response = exchange.response
    succeeded, media_type = response.status == 200, response.media_type
    verdict.require("D8", succeeded or response.is_refusal, "200 or a refusal (4xx)", response.summary)
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
