"""A task for each request and each WebSocket: runs the application, and answers for it when it does not."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from .. import diagnosis, error_report
from .._native import Disconnected
from ..error_report import ErrorReport
from .event_loop import TaskMaker
from .spooled_body import SpooledBody
from .types import ASGIApplication, Receive, Scope

if TYPE_CHECKING:
    from .._native import AsgiStream

NORMAL_CLOSURE = 1000
INTERNAL_ERROR = 1011
"""Codes with which a WebSocket is closed for an application (RFC 6455, 7.4.1)."""

CANCELLING_TIME = 2.0
"""What tasks are given to end when they are cancelled, in seconds."""


class Tasks:
    """`show_errors`: whether error pages show exceptions."""

    def __init__(self, app: ASGIApplication, show_errors: bool, make_task: TaskMaker) -> None:
        self._app = app
        self._show_errors = show_errors
        self._make_task = make_task
        # The loop has only weak references to tasks.
        self._running: dict[AsgiStream, asyncio.Task[None]] = {}

    def start(self, stream: AsgiStream, scope: Scope, body: int | None) -> None:
        """Makes a task; `body` is the descriptor of the file with the request's body, if it is in one."""
        if body is None:
            task = self._make_task(self._serve(stream, scope, stream.receive))
        else:
            task = self._make_task(self._serve_spooled(stream, scope, body))
        if not task.done():
            self._running[stream] = task

    def stop(self, stream: AsgiStream) -> None:
        """Cancels the task of a request that has been running for longer than it may, and says where it is."""
        task = self._running.get(stream)
        if task is not None:
            try:
                where = diagnosis.task(task)
                sys.stderr.write(f"[passenger] process {os.getpid()} cancels a request that takes too long:\n{where}")
            finally:
                task.cancel()

    async def finish(self, timeout: float) -> None:
        """Returns when all tasks have ended, if need be by cancelling them after `timeout` seconds."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=timeout)
        for task in self._running.values():
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=CANCELLING_TIME)

    async def _serve_spooled(self, stream: AsgiStream, scope: Scope, fd: int) -> None:
        body = SpooledBody(fd, stream.receive)
        try:
            await self._serve(stream, scope, body.receive)
        finally:
            body.close()

    async def _serve(self, stream: AsgiStream, scope: Scope, receive: Receive) -> None:
        try:
            await self._app(scope, receive, stream.send)
            if not stream.ended:
                await self._complete(stream, scope)
        except BaseException as error:
            # SystemExit, too: one request must not end the others.
            try:
                self._report(stream, scope, error)
            finally:
                stream.give_up(INTERNAL_ERROR)
            await _drain(stream)
        finally:
            self._running.pop(stream, None)

    async def _complete(self, stream: AsgiStream, scope: Scope) -> None:
        """The application has returned, and something is still to be sent."""
        if not (stream.finished or stream.open or stream.lost):
            raise RuntimeError("the application returned without completing its response")
        stream.give_up(NORMAL_CLOSURE)
        await stream.drain()

    def _report(self, stream: AsgiStream, scope: Scope, error: BaseException) -> None:
        """To the log, and to the client if that can be told."""
        if isinstance(error, asyncio.CancelledError):
            if not stream.finished:
                sys.stderr.write(f"[passenger] {_request_line(scope)} in process {os.getpid()} was cancelled\n")
            return
        if (stream.lost or stream.ended) and _is_disconnection(error):
            return
        report = ErrorReport(error, _request_line(scope))
        sys.stderr.write(report.to_log())
        if not (stream.begun or stream.lost or stream.finished):
            headers = [(b"content-type", error_report.CONTENT_TYPE.encode())]
            stream.answer(500, headers, report.page(self._show_errors))


async def _drain(stream: AsgiStream) -> None:
    """Waits until what was said last is out, if anybody wants it."""
    try:
        await stream.drain()
    except Disconnected:
        pass


def _is_disconnection(error: BaseException) -> bool:
    """Whether it is ours, or was raised because of ours: the client has left, which is no mistake."""
    to_see: list[BaseException | None] = [error]
    seen: set[int] = set()
    while to_see:
        error_or_none = to_see.pop()
        if error_or_none is None or id(error_or_none) in seen:
            continue
        if isinstance(error_or_none, Disconnected):
            return True
        seen.add(id(error_or_none))
        to_see += [error_or_none.__cause__ or error_or_none.__context__, *getattr(error_or_none, "exceptions", ())]
    return False


def _request_line(scope: Scope) -> str:
    """The application may have changed the scope in any way."""
    target, query = scope.get("raw_path"), scope.get("query_string")
    parts = [part for part in (target, query) if isinstance(part, bytes) and part]
    return f"{scope.get('method', 'WebSocket')} {b'?'.join(parts).decode('ascii', 'backslashreplace')}"
