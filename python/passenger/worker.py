"""A process that serves.

    serving ── SIGTERM, SIGUSR1: says that it leaves ─▶ serving what is on its way ─▶ all channels ended: hooks, exit
       │                                                   │ HARD_STOP: takes nothing more    ▲
       └── the agent ends the data channels, or is gone ───┴──────────────────────────────────┘

In any case what has arrived is answered first. Or the agent has it become a preloader; then it has no requests. If it
was told to leave meanwhile it does that.
"""

from __future__ import annotations

import os
import select
import signal
import time
from threading import Thread
from typing import TYPE_CHECKING, Sequence

from . import diagnosis, fork_safety, hooks, memory
from .app import App
from .hard_stop import HardStop
from .loader import Application
from .progress import Progress
from .signals import Signals, ignore
from .slots import Slots
from .title import set_title

if TYPE_CHECKING:
    from .asgi import Server
    from .channels import Channels, Control
    from .preloader import Preloader

HARD_STOP = 30.0
"""How long the agent may take to end the data channels, and this process to end, or to be ready to be a preloader, when
it need not wait for the agent; in seconds."""


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
        self._is_ready = False
        self._is_leaving = False
        self._deadline: float | None = None

    def run(self, progress: Progress) -> Preloader | None:
        """Returns the preloader that the process is to be, or None when it is to exit, as it usually would: what the
        application registered with atexit is to run. Raises when it cannot serve."""
        set_title(f"Passenger worker: {self._app.root}")
        memory.in_worker()
        progress.begin("running the worker_boot hooks")
        hooks.run("worker_boot")
        self._server = self._make_server(progress)
        self._handle_signals()
        control = Thread(target=self._attend, name="passenger-control", daemon=True)
        control.start()
        self._server.run()
        limit = HardStop(HARD_STOP)
        hooks.run_all("worker_shutdown")
        if not self._promoted:
            return None
        control.join()
        self._is_leaving |= _is_to_leave(self._signals.arrived())
        self._ignore_signals()
        for each in (limit, self._limit):
            each.call_off()
        return self._become_preloader(progress)

    def _become_preloader(self, progress: Progress) -> Preloader | None:
        """If a fork would break what it has, it ends instead: the agent has others."""
        from .preloader import Preloader

        progress.begin("becoming a preloader")
        obstacle = "it was told to leave" if self._is_leaving else fork_safety.obstacle()
        if obstacle is not None:
            HardStop(HARD_STOP)
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
        self._is_ready = True
        self._control.ready(os.getpid(), multiplexed)

    def _handle_signals(self) -> None:
        handled = [signal.SIGTERM, signal.SIGQUIT]
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:  # else it means something to the application
            handled.append(signal.SIGUSR1)
        diagnosis.stop_listening()
        self._signals = Signals(*handled)
        diagnosis.listen()
        # The application may have set one since the process began.
        signal.signal(signal.SIGINT, ignore)

    def _ignore_signals(self) -> None:
        """As before."""
        diagnosis.stop_listening()
        self._signals.forget()
        diagnosis.listen()

    def _attend(self) -> None:
        """In a thread of its own, as the main thread serves. Obeys the agent, until that is gone, and signals."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._signals.fileno(), select.POLLIN)
        try:
            while not self._promoted:
                events = [fd for fd, _ in poll.poll(self._patience())]
                if not events:
                    self._deadline = None
                    self._server.shutdown()
                if self._signals.fileno() in events:
                    self._react(self._signals.arrived())
                if self._fd in events and not self._obey():
                    break
        except OSError:
            pass
        self._limit = HardStop(HARD_STOP)
        self._server.shutdown()

    def _obey(self) -> bool:
        """Whether the agent is still there."""
        message = self._control.receive()
        if message is None:
            return False
        if message[0] == "oob_work":
            self._server.do_oob_work(self._done_oob_work)
        self._promoted = message[0] == "promote"
        return True

    def _react(self, arrived: Sequence[int]) -> None:
        if signal.SIGQUIT in arrived:
            diagnosis.write(self._server.diagnosis)
        if _is_to_leave(arrived):
            self._leave()

    def _leave(self) -> None:
        """Once; whoever asks for it again does not make it faster."""
        if self._is_leaving:
            return
        self._is_leaving = True
        if self._is_ready:
            self._deadline = time.monotonic() + HARD_STOP
            self._control.leaving(os.getpid())
        else:
            self._server.shutdown()

    def _patience(self) -> float | None:
        """In milliseconds."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0) * 1000

    def _done_oob_work(self) -> None:
        try:
            self._control.oob_work_done(os.getpid())
        except OSError:
            pass  # the agent is gone: the next message is the end


def _is_to_leave(arrived: Sequence[int]) -> bool:
    return signal.SIGTERM in arrived or signal.SIGUSR1 in arrived
