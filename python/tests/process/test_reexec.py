"""The idiom that the original's documentation has made usual at the top of passenger_wsgi.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.interpreters import another, oldest
from support.site import Site

IDIOM = """
import os, sys
INTERP = {interp!r}
if os.environ.get("SECOND") is None:
    os.environ["SECOND"] = "yes"
    os.{call}
    raise AssertionError("not reached")
def answer(environ):
    import passenger
    channels = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd) and os.get_inheritable(int(fd))]
    return " ".join([sys.executable, "%d.%d" % sys.version_info[:2], str("PASSENGER_LOAD_ORDER" in os.environ), *sorted(channels)])
application = reply(answer)
"""


@pytest.fixture(params=["execl(INTERP, INTERP, *sys.argv)", "execv(INTERP, [INTERP] + sys.argv)",
                        "execle(INTERP, INTERP, *sys.argv, dict(os.environ))", "execvp(INTERP, [INTERP] + sys.argv)"])  # fmt: skip
def call(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("interp", sorted({another(), oldest()}))
def test_the_other_interpreter_loads_the_application(site: Site, interp: str, call: str) -> None:
    site.app(IDIOM.format(interp=interp, call=call))
    child = site.start()
    child.load()
    hello, again = child.wait_for("hello"), child.wait_for("hello")
    assert hello["language"] == again["language"] == "python"
    assert child.wait_for("ready")["pid"] == child.pid
    worker = site.worker(child)

    executable, version, order, *inheritable = worker.body().split(" ")
    assert (Path(executable), order, inheritable) == (Path(interp), "False", ["0", "1", "2"])
    assert again["version"].startswith(f"{version}.")


def test_direct_spawning_keeps_its_data_channels(site: Site) -> None:
    site.app(IDIOM.format(interp=another(), call="execl(INTERP, INTERP, *sys.argv)"))
    _, *slots = site.direct(slots=2)

    assert [slot.body().split(" ")[0] for slot in slots] == [another(), another()]


def test_from_a_virtualenv_by_its_own_path(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    import venv

    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=True)
    interp = str(folder / "bin/python")
    site.app(f"""
import sys, os
if sys.executable != {interp!r}: os.execl({interp!r}, {interp!r}, *sys.argv)
application = reply(lambda _: sys.prefix)""")

    assert site.worker(site.preloader()).body() == str(folder)


def test_an_interpreter_that_is_not_there(site: Site) -> None:
    site.app("import os, sys\nos.execl('/nonexistent/python', '/nonexistent/python', *sys.argv)")
    message = site.failure()

    assert message["step"] == "loading passenger_wsgi.py"
    assert message["reason"].startswith("FileNotFoundError: ")


def test_programs_that_the_application_starts_inherit_no_channel(site: Site) -> None:
    site.app("""
import os
CHECK = 'test ! -e /proc/self/fd/3 -a -z "$PASSENGER_LOAD_ORDER"'
started = os.system(CHECK)
pid = os.fork()
if pid == 0:
    os.execv("/bin/sh", ["sh", "-c", CHECK])
executed = os.waitpid(pid, 0)[1]
application = reply(lambda _: repr((started, executed)))""")

    assert site.worker(site.preloader()).body() == "(0, 0)"


def test_afterwards_exec_is_pythons_own(site: Site) -> None:
    site.app("import os\napplication = reply(lambda _: repr((os.execv, os.execve)))")

    assert site.worker(site.preloader()).body() == "(<built-in function execv>, <built-in function execve>)"
