"""Instances of schemas: always the same ones, and none that its schema does not accept.

Of the libraries that make instances, hypothesis-jsonschema can't follow references that recur and searches at
random for longer than a request may take, and jsf ignores most keywords and draws from the global random
numbers. So the walk is ours, the inversion of patterns is rstr's, and the validator has the last word.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice, product
from typing import Any

from mock_server.foreign.samples import numbers, texts
from mock_server.schemas import Checker
from mock_server.spec import Spec

Node = Mapping[str, Any]

_REF = "#/components/schemas/"
_CHOICES, _CLOSED, _NAMED, _WITHIN = "x-choices", "x-closed", "x-named", "x-within"
"""What a plain schema has beside keywords: lists of branches; the names that closed schemas allow; names of
derived schemas by the property that tells them apart; the components that it is made of."""
_LENGTHS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"}
_PARTS = {"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems"}
_EASY = _LENGTHS | _PARTS | {"x-enumNames", _WITHIN, _NAMED, _CLOSED}
_SIMPLE = {"type", "format", "enum", "x-enumNames", _WITHIN}
"""With only these or those, what is made is right, in all likelihood."""
_TYPES_OF = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")
_MOST_COMBINED = 50
_FEW = 4
"""So many instances of an object there are: with what is optional and without, as derived and as it is."""
_MOST_KEPT = 32
"""So many compiled schemas are kept: one may have all the others of its document in it."""
_ROOM = 1000
"""So many values an instance has before only what is required is added."""
_PATIENCE = 20_000
"""So many values are tried before a schema counts as one that nothing satisfies."""


class Unsatisfiable(Exception):
    """Nothing that we can think of satisfies a schema."""


class _OutOfPatience(Exception):
    """Too many values were tried."""


class Examples:
    """Makes instances of the schemas of one document, whose references lead to `#/components/schemas/`."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._components: Node = spec.document.get("components", {}).get("schemas", {})
        self._plain: dict[int, tuple[object, dict[str, Any]]] = {}
        self._smallest: dict[int, tuple[object, list[object]]] = {}
        self._checkers: dict[int, tuple[object, Checker]] = {}
        self._references: dict[str, Node] = {}
        self._left = 0
        self._suspicious = False

    def checker(self, schema: Any) -> Checker:
        """The compiled schema."""
        kept = self._checkers.get(id(schema))
        if kept is None:
            if len(self._checkers) == _MOST_KEPT:
                del self._checkers[next(iter(self._checkers))]
            whole = schema if isinstance(schema, dict) else {} if schema else {"not": {}}
            kept = self._checkers[id(schema)] = (schema, self._spec.checker(whole))
        return kept[1]

    def instance(self, schema: Any, given: Iterable[object] = (), *, small: bool = False) -> object:
        """The first of the `given` values that the schema accepts, else one that is made; Unsatisfiable.

        A `small` one has only what is required.
        """
        accepts = self.checker(schema).accepts
        for value in given:
            if accepts(value):
                return value
        usual = 0 if small else _ROOM
        for suspicious, room in ((False, usual), (True, usual), (True, 0)):
            self._suspicious, self._left = suspicious, room
            with suppress(_OutOfPatience):
                for value in islice(self._values(schema, 0, frozenset()), _MOST_COMBINED):
                    if accepts(value):
                        return value
        raise Unsatisfiable

    def smallest(self, schema: Any) -> object:
        """A small instance, which is made once; Unsatisfiable."""
        _, made = self._smallest.setdefault(id(schema), (schema, []))
        if not made:
            try:
                made.append(self.instance(schema, small=True))
            except Unsatisfiable:
                made.append(Unsatisfiable)
        if made[0] is Unsatisfiable:
            raise Unsatisfiable
        return made[0]

    def plain(self, schema: Any) -> dict[str, Any]:
        """The schema with what its `$ref` and its `allOf` say, as one object of keywords."""
        kept = self._plain.get(id(schema))
        if kept is None:
            kept = self._plain[id(schema)] = (schema, self._flattened(schema))
        return kept[1]

    def shape(self, schema: Any) -> dict[str, Any]:
        """The plain schema with the first of its branches that is not null: what its fields and items are."""
        node = self.plain(schema)
        while _CHOICES in node:
            merged = {name: value for name, value in node.items() if name != _CHOICES}
            for branches, _ in node[_CHOICES]:
                plain = [self.plain(branch) for branch in branches]
                _add(merged, next((each for each in plain if each.get("type") != "null"), {}))
            node = merged
        return node

    def respelled(self, value: object, schema: Any) -> object:
        """The value with names of fields and of choices as the schema writes them, whatever their case."""
        shape = self.shape(schema)
        if isinstance(value, dict):
            fields: Node = shape.get("properties", {})
            names = {_letters(name): name for name in fields}
            spelled = ((names.get(_letters(str(name)), str(name)), inner) for name, inner in value.items())
            return {name: self.respelled(inner, fields.get(name, True)) for name, inner in spelled}
        if isinstance(value, list):
            return [self.respelled(inner, shape.get("items", True)) for inner in value]
        if isinstance(value, str) and value not in shape.get("enum", (value,)):
            allowed = shape["enum"]
            written = shape.get("x-enumNames", allowed)
            return next(
                (
                    choice
                    for choice, name in zip(allowed, written, strict=False)
                    if _letters(str(name)) == _letters(value)
                ),
                value,
            )
        return value

    def _flattened(self, schema: Any) -> dict[str, Any]:
        if not isinstance(schema, dict):
            return {} if schema else {"enum": []}
        merged: dict[str, Any] = {}
        own = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        choices: list[tuple[list[Any], Any]] = [
            (own.pop(name), own.get("discriminator")) for name in ("oneOf", "anyOf") if own.get(name)
        ]
        if "if" in own:
            condition = own.pop("if")
            then, otherwise = own.pop("then", True), own.pop("else", True)
            choices.append(([{"allOf": [condition, then]}, {"allOf": [{"not": condition}, otherwise]}], None))
        if choices:
            own[_CHOICES] = choices
        if own.get("additionalProperties") is False:
            own[_CLOSED] = [(own.get("properties", {}), own.get("patternProperties", {}))]
        _add(merged, own)
        for branch in schema.get("allOf", ()):
            _add(merged, self._inherited(self.plain(branch)))
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REF)
            target = self.plain(self._components[name])
            called = name.partition(":")[0]  # of a component that was opened for its heirs, too
            named = {
                at: {"": by_name.get(called, called), **by_name}
                for at, by_name in target.get(_NAMED, {}).items()
            }
            _add(
                merged,
                {**target, _WITHIN: {*target.get(_WITHIN, ()), name}, **({_NAMED: named} if named else {})},
            )
        return merged

    @staticmethod
    def _inherited(plain: Node) -> dict[str, Any]:
        """What a derived schema has of the one that it is derived from: its own name by the discriminator."""
        node = dict(plain)
        if _NAMED in node:  # whose own name is not that of its heirs
            node[_NAMED] = {
                at: {to: value for to, value in by_name.items() if to} for at, by_name in node[_NAMED].items()
            }
        told = node.pop("discriminator", None)
        if told is not None:
            by_name = {to: value for value, to in told.get("mapping", {}).items()}
            node[_NAMED] = {**node.get(_NAMED, {}), told["propertyName"]: by_name}
        return node

    def _values(self, schema: Any, n: int, within: frozenset[frozenset[str]]) -> Iterator[object]:
        """Values that the schema probably accepts; all of them certainly, if we are suspicious."""
        self._left -= 1
        if self._left < -_PATIENCE:
            raise _OutOfPatience
        node = self.plain(schema)
        place = frozenset(node.get(_WITHIN, ()))
        if place and place in within:  # what contains itself ends here, and whoever can do without it does
            return
        values = self._of_node(node, n, within | {place})
        if self._suspicious or not (node.keys() <= _EASY or node.keys() <= _SIMPLE):
            yield from filter(self.checker(schema).accepts, values)
        else:
            yield from values

    def _of_node(self, node: Node, n: int, within: frozenset[frozenset[str]]) -> Iterator[object]:
        if n == 0:
            yield from node.get("examples", ())
        if "const" in node:
            yield node["const"]
        if "enum" in node:
            allowed = [value for value in node["enum"] if value is not None] or node["enum"]
            yield from (allowed[(n + more) % len(allowed)] for more in range(len(allowed)))
            return
        if "default" in node and n == 0 and node["default"] is not None:
            yield node["default"]
        if "discriminator" in node and _CHOICES not in node:
            yield from self._derived(node["discriminator"], n, within)
        if _CHOICES in node:
            yield from self._chosen(node, n, within)
            return
        for kind in _kinds_of(node):
            yield from self._of_kind(kind, node, n, within)

    def _derived(self, told: Node, n: int, within: frozenset[frozenset[str]]) -> Iterator[object]:
        for value, name in told.get("mapping", {}).items():
            for made in islice(self._values(self._reference(name), n, within), _FEW):
                if isinstance(made, dict):
                    yield {**made, told["propertyName"]: value}

    def _reference(self, name: str) -> Node:
        return self._references.setdefault(name, {"$ref": _REF + name})

    def _chosen(self, node: Node, n: int, within: frozenset[frozenset[str]]) -> Iterator[object]:
        rest = {name: value for name, value in node.items() if name not in (_CHOICES, "discriminator")}
        branches = [[(branch, told) for branch in those] for those, told in node[_CHOICES]]
        for combination in islice(product(*branches), _MOST_COMBINED):
            merged, names = dict(rest), {}
            for branch, told in combination:
                _add(merged, self.plain(branch))
                if told is not None and isinstance(branch, dict) and "$ref" in branch:
                    name = branch["$ref"].removeprefix(_REF)
                    by_name = {to: value for value, to in told.get("mapping", {}).items()}
                    names[told["propertyName"]] = by_name.get(name, name)
            merged.pop("discriminator", None)
            place = frozenset(merged.get(_WITHIN, ()))
            if place in within and place != frozenset(node.get(_WITHIN, ())):
                continue
            for value in islice(self._of_node(merged, n, within | {place}), _MOST_COMBINED):
                if names and isinstance(value, dict):
                    yield {**value, **names}
                yield value

    def _of_kind(self, kind: str, node: Node, n: int, within: frozenset[frozenset[str]]) -> Iterator[object]:
        named = node.get(_NAMED, {})
        match kind:
            case "object":
                for full in (True, False):
                    made = self._object(node, n, within, full=full and self._left > 0)
                    if made is not None:
                        yield {
                            **made,
                            **{name: by[""] for name, by in named.items() if "" in by and name in made},
                        }
                        yield made
            case "array":
                yield from self._arrays(node, n, within)
            case "string":
                yield from texts(node, n)
            case "boolean":
                yield from (n % 2 == 0, n % 2 == 1)
            case "null":
                yield None
            case _:
                yield from numbers(node, n, whole=kind == "integer")

    def _arrays(self, node: Node, n: int, within: frozenset[frozenset[str]]) -> Iterator[object]:
        first, items = node.get("prefixItems", []), node.get("items", True)
        least, most = int(node.get("minItems", 0)), int(node.get("maxItems", _ROOM))
        held = [node["contains"]] * max(1, int(node.get("minContains", 1))) if "contains" in node else []
        wanted = [*first, *({"allOf": [each, items]} for each in held)]
        wanted += [items] * (
            max(least, 1 if self._left > 0 and items not in (False, True) else 0) - len(wanted)
        )
        made: list[object] = []
        for place, schema in enumerate(wanted[:most]):
            value = next(self._values(schema, n + place, within), self)
            if value is self:
                break
            made.append(value)
        if len(made) >= least:
            yield made
        if made and not least:
            yield []

    def _object(
        self, node: Node, n: int, within: frozenset[frozenset[str]], *, full: bool
    ) -> dict[str, object] | None:
        properties: Node = node.get("properties", {})
        required = list(dict.fromkeys(node.get("required", ())))
        made: dict[str, object] = {}
        names = [name for name in properties if full or name in required]
        names = [name for name in names if name in required or _is_open(node, name)]
        for name in chain(names, (name for name in required if name not in properties)):
            value = next(self._values(self._of_property(node, name), n, within), self)
            if value is not self:
                made[name] = value
            elif name in required:
                return None
        wanted = chain.from_iterable(
            others for name, others in node.get("dependentRequired", {}).items() if name in made
        )
        for name in [name for name in wanted if name not in made]:
            made.update(
                (name, value) for value in islice(self._values(self._of_property(node, name), n, within), 1)
            )
        self._fill(made, node, n, within, full=full)
        most = int(node.get("maxProperties", _ROOM))
        for name in [name for name in made if name not in required][: max(0, len(made) - most)]:
            del made[name]
        return made

    def _of_property(self, node: Node, name: str) -> Any:
        if name in node.get("properties", {}):
            return node["properties"][name]
        patterns = node.get("patternProperties", {})
        fitting = [schema for pattern, schema in patterns.items() if re.search(pattern, name)]
        return fitting[0] if fitting else node.get("additionalProperties", True)

    def _fill(
        self, made: dict[str, object], node: Node, n: int, within: frozenset[frozenset[str]], *, full: bool
    ) -> None:
        """Adds properties that have no name of their own, as many as are needed, or one for show."""
        more = node.get("additionalProperties", True)
        wanted = max(
            int(node.get("minProperties", 0)), 1 if full and isinstance(more, dict) and not made else 0
        )
        sources = [node["propertyNames"]] if "propertyNames" in node else []
        sources += [{"type": "string", "pattern": each} for each in node.get("patternProperties", {})]
        for place in range(wanted - len(made)):
            tried = (self._values(names, place, within) for names in sources or [{"type": "string"}])
            for name in islice(chain.from_iterable(tried), _MOST_COMBINED):
                fresh = isinstance(name, str) and name not in made
                value = (
                    next(self._values(self._of_property(node, str(name)), n, within), self) if fresh else self
                )
                if value is not self:
                    made[str(name)] = value
                    break


def _add(merged: dict[str, Any], more: Node) -> None:
    """Puts the keywords of another schema to those that there are: an instance must satisfy both."""
    for name, value in more.items():
        if name in merged:
            merge = _MERGES.get(name)
            merged[name] = merged[name] if merge is None else merge(merged[name], value)
        else:
            merged[name] = value


def _merged_fields(one: Node, other: Node) -> dict[str, Any]:
    shared = {key: {"allOf": [one[key], other[key]]} for key in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _common_kinds(one: Any, other: Any) -> list[str]:
    these, those = _listed(one), _listed(other)
    kinds = [kind for kind in these if kind in those]
    is_whole = {"integer", "number"} <= {*these, *those} and "integer" not in kinds
    return [*kinds, "integer"] if is_whole else kinds


def _merged_places(one: list[Any], other: list[Any]) -> list[Any]:
    shorter, longer = sorted((one, other), key=len)
    both = ({"allOf": list(pair)} for pair in zip(shorter, longer, strict=False))
    return [*both, *longer[len(shorter) :]]


_MERGES: Mapping[str, Callable[[Any, Any], Any]] = {
    "type": _common_kinds,
    "enum": lambda one, other: [value for value in one if value in other],
    "properties": _merged_fields,
    "patternProperties": _merged_fields,
    "prefixItems": _merged_places,
    "not": lambda one, other: {"anyOf": [one, other]},
    _WITHIN: lambda one, other: {*one, *other},
    _NAMED: lambda one, other: {**one, **other},
    **dict.fromkeys(("required", "examples", _CHOICES, _CLOSED), lambda one, other: [*one, *other]),
    **dict.fromkeys(
        ("items", "additionalProperties", "propertyNames", "contains"),
        lambda one, other: {"allOf": [one, other]},
    ),
    **dict.fromkeys(
        ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), max
    ),
    **dict.fromkeys(
        ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), min
    ),
}
"""How two values of a keyword become one. Of others the first counts; the validator has the last word."""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _listed(kinds: Any) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _kinds_of(node: Node) -> list[str]:
    if "type" in node:
        # Null is what remains, not what a reader wants to see.
        return sorted(_listed(node["type"]), key=lambda kind: kind == "null")
    told = [kind for kind, keywords in _TYPES_OF.items() if any(keyword in node for keyword in keywords)]
    return [*told, *(kind for kind in _KINDS if kind not in told)]


def _is_open(node: Node, name: str) -> bool:
    """Whether every closed schema that the object must satisfy has that name."""
    return all(
        name in properties or any(re.search(pattern, name) for pattern in patterns)
        for properties, patterns in node.get(_CLOSED, ())
    )
