"""Serves a WSGI application: the first slot in the main thread, the others in a thread each."""

from __future__ import annotations

import os
import sys
from threading import Thread
from typing import TYPE_CHECKING, Callable, Sequence

from . import backtrace, diagnosis, hooks

if TYPE_CHECKING:
    from .channels import Handler


class Slots:
    """`serving` is called when all of them serve."""

    def __init__(self, handlers: Sequence[Handler], serving: Callable[[], None]) -> None:
        self._handlers = handlers
        self._serving = serving

    def run(self) -> None:
        """Returns when the last of the slots has ended."""
        # Daemons, so that a process whose main thread fails does not stay for them.
        threads = [Thread(target=_serve, args=(handler,), daemon=True) for handler in self._handlers[1:]]
        for thread in threads:
            thread.start()
        self._serving()
        _serve(self._handlers[0])
        for thread in threads:
            thread.join()

    def shutdown(self) -> None:
        """Makes each slot end when it has answered what has arrived. For any thread and for signal handlers."""
        for handler in self._handlers:
            handler.shutdown()

    def do_oob_work(self, done: Callable[[], None]) -> None:
        """Runs the hooks, then calls `done`. There are no requests meanwhile, so any thread will do."""
        hooks.run_all("oob_work")
        done()

    def diagnosis(self) -> str:
        """What it serves, as text for the log."""
        return diagnosis.requests()


def _serve(handler: Handler) -> None:
    try:
        handler.run()
    except BaseException as error:
        sys.stderr.write(f"[passenger] process {os.getpid()} gives up a slot: {backtrace.describe(error)}")
