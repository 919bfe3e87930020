"""A process's end of its control channel: JSON, one message a packet (docs/protocol.md, "Control channel")."""

from __future__ import annotations

import json
import socket
from typing import Any, Iterable

from . import descriptors

PROTOCOL = 2
"""The version of these messages and of the frames on data channels."""
MAX_MESSAGE = 64 * 1024
"""The longest message in bytes."""
MAX_REASON = 8 * 1024
"""The most bytes that `step` and `reason` of a failure take up in its message, each; their end is cut."""
MAX_OUTPUT = 32 * 1024
"""The same of its `output`, whose beginning is cut."""


class Control:
    """Takes charge of the descriptor of a connected SOCK_SEQPACKET socket. What it raises is OSError."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=fd)
        self._socket.setblocking(True)
        self._socket.set_inheritable(False)

    def receive(self) -> tuple[str, dict[str, Any], list[int]] | None:
        """The next message: its name, its members (those of `app` among them), the descriptors that came with it, which
        are the caller's to close. Waits; None when the agent has closed the channel, or `shutdown` was called."""
        try:
            packet, fds = descriptors.receive(self._socket, MAX_MESSAGE)
        except ConnectionResetError:
            return None  # the agent is gone and has not read all
        if not packet:
            return None
        message = json.loads(packet.decode())
        message.update(message.pop("app", {}))
        return message.pop("message"), message, fds

    def hello(self, language: str, version: str) -> None:
        """The first message of a process."""
        self._send(message="hello", protocol=PROTOCOL, language=language, version=version)

    def progress(self, step: str) -> None:
        """A step begins."""
        self._send(message="progress", step=step)

    def spawned(self, ticket: int, pid: int) -> None:
        """A worker was forked."""
        self._send(message="spawned", ticket=ticket, pid=pid)

    def ready(self, pid: int, multiplexed: bool) -> None:
        """A preloader: the application is loaded. A worker: it serves, many requests at once if `multiplexed`."""
        self._send(message="ready", pid=pid, multiplexed=multiplexed)

    def failed(self, step: str, reason: str, output: str) -> None:
        """The process can't do what it was told. Texts that are too long are cut."""
        step = step[: _fitting(step, MAX_REASON)]
        reason = reason[: _fitting(reason, MAX_REASON)]
        output = output[-MAX_OUTPUT:]
        output = output[len(output) - _fitting(reversed(output), MAX_OUTPUT) :]
        self._send(message="failed", step=step, reason=reason, output=output)

    def exited(self, pid: int, code: int | None, signal: int | None) -> None:
        """A worker that this process forked has ended."""
        self._send(message="exited", pid=pid, code=code, signal=signal)

    def leaving(self, pid: int) -> None:
        """A worker wants to end: the agent is to send it no more requests."""
        self._send(message="leaving", pid=pid)

    def oob_work_done(self, pid: int) -> None:
        """The out-of-band work is over."""
        self._send(message="oob_work_done", pid=pid)

    def shutdown(self) -> None:
        """Makes `receive` return None, in another thread too."""
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # it is closed, or the agent is gone

    def close(self) -> None:
        """Closes the descriptor."""
        self._socket.close()

    def _send(self, **message: object) -> None:
        self._socket.send(_json(message), descriptors.NO_SIGNAL)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _fitting(characters: Iterable[str], room: int) -> int:
    """How many of these characters take up at most `room` bytes together: some are longer in JSON than in the text."""
    count = 0
    for character in characters:
        room -= len(_json(character)) - 2
        if room < 0:
            break
        count += 1
    return count
