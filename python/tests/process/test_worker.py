from __future__ import annotations

import fcntl
import os
import signal
import time

import pytest

from support import frames
from support.site import Site

OK = "application = reply('ok')"
SLOW = """
import time
def answer(environ):
    print("serving\\n", end="")  # in one piece, although others do the same
    time.sleep(0.5)
    return "ok"
application = reply(answer)"""


def test_direct_spawning(site: Site) -> None:
    site.app(
        "application = reply(lambda environ: repr(environ['wsgi.multithread']) + open('/proc/self/cmdline').read())"
    )
    _, slot = site.direct()

    assert slot.body().startswith(f"FalsePassenger worker: {site.root}"[:40])


def test_several_slots(site: Site) -> None:
    site.app("""
import queue
items = queue.Queue()
def answer(environ):
    if environ["PATH_INFO"] == "/wait": return items.get(timeout=10)
    items.put("x"); return repr(environ["wsgi.multithread"])
application = reply(answer)""")
    _, *slots = site.direct(slots=3, multithread=True)
    for slot in slots[:2]:
        slot.write(frames.request("/wait"))
    assert [slots[2].body("/go"), slots[2].body("/go")] == ["True", "True"]

    assert [slot.answer()[-1].body for slot in slots[:2]] == [b"x", b"x"]


def test_the_main_thread_serves_the_first_slot(site: Site) -> None:
    site.app(
        "import threading\napplication = reply(lambda _: str(threading.current_thread() is threading.main_thread()))"
    )
    _, *slots = site.direct(slots=2, multithread=True)

    assert [slot.body() for slot in slots] == ["True", "False"]


def test_leaves_when_all_channels_are_closed(site: Site) -> None:
    site.app(
        """
import atexit, passenger
atexit.register(print, "at exit")
passenger.on("worker_shutdown", lambda: print("hook"))"""
        + f"\n{OK}"
    )
    child, *slots = site.direct(slots=2)
    slots[0].close()
    assert slots[1].body() == "ok"
    slots[1].close()

    assert child.status() == 0
    assert child.output.all().endswith("hook\nat exit\n")


def test_leaves_with_the_agent_after_answering(site: Site) -> None:
    site.app(SLOW)
    child, slot = site.direct()
    slot.write(frames.request())
    child.output.wait_for("serving")
    child.control.close()

    assert slot.receive().body == b"ok"
    assert child.status(5) == 0


def test_does_not_wait_for_ever(site: Site) -> None:
    site.app("""
import time
import passenger.worker
passenger.worker.HARD_STOP = 0.3
def answer(environ): print("serving"); time.sleep(60)
application = reply(answer)""")
    child, slot = site.direct()
    slot.write(frames.request())
    child.output.wait_for("serving")
    child.control.close()

    assert child.status(5) == 1


def test_does_not_wait_for_the_applications_threads_for_ever(site: Site) -> None:
    site.app(f"""
import threading, time
import passenger.worker
passenger.worker.HARD_STOP = 0.3
passenger.on("worker_boot", threading.Thread(target=time.sleep, args=[60]).start)
{OK}""")
    child, slot = site.direct()
    slot.close()

    assert child.status(5) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("slots", [1, 2])
def test_a_signal_to_leave(site: Site, number: signal.Signals, slots: int) -> None:
    site.app(f"import passenger\npassenger.on('worker_shutdown', lambda: print('hook')){SLOW}")
    child, *channels = site.direct(slots=slots)
    for slot in channels:
        slot.write(frames.request())
    child.output.wait_for("serving\n" * slots)
    for _ in range(2):
        os.kill(child.pid, number)

    assert child.wait_for("leaving")["pid"] == child.pid
    for slot in channels:
        slot.write(frames.request(stream=1))  # was on its way meanwhile
    for slot in channels:
        assert [slot.receive().body for _ in range(2)] == [b"ok"] * 2
        slot.close()
    assert child.status(20) == 0
    assert child.output.all().endswith("hook\n")
    assert child.receive() is None, "it says so once"


def test_a_signal_is_heard_while_all_slots_are_busy(site: Site) -> None:
    # Neither of them runs Python meanwhile: in the main thread's a handler would have to wait.
    site.app("import re\napplication = reply(lambda _: print('serving') or str(re.match('(a|a)*b', 'a' * 21)))")
    child, slot = site.direct()
    slot.write(frames.request())
    child.output.wait_for("serving")
    os.kill(child.pid, signal.SIGTERM)

    assert child.wait_for("leaving")
    assert slot.receive().body == b"None"


def test_a_signal_does_not_interrupt_a_request(site: Site) -> None:
    site.app("""
import ctypes
def answer(environ):
    print("serving")
    # A function in C that would not go on after an interruption.
    return str(ctypes.CDLL(None).flock(lock.fileno(), 2))
lock = open("lock", "w")
application = reply(answer)""")
    child, slot = site.direct()
    with open(site.root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        slot.write(frames.request())
        child.output.wait_for("serving")
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait_for("leaving")

    assert slot.receive().body == b"0"


def test_leaves_by_itself_if_the_agent_does_not_react(site: Site) -> None:
    site.app(f"import passenger.worker\npassenger.worker.HARD_STOP = 0.3\n{OK}")
    child, slot = site.direct()
    os.kill(child.pid, signal.SIGTERM)
    child.wait_for("leaving")
    slot.write(frames.request(stream=1) + frames.request(stream=2))

    deadline = time.monotonic() + 20
    with pytest.raises(BrokenPipeError):
        while time.monotonic() < deadline:
            slot.write(frames.request(stream=3))
            time.sleep(0.02)
    assert [slot.answer(stream)[-1].body for stream in (1, 2)] == [b"ok", b"ok"]
    slot.close()
    assert child.status(20) == 0


def test_a_handler_of_the_applications_own(site: Site) -> None:
    site.app(f"""
import signal
signal.signal(signal.SIGUSR1, lambda *_: print("mine"))
signal.signal(signal.SIGTERM, lambda *_: print("not mine"))
{OK}""")
    child, _ = site.direct()
    os.kill(child.pid, signal.SIGUSR1)
    child.output.wait_for("mine")
    os.kill(child.pid, signal.SIGTERM)

    assert child.wait_for("leaving")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_a_child_of_the_worker_is_the_childs(site: Site, number: signal.Signals) -> None:
    site.app(f"""
import os, time
def answer(_):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(7)
    os.read(reader, 1)
    os.kill(pid, {int(number)})
    return str(os.WTERMSIG(os.waitpid(pid, 0)[1]))
application = reply(answer)""")
    child, slot = site.direct()

    assert [slot.body(), slot.body()] == [str(int(number))] * 2
    slot.close()
    assert child.status() == 0
    assert child.receive() is None, "the worker does not want to leave"


def test_a_worker_that_is_not_ready_ends_at_once(site: Site) -> None:
    site.app(f"""
import passenger, time
passenger.on("worker_boot", lambda: print("booting") or time.sleep(60))
{OK}""")
    child = site.preloader()
    worker = child.spawn()
    pid = child.wait_for("spawned")["pid"]
    worker.output.wait_for("booting")
    os.kill(pid, signal.SIGTERM)

    assert child.wait_for("exited")["signal"] == signal.SIGTERM


def test_sigint_is_the_agents_business(site: Site) -> None:
    site.app(f"import os, signal\nsignal.signal(signal.SIGINT, lambda *_: os._exit(7))\n{OK}")
    child, slot = site.direct()
    os.kill(child.pid, signal.SIGINT)

    assert slot.body() == "ok"
    assert slot.body() == "ok"


def test_sigquit_prints_what_each_thread_does(site: Site) -> None:
    site.app("""
import time
def waiting_for_godot(): print("serving"); time.sleep(60)
application = reply(lambda environ: "ok" if environ["PATH_INFO"] == "/go" else waiting_for_godot())""")
    child, *slots = site.direct(slots=2)
    slots[1].write(frames.request("/wait?secret"))
    child.output.wait_for("serving")
    os.kill(child.pid, signal.SIGQUIT)

    output = child.output.wait_for("serves GET /wait\n")
    assert 'passenger_wsgi.py", line' in output and " in waiting_for_godot\n" in output
    assert "secret" not in output
    assert slots[0].body("/go") == "ok"
    os.kill(child.pid, signal.SIGKILL)


def test_sigquit_to_a_preloader(site: Site) -> None:
    site.app(OK)
    child = site.preloader()
    os.kill(child.pid, signal.SIGQUIT)

    child.output.wait_for(" in _obey")
    assert site.worker(child).body() == "ok"


def test_out_of_band_work(site: Site) -> None:
    site.app("""
import passenger
done = []
@passenger.on("oob_work")
def breaks(): raise OSError("oh")
passenger.on("oob_work", lambda: done.append("done"))
application = reply(lambda _: str(done))""")
    child, *slots = site.direct(slots=2)
    assert slots[0].body() == "[]"
    child.say("oob_work")

    assert child.wait_for("oob_work_done")["pid"] == child.pid
    assert slots[0].body() == slots[1].body() == "['done']"
    assert "the oob_work hook failed: Traceback" in child.output.wait_for("OSError: oh")


def test_a_slot_that_breaks_does_not_take_the_others_along(site: Site) -> None:
    site.app(OK)
    child, *slots = site.direct(slots=2)
    slots[0].write(b"\xff" * 16)

    with pytest.raises(EOFError):
        slots[0].receive()
    assert slots[1].body() == "ok"
    slots[1].close()
    assert child.status() == 0
    output = child.output.all()
    assert f"process {child.pid} gives up a slot: " in output and "sent something unreadable" in output


def test_exit_in_a_request_does_not_end_the_worker(site: Site) -> None:
    site.app("import sys\napplication = reply(lambda environ: sys.exit() if environ['PATH_INFO'] == '/exit' else 'ok')")
    _, slot = site.direct()

    assert slot.exchange("/exit")[-1].aux == 500
    assert slot.body("/") == "ok"


def test_output_without_a_line_end_comes_at_the_end(site: Site) -> None:
    site.app("application = reply(lambda _: print('one line') or print('half a line', end='') or 'ok')")
    child, slot = site.direct()
    assert slot.body() == "ok"
    child.output.wait_for("one line\n")
    slot.close()

    assert child.output.all().endswith("half a line")
