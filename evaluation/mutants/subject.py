"""The mock with one module changed, as a subject of the suites."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from evaluation.engine import Subject, Suites, in_place_of_the_mock
from evaluation.mutants.explanations import Explanations
from evaluation.mutants.mutation import Mutant
from evaluation.mutants.roles import BY_DEFAULT, Role

ANEW = ("mock_server", "contract_tests")
"""The packages that are imported again, so that none of their modules keeps one of the mock as it is."""


def unchanged(role: Role = BY_DEFAULT) -> Subject:
    """The mock as it is, in a role."""
    return Subject("the mock", partial(_opened, "", "", role))


def mutated(mutant: Mutant, role: Role = BY_DEFAULT) -> Subject:
    """The mock with a mutant, in a role.

    A run that cannot be made finds it, too: the mock doesn't start, or the run doesn't end.
    """
    return Subject(
        mutant.change,
        partial(_opened, f"mock_server.{mutant.module}", mutant.source, role),
        group=f"mutants of {mutant.module}",
        excuse=Explanations.read().of(mutant) or "",
        found_by=frozenset({"failed", "broken"}),
    )


@contextlib.contextmanager
def _opened(module: str, source: str, role: Role, _suites: Suites, folder: Path) -> Iterator[list[str]]:
    for name in [name for name in sys.modules if name.partition(".")[0] in ANEW]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Changed(module, source))
    if role is BY_DEFAULT:
        yield ["--target", "mock"]
        return
    profile = folder / "profile.json"
    profile.write_text(json.dumps({"revision": role.revision, "answers": dict(role.answers)}))
    # By their names: they are imported anew.
    settings = import_module("mock_server.sandbox").Settings(profile=str(profile))
    server = import_module("mock_server.testing").MockServer(settings=settings)
    with server, in_place_of_the_mock(server.url):
        yield ["--target", "mock"]


class _Changed(MetaPathFinder):
    """Finds one module and gives it another source."""

    def __init__(self, module: str, source: str) -> None:
        self.module = module
        self.source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del target
        spec = PathFinder.find_spec(fullname, path) if fullname == self.module else None
        if spec and spec.origin:
            spec.loader = _Loader(fullname, spec.origin, self.source)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.get_filename(fullname), "exec", dont_inherit=True)
