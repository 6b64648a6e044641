"""A request as a command line that can be pasted into a shell."""

import shlex
from typing import Final
from urllib.parse import urlencode

from contract_tests.rules.exchange import Request, Spoiled

_LONGEST_BODY: Final = 4000
_OURS: Final = "Bearer $ALVYS_TOKEN"
_SPOILED: Final[dict[Spoiled | None, str]] = {
    "longer": "Bearer ${ALVYS_TOKEN}x",
    "shorter": "Bearer ${ALVYS_TOKEN%?}",
    "in other case": "Bearer $(printf %s $ALVYS_TOKEN | tr a-zA-Z A-Za-z)",
    "of another scheme": "Basic $ALVYS_TOKEN",
    "without a scheme": "$ALVYS_TOKEN",
}


def curl(request: Request, base_url: str, *, with_token: bool) -> str:
    """The curl line of a request. A token of ours is left out: the variable's name stands for it."""
    query = "?" + urlencode(request.query, errors="replace") if request.query else ""
    words = ["curl", "-sS"]
    if request.method not in {"GET", "POST"} or (request.method == "GET" and request.content):
        words += ["-X", shlex.quote(request.method)]
    elif request.method == "POST" and request.content is None:
        words += ["-X", "POST"]
    words.append(shlex.quote(base_url + request.path + query))
    for name, value in request.headers.items():
        if name.lower() != "authorization":
            words += ["-H", shlex.quote(f"{name}: {value}")]
    if request.token is not None:
        words += ["-H", shlex.quote(f"Authorization: Bearer {request.token}")]
    elif with_token and not request.anonymous:
        words += ["-H", f'"Authorization: {_SPOILED.get(request.spoiled, _OURS)}"']
    if request.content is None:
        return " ".join(words)
    return _with_body(words, request.content)


def _with_body(words: list[str], content: bytes) -> str:
    if len(content) > _LONGEST_BODY:
        return " ".join([*words, "--data-binary", f"@body.bin  # {len(content)} bytes"])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    if text.isprintable() and not text.startswith("@"):
        return " ".join([*words, "--data-binary", shlex.quote(text)])
    escaped = "".join(chr(byte) if _is_plain(byte) else f"\\{byte:03o}" for byte in content)
    return f"printf '{escaped}' | " + " ".join([*words, "--data-binary", "@-"])


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and chr(byte) not in "\\'%"
