"""The journal as an HTTP archive (HAR 1.2), for the tools of browsers. Imported when somebody asks."""

from collections.abc import Iterable
from importlib.metadata import version
from urllib.parse import parse_qsl

from mock_server.instants import instant_text
from mock_server.journal import Entry

_UNKNOWN = -1
"""What the format writes for a size that nobody knows."""


def har_of(entries: Iterable[Entry]) -> dict[str, object]:
    """The archive of some requests. Bodies are masked, and cut, as in the journal."""
    creator = {"name": "alvys-sandbox", "version": version("alvys-sandbox")}
    return {"log": {"version": "1.2", "creator": creator, "entries": [_entry(entry) for entry in entries]}}


def _entry(entry: Entry) -> dict[str, object]:
    milliseconds = entry.seconds * 1000
    shown = {
        "startedDateTime": instant_text(entry.at),
        "time": milliseconds,
        "request": _request(entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": str(entry.reason or ""),
    }
    # What the format has no field for may have one that begins with an underscore.
    ours = {"_id": entry.id, "_operation": entry.operation, "_fault": entry.fault}
    return {**shown, **ours, "_load": entry.load, "_reference": entry.reference}


def _request(entry: Entry) -> dict[str, object]:
    headers = entry.headers
    _, _, query = entry.path.partition("?")
    shown: dict[str, object] = {
        "method": entry.method,
        "url": f"http://{headers.get('host', '')}{entry.path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(headers.items()),
        "queryString": _pairs(parse_qsl(query, keep_blank_values=True)),
        "headersSize": _UNKNOWN,
        "bodySize": entry.body_size,
    }
    if entry.body_size:
        media_type = headers.get("content-type", "")
        shown["postData"] = {"mimeType": media_type, "params": [], "text": _text(entry.body)}
    return shown


def _response(entry: Entry) -> dict[str, object]:
    """The journal keeps no response headers; all bodies of the API are JSON."""
    content = {"size": entry.response_size, "mimeType": "application/json", "text": _text(entry.response)}
    return {
        "status": entry.status or 0,
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [],
        "content": content,
        "redirectURL": "",
        "headersSize": _UNKNOWN,
        "bodySize": entry.response_size,
    }


def _pairs(fields: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in fields]


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
