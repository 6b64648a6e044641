"""Which web pages of others may call the API (CORS). The admin API takes requests of none of them."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.router import Router

_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[^\s/:?#@\[\]]+)(?::[0-9]+)?")


class NotAnOrigin(ValueError):
    """A text is neither an origin nor `*`; the message says what one is."""


def origins_in(written: Iterable[str]) -> Sequence[str]:
    """The origins in texts, which commas may separate. NotAnOrigin."""
    origins = [origin.strip().lower() for text in written for origin in text.split(",")]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise NotAnOrigin(f"{origin!r} is not an origin, such as http://localhost:3000, or * for all")
    return origins


class Cors(NamedTuple):
    """Pages of these origins may call by these methods, with any header and token, and read every header."""

    origins: Sequence[str]
    methods: Collection[str]

    def opened(self, router: Router) -> ASGIApp:
        """The app, with its API open to these pages."""
        cors = self.around(router)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            # A world has a CORS of its own.
            is_apart = router.names_world(path) or router.is_admin(path, scope["server"])
            await (router if is_apart else cors)(scope, receive, send)

        return app

    def around(self, app: ASGIApp) -> ASGIApp:
        """An app that is open to these pages. Preflights never reach it."""
        return CORSMiddleware(
            app,
            allow_origins=self.origins,
            allow_methods=sorted(self.methods),
            allow_headers=["*"],  # which names those that were asked for
            expose_headers=["*"],
            allow_private_network=True,
        )
