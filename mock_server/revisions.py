"""The revisions of the contract: the document as it is, or with an OpenAPI Overlay 1.0 applied to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mock_server.decimal_json import decode, encode
from mock_server.documents import read_document
from mock_server.shipped import REVISIONS, SPEC
from mock_server.spec import Spec, SpecError, read_openapi

PAGE = "page"
"""The revision that the document describes as it is: the endpoint's own page."""
NAMES = (PAGE, *REVISIONS)
LATEST = NAMES[-1]


def read_spec(path: Path, revision: str = PAGE) -> Spec:
    """The document in a file, changed to a revision if it has our operations. SpecError, UnreadableDocument.

    One that has other operations, too, is served as a document of others is.
    """
    if revision not in NAMES:
        raise SpecError(f"There is no revision {revision}; there are {', '.join(NAMES)}.")
    document = read_openapi(path)
    if path == SPEC:
        return Spec(*_revised(document, str(path), revision))
    from mock_server.foreign.operations import foreign_spec, ids_in  # noqa: PLC0415 - for documents of others only

    ours, theirs = [each.id for each in Spec.read(SPEC).operations], ids_in(document)
    revised = _revised(document, str(path), revision) if {*ours} <= {*theirs} else (document, str(path))
    if sorted(theirs) == sorted(ours):
        return Spec(*revised)
    # What they leave to us is as the vendor's latest document has it.
    return foreign_spec(*revised, read_spec(SPEC, LATEST))


def _revised(document: dict[str, Any], name: str, revision: str) -> tuple[dict[str, Any], str]:
    """A document in a revision, and its name."""
    if revision == PAGE:
        return document, name
    name = f"{name}, revision {revision}"
    return overlaid(document, read_document(REVISIONS[revision]), name), name


def answers_of(revision: str) -> Mapping[str, frozenset[str]]:
    """How the document of a revision answers open questions by itself, where the page answers otherwise."""
    if revision not in REVISIONS:
        return {}
    overlay: Any = read_document(REVISIONS[revision])
    return {key: frozenset(answers) for key, answers in overlay["x-answers"].items()}


def overlaid(document: object, overlay: Any, name: str) -> Any:
    """The document after every action of an overlay.

    An action must find something to change: SpecError. `name` is what the result is called in it.
    """
    from jsonpath import finditer  # noqa: PLC0415 - the library is for those who choose a revision

    whole: Any = _copy(document)
    for action in overlay["actions"]:
        found = list(finditer(action["target"], whole))
        if not found:
            raise SpecError(f"{name}: there is no {action['target']} to be changed")
        for match in reversed(found):  # of a list, so that what remains keeps its place
            if action.get("remove"):
                del match.parent.obj[match.parts[-1]]  # type: ignore[union-attr]
            elif isinstance(match.obj, list):
                match.obj.append(_copy(action["update"]))
            else:
                _merge(match.obj, _copy(action["update"]))
    return whole


def _copy(document: object) -> object:
    # Not by `deepcopy`: what YAML repeats by an alias would remain one thing, changed everywhere at once.
    return decode(encode(document))


def _merge(into: Any, update: Any) -> None:
    for name, value in update.items():
        old = into.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            old.extend(value)
        else:
            into[name] = value
