"""config/passenger.py in the application's directory: runs before the application, to define hooks.

Functions in it that have the name of one of Gunicorn's hooks are called as Gunicorn calls them, so that they can be
copied over.
"""

from __future__ import annotations

import logging
import os
from types import SimpleNamespace
from typing import Any, Callable

from . import hooks

NAME = os.path.join("config", "passenger.py")
"""The file, from the application's directory."""

_WORKER_ONLY = "post_worker_init"


def run(path: str) -> None:
    """Executes the file. What it raises comes through."""
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    names: dict[str, Any] = {"__name__": "passenger_config", "__file__": path}
    exec(code, names)
    for name in hooks.GUNICORN:
        if callable(names.get(name)):
            hooks.on(name, _as_gunicorn(name, names[name]))


def _as_gunicorn(name: str, function: Callable[..., object]) -> hooks.Hook:
    """Calls `function` with what it may expect of Gunicorn's server and worker: their process id and log."""

    def hook() -> None:
        log = logging.getLogger("passenger")
        worker = SimpleNamespace(pid=os.getpid(), log=log)
        server = SimpleNamespace(pid=os.getppid(), log=log)
        if name == _WORKER_ONLY:
            function(worker)
        else:
            function(server, worker)

    return hook
