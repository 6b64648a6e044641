"""Who we are at the target: an access token, fixed or fetched with OAuth 2 client credentials."""

import base64
import html
import logging
import math
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import requests
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from contract_tests.rules.exchange import NO_RESPONSE, Response
from contract_tests.safety.origin import Origin
from contract_tests.safety.road import Patience, TooLongError, Trip, is_trouble
from contract_tests.safety.tls import tls_cause

for _name in ("authlib", "httpcore2", "httpx2", "oauthlib", "requests", "urllib3"):
    # At the level DEBUG they tell what is sent, whatever the tests are run with.
    logging.getLogger(_name).setLevel(logging.WARNING)

TOKEN: Final = "ALVYS_TOKEN"  # noqa: S105 - the variable's name
CLIENT_ID: Final = "ALVYS_CLIENT_ID"
CLIENT_SECRET: Final = "ALVYS_CLIENT_SECRET"  # noqa: S105 - the variable's name
TOKEN_URL: Final = "ALVYS_TOKEN_URL"  # noqa: S105 - the variable's name
AUDIENCE: Final = "ALVYS_AUDIENCE"

_RENEWED_BEFORE_THE_END: Final = 60.0
"""Seconds; of a token that lives for less than four minutes, a quarter of its life."""
_TOKENS_KEPT: Final = 50
"""So many tokens, the latest, are looked for in what a target sends."""
_TIMEOUT_SECONDS: Final = 15
_SHORTEST: Final = 4
"""A shorter secret is not looked for in what is printed: it would be found everywhere."""

_OAUTH_ERRORS: Final = (
    "access_denied", "invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "server_error",
    "temporarily_unavailable", "unauthorized_client", "unsupported_grant_type",
)  # fmt: skip


class CredentialsError(Exception):
    """No token can be had. The message holds no secret."""


class Secret:
    """A text that no `repr`, `str`, log or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keeps the text."""
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        """Never the text."""
        return "Secret(…)"

    def __reduce__(self) -> str:
        """Refuses to be stored."""
        message = "a secret is not stored"
        raise TypeError(message)


class Credentials:
    """Hands out the access token of one run. Safe to call from threads."""

    def __init__(
        self,
        *,
        token: Secret | None = None,
        client_id: str = "",
        client_secret: Secret | None = None,
        token_url: str = "",
        audience: str = "",
    ) -> None:
        """Takes a fixed token, or what a token is fetched with. With neither, requests go without."""
        self._fixed = token
        self._client_id = client_id
        self._client_secret = client_secret
        self._token_url = token_url
        self._audience = audience
        self._lock = threading.Lock()
        self.clock: Callable[[], float] = time.monotonic
        """Tells the seconds that a token lives."""
        self.before_fetch: Callable[[], None] = lambda: None
        """Called before each request to the token endpoint: it counts like any other."""
        self.new_trip: Callable[[], Trip] = lambda: Trip(Patience(), time.sleep)
        """Gives the patience for one token."""
        self.trust: ssl.SSLContext | None = None
        """Whom to trust at the token endpoint beside the authorities that `requests` brings."""
        self._tokens: deque[Secret] = deque(maxlen=_TOKENS_KEPT)
        self._renewal = 0.0
        self._secrets = [secret for secret in (token, client_secret) if secret is not None]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """Reads the five variables; raises CredentialsError when some, but not all, are set."""
        token = environment.get(TOKEN, "").strip()
        if token:
            if re.fullmatch(r"[\x21-\x7e]+", token) is None:
                message = f"{TOKEN} may hold only visible ASCII characters."
                raise CredentialsError(message)
            return cls(token=Secret(token))
        needed = {name: environment.get(name, "").strip() for name in (CLIENT_ID, CLIENT_SECRET, TOKEN_URL)}
        missing = [name for name, value in needed.items() if not value]
        if len(missing) == len(needed):
            return cls()
        if missing:
            message = f"{' and '.join(missing)} must be set too: client credentials need all of them."
            raise CredentialsError(message)
        _check_token_url(needed[TOKEN_URL])
        return cls(
            client_id=needed[CLIENT_ID],
            client_secret=Secret(needed[CLIENT_SECRET]),
            token_url=needed[TOKEN_URL],
            audience=environment.get(AUDIENCE, "").strip(),
        )

    @property
    def exist(self) -> bool:
        """Whether requests carry a token."""
        return self._fixed is not None or self._client_secret is not None

    @property
    def can_refresh(self) -> bool:
        """Whether a refused token can be replaced by a new one."""
        return self._fixed is None and self._client_secret is not None

    def check_target(self, origin: Origin) -> None:
        """Raises CredentialsError when the token would travel unencrypted beyond this machine."""
        if self.exist and origin.scheme != "https" and not origin.on_loopback:
            message = f"credentials are sent only over https; {origin} is http."
            raise CredentialsError(message)

    def token(self) -> Secret | None:
        """The token to send, fetched if there is none or its end is near.

        Raises CredentialsError when the token endpoint gives none.
        """
        if not self.can_refresh:
            return self._fixed
        with self._lock:
            if not self._tokens or self.clock() >= self._renewal:
                self._fetch()
            return self._tokens[-1]

    def renew(self, refused: object) -> None:
        """Fetches a token in place of one that was refused; threads that ask for the same get one."""
        with self._lock:
            if not self._tokens or self._tokens[-1] is refused:
                self._fetch()

    def redact(self, content: bytes) -> bytes:
        """The bytes without any secret that this run knows: a target may echo what it was sent."""
        for secret in [*self._secrets, *self._tokens]:
            if len(secret.reveal()) >= _SHORTEST:
                content = _pattern(secret.reveal()).sub(b"[secret]", content)
        return content

    def _fetch(self) -> None:
        """Fetches a token, again and again while the road is bad."""
        trip = self.new_trip()
        while True:
            self.before_fetch()
            began = self.clock()
            try:
                fetched = self._fetch_once()
                break
            except OAuthError as error:
                raise CredentialsError(f"the token endpoint refused: {_safe(error.error)}.") from None
            except Exception as error:  # noqa: BLE001
                # Whatever the endpoint did to the library, the way there holds the secret.
                _wait_after(error, trip)
        token = fetched.get("access_token")
        if not isinstance(token, str) or re.fullmatch(r"[\x21-\x7e]+", token) is None:
            message = "the token endpoint gave no usable token."
            raise CredentialsError(message)
        life = _seconds(fetched.get("expires_in"))
        self._renewal = began + life - min(_RENEWED_BEFORE_THE_END, life / 4)
        self._tokens.append(Secret(token))

    def _fetch_once(self) -> Mapping[str, Any]:
        secret = self._client_secret
        if secret is None:
            return {}
        session = OAuth2Session(
            self._client_id,
            secret.reveal(),
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method, not a secret
        )
        session.trust_env = False
        session.mount("https://", _Adapter(self.trust))
        session.register_compliance_hook("access_token_response", _checked)
        extra = {"audience": self._audience} if self._audience else {}
        with session:
            fetched: Mapping[str, Any] = session.fetch_token(
                self._token_url,
                grant_type="client_credentials",
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
                **extra,
            )
        return fetched


class _Adapter(HTTPAdapter):
    """Connections that trust whom a context trusts."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)


def _checked(received: requests.Response) -> requests.Response:
    """The response of the token endpoint, unless it asks for patience: then it is raised as an error."""
    if received.status_code == requests.codes.too_many:
        received.raise_for_status()
    return received


def _wait_after(error: Exception, trip: Trip) -> None:
    """Waits before a token is asked for again. CredentialsError if that is no use or would take too long."""
    cause = tls_cause(error)
    if cause is not None:
        raise CredentialsError(f"the token endpoint cannot be reached safely: {cause}.") from None
    response = _received(error)
    if response is not None:
        trip.met.append(response.status)
    try:
        if response is not None and trip.may_repeat_a_read(response.status):
            trip.wait(response)
            return
    except TooLongError as too_long:
        raise CredentialsError(f"the token endpoint: {too_long}.") from None
    name = type(error).__name__
    if isinstance(error, requests.RequestException) and error.response is not None:
        name = str(error.response.status_code)
    raise CredentialsError(f"the token endpoint gave no token ({name}).") from None


def _received(error: Exception) -> Response | None:
    """What came instead of a token, if the road may be why; without its body, which may hold anything."""
    received = error.response if isinstance(error, requests.RequestException) else None
    if received is None:
        lost = isinstance(error, requests.ConnectionError | requests.Timeout)
        return Response(NO_RESPONSE, {}, type(error).__name__.encode()) if lost else None
    headers = {name.lower(): value for name, value in received.headers.items()}
    response = Response(received.status_code, headers, b"")
    waits = response.status == requests.codes.too_many or is_trouble(response)
    return response if waits else None


def _seconds(expires_in: object) -> float:
    """How long a token lives; endless where nobody says: then it is renewed when it is refused."""
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else math.inf
    except (ValueError, OverflowError):
        return math.inf
    return seconds if seconds > 0 else math.inf


@lru_cache
def _pattern(text: str) -> re.Pattern[bytes]:
    """The secret as a target may echo it: as it is, escaped as in JSON or a URL, or within base64."""
    return re.compile(b"|".join([b"".join(map(_escapes, text)), *_in_base64(text.encode())]))


def _escapes(character: str) -> bytes:
    """A pattern of one character, however JSON (also within JSON), a URL or HTML may write it."""
    code, utf16 = ord(character), character.encode("utf-16-be").hex()
    units = [utf16[at : at + 4] for at in range(0, len(utf16), 4)]
    ways = [
        ("" if character.isalnum() else r"\\{0,8}") + re.escape(character),
        "".join(rf"\\{{1,8}}u(?i:{unit})" for unit in units),
        "".join(rf"%(?:25){{0,3}}(?i:{byte:02x})" for byte in character.encode()),
        rf"&#(?:{code}|[xX]0{{0,6}}(?i:{code:x}));",
    ]
    ways += [re.escape(name) for name in (html.escape(character),) if name != character]
    return f"(?:{'|'.join(ways)})".encode()


def _in_base64(content: bytes) -> Iterator[bytes]:
    """Patterns of base64 in which the bytes are anywhere, as in `id:secret`, up to its end.

    Base64 makes four characters of three bytes, so there are three ways to write the same bytes.
    """
    for before, begin in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b"\0" * before + content).rstrip(b"=")
        whole = (before + len(content)) * 8 // 6
        core, rest = encoded[begin:whole], encoded[whole:]
        if len(core) >= _SHORTEST:
            end = b"(?:" + _of_base64(rest) + b"(?:=|%3[dD]){0,2})?" if rest else b""
            yield _of_base64(core) + end


def _of_base64(encoded: bytes) -> bytes:
    """A pattern of base64 in either alphabet."""
    other = {"+": b"|" + _escapes("-"), "/": b"|" + _escapes("_")}
    return b"".join(
        character.encode() if character.isalnum() else b"(?:" + _escapes(character) + other[character] + b")"
        for character in encoded.decode()
    )


def _safe(code: object) -> str:
    """The error's code if RFC 6749 knows it: an endpoint may echo what it was sent."""
    return str(code) if code in _OAUTH_ERRORS else "no reason given"


def _check_token_url(url: str) -> None:
    try:
        origin = Origin.parse(url)
    except ValueError as error:
        message = f"{TOKEN_URL}: {error}"
        raise CredentialsError(message) from None
    if origin.scheme != "https" and not origin.on_loopback:
        message = f"{TOKEN_URL} must start with https://, because the secret is sent to it."
        raise CredentialsError(message)
