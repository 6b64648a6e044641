"""A small disk of its own, which can be full."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import click

_MEGABYTE = bytes(1024 * 1024)


class SmallDisk:
    """A file system in memory of so many megabytes. To mount it takes root's rights, on Linux.

    ClickException where it can't be.
    """

    def __init__(self, megabytes: int) -> None:
        self.folder = Path(mkdtemp(prefix="alvys-disk-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tmpfs", str(self.folder)]
        mounted = subprocess.run(mount, capture_output=True, check=False, text=True)
        if mounted.returncode:
            self.folder.rmdir()
            raise click.ClickException(
                f"No small disk can be mounted, which takes root's rights on Linux: {mounted.stderr.strip()}"
            )

    @contextmanager
    def full(self) -> Iterator[None]:
        """Has no byte left on it."""
        filler = self.folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                try:
                    while file.write(_MEGABYTE):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
            yield
        finally:
            filler.unlink()

    def close(self) -> None:
        """Takes it away, with all that is on it."""
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()
