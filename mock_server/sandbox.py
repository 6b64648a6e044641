"""One whole mock: the app, and around it what its settings switch on. What is off is not there."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp

from mock_server.app import DEFAULT_MAX_BODY, Gate, create_app
from mock_server.clock import Clock
from mock_server.control import Controls, beside, control_app, control_spec, on_port
from mock_server.domain import Load
from mock_server.faults import Faults, read_fault
from mock_server.journal import DEFAULT_BODY_LIMIT, DEFAULT_ENTRIES, Journal
from mock_server.ledger import MemoryLedger
from mock_server.problems import InvalidRequest
from mock_server.rates import NotARate, Rate
from mock_server.spec import Spec
from mock_server.tokens import DEFAULT_LIFETIME, Client, TokenGate, Tokens

OFF = "off"
DOCUMENTED = "documented"


class UnusableSetting(ValueError):
    """A setting can't be followed; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a mock is told at its start.

    `max_body` and `journal_body` are bytes, `token_lifetime` is in seconds, `journal` is the number of
    requests that are remembered, 0 for none. `rate_limit` is `off`, `documented`, or a rate such as
    `10/second`, `600/minute` or `5000/hour`. `faults` are written as on the command line:
    `operation=recordCustomerPayment,drop=after`.
    Without `control` there is no control plane.
    """

    max_body: int = DEFAULT_MAX_BODY
    require_token: bool = False
    clients: tuple[Client, ...] = ()
    token_lifetime: int = DEFAULT_LIFETIME
    rate_limit: str = OFF
    faults: tuple[str, ...] = ()
    journal: int = DEFAULT_ENTRIES
    journal_body: int = DEFAULT_BODY_LIMIT
    control: bool = True


_DEFAULT = Settings()


class Sandbox:
    """The mock and what controls it. SpecError, UnusableSetting."""

    def __init__(self, spec: Spec, loads: Iterable[Load], settings: Settings = _DEFAULT) -> None:
        self.clock = Clock()
        self.ledger = MemoryLedger(loads, self.clock.now)
        self.tokens = Tokens(self.clock, spec.token_terms(), settings.clients, settings.token_lifetime)
        limits, max_body = None, settings.max_body
        gates: list[Gate] = [TokenGate(self.tokens)] if settings.require_token else []
        if settings.rate_limit != OFF:
            from mock_server.limits import Limits  # noqa: PLC0415 - its library is for those who limit

            try:
                wanted = None if settings.rate_limit == DOCUMENTED else Rate.parse(settings.rate_limit)
            except NotARate as error:
                raise UnusableSetting(f"{error}, or as documented or off") from error
            limits = Limits(self.clock, wanted)
            gates.append(limits)
        self.can_fail = settings.control or bool(settings.faults)
        """Whether a fault could close a connection, for which the server must show the transport."""
        # Its document describes faults too; it is not read for neither.
        control = control_spec(spec) if self.can_fail else None
        faults = None
        if control is not None:
            faults = Faults(control.checker(control.schema("Fault"), "fault"), max_body)
        app = create_app(
            spec,
            self.ledger,
            max_body,
            tokens=self.tokens,
            gates=gates,
            wrap=None if faults is None else faults.wrap,
        )
        if control is not None and faults is not None:
            _open_with(faults, settings.faults, control)
        journal = None
        if settings.journal:
            journal = Journal(self.clock, settings.journal, settings.journal_body)
            app = journal.around(app)
        self.controls = Controls(
            spec,
            ledger=self.ledger,
            clock=self.clock,
            tokens=self.tokens,
            limits=limits,
            faults=faults,
            journal=journal,
        )
        self._app = app
        self._control = None
        if control is not None and settings.control:
            self._control = control_app(control, self.controls, max_body)

    def app(self, control_port: int | None = None) -> ASGIApp:
        """The ASGI app; the control plane is on the same port, or on one of its own."""
        if self._control is None:
            return self._app
        if control_port is None:
            return beside(self._app, self._control)
        return on_port(control_port, self._app, self._control)


def _open_with(faults: Faults, written: Iterable[str], control: Spec) -> None:
    for text in written:
        try:
            faults.open_with(read_fault(text, control.schema("Fault")["properties"]))
        except InvalidRequest as error:
            member, sentences = next(iter(error.errors.items()))
            raise UnusableSetting(f"fault {text!r}: {member}: {sentences[0]}") from error
