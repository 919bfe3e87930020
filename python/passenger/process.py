"""From the first message to a loaded application: then this process is a preloader or, without one, a worker."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from . import channels, diagnosis, memory, reexec
from ._version import VERSION
from .app import App
from .failure import Failure, LoadError
from .fork_safety import flush
from .loader import Application, Loader
from .preloader import Preloader
from .progress import Progress
from .pure.control import PROTOCOL
from .signals import ignore
from .worker import Worker

if TYPE_CHECKING:
    from .channels import Channels, Control

CONTROL = 3
"""The descriptor of the control channel."""


def run() -> None:
    """Returns in workers, when they are to exit."""
    _prepare()
    found = channels.find()
    control = found.control(CONTROL)
    progress = Progress(f"starting Python {_version()}", control)
    try:
        orders = _orders(control)
        app = App.from_order(orders.members)
        application = _load(app, orders, progress, found)
        role: Preloader | Worker | None = Worker(app, application, control, CONTROL, orders.descriptors, found)
        if orders.members["slots"] is None:
            role = Preloader(app, application, control, CONTROL, found)
        # A preloader and its workers become each other: what a process is next is returned to here, so that the stack
        # does not grow with the generations.
        while role is not None:
            role = role.run(progress)
    except BaseException as error:
        Failure(progress.step, error).report(progress.control or control)
        flush()
        os._exit(1)


def _prepare() -> None:
    # Else what is written to a pipe would stay in the process until there are some kilobytes of it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    # A terminal sends Ctrl-C to all processes in it; who leaves when is the agent's decision. (A function, because
    # programs that the application starts would inherit "ignore".)
    signal.signal(signal.SIGINT, ignore)
    diagnosis.listen()


def _orders(control: Control) -> reexec.Orders:
    """What the agent wants to be loaded. Ends the process if the agent has gone."""
    inherited = reexec.inherited()
    try:
        control.hello("python", _version())
        message = None if inherited else control.receive()
    except OSError:
        os._exit(0)
    if inherited:
        return inherited
    if message is None:
        os._exit(0)
    _, members, descriptors = message
    if members["protocol"] != PROTOCOL:
        raise LoadError(
            f"the agent speaks control protocol {members['protocol']}, this package ({VERSION}) speaks {PROTOCOL}",
            "Install the same version of Passenger for both.",
        )
    return reexec.Orders(members, descriptors)


def _load(app: App, orders: reexec.Orders, progress: Progress, found: Channels) -> Application:
    memory.before_loading()
    with reexec.Reexecution(orders, CONTROL):
        application = Loader(app, progress).load()
    if application.interface == "asgi":
        if found.missing:
            raise LoadError(
                f"Python {_version()} ({sys.executable}) can serve WSGI applications, but not ASGI applications",
                f"Choose another Python with --python, or reinstall Passenger. The reason: {found.missing}.",
            )
        from . import asgi  # noqa: F401 - here, so that workers need not load it
    return application


def _version() -> str:
    version = sys.version.split()[0]
    return version if sys.implementation.name == "cpython" else f"{version} ({sys.implementation.name})"
