"""JSON as lenient readers take it, rewritten to JSON as everybody takes it: one pass, no recursion.

The libraries for JSON5 take everything at once; a profile says which of it a service takes.
"""

import json
import re
from collections.abc import Collection, Iterator

from mock_server.decimal_json import NotJson

COMMENTS = "comments"
TRAILING_COMMAS = "trailing commas"
SINGLE_QUOTES = "single quotes"
LEADING_DOTS = "leading dots"
LEADING_ZEROS = "leading zeros"
PLUS_SIGNS = "plus signs"
TEXT_AFTER_END = "text after the end"
LONE_SURROGATES = "lone surrogates"
UTF_16 = "UTF-16"
INVALID_UTF_8 = "invalid UTF-8"

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<comment>//[^\r\n]*|/\*.*?\*/)"
    r"|(?P<text>\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\")|(?P<single>'[^'\\]*+(?:\\.[^'\\]*+)*+')"
    r"|(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_$][A-Za-z0-9_$]*)|(?P<open>[{\[])|(?P<close>[}\]])|(?P<mark>[,:])",
    re.DOTALL,
)
_DEEPEST = 2000
"""What is nested deeper is refused by every reader, so nobody rewrites it."""
_MOST_TOKENS = 30_000
"""What has more is rewritten as far as that."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\.|\"",
    re.DOTALL,
)


def strict_json(body: bytes, taken: Collection[str]) -> bytes:
    """The same document without the leniencies of this module that are `taken`; NotJson if it is no text."""
    return "".join(_strict(_text(body, taken), taken)).encode()


def _text(body: bytes, taken: Collection[str]) -> str:
    encoding = json.detect_encoding(body) if UTF_16 in taken else "utf-8"
    try:
        return body.decode(encoding, "replace" if INVALID_UTF_8 in taken else "strict")
    except UnicodeDecodeError as error:
        raise NotJson("it is not UTF-8") from error


def _strict(text: str, taken: Collection[str]) -> Iterator[str]:
    position = depth = 0
    comma = ""
    for _ in range(_MOST_TOKENS):
        match = _TOKEN.match(text, position) if depth <= _DEEPEST else None
        if match is None:
            break
        kind, piece, position = match.lastgroup, match[0], match.end()
        if kind == "comment" and COMMENTS in taken:
            continue
        if piece == ",":
            yield comma
            comma = piece
            continue
        depth += (kind == "open") - (kind == "close")
        if kind != "space":  # a comma stands or falls with what follows it
            yield "" if kind == "close" and TRAILING_COMMAS in taken else comma
            comma = ""
        yield _piece(str(kind), piece, taken)
        if kind == "close" and depth <= 0 and TEXT_AFTER_END in taken:
            return
    yield comma + text[position:]


def _piece(kind: str, piece: str, taken: Collection[str]) -> str:
    if kind == "number":
        return _number(piece, taken)
    if kind == "single" and SINGLE_QUOTES in taken:
        kind, piece = "text", f'"{_ESCAPE.sub(_requoted, piece[1:-1])}"'
    if kind == "text" and LONE_SURROGATES in taken and _SURROGATE.search(piece):
        return f'"{_ESCAPE.sub(_paired, piece[1:-1])}"'
    return piece


def _requoted(escape: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(escape[0], escape[0])


def _paired(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["lone"] else escape[0]


def _number(piece: str, taken: Collection[str]) -> str:
    if PLUS_SIGNS in taken:
        piece = piece.removeprefix("+")
    if LEADING_ZEROS in taken:
        piece = re.sub(r"^(-?)0+(?=[0-9])", r"\1", piece)
    return re.sub(r"^(-?)\.", r"\g<1>0.", piece) if LEADING_DOTS in taken else piece
