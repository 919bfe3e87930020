"""What `rake test:wheel` has built, and virtual environments to install it into."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target/wheel"
DIST = FOLDER / "dist"

# What points at the checkout, or at the Python of whoever runs the tests.
_NOT_INHERITED = ("PASSENGER_", "PYTHON", "VIRTUAL_ENV", "MATURIN_", "CARGO_")


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    # Everything here is in directories of whoever runs the tests, root's included.
    return {**inherited, "PASSENGER_USER_SWITCHING": "false", **more}


class Installed:
    """An empty virtual environment with one thing installed."""

    def __init__(self, name: str, *requirement: str) -> None:
        self.home = FOLDER / name
        shutil.rmtree(self.home, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(self.home)])
        # Built without optimisation and kept between runs: this is about packaging.
        build = {"MATURIN_PEP517_ARGS": "--profile dev", "CARGO_TARGET_DIR": str(FOLDER / "cargo")}
        run([self.path("python"), "-m", "pip", "install", "--disable-pip-version-check", *requirement], **build)

    def path(self, command: str) -> str:
        return str(self.home / "bin" / command)


def wheel() -> Path:
    [path] = DIST.glob("passenger-*.whl")
    return path


def unpacked_sdist() -> Path:
    """Always the same folder, in which only what has changed is written, so that cargo builds only what has changed."""
    [archive] = DIST.glob("passenger-*.tar.gz")
    folder = FOLDER / "source"
    with tempfile.TemporaryDirectory() as fresh:
        with tarfile.open(archive) as file:
            file.extractall(fresh)
        [source] = Path(fresh).iterdir()
        _bring_up_to_date(folder, source)
    return folder


def run(command: list[str], cwd: Path = FOLDER, **more: str) -> str:
    """Its output. Fails if the command does."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{output}"
    return output


def _bring_up_to_date(folder: Path, source: Path) -> None:
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    for old in [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder) not in wanted]:
        old.unlink()
    for path in wanted:
        target = folder / path
        if not target.exists() or not filecmp.cmp(source / path, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target)
