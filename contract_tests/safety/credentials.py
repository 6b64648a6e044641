"""Who we are at the target: an access token, fixed or fetched with OAuth 2 client credentials."""

import base64
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

from contract_tests.safety.origin import Origin

for _name in ("authlib", "httpcore2", "httpx2", "oauthlib", "requests", "urllib3"):
    # At the level DEBUG they tell what is sent, whatever the tests are run with.
    logging.getLogger(_name).setLevel(logging.WARNING)

TOKEN: Final = "ALVYS_TOKEN"  # noqa: S105 - the variable's name
CLIENT_ID: Final = "ALVYS_CLIENT_ID"
CLIENT_SECRET: Final = "ALVYS_CLIENT_SECRET"  # noqa: S105 - the variable's name
TOKEN_URL: Final = "ALVYS_TOKEN_URL"  # noqa: S105 - the variable's name
AUDIENCE: Final = "ALVYS_AUDIENCE"

_EXPIRY_LEEWAY_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 15
_SHORTEST: Final = 4
"""A shorter secret is not looked for in what is printed: it would be found everywhere."""


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
        self.before_fetch: Callable[[], None] = lambda: None
        """Called before each request to the token endpoint: it counts like any other."""
        self._session: OAuth2Session | None = None
        self._given: list[Secret] = [secret for secret in (token, client_secret) if secret is not None]

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
        """The token to send, fetched if there is none or it expires within a minute.

        Raises CredentialsError when the token endpoint gives none.
        """
        if not self.can_refresh:
            return self._fixed
        with self._lock:
            if self._session is None or self._session.token.is_expired(_EXPIRY_LEEWAY_SECONDS):
                self._fetch()
            return self._given[-1]

    def refreshed(self, refused: Secret | None) -> Secret | None:
        """A token other than the one that was refused; several threads that ask get the same one."""
        with self._lock:
            if refused is None or self._given[-1] is refused:
                self._fetch()
            return self._given[-1]

    def redact(self, content: bytes) -> bytes:
        """The bytes without any secret that this run knows: a target may echo what it was sent."""
        for secret in list(self._given):
            if len(secret.reveal()) >= _SHORTEST:
                for written in _writings(secret.reveal(), self._client_id):
                    content = content.replace(written, b"[secret]")
        return content

    def _fetch(self) -> None:
        secret = self._client_secret
        if secret is None:
            return
        session = OAuth2Session(
            self._client_id,
            secret.reveal(),
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method, not a secret
        )
        session.trust_env = False
        self.before_fetch()
        extra = {"audience": self._audience} if self._audience else {}
        try:
            fetched = session.fetch_token(
                self._token_url,
                grant_type="client_credentials",
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
                **extra,
            )
            token = fetched["access_token"]
        except OAuthError as error:
            raise CredentialsError(f"the token endpoint refused: {_safe(error.error)}.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CredentialsError(f"the token endpoint gave no token ({type(error).__name__}).") from None
        if not isinstance(token, str) or re.fullmatch(r"[\x21-\x7e]+", token) is None:
            message = "the token endpoint gave no usable token."
            raise CredentialsError(message)
        self._session = session
        self._given.append(Secret(token))


def _writings(secret: str, client_id: str) -> list[bytes]:
    """The secret as a target may echo it: as it is, in base64, in a URL, in JSON. The longest first."""
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    plain = base64.b64encode(secret.encode()).decode()
    escaped = json.dumps(secret)[1:-1]
    units = [f"{ord(character):04x}" for character in secret]
    texts = {
        secret, basic, plain, basic.rstrip("="), plain.rstrip("="), quote(secret, safe=""),
        quote(secret, safe="").lower(), quote(secret), escaped, escaped.replace("/", "\\/"),
        "".join(f"\\u{unit}" for unit in units), "".join(f"\\u{unit.upper()}" for unit in units),
    }  # fmt: skip
    return [text.encode() for text in sorted(texts, key=len, reverse=True)]


def _safe(code: object) -> str:
    """The error's code if it looks like one: an endpoint may echo what it was sent."""
    text = str(code)
    return text if re.fullmatch(r"[a-z_]{1,40}", text) else "no reason given"


def _check_token_url(url: str) -> None:
    try:
        origin = Origin.parse(url)
    except ValueError as error:
        message = f"{TOKEN_URL}: {error}"
        raise CredentialsError(message) from None
    if origin.scheme != "https" and not origin.on_loopback:
        message = f"{TOKEN_URL} must start with https://, because the secret is sent to it."
        raise CredentialsError(message)
