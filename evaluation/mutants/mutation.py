"""The mutants: what mutmut's operators make of the modules that hold the rules."""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).parent.parent.parent
MODULES = ("domain", "handlers", "ledger")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module of the mock with one change.

    `change` names it: module and definition, then each line that goes and that comes, without indentation.
    """

    module: str
    change: str
    source: str

    @property
    def definition(self) -> str:
        """The module and the definition that is changed."""
        return self.change.partition("\n")[0]


def mutants() -> list[Mutant]:
    """All of them, in the order of the modules."""
    return [mutant for module in MODULES for mutant in mutants_of(module)]


def mutants_of(module: str) -> Iterator[Mutant]:
    """The mutants of one module. Annotations, decorators and docstrings are left alone."""
    source = (ROOT / "mock_server" / f"{module}.py").read_text("utf-8")
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = MetadataWrapper(libcst.parse_module(source)).visit(visitor)
    definitions = _definitions(ast.parse(source))
    # Written statement by statement: to write the whole module for each mutant takes several times as long.
    texts = [tree.code_for_node(statement) for statement in tree.body]
    header, footer = ("".join(map(tree.code_for_node, lines)) for lines in (tree.header, tree.footer))
    position = {id(node): at for at, statement in enumerate(tree.body) for node in _nodes(statement)}
    for mutation in visitor.mutations:
        at = position[id(mutation.original_node)]
        changed = tree.body[at].deep_replace(mutation.original_node, mutation.mutated_node)
        code = "".join([header, *texts[:at], tree.code_for_node(changed), *texts[at + 1 :], footer])
        if code != source:
            yield Mutant(module, _change(module, definitions, source, code), code)


def _nodes(node: libcst.CSTNode) -> Iterator[libcst.CSTNode]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _change(module: str, definitions: list[tuple[range, str]], before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    lines: list[str] = []
    at = 0
    for kind, old_from, old_to, new_from, new_to in blocks:
        if kind != "equal":
            at = at or old_from + 1
            lines += [f"- {line.strip()}" for line in old[old_from:old_to]]
            lines += [f"+ {line.strip()}" for line in new[new_from:new_to]]
    around = [name for lines_of, name in definitions if at in lines_of]
    return "\n".join([" ".join([module, *around[-1:]]), *lines])


def _definitions(tree: ast.AST, prefix: str = "") -> list[tuple[range, str]]:
    """The lines of every class and function with its qualified name, outer ones first."""
    found: list[tuple[range, str]] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}{node.name}"
            found.append((range(node.lineno, (node.end_lineno or node.lineno) + 1), name))
            found += _definitions(node, f"{name}.")
    return found
