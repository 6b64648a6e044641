"""What a request would do at a lenient server, read from its bytes and from nothing else.

The reader errs on the side of money: whatever some server might take for a load number or an amount
counts, in every encoding, under every repeated field, in a query, and in text that is not JSON at all.
"""

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

IMPOSSIBLE_PREFIX: Final = "ct-no-such-load-"
"""No load has a number that starts like this; the prefix is this suite's own."""

_READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OVERRIDES: Final = ("x-http-method", "x-http-method-override", "x-method-override", "x-method")
_PAYMENTS: Final = re.compile(r"/api/p/v[^/]*/invoices/customer-payments")
_SEARCH: Final = re.compile(r"/api/p/v[^/]*/(?:loads|invoices)/search")
_LOAD_KEY: Final = re.compile(r"(?<!</)load[\W_]*number", re.IGNORECASE)
_AFTER_KEY: Final = re.compile(r"""([^\w<&,}\]-]*)([^"'&<,}\]\r\n\\]{0,200})""")
_PLAIN_GAP: Final = re.compile(r"""[\s"'\\]*[:=>][\s"'\\]*""")
"""Between a key and its only value. A comment, a list or a CDATA section may hide another one."""
_AMOUNT_IN_TEXT: Final = re.compile(r"amount[^\w<&.,}\]]*([^,}\]\r\n&<]{0,80})", re.IGNORECASE)
"""An amount that is empty holds no number of the fields after it: a reader may take what is open."""
_MONEY_IN_TEXT: Final = re.compile(r"""amount["'\\\s:=]*\{([^{}]{0,400})""", re.IGNORECASE)
"""What is in the object of an amount, which may lack an amount of its own."""
_DOCUMENT_IN_TEXT: Final = re.compile(
    r"(?:invoice|check|reference)[\W_]*number[\"'\\\s:=>]*([^\"'&<,}\]\r\n\\]{0,200})", re.IGNORECASE
)
_DOCUMENTS: Final = ("invoicenumber", "checknumber", "referencenumber")
_DIGITS: Final = 12
"""A currency with more digits than this is not kept."""
_NUMBER_IN_TEXT: Final = re.compile(
    r"0[xX](?P<hex>[0-9a-fA-F]{1,40})|(?P<number>\d[\d.,'_\s]*|[.,]\d+)(?P<exponent>(?:[eE][+-]?\d{1,7})?)"
)
_LARGEST_EXPONENT: Final = 20
"""An amount with more digits before its point is endless: no budget has room for it."""
_ENDLESS: Final = Decimal("Infinity")


class Action(Enum):
    """What kind of request it is."""

    READ = "read"
    PAYMENT = "payment"
    OTHER = "other"
    """Neither: a write elsewhere, or a method that the path does not take."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a request would do.

    `opaque` says that its body could hide something from this reader, `renamed` that a reader who
    compares names exactly finds no load in it.
    `loads` are all numbers that it might name. `amount` is the largest that it might mean, whatever its
    sign, and endless where none can be read: a service may take what is open. `reference` is its one
    ReferenceNumber, or None when it has none or several. `documents` are all numbers by which a service
    might find something else: invoice, check and reference numbers. `empty` says that it has no body, and
    that its path, which may name a load too, is not one of payments.
    """

    action: Action
    method: str
    loads: frozenset[str] = frozenset()
    amount: Decimal = _ENDLESS
    currency: int | None = None
    reference: str | None = None
    documents: tuple[str, ...] = ()
    empty: bool = True
    opaque: bool = False
    renamed: bool = False

    @property
    def possible_loads(self) -> frozenset[str]:
        """The named loads that could exist."""
        return frozenset(load for load in self.loads if not is_impossible(load))

    @property
    def cannot_record(self) -> bool:
        """Whether a write elsewhere than on the payments path names no load that can exist."""
        if self.opaque or self.possible_loads:
            return False
        return bool(self.loads) or (self.empty and self.method != "DELETE")


def is_impossible(load_number: str) -> bool:
    """Whether no load can have this number, because it starts with the suite's own prefix."""
    return unicodedata.normalize("NFKC", load_number).strip().casefold().startswith(IMPOSSIBLE_PREFIX)


def intent_of(method: str, raw_path: bytes, headers: Mapping[str, str], content: bytes) -> Intent:
    """Reads a request as it goes over the wire: `raw_path` holds the query, header names any case."""
    lowered = {name.lower(): value for name, value in headers.items()}
    path, _, query = raw_path.partition(b"?")
    methods = {method.upper()} | {lowered[name].strip().upper() for name in _OVERRIDES if name in lowered}
    writes = sorted(methods - _READ_METHODS)
    if not writes:
        return Intent(Action.READ, method.upper())
    action = _action(writes, path)
    if action is Action.READ:
        return Intent(Action.READ, writes[0])
    body = _read_body(content, lowered.get("content-type", ""))
    named = body.loads | _in_query(query)
    references = set(body.references)
    return Intent(
        action,
        writes[0],
        loads=frozenset(named),
        amount=max(body.amounts, default=_ENDLESS),
        currency=body.currencies[0] if body.currencies else None,
        reference=references.pop() if len(references) == 1 else None,
        documents=tuple(body.documents),
        empty=not content.strip() and "payment" not in _normalised(path),
        opaque=body.opaque or _is_coded(lowered),
        renamed=body.renamed,
    )


def _action(writes: list[str], path: bytes) -> Action:
    plain = _normalised(path)
    if "customer-payment" in plain or "customerpayment" in plain:
        return Action.PAYMENT if _PAYMENTS.fullmatch(plain) else Action.OTHER
    if writes == ["POST"] and _SEARCH.fullmatch(plain) and not re.search(rb"[%;\\]|\.\.|//", path):
        return Action.READ
    return Action.OTHER


def _normalised(path: bytes) -> str:
    """The path as a forgiving router sees it: decoded, one slash, no dots, no parameters, lowercase."""
    for _ in range(5):
        decoded = unquote_to_bytes(path)
        if decoded == path:
            break
        path = decoded
    text = unicodedata.normalize("NFKC", path.decode("utf-8", "replace")).casefold().replace("\\", "/")
    segments: list[str] = []
    for segment in (part.partition(";")[0].strip() for part in text.split("/")):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    joined = "/" + "/".join(segments)
    start = joined.find("/api/p/")
    return joined[max(start, 0) :]


def _is_coded(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}


def _in_query(query: bytes) -> set[str]:
    pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=False)
    return {value.strip() for name, value in pairs if _LOAD_KEY.search(_folded(name)) and value.strip()}


def _is_field(name: str, wanted: str) -> bool:
    """Compares the way forgiving readers do: no case, and no punctuation (`load_number`)."""
    return re.sub(r"[\W_]", "", _folded(name)) == wanted


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


@dataclass(slots=True)
class _Body:
    loads: set[str]
    amounts: list[Decimal]
    currencies: list[int]
    references: list[str]
    documents: list[str]
    opaque: bool = False
    renamed: bool = False


class _Fields:
    """A JSON object with every field it was written with, repeated ones too."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _read_body(content: bytes, media_type: str) -> _Body:
    body = _Body(set(), [], [], [], [])
    if not content.strip():
        return body
    texts, body.opaque = _decodings(content, media_type)
    for text in texts:
        tree = _parsed(text)
        if tree is _NOT_JSON:
            _read_text(text, body)
        else:
            _read_tree(tree, body)
    return body


_NOT_JSON: Final = object()


def _parsed(text: str) -> object:
    """The tree that a lenient JSON reader makes of the text, or _NOT_JSON."""
    decoder: Callable[[str], object] = json.JSONDecoder(
        object_pairs_hook=_Fields,
        parse_float=_decimal,
        parse_int=_decimal,
        parse_constant=lambda _name: _ENDLESS,
        strict=False,
    ).decode
    try:
        tree = decoder(text.lstrip("\ufeff").strip("\x00 \t\r\n"))
    except (ValueError, RecursionError):
        return _NOT_JSON
    return _NOT_JSON if isinstance(tree, str) else tree


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return _ENDLESS


def _decodings(content: bytes, media_type: str) -> tuple[list[str], bool]:
    """Every text that the bytes may stand for, and whether there may be one we cannot read."""
    texts = [content.decode("utf-8", "replace")]
    charsets = re.findall(r"charset\s*=\s*\"?([^\s;\"]+)", media_type, re.IGNORECASE)
    opaque = False
    names = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"] if b"\x00" in content[:8] else []
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        names.append("utf-16")
    names += [charset for charset in charsets if charset.lower() not in {"utf-8", "utf8"}]
    for name in names:
        try:
            texts.append(content.decode(name, "replace"))
        except (LookupError, UnicodeError, ValueError):
            opaque = True
    return texts, opaque


def _read_tree(tree: object, body: _Body) -> None:
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, _Fields):
            _read_fields(node, body)
            pending.extend(value for _, value in node.pairs)


def _read_fields(fields: _Fields, body: _Body) -> None:
    if any(_is_field(name, "loadnumber") for name, _ in fields.pairs):
        _read_names(fields, body)
    patches = any(_is_field(str(v), "loadnumber") for n, v in fields.pairs if _is_field(n, "path"))
    for name, value in fields.pairs:
        if _is_field(name, "loadnumber") or (patches and _is_field(name, "value")):
            named = {text.strip(" \t\r\n") for text in _scalars(value)}
            # Another field may name a load; a reader for whom this one counts, finds none, or any.
            body.opaque = body.opaque or not named - {""}
            body.loads |= named - {""}
        elif _is_field(name, "amount"):
            if not isinstance(value, _Fields):
                body.amounts.extend(_numbers(value) if value is not None else [_ENDLESS])
            elif not any(_is_field(inner, "amount") for inner, _ in value.pairs):
                body.amounts.append(_ENDLESS)
        elif _is_field(name, "currency") and isinstance(value, Decimal) and value.adjusted() < _DIGITS:
            body.currencies.append(int(value))
        elif _is_field(name, "referencenumber"):
            body.references.extend(_scalars(value))
        if any(_is_field(name, known) for known in _DOCUMENTS):
            body.documents.extend(_scalars(value))


def _read_names(fields: _Fields, body: _Body) -> None:
    """Notes what a reader would miss who compares names exactly: the load, or the amount."""
    body.renamed = body.renamed or "LoadNumber" not in dict(fields.pairs)
    monies = [value for name, value in fields.pairs if name == "Amount"]
    if not monies or any(map(_lacks_amount, monies)):
        body.amounts.append(_ENDLESS)


def _lacks_amount(money: object) -> bool:
    if isinstance(money, _Fields):
        money = dict(money.pairs).get("Amount")
    return money is None or isinstance(money, list | _Fields)


def _scalars(value: object) -> Iterator[str]:
    """The texts and numbers in a value, however deep."""
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, _Fields):
            pending.extend(inner for _, inner in node.pairs)
        elif isinstance(node, str):
            yield node
        elif isinstance(node, bool):
            yield str(int(node))
        elif isinstance(node, Decimal):
            yield str(node)


def _numbers(value: object) -> Iterator[Decimal]:
    """The largest number that each text might mean to a lenient reader; endless where there is none."""
    for text in _scalars(value):
        yield max(map(_size, _readings(text.strip())), default=_ENDLESS)


def _readings(text: str) -> Iterator[str]:
    """The text as a number, and every number in it, whichever mark its decimals have."""
    yield from (text,) if _is_number(text) else ()
    for found in _NUMBER_IN_TEXT.finditer(unicodedata.normalize("NFKC", text)):
        if found["hex"]:
            yield str(int(found["hex"], 16))
            continue
        number = re.sub(r"[\s_']", "", found["number"])
        for mark, other in ((".", ","), (",", ".")):
            if other not in number or re.search(rf"\{other}\d\d\d(?!\d)", number):
                yield _joined(number.replace(other, ""), mark) + found["exponent"]


def _joined(number: str, mark: str) -> str:
    """A number with one mark for its decimals; several of it only group the digits."""
    return number.replace(mark, "." if number.count(mark) == 1 else "")


def _is_number(text: str) -> bool:
    return _decimal(text) != _ENDLESS or "inf" in text.casefold()


def _size(text: str) -> Decimal:
    number = _decimal(text)
    return _ENDLESS if number.is_nan() or number.adjusted() > _LARGEST_EXPONENT else number.copy_abs()


def _read_text(text: str, body: _Body) -> None:
    plain = _unescaped(text)
    for version in {text, plain, plain.replace("\x00", "")}:
        for key in _LOAD_KEY.finditer(version):
            value = _AFTER_KEY.match(version, key.end())
            number = value[2].strip() if value else ""
            body.loads.update({number} - {""})
            if value is None or not number or not _PLAIN_GAP.fullmatch(value[1]):
                body.opaque = True
        body.amounts.extend(_numbers(_AMOUNT_IN_TEXT.findall(version)))
        misspelt = set(re.findall("amount", version, re.IGNORECASE)) - {"Amount"}
        if misspelt or any("Amount" not in money for money in _MONEY_IN_TEXT.findall(version)):
            # A reader who compares names exactly misses it, and may take what is open.
            body.amounts.append(_ENDLESS)
        body.documents.extend(found for found in _DOCUMENT_IN_TEXT.findall(version))


def _unescaped(text: str) -> str:
    """The text with the escapes of JSON, forms and XML undone."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    text = unquote_to_bytes(text.replace("+", " ").encode("utf-8", "replace")).decode("utf-8", "replace")
    return unicodedata.normalize("NFKC", html.unescape(text)).replace("\\", "")
