from __future__ import annotations

import re
from pathlib import Path

from passenger.pure import headers
from passenger.pure.control import MAX_MESSAGE, PROTOCOL
from passenger.pure.frames import MAX_PAYLOAD

PROTOCOL_MD = Path(__file__).resolve().parents[3] / "docs/protocol.md"


def test_the_known_headers_are_those_of_the_protocol() -> None:
    table = PROTOCOL_MD.read_text().partition("<!-- headers -->")[2].partition("<!-- /headers -->")[0]
    rows = re.findall(r"^\| (\d+) \| ([a-z0-9-]+) \| `([A-Z0-9_]+)` \|$", table, re.MULTILINE)
    assert len(rows) > 50

    ours = [(str(number), name, headers.cgi_name(name)) for number, name in enumerate(headers.KNOWN, 1)]
    assert ours == rows


def test_the_limits_are_those_of_the_protocol() -> None:
    limits = PROTOCOL_MD.read_text().partition("<!-- limits -->")[2].partition("<!-- /limits -->")[0]

    assert f"| payload of a frame | {MAX_PAYLOAD} bytes |" in limits
    assert f"| control message | {MAX_MESSAGE} bytes |" in limits
    assert f"| version of this protocol | {PROTOCOL} |" in limits
