"""Descriptors that travel over a socket (SCM_RIGHTS)."""

from __future__ import annotations

import array
import socket

MOST = 253
"""As many as the kernel delivers at once; with less room it would drop some."""
# PyPy does not name them; all Linux systems that Passenger runs on have these.
NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0x4000)
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0x40000000)
_ROOM = socket.CMSG_SPACE(MOST * array.array("i").itemsize)


def receive(channel: socket.socket, size: int, flags: int = 0) -> tuple[bytes, list[int]]:
    """At most `size` bytes and the descriptors that came with them, close-on-exec."""
    data, ancillary, _, _ = channel.recvmsg(size, _ROOM, flags | _CLOSE_ON_EXEC)
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return data, list(fds)


def rights(fds: list[int]) -> list[tuple[int, int, bytes]]:
    """The ancillary data with which `sendmsg` takes descriptors along."""
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())] if fds else []
