"""The event loop of a worker: uvloop's if it is installed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Callable, Coroutine

uvloop: Any
try:
    import uvloop
except ImportError:
    uvloop = None

CLOSING_TIME = 1.0
"""What tasks that the application has left behind are given to end when they are cancelled, in seconds."""

EAGER = sys.version_info >= (3, 12)
"""Whether a task may begin at once instead of in the loop's next turn."""

TaskMaker = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


def new(kind: str) -> asyncio.AbstractEventLoop:
    """A loop of the `kind` auto, uvloop or asyncio, set as this thread's.

    Raises RuntimeError for uvloop if it isn't installed."""
    if kind == "uvloop" and uvloop is None:
        raise RuntimeError(f"uvloop is not installed for {sys.executable}; install it there, or use another event loop")
    loop: asyncio.AbstractEventLoop
    if uvloop is not None and kind in ("auto", "uvloop"):
        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def task_maker(loop: asyncio.AbstractEventLoop) -> TaskMaker:
    """The cheapest way to make tasks on `loop`: named, as numbering them costs more."""
    if loop.get_task_factory() is not None:
        return loop.create_task
    options: dict[str, Any] = {"loop": loop, "name": "passenger-request"}
    if EAGER:
        options["eager_start"] = True
    return lambda coroutine: asyncio.Task(coroutine, **options)


def close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what is left on the loop, and closes it."""
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=CLOSING_TIME))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
