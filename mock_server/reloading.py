"""Opens the mock again when its files change. Imported for --reload."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mock_server.documents import SUFFIXES

_Stamp = tuple[int, int]


class Reloader:
    """Looks at files, and opens again what is made of them when one has changed.

    `reopen` raises one of `failures` if that can't be done: `complain` is told, and all goes on as before.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        reopen: Callable[[], None],
        failures: tuple[type[Exception], ...],
        *,
        say: Callable[[str], object],
        complain: Callable[[str], object],
    ) -> None:
        self._paths = paths
        self._reopen = reopen
        self._failures = failures
        self._say = say
        self._complain = complain
        self._seen = self._look()

    def check(self) -> None:
        """Opens again if a file is not as it was at the last look."""
        seen = self._look()
        changed = sorted({name for name, _ in seen.items() ^ self._seen.items()})
        if not changed:
            return
        self._seen = seen
        names = ", ".join(changed)
        try:
            self._reopen()
        except self._failures as error:
            self._complain(f"Not reloaded, all goes on as it was: {error}\n")
        else:
            self._say(f"Reloaded: {names} changed. The loads are as in the fixtures again.")

    def _look(self) -> dict[str, _Stamp | None]:
        return {str(file): _stamp(file) for path in self._paths for file in _files(path)}


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
    else:
        yield path


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:  # editors replace a file by another, and for a moment there is none
        return None
    return status.st_mtime_ns, status.st_size
