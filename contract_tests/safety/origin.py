"""Where requests may go: one scheme, host and port."""

import ipaddress
from dataclasses import dataclass
from typing import Final

import httpx2

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A base URL, taken apart. `path` is a prefix of every path, without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Reads a base URL; raises ValueError with a sentence when it is not one.

        A user, a password, a query or a fragment in it is an error: a secret there would be printed.
        """
        try:
            url = httpx2.URL(text)
        except (httpx2.InvalidURL, UnicodeError):
            message = "that is not a URL."
            raise ValueError(message) from None
        if url.scheme not in _PORTS or not url.host:
            message = "it must be 'mock' or a URL that starts with https:// or http://."
            raise ValueError(message)
        if url.userinfo or url.query or url.fragment:
            message = "the URL may hold no user, password, query or fragment."
            raise ValueError(message)
        return cls(url.scheme, url.host, url.port or _PORTS[url.scheme], url.path.rstrip("/"))

    @property
    def on_loopback(self) -> bool:
        """Whether the host is this machine's own loopback."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def is_of(self, url: httpx2.URL) -> bool:
        """Whether a request to this URL would go to this scheme, host and port."""
        here = (self.scheme, self.host, self.port)
        return here == (url.scheme, url.host, url.port or _PORTS.get(url.scheme)) and not url.userinfo

    def __str__(self) -> str:
        """The base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if _PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"
