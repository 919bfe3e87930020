"""What speaks to the agent: the extension or, for interpreters that can't load it, the same in Python."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from . import extension
from .app import App
from .pure.control import Control as PureControl

if TYPE_CHECKING:
    from . import _native
    from .pure.request_handler import RequestHandler as PureHandler
    from .wsgi import RequestHandler

    Control = Union[_native.Control, PureControl]
    Handler = Union[RequestHandler, PureHandler]


class Channels(NamedTuple):
    """What to make of descriptors."""

    control: Callable[[int], Control]
    """The control channel at a descriptor."""
    handler: Callable[[int, Any, App], Handler]
    """What serves a WSGI application on the data channel at a descriptor."""
    missing: ImportError | None
    """Why there is no extension, which serving ASGI applications needs."""


def find() -> Channels:
    """The extension's if it can be loaded."""
    try:
        extension.load()
    except ImportError as error:
        if sys.implementation.name == "cpython" and sys.version_info >= (3, 9):
            sys.stderr.write(f"[passenger] {error}\n[passenger] Serving without it, which takes more CPU time.\n")
        from .pure.request_handler import RequestHandler as Handler

        return Channels(PureControl, Handler, missing=error)
    from ._native import Control
    from .wsgi import RequestHandler

    return Channels(Control, RequestHandler, missing=None)
