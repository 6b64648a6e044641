"""Who may use the admin API: no web page that somebody has open, and who has the key if there is one."""

import re
from collections.abc import Iterable
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from mock_server.endpoint import Check
from mock_server.problems import ADMIN_KEY, AdminKeyMissing, ForeignRequest, UnsupportedMediaType
from mock_server.spec import Operation

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/\[\]]+))(?::[0-9]*)?")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON = "application/json"
_KEY = re.compile(r"[!-~]+")


def is_probe(operation: Operation | None) -> bool:
    """Whether an operation of the admin API is for everybody: it shows and changes nothing."""
    return operation is not None and operation.scopes is None


class NotAKey(ValueError):
    """A key could not be sent in a header; the message says why."""


class OriginGate:
    """Lets through what no foreign web page can send.

    Its name for the server must be a loopback address, the address that it reached, or one of `hosts`: a
    page can give its own name the server's address (DNS rebinding). A browser says which page sends a
    request (Origin, and Sec-Fetch-Site of the W3C's Fetch Metadata), and asks before it sends JSON.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    def check_for(self, operation: Operation | None) -> Check | None:
        """The check of every operation but a probe; ForeignRequest, UnsupportedMediaType."""
        return None if is_probe(operation) else self._check

    def check_host(self, scope: Scope) -> None:
        """The check of the name alone, for pages that others may link to; ForeignRequest."""
        host = _sent(scope, b"host") or ""
        if not self._knows(host, scope["server"][0]):
            raise ForeignRequest(f"The admin API is not known as {host!r}; --allow-host makes it so.")

    def _check(self, scope: Scope) -> None:
        self.check_host(scope)
        host = _sent(scope, b"host")
        origin, site = _sent(scope, b"origin"), _sent(scope, b"sec-fetch-site")
        writes = scope["method"] not in _READS
        foreign = site not in {None, "same-origin"} if writes else site == "cross-site"
        if foreign or (origin is not None and origin.partition("://")[2] != host):
            raise ForeignRequest("The admin API takes no requests of other web pages.")
        if writes and _has_body(scope) and not _is_json(_sent(scope, b"content-type")):
            raise UnsupportedMediaType([_JSON])

    def _knows(self, host: str, reached: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1] or match[2]
        if name == "localhost" or name in self._hosts:
            return True
        address = _address(name)
        return address is not None and (address.is_loopback or address == _address(reached))


class KeyGate:
    """Lets through what has the key in its header. NotAKey."""

    def __init__(self, key: str) -> None:
        if not _KEY.fullmatch(key):
            raise NotAKey("a key is one or more visible characters of ASCII, without spaces")
        self._key = key.encode()

    def check_for(self, operation: Operation | None) -> Check | None:
        """The check of every operation but a probe; AdminKeyMissing."""
        return None if is_probe(operation) else self._check

    def _check(self, scope: Scope) -> None:
        name = ADMIN_KEY.lower().encode()
        sent = [value for key, value in scope["headers"] if key == name]
        if len(sent) != 1 or not compare_digest(sent[0], self._key):
            raise AdminKeyMissing


def _sent(scope: Scope, name: bytes) -> str | None:
    """A header, in lowercase; of several, all of them, which no check takes."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values).lower() if values else None


def _has_body(scope: Scope) -> bool:
    length = _sent(scope, b"content-length")
    return length not in {None, "0"} or any(
        _sent(scope, name) is not None for name in (b"content-type", b"transfer-encoding")
    )


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip() == _JSON


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
