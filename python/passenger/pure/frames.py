"""The 16-byte header in front of every payload on a data channel (docs/protocol.md, "Data channel")."""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER = struct.Struct("<IBBHII")
MAX_PAYLOAD = 1 << 20
"""The longest payload in bytes."""

REQUEST = 1
RESPONSE = 3
DATA = 4
FILE = 5
INFORMATIONAL = 6
CANCEL = 10

END = 1
"""Flag: the last frame of this request or answer."""
REPEATED = 2
"""Flag on a request: at least one header occurs more than once."""


class Frame(NamedTuple):
    """What was received. `descriptor` came with it, and is the owner's to close."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    descriptor: int | None


def encode(kind: int, stream: int, payload: bytes = b"", flags: int = 0, aux: int = 0, value: int = 0) -> bytes:
    """A frame as it goes over the wire."""
    return HEADER.pack(len(payload), kind, flags, aux, stream, value) + payload
