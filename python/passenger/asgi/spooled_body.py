"""A request body that the agent has put into a file."""

from __future__ import annotations

import asyncio
import errno
import os

from .types import Message, Receive

PIECE = 64 * 1024
"""The longest piece of a body in one message."""

LARGE = 16 * 1024 * 1024
"""Files of this size take so long to be deleted that the event loop must not wait for it."""


class SpooledBody:
    """The `receive` of a request whose body is in the file `fd`, from its start to its end. `rest` is the `receive` for
    what comes after the body."""

    def __init__(self, fd: int, rest: Receive) -> None:
        self._fd = fd
        self._rest = rest
        self._size = os.fstat(fd).st_size
        self._at = 0
        self._is_through = False

    async def receive(self) -> Message:
        """ASGI's `receive`. Raises OSError if the file can't be read to its end."""
        if self._is_through:
            return await self._rest()
        length = min(PIECE, self._size - self._at)
        at, self._at = self._at, self._at + length
        self._is_through = self._at == self._size
        body = self._cached(at, length)
        if body is None:
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(None, os.pread, self._fd, length, at)
        if len(body) < length:
            raise OSError(f"the file with the request's body ended after {at + len(body)} of {self._size} bytes")
        return {"type": "http.request", "body": body, "more_body": not self._is_through}

    def close(self) -> None:
        """Closes the file, which has no name: its space is free then. Whoever still receives learns that the request is
        over: the number of the descriptor may be another's by then."""
        self._is_through = True
        fd, self._fd = self._fd, -1
        if self._size < LARGE:
            os.close(fd)
        else:
            asyncio.get_running_loop().run_in_executor(None, os.close, fd)

    def _cached(self, at: int, length: int) -> bytes | None:
        """What is in memory already, as most is that was just written; None if the disk would have to be waited for."""
        buffer = bytearray(length)
        try:
            count = os.preadv(self._fd, [buffer], at, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                return None
            raise
        return bytes(buffer) if count == length else None
