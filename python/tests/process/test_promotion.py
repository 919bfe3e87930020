"""Workers that become preloaders."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from support import frames
from support.child import Addressee, SpawnedWorker
from support.site import Site

CACHE = """
import os
cache = []
application = reply(lambda _: cache.append(os.getpid()) or repr(cache))"""


def test_its_workers_have_what_it_had_warmed_up(site: Site) -> None:
    site.app(CACHE)
    first = site.worker(site.preloader())
    first.body()
    promote(first)
    second, third = site.worker(first), site.worker(first)

    with pytest.raises(EOFError):
        first.slots[0].receive()
    with open(f"/proc/{first.pid}/cmdline") as file:
        assert file.read().startswith("Passenger preloader: ")
    assert [second.body(), third.body()] == [repr([first.pid, second.pid]), repr([first.pid, third.pid])]
    second.close()
    assert first.wait_for("exited") == {"message": "exited", "pid": second.pid, "code": 0, "signal": None}


def test_a_worker_that_loaded_the_application_itself(site: Site) -> None:
    site.app(CACHE)
    child, slot = site.direct()
    slot.body()
    promote(child)
    worker = site.worker(child)

    assert worker.body() == repr([child.pid, worker.pid])


def test_it_goes_on_for_generations(site: Site) -> None:
    site.app("""
import gc, inspect, os, passenger, threading
generation = depth = 0
@passenger.on("worker_boot")
def boot():
    global generation, depth
    generation, depth = generation + 1, len(inspect.stack())
application = reply(lambda _:
    f"{generation} {depth} {len(os.listdir('/proc/self/fd'))} {threading.active_count()} {gc.isenabled()}")""")
    worker = site.worker(site.preloader())
    answers = []
    for _ in range(4):
        answers.append(worker.body().split())
        promote(worker)
        worker = site.worker(worker)

    assert [int(answer[0]) for answer in answers] == [1, 2, 3, 4]
    assert [answer[1:] for answer in answers] == [answers[0][1:]] * 4


def test_requests_that_have_arrived_are_answered_first(site: Site) -> None:
    site.app("import time\napplication = reply(lambda _: time.sleep(0.3) or 'ok')")
    worker = site.worker(site.preloader())
    worker.slots[0].write(frames.request())
    promote(worker)

    assert worker.slots[0].receive().body == b"ok"


def test_several_slots(site: Site) -> None:
    site.app(CACHE)
    worker = site.worker(site.preloader(multithread=True), slots=3)
    promote(worker)

    second = site.worker(worker, slots=3)
    assert [slot.body() for slot in second.slots][-1] == repr([second.pid] * 3)


def test_hooks_and_what_is_to_be_done_at_exit(site: Site) -> None:
    site.app("""
import atexit, os, passenger
for point in ("before_fork", "worker_boot", "worker_shutdown"):
    passenger.on(point, lambda point=point: print(point, os.getpid()))
atexit.register(lambda: print("atexit", os.getpid()))
application = reply("ok")""")
    first = site.worker(site.preloader())
    promote(first)
    second = site.worker(first)
    second.close()
    first.wait_for("exited")
    first.control.close()

    assert first.output.all() == events(first, "worker_boot", "worker_shutdown", "before_fork")
    assert second.output.all() == events(second, "worker_boot", "worker_shutdown", "atexit")


def test_a_thread_that_stays_speaks_against_it(site: Site) -> None:
    site.app("""
import atexit, threading, time
def tick(): time.sleep(60)
def answer(_):
    threading.Thread(target=tick, name="ticker", daemon=True).start()
    return "ok"
atexit.register(print, "atexit")
application = reply(answer)""")
    preloader = site.preloader()
    worker = site.worker(preloader)
    worker.body()

    reason = refusal(worker)
    assert reason.startswith("a thread of the application is running, which copies would not have: ticker, at ")
    assert preloader.wait_for("exited")["code"] == 0
    assert worker.output.all() == "atexit\n"


def test_threads_that_end_or_are_started_again_do_not(site: Site) -> None:
    site.app("""
import passenger, threading
end = threading.Event()
def start(function, **marks):
    thread = threading.Thread(target=function, daemon=True)
    thread.__dict__.update(marks)
    thread.start()
passenger.on("worker_boot", lambda: end.clear() or start(end.wait))
passenger.on("worker_shutdown", end.set)
application = reply(lambda _: start(threading.Event().wait, fork_safe=True) or "ok")""")
    worker = site.worker(site.preloader())
    worker.body()
    promote(worker)

    assert site.worker(worker).body() == "ok"


def test_who_starts_a_thread_tells_whether_it_is_started_again_not_who_wraps_it(site: Site) -> None:
    site.write({
        "sentry_sdk.py": """
import threading
run = threading.Thread.run
def wrapped(self): return run(self)
threading.Thread.run = wrapped
def report(): threading.Event().wait()
"""
    })  # fmt: skip
    site.app("""
import threading, time, sentry_sdk
def tick(): time.sleep(60)
def start(target): threading.Thread(target=target, daemon=True).start()
application = reply(lambda environ: start(tick if environ["PATH_INFO"] == "/tick" else sentry_sdk.report) or "ok")""")
    worker = site.worker(site.preloader())
    worker.body()
    promote(worker)
    worker = site.worker(worker)
    worker.body("/tick")

    assert "a thread of the application is running" in refusal(worker)


SLOW_END = """
import passenger, time
@passenger.on("worker_shutdown")
def end(): print("ending"); time.sleep({seconds})
application = reply("ok")"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_it_may_be_told_to_leave_meanwhile(site: Site, number: signal.Signals) -> None:
    site.app(SLOW_END.format(seconds=0.5))
    preloader = site.preloader()
    worker = site.worker(preloader)
    worker.say("promote")
    worker.output.wait_for("ending")
    os.kill(worker.pid, number)

    assert worker.wait_for("progress")["step"] == "becoming a preloader"
    failed = worker.receive()
    assert failed is not None and (failed["message"], failed["reason"]) == ("failed", "it was told to leave")
    assert preloader.wait_for("exited")["code"] == 0


def test_it_does_not_take_for_ever(site: Site) -> None:
    site.app("import passenger.worker\npassenger.worker.HARD_STOP = 0.5\n" + SLOW_END.format(seconds=60))
    preloader = site.preloader()
    worker = site.worker(preloader)
    worker.say("promote")
    worker.output.wait_for("ending")
    worker.control.close()

    assert preloader.wait_for("exited")["code"] == 1


def test_the_time_that_it_may_take_ends_with_it(site: Site) -> None:
    site.app("import passenger.worker\npassenger.worker.HARD_STOP = 0.5\napplication = reply('ok')")
    worker = site.worker(site.preloader())
    promote(worker)
    time.sleep(1)

    assert site.worker(worker).body() == "ok"


def test_the_application_may_say_no(site: Site) -> None:
    site.app("import passenger\napplication = reply(lambda _: passenger.fork_unsafe('it has a tail') or 'ok')")
    worker = site.worker(site.preloader())
    worker.body()

    assert refusal(worker) == "the application has called passenger.fork_unsafe: it has a tail"


def test_a_library_may_speak_against_it(site: Site) -> None:
    site.app("import sys\nsys.modules['grpc._cython.cygrpc'] = sys\napplication = reply('ok')")

    assert refusal(site.worker(site.preloader())).startswith("the library grpc is loaded")


ASGI = """
import asyncio, os
cache, life = [], []
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        scope["state"]["pid"] = os.getpid()
        while True:
            message = await receive()
            life.append((message["type"].split(".")[1], os.getpid()))
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown": return
    cache.append(os.getpid())
    await asyncio.get_running_loop().run_in_executor(None, id, 1)
    assert scope["state"]["pid"] == os.getpid()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr((cache, life)).encode()})
"""


@pytest.mark.parametrize("python", [os.path.abspath(sys.executable)])
def test_asgi(site: Site) -> None:
    site.app(ASGI)
    worker = site.worker(site.preloader())
    pids, life = [worker.pid], [("startup", worker.pid)]
    assert worker.body() == repr((pids, life))
    for _ in range(2):
        promote(worker)
        life.append(("shutdown", worker.pid))
        worker = site.worker(worker)
        life.append(("startup", worker.pid))
        pids.append(worker.pid)
        assert worker.body() == repr((pids, life))


def promote(worker: Addressee) -> None:
    worker.say("promote")
    assert worker.wait_for("ready")["pid"]


def refusal(worker: SpawnedWorker) -> str:
    worker.say("promote")
    assert worker.wait_for("progress")["step"] == "becoming a preloader"
    message = worker.receive()
    assert message is not None and (message["message"], message["step"]) == ("failed", "becoming a preloader")
    return str(message["reason"])


def events(worker: SpawnedWorker, *names: str) -> str:
    return "".join(f"{name} {worker.pid}\n" for name in names)
