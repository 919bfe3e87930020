"""How processes that serve ASGI applications live. What they serve is in tests/asgi."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from support import frames
from support.site import Site

APP = """
import os
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], os.getpid())
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown": return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.fixture(autouse=True)
def python() -> str:
    """The one that can load the extension."""
    return os.path.abspath(sys.executable)


def test_each_worker_has_a_lifespan_of_its_own(site: Site) -> None:
    site.app(APP)
    child = site.preloader()
    workers = []
    for ticket in (1, 2):
        worker = child.spawn(ticket=ticket)
        worker.pid = child.wait_for("spawned")["pid"]
        assert worker.wait_for("ready") == {"message": "ready", "pid": worker.pid, "multiplexed": True}
        workers.append(worker)
    for worker in workers:
        assert worker.body() == str(worker.pid)
        worker.close()
        assert worker.output.all() == f"lifespan.startup {worker.pid}\nlifespan.shutdown {worker.pid}\n"
        assert child.wait_for("exited")["code"] == 0


def test_direct_spawning(site: Site) -> None:
    site.app(APP)
    child, slot = site.direct(interface="asgi")
    assert slot.body() == str(child.pid)
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait_for("leaving")
    assert slot.body() == str(child.pid)
    slot.close()

    assert child.status() == 0
    assert child.output.all().endswith(f"lifespan.shutdown {child.pid}\n")


def test_a_startup_that_fails(site: Site) -> None:
    site.app("""
async def application(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})""")
    child = site.preloader()
    worker = child.spawn()
    worker.wait_for("progress")
    worker.wait_for("progress")
    message = worker.receive()

    assert message and message["message"] == "failed"
    assert (message["step"], message["reason"]) == (
        "starting the application (ASGI lifespan)",
        "the application's lifespan startup failed: no database",
    )
    assert child.wait_for("exited")["code"] == 1


LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def with_loop(kind: str) -> str:
    return f"import passenger.asgi.event_loop as it, functools\nit.new = functools.partial(lambda new, _: new('{kind}'), it.new)"


@LOOPS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_leave(site: Site, loop: str, number: signal.Signals) -> None:
    site.app(with_loop(loop) + APP)
    child, slot = site.direct(interface="asgi")
    for _ in range(2):
        os.kill(child.pid, number)
        time.sleep(0.01)

    assert child.wait_for("leaving")["pid"] == child.pid
    assert slot.body() == str(child.pid)
    slot.close()
    assert child.status() == 0
    assert child.receive() is None, "it says so once"


@LOOPS
def test_sigquit_prints_what_each_task_waits_for(site: Site, loop: str) -> None:
    site.app(
        with_loop(loop)
        + """
import asyncio
async def godot(): await asyncio.sleep(60)
async def application(scope, receive, send):
    if scope["type"] == "lifespan": raise ValueError
    if scope["path"] == "/wait": print("serving"); await godot()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})"""
    )
    child, slot = site.direct(interface="asgi")
    slot.write(frames.request("/wait?secret", stream=1) + frames.request("/wait", stream=2))
    child.output.wait_for("serving\n" * 2)
    # A task that runs is in its thread's stack; when others run it waits.
    slot.write(frames.request("/go", stream=3))
    slot.answer(3)
    os.kill(child.pid, signal.SIGQUIT)

    output = child.output.wait_for("tasks of process")
    while output.count(" in godot\n") < 2:
        output = child.output.more()
    assert "most recent call first" in output and output.count(" serves GET /wait (most") == 2
    assert "secret" not in output
    slot.write(frames.request("/go", stream=4))
    assert slot.answer(4)[-1].body == b"ok"
    os.kill(child.pid, signal.SIGKILL)


def test_out_of_band_work_is_done_on_the_event_loop(site: Site) -> None:
    site.app("""
import asyncio
import passenger
done = []
@passenger.on("oob_work")
async def breaks():
    await asyncio.sleep(0)
    raise OSError("oh")
@passenger.on("oob_work")
async def works():
    await asyncio.sleep(0.1)
    done.append("done")
passenger.on("oob_work", lambda: done.append(f"on {type(asyncio.get_running_loop()).__module__.split('.')[0]}"))
async def application(scope, receive, send):
    if scope["type"] == "lifespan": raise ValueError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(done).encode()})""")
    child, slot = site.direct(interface="asgi")
    assert slot.body() == "[]"
    child.say("oob_work")

    assert child.wait_for("oob_work_done")["pid"] == child.pid
    assert slot.body() in ("['done', 'on uvloop']", "['done', 'on asyncio']")
    assert "the oob_work hook failed: Traceback" in child.output.wait_for("OSError: oh")


def test_leaves_with_the_agent_after_answering(site: Site) -> None:
    site.app("""
import asyncio
async def application(scope, receive, send):
    if scope["type"] == "lifespan": raise ValueError
    print("serving")
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})""")
    child, slot = site.direct()
    slot.write(frames.request())
    child.output.wait_for("serving")
    child.control.close()

    assert slot.receive().body == b"ok"
    assert child.status(5) == 0
