"""Signals as bytes in a pipe, for whoever can wait for descriptors."""

from __future__ import annotations

import os
import signal
from typing import Any, Sequence

_active: Signals | None = None


class Signals:
    """Its descriptor becomes readable when one of the signals may have come. To be made in the main thread.

    Python calls handlers in the main thread only, when that is between two of its instructions: not while it is in a
    function that takes long, be it the application's. A byte is written to the wakeup descriptor at once. Nothing that
    is waited for is interrupted.

    One at a time. Children have no part in it: they have the pipe, too, and their signals would be taken for ours."""

    def __init__(self, *numbers: int) -> None:
        global _active
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        # Python writes to the descriptor only for signals that it has a handler for.
        self._handlers_before = {number: signal.signal(number, self._note) for number in numbers}
        for number in numbers:
            signal.siginterrupt(number, False)
        self._descriptor_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        _active = self

    def fileno(self) -> int:
        """The descriptor."""
        return self._reader

    def arrived(self) -> Sequence[int]:
        """The signals that have come since the last time; one may be among them more than once. Does not wait."""
        try:
            return os.read(self._reader, 4096)
        except BlockingIOError:
            return b""

    def forget(self) -> None:
        """As before, except for what others have changed meanwhile. In the main thread."""
        global _active
        _active = None
        current = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(self._descriptor_before if current == self._writer else current)
        for number, handler in self._handlers_before.items():
            before: Any = handler
            if signal.getsignal(number) == self._note:
                signal.signal(number, signal.SIG_DFL if before is None else before)
        os.close(self._reader)
        os.close(self._writer)

    def _note(self, number: int, _frame: object) -> None:
        """For when the application, or its event loop, has made the wakeup descriptor its own; else there is a byte."""
        current = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if current == self._writer:
            return
        signal.set_wakeup_fd(current)
        try:
            os.write(self._writer, bytes([number]))
        except BlockingIOError:
            pass  # there are enough of them


def ignore(_number: int, _frame: object) -> None:
    """A handler that does nothing."""


def _forget_in_child() -> None:
    if _active is not None:
        _active.forget()


os.register_at_fork(after_in_child=_forget_in_child)
