"""The functions that are to be called at certain points in a process's life, in the order in which they were given."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Callable, Iterator, TypeVar, overload

from . import backtrace

Hook = Callable[[], object]
F = TypeVar("F", bound=Hook)

_hooks: dict[str, list[Hook]] = {"before_fork": [], "worker_boot": [], "worker_shutdown": [], "oob_work": []}

GUNICORN = {
    "pre_fork": "before_fork",
    "post_fork": "worker_boot",
    "post_worker_init": "worker_boot",
    "worker_exit": "worker_shutdown",
}
"""Gunicorn's names for these points."""


@overload
def on(point: str) -> Callable[[F], F]: ...
@overload
def on(point: str, function: F) -> F: ...
def on(point: str, function: F | None = None) -> Callable[[F], F] | F:
    """Has `function` called, without arguments,

    * in the preloader, before each fork ("before_fork");
    * in each worker, before its first request ("worker_boot");
    * in each worker, after its last request ("worker_shutdown");
    * in a worker without requests, when the application has asked for out-of-band work ("oob_work"). If the application
      is ASGI this is done on its event loop, which then waits for what the function returns, if that can be awaited.

    Without `function` it is a decorator:

        @passenger.on("worker_boot")
        def start_metrics(): ...

    Raises ValueError for an unknown point, TypeError for what can't be called.
    """
    hooks = _hooks.get(GUNICORN.get(point, point))
    if hooks is None:
        raise ValueError(f"unknown hook {point!r}; there are {', '.join([*_hooks, *GUNICORN])}")

    def add(function: F) -> F:
        if not callable(function):
            raise TypeError(f"a hook must be a function; this is {function!r}")
        hooks.append(function)
        return function

    return add if function is None else add(function)


def each(point: str) -> list[Hook]:
    """The functions for a point, as they are at this moment."""
    return list(_hooks[point])


def run(point: str) -> None:
    """Calls them all; what one raises ends this."""
    for hook in each(point):
        hook()


def run_all(point: str) -> None:
    """Calls them all; one that breaks must not keep the others from doing their work."""
    for hook in each(point):
        with logged(point):
            hook()


@contextmanager
def logged(point: str, *passing: type[BaseException]) -> Iterator[None]:
    """Logs what a function for this point raises, unless it is one of `passing`."""
    try:
        yield
    except passing:
        raise
    except BaseException as error:
        sys.stderr.write(f"[passenger] the {point} hook failed: {backtrace.describe(error)}")
