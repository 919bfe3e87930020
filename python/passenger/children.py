"""Processes that this one has forked: which of them have ended, and how."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from .signals import Signals


class Ended(NamedTuple):
    """Exactly one of `code` and `signal` is a number."""

    pid: int
    code: int | None
    signal: int | None


class Children:
    """Its descriptor becomes readable when one may have ended: the main thread can wait for that and for other things
    together. To be made in the main thread."""

    def __init__(self) -> None:
        self._pids: list[int] = []
        self._signals = Signals(signal.SIGCHLD)

    def fileno(self) -> int:
        """The descriptor."""
        return self._signals.fileno()

    def add(self, pid: int) -> None:
        """One more was forked."""
        self._pids.append(pid)

    def ended(self) -> list[Ended]:
        """Those that have ended since the last time. Does not wait."""
        self._signals.arrived()
        found = [end for end in map(_look, self._pids) if end is not None]
        self._pids = [pid for pid in self._pids if not any(pid == end.pid for end in found)]
        return found


def _look(pid: int) -> Ended | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # The application has waited for all children, so nobody can know how this one ended.
        return Ended(pid, 0, None)
    if not found:
        return None
    if os.WIFSIGNALED(status):
        return Ended(pid, None, os.WTERMSIG(status))
    return Ended(pid, os.WEXITSTATUS(status), None)
