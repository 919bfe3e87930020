"""Header blocks: names and values, as requests bring them and answers take them (docs/protocol.md, "Header blocks")."""

from __future__ import annotations

import struct
from typing import Iterable, Iterator

# fmt: off
KNOWN = (
    "host", "user-agent", "accept", "accept-encoding", "accept-language", "connection", "cookie", "content-length",
    "content-type", "referer", "cache-control", "upgrade-insecure-requests", "x-forwarded-for", "x-forwarded-proto",
    "x-forwarded-host", "x-forwarded-port", "x-real-ip", "x-request-id", "x-request-start", "authorization", "origin",
    "if-none-match", "if-modified-since", "if-match", "if-range", "if-unmodified-since", "range", "sec-fetch-site",
    "sec-fetch-mode", "sec-fetch-user", "sec-fetch-dest", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform",
    "dnt", "pragma", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
    "sec-websocket-protocol", "x-requested-with", "x-csrf-token", "x-forwarded-scheme", "forwarded", "via", "te",
    "date", "from", "priority", "accept-charset", "expect", "traceparent", "tracestate", "keep-alive",
)
# fmt: on
"""Names that travel as numbers: the first is 1. The agent has the same table."""


def cgi_name(name: str) -> str:
    """The variable that CGI and WSGI give a header (RFC 3875, 4.1.18)."""
    variable = name.upper().replace("-", "_")
    return variable if name in ("content-length", "content-type") else f"HTTP_{variable}"


_VARIABLES = ("", *map(cgi_name, KNOWN))
_ENTRY = struct.Struct("<HHI")
_LENGTH = struct.Struct("<I")


def read(payload: bytes, at: int) -> Iterator[tuple[str, str]]:
    """Variables and values of the block that begins at `at`. Raises ValueError if it is none."""
    end = block_end(payload, at)
    at += _LENGTH.size
    try:
        while at < end:
            name_length, number, value_length = _ENTRY.unpack_from(payload, at)
            at += _ENTRY.size
            variable = _VARIABLES[number] if number else payload[at : at + name_length].decode("latin-1")
            at += name_length + value_length
            yield variable, payload[at - value_length : at].decode("latin-1")
    except (struct.error, IndexError) as error:
        raise ValueError(f"a header block is broken: {error}") from None
    if at != end:
        raise ValueError("a header is longer than its block")


def block_end(payload: bytes, at: int) -> int:
    """Where the block that begins at `at` ends."""
    end: int = at + _LENGTH.size + _LENGTH.unpack_from(payload, at)[0]
    if end > len(payload):
        raise ValueError("a header block is longer than its frame")
    return end


def write(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of these names and values."""
    entries = b"".join(_ENTRY.pack(len(name), 0, len(value)) + name + value for name, value in headers)
    return _LENGTH.pack(len(entries)) + entries
