from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any, List

import pytest

from support import frames
from support.slot import Serve


def echo(environ: Any, start_response: Any) -> List[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def test_requests_are_answered_in_order(serve: Serve) -> None:
    slot = serve(echo)
    slot.write(b"".join(frames.request(f"/{stream}", stream=stream) for stream in range(200)))

    for stream in range(200):
        [frame] = slot.answer(stream)
        assert frame.body == f"/{stream}".encode()


def test_requests_arrive_in_pieces(serve: Serve) -> None:
    slot = serve(echo)
    request = frames.request("/" + "x" * 40_000)
    for at in range(0, len(request), 7000):
        slot.write(request[at : at + 7000])

    assert len(slot.answer()[0].body) == 40_001


def test_answers_of_a_slow_application_are_not_held_back(serve: Serve) -> None:
    go = threading.Event()

    def app(environ: Any, start_response: Any) -> List[bytes]:
        if environ["PATH_INFO"] == "/wait":
            go.wait(20)
        else:
            time.sleep(0.001)
        return echo(environ, start_response)

    slot = serve(app)
    slot.write(frames.request("/first", stream=1) + frames.request("/wait", stream=2))
    slot.answer(1)
    go.set()
    slot.answer(2)


def test_what_was_cancelled_before_its_turn_is_skipped(serve: Serve) -> None:
    go, seen = threading.Event(), []

    def app(environ: Any, start_response: Any) -> List[bytes]:
        seen.append(environ["PATH_INFO"])
        go.wait(20)
        return echo(environ, start_response)

    slot = serve(app)
    slot.write(frames.request("/a", stream=1))
    while not seen:
        time.sleep(0.001)
    slot.write(frames.request("/b", stream=2) + frames.cancel(2) + frames.request("/c", stream=3))
    go.set()

    assert [slot.answer(stream)[0].kind for stream in (1, 2, 3)] == ["response", "cancel", "response"]
    assert seen == ["/a", "/c"]


def test_late_cancellations_are_ignored(serve: Serve) -> None:
    slot = serve(echo)
    slot.exchange(stream=1)
    slot.write(frames.cancel(1) + frames.request(stream=2))

    assert slot.answer(2)[0].kind == "response"


@pytest.mark.parametrize("end", ["close_write", "shutdown"])
def test_what_has_arrived_is_answered_at_the_end(serve: Serve, end: str) -> None:
    go, seen = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> List[bytes]:
        seen.set()
        go.wait(20)
        return echo(environ, start_response)

    slot = serve(app)
    slot.write(b"".join(frames.request(stream=stream) for stream in range(3)))
    seen.wait(20)
    slot.close_write() if end == "close_write" else slot.handler.shutdown()
    go.set()
    for stream in range(3):
        slot.answer(stream)
    slot.join()
    with pytest.raises(EOFError):
        slot.receive()


def test_shutdown_ends_a_slot_that_waits(serve: Serve) -> None:
    slot = serve(echo)
    slot.exchange()
    slot.handler.shutdown()
    slot.join()
    slot.handler.shutdown()  # again, when the descriptor is closed


def test_a_slot_that_waits_lets_other_threads_run(serve: Serve) -> None:
    one, other = serve(echo), serve(echo)
    assert (one.body("/a"), other.body("/b"), one.body("/c")) == ("/a", "/b", "/c")


def test_the_application_may_leave_its_thread_alone(serve: Serve) -> None:
    """The parts of a body may come from another thread."""

    def app(environ: Any, start_response: Any) -> List[bytes]:
        write = start_response("200 OK", [])
        thread = threading.Thread(target=lambda: write(b"from a thread, "))
        thread.start()
        thread.join()
        return [b"from here"]

    assert serve(app).body() == "from a thread, from here"


IN_THE_MAIN_THREAD = """
import os, signal, socket, sys
sys.path[:0] = sys.argv[1:]
from passenger import extension
extension.load()
from passenger.app import App
from passenger.wsgi import RequestHandler

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]

handler = RequestHandler(int(os.environ["SLOT"]), app, App("/", None, "a:a", False, None, "wsgi", "test", False, False))
signal.signal(signal.SIGTERM, lambda *_: handler.shutdown())
print("ready", flush=True)
handler.run()
print("ended", flush=True)
"""


def test_signal_handlers_run_while_the_main_thread_waits() -> None:
    import signal
    import socket

    ours, theirs = socket.socketpair()
    child = subprocess.Popen(
        [sys.executable, "-c", IN_THE_MAIN_THREAD, *sys.path],
        env={**os.environ, "SLOT": str(theirs.fileno())},
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
    )
    theirs.close()
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    ours.sendall(frames.request())
    assert ours.recv(1000)
    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == b"ended\n"
    assert child.wait(20) == 0
    child.stdout.close()
    ours.close()
