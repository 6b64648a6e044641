"""What is read before anything is written: can the target be tested, are the loads as nominated."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Final

from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.exchange import NO_RESPONSE, Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.paths import LOADS_PATH, SEARCH_PATH
from contract_tests.rules.values import visible
from contract_tests.run.target import Target
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX
from contract_tests.safety.payment_log import LoggedPayment
from contract_tests.safety.sight import SeenLoad, loads_in
from contract_tests.safety.wire import JSON, read_of

_OK: Final = 200
_NOT_FOUND: Final = 404
_OURS: Final = "ct-"
_MOST_IN_A_SEARCH: Final = 150


class CannotRun(Exception):
    """The run does not begin. The message is a sentence; `status` is the exit status."""

    def __init__(self, sentence: str, status: ExitStatus) -> None:
        """Keeps the sentence."""
        self.sentence = visible(sentence)
        super().__init__(self.sentence)
        self.status = status


def probe(send: Callable[[Request], Exchange], target: Target) -> None:
    """Asks for a load without saying which, which is answered with 400 wherever loads can be read.

    Raises CannotRun when nothing can be learned from the target.
    """
    response = send(_read_all()).response
    _check_response(response, target)
    if response.status == _NOT_FOUND:
        _check_path(send, target)


def _check_path(send: Callable[[Request], Exchange], target: Target) -> None:
    """Raises CannotRun when every read is answered with 404."""
    body = {"Page": 0, "PageSize": 1, "LoadNumbers": [f"{IMPOSSIBLE_PREFIX}probe"]}
    empty = Request("POST", SEARCH_PATH, headers=JSON, content=b"{}")
    search = Request("POST", SEARCH_PATH, headers=JSON, content=json.dumps(body).encode())
    for request in (_read_all(), empty, search):
        if send(request).response.status != _NOT_FOUND:
            return
    under = LOADS_PATH.removesuffix("/loads")
    raise CannotRun(
        f"{target.base_url}: every read under {under} is answered with 404. Is the base URL right, and does "
        "the target have this version?",
        ExitStatus.COULD_NOT_TEST,
    )


def _check_response(response: Response, target: Target) -> None:
    status = response.status
    if status == NO_RESPONSE:
        why = response.content.decode()
        raise CannotRun(f"{target.base_url} cannot be read ({why}).", ExitStatus.COULD_NOT_TEST)
    if 300 <= status < 400:
        where = response.headers.get("location", "nowhere")
        raise CannotRun(
            f"{target.base_url} redirects to {where} ({status}), and no redirect is followed: is the base "
            "URL right?",
            ExitStatus.COULD_NOT_TEST,
        )


def check_loads(
    send: Callable[[Request], Exchange], target: Target, log: Sequence[LoggedPayment], *, resumed: bool
) -> dict[str, Exchange]:
    """Reads every nominated load; returns the reads of those that may be paid, by number.

    Those are read by GET. The others are searched for, which shows many at the price of one request;
    what the search does not show, or shows otherwise than nominated, is read too: a search may lag
    behind. `log` are the payments of the run that is resumed. Raises CannotRun for the first load that
    is not as nominated, and as `probe` does.
    """
    ours = f"{_OURS}{target.run_id}-".casefold() if resumed else None
    paid = {payment.load for payment in log}
    closed = [
        number for status, each in target.loads.items() if status not in PAYABLE_STATUSES for number in each
    ]
    found = _search(send, target, closed) if len(closed) > 1 else {}
    reads: dict[str, Exchange] = {}
    for status, number in ((status, number) for status, each in target.loads.items() for number in each):
        if number in found and _objection(found[number], status, ours, paid) is None:
            continue
        exchange = send(read_of(number))
        _check_response(exchange.response, target)
        seen = next((load for load in loads_in(exchange.response) if load.number == number), None)
        if exchange.response.status == _NOT_FOUND:
            _check_path(send, target)
        if exchange.response.status != _OK or seen is None:
            sentence = f"Load {number} cannot be read: the target responds with {exchange.response.status}."
            raise CannotRun(sentence, ExitStatus.USAGE)
        objection = _objection(seen, status, ours, paid)
        if objection is not None:
            raise CannotRun(objection, ExitStatus.USAGE)
        if status in PAYABLE_STATUSES:
            reads[number] = exchange
    return reads


def _search(
    send: Callable[[Request], Exchange], target: Target, numbers: Sequence[str]
) -> dict[str, SeenLoad]:
    """The loads that a search shows with what was paid, by number."""
    shown: dict[str, SeenLoad] = {}
    for first in range(0, len(numbers), _MOST_IN_A_SEARCH):
        wanted = numbers[first : first + _MOST_IN_A_SEARCH]
        body = {"Page": 0, "PageSize": len(wanted), "LoadNumbers": list(wanted)}
        content = json.dumps(body).encode()
        response = send(Request("POST", SEARCH_PATH, headers=JSON, content=content)).response
        _check_response(response, target)
        shown |= {load.number: load for load in loads_in(response) if load.tells}
    return shown


def _objection(load: SeenLoad, status: str, ours: str | None, paid: Collection[str]) -> str | None:
    """What speaks against paying the load, as a sentence.

    `ours` begins the references of the run that is resumed, `paid` are the loads in its log.
    """
    texts = [text.strip().casefold() for payment in load.payments for text in payment.texts]
    references = [text for text in texts if text.startswith(_OURS)]
    # A payment of the run that is resumed may have changed the status of a payable load.
    if load.status != status and not (ours and (references or load.number in paid)):
        return f"Load {load.number} has the status {load.status!r}, but the loads file says {status}."
    strange = [reference for reference in references if ours is None or not reference.startswith(ours)]
    if strange:
        return (
            f"Load {load.number} already carries a payment of this suite ({strange[0]}); nominate another "
            "load, or resume that run with --run-id."
        )
    if status in PAYABLE_STATUSES and load.hides_who_paid and load.number not in paid:
        return (
            f"Load {load.number} has payments that show no reference, so that nobody can tell whose they "
            "are; nominate another load."
        )
    return None


def _read_all() -> Request:
    return Request("GET", LOADS_PATH, headers={"Accept": "application/json"})
