"""Access tokens: who gets one, what is in it, and which requests it lets through."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.types import Scope

from mock_server.clock import Clock
from mock_server.handlers import Handler, ValidRequest
from mock_server.problems import (
    ClientRefused,
    GrantRefused,
    KeyMissing,
    ScopeMissing,
    TokenRefused,
    oauth_error,
)
from mock_server.responses import Fields
from mock_server.spec import Demand, Operation, TokenTerms

GRANT_TYPE = "client_credentials"
DEFAULT_LIFETIME = 3600
"""Seconds, as published."""

_ALGORITHM = "HS256"
_MOST_CHECKED = 1000
"""How many tokens are remembered, so that a signature is checked once and not for every request."""
_LONGEST_KEPT = 4096
"""Bytes of an Authorization header whose token is remembered; white space makes it as long as one likes."""


class NotAClient(ValueError):
    """A text does not describe a client; the message says how to write one."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client of the token endpoint. Every token has all scopes of its client."""

    id: str
    secret: str
    scopes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "OAuthClient":
        """Reads `ID:SECRET:SCOPES`, the scopes separated by commas or spaces. NotAClient."""
        name, secret, scopes = [*text.split(":", 2), "", ""][:3]
        if not (name and secret and scopes.strip(" ,")):
            raise NotAClient(f"{text!r} is not a client; write it as ID:SECRET:SCOPE,SCOPE")
        return cls(name, secret, tuple(scopes.replace(",", " ").split()))


class IssuedToken(NamedTuple):
    """A successful response of the token endpoint, by its published names; `expires_in` is in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class _Known(NamedTuple):
    expires_at: int
    scopes: frozenset[str]


class Tokens:
    """Issues signed tokens to its clients, and recognises them by its key."""

    def __init__(
        self,
        clock: Clock,
        terms: TokenTerms,
        clients: Sequence[OAuthClient] = (),
        lifetime: int = DEFAULT_LIFETIME,
    ) -> None:
        """Without clients there is one, `sandbox`, who has all scopes."""
        self.clients = tuple(clients) or (OAuthClient("sandbox", "sandbox-secret", terms.scopes),)
        self._terms = terms
        self._clock = clock
        self._lifetime = lifetime
        self.reset()

    def reset(self) -> None:
        """Makes every token so far invalid."""
        self.become({"key": secrets.token_hex(32)})

    def kept(self) -> Mapping[str, object]:
        """What `become` takes, for another mock to know the same tokens: a secret."""
        return {"key": self._key.hex()}

    def become(self, kept: Any) -> None:
        """Knows the tokens that another knew, and no others."""
        self._key = bytes.fromhex(kept["key"])
        self._known: dict[bytes, _Known] = {}

    def issue(self, asked: Mapping[str, str]) -> IssuedToken:
        """A token for whoever asks, by the published fields of the request; ClientRefused, GrantRefused."""
        if asked["grant_type"] != GRANT_TYPE:
            raise GrantRefused("unsupported_grant_type", f"Grant type must be {GRANT_TYPE}.")
        client = next((each for each in self.clients if each.id == asked["client_id"]), None)
        if client is None or not secrets.compare_digest(
            client.secret.encode(), asked["client_secret"].encode("utf-8", "replace")
        ):
            raise ClientRefused
        if asked["audience"] != self._terms.audience:
            raise GrantRefused("access_denied", f"The audience must be {self._terms.audience}.")
        if not set((asked.get("scope") or "").split()) <= set(client.scopes):
            raise GrantRefused(
                "access_denied", "The request asks for a scope that the client was not granted."
            )
        return IssuedToken(self.token_for(client), "Bearer", self._lifetime, " ".join(client.scopes))

    def token_for(self, client: OAuthClient, **claims: object) -> str:
        """A signed token; `claims` replace the usual ones."""
        import jwt  # noqa: PLC0415 - its memory is for those who use tokens

        now = int(self._clock.seconds())
        usual = {
            "iss": self._terms.issuer,
            "sub": f"{client.id}@clients",
            "aud": self._terms.audience,
            "iat": now,
            "exp": now + self._lifetime,
            "scope": " ".join(client.scopes),
            "gty": "client-credentials",
            "org_id": "org_sandbox",
            "org_name": "sandbox",
        }
        return jwt.encode({**usual, **claims}, self._key, algorithm=_ALGORITHM)

    def scopes_of(self, authorization: bytes | None) -> frozenset[str]:
        """The scopes of the token in an Authorization header; TokenRefused."""
        if authorization is None:
            raise TokenRefused
        known = self._known.get(authorization)
        if known is None:
            scheme, _, token = authorization.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise TokenRefused("The Authorization header must be: Bearer TOKEN")
            known = self._verified(token)
            while len(self._known) >= _MOST_CHECKED:
                del self._known[next(iter(self._known))]
            if len(authorization) <= _LONGEST_KEPT:
                self._known[authorization] = known
        if known.expires_at <= self._clock.seconds():
            raise TokenRefused("The token has expired", known.expires_at)
        return known.scopes

    def _verified(self, token: str) -> _Known:
        import jwt  # noqa: PLC0415 - its memory is for those who use tokens

        try:
            # Its times are compared with a clock that can be moved, so not here.
            options: jwt.types.Options = {"verify_exp": False, "verify_iat": False, "require": ["exp", "aud"]}
            claims = jwt.decode(
                token.strip(),
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._terms.audience,
                options=options,
            )
        except jwt.InvalidAudienceError as error:
            raise TokenRefused("The token is for another audience") from error
        except jwt.InvalidSignatureError as error:
            raise TokenRefused("The signature of the token is wrong") from error
        except jwt.InvalidTokenError as error:
            raise TokenRefused("The token is malformed") from error
        return _Known(claims["exp"], frozenset(str(claims.get("scope", "")).split()))


class TokenGate:
    """Lets through who has a valid token with the scopes that the spec asks for."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def check_for(self, operation: Operation | None) -> Callable[[Scope], None] | None:
        """The check for one operation; a path that no operation has needs a token too (A10)."""
        scopes = () if operation is None else operation.scopes
        if scopes is None:
            return None
        if operation is not None and operation.foreign is not None:
            return partial(self._pass_one, operation.foreign.ways)
        needed = frozenset(scopes)
        scopes_of = self._tokens.scopes_of

        def check(scope: Scope) -> None:
            if not needed <= scopes_of(authorization_of(scope)):
                raise ScopeMissing(sorted(needed))

        return check

    def _pass_one(self, ways: Sequence[Sequence[Demand]], scope: Scope) -> None:
        """Lets through who meets all demands of one of the ways in; else says what the first one lacks."""
        refusals: list[Exception] = []
        for way in ways:
            try:
                for demand in way:
                    self._meet(demand, scope)
            except (TokenRefused, ScopeMissing, KeyMissing) as refusal:
                refusals.append(refusal.with_traceback(None))
            else:
                return
        raise refusals[0]

    def _meet(self, demand: Demand, scope: Scope) -> None:
        authorization = authorization_of(scope)
        if demand.kind == "token":
            if not {*demand.scopes} <= self._tokens.scopes_of(authorization):
                raise ScopeMissing(sorted(demand.scopes))
        elif demand.kind == "basic":
            if not (authorization or b"").lower().startswith(b"basic "):
                raise KeyMissing(demand.kind, demand.name)
        elif not _has_key(demand, scope):
            raise KeyMissing(demand.kind, demand.name)


def _has_key(demand: Demand, scope: Scope) -> bool:
    """Whether a request has a key, of whatever value, where its scheme wants it."""
    if demand.kind == "query":
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return any(name == demand.name for name, _ in query)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    if demand.kind == "cookie":
        cookies = [part for name, value in headers if name == "cookie" for part in value.split(";")]
        return any(cookie.partition("=")[0].strip() == demand.name for cookie in cookies)
    return any(name == demand.name.lower() and value for name, value in headers)


def authorization_of(scope: Scope) -> bytes | None:
    """The Authorization header of a request; of several, all of them, which is not a token."""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            found = value if found is None else b"%b, %b" % (found, value)
    return found


def token_of(authorization: bytes) -> bytes:
    """What tells one token from another, however the header is spelled.

    Of a signed token, what is signed: a signature can be spelled with or without its padding.
    """
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else authorization.decode("latin-1")
    signed, _, _ = token.rpartition(".")
    return (signed if "." in signed else token).encode("latin-1")


TOKEN = Fields[IssuedToken](
    {
        "access_token": lambda token: token.access_token,
        "token_type": lambda token: token.token_type,
        "expires_in": lambda token: token.expires_in,
        "scope": lambda token: token.scope,
    }
)


def token_handlers(tokens: Tokens) -> Mapping[str, Handler[Any]]:
    """The handlers of the token endpoints, by operationId."""

    async def issue(request: ValidRequest) -> IssuedToken:
        return tokens.issue(request.body)

    handler = Handler(issue, TOKEN, refuse=oauth_error, headers={"cache-control": "no-store"})
    return {"issueToken": handler, "issueTenantToken": handler}
