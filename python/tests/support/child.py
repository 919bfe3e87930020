"""Processes as the agent starts them: boot.py with a control channel on descriptor 3. The test is their agent."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Sequence

from . import control
from .agent_end import AgentEnd
from .control import Message

PACKAGE = Path(__file__).resolve().parents[2] / "passenger"


class Output:
    """What a process prints."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        self.text = ""

    def wait_for(self, text: str, timeout: float = 20) -> str:
        """Everything up to now, when this is in it."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            assert self._read(deadline - time.monotonic()), f"{text!r} is not in the output:\n{self.text}"
        return self.text

    def more(self, timeout: float = 20) -> str:
        """Everything up to now, when it has gone on."""
        assert self._read(timeout), f"it has ended:\n{self.text}"
        return self.text

    def all(self, timeout: float = 20) -> str:
        """Everything; waits until all who could write have ended."""
        deadline = time.monotonic() + timeout
        while self._read(deadline - time.monotonic()):
            pass
        return self.text

    def _read(self, timeout: float) -> bool:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        if not poll.poll(max(timeout, 0) * 1000):
            raise TimeoutError(f"the output does not go on:\n{self.text}")
        data = os.read(self._reader, 1 << 16)
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def close(self) -> None:
        os.close(self._reader)


class Addressee:
    """A process, by its control channel."""

    control: socket.socket

    def say(self, name: str) -> None:
        """A message without members or descriptors."""
        control.send(self.control, {"message": name})

    def spawn(self, slots: int = 1, ticket: int = 1) -> SpawnedWorker:
        """Asks a preloader for a worker."""
        worker = SpawnedWorker(slots)
        control.send(self.control, {"message": "spawn", "ticket": ticket, "slots": slots}, worker.theirs)
        worker.close_theirs()
        return worker

    def receive(self, timeout: float = 20) -> Message | None:
        return control.receive(self.control, timeout)

    def wait_for(self, name: str) -> Message:
        return control.wait_for(self.control, name)


class Child(Addressee):
    """`python` is the interpreter."""

    def __init__(self, root: Path, python: str = sys.executable, env: dict[str, str] | None = None) -> None:
        self.root = root
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.output = Output()
        self._process = _start([python, str(PACKAGE / "boot.py")], root, theirs, self.output.writer, env or {})
        self.pid = self._process.pid
        theirs.close()
        os.close(self.output.writer)

    def load(self, slots: Sequence[socket.socket] = (), protocol: int = 2, **options: Any) -> None:
        """Tells the process to load the application. `slots` are the other ends of its data channels, for direct spawning."""
        app: Message = {
            "root": str(self.root), "startup_file": str(self.root / "passenger_wsgi.py"), "entry": None, "factory": False,
            "app_dir": None, "interface": None, "environment": "test", "multithread": False, "show_errors": False,
        }  # fmt: skip
        app.update(options)
        if app["entry"]:
            app["startup_file"] = None
        message = {"message": "load", "protocol": protocol, "app": app, "slots": len(slots) or None}
        control.send(self.control, message, [slot.fileno() for slot in slots])

    def status(self, timeout: float = 20) -> int:
        """Waits for the end; the exit status, or the signal's number as a negative one."""
        return self._process.wait(timeout)

    def stop(self) -> None:
        self.control.close()
        try:
            self.status(5)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self.status()
        self.output.close()


class SpawnedWorker(Addressee):
    """A worker that a preloader forks."""

    def __init__(self, slots: int) -> None:
        self.control, self._their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.output = Output()
        pairs = [socket.socketpair() for _ in range(slots)]
        self.slots = [AgentEnd(ours) for ours, _ in pairs]
        self._their_slots = [theirs for _, theirs in pairs]
        self.pid = 0

    @property
    def theirs(self) -> list[int]:
        return [self._their_control.fileno(), self.output.writer, *(slot.fileno() for slot in self._their_slots)]

    def close_theirs(self) -> None:
        os.close(self.output.writer)
        for channel in (self._their_control, *self._their_slots):
            channel.close()

    def body(self, target: str = "/", **request: Any) -> str:
        return self.slots[0].body(target, **request)

    def close(self) -> None:
        """As the agent does to end it."""
        for slot in self.slots:
            slot.close()


def _start(
    command: list[str], root: Path, channel: socket.socket, output: int, env: dict[str, str]
) -> subprocess.Popen[bytes]:
    # Through a shell, because only that can be told to put a descriptor in the place of another.
    script = f'exec "$@" 3<&{channel.fileno()} {channel.fileno()}<&-' if channel.fileno() != 3 else 'exec "$@"'
    return subprocess.Popen(
        ["/bin/bash", "-c", script, "sh", *command],
        cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[channel.fileno()],
        env={**os.environ, **env}, start_new_session=True,
    )  # fmt: skip
