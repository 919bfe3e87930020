"""How an application wants to be called: WSGI (PEP 3333) or ASGI 3."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable

from .failure import LoadError

_DOUBLE = (
    "Passenger serves ASGI 3: `async def application(scope, receive, send)`. Update the framework, or wrap the "
    "application: `application = asgiref.compatibility.guarantee_single_callable(application)`."
)
_NEITHER = (
    "A WSGI application is called with (environ, start_response), an ASGI application is a coroutine function of "
    "(scope, receive, send)."
)


def choose(application: Any, name: str, wanted: str | None) -> str:
    """`wsgi` or `asgi`. `name` is the application's in messages; `wanted` is what the agent was told, or None.

    Raises LoadError for what is neither, or certainly not what is wanted."""
    if not callable(application):
        raise LoadError(f"{name} is {_article(type(application).__name__)}, which can't be called", _NEITHER)
    found = _detect(application, name)
    if wanted is None or found == wanted:
        return found or "wsgi"
    if found == "asgi":
        raise LoadError(
            f"{name} is an ASGI application, and is to be served as WSGI",
            "Name the startup file passenger_asgi.py, or say --interface asgi.",
        )
    if found == "wsgi":
        raise LoadError(
            f"{name} is a WSGI application, and is to be served as ASGI",
            "Name the startup file passenger_wsgi.py, say --interface wsgi, or wrap the application with "
            "asgiref.wsgi.WsgiToAsgi.",
        )
    return wanted


def _detect(application: Callable[..., Any], name: str) -> str | None:
    """None when nothing can be found out, as of functions that are written in C."""
    # Of the instance: some middleware gives each one a function of its own.
    is_object = not (inspect.isclass(application) or inspect.isroutine(application) or _is_partial(application))
    instance: Any = application
    called = instance.__call__ if is_object else application
    accepts = _Arguments(called)
    if _is_coroutine_function(called):
        if accepts(3):
            return "asgi"
        raise LoadError(f"{name} is a coroutine function that can't be called with (scope, receive, send)", _NEITHER)
    if accepts.unknown:
        return None
    if accepts(2):
        return "wsgi"
    if accepts(3):
        return "asgi"
    if accepts(1):
        raise LoadError(f"{name} is an ASGI 2 application: it is called with the scope alone", _DOUBLE)
    if accepts(0):
        raise LoadError(
            f"{name} takes no arguments, so it is no application", f"If it makes one, say --factory. {_NEITHER}"
        )
    raise LoadError(f"{name} is no application: it takes neither two arguments nor three", _NEITHER)


class _Arguments:
    """How many positional arguments something can be called with."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature: inspect.Signature | None
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError):
            self._signature = None
        self.unknown = self._signature is None

    def __call__(self, count: int) -> bool:
        if self._signature is None:
            return True
        try:
            self._signature.bind(*range(count))
        except TypeError:
            return False
        return True


def _is_partial(function: Any) -> bool:
    return isinstance(function, functools.partial)


def _is_coroutine_function(function: Any) -> bool:
    while _is_partial(function):  # Python 3.7 does not look into it
        function = function.func
    return inspect.iscoroutinefunction(function)


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
