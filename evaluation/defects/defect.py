"""What a defect is: a small change to the reference implementation, and a witness that shows it."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias, TypeVar, cast

from evaluation.reference.freedoms import Freedoms
from evaluation.reference.messages import Pause, Received, Sent, Together
from evaluation.reference.service import Errors, Refusal, Service

Category = Literal[
    "idempotency",
    "status gate",
    "amount and currency",
    "reference",
    "load look-up",
    "robustness",
    "side effects",
    "fidelity",
    "protocol",
    "concurrency",
    # Those of production:
    "ageing",  # what was right for a while
    "windows",  # what is right for some seconds
    "keys",  # what is looked up by another key than it should be
    "limits",  # what is cut off at a size
    "workers",  # what depends on which process answers
    "tokens",
    "july",  # what the revision of July 2026 can show
    "invoices",
]
Kind = Literal["seeded", "production", "july", "invoices"]
"""Small changes of a method each; what production has seen; what shows in July 2026, or on invoices only."""
Grade = Literal["documented", "published", "assumed"]
GRADE_OF: dict[str, Grade] = {
    "R": "documented",  # the rules of the page
    "D": "documented",  # its tables
    "P": "published",
    "A": "assumed",
    "Q": "assumed",  # what no row of the contract names
}
Sees: TypeAlias = Callable[[Sequence[Received]], object]
Function: TypeAlias = Callable[..., object]
Change = TypeVar("Change", bound=Service)


@dataclass(frozen=True, slots=True)
class Witness:
    """A few requests, what to look at in their responses, and what a correct implementation shows there."""

    requests: tuple[Sent | Together | Pause, ...]
    sees: Sees
    correct: object


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect. `clauses` are the ids of what it breaks; the first one decides the grade."""

    id: str
    category: Category
    sentence: str
    clauses: tuple[str, ...]
    service: type[Service]
    witness: Witness
    kind: Kind = "seeded"
    freedoms: Freedoms = Freedoms()  # noqa: RUF009 - frozen

    @property
    def grade(self) -> Grade:
        """Who says that this is a defect."""
        return GRADE_OF[self.clauses[0][0]]


CATALOGUE: dict[str, Defect] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """The beginning of a row; it is in the catalogue when the rest is known, too."""

    table: "Table"
    id: str
    clauses: str
    sentence: str

    def __call__(self, shown: Witness, /, *, parent: type[Service] = Service, **changes: object) -> None:
        """Adds a service that differs in these methods and values from the parent.

        A function takes the place of a method and gets `self` first, too; see `then` and `given` for
        those that use the parent's. Raises AttributeError or TypeError if the parent calls nothing so.
        """
        methods = {name: _in_place_of(getattr(parent, name), change) for name, change in changes.items()}
        self.add(shown, cast("type[Service]", type(self.id, (parent,), methods)))

    def add(self, shown: Witness, service: type[Service]) -> None:
        """Puts the service into the catalogue."""
        if self.id in CATALOGUE or not self.sentence:
            raise ValueError(f"{self.id} needs a name of its own and a sentence")
        table, clauses = self.table, tuple(self.clauses.split())
        CATALOGUE[self.id] = Defect(
            self.id, table.category, self.sentence, clauses, service, shown, table.kind, table.freedoms
        )


@dataclass(frozen=True, slots=True)
class Table:
    """The defects of one category, in services with these freedoms. `clauses` are ids with spaces between.

    row("zero-is-accepted", "R4", "An amount of zero is recorded.")(WITNESS, is_positive=FUNCTION)
    """

    category: Category
    kind: Kind = "seeded"
    freedoms: Freedoms = Freedoms()  # noqa: RUF009 - frozen

    def __call__(self, id: str, clauses: str, sentence: str) -> Row:
        """Begins a row."""
        return Row(self, id, clauses, sentence)

    def defect(self, clauses: str, shown: Witness) -> Callable[[type[Change]], type[Change]]:
        """Adds the decorated service: its name is the id, its docstring the sentence."""

        def add(service: type[Change]) -> type[Change]:
            name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", service.__name__).lower()
            self(name, clauses, service.__doc__ or "").add(shown, service)
            return service

        return add


# --- what a row changes ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Then:
    """What the parent's method returns goes through `function(self, returned, *arguments)`."""

    function: Function


@dataclass(frozen=True, slots=True)
class Given:
    """The parent's method gets `function(self, *arguments)` in place of its first argument."""

    function: Function


then = Then
given = Given


def _in_place_of(original: object, change: object) -> object:
    if isinstance(change, Then | Given):
        return _wrapping(cast("Function", original), change)
    if callable(change):
        parameters = inspect.signature(cast("Function", original)).parameters.values()
        named = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
        inspect.signature(change).bind(*[None] * (len(parameters) - len(named)), **named)
    return change


def _wrapping(original: Function, change: Then | Given) -> Function:
    function = change.function

    def after(self: Service, *arguments: object, **named: object) -> object:
        return function(self, original(self, *arguments, **named), *arguments, *named.values())

    def before(self: Service, *arguments: object, **named: object) -> object:
        return original(self, function(self, *arguments), *arguments[1:], **named)

    return after if isinstance(change, Then) else before


def without(name: str) -> Then:
    """Leaves a field out of what the method returns."""
    return then(lambda _s, fields, *_: {key: value for key, value in fields.items() if key != name})


def having(**values: object) -> Then:
    """Sets fields in what the method returns."""
    return then(lambda _s, fields, *_: {**fields, **values})


def refuse(status: int, name: str, sentence: str) -> NoReturn:
    """Refuses the request because of this field."""
    raise Refusal(status, {name: [sentence]})


def crash() -> NoReturn:
    """Ends the request with 500."""
    raise RuntimeError


def blame(errors: Errors, name: str, sentence: str) -> None:
    """Notes an error of a field, in place of an earlier one."""
    errors[name] = [sentence]


# --- what shows it -----------------------------------------------------------------------------


def witness(*requests: Sent | Together | Pause, sees: Sees, correct: object) -> Witness:
    """A witness, written as it is read: these requests, seen here, are correctly this."""
    return Witness(requests, sees, correct)


def responds(status: int, *requests: Sent | Pause) -> Witness:
    """The last response has this status."""
    return Witness(requests, lambda r: r[-1].status, status)


def shows(value: object, *requests: Sent | Pause, at: str) -> Witness:
    """The last response has this value at the end of a path such as `CustomerPayments/0/Id`."""
    steps = [int(step) if step.isdigit() else step for step in at.split("/")]
    return Witness(requests, lambda r: r[-1].at(*steps), value)


def lists(count: int, *requests: Sent | Pause, of: str = "CustomerPayments") -> Witness:
    """A list in the last response has so many items."""
    return Witness(requests, lambda r: r[-1].count(of), count)
