"""`wsgi.input` of a request without a body."""

from __future__ import annotations

import io
from typing import Any


class NullInput(io.BufferedIOBase):
    """Always at its end. It has no state that could change, so all requests share one."""

    def read(self, size: int | None = -1) -> bytes:
        return b""

    read1 = read
    peek = read

    def readinto(self, buffer: Any) -> int:
        return 0

    readinto1 = readinto

    def readline(self, size: int | None = -1) -> bytes:
        return b""

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        return []

    def __iter__(self) -> NullInput:
        return self

    def __next__(self) -> bytes:
        raise StopIteration

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return 0

    def close(self) -> None:
        """What one request closes the next one reads."""
