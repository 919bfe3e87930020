"""Holds a loaded application and forks workers when the agent asks for them. It never serves a request. It has loaded
the application, or it has been a worker."""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING, Any, Sequence

from . import fork_safety, hooks, memory
from .app import App
from .children import Children
from .failure import Failure
from .loader import Application
from .progress import Progress
from .title import set_title
from .worker import Worker

if TYPE_CHECKING:
    from .channels import Channels, Control


class Preloader:
    """`fd` is the descriptor of `control`."""

    def __init__(self, app: App, application: Application, control: Control, fd: int, channels: Channels) -> None:
        self._app = app
        self._application = application
        self._control = control
        self._fd = fd
        self._channels = channels
        self._warned = False

    def run(self, progress: Progress) -> Worker:
        """Returns in the processes that it has forked only: the worker that such a process is to be. `progress` is the
        worker's from then on."""
        set_title(f"Passenger preloader: {self._app.root}")
        self._children = Children()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        return self._become_worker(progress, *self._obey())

    def _obey(self) -> list[int]:
        """Returns in workers, with their descriptors. Ends the preloader when the agent is gone."""
        poll = select.poll()
        for descriptor in (self._fd, self._children.fileno()):
            poll.register(descriptor, select.POLLIN)
        try:
            self._control.ready(os.getpid(), False)
            while True:
                events = [fd for fd, _ in poll.poll()]
                for ended in self._children.ended():
                    self._control.exited(*ended)
                if self._fd in events:
                    message = self._control.receive()
                    if message is None:
                        break
                    _, order, descriptors = message
                    if self._spawn(order, descriptors) == 0:
                        return descriptors
        except OSError:
            pass  # the agent did not wait for what was to be said
        # Not sys.exit: what the application wants done at exit is for workers.
        fork_safety.flush()
        os._exit(0)

    def _spawn(self, order: dict[str, Any], descriptors: Sequence[int]) -> int | None:
        """Returns as os.fork does; None if that failed. The descriptors are the worker's control channel, its output,
        its data channels: all are the worker's; here they are closed again."""
        progress = Progress("preparing to fork")
        try:
            self._prepare()
            progress.begin("running the before_fork hooks")
            hooks.run("before_fork")
            progress.begin("forking")
            memory.before_fork()
            pid = fork_safety.fork()
        except BaseException as error:
            worker = self._channels.control(os.dup(descriptors[0]))
            Failure(progress.step, error).report(worker)
            worker.close()
            pid = None
        if pid != 0:
            for descriptor in descriptors:
                os.close(descriptor)
        if pid:
            self._children.add(pid)
            self._control.spawned(order["ticket"], pid)
        return pid

    def _prepare(self) -> None:
        fork_safety.disconnect_databases()
        if not self._warned:
            self._warned = True
            fork_safety.warn_about_threads()

    def _become_worker(self, progress: Progress, channel: int, output: int, *slots: int) -> Worker:
        control = progress.control = self._channels.control(channel)
        progress.step = "becoming a worker"
        self._control.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        fork_safety.redirect(output)
        os.setpgid(0, 0)
        return Worker(self._app, self._application, control, channel, slots, self._channels)
