"""Access tokens of the reference server: OAuth 2 client credentials, with a clock of its own."""

from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
CLIENT = {"client_id": "evaluation", "client_secret": "a-secret-of-the-evaluation"}


def token_of(authorization: str) -> str:
    """The token in a header of the scheme Bearer; else nothing."""
    scheme, _, token = authorization.partition(" ")
    return token if scheme.lower() == "bearer" else ""


class Tokens:
    """Gives out tokens that live so many seconds. They are counted, so that a witness can name one."""

    def __init__(self, clock: Callable[[], float], seconds: int) -> None:
        """Begins with no token. The clock counts seconds."""
        self.clock = clock
        self.seconds = seconds
        self.expiry: dict[str, float] = {}

    def know(self, token: str) -> bool:
        """Whether the token is valid now."""
        return self.clock() < self.expiry.get(token, 0.0)

    async def respond(self, request: Request) -> Response:
        """Answers a request for a token, in JSON or as a form."""
        body = await request.body()
        if request.headers.get("content-type", "").startswith("application/json"):
            sent = await request.json()
        else:
            sent = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        if sent.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 403)
        if {name: sent.get(name) for name in CLIENT} != CLIENT:
            return JSONResponse({"error": "access_denied", "error_description": "Unauthorized"}, 401)
        token = f"Reference-Token-{len(self.expiry) + 1:04}"
        self.expiry[token] = self.clock() + self.seconds
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": self.seconds})
