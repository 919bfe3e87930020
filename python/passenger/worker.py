"""A process that serves.

It leaves when the agent has closed all data channels, or the control channel, or on SIGTERM: in any case what has
arrived is answered first. Or the agent has it become a preloader; then it has no requests.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from threading import Thread
from typing import TYPE_CHECKING, Sequence

from . import fork_safety, hooks, memory
from .app import App
from .loader import Application
from .progress import Progress
from .slots import Slots
from .title import set_title

if TYPE_CHECKING:
    from .asgi import Server
    from .channels import Channels, Control
    from .preloader import Preloader

HARD_STOP = 30.0
"""From when on nobody waits any more, in seconds."""


class Worker:
    """`fd` is the descriptor of `control`, `slots` are those of its data channels."""

    def __init__(
        self, app: App, application: Application, control: Control, fd: int, slots: Sequence[int], channels: Channels
    ) -> None:
        self._app = app
        self._application = application
        self._control = control
        self._fd = fd
        self._slots = slots
        self._channels = channels
        self._promoted = False

    def run(self, progress: Progress) -> Preloader | None:
        """Returns the preloader that the process is to be, or None when it is to exit, as it usually would: what the
        application registered with atexit is to run. Raises when it cannot serve."""
        set_title(f"Passenger worker: {self._app.root}")
        memory.in_worker()
        progress.begin("running the worker_boot hooks")
        hooks.run("worker_boot")
        self._server = self._make_server(progress)
        self._handle_signals()
        control = Thread(target=self._watch_control, name="passenger-control", daemon=True)
        control.start()
        self._server.run()
        if not self._promoted:
            self._limit_leaving()
        hooks.run_all("worker_shutdown")
        if not self._promoted:
            return None
        control.join()
        return self._become_preloader(progress)

    def _become_preloader(self, progress: Progress) -> Preloader | None:
        """If a fork would break what it has, it ends instead: the agent has others."""
        from .preloader import Preloader

        progress.begin("becoming a preloader")
        obstacle = fork_safety.obstacle()
        if obstacle is not None:
            self._control.failed(progress.step, obstacle, "")
            return None
        memory.in_preloader()
        return Preloader(self._app, self._application, self._control, self._fd, self._channels)

    def _make_server(self, progress: Progress) -> Server | Slots:
        if self._application.interface == "asgi":
            from .asgi import Server

            progress.begin("starting the application (ASGI lifespan)")
            return Server(self._slots, self._application.function, self._app, lambda: self._ready(multiplexed=True))
        handlers = [self._channels.handler(slot, self._application.function, self._app) for slot in self._slots]
        return Slots(handlers, lambda: self._ready(multiplexed=False))

    def _ready(self, multiplexed: bool) -> None:
        self._control.ready(os.getpid(), multiplexed)

    def _handle_signals(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self._leave())
        # What each thread is doing, for whoever wonders; even when none of them can run Python.
        faulthandler.register(signal.SIGQUIT, file=2, all_threads=True)

    def _watch_control(self) -> None:
        """The control channel ends when the agent is gone."""
        try:
            while True:
                message = self._control.receive()
                if message is None:
                    break
                if message[0] == "promote":
                    self._promoted = True
                    return self._server.shutdown()
                if message[0] == "oob_work":
                    self._server.do_oob_work(self._done_oob_work)
        except OSError:
            pass
        self._leave()

    def _done_oob_work(self) -> None:
        try:
            self._control.oob_work_done(os.getpid())
        except OSError:
            pass  # the agent is gone: the next message is the end

    def _leave(self) -> None:
        self._limit_leaving()
        self._server.shutdown()

    def _limit_leaving(self) -> None:
        Thread(target=_stop_hard, name="passenger-stop", daemon=True).start()


def _stop_hard() -> None:
    time.sleep(HARD_STOP)
    os._exit(1)
