"""What a request body says: JSON, or a form."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from mock_server.decimal_json import NotJson, decode
from mock_server.problems import InvalidRequest
from mock_server.schemas import WHOLE_BODY


def json_in(body: bytes, decode: Callable[[bytes], object] = decode) -> object:
    """The JSON document in a body; InvalidRequest."""
    try:
        return decode(body)
    except NotJson as error:
        if not body.strip():
            raise InvalidRequest({WHOLE_BODY: ["A request body is required."]}) from error
        raise InvalidRequest({WHOLE_BODY: [f"The request body can't be read as JSON: {error}."]}) from error


def form_in(body: bytes) -> object:
    """The fields of a form; InvalidRequest."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise InvalidRequest({WHOLE_BODY: ["The request body can't be read as a form."]}) from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequest({WHOLE_BODY: ["A field appears twice in the form."]})
    return form
