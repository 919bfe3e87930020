"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling")."""

from __future__ import annotations

import io
import os
import stat
from typing import Any, Iterator

# Their subclasses may read what they like.
_PLAIN = (io.FileIO, io.BufferedReader, io.BufferedRandom)


class FileWrapper:
    """An iterable of a file's blocks. As long as the application returns it as it is, the file's descriptor goes to the
    agent instead."""

    def __init__(self, filelike: Any, block_size: int = 8192) -> None:
        self._file = filelike
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_size), b"")

    def close(self) -> None:
        """Closes the file, if it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()

    def file_range(self) -> tuple[int, int, int] | None:
        """The descriptor, the position and the number of bytes from there to the end, if it is a regular file."""
        file = _unwrapped(self._file)
        raw = getattr(file, "raw", file)
        if type(file) not in _PLAIN or type(raw) is not io.FileIO:
            return None  # a GzipFile has a descriptor, too, but that leads to other bytes than its own
        try:
            descriptor, position = raw.fileno(), file.tell()
            status = os.fstat(descriptor)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return descriptor, position, max(status.st_size - position, 0)


def _unwrapped(file: Any) -> Any:
    """The file within those of tempfile and Django; but not if reading the outer one is another matter."""
    inner = getattr(file, "file", None)
    if inner is None or not (type(file).__module__ == "tempfile" or file.read == inner.read):
        return file
    return inner
