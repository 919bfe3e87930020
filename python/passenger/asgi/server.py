"""Serves an ASGI application on the data channels of a worker.

    run: lifespan startup ── serving() ─▶ requests ── channels ended, shutdown() ─▶ leaving ─▶ lifespan shutdown

Leaving, a worker finishes the requests that it has; those that take longer than the graceful timeout are cancelled.
WebSockets are closed at once, with the code 1012 (service restart), as nothing more can be heard from their clients.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from typing import Callable, Protocol, Sequence

from .. import backtrace, diagnosis, hooks
from .._native import AsgiChannel, Disconnected
from . import event_loop, scopes
from .lifespan import Lifespan
from .tasks import CANCELLING_TIME, Tasks
from .types import ASGIApplication

GRACEFUL_TIMEOUT = 25.0
"""Seconds; the agent ends a process that takes 30 seconds to leave."""

LIFESPAN_TIMEOUT = 3.0
"""What the end of the lifespan may take in any case, in seconds."""


class Settings(Protocol):
    """What the agent has to say."""

    @property
    def show_errors(self) -> bool: ...


class Server:
    """`channels` are the descriptors of the data channels. `serving` is called when the application has started, just
    before the first request. `loop` is auto, uvloop or asyncio."""

    def __init__(
        self,
        channels: Sequence[int],
        app: ASGIApplication,
        settings: Settings,
        serving: Callable[[], None],
        loop: str = "auto",
        graceful_timeout: float = GRACEFUL_TIMEOUT,
    ) -> None:
        self._descriptors = channels
        self._app = app
        self._settings = settings
        self._serving = serving
        self._kind = loop
        self._graceful_timeout = graceful_timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._ended: asyncio.Event | None = None
        self._channels: list[AsgiChannel] = []
        self._oob_work: asyncio.Future[None] | None = None
        self._open = 0
        self._has_started = False
        self._is_leaving = False

    def run(self) -> None:
        """Returns when all channels have ended, or `shutdown` was called, and all was answered.

        Raises StartupFailed, and what `serving` raises."""
        loop = event_loop.new(self._kind)
        self._loop = loop
        try:
            self._main = loop.create_task(self._serve())
            loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass  # told to leave before the application had started
        finally:
            event_loop.close(loop)

    def shutdown(self) -> None:
        """Makes `run` return. For any thread and for signal handlers."""
        self._is_leaving = True
        self._call_soon(self._leave)

    def do_oob_work(self, done: Callable[[], None]) -> None:
        """Has the hooks run on the event loop, then calls `done` there. For any thread."""
        self._call_soon(self._start_oob_work, done)

    def diagnosis(self) -> str:
        """What it serves, as text for the log. For any thread."""
        return diagnosis.tasks(self._loop) if self._loop is not None else ""

    def _call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(function, *arguments)
            except RuntimeError:
                pass  # it is closed

    def _start_oob_work(self, done: Callable[[], None]) -> None:
        # The loop has only weak references to tasks.
        self._oob_work = asyncio.ensure_future(_do_oob_work(done))

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        lifespan = Lifespan(self._app)
        await lifespan.startup()
        tasks = Tasks(self._app, self._settings.show_errors, event_loop.task_maker(loop))
        http, websocket = scopes.http(lifespan.state), scopes.websocket(lifespan.state)
        self._channels = [
            AsgiChannel(fd, loop, tasks.start, tasks.stop, self._end, http, websocket, scopes.COPIED, event_loop.EAGER)
            for fd in self._descriptors
        ]
        self._open = len(self._channels)
        self._serving()
        self._has_started = True
        for channel in self._channels:
            channel.open()
        if self._is_leaving:
            self._leave()
        await self._ended.wait()
        deadline = loop.time() + self._graceful_timeout
        await asyncio.gather(tasks.finish(self._graceful_timeout), self._finish_oob_work())
        while self._channels:
            self._channels.pop().close()
        await lifespan.shutdown(max(deadline - loop.time(), 0) + LIFESPAN_TIMEOUT)

    async def _finish_oob_work(self) -> None:
        """As long as the application is still there."""
        if self._oob_work is not None:
            await asyncio.wait([self._oob_work], timeout=self._graceful_timeout)
            self._oob_work.cancel()
            await asyncio.wait([self._oob_work], timeout=CANCELLING_TIME)

    def _leave(self) -> None:
        for channel in self._channels:
            channel.shutdown()
        # Later, when there are no channels any more, the application is cleaning up.
        if not self._has_started and self._main is not None:
            self._main.cancel()

    def _end(self, error: Exception | None) -> None:
        """A channel brings nothing more."""
        if error is not None and not isinstance(error, Disconnected):
            process = os.getpid()
            sys.stderr.write(f"[passenger] process {process} gives up a channel: {backtrace.describe(error)}")
        self._open -= 1
        if self._open == 0 and self._ended is not None:
            self._ended.set()


async def _do_oob_work(done: Callable[[], None]) -> None:
    try:
        for hook in hooks.each("oob_work"):
            with hooks.logged("oob_work", asyncio.CancelledError):
                result = hook()
                if inspect.isawaitable(result):
                    await result
    finally:
        done()
