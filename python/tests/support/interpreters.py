"""The Pythons of this machine."""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys
from typing import Tuple

Version = Tuple[int, int]


@functools.lru_cache(maxsize=None)
def interpreters() -> dict[Version, str]:
    """By version: those in PATH by the name of their version, and pyenv's."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates = [shutil.which(f"python3.{minor}") for minor in range(7, 20)]
    candidates += glob.glob(f"{pyenv}/versions/3.*/bin/python3")
    found = {version: path for path in candidates if path for version in [_version(path)] if version}
    found[sys.version_info[:2]] = os.path.abspath(sys.executable)
    return dict(sorted(found.items()))


def oldest() -> str:
    """For the tests that are to hold for all: one that cannot load the extension, if there is one."""
    return next(path for version, path in interpreters().items() if version >= (3, 7))


def loads_extension(python: str) -> bool:
    return _version(python) >= (3, 9)


def another() -> str:
    """Not the one that runs the tests, if there is another that can load the extension."""
    others = [
        path
        for version, path in interpreters().items()
        if version >= (3, 9) and path != os.path.abspath(sys.executable)
    ]
    return others[-1] if others else sys.executable


def _version(path: str) -> Version:
    probe = [path, "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        major, minor = subprocess.run(probe, stdout=subprocess.PIPE, check=True).stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return (0, 0)  # a shim that leads nowhere
    return int(major), int(minor)
