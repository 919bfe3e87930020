"""A signal handler that raises while an answer is being sent."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Any

import pytest

from passenger.app import App
from passenger.wsgi import RequestHandler
from support import frames
from support.agent_end import AgentEnd

LENGTH = 3_000_000


def test_an_answer_whose_length_was_announced_is_still_sent_whole(capsys: pytest.CaptureFixture[str]) -> None:
    is_interrupted = threading.Event()
    received = []

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(LENGTH))])
        # The agent reads nothing yet, so this finds the worker waiting for room.
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        return [b"x" * LENGTH]

    def interrupt(*_: Any) -> None:
        is_interrupted.set()
        raise TimeoutError("enough")

    def read() -> None:
        assert is_interrupted.wait(20)
        received.extend(agent.answer())
        agent.close_write()

    ours, theirs = socket.socketpair()
    agent = AgentEnd(ours)
    agent.write(frames.request())
    settings = App("/", None, "app:app", False, None, "wsgi", "test", False, False)
    handler = RequestHandler(theirs.detach(), application, settings)
    before = signal.signal(signal.SIGALRM, interrupt)
    reader = threading.Thread(target=read)
    try:
        reader.start()
        handler.run()
        reader.join(20)
    finally:
        signal.signal(signal.SIGALRM, before)
        agent.close()
    assert sum(len(frame.body) for frame in received) == LENGTH
    assert "TimeoutError: enough" in capsys.readouterr().err
