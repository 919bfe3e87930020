"""What has to be done around a fork, so that the copy shares what can be shared and not what cannot."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from typing import Any

from . import backtrace, unforkable

RESTARTED = {"ddtrace", "opentelemetry", "sentry_sdk"}
"""Libraries that start their threads again when these are missed."""

ENDING = 1.0
"""What threads that have been told to end are given for it, in seconds."""


def fork() -> int:
    """`os.fork()`, which calls what `os.register_at_fork` was given."""
    flush()  # else both processes would write what is in the buffers
    with warnings.catch_warnings():
        # Python 3.12 warns of threads, too, but does not name them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def flush() -> None:
    """Writes what is in the buffers of the standard streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # the application has closed or replaced it


def disconnect_databases() -> None:
    """Two processes on one database connection would read each other's answers. Django connects anew when needed."""
    database: Any = sys.modules.get("django.db")
    configuration: Any = sys.modules.get("django.conf")
    if database is not None and configuration is not None and configuration.settings.configured:
        database.connections.close_all()


def obstacle() -> str | None:
    """Why a process that has served must not be forked, in one line; None if nothing speaks against it."""
    return unforkable.reason() or _thread_that_stays()


def _thread_that_stays() -> str | None:
    """Those of the slots have ended, so it is one of the application's, in the midst of something."""
    deadline = time.monotonic() + ENDING
    while True:
        threads = _lost_threads()
        if not threads:
            return None
        if time.monotonic() > deadline:
            return f"a thread of the application is running, which copies would not have: {backtrace.text(threads[0])}"
        time.sleep(0.01)


def _lost_threads() -> list[str]:
    """What a fork takes away from the application: each by its name and place."""
    frames = sys._current_frames()
    ours = (threading.main_thread(), threading.current_thread())
    others = [(thread, frames.get(thread.ident or 0)) for thread in threading.enumerate() if thread not in ours]
    return [f"{thread.name}, {_place(frame)}" for thread, frame in others if not _is_fork_safe(thread)]


def _is_fork_safe(thread: threading.Thread) -> bool:
    """Marked as such, or of a library that starts it again when it is missed. That is told by what it runs, not by its
    stack: these libraries wrap the threads of others, too."""
    modules = (type(thread).__module__, getattr(getattr(thread, "_target", None), "__module__", None))
    of_library = any(str(module).partition(".")[0] in RESTARTED for module in modules)
    return of_library or bool(getattr(thread, "fork_safe", False))


def warn_about_threads() -> None:
    """Names the threads that workers will not have."""
    threads = [f"    {thread}\n" for thread in _lost_threads()]
    if threads:
        sys.stderr.write(
            "[passenger] workers do not have the threads that the application started while it was loading. Start them "
            f'in `passenger.on("worker_boot")` instead:\n{backtrace.text("".join(threads))}'
        )


def redirect(output: int) -> None:
    """Makes this descriptor the standard output and standard error, and closes it."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def _place(frame: Any) -> str:
    """The line of the application that a thread is at."""
    innermost = frame
    while frame is not None and frame.f_code.co_filename == threading.__file__:
        frame = frame.f_back
    frame = frame or innermost
    return f"at {frame.f_code.co_filename}:{frame.f_lineno}" if frame else "not in Python"
