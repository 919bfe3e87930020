from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import Any

import pytest

from support.interpreters import loads_extension
from support.site import REPLY, REPLY_LINES, Site

WSGI = f"{REPLY}\napplication = reply('wsgi')"


def test_exceptions(site: Site) -> None:
    site.write({
        "passenger_wsgi.py": "import lib.broken\n",
        "lib/broken.py": "try:\n    int('x')\nexcept ValueError:\n    raise OSError(\"can't start\\nat all\")\n",
    })  # fmt: skip
    message = site.failure()

    assert (message["step"], message["reason"]) == ("loading passenger_wsgi.py", "OSError: can't start")
    output = message["output"]
    assert f'File "{site.root}/passenger_wsgi.py", line 1, in <module>\n' in output
    assert f'File "{site.root}/lib/broken.py", line 4, in <module>\n' in output
    assert "ValueError: invalid literal" in output and output.endswith("OSError: can't start\nat all\n")
    assert "passenger/loader.py" not in output and "importlib" not in output


@pytest.mark.parametrize("code, reason", [
    ("def (", r"SyntaxError: invalid syntax \(passenger_wsgi.py, line \d+\)"),
    ("import no_such_library.part", r"ModuleNotFoundError: No module named 'no_such_library'"),
    ("import sys; sys.exit(3)", r"SystemExit: the application called sys.exit\(3\)"),
    ("raise KeyboardInterrupt", r"KeyboardInterrupt"),
    ("raise BaseException('odd')", r"BaseException: odd"),
    ("class Odd(Exception):\n    def __str__(self): raise TypeError\nraise Odd", r"passenger_wsgi.Odd: \(its message can't be"),
    ("raise RuntimeError('\\udcff\\0 ' + 'x' * 100_000)", r"RuntimeError: \\udcff\0 xxx"),
])  # fmt: skip
def test_errors_of_all_kinds(site: Site, code: str, reason: str) -> None:
    site.app(code)

    assert re.match(reason, site.failure()["reason"])


def test_what_to_do_about_a_missing_package(site: Site) -> None:
    site.app("import no_such_library")
    output = site.failure()["output"]

    assert f"({site.python}) has no module no_such_library. Install it there (`{site.python} -m pip install" in output
    assert "--python" in output


def test_the_startup_file_is_a_module_as_the_original_has_it(site: Site) -> None:
    site.app("import sys\napplication = reply(lambda _: repr((__name__, sys.modules[__name__].__file__, sys.path[0])))")
    _, slot = site.direct()

    assert slot.body() == repr(("passenger_wsgi", f"{site.root}/passenger_wsgi.py", str(site.root)))


def test_startup_files_of_other_names(site: Site) -> None:
    for name in ("other.py", "start.wsgi", "sub/json.py"):
        site.write({name: WSGI})
        assert site.preloader(startup_file=str(site.root / name))


def test_a_missing_startup_file(site: Site) -> None:
    message = site.failure()

    assert message["reason"] == f"there is no file {site.root}/passenger_wsgi.py"
    assert "--startup-file" in message["output"]


@pytest.mark.parametrize("entry, options", [
    ("shop", {}),
    ("shop:app", {}),
    ("shop:outer.inner", {}),
    ("shop:make", {"factory": True}),
    ("package.module:app", {}),
    ("deep:app", {"app_dir": "src"}),
])  # fmt: skip
def test_entries(site: Site, entry: str, options: Any) -> None:
    site.write({
        "shop.py": f"{REPLY}\napp = reply('ok')\nclass outer: inner = app\ndef make(): return app",
        "package/module.py": f"{REPLY}\napp = reply('ok')",
        "src/deep.py": f"{REPLY}\napp = reply('ok')",
    })  # fmt: skip
    if "app_dir" in options:
        options = {**options, "app_dir": str(site.root / options["app_dir"])}
    _, slot = site.direct(entry=entry, **options)

    assert slot.body() == "ok"


@pytest.mark.parametrize("entry, options, step, reason, remedy", [
    ("shap:app", {}, "importing shap", "there is no module shap in ROOT", "--app-dir"),
    ("shop.wsgi:app", {}, "importing shop.wsgi", "there is no module shop.wsgi in ROOT", "--app-dir"),
    ("imports:app", {}, "importing imports", "ModuleNotFoundError: No module named 'flusk'", "pip install"),
    ("shop:ap", {}, "importing shop", "ROOT/shop.py has no attribute `ap`", "Is it `app` or `create_app`?"),
    ("shop:app.inner", {}, "importing shop", "`app` in ROOT/shop.py has no attribute `inner`", "module:attribute"),
    ("neither", {}, "importing neither", "ROOT/neither.py defines neither `application` nor `app`", "Is it `my_app`?"),
    ("shop:number", {}, "checking the application", "`number` in ROOT/shop.py is an int, which can't be called", "WSGI"),
    ("shop:create_app", {}, "checking the application", "`create_app` in ROOT/shop.py takes no arguments", "--factory"),
    ("shop:number", {"factory": True}, "calling `number` in ROOT/shop.py", "`number` in ROOT/shop.py can't be", "--factory"),
    ("shop:nothing", {"factory": True}, "checking the application", "what `nothing` in ROOT/shop.py has returned is a NoneT",
     "WSGI"),
    ("shop:broken", {"factory": True}, "calling `broken` in ROOT/shop.py", "ZeroDivisionError: division by zero",
     "in broken"),
    ("shop:app", {"app_dir": "/nonexistent"}, "starting Python", "there is no directory /nonexistent", "--app-dir"),
])  # fmt: skip
def test_entries_that_lead_nowhere(site: Site, entry: str, options: Any, step: str, reason: str, remedy: str) -> None:
    site.write({
        "shop.py": f"""{REPLY}
app = reply('ok')
number = 5
def create_app(): return app
def nothing(): pass
def broken(): 1 / 0""",
        "imports.py": "import flusk",
        "neither.py": "def my_app(environ, start_response): pass",
    })  # fmt: skip
    message = site.failure(entry=entry, **options)
    root = str(site.root)

    assert message["step"].startswith(step.replace("ROOT", root))
    assert message["reason"].startswith(reason.replace("ROOT", root))
    assert remedy in message["output"]


@pytest.mark.parametrize("code, wanted, reason", [
    ("async def application(scope, receive, send): ...", "wsgi", "is an ASGI application, and is to be served as WSGI"),
    ("class A:\n  async def __call__(self, scope, receive, send): ...\napplication = A()", "wsgi", "is an ASGI application"),
    ("def application(scope, receive, send): ...", "wsgi", "is an ASGI application"),
    ("def application(environ, start_response): ...", "asgi", "is a WSGI application, and is to be served as ASGI"),
    ("class application:\n  def __init__(self, scope): ...\n  async def __call__(self, receive, send): ...", None,
     "is an ASGI 2 application"),
    ("def application(scope): ...", "asgi", "is an ASGI 2 application"),
    ("async def application(environ, start_response): ...", None, "is a coroutine function that can't be called with"),
    ("def application(a, b, c, d): ...", None, "is no application: it takes neither two arguments nor three"),
])  # fmt: skip
def test_interfaces_that_do_not_fit(site: Site, code: str, wanted: str, reason: str) -> None:
    site.app(code)
    message = site.failure(interface=wanted)

    assert message["step"] == "checking the application"
    assert message["reason"].startswith(f"`application` in {site.root}/passenger_wsgi.py {reason}")


@pytest.mark.parametrize("code", [
    "def app(environ, start_response): return answer(environ, start_response)",
    "def app(*args): return answer(*args)",
    "def app(environ, start_response, more=None): return answer(environ, start_response)",
    "class app:\n  def __init__(self, *args): self.parts = answer(*args)\n  def __iter__(self): return iter(self.parts)",
    "class A:\n  def __call__(self, environ, start_response): return answer(environ, start_response)\napp = A()",
    "import functools\napp = functools.partial(lambda _, environ, start: answer(environ, start), 1)",
])  # fmt: skip
@pytest.mark.parametrize("interface", [None, "wsgi"])
def test_wsgi_applications_of_all_kinds(site: Site, code: str, interface: str) -> None:
    site.app(f"answer = reply('ok')\n{code}")
    _, slot = site.direct(interface=interface)

    assert slot.body() == "ok"


def test_asgi_without_the_extension(site: Site) -> None:
    site.app("async def application(scope, receive, send): ...")
    message = site.failure(env={"PASSENGER_PYTHON_EXT": "/nonexistent/_native.so"})

    assert f"({site.python}) can serve WSGI applications, but not ASGI applications" in message["reason"]
    assert re.search(r"--python.*: /nonexistent/_native.so: cannot open|CPython 3.9 or newer", message["output"])


def test_wsgi_without_the_extension(site: Site) -> None:
    site.app("import sys\napplication = reply(lambda _: repr('passenger._native' in sys.modules))")
    child, slot = site.direct(env={"PASSENGER_PYTHON_EXT": "/nonexistent/_native.so"})

    assert slot.body() == "False"
    if loads_extension(site.python):
        child.output.wait_for("Serving without it, which takes more CPU time.")
        assert "Passenger's extension can't be loaded: /nonexistent/_native.so" in child.output.text


def test_with_the_extension(site: Site) -> None:
    if not loads_extension(site.python):
        pytest.skip("this Python cannot load it")
    site.app("import sys\napplication = reply(lambda _: repr('passenger._native' in sys.modules))")
    child, slot = site.direct()

    assert slot.body() == "True"
    slot.close()
    assert child.output.all() == ""


def test_configuration_comes_first(site: Site) -> None:
    site.write({"config/passenger.py": "raise OSError('oh')"})
    site.app("application = reply('')")
    message = site.failure()

    assert (message["step"], message["reason"]) == ("loading config/passenger.py", "OSError: oh")
    assert f'File "{site.root}/config/passenger.py", line 1' in message["output"]


def test_another_protocol(site: Site) -> None:
    site.app("application = reply('')")

    assert re.match(
        r"the agent speaks control protocol 99, this package .* speaks 2", site.failure(protocol=99)["reason"]
    )


def test_nothing_of_ours_is_on_the_module_path(site: Site) -> None:
    site.app("import sys\napplication = reply(lambda _: '\\n'.join(sys.path))")
    _, slot = site.direct()
    own = subprocess.check_output([site.python, "-c", "import sys; print('\\n'.join(sys.path[1:]))"]).decode().strip()

    assert slot.body() == f"{site.root}\n{own}"


def test_modules_named_as_ours_are_the_applications(site: Site) -> None:
    site.write(
        {f"{name}.py": "mine = True" for name in ("worker", "hooks", "loader", "app", "wsgi", "asgi", "process")}
    )
    site.app("import app, asgi, hooks, loader, process, worker, wsgi\napplication = reply(lambda _: repr(wsgi.mine))")
    _, slot = site.direct()

    assert slot.body() == "True"


def test_the_agent_leaves_before_it_said_anything(site: Site) -> None:
    site.app("application = reply('')")
    child = site.start()
    child.control.close()

    assert child.status() == 0


def test_sigterm_while_loading(site: Site) -> None:
    site.app("print('waiting')\nimport time\ntime.sleep(60)")
    child = site.start()
    child.load()
    child.output.wait_for("waiting")
    os.kill(child.pid, signal.SIGTERM)

    assert child.status() == -signal.SIGTERM


def test_the_line_of_an_error_is_the_files(site: Site) -> None:
    site.app("1 / 0")

    assert f'passenger_wsgi.py", line {REPLY_LINES + 1}, in <module>' in site.failure()["output"]
