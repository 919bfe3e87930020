from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Callable, Iterator, Tuple

import pytest

from passenger import _native
from passenger.pure.control import Control as PureControl
from support import control as agent

LOAD = {
    "message": "load",
    "protocol": 2,
    "app": {
        "root": "/srv/shop",
        "startup_file": None,
        "entry": "shop:app",
        "factory": True,
        "app_dir": "src",
        "interface": "asgi",
        "environment": "production",
        "multithread": True,
        "show_errors": False,
    },
    "slots": None,
}

Pair = Tuple[socket.socket, Any]


@pytest.fixture(params=[_native.Control, PureControl], ids=["native", "pure"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The agent's end and the process's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control = request.param(theirs.detach())
    yield ours, control
    ours.close()
    control.close()


def test_load(pair: Pair) -> None:
    ours, control = pair
    agent.send(ours, LOAD)

    name, members, descriptors = control.receive()
    assert (name, descriptors) == ("load", [])
    assert members == {"protocol": 2, "slots": None, **LOAD["app"]}  # type: ignore[dict-item]


def test_spawn_with_descriptors(pair: Pair) -> None:
    ours, control = pair
    reader, writer = os.pipe()
    agent.send(ours, {"message": "spawn", "ticket": 7, "slots": 2}, [reader, writer])
    os.close(reader)
    os.close(writer)

    name, members, (reader, writer) = control.receive()
    assert (name, members) == ("spawn", {"ticket": 7, "slots": 2})
    os.write(writer, b"x")
    assert os.read(reader, 1) == b"x"
    assert not os.get_inheritable(reader)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("name", ["oob_work", "promote"])
def test_orders_without_members(pair: Pair, name: str) -> None:
    ours, control = pair
    agent.send(ours, {"message": name})

    assert control.receive() == (name, {}, [])


SAID: Any = [
    (lambda it: it.hello("python", "3.13.0"), {"message": "hello", "protocol": 2, "language": "python", "version": "3.13.0"}),
    (lambda it: it.progress("loading"), {"message": "progress", "step": "loading"}),
    (lambda it: it.spawned(7, 4711), {"message": "spawned", "ticket": 7, "pid": 4711}),
    (lambda it: it.ready(4711, True), {"message": "ready", "pid": 4711, "multiplexed": True}),
    (lambda it: it.exited(4711, None, 9), {"message": "exited", "pid": 4711, "code": None, "signal": 9}),
    (lambda it: it.leaving(4711), {"message": "leaving", "pid": 4711}),
    (lambda it: it.oob_work_done(4711), {"message": "oob_work_done", "pid": 4711}),
    (lambda it: it.failed("a", "b", "c"), {"message": "failed", "step": "a", "reason": "b", "output": "c"}),
]  # fmt: skip


@pytest.mark.parametrize(("say", "message"), SAID)
def test_what_a_process_says(pair: Pair, say: Callable[[Any], None], message: Any) -> None:
    ours, control = pair
    say(control)

    assert agent.receive(ours) == message


def test_a_failure_fits_a_message(pair: Pair) -> None:
    ours, control = pair
    control.failed("\0" * 50_000, "b" * 50_000, "c" * 50_000 + "\nthe end")

    message = agent.receive(ours)
    assert message is not None
    assert message["output"].endswith("c\nthe end")


def test_the_agent_closes_the_channel(pair: Pair) -> None:
    ours, control = pair
    ours.close()

    assert control.receive() is None
    with pytest.raises(OSError):
        control.progress("x")


def test_shutdown_ends_a_wait_while_others_speak(pair: Pair) -> None:
    ours, control = pair
    ended = []
    thread = threading.Thread(target=lambda: ended.append(control.receive()))
    thread.start()
    time.sleep(0.05)
    control.progress("while another waits")
    assert agent.wait_for(ours, "progress")
    control.shutdown()
    thread.join(20)
    assert ended == [None]


def test_an_unknown_message() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control = _native.Control(theirs.detach())
    agent.send(ours, {"message": "dance"})

    with pytest.raises(OSError, match="unreadable control message"):
        control.receive()
    ours.close()
    control.close()


def test_no_descriptor() -> None:
    for descriptor in (-1, 1_000_000):
        with pytest.raises(OSError):
            _native.Control(descriptor)
        with pytest.raises(OSError):
            _native.Channel(descriptor)
