"""Keeps what the agent has said when the application replaces its interpreter while it is loaded.

The original Passenger's documentation made this usual at the top of passenger_wsgi.py:

    if sys.executable != INTERP:
        os.execl(INTERP, INTERP, *sys.argv)

The new interpreter runs boot.py again, and finds its control channel in its usual place and its orders in the
environment.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, NamedTuple, NoReturn, Sequence

VARIABLE = "PASSENGER_LOAD_ORDER"


class Orders(NamedTuple):
    """A `load` message and the descriptors that came with it."""

    members: dict[str, Any]
    descriptors: list[int]


def inherited() -> Orders | None:
    """The orders of the interpreter that this one has replaced, if there was one."""
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return None
    orders = Orders(*json.loads(text))
    for descriptor in orders.descriptors:
        os.set_inheritable(descriptor, False)
    return orders


class Reexecution:
    """Within this context `os.exec*` hands the orders on. Otherwise no program inherits a channel: one that the
    application starts and leaves running would keep it open."""

    def __init__(self, orders: Orders, control: int) -> None:
        self._text = json.dumps(orders)
        self._inherited = [control, *orders.descriptors]
        self._pid = os.getpid()

    def __enter__(self) -> None:
        self._execv: Callable[..., NoReturn] = os.execv
        self._execve: Callable[..., NoReturn] = os.execve
        _set_exec(self._replace, self._replace)

    def __exit__(self, *_: object) -> None:
        _set_exec(self._execv, self._execve)

    def _replace(self, path: Any, arguments: Sequence[Any], environment: Any = None) -> NoReturn:
        environment = dict(os.environ if environment is None else environment)
        if os.getpid() != self._pid:  # a child that becomes another program
            self._execve(path, arguments, environment)
        environment[VARIABLE] = self._text
        self._let_inherit(True)
        try:
            self._execve(path, arguments, environment)
        finally:
            self._let_inherit(False)

    def _let_inherit(self, whether: bool) -> None:
        for descriptor in self._inherited:
            os.set_inheritable(descriptor, whether)


def _set_exec(execv: Callable[..., NoReturn], execve: Callable[..., NoReturn]) -> None:
    # All the others (execl, execvp...) call these two by name.
    for name, function in (("execv", execv), ("execve", execve)):
        setattr(os, name, function)
