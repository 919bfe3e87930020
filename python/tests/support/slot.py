"""A slot in this process, for the tests of request handlers."""

from __future__ import annotations

import socket
import threading
from typing import Any, Callable

from passenger.app import App

from .agent_end import AgentEnd


class Slot(AgentEnd):
    """A slot that is served by a real request handler in a thread of this process; the test is its agent."""

    def __init__(self, handler: Callable[..., Any], app: Any, multithread: bool, show_errors: bool) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        settings = App("/", None, "app:app", False, None, "wsgi", "test", multithread, show_errors)
        self.handler = handler(theirs.detach(), app, settings)
        self.error: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits for the handler's end; raises what ended it."""
        self.wait()
        if self.error:
            raise self.error

    def wait(self) -> None:
        """Waits for the handler's end, whatever ended it."""
        self._thread.join(20)
        assert not self._thread.is_alive()

    def finish(self) -> None:
        """Ends the channel, so that all is over that follows an answer."""
        self.close_write()
        self.join()

    def _run(self) -> None:
        try:
            self.handler.run()
        except BaseException as error:
            self.error = error


Serve = Callable[..., Slot]
"""Starts a slot with an application."""
