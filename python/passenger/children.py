"""Processes that this one has forked: which of them have ended, and how."""

from __future__ import annotations

import os
import signal
from typing import Any, NamedTuple


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
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._wake, False)
        # Python writes to the descriptor only for signals that it has a handler for.
        self._handler_before = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._descriptor_before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """The descriptor."""
        return self._awake

    def add(self, pid: int) -> None:
        """One more was forked."""
        self._pids.append(pid)

    def ended(self) -> list[Ended]:
        """Those that have ended since the last time. Does not wait."""
        try:
            os.read(self._awake, 4096)
        except BlockingIOError:
            pass
        found = [end for end in map(_look, self._pids) if end is not None]
        self._pids = [pid for pid in self._pids if not any(pid == end.pid for end in found)]
        return found

    def forget(self) -> None:
        """In a child: they are its parent's."""
        signal.set_wakeup_fd(self._descriptor_before)
        handler: Any = self._handler_before
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)
        os.close(self._awake)
        os.close(self._wake)


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
