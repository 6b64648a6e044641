"""The requests that the suites send, as the contract writes them."""

from collections.abc import Mapping

from contract_tests.rules.attempt import MEDIA_TYPE
from contract_tests.rules.exchange import Request
from contract_tests.rules.paths import LOADS_PATH, PAYMENTS_PATH, SEARCH_PATH
from contract_tests.rules.values import encode_json


def payment_request(
    body: Mapping[str, object] | bytes,
    media_type: str | None = MEDIA_TYPE,
    path: str = PAYMENTS_PATH,
    method: str = "POST",
    **headers: str,
) -> Request:
    """A payment with this body. `media_type` None leaves the header out."""
    content = body if isinstance(body, bytes) else encode_json(body)
    typed = {} if media_type is None else {"Content-Type": media_type}
    return Request(method, path, headers=typed | headers, content=content)


def read_request(*keys: tuple[str, str], path: str = LOADS_PATH) -> Request:
    """A load read by its keys, for example ("loadNumber", "…")."""
    return Request("GET", path, keys)


def search_request(path: str = SEARCH_PATH, /, **fields: object) -> Request:
    """A search with these fields, of loads if no other path is given."""
    headers = {"Content-Type": "application/json"}
    return Request("POST", path, headers=headers, content=encode_json(fields))
