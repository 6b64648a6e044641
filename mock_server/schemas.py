"""JSON Schema at work: the errors in a document, in the vendor's sentences."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from typing import Any

import jsonschema_rs

from mock_server.decimal_json import encode
from mock_server.instants import is_instant

_SENTENCES = {
    "type": "The {field} field must be {limit}.",
    "pattern": "The {field} field must match the pattern {limit}.",
    "minLength": "The {field} field must have at least {limit} characters.",
    "format": "The {field} field must be a date and time with Z or an offset, as RFC 3339 writes it.",
    "enum": "The {field} field must be one of: {limit}.",
    "exclusiveMinimum": "{field} must be greater than {limit}.",
    "minimum": "The {field} field must be at least {limit}.",
    "maximum": "The {field} field must be at most {limit}.",
    "minItems": "The {field} field must have at least {limit} items.",
    "maxItems": "The {field} field must have at most {limit} items.",
}
_STRUCTURE = {"$ref", "additionalProperties", "anyOf", "items", "properties", "required"}
_ANNOTATIONS = {"title", "description", "default", "examples"}

KEYWORDS = frozenset(_SENTENCES) | _STRUCTURE | _ANNOTATIONS
"""The keywords that a schema may use: a rule has its sentence, or the document can't be served."""
FORMATS: Mapping[str, Callable[[str], bool]] = {"date-time": is_instant}
"""The formats that a schema may use. The validator's own reading of them is laxer: it takes `T0.:00:00Z`."""

WHOLE_BODY = "$"
_MOST_ERRORS = 100
_MOST_NAMES = 100
_LONG = 1000
"""Commas in a document in which not every item of a list is looked at."""
_LONGEST_COMPARED = 50
"""Characters of an unknown name that are compared with the known ones."""

_TYPES = {"array": "an array", "boolean": "true or false", "integer": "an integer", "number": "a number"} | {
    "object": "an object",
    "string": "a string",
}


_FINITE = {
    "type": [*_TYPES, "null"],
    "items": {"$ref": "#/components/finite"},
    "additionalProperties": {"$ref": "#/components/finite"},
}
"""Accepts everything but a number beyond the range of a double, however deep that is."""
_VALUES = ("const", "default", "enum", "examples")


def with_finite_fields(
    schema: Mapping[str, Any], components: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The same, but in fields that an object ignores, no number may be beyond the range of a double (A20)."""
    return _with_finite_fields(schema), {**_with_finite_fields(components), "finite": _FINITE}


def _with_finite_fields(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_finite_fields(each) for each in node]
    if not isinstance(node, dict):
        return node
    fields = {name: each if name in _VALUES else _with_finite_fields(each) for name, each in node.items()}
    return {"additionalProperties": _FINITE, **fields} if "properties" in fields else fields


class Checker:
    """A compiled schema.

    `schema` may refer to `components` by `#/components/...`. What a keyword means is JSON Schema
    2020-12's business; the sentence for an error is the vendor's (R4, R5) where its pages have one.
    """

    def __init__(
        self, schema: Mapping[str, Any], components: Mapping[str, Any], whole: str = "request body"
    ) -> None:
        self._schema = {**schema, "components": components}
        self._validator = jsonschema_rs.Draft202012Validator(
            self._schema, validate_formats=True, formats=dict(FORMATS)
        )
        self._whole = whole
        self.accepts: Callable[[object], bool] = self._validator.is_valid
        """Whether a document has no error."""

    def errors(self, document: object) -> dict[str, list[str]]:
        """Every error: field -> sentences. Nested fields are joined by dots (`Amount.Amount`).

        Of a document with hundreds of errors, the first hundred: the response to a long list would be
        forty times as long. In a long one, of each list only the start is looked at.
        """
        errors: dict[str, list[str]] = {}
        try:
            told = (told for error in self._found(document) for told in self._sentences(error, document))
            for field, sentence in islice(told, _MOST_ERRORS):
                errors.setdefault(field, []).append(sentence)
        except (ValueError, RecursionError):  # too deep to be shown in an error
            return {WHOLE_BODY: [f"The {self._whole} is nested too deeply."]}
        return errors

    def _found(self, document: object) -> Iterable[jsonschema_rs.ValidationError]:
        # The validator finds all errors before it shows one, each with a copy of what is wrong: seconds.
        if encode(document).count(b",") <= _LONG:
            return self._validator.iter_errors(document)
        try:
            self._validator.validate(document)
        except jsonschema_rs.ValidationError as first:
            shortened = _shortened(document, list(first.instance_path))
            return self._validator.iter_errors(shortened) if not self.accepts(shortened) else [first]
        return []

    def _sentences(self, error: jsonschema_rs.ValidationError, document: object) -> Iterator[tuple[str, str]]:
        path = list(error.instance_path)
        kind = error.kind
        if kind.name == "anyOf":
            yield from self._of_branches(kind.value, path, document)
        elif kind.name == "required":
            field = _dotted([*path, kind.value])
            yield field, _required(kind.value)
            # Where other names are refused, that refusal says which one was meant.
            if _value_at(self._schema, list(error.schema_path[:-1])).get("additionalProperties") is not False:
                yield from ((field, told) for told in _in_other_case([kind.value], path, document))
        elif kind.name == "additionalProperties":
            allowed = _value_at(self._schema, list(error.schema_path[:-1])).get("properties", {})
            for name in kind.as_dict()["unexpected"]:
                yield _dotted([*path, name]), unknown_field(name, allowed)
        else:
            names = [step for step in path if isinstance(step, str)]
            field = names[-1] if names else self._whole
            yield _dotted(path), _sentence(field, kind.name, kind.value, _value_at(document, path))

    def _of_branches(
        self, branches: list[list[jsonschema_rs.ValidationError]], path: list[str | int], document: object
    ) -> Iterator[tuple[str, str]]:
        # Either "one of these fields", or "this or null": then the branch that is not null counts.
        wanted = [_field_wanted(errors[0], path) for errors in branches]
        if None not in wanted:
            names = [str(name) for name in wanted]
            yield _dotted(path), f"At least one of {', '.join(names)} is required."
            yield from ((_dotted(path), told) for told in _in_other_case(names, path, document))
            return
        relevant = [
            errors for errors in branches if (errors[0].kind.name, errors[0].kind.value) != ("type", ["null"])
        ] or branches
        for error in relevant[0]:
            yield from self._sentences(error, document)


def _field_wanted(error: jsonschema_rs.ValidationError, path: list[str | int]) -> str | int | None:
    below = list(error.instance_path)[len(path) :]
    return str(error.kind.value) if error.kind.name == "required" and not below else next(iter(below), None)


def _in_other_case(wanted: Collection[str], path: list[str | int], document: object) -> Iterator[str]:
    """What to do about wanted names that were sent in another case (A18), if any were."""
    lower = {name.lower() for name in wanted}
    # A name that is found is as short as the one that is wanted. Who sends names without end is not helped.
    names = islice(_value_at(document, path), _MOST_NAMES)
    if sent := ", ".join(
        [name for name in names if name not in wanted and name.lower() in lower][: len(wanted)]
    ):
        yield (
            f"You sent {sent}; names are case-sensitive here (assumption A18). "
            "--profile newtonsoft takes any case."
        )


def _dotted(path: list[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or WHOLE_BODY


def _shortened(value: object, path: list[str | int]) -> object:
    """A value whose lists end where a hundred wrong items may be, given the path to the first error."""
    step, rest = (path[0], path[1:]) if path else (None, [])
    if isinstance(value, dict):
        return {name: _shortened(each, rest if name == step else []) for name, each in value.items()}
    if isinstance(value, list):
        first = step if isinstance(step, int) else 0
        items = enumerate(value[: first + _MOST_ERRORS])
        return [_shortened(each, rest if index == step else []) for index, each in items]
    return value


def _value_at(document: Any, path: list[str | int]) -> Any:
    # Not `error.instance`: in it, a number beyond a double looks like null.
    for step in path:
        document = document[step]
    return document


def unknown_field(name: str, allowed: Collection[str]) -> str:
    """The sentence for a field that there is not: the one that was probably meant, and all that there are."""
    close = get_close_matches(name[:_LONGEST_COMPARED], allowed, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    listed = f" The fields are: {', '.join(allowed)}." if allowed else ""
    return f"There is no field {name}{meant}{listed}"


def beyond_a_double(field: str) -> str:
    """The sentence for a number that JSON readers do not share."""
    return f"The {field} field is beyond the range of a double."


def _required(field: str) -> str:
    return f"The {field} field is required."


def _sentence(field: str, keyword: str, limit: Any, value: object) -> str:
    blank = isinstance(value, str) and not value.strip()
    if (keyword == "type" and value is None) or (keyword in {"pattern", "minLength"} and blank):
        return _required(field)
    if isinstance(value, Decimal) and value.is_nan():
        return beyond_a_double(field)
    # The field and the limit are the schema's: nothing that a request says is formatted.
    if keyword not in _SENTENCES or (keyword == "format" and limit not in FORMATS):
        what = f"the format {limit}" if keyword == "format" else f"the keyword {keyword} of its schema"
        return f"The {field} field does not fit {what}."
    return _SENTENCES[keyword].format(field=field, limit=_limit(keyword, limit))


def _limit(keyword: str, limit: Any) -> str:
    match keyword:
        case "type":
            return " or ".join(_TYPES[name] for name in limit if name != "null")
        case "enum":
            return ", ".join(map(str, limit))
        case "exclusiveMinimum" if limit == 0:
            return "zero"
        case _:
            return str(limit)
