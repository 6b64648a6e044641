"""Which members a response has: the schema names them, the facts fill them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_server.spec import Spec, SpecError

Picker = Callable[[Any], object]
"""Makes the JSON value of one thing of the domain."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one kind of thing, by member name in lowercase.

    `plain` facts are JSON values; `things` lead to another kind, whose own facts the schema picks
    from; `lists` lead to many of one kind, in a container of which the second part makes one JSON
    value. `rest` finds every other fact by its exact name, and is given the example that the schema has for
    one that is not known.
    """

    plain: Mapping[str, Picker] = field(default_factory=dict)
    things: Mapping[str, tuple[Picker, "Facts"]] = field(default_factory=dict)
    lists: Mapping[str, tuple["ListWriter", "Facts"]] = field(default_factory=dict)
    rest: Callable[[str, object], Picker] | None = None


ListWriter = Callable[[Picker], Picker]
"""Given how one item is written, says how the whole list is."""


def compile_shape(spec: Spec, schema: Mapping[str, Any], facts: Facts, where: str) -> Picker:
    """Compiles a response schema: the function makes an object with exactly the schema's members.

    Names are matched without case, so that a document may write them its own way. SpecError if the
    schema requires a member that no fact fills.
    """
    schema = _not_null(spec, schema)
    members: list[tuple[str, Picker]] = []
    for name, member in schema["properties"].items():
        key = name.lower()
        if key in facts.things:
            get, kind = facts.things[key]
            members.append((name, _of_thing(get, compile_shape(spec, member, kind, f"{where}.{name}"))))
        elif key in facts.lists:
            write, kind = facts.lists[key]
            items = _not_null(spec, member)["items"]
            members.append((name, write(compile_shape(spec, items, kind, f"{where}.{name}"))))
        elif key in facts.plain:
            members.append((name, facts.plain[key]))
        elif facts.rest:
            members.append((name, facts.rest(name, spec.example(member))))
        elif name in schema.get("required", ()):
            raise SpecError(f"{spec.name}: {where} requires {name}, which nothing fills")

    def pick(thing: object) -> dict[str, object]:
        return {name: get(thing) for name, get in members}

    return pick


def _of_thing(get: Picker, pick: Picker) -> Picker:
    def pick_or_null(owner: object) -> object:
        thing = get(owner)
        return None if thing is None else pick(thing)

    return pick_or_null


def _not_null(spec: Spec, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = spec.resolve(schema)
    branches = [spec.resolve(branch) for branch in schema.get("anyOf", ())]
    return next((branch for branch in branches if branch.get("type") != "null"), schema)
