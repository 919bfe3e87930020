"""The wheel, the sdist and an editable install: each gives a `passenger` command that serves."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
from distributions import ROOT, Installed, environment, run, unpacked_sdist, wheel

BOOT_SECONDS = 60

APP = """\
import sys

def application(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{sys.executable} {'passenger._native' in sys.modules}".encode()]
"""


@pytest.fixture(scope="session", params=["wheel", "sdist", "editable"])
def installed(request: pytest.FixtureRequest) -> Installed:
    kind = str(request.param)
    if kind == "wheel":
        return Installed(kind, "--no-index", str(wheel()))
    return Installed(kind, *(["-e"] if kind == "editable" else []), str(unpacked_sdist()))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "passenger_wsgi.py").write_text(APP)
    return tmp_path


def test_the_version_is_the_one_in_cargo_toml(installed: Installed) -> None:
    found = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert found
    version = found[1]

    assert version in run([installed.path("passenger"), "version"])
    assert version in run([installed.path("python"), "-m", "passenger", "version"])
    assert run([installed.path("python"), "-c", "import passenger; print(passenger.__version__)"]).strip() == version
    assert f"Version: {version}\n" in run([installed.path("python"), "-m", "pip", "show", "passenger"])


def test_serves_with_the_python_that_it_is_installed_for(installed: Installed, app: Path) -> None:
    with serving(installed, app) as body:
        assert body == f"{installed.path('python3')} True" or body == f"{installed.path('python')} True"


def test_serves_with_other_pythons_that_know_nothing_of_it(installed: Installed, app: Path) -> None:
    others = _other_pythons()
    if not others:
        pytest.skip("there is no other Python here")
    for version, python in others.items():
        with serving(installed, app, "--python", python) as body:
            assert body == f"{python} {version >= (3, 9)}"


def test_says_what_to_do_when_the_agent_is_missing(installed: Installed) -> None:
    done = subprocess.run(
        [installed.path("passenger"), "version"],
        env=environment(PASSENGER_AGENT="/nowhere/passenger-agent"),
        stderr=subprocess.PIPE,
        check=False,
    )

    assert done.returncode == 1
    error = done.stderr.decode()
    assert "executable is missing; looked for\n  /nowhere/passenger-agent\nReinstall the package with" in error


def test_the_wheel_has_types_and_no_leftovers() -> None:
    names = zipfile.ZipFile(wheel()).namelist()

    assert {
        "passenger/py.typed",
        "passenger/_native.pyi",
        "passenger/_native.abi3.so",
        "passenger_agent/passenger-agent",
    } <= {*names}
    assert not [name for name in names if "__pycache__" in name or "tests" in name or name.endswith(".pyc")]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_uninstalling_leaves_nothing(app: Path) -> None:
    installed = Installed("uninstalled", "--no-index", str(wheel()))
    run([installed.path("python"), "-m", "pip", "uninstall", "-y", "passenger"])

    assert not [path for path in installed.home.rglob("*passenger*") if path.is_file()]
    shutil.rmtree(installed.home)


@contextmanager
def serving(installed: Installed, app: Path, *options: str) -> Iterator[str]:
    """Starts the application, and gives the body of its answer; stops it by `passenger stop` afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    log = app / "log"
    with log.open("wb") as output:
        command = [installed.path("passenger"), "start", "-a", "127.0.0.1", "-p", port, *options]
        server = subprocess.Popen(command, cwd=app, env=environment(), stdout=output, stderr=output)
    try:
        yield _get(f"http://127.0.0.1:{port}/", server, log)
        run([installed.path("passenger"), "stop", "--port", port], cwd=app)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()


def _get(url: str, server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=BOOT_SECONDS) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error}\n{log.read_text()}") from error
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"it does not answer:\n{log.read_text()}")


def _other_pythons() -> dict[tuple[int, int], str]:
    """The oldest, which can't load the extension, and the newest."""
    sys.path.insert(0, str(ROOT / "python/tests"))
    from support.interpreters import interpreters

    found = {version: path for version, path in interpreters().items() if version >= (3, 7)}
    del found[sys.version_info[:2]]
    return {version: found[version] for version in sorted(found)[:1] + sorted(found)[-1:]}
