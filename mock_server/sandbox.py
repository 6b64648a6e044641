"""One whole mock: the API, and what its settings switch on. What is off is not there."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_server.admin import Admin, AdminDocument, admin_handlers, admin_spec
from mock_server.clock import Clock
from mock_server.console.routes import HOME, Console
from mock_server.domain import Load
from mock_server.endpoint import DEFAULT_MAX_BODY, Gate
from mock_server.faults import Faults, read_fault
from mock_server.journal import DEFAULT_BODY_LIMIT, DEFAULT_ENTRIES
from mock_server.ledger import MEMORY, Ledger, MemoryLedger, UnusableState
from mock_server.openapi import DocumentRoutes
from mock_server.origins import KeyGate, NotAKey, OriginGate, is_probe
from mock_server.policy import Policy, policy_named
from mock_server.problems import InvalidRequest, SwitchedOff
from mock_server.profiles import DEFAULT, ProfileError, read_profile
from mock_server.rates import NotARate, Rate
from mock_server.revisions import NAMES, PAGE, read_spec
from mock_server.router import Router, Routes, Watcher
from mock_server.sharing import Alone, Sharing
from mock_server.spec import Operation, Spec
from mock_server.tokens import DEFAULT_LIFETIME, OAuthClient, TokenGate, Tokens, token_handlers
from mock_server.webhooks import WITH_ID, Webhooks

if TYPE_CHECKING:  # for those who have a browser
    from mock_server.console.rendering import Rendering
    from mock_server.cors import Cors
    from mock_server.transactions import Database
    from mock_server.worlds import Worlds

OFF = "off"
DOCUMENTED = "documented"
MOST_WORLDS = 1000
"""How many worlds there may be by default."""


class UnusableSetting(ValueError):
    """A setting can't be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a mock.

    `max_body` and `journal_body` are bytes, `token_lifetime` is in seconds, `journal` is the number of
    requests that are kept, 0 for none. `rate_limit` is `off`, `documented`, or a rate such as
    `10/second`, `600/minute` or `5000/hour`. `faults` are written as on the command line:
    `operation=recordCustomerPayment,drop=after`.
    Without `admin` there is no admin API; `allow_hosts` are names that it takes in `Host` beside its address
    and loopback, and `admin_key` is what it wants in the header X-Admin-Key. `cors` are the origins of web
    pages that may call the API, such as `http://localhost:3000`, or `*` for all. `profile` says what is done
    about the open questions: the name of a shipped profile, or a file. `revision` is that of the contract,
    `page` or `2026-07`; without one, that of the profile. With `explain`, responses say in the header
    X-Sandbox-Reason which rule decided. `webhooks` are the URLs of receivers that are there from the start,
    with `webhook_secret`, or one of their own without it, and signatures over what `webhook_signed` says.
    `webhook_hosts` are those that the admin API may register beside these and loopback, or `*` for all.
    `report` is a file that `alvys-contract --report` writes, for the console to show.
    `state` is what keeps the loads: `memory`, `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
    `worlds` is how many worlds there may be beside the default one: MOST_WORLDS by default, and none with a
    database, for their loads are in memory.
    """

    max_body: int = DEFAULT_MAX_BODY
    require_token: bool = False
    clients: tuple[OAuthClient, ...] = ()
    token_lifetime: int = DEFAULT_LIFETIME
    rate_limit: str = OFF
    faults: tuple[str, ...] = ()
    journal: int = DEFAULT_ENTRIES
    journal_body: int = DEFAULT_BODY_LIMIT
    admin: bool = True
    allow_hosts: tuple[str, ...] = ()
    admin_key: str | None = None
    cors: tuple[str, ...] = ()
    profile: str = DEFAULT
    revision: str | None = None
    state: str = MEMORY
    explain: bool = False
    webhooks: tuple[str, ...] = ()
    webhook_secret: str | None = None
    webhook_signed: str = WITH_ID
    webhook_hosts: tuple[str, ...] = ()
    report: Path | None = None
    worlds: int | None = None


_DEFAULT = Settings()


def revision_of(settings: Settings) -> str:
    """The revision that the settings name, else their profile, else the page's. UnusableSetting."""
    if settings.revision is not None:
        return settings.revision
    with _usable_profile():
        named = read_profile(settings.profile).revision
    return named if named in NAMES else PAGE


def served_spec(path: Path, settings: Settings) -> Spec:
    """The document in a file, in the revision of the settings.

    SpecError, UnreadableDocument, UnusableSetting.
    """
    return read_spec(path, revision_of(settings))


class Sandbox:
    """A mock, and the admin API that changes it while it runs. SpecError, UnusableSetting."""

    def __init__(self, spec: Spec, loads: Iterable[Load], settings: Settings = _DEFAULT) -> None:
        policy = _policy(settings)
        self.notes = policy.notes
        """What of the profile can't be played, a line each."""
        spec = policy.amend(spec)
        self._spec, self._policy, self._given = spec, policy, settings
        self._loads = tuple(map(policy.opening, loads))
        self._gates = policy.gates([each for each in spec.operations if each.is_ours])
        self._admin_api = AdminDocument(admin_spec(spec.ours, probes_only=not settings.admin))
        self._database, self.sharing = _kept(settings.state)
        """What keeps the state; `sharing` does with all but the loads."""
        self._faults = None
        if settings.admin or settings.faults or self.sharing.before is not None:
            self._faults = _faults(spec, self._admin_api.spec, settings.faults, self.sharing)
        self.stateful = spec.operations
        """The operations that we implement."""
        self.exemplary: tuple[Operation, ...] = ()
        """Those that respond with examples: of a document that is not ours."""
        self._token_spec: Spec | None = None
        self._beside: Routes | None = None
        if spec.origin is not None:
            from mock_server.foreign.operations import token_spec  # noqa: PLC0415 - for documents of others

            self._token_spec = token_spec(spec.ours)
            known = tuple(each for each in spec.operations if each.is_ours)
            taken = {each.id for each in known}
            issuing = (each for each in self._token_spec.operations if each.id not in taken)
            self.stateful = (*known, *issuing)
            self.exemplary = tuple(each for each in spec.operations if not each.is_ours)
        self._origins = OriginGate(settings.allow_hosts)
        # Who has it knows the admin key, if there is one: a page can't send the key for a frame.
        self._reports = {f"report-{token_urlsafe(12)}.html": path for path in [settings.report] if path}
        self._most_worlds = _most_worlds(settings)
        self._begin()
        self._document = DocumentRoutes(spec, self._api.has_path)
        self.console = Console(self._has_path, self._origins.check_host, self._rendering)
        """The pages, which are there with the admin API."""
        self._cors = _cors(settings.cors, (*self.stateful, *self.exemplary)) if settings.cors else None

    def another(self, name: str) -> "Sandbox":
        """A world as this one was at the start. It shares what was compiled, and nothing that changes."""
        other = copy(self)
        other._faults = None if self._faults is None else self._faults.again()
        other._begin(self, name)
        return other

    def _begin(self, like: "Sandbox | None" = None, world: str = "") -> None:
        """Makes what has a state: the rest is shared with the one that it is like."""
        spec, policy, settings = self._spec, self._policy, self._given
        self.clock = Clock()
        self.ledger = self._ledger()
        self.tokens = Tokens(self.clock, spec.token_terms(), settings.clients, settings.token_lifetime)
        limits, max_body, faults = None, settings.max_body, self._faults
        gates = [*self.sharing.gates, *([TokenGate(self.tokens)] if settings.require_token else [])]
        if settings.rate_limit != OFF:
            limits = self.sharing.limits(self.clock, _rate(settings.rate_limit))
            gates.append(limits)
        gates.extend(self._gates)
        journal = self.sharing.journal(settings.journal, settings.journal_body) if settings.journal else None
        watchers = [] if journal is None else [journal.add]
        handlers = {
            **policy.handlers(self.ledger, spec.ours, self.clock.seconds),
            **token_handlers(self.tokens),
        }
        if self._token_spec is not None:
            from mock_server.foreign.standins import handlers_of  # noqa: PLC0415 - for documents of others

            issuing = {each.id: handlers[each.id] for each in self._token_spec.operations}
            beside, apart = self._beside, self.sharing.gates
            self._beside = (
                beside.again(issuing) if beside else Routes(self._token_spec, issuing, max_body, gates=apart)
            )
            handlers = handlers_of(spec, handlers)
        if like is None:
            webhooks = Webhooks(self.ledger, self.clock, faults, self.sharing, hosts=settings.webhook_hosts)
            self.webhooks = _webhooks(webhooks, settings)
            self._share(faults)
            self._api = Routes(
                spec,
                handlers,
                max_body,
                beside=self._beside,
                gates=gates,
                faults=faults,
                watchers=watchers,
                policy=policy,
            )
        else:
            self.webhooks = like.webhooks.again(self.ledger, self.clock, faults, world)
            self._api = like._api.again(
                handlers, gates, faults=faults, watchers=watchers, beside=self._beside
            )
        self.admin = Admin(
            spec.ours,
            [each.id for each in (*self.stateful, *self.exemplary)],
            self._api.watchers,
            ledger=self.ledger,
            clock=self.clock,
            tokens=self.tokens,
            limits=limits,
            faults=faults,
            journal=journal,
            webhooks=self.webhooks,
            sharing=self.sharing,
        )
        if like is None:
            self._settings = self._told(spec, settings)
        else:
            self.admin.filler = like.admin.filler
        admin = admin_handlers(self.admin, self._admin_api, self._settings)
        admin_gates = [self._origins, *_key_gates(settings), *self.sharing.gates] if settings.admin else []
        if like is None:
            self._admin_routes = Routes(self._admin_api.spec, admin, max_body, gates=admin_gates)
        else:
            self._admin_routes = like._admin_routes.again(admin, admin_gates)

    def _ledger(self) -> Ledger:
        terms = self._policy.terms
        if self._database is None:
            return MemoryLedger(self._loads, self.clock.now, terms)
        from mock_server.ledger_sql import SqlLedger  # noqa: PLC0415 - for those who want a database

        return SqlLedger(self._database, self._loads, self.clock.now, terms)

    def _share(self, faults: Faults | None) -> None:
        self.sharing.keep("tokens", self.tokens)
        self.sharing.share("clock", self.clock)
        self.sharing.share("webhooks", self.webhooks)
        if faults is not None:
            self.sharing.share("faults", faults)

    def app(
        self, admin_port: int | None = None, watch: Watcher | None = None, *, port: int | None = None
    ) -> ASGIApp:
        """The ASGI app; `watch` sees all requests but the probes and those of the console's pages.

        The admin API and the console are on the same port, or on one of their own; `port` is the other.
        """
        self._document.watchers += [] if watch is None else [watch]
        self.console.api_port = None if admin_port is None else port

        @cache
        def worlds() -> "Worlds":
            from mock_server.worlds import Worlds  # noqa: PLC0415 - for who names one

            made = Worlds(self._most_worlds, make, self._api, self.clock)
            made.around = None if self._cors is None else self._cors.around
            return made

        def make(name: str) -> tuple[Sandbox, ASGIApp]:
            world = self.another(name)
            return world, world._app(admin_port, watch)

        async def lead(scope: Scope, receive: Receive, send: Send) -> None:
            await worlds()(scope, receive, send)

        self.admin.worlds = worlds
        return self._app(admin_port, watch, self.console if self._given.admin else None, lead)

    def _app(
        self,
        admin_port: int | None,
        watch: Watcher | None,
        console: Console | None = None,
        worlds: ASGIApp | None = None,
    ) -> ASGIApp:
        if watch is not None:
            self._api.watchers.append(watch)
            self._admin_routes.watchers.append(lambda trace: is_probe(trace.operation) or watch(trace))
        router = Router(
            self.clock, self._api, self._admin_routes, admin_port, document=self._document, console=console
        )
        router.before = self.sharing.before
        router.worlds = worlds
        if self._given.explain:
            from mock_server.reasons import Explainer  # noqa: PLC0415 - for those who ask

            router.explain = Explainer()
        return router if self._cors is None else self._cors.opened(router)

    def _told(self, spec: Spec, settings: Settings) -> dict[str, Any]:
        """What the admin API says of the settings, as its document describes it."""
        issuing = next((each.path for each in self.stateful if each.takes_forms), None)
        return {
            "version": spec.ours.document["info"]["version"],
            "revision": revision_of(settings),
            "profile": settings.profile,
            "notes": self.notes,
            "tokens": {
                "required": settings.require_token,
                "lifetime": settings.token_lifetime,
                "path": issuing,
                "audience": spec.token_terms().audience,
            },
            "clients": [
                {"id": each.id, "secret": each.secret, "scopes": each.scopes} for each in self.tokens.clients
            ],
            "rateLimit": settings.rate_limit,
            "journal": settings.journal,
            "cors": settings.cors,
            "report": next((HOME + name for name in self._reports), None),
            "operations": [
                *(_operation(each, keeps_state=True) for each in self.stateful),
                *(_operation(each, keeps_state=False) for each in self.exemplary),
            ],
        }

    def _has_path(self, path: str) -> bool:
        return self._api.has_path(path) or path in self._document.paths

    def _rendering(self, paths: Mapping[str, str]) -> "Rendering":
        from mock_server.console.rendering import Rendering  # noqa: PLC0415 - for those who have a browser

        return Rendering(paths, self._settings, self._document.json_at, self._reports)


def _kept(state: str) -> "tuple[Database | None, Sharing]":
    """What keeps the state, and what else it keeps than loads."""
    if state == MEMORY:
        return None, Alone()
    try:
        from mock_server.replicas import Kept, Replicas  # noqa: PLC0415 - for those who want a database
        from mock_server.transactions import Database, state_url  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UnusableSetting("state: a database needs more: pip install 'alvys-sandbox[state]'") from error
    try:
        database = Database(state_url(state))
    except UnusableState as error:
        raise UnusableSetting(f"state: {error}") from error
    # SQLite has one mock, so that all but its tokens is as in memory.
    return database, Kept(database) if database.is_sqlite else Replicas(database)


def _most_worlds(settings: Settings) -> int:
    if settings.state == MEMORY:
        return MOST_WORLDS if settings.worlds is None else settings.worlds
    if settings.worlds:
        raise UnusableSetting(
            "worlds: they are kept in memory, and can't be combined with a state in a database"
        )
    return 0


def _policy(settings: Settings) -> Policy:
    with _usable_profile():
        return policy_named(settings.profile, revision_of(settings))


@contextmanager
def _usable_profile() -> Iterator[None]:
    try:
        yield
    except ProfileError as error:
        raise UnusableSetting(f"profile: {error}") from error


def _operation(operation: Operation, *, keeps_state: bool) -> dict[str, Any]:
    return {
        "id": operation.id,
        "method": operation.method,
        "path": operation.path,
        "examplePath": operation.example_path,
        "mediaTypes": operation.media_types.names,
        "example": operation.example,
        "scopes": operation.scopes,
        "keepsState": keeps_state,
    }


def _key_gates(settings: Settings) -> list[Gate]:
    try:
        return [] if settings.admin_key is None else [KeyGate(settings.admin_key)]
    except NotAKey as error:
        raise UnusableSetting(f"admin key: {error}") from error


def _cors(written: tuple[str, ...], operations: Iterable[Operation]) -> "Cors":
    from mock_server.cors import Cors, NotAnOrigin, origins_in  # noqa: PLC0415 - for those who want it

    try:
        origins = origins_in(written)
    except NotAnOrigin as error:
        raise UnusableSetting(f"CORS: {error}") from error
    methods = {"GET", *(operation.method for operation in operations)}
    return Cors(origins, methods)


def _rate(text: str) -> Rate | None:
    try:
        return None if text == DOCUMENTED else Rate.parse(text)
    except NotARate as error:
        raise UnusableSetting(f"rate limit: {error}, or as documented or off") from error


def _webhooks(webhooks: Webhooks, settings: Settings) -> Webhooks:
    for url in settings.webhooks:
        try:
            webhooks.open_with(url, settings.webhook_secret, settings.webhook_signed)
        except (InvalidRequest, SwitchedOff) as error:
            raise UnusableSetting(f"webhook {url}: {error}") from error
    return webhooks


def _faults(spec: Spec, admin_api: Spec, written: Iterable[str], sharing: Sharing) -> Faults:
    schema = admin_api.schema("Fault")
    faults = Faults(admin_api.checker(schema, "fault"), spec.operations, sharing)
    for text in written:
        try:
            faults.open_with(read_fault(text, schema["properties"]))
        except InvalidRequest as error:
            field, sentences = next(iter(error.errors.items()))
            raise UnusableSetting(f"fault {text!r}: {field}: {sentences[0]}") from error
    return faults
