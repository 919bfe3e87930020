"""The end of a process that does not end by itself."""

from __future__ import annotations

import os
from threading import Event, Thread


class HardStop:
    """Ends the process with status 1, whatever it is doing, when the time is over."""

    def __init__(self, seconds: float) -> None:
        self._called_off = Event()
        self._thread = Thread(target=self._wait, args=[seconds], name="passenger-stop", daemon=True)
        self._thread.start()

    def call_off(self) -> None:
        """It is not needed, and its thread has ended."""
        self._called_off.set()
        self._thread.join()

    def _wait(self, seconds: float) -> None:
        if not self._called_off.wait(seconds):
            os._exit(1)
