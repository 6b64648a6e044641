"""Why a request got its response, in the words of the contract. Imported when somebody asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from starlette.types import Message, Send

from mock_server.causes import Cause
from mock_server.domain import PAYABLE_STATUSES, LoadNotFound, LoadNotPayable
from mock_server.journal import Entry, Journal
from mock_server.problems import (
    ROWS,
    InvalidRequest,
    MethodNotAllowed,
    TokenRefused,
    UnknownPath,
    UnsupportedMediaType,
)
from mock_server.trace import Trace

HEADER = b"x-sandbox-reason"
_LONGEST_HEADER = 480
"""Characters of a reason that a header has."""


class Reason(NamedTuple):
    """What decided over a request. `rule` is the id of a rule, an assumption or a fault; None for none."""

    rule: str | None
    text: str

    def __str__(self) -> str:
        return self.text if self.rule is None else f"{self.rule}: {self.text}"


_PAYMENT, _READ, _SEARCH = "recordCustomerPayment", "getLoad", "searchLoads"
_INVOICE, _INVOICES = "getInvoice", "searchInvoices"
_SUCCESSES: Mapping[str, Reason] = {
    _READ: Reason("P1", "The load has every key that was sent."),
    _SEARCH: Reason("P5", "These loads pass every filter."),
    _INVOICE: Reason("P10", "The invoice has every key that was sent."),
    _INVOICES: Reason("P14", "These invoices pass every filter."),
}
_RULES: Mapping[str, Sequence[tuple[str, str, str]]] = {
    _PAYMENT: (
        ("", "case-sensitive", "A18b"),
        ("ReferenceNumber", "required", "R5"),
        ("Amount.Amount", "greater than zero", "R4"),
        ("PaymentDate", "date and time", "A17"),
        ("Amount.Currency", "required", "Q49"),
        ("$", "required", "Q7"),
        ("$", "JSON", "Q5"),
        ("$", "nested", "Q23"),
        ("$", "object", "Q6"),
        ("", "required", "D5"),
        ("", "double", "A20b"),
        ("", "pattern", "Q10"),
        ("", "must be", "Q9"),
    ),
    _READ: (("", "At least one", "P2"),),
    _SEARCH: (("", "At least one", "P7"), ("Status", "one of", "Q28"), ("", "must", "P7")),
    _INVOICE: (("", "At least one", "P11"),),
    _INVOICES: (("", "At least one", "P14"), ("Status", "one of", "Q28"), ("", "must", "P14")),
}
"""By operation: field, a part of the sentence, and the rule that it is about. The first that fits decides."""
_UNKNOWN: Mapping[str, str] = {_SEARCH: "A23", _INVOICE: "P12", _INVOICES: "A23"}
_OTHER_RULES: Mapping[type[Exception], str] = {
    UnknownPath: "Q21",
    MethodNotAllowed: "Q8",
    UnsupportedMediaType: "A4",
    TokenRefused: "P8",
}
_FAULTS: Mapping[str, str] = {
    "drop=before": "The connection was closed before the request was processed.",
    "drop=after": "The response was lost after the request was processed.",
    "body=truncated": "Half of the response body was sent.",
    "body=malformed": "The response body was spoilt: it is not JSON.",
    "delay": "The response was late.",
    "bytesPerSecond": "The response was sent slowly.",
}


def reason_of(entry: Entry) -> Reason | None:
    """Why a request got its response; None if there is nothing to say."""
    if entry.fault is not None:
        return _of_fault(entry, entry.fault)
    if entry.status is None:
        return Reason(None, "The client left before its request was whole.")
    return _decided(entry)


def _decided(entry: Entry) -> Reason | None:
    cause = entry.cause
    if cause is None:
        return _SUCCESSES.get(entry.operation or "")
    if cause.error is None:
        return _of_payment(cause) if cause.at is None else _of_replay(entry, cause, cause.at)
    return _of_error(entry, cause, cause.error)


def _of_error(entry: Entry, cause: Cause, error: type[Exception]) -> Reason:
    if error is InvalidRequest:
        return _of_body(entry, cause)
    if error is LoadNotPayable:
        return Reason("R2", f"The load is {cause.load_status}, which takes no payments.")
    if error is LoadNotFound:
        return _of_unknown_load(entry, cause)
    if error not in ROWS:
        return Reason(None, "The mock failed; what it logged says why.")
    if cause.at is not None:
        return Reason("P8", f"The token has expired since {_time(cause.at, entry.at)}.")
    return Reason(_OTHER_RULES.get(error), cause.sentence)


def _of_payment(cause: Cause) -> Reason:
    return Reason("R1", f"The payment was recorded; the load is {cause.load_status} now.")


def _of_replay(entry: Entry, cause: Cause, recorded_at: datetime) -> Reason:
    text = f"A replay of {entry.reference}, recorded {_time(recorded_at, entry.at)}"
    if cause.fields:
        what = " and ".join(f"{name} {sent}" for name, sent in cause.fields)
        text += f"; its {what} {'were' if len(cause.fields) > 1 else 'was'} ignored (A7)"
    if cause.load_status not in PAYABLE_STATUSES:
        text += f"; the load is {cause.load_status} by now (A10)"
    return Reason("R6", f"{text}.")


def _of_unknown_load(entry: Entry, cause: Cause) -> Reason:
    rule = _UNKNOWN.get(entry.operation or "", "P3" if entry.reference is None else "R3")
    if cause.near is None:
        return Reason(rule, cause.sentence)
    return Reason(rule, f"{cause.near} exists; you sent {entry.load}.")


def _of_body(entry: Entry, cause: Cause) -> Reason:
    for field, part, rule in _RULES.get(entry.operation or "", ()):
        for name, told in cause.fields:
            if field in ("", name.partition("[")[0]) and part in told:
                others = len(cause.fields) - 1
                more = f" {others} more {'errors are' if others > 1 else 'error is'} reported with it (A11)."
                return Reason(rule, told + (more if others else ""))
    return Reason(None, cause.sentence)


def _of_fault(entry: Entry, fault: str) -> Reason:
    effect = dict(part.partition("=")[::2] for part in fault.split(","))
    told = [text for sign, text in _FAULTS.items() if sign in effect or sign in fault.split(",")]
    if "status" in effect:
        told.append(f"The response is an injected {effect['status']}.")
    processed = effect.get("processed") == "true" or not (
        "status" in effect or effect.get("drop") == "before"
    )
    decided = _decided(entry) if processed else None
    if decided is not None:
        told.append(str(decided))
    elif not processed:
        told.append("Nothing was recorded.")
    return Reason(entry.fault_id, " ".join(told))


def _time(at: datetime, seen: datetime) -> str:
    """An instant of the day on which it is seen, or of another."""
    return f"{at:%H:%M:%S} UTC" if at.date() == seen.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


class Explainer:
    """Adds a header with the reason to every response."""

    def __init__(self) -> None:
        self._latest = Journal(most=1)

    def __call__(self, trace: Trace, send: Send) -> Send:
        """The `send` that does so for one request."""

        async def explaining(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._latest.add(trace)
                (entry,) = self._latest
                reason = entry.reason
                if reason is not None:
                    # What a client sent is quoted, so that it can't forge a header.
                    text = ascii(str(reason))[1:-1][:_LONGEST_HEADER].encode()
                    message = {**message, "headers": [*message["headers"], (HEADER, text)]}
            await send(message)

        return explaining
