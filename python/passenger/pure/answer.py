"""The answer to one request: `start_response` and what follows it (PEP 3333).

    Nothing ── start_response ──▶ Started ── write ──▶ Begun ── finish, file, cancel ──▶ Ended

What is small and whole goes from Started to Ended in one frame.
"""

from __future__ import annotations

import re
import struct
import time
from types import TracebackType
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, Type, Union

from . import headers as header_block
from .connection import Connection, Disconnected
from .file_wrapper import FileWrapper
from .frames import CANCEL, DATA, END, FILE, INFORMATIONAL, MAX_PAYLOAD, RESPONSE, encode

Headers = List[Tuple[str, str]]
ExcInfo = Union[Tuple[Type[BaseException], BaseException, Optional[TracebackType]], Tuple[None, None, None]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(rb"[\r\n\0]")
# They concern a single connection, so they are not the application's to send (RFC 2616, 13.5.1). The agent reads
# `connection` and `keep-alive`.
_HOP_BY_HOP = {
    b"te", b"trailer", b"trailers", b"upgrade", b"transfer-encoding", b"proxy-authenticate", b"proxy-authorization"
}  # fmt: skip
_ONE_FRAME = 900 * 1024
_RANGE = struct.Struct("<QQ")


class Answer:
    """`is_head` says that the request has the method HEAD."""

    def __init__(self, connection: Connection, stream: int, is_head: bool) -> None:
        self._connection = connection
        self._stream = stream
        self._is_head = is_head
        self._taken_at = time.monotonic()
        self._status = 0
        self._block: bytes | None = None
        self._left: int | None = None
        self.begun = False
        """Whether the head has been sent."""
        self.ended = False

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        """What the application is called with."""
        if exc_info and exc_info[1] is not None:
            if self.begun:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self._block is not None:
            raise RuntimeError("start_response was called before; a second call must have exc_info")
        if not isinstance(status, str):
            raise TypeError(f"a status must be a string; this is {status!r}")
        number = status[:3]
        if not (number.isdigit() and number.isascii() and int(number) >= 200 and status[3:4] in ("", " ")):
            raise ValueError(f"{status!r} is no status for a response; it must be like '200 OK'")
        self._block = self._left = None
        block = header_block.write(self._checked(headers))
        if len(block) > MAX_PAYLOAD - _ONE_FRAME:
            raise ValueError(f"the headers are {len(block)} bytes long, the limit is {MAX_PAYLOAD - _ONE_FRAME}")
        self._block = block
        self._status = int(number)
        return self.write

    def write(self, data: bytes) -> None:
        """What `start_response` returns. Raises Disconnected if the client is gone."""
        self.send(data)

    def send(self, data: bytes) -> bool:
        """Sends a part of the body, at once. False if more would not be sent: there is no body to this answer, or all
        that was announced is out. Raises Disconnected if the client is gone."""
        _check(data)
        if not data:
            return True
        if self._block is None:
            raise RuntimeError("the application has not called start_response")
        if self.ended:
            return False
        if self._bodiless:
            self._end(RESPONSE, self._block, self._status)
            return False
        allowed = data if self._left is None else data[: self._left]
        if self._left is not None:
            self._left -= len(allowed)
        self._send_allowed(self._block, allowed, is_last=self._left == 0)
        return len(allowed) == len(data)

    def _send_allowed(self, block: bytes, data: bytes, is_last: bool) -> None:
        if self.begun:
            if self._connection.is_cancelled(self._stream):
                raise Disconnected("the client is gone")
        elif is_last and len(data) <= _ONE_FRAME:
            return self._end(RESPONSE, block + data, self._status)
        else:
            self.begun = True
            first, data = (data, b"") if len(data) <= _ONE_FRAME else (b"", data)
            self._connection.send(encode(RESPONSE, self._stream, block + first, aux=self._status))
        while len(data) > MAX_PAYLOAD or (data and not is_last):
            self._connection.send(encode(DATA, self._stream, data[:MAX_PAYLOAD]))
            data = data[MAX_PAYLOAD:]
        if is_last:
            self._end(DATA, data)
        return None

    def whole(self, parts: Sequence[bytes]) -> None:
        """Sends all of the body."""
        for part in parts:
            _check(part)
        data = b"".join(parts)
        if self._block is not None and self._left is None and not self.begun and not self._bodiless:
            if len(data) <= _ONE_FRAME:
                self._left = len(data)  # for one frame, which says it
            else:
                self._announce(len(data))
        self.send(data)
        self.finish()

    def file(self, wrapper: FileWrapper) -> bool:
        """Sends the rest of a file as the body. False, having done nothing, unless the agent can read it."""
        found = wrapper.file_range()
        if found is None or self._block is None or self.begun or self._bodiless:
            return False
        descriptor, offset, rest = found
        length = rest if self._left is None else self._left
        if length > rest or length == 0:
            return False
        if self._left is None:
            self._announce(length)
        self.begun = self.ended = True
        self._connection.send(encode(RESPONSE, self._stream, self._block, aux=self._status))
        end = encode(FILE, self._stream, _RANGE.pack(offset, length), END, aux=1, value=self._elapsed())
        self._connection.send(end, [descriptor])
        return True

    def inform(self, headers: Iterable[tuple[str, str]]) -> None:
        """Sends early hints (103); nothing once the response has begun."""
        if not self.begun:
            block = header_block.write(_bytes_of(headers))
            self._connection.send(encode(INFORMATIONAL, self._stream, block, aux=103))

    def finish(self) -> None:
        """The body is complete. Raises RuntimeError if it is shorter than was announced."""
        if self.ended:
            return
        if self._block is None:
            raise RuntimeError("the application has not called start_response")
        if self._left and not self._bodiless:
            raise RuntimeError(f"the body ends {self._left} bytes before its Content-Length")
        if self.begun:
            self._end(DATA)
        else:
            self._end(RESPONSE, self._block, self._status)

    def cancel(self) -> None:
        """Gives an unfinished answer up: the agent sends an error, or cuts the client's connection."""
        if not self.ended:
            self._end(CANCEL)

    def fail(self, page: bytes, content_type: str) -> None:
        """Sends an error page instead of what was not begun."""
        self._block = header_block.write([(b"content-type", content_type.encode())])
        self._status = 500
        self._left = None
        self.whole([page])

    @property
    def _bodiless(self) -> bool:
        return self._is_head or self._status in (204, 304)

    def _checked(self, headers: Headers) -> Iterable[tuple[bytes, bytes]]:
        for name, value in _bytes_of(headers):
            lower = name.lower()
            if lower in _HOP_BY_HOP:
                continue
            if lower == b"content-length":
                self._set_length(value)
            yield name, value

    def _set_length(self, value: bytes) -> None:
        digits = value.strip()
        if not digits.isdigit() or self._left not in (None, int(digits)):
            raise ValueError(f"the header 'content-length' can't be sent with the value {value!r}")
        self._left = int(digits)

    def _announce(self, length: int) -> None:
        """Adds the length that the application has left out, as it can't be seen from the first frame."""
        block = (self._block or b"")[4:] + header_block.write([(b"content-length", str(length).encode())])[4:]
        self._block = struct.pack("<I", len(block)) + block
        self._left = length

    def _end(self, kind: int, payload: bytes = b"", aux: int = 0) -> None:
        self.begun = self.ended = True
        self._connection.send(encode(kind, self._stream, payload, END, aux, self._elapsed()))

    def _elapsed(self) -> int:
        return min(int((time.monotonic() - self._taken_at) * 1_000_000), 0xFFFFFFFF)


def _check(part: object) -> None:
    if not isinstance(part, bytes):
        raise TypeError(f"the parts of a body must be bytes, and one is {type(part).__name__}")


def _bytes_of(headers: Any) -> Iterable[tuple[bytes, bytes]]:
    """Names and values in Latin-1. Raises ValueError or TypeError for what would break the HTTP message."""
    for header in headers:
        if not isinstance(header, (tuple, list)) or [isinstance(part, str) for part in header] != [True, True]:
            raise TypeError(f"a header must be two strings; this is {header!r}")
        name, value = header
        plain = name.encode("latin-1", "replace"), value.encode("latin-1")
        if not _TOKEN.fullmatch(plain[0]) or _FORBIDDEN.search(plain[1]):
            raise ValueError(f"the header {name!r} can't be sent with the value {value!r}")
        yield plain
