"""What is read before anything is written: can the target be tested, are the loads as nominated."""

import json
from collections.abc import Callable, Iterator
from typing import Final

from contract_tests.client import NO_ANSWER
from contract_tests.exchange import Exchange, Request
from contract_tests.intent import IMPOSSIBLE_PREFIX
from contract_tests.target import Target

WRONG_USE: Final = 2
COULD_NOT_TEST: Final = 3

_OK: Final = 200
_REFUSED: Final = frozenset({401, 403})
_OURS: Final = "ct-"


class CannotRun(Exception):
    """The run does not begin. The message is a sentence; `status` is the exit status."""

    def __init__(self, sentence: str, status: int) -> None:
        """Keeps the sentence."""
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def probe(send: Callable[[Request], Exchange], target: Target) -> None:
    """Asks for a load that cannot exist; raises CannotRun when nothing can be learned from the target."""
    status = send(_read(f"{IMPOSSIBLE_PREFIX}probe")).response.status
    if status == NO_ANSWER:
        raise CannotRun(f"{target.base_url} cannot be reached.", COULD_NOT_TEST)
    if status in _REFUSED:
        why = "refuses the credentials" if target.wants_token else "wants a token: set ALVYS_TOKEN"
        raise CannotRun(f"{target.base_url} {why} (it answers {status}).", COULD_NOT_TEST)


def check_loads(send: Callable[[Request], Exchange], target: Target, *, resumed: bool) -> None:
    """Reads every nominated load; raises CannotRun for the first that is not as nominated."""
    for status, numbers in target.loads.items():
        for number in numbers:
            response = send(_read(number)).response
            if response.status != _OK:
                sentence = f"Load {number} cannot be read: the target answers {response.status}."
                raise CannotRun(sentence, WRONG_USE)
            load = _json_object(response.content)
            actual = load.get("status")
            # A payment of the run that is resumed may have changed the status of a payable load.
            if actual != status and not (resumed and list(_references(load))):
                sentence = f"Load {number} has the status {actual!r}, but the loads file says {status}."
                raise CannotRun(sentence, WRONG_USE)
            _check_payments(number, load, f"{_OURS}{target.run_id}-" if resumed else None)


def _check_payments(number: str, load: dict[str, object], ours: str | None) -> None:
    for reference in _references(load):
        if ours is None or not reference.startswith(ours.casefold()):
            sentence = (
                f"Load {number} already carries a payment of this suite ({reference}); nominate another "
                "load, or resume that run with --run-id."
            )
            raise CannotRun(sentence, WRONG_USE)


def _read(load_number: str) -> Request:
    return Request("GET", "/api/p/v1.0/loads", (("loadNumber", load_number),), {"Accept": "application/json"})


def _json_object(content: bytes) -> dict[str, object]:
    """The members of a JSON object, with names in lowercase, because targets differ in that."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return {name.lower(): value for name, value in tree.items()} if isinstance(tree, dict) else {}


def _references(load: dict[str, object]) -> Iterator[str]:
    """What looks like a reference of this suite in any member of the load's payments."""
    payments = load.get("payments")
    for payment in payments if isinstance(payments, list) else []:
        for value in payment.values() if isinstance(payment, dict) else []:
            if isinstance(value, str) and value.strip().casefold().startswith(_OURS):
                yield value.strip().casefold()
