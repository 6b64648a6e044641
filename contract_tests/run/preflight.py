"""What is read before anything is written: can the target be tested, are the loads as nominated."""

import json
from collections.abc import Callable, Iterator
from typing import Final

from contract_tests.rules.exchange import Exchange, Request
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.paths import LOADS_PATH, SEARCH_PATH
from contract_tests.run.target import Target
from contract_tests.safety.client import NO_RESPONSE
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX

_OK: Final = 200
_REFUSED: Final = frozenset({401, 403})
_OURS: Final = "ct-"
_MOST_IN_A_SEARCH: Final = 150


class CannotRun(Exception):
    """The run does not begin. The message is a sentence; `status` is the exit status."""

    def __init__(self, sentence: str, status: ExitStatus) -> None:
        """Keeps the sentence."""
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def probe(send: Callable[[Request], Exchange], target: Target) -> None:
    """Asks for a load that cannot exist; raises CannotRun when nothing can be learned from the target."""
    _check_response(send(_read(f"{IMPOSSIBLE_PREFIX}probe")).response.status, target)


def _check_response(status: int, target: Target) -> None:
    if status == NO_RESPONSE:
        raise CannotRun(f"{target.base_url} cannot be reached.", ExitStatus.COULD_NOT_TEST)
    if status in _REFUSED:
        why = "refuses the credentials" if target.wants_token else "wants a token: set ALVYS_TOKEN"
        raise CannotRun(f"{target.base_url} {why} (it answers {status}).", ExitStatus.COULD_NOT_TEST)


def check_loads(send: Callable[[Request], Exchange], target: Target, *, resumed: bool) -> None:
    """Reads every nominated load; raises CannotRun for the first that is not as nominated, as `probe` does.

    A search shows many loads at the price of one request. What it does not show whole, or shows
    otherwise than nominated, is read by itself: a search may lag behind.
    """
    ours = f"{_OURS}{target.run_id}-".casefold() if resumed else None
    numbers = target.load_numbers
    shown = _search(send, target) if len(numbers) > 1 else {}
    for status, number in ((status, number) for status, each in target.loads.items() for number in each):
        if number in shown and _objection(number, shown[number], status, ours) is None:
            continue
        response = send(_read(number)).response
        _check_response(response.status, target)
        if response.status != _OK:
            sentence = f"Load {number} cannot be read: the target answers {response.status}."
            raise CannotRun(sentence, ExitStatus.USAGE)
        objection = _objection(number, _named_in_lowercase(_json(response.content)), status, ours)
        if objection is not None:
            raise CannotRun(objection, ExitStatus.USAGE)


def _search(send: Callable[[Request], Exchange], target: Target) -> dict[str, dict[str, object]]:
    """The loads that a search shows whole, by number."""
    shown = {}
    numbers = target.load_numbers
    for first in range(0, len(numbers), _MOST_IN_A_SEARCH):
        wanted = numbers[first : first + _MOST_IN_A_SEARCH]
        body = {"Page": 0, "PageSize": len(wanted), "LoadNumbers": list(wanted)}
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        response = send(Request("POST", SEARCH_PATH, headers=headers, content=content)).response
        _check_response(response.status, target)
        items = _named_in_lowercase(_json(response.content)).get("items")
        for load in map(_named_in_lowercase, items if isinstance(items, list) else []):
            number, payments = load.get("loadnumber"), load.get("payments")
            whole = isinstance(payments, list) or (payments is None and load.get("totalpaid", 0) is None)
            if isinstance(number, str) and whole:
                shown[number] = load
    return shown


def _objection(number: str, load: dict[str, object], status: str, ours: str | None) -> str | None:
    """What speaks against paying the load, as a sentence. `ours` begins the references of a resumed run."""
    references = list(_references(load))
    actual = load.get("status")
    # A payment of the run that is resumed may have changed the status of a payable load.
    if actual != status and not (ours and references):
        return f"Load {number} has the status {actual!r}, but the loads file says {status}."
    strange = [reference for reference in references if ours is None or not reference.startswith(ours)]
    if strange:
        return (
            f"Load {number} already carries a payment of this suite ({strange[0]}); nominate another "
            "load, or resume that run with --run-id."
        )
    return None


def _read(load_number: str) -> Request:
    return Request("GET", LOADS_PATH, (("loadNumber", load_number),), {"Accept": "application/json"})


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _named_in_lowercase(tree: object) -> dict[str, object]:
    """The fields of a JSON object, with names in lowercase, because targets differ in that."""
    return {name.lower(): value for name, value in tree.items()} if isinstance(tree, dict) else {}


def _references(load: dict[str, object]) -> Iterator[str]:
    """What looks like a reference of this suite in any field of the load's payments."""
    payments = load.get("payments")
    for payment in payments if isinstance(payments, list) else []:
        for value in payment.values() if isinstance(payment, dict) else []:
            if isinstance(value, str) and value.strip().casefold().startswith(_OURS):
                yield value.strip().casefold()
