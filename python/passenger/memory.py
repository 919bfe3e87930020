"""Keeps the garbage collector from writing to memory that workers share with the preloader.

It writes to each object that it looks at. So it is off while the application is loaded, nothing is collected before the
fork (that would leave holes for workers to write into), and what was loaded is frozen: workers never look at it.
"""

from __future__ import annotations

import gc


def before_loading() -> None:
    """In the process that loads the application."""
    gc.disable()


def before_fork() -> None:
    """In the preloader, each time."""
    if hasattr(gc, "freeze"):  # PyPy has none
        gc.freeze()


def in_preloader() -> None:
    """In a worker that becomes one: what is left of its requests goes, as nobody would look at it again."""
    gc.collect()
    gc.disable()


def in_worker() -> None:
    """In each worker, forked or not. What the application consists of stays, so it need not be looked at."""
    before_fork()
    gc.enable()
