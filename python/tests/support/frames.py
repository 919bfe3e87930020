"""Frames on data channels."""

from __future__ import annotations

import struct
from typing import NamedTuple, Sequence

HEADER = struct.Struct("<IBBHII")
LINE = struct.Struct("<BBBBHHIHHQ")
ENTRY = struct.Struct("<HHI")
KINDS = {1: "request", 3: "response", 4: "data", 5: "file", 6: "informational", 7: "window", 8: "message",
         9: "upgrade", 10: "cancel"}  # fmt: skip
END = 1
IDS = {"host": 1, "user-agent": 2, "accept": 3, "cookie": 7, "content-length": 8, "content-type": 9,
       "sec-websocket-protocol": 41}  # fmt: skip


class Frame(NamedTuple):
    kind: str
    flags: int
    aux: int
    stream: int
    value: int
    payload: bytes

    @property
    def is_end(self) -> bool:
        return bool(self.flags & END)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Of a response or informational frame, in order."""
        end = 4 + struct.unpack_from("<I", self.payload)[0]
        at, found = 4, []
        while at < end:
            name_length, number, value_length = ENTRY.unpack_from(self.payload, at)
            assert number == 0, "a response header must not have an id"
            at += ENTRY.size
            name = self.payload[at : at + name_length].decode("latin-1")
            at += name_length
            found.append((name, self.payload[at : at + value_length].decode("latin-1")))
            at += value_length
        return found

    @property
    def body(self) -> bytes:
        if self.kind != "response":
            return self.payload
        return self.payload[4 + struct.unpack_from("<I", self.payload)[0] :]

    @property
    def range(self) -> tuple[int, int]:
        """Of a file frame."""
        offset, length = struct.unpack("<QQ", self.payload)
        return offset, length


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0, aux: int = 0) -> bytes:
    return HEADER.pack(len(payload), kind, flags, aux, stream, 0) + payload


def request(
    target: str = "/",
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (("host", "example.com"),),
    body: bytes = b"",
    stream: int = 258,
    protocol: int = 11,
    scheme: int = 0,
    peer: str = "127.0.0.1",
    script: str = "",
    flags: int = 0,
    file_size: int = -1,
) -> bytes:
    """Names of IDS travel as ids, others in CGI style. With `file_size` the body is in a file."""
    spooled = file_size >= 0
    line = LINE.pack(
        protocol, scheme, len(method), len(peer), 50_000, 3000, len(target.encode()), len(script.encode()), 0,
        file_size if spooled else len(body),
    )  # fmt: skip
    payload = line + method.encode() + target.encode() + peer.encode() + block(headers) + body
    return frame(1, stream, payload, flags | END, aux=int(spooled))


def cancel(stream: int = 258) -> bytes:
    return frame(10, stream)


def block(headers: Sequence[tuple[str, str]]) -> bytes:
    entries = b""
    for name, value in headers:
        number = IDS.get(name.lower(), 0)
        text = b"" if number else f"HTTP_{name.upper().replace('-', '_')}".encode()
        entries += ENTRY.pack(len(text), number, len(value.encode("latin-1"))) + text + value.encode("latin-1")
    return struct.pack("<I", len(entries)) + entries
