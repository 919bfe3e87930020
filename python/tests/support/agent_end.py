"""The agent's end of a data channel."""

from __future__ import annotations

import array
import os
import select
import socket
from typing import Any

from . import frames
from .frames import Frame


class AgentEnd:
    def __init__(self, channel: socket.socket) -> None:
        self._socket = channel
        self._bytes = b""
        self.files: list[int] = []
        """Descriptors that came with the frames received so far."""

    def write(self, data: bytes, file: int | None = None) -> None:
        """The first byte takes the descriptor along."""
        rights = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]).tobytes())] if file is not None else []
        )
        sent = self._socket.sendmsg([data], rights, socket.MSG_NOSIGNAL)
        if sent < len(data):
            self._socket.sendall(data[sent:])

    def exchange(self, target: str = "/", stream: int = 258, file: int | None = None, **request: Any) -> list[Frame]:
        """Sends a request as frames.request makes it, and returns all frames of its answer."""
        self.write(frames.request(target, stream=stream, **request), file)
        return self.answer(stream)

    def body(self, target: str = "/", **request: Any) -> str:
        """The body of the answer."""
        return b"".join(frame.body for frame in self.exchange(target, **request)).decode()

    def answer(self, stream: int = 258) -> list[Frame]:
        found = [self.receive()]
        while not found[-1].is_end:
            found.append(self.receive())
        assert all(frame.stream == stream for frame in found), found
        return found

    def receive(self, timeout: float = 20) -> Frame:
        """The next frame. Raises EOFError at the end of the channel."""
        while True:
            if len(self._bytes) >= frames.HEADER.size:
                length, kind, flags, aux, stream, value = frames.HEADER.unpack_from(self._bytes)
                end = frames.HEADER.size + length
                if len(self._bytes) >= end:
                    payload, self._bytes = self._bytes[frames.HEADER.size : end], self._bytes[end:]
                    return Frame(frames.KINDS[kind], flags, aux, stream, value, payload)
            if not self._readable(timeout):
                raise TimeoutError(f"no frame within {timeout} s")
            data, ancillary, _, _ = self._socket.recvmsg(1 << 20, 4096)
            for _, _, rights in ancillary:
                self.files.extend(array.array("i", rights))
            if not data:
                raise EOFError("the slot has closed its channel")
            self._bytes += data

    def is_quiet(self, seconds: float = 0.1) -> bool:
        """Whether nothing arrives meanwhile."""
        return not self._bytes and not self._readable(seconds)

    def close_write(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()
        while self.files:
            os.close(self.files.pop())

    def _readable(self, timeout: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
