"""The mock with one module changed, as a subject of the suites."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from evaluation.engine import Subject, Suites
from evaluation.mutants.explanations import Explanations
from evaluation.mutants.mutation import Mutant

ANEW = ("mock_server", "contract_tests")
"""The packages that are imported again, so that none of their modules keeps one of the mock as it is."""


def unchanged() -> Subject:
    """The mock as it is."""
    return Subject("the mock", partial(_opened, "", ""))


def mutated(mutant: Mutant) -> Subject:
    """The mock with a mutant. A run that cannot be made finds it, too: the mock doesn't start, or not end."""
    return Subject(
        mutant.change,
        partial(_opened, f"mock_server.{mutant.module}", mutant.source),
        group=f"mutants of {mutant.module}",
        excuse=Explanations.read().of(mutant) or "",
        found_by=frozenset({"failed", "broken"}),
    )


@contextlib.contextmanager
def _opened(module: str, source: str, _suites: Suites, _folder: Path) -> Iterator[list[str]]:
    for name in [name for name in sys.modules if name.partition(".")[0] in ANEW]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Changed(module, source))
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
