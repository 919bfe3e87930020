from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.site import Site


def test_loads_once_and_forks_workers(site: Site) -> None:
    site.app("import os\nLOADED_BY = os.getpid()\napplication = reply(lambda _: f'{LOADED_BY} {os.getpid()}')")
    child = site.start()
    version = subprocess.check_output([site.python, "-c", "import platform; print(platform.python_version())"]).decode()

    assert child.receive() == {"message": "hello", "protocol": 2, "language": "python", "version": version.strip()}
    child.load()
    assert child.wait_for("progress")["step"] == "loading passenger_wsgi.py"
    assert child.wait_for("ready")["pid"] == child.pid
    pids = set()
    for ticket in (1, 2):
        worker = child.spawn(ticket=ticket)
        spawned = child.wait_for("spawned")
        ready = worker.wait_for("ready")
        assert (spawned["ticket"], spawned["pid"], ready["multiplexed"]) == (ticket, ready["pid"], False)
        assert worker.body() == f"{child.pid} {ready['pid']}"
        pids.add(ready["pid"])
    assert len(pids) == 2


def test_a_worker_loads_nothing_again(site: Site) -> None:
    # That, and not a clock, tells why it is ready some milliseconds after the fork; bench:python measures these.
    site.app("import os\npid = os.getpid()\napplication = reply(lambda _: str(pid))")
    child = site.preloader()
    bodies = {site.worker(child).body() for _ in range(3)}
    assert len(bodies) == 1, bodies


def test_reports_how_workers_end(site: Site) -> None:
    site.app("import os\napplication = reply(lambda _: os._exit(7))")
    child = site.preloader()
    killed, failed, left = (site.worker(child) for _ in range(3))
    os.kill(killed.pid, signal.SIGKILL)
    assert child.wait_for("exited") == {"message": "exited", "pid": killed.pid, "code": None, "signal": 9}
    with pytest.raises(EOFError):
        failed.body()
    assert child.wait_for("exited") == {"message": "exited", "pid": failed.pid, "code": 7, "signal": None}
    left.close()
    assert child.wait_for("exited") == {"message": "exited", "pid": left.pid, "code": 0, "signal": None}


def test_workers_that_end_at_once_are_reported_after_they_were_spawned(site: Site) -> None:
    site.app("import os, passenger\npassenger.on('worker_boot', lambda: os._exit(3))\napplication = reply('')")
    child = site.preloader()
    for ticket in range(20):
        worker = child.spawn(ticket=ticket)
        spawned, exited = child.receive(), child.receive()
        assert (spawned and spawned["ticket"], exited and exited["code"]) == (ticket, 3)
        worker.close()


def test_a_worker_is_a_process_of_its_own(site: Site) -> None:
    site.app("""
import os, random, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
def answer(environ):
    print("to output")
    print("to error", file=sys.stderr)
    title = open("/proc/self/cmdline").read().rstrip(chr(0))
    return f"{os.getpgrp()}|{os.getppid()}|{random.random()}|{title}"
application = reply(answer)""")
    child = site.preloader()
    first, second = (site.worker(child) for _ in range(2))
    answers = [worker.body().split("|") for worker in (first, second)]

    assert [int(answer[0]) for answer in answers] == [first.pid, second.pid]
    assert [int(answer[1]) for answer in answers] == [child.pid, child.pid]
    assert answers[0][2] != answers[1][2]
    title = f"Passenger worker: {site.root}"
    assert title.startswith(answers[0][3]) and len(answers[0][3]) > 30
    assert first.output.wait_for("to error") == "to output\nto error\n"
    os.kill(first.pid, signal.SIGTERM)
    first.wait_for("leaving")
    first.close()
    assert child.wait_for("exited")["code"] == 0


def test_no_descriptor_is_left_behind(site: Site) -> None:
    site.app("import os\napplication = reply(lambda _: ' '.join(os.listdir('/proc/self/fd')))")
    child = site.preloader()
    before = _open_files(child.pid)
    counts = {len(site.worker(child).body().split()) for _ in range(3)}

    # A worker may answer before the preloader has closed what it handed to it.
    deadline = time.monotonic() + 10
    while _open_files(child.pid) != before:
        assert time.monotonic() < deadline, f"{before} descriptors were open, it stays at {_open_files(child.pid)}"
        time.sleep(0.01)
    assert len(counts) == 1, counts


def test_leaves_with_the_agent_but_its_workers_go_on(site: Site) -> None:
    site.app("""
import atexit, os
atexit.register(lambda: print("at exit of", os.getpid()))
application = reply("ok")""")
    child = site.preloader()
    worker = site.worker(child)
    child.control.close()

    assert child.status() == 0
    assert worker.body() == "ok"
    worker.close()
    assert worker.output.all() == f"at exit of {worker.pid}\n"
    assert "at exit" not in child.output.all()


def test_sigterm_ends_it(site: Site) -> None:
    site.app("import atexit\natexit.register(print, 'at exit')\napplication = reply('ok')")
    child = site.preloader()
    os.kill(child.pid, signal.SIGTERM)

    assert child.status() == 0
    assert child.output.all() == ""


def test_what_is_registered_for_forks_is_called(site: Site) -> None:
    site.app("""
import os
calls = []
os.register_at_fork(before=lambda: calls.append("before"), after_in_child=lambda: calls.append("child"))
application = reply(lambda _: repr(calls))""")

    assert site.worker(site.preloader()).body() == "['before', 'child']"


def test_memory_stays_shared(site: Site) -> None:
    site.app("""
import gc
while_loading = gc.isenabled()
application = reply(lambda _: repr((while_loading, gc.isenabled(), gc.get_freeze_count() > 1000)))""")

    assert site.worker(site.preloader()).body() == "(False, True, True)"
    _, slot = site.direct()
    assert slot.body() == "(False, True, True)"


def test_hooks(site: Site) -> None:
    config = (
        "import os, passenger\nhooks = []\npassenger.on('before_fork', lambda: hooks.append(f'fork {os.getpid()}'))\n"
    )
    site.write({"config/passenger.py": f"{config}import builtins; builtins.hooks = hooks\n"})
    site.app("""
import passenger
@passenger.on("worker_boot")
def boot(): hooks.append("boot")
passenger.on("post_fork", lambda: hooks.append("as Gunicorn calls it"))
@passenger.on("worker_shutdown")
def broken(): raise OSError("oh")
passenger.on("worker_shutdown", lambda: print("stopping"))
application = reply(lambda _: repr(hooks))""")
    child = site.preloader()
    worker = site.worker(child)

    assert worker.body() == f"['fork {child.pid}', 'boot', 'as Gunicorn calls it']"
    worker.close()
    output = worker.output.all()
    assert "the worker_shutdown hook failed: Traceback" in output and "OSError: oh\n" in output
    assert output.endswith("stopping\n")


def test_gunicorns_hooks_can_be_copied_over(site: Site) -> None:
    site.write(
        {
            "config/passenger.py": """
import builtins
builtins.hooks = hooks = []
def pre_fork(server, worker): hooks.append("pre_fork")
def post_fork(server, worker): hooks.append(worker.pid)
def post_worker_init(worker): worker.log.info("not shown"); hooks.append("post_worker_init")
def worker_exit(server, worker): print("exit of", worker.pid)
def child_exit(server, worker): raise AssertionError("does not occur")
"""
        }
    )
    site.app("application = reply(lambda _: repr(hooks))")
    worker = site.worker(site.preloader())

    assert worker.body() == f"['pre_fork', {worker.pid}, 'post_worker_init']"
    worker.close()
    assert worker.output.all() == f"exit of {worker.pid}\n"


def test_unknown_hooks(site: Site) -> None:
    site.app("import passenger\npassenger.on('boot', print)")
    reason = "ValueError: unknown hook 'boot'; there are before_fork, worker_boot, worker_shutdown, oob_work, pre_fork,"
    assert site.failure()["reason"].startswith(reason)
    site.app("import passenger\npassenger.on('worker_boot', 5)")
    assert site.failure()["reason"] == "TypeError: a hook must be a function; this is 5"


@pytest.mark.parametrize("error, reason", [("raise OSError('oh')", "OSError: oh"),
                                           ("raise SystemExit(2)", "SystemExit: the application called sys.exit(2)")])  # fmt: skip
def test_a_failing_worker_boot_hook(site: Site, error: str, reason: str) -> None:
    site.app(f"import passenger\n@passenger.on('worker_boot')\ndef boot(): {error}\napplication = reply('')")
    child = site.preloader()
    worker = child.spawn()
    pid = child.wait_for("spawned")["pid"]

    worker.wait_for("progress")
    message = worker.receive()
    assert message and (message["step"], message["reason"]) == ("running the worker_boot hooks", reason)
    exited = child.wait_for("exited")
    assert (exited["pid"], exited["code"]) == (pid, 1)


def test_a_failing_before_fork_hook(site: Site) -> None:
    site.app("""
import passenger
@passenger.on("before_fork")
def fork():
    import os
    if not os.path.exists("repaired"): raise OSError("oh")
application = reply('ok')""")
    child = site.preloader()
    worker = child.spawn()

    message = worker.receive()
    assert message and (message["step"], message["reason"]) == ("running the before_fork hooks", "OSError: oh")
    assert worker.receive() is None
    site.write({"repaired": ""})
    assert site.worker(child).body() == "ok"


def test_threads_before_the_fork_are_named(site: Site) -> None:
    site.app("""
import threading
def tick(): threading.Event().wait()
threading.Thread(target=tick, name="ticker", daemon=True).start()
application = reply('ok')""")
    child = site.preloader()
    assert site.worker(child).body() == "ok"
    site.worker(child)
    child.control.close()
    output = child.output.all()

    assert re.search(
        r"workers do not have the threads that the application started.*\n    ticker, at \S+_wsgi.py:\d+", output
    )
    assert output.count("workers do not have") == 1
    assert "DeprecationWarning" not in output


def test_database_connections_are_not_shared(site: Site) -> None:
    site.write({
        "django/__init__.py": "",
        "django/conf.py": "class settings: configured = True",
        "django/db.py": "class connections:\n    open = True\n    def close_all(): connections.open = False\n",
    })  # fmt: skip
    site.app("import django.conf, django.db\napplication = reply(lambda _: repr(django.db.connections.open))")

    assert site.worker(site.preloader()).body() == "False"


def test_the_application_may_wait_for_children(site: Site) -> None:
    site.app("""
import os, signal, subprocess
signal.signal(signal.SIGCHLD, lambda *_: None)
application = reply(lambda _: subprocess.check_output(["echo", "sub"]).decode() + str(signal.getsignal(signal.SIGCHLD)))""")

    assert site.worker(site.preloader()).body().startswith("sub\n<function <lambda>")


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
