"""The application is told when it begins and ends."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading

import pytest

from passenger.asgi import StartupFailed
from support.asgi import Worker, respond


class Settings:
    show_errors = False


def app_with_lifespan(events, startup=None, shutdown=None):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            return await respond(send, "served")
        events.append((await receive())["type"])
        await (startup or complete)(scope, send)
        events.append((await receive())["type"])
        if shutdown:
            return await shutdown(send)
        return await send({"type": "lifespan.shutdown.complete"})

    async def complete(scope, send):
        await send({"type": "lifespan.startup.complete"})

    return app


def test_startup_before_the_first_request_and_shutdown_after_the_last(start, capsys):
    events: list[str] = []
    worker = start(app_with_lifespan(events))
    assert events == ["lifespan.startup"]
    assert worker.channels[0].get() == "served"
    worker.stop()
    assert events == ["lifespan.startup", "lifespan.shutdown"]
    assert (worker.error, capsys.readouterr().err) == (None, "")


def test_a_failed_startup_fails_the_worker(start):
    async def startup(scope, send):
        await send({"type": "lifespan.startup.failed", "message": "Traceback\n  File x\nno database\n"})

    worker = start(app_with_lifespan([], startup))
    worker.wait()
    assert isinstance(worker.error, StartupFailed)
    assert str(worker.error) == "the application's lifespan startup failed: no database"
    assert worker.error.remedy == "Traceback\n  File x\nno database"


def test_an_application_that_rejects_the_scope_is_served_without(start, capsys):
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await respond(send, "served")

    assert start(app).channels[0].get() == "served"
    assert capsys.readouterr().err == ""


def test_a_lifespan_that_breaks_down_is_logged(start, capsys):
    async def startup(scope, send):
        raise ValueError("broken")

    assert start(app_with_lifespan([], startup)).channels[0].get() == "served"
    log = capsys.readouterr().err
    assert "the application's lifespan failed; it is served without" in log
    assert "ValueError: broken" in log


def test_an_application_that_exits_at_startup(start):
    async def startup(scope, send):
        sys.exit(4)

    worker = start(app_with_lifespan([], startup))
    worker.wait()
    assert isinstance(worker.error, SystemExit)


def test_a_failed_shutdown_is_logged(start, capsys):
    async def shutdown(send):
        await send({"type": "lifespan.shutdown.failed", "message": "could not save"})

    start(app_with_lifespan([], shutdown=shutdown)).stop()
    assert "the application did not end its lifespan well: could not save" in capsys.readouterr().err


def test_a_shutdown_that_raises_is_logged(start, capsys):
    async def shutdown(send):
        raise ValueError("unsaved")

    start(app_with_lifespan([], shutdown=shutdown)).stop()
    assert "ValueError: unsaved" in capsys.readouterr().err


def test_told_to_leave_while_the_application_starts(loop):
    has_begun = threading.Event()

    async def startup(scope, send):
        has_begun.set()
        await asyncio.sleep(60)

    worker = Worker(app_with_lifespan([], startup), loop=loop)
    assert has_begun.wait(20)
    worker.server.shutdown()
    worker.wait()
    assert worker.error is None


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals are for the main thread")
def test_a_signal_handler_ends_the_server(loop):
    """As the worker runs it: in the main thread."""
    import os
    import socket

    from passenger.asgi import Server

    events: list[str] = []
    ours, theirs = socket.socketpair()
    server = Server([theirs.detach()], app_with_lifespan(events), Settings(), lambda: None, loop=loop)
    before = signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        server.run()
    finally:
        signal.signal(signal.SIGTERM, before)
        ours.close()
    assert events == ["lifespan.startup", "lifespan.shutdown"]
