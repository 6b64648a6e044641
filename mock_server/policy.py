"""What the mock does about each open question: the strategies that the answers of a profile choose, at start.

Without another answer than the defaults nothing of this is on the path of a request, and the modules that
play other answers are not even imported.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mock_server.decimal_json import MOST_VALUES, decode, refuse_many_values
from mock_server.domain import TERMS, Load, Terms
from mock_server.handlers import Handler, load_handlers, showing_payment
from mock_server.ledger import Ledger
from mock_server.problems import problem
from mock_server.profiles import choose, read_profile, read_questions
from mock_server.responses import STYLE, Style
from mock_server.revisions import NAMES, PAGE, answers_of
from mock_server.spec import Operation, Spec
from mock_server.trace import Response

if TYPE_CHECKING:  # for other answers than the defaults
    from mock_server.answers.envelope import Envelope

Handlers = Mapping[str, Handler[Any]]
Read = Callable[[bytes], object]
Take = Callable[[bytes], bool]
Now = Callable[[], float]


def _read(body: bytes) -> object:
    if len(body) > MOST_VALUES:  # a shorter one can't have so many
        refuse_many_values(body)
    return decode(body)


def _json(_spec: Spec, _operation: Operation) -> Read:
    return _read


def _no_gates(_operations: Sequence[Operation]) -> "Sequence[Envelope]":
    return ()


def _same_handlers(handlers: Handlers, _ledger: Ledger, _spec: Spec, _now: Now) -> Handlers:
    return handlers


def _same_spec(spec: Spec) -> Spec:
    return spec


def _same_load(load: Load) -> Load:
    return load


def _same_take(take: Take) -> Take:
    return take


@dataclass(frozen=True, slots=True)
class Policy:
    """The strategies. Each module takes its own; the defaults play the default answers."""

    terms: Terms = TERMS
    """How a payment is recorded."""
    style: Style = STYLE
    """How responses are written."""
    refuse: Callable[[Exception], Response] = problem
    """The response to an error."""
    amend: Callable[[Spec], Spec] = _same_spec
    """The document that is served, given that of the contract."""
    reader: Callable[[Spec, Operation], Read] = _json
    """What reads the JSON bodies of an operation; it may raise NotJson and InvalidRequest."""
    take: Callable[[Take], Take] = _same_take
    """Which Content-Type an operation takes, given what the document says."""
    gates: Callable[[Sequence[Operation]], "Sequence[Envelope]"] = _no_gates
    """What requests must pass beside the gates that are switched on."""
    any_version: bool = False
    """Whether a path is found whatever version it names."""
    status_of_body_first: str | None = None
    """The status for what is neither of a media type that is taken nor an object; None for 415."""
    others: Callable[[Handlers, Ledger, Spec, Now], Handlers] = _same_handlers
    """The handlers that are served, given those of the contract, and the clock in seconds."""
    opening: Callable[[Load], Load] = _same_load
    """A load that the mock opens with, given that of the fixtures."""
    notes: tuple[str, ...] = ()
    """What of the profile can't be played, a line each."""

    def handlers(self, ledger: Ledger, spec: Spec, now: Now) -> Handlers:
        """The handlers of the operations on loads and their payments."""
        made = self.others(load_handlers(ledger, self.style, self.refuse), ledger, spec, now)
        record = showing_payment(made["recordCustomerPayment"], self.terms.find, self.style)
        return {**made, "recordCustomerPayment": record}


DEFAULT_POLICY = Policy()


def policy_named(profile: str, revision: str = PAGE) -> Policy:
    """The policy of a profile, a shipped one's name or a file, in a revision. ProfileError."""
    read, by_document = read_profile(profile), answers_of(revision)
    answers = {key: given for key, given in read.answers.items() if by_document.get(key) != frozenset(given)}
    questions = read_questions() if answers else {}  # by default there are none, and the start is quicker
    choice = choose(questions, replace(read, answers=answers))
    notes = choice.notes
    if read.revision not in (None, *NAMES):
        notes = (f"revision: {read.revision} is not served here", *notes)
    defaults = {key: question.default for key, question in questions.items()}
    return replace(policy_of(choice.chosen, defaults), notes=notes)


def policy_of(chosen: Mapping[str, str], defaults: Mapping[str, str]) -> Policy:
    """The policy that gives the `chosen` answers, and else the defaults."""
    if not chosen:
        return DEFAULT_POLICY
    from mock_server.answers import courses, envelope, reading, terms, wording  # noqa: PLC0415 - for others

    made_terms = terms.terms_of(chosen)
    ways: Mapping[str, tuple[Collection[str], object]] = {
        "terms": (terms.RECORDING, made_terms),
        "style": (terms.SHOWING, terms.style_of(chosen, defaults["A1"].split(", "))),
        "refuse": (wording.WORDING, wording.Wording({**defaults, **chosen})),
        "reader": (reading.READING, lambda spec, operation: reading.BodyReader(spec, operation, chosen)),
        "take": (envelope.ENVELOPE, lambda take: envelope.taking(take, chosen)),
        "gates": (envelope.ENVELOPE, lambda operations: [envelope.Envelope(operations, chosen)]),
        "opening": (("Q42",), lambda load: replace(load, total_paid=None)),
        "any_version": (("A5d",), chosen.get("A5d") == envelope.ACCEPTED),
        "status_of_body_first": (("A10c",), chosen.get("A10c")),
        "amend": (AMENDING, lambda spec: _amended(spec, chosen)),
        "others": (
            courses.COURSES,
            lambda handlers, ledger, spec, now: courses.other_handlers(
                handlers,
                courses.Mock(
                    ledger,
                    made_terms,
                    spec.schema("LoadStatus")["enum"],
                    spec.schema("InvoiceStatus")["enum"],
                    now,
                ),
                chosen,
            ),
        ),
    }
    made: dict[str, Any] = {name: way for name, (keys, way) in ways.items() if chosen.keys() & {*keys}}
    return Policy(**made)


_NOT_EMPTY = {"$ref": "#/components/schemas/Text", "type": "string", "minLength": 1}
_OPTIONAL_INTEGER = {"type": ["integer", "null"]}
_SCHEMAS: Mapping[str, Mapping[tuple[str, ...], object]] = {
    "A9c": {("CustomerPaymentRequest", "properties", "ReferenceNumber"): _NOT_EMPTY},
    "Q10": {("Text", "pattern"): "", ("RequiredText", "pattern"): r"\S"},
    "Q49": {
        ("PaymentAmount", "required"): ["Amount"],
        ("PaymentAmount", "properties", "Currency"): _OPTIONAL_INTEGER,
    },
    "Q28": {
        (schema, "properties", "Status", "items"): {"type": "string"}
        for schema in ("LoadSearchRequest", "InvoiceSearchRequest")
    },
}
"""What else the schemas of a document say where an answer takes more, by the path to it."""
AMENDING = (*_SCHEMAS, "A1b")


def _show_when_paid(schemas: dict[str, Any]) -> None:
    """Lets a payment in a load have a time of recording of its own, as the load has."""
    fields = schemas.get("Load", {}).get("properties", {})
    if {"payments", "paidAt"} <= fields.keys() and "CustomerPayment" in schemas:
        payment = schemas["CustomerPayment"]
        properties = {**payment["properties"], "PaidAt": fields["paidAt"]}
        fields["payments"]["items"] = {**payment, "properties": properties}


def _amended(spec: Spec, chosen: Mapping[str, str]) -> Spec:
    if spec.origin is not None:
        return Spec(spec.document, spec.name, spec.origin._replace(ours=_amended(spec.ours, chosen)))
    document: Any = deepcopy(spec.document)
    if "A1b" in chosen:
        _show_when_paid(document.get("components", {}).get("schemas", {}))
    for question, changes in _SCHEMAS.items():
        if question in chosen and (question == "Q28" or not chosen[question].isdigit()):
            for (*way, last), value in changes.items():
                node = document.get("components", {}).get("schemas", {})
                for step in way:
                    node = node.get(step, {})
                node[last] = value
    return Spec(document, spec.name)
