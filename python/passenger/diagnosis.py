"""What a process is doing, for whoever wonders: the answer to SIGQUIT.

The stack of each thread is written by `faulthandler`, even when none of them can run Python. What needs Python, which
request a thread serves and what each task on an event loop waits for, comes after it."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Iterator

from . import backtrace

if TYPE_CHECKING:
    import asyncio

STDERR = 2


def listen() -> None:
    """Has the stacks written on SIGQUIT; then it goes on to the handler that there is now, if any."""
    is_handled = signal.getsignal(signal.SIGQUIT) is not signal.SIG_DFL
    faulthandler.register(signal.SIGQUIT, file=STDERR, all_threads=True, chain=is_handled)


def stop_listening() -> None:
    """To be called before the handler is replaced."""
    faulthandler.unregister(signal.SIGQUIT)


def write(text: Callable[[], str]) -> None:
    """To where the stacks are written, whatever the application has made of `sys.stderr`."""
    try:
        os.write(STDERR, text().encode("utf-8", "backslashreplace"))
    except Exception as error:
        # Whoever asked must not be the reason why the process fails.
        sys.stderr.write(f"[passenger] what process {os.getpid()} is doing can't be told: {backtrace.title(error)}\n")


def requests() -> str:
    """Which threads serve which WSGI requests."""
    found = ((thread, _environ(frame)) for thread, frame in sys._current_frames().items())
    lines = (
        f"  Thread 0x{thread:016x} serves {_line(environ.get('REQUEST_METHOD'), environ.get('REQUEST_URI'))}\n"
        for thread, environ in found
        if environ is not None
    )
    return f"[passenger] requests in process {os.getpid()}:\n{''.join(lines)}"


def tasks(loop: asyncio.AbstractEventLoop) -> str:
    """What waits on the loop, and which ASGI requests and WebSockets that is for. For any thread."""
    import asyncio  # which WSGI applications may do without

    return f"[passenger] tasks of process {os.getpid()}:\n{''.join(map(task, asyncio.all_tasks(loop)))}"


def task(task: asyncio.Task[Any]) -> str:
    """What a task waits for, and which request or WebSocket that is for."""
    frames = list(_suspended(task.get_coro()))
    scopes = (frame.f_locals.get("scope") for frame in frames)
    scope = next((scope for scope in scopes if isinstance(scope, dict)), None)
    title = task.get_name()
    if scope is not None and scope.get("type") in ("http", "websocket"):
        path = scope.get("raw_path")
        path = path.decode("ascii", "backslashreplace") if isinstance(path, bytes) else ""
        title += f" serves {_line(scope.get('method', 'WebSocket'), path)}"
    code = ((frame.f_code, frame.f_lineno) for frame in reversed(frames))
    lines = (f'  File "{code.co_filename}", line {line} in {code.co_name}\n' for code, line in code)
    return f"Task {title} (most recent call first):\n{''.join(lines)}"


def _suspended(awaited: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it waits for, the outermost first."""
    while awaited is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaited, f"{kind}_frame")), None)
        if kind is None:
            return
        frame = getattr(awaited, f"{kind}_frame")
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)


def _environ(frame: FrameType | None) -> dict[str, Any] | None:
    """The environment that the application was called with, as its outermost function knows it."""
    found = None
    while frame is not None:
        for value in frame.f_locals.values():
            if type(value) is dict and "wsgi.input" in value:
                found = value
        frame = frame.f_back
    return found


def _line(method: object, target: object) -> str:
    """Without the query, which may hold secrets."""
    return f"{method} {str(target).partition('?')[0]}"
