"""The application's lifespan (ASGI): it is told before the first request and after the last."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from .. import backtrace
from ..failure import LoadError
from .types import ASGIApplication, Message


class StartupFailed(LoadError):
    """The application has said `lifespan.startup.failed`, with this message: often a traceback: its end counts."""

    def __init__(self, message: str) -> None:
        lines = message.strip().splitlines() or ["it gave no reason"]
        super().__init__(f"the application's lifespan startup failed: {lines[-1].strip()}", message.strip())


class Lifespan:
    """To be made on the running loop. `state` is what the application has put into its scope."""

    def __init__(self, app: ASGIApplication) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._was_asked = False
        self._error: BaseException | None = None
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = loop.create_future()
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._run())

    async def startup(self) -> None:
        """Returns when requests may come, which they may, too, if the application knows nothing of lifespans.

        Raises StartupFailed if it says so."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        await asyncio.wait([self._task, self._started], return_when=asyncio.FIRST_COMPLETED)
        if self._started.done():
            return self._started.result()
        if self._error is not None and not isinstance(self._error, Exception):
            raise self._error
        # Most applications that know nothing of lifespans fail at the sight of the scope. Others may have broken down.
        if self._error is not None and self._was_asked:
            self._log(f"the application's lifespan failed; it is served without:\n{backtrace.describe(self._error)}")

    async def shutdown(self, timeout: float) -> None:
        """Returns when the application has ended, or after `timeout` seconds."""
        if self._task.done():
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait([self._task, self._stopped], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not self._task.done() and not self._stopped.done():
            self._log("the application did not end its lifespan in time")
        elif self._error is not None:
            self._log(f"the end of the application's lifespan failed:\n{backtrace.describe(self._error)}")

    async def _run(self) -> None:
        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:
            self._error = error

    async def _receive(self) -> Message:
        self._was_asked = True
        return await self._messages.get()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            _settle(self._started)
        elif kind == "lifespan.startup.failed":
            _settle(self._started, StartupFailed(message.get("message", "")))
        elif kind == "lifespan.shutdown.complete":
            _settle(self._stopped)
        elif kind == "lifespan.shutdown.failed":
            self._log(f"the application did not end its lifespan well: {message.get('message', '').strip()}")
            _settle(self._stopped)
        else:
            raise RuntimeError(f"{kind!r} was sent; a lifespan has only 'lifespan.startup' and 'lifespan.shutdown'")

    @staticmethod
    def _log(text: str) -> None:
        sys.stderr.write(f"[passenger] process {os.getpid()}: {text.rstrip()}\n")


def _settle(future: asyncio.Future[None], error: Exception | None = None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
