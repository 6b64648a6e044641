"""JSON Schema at work: the errors in a document, in the vendor's sentences."""

from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from typing import Any

import jsonschema_rs

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

_TYPES = {"array": "an array", "boolean": "true or false", "integer": "an integer", "number": "a number"} | {
    "object": "an object",
    "string": "a string",
}


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
        forty times as long.
        """
        errors: dict[str, list[str]] = {}
        try:
            for error in islice(self._validator.iter_errors(document), _MOST_ERRORS):
                for field, sentence in self._sentences(error, document):
                    errors.setdefault(field, []).append(sentence)
        except ValueError:  # too deep to be shown in an error
            return {WHOLE_BODY: [f"The {self._whole} is nested too deeply."]}
        return errors

    def _sentences(self, error: jsonschema_rs.ValidationError, document: object) -> Iterator[tuple[str, str]]:
        path = list(error.instance_path)
        kind = error.kind
        if kind.name == "anyOf":
            yield from self._of_branches(kind.value, path, document)
        elif kind.name == "required":
            yield _dotted([*path, kind.value]), _required(kind.value)
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
            yield _dotted(path), f"At least one of {', '.join(map(str, wanted))} is required."
            return
        relevant = [
            errors for errors in branches if (errors[0].kind.name, errors[0].kind.value) != ("type", ["null"])
        ] or branches
        for error in relevant[0]:
            yield from self._sentences(error, document)


def _field_wanted(error: jsonschema_rs.ValidationError, path: list[str | int]) -> str | int | None:
    below = list(error.instance_path)[len(path) :]
    return str(error.kind.value) if error.kind.name == "required" and not below else next(iter(below), None)


def _dotted(path: list[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or WHOLE_BODY


def _value_at(document: Any, path: list[str | int]) -> Any:
    # Not `error.instance`: in it, a number beyond a double looks like null.
    for step in path:
        document = document[step]
    return document


def unknown_field(name: str, allowed: Collection[str]) -> str:
    """The sentence for a field that there is not: the one that was probably meant, and all that there are."""
    close = get_close_matches(name, allowed, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    listed = f" The fields are: {', '.join(allowed)}." if allowed else ""
    return f"There is no field {name}{meant}{listed}"


def _required(field: str) -> str:
    return f"The {field} field is required."


def _sentence(field: str, keyword: str, limit: Any, value: object) -> str:
    blank = isinstance(value, str) and not value.strip()
    if (keyword == "type" and value is None) or (keyword in {"pattern", "minLength"} and blank):
        return _required(field)
    if isinstance(value, Decimal) and value.is_nan():
        return f"The {field} field is beyond the range of a double."
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
