"""The revisions of the contract: the document as it is, or with an OpenAPI Overlay 1.0 applied to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mock_server.decimal_json import decode, encode
from mock_server.documents import read_document
from mock_server.shipped import REVISIONS
from mock_server.spec import Spec, SpecError

PAGE = "page"
"""The revision that the document describes as it is: the endpoint's own page."""
NAMES = (PAGE, *REVISIONS)


def read_spec(path: Path, revision: str = PAGE) -> Spec:
    """The document in a file, changed to a revision. SpecError, UnreadableDocument."""
    spec = Spec.read(path)
    if revision == PAGE:
        return spec
    if revision not in REVISIONS:
        raise SpecError(f"There is no revision {revision}; there are {', '.join(NAMES)}.")
    name = f"{path}, revision {revision}"
    return Spec(overlaid(spec.document, read_document(REVISIONS[revision]), name), name)


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
