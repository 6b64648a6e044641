"""What we know, in the fields of a schema that is not ours: whatever is sent, the schema accepts."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mock_server.foreign.examples import Unsatisfiable
from mock_server.responses import Fields, Nested, T, Writer
from mock_server.spec import Spec, SpecError


def fitted(spec: Spec, schema: Mapping[str, Any], fields: Fields[T], where: str) -> Writer[T]:
    """Compiles a response schema: the function makes an instance of it, with all that we know and it takes.

    What it requires and we don't know is that of an example. A fact that the schema refuses is left out, or
    is that of the example. Where nothing satisfies the schema, it is what we know.
    """
    shape = spec.examples.shape(schema)
    properties: Mapping[str, Any] = shape.get("properties", {})
    required = frozenset(shape.get("required", ()))
    accepts = spec.examples.checker(schema).accepts
    writers = {name: _writer(spec, name, each, fields, where) for name, each in properties.items()}

    def write(thing: T) -> object:
        known = {name: write_field(thing) for name, write_field in writers.items() if write_field is not None}
        known = {name: value for name, value in known.items() if value is not None or name in required}
        if accepts(known):
            return known
        try:
            made = spec.examples.smallest(schema)
        except Unsatisfiable:
            made = None
        if not isinstance(made, dict):  # a payment that is recorded is not told as an error, whatever it says
            return known
        facts = {name: value for name, value in known.items() if value is not None}
        whole = {name: facts.get(name, made.get(name)) for name in writers if name in facts or name in made}
        shown = whole if accepts(whole) else made
        for name, value in known.items():
            if value != shown.get(name) and accepts({**shown, name: value}):
                shown = {**shown, name: value}
        return shown

    return write


def _writer(spec: Spec, name: str, schema: Any, fields: Fields[T], where: str) -> Writer[T] | None:
    known = fields.known.get(name.lower())
    write: Writer[T] | None = None
    if isinstance(known, Nested):
        with suppress(LookupError, TypeError, SpecError):  # it is written in another form there
            write = known.compile(spec, schema, f"{where}.{name}")
        return write
    if known is not None:
        write = known
    elif fields.details is not None:
        write = _detail(spec, name, fields)
    if write is None:
        return None
    found = write
    return lambda thing: spec.examples.respelled(found(thing), schema)


def _detail(spec: Spec, name: str, fields: Fields[T]) -> Writer[T]:
    ours = spec.ours.schema("Load")["properties"].items()
    example = next((spec.ours.example(schema) for each, schema in ours if each.lower() == name.lower()), None)
    details = fields.details

    def write(thing: T) -> object:
        stated = {} if details is None else details(thing)
        return next((value for each, value in stated.items() if each.lower() == name.lower()), example)

    return write
