"""What a defect is: a small change to a correct implementation, and a witness that shows it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from evaluation.defects.asking import Answer, Ask, Together
from evaluation.reference.service import Service

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
]
Grade = Literal["documented", "published", "assumed"]
GRADE_OF: dict[str, Grade] = {
    "R": "documented",  # the rules of the page
    "D": "documented",  # its tables
    "P": "published",
    "A": "assumed",
    "Q": "assumed",  # what no row of the contract names
}
Sees: TypeAlias = Callable[[Sequence[Answer]], object]


@dataclass(frozen=True, slots=True)
class Witness:
    """A few requests, what to look at in their answers, and what a correct implementation shows there."""

    asks: tuple[Ask | Together, ...]
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

    @property
    def grade(self) -> Grade:
        """Who says that this is a defect."""
        return GRADE_OF[self.clauses[0][0]]


CATALOGUE: dict[str, Defect] = {}
Change = TypeVar("Change", bound=Service)


def witness(*asks: Ask | Together, sees: Sees, correct: object) -> Witness:
    """A witness, written as it is read: these requests, seen here, are correctly this."""
    return Witness(asks, sees, correct)


def defect(category: Category, *clauses: str, shown: Witness) -> Callable[[type[Change]], type[Change]]:
    """Puts the decorated service into the catalogue; its docstring is the defect's sentence."""

    def put(service: type[Change]) -> type[Change]:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", service.__name__).lower()
        if name in CATALOGUE or not service.__doc__:
            msg = f"{service.__name__} needs a name of its own and a sentence"
            raise ValueError(msg)
        CATALOGUE[name] = Defect(name, category, service.__doc__, clauses, service, shown)
        return service

    return put
