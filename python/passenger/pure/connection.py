"""A slot's end of its data channel: frames in, frames out."""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import Iterator

from . import descriptors
from .frames import CANCEL, HEADER, MAX_PAYLOAD, REQUEST, Frame

_READ = 256 * 1024


class Disconnected(BrokenPipeError):
    """Nobody waits for the answer any more: the client is gone, or the agent is."""


class Connection:
    """Takes charge of the descriptor of a connected SOCK_STREAM socket. One thread uses it, all may call `shutdown`."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fd)
        self._socket.setblocking(True)
        self._socket.set_inheritable(False)
        self._input = bytearray()
        self._descriptors: deque[int] = deque()

    def next_frame(self) -> Frame | None:
        """The next frame if all of it was received. Raises OSError if it is none that may come here."""
        for end, kind, flags, aux, stream in self._buffered():
            payload = bytes(self._input[HEADER.size : end])
            del self._input[:end]
            descriptor = self._take_descriptor() if kind == REQUEST and aux else None
            return Frame(kind, flags, stream, payload, descriptor)
        return None

    def is_cancelled(self, stream: int) -> bool:
        """Whether the agent has said that the client of this stream is gone."""
        self.receive(socket.MSG_DONTWAIT)
        return any(kind == CANCEL and number == stream for _, kind, _, _, number in self._buffered())

    def receive(self, flags: int = 0) -> bool:
        """Receives once, waiting unless MSG_DONTWAIT is among `flags`. False at the end of the channel."""
        try:
            data, fds = descriptors.receive(self._socket, _READ, flags)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self._input += data
        self._descriptors.extend(fds)
        return bool(data)

    def send(self, frame: bytes, fds: list[int] | None = None) -> None:
        """Sends bytes that begin with a frame; the descriptors come with it. Raises Disconnected."""
        view = memoryview(frame)
        ancillary = descriptors.rights(fds or [])
        try:
            while view:
                view = view[self._socket.sendmsg([view], ancillary, descriptors.NO_SIGNAL) :]
                ancillary = []
        except (BrokenPipeError, ConnectionResetError):
            raise Disconnected("Passenger's agent is gone") from None

    def shutdown(self) -> None:
        """Ends the channel, behind what has arrived."""
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # it is closed, or the agent is gone

    def close(self) -> None:
        """Closes the channel and what came over it and was not wanted."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _buffered(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Where the whole frames end that were received and not taken; their kind, flags, aux, stream."""
        at = 0
        while len(self._input) - at >= HEADER.size:
            length, kind, flags, aux, stream, _ = HEADER.unpack_from(self._input, at)
            if length > MAX_PAYLOAD or kind not in (REQUEST, CANCEL):
                raise OSError(f"Passenger's agent sent something unreadable: {length} bytes of kind {kind}")
            at += HEADER.size + length
            if at > len(self._input):
                return
            yield at, kind, flags, aux, stream

    def _take_descriptor(self) -> int:
        if not self._descriptors:
            raise OSError("Passenger's agent sent something unreadable: a request without its file")
        return self._descriptors.popleft()
