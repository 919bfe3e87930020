"""From a request frame to a WSGI environment (PEP 3333)."""

from __future__ import annotations

import io
import struct
from typing import Any, Dict
from urllib.parse import unquote_to_bytes

from . import headers
from .frames import REPEATED, Frame

Environ = Dict[str, Any]

_LINE = struct.Struct("<BBBBHHIHHQ")
_PROTOCOLS = {10: "HTTP/1.0", 11: "HTTP/1.1"}


def build(template: Environ, frame: Frame) -> Environ:
    """A copy of `template` and what is particular to this request. Raises ValueError for what is no request."""
    payload = frame.payload
    try:
        line = _LINE.unpack_from(payload, 0)
    except struct.error as error:
        raise ValueError(f"a request is broken: {error}") from None
    protocol, scheme, method_length, peer_length, peer_port, _, target_length, script_length, _, body_length = line
    at = _LINE.size

    def take(length: int) -> str:
        nonlocal at
        at += length
        return payload[at - length : at].decode("latin-1")

    environ = template.copy()
    environ["REQUEST_METHOD"] = take(method_length)
    _set_target(environ, take(target_length), script_length)
    peer = take(peer_length)
    environ["REMOTE_ADDR"] = peer or "127.0.0.1"
    if peer:
        environ["REMOTE_PORT"] = str(peer_port)
    environ["SERVER_PROTOCOL"] = _PROTOCOLS.get(protocol, "HTTP/1.1")
    if scheme == 1:
        environ["wsgi.url_scheme"] = "https"
        environ["HTTPS"] = "on"
    for name, value in headers.read(payload, at):
        if frame.flags & REPEATED and name in environ:
            value = f"{environ[name]}{'; ' if name == 'HTTP_COOKIE' else ', '}{value}"
        environ[name] = value
    _set_server(environ, https=scheme == 1)
    _set_body(environ, frame, headers.block_end(payload, at), body_length)
    return environ


def _set_target(environ: Environ, target: str, script_length: int) -> None:
    path, _, query = target.partition("?")
    environ["REQUEST_URI"] = environ["RAW_URI"] = target
    environ["QUERY_STRING"] = query
    environ["SCRIPT_NAME"] = _decode(path[:script_length])
    environ["PATH_INFO"] = _decode(path[script_length:])


def _decode(path: str) -> str:
    # Percent-encoded bytes become characters of the same number (PEP 3333, "Unicode Issues").
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path


def _set_server(environ: Environ, https: bool) -> None:
    host = environ.get("HTTP_HOST", "")
    name, colon, port = host.rpartition(":")
    if not colon or not (port == "" or (port.isascii() and port.isdigit())):
        name, port = host, ""
    environ["SERVER_NAME"] = name or "localhost"
    environ["SERVER_PORT"] = port or ("443" if https else "80")


def _set_body(environ: Environ, frame: Frame, at: int, length: int) -> None:
    if frame.descriptor is not None:
        file = open(frame.descriptor, "rb")  # noqa: SIM115 - the request's to close
        # Retried after a worker's death, the request may come with a file that was read before.
        file.seek(0)
        environ["wsgi.input"] = file
    elif len(frame.payload) - at != length:
        raise ValueError("a request's body is not as long as it says")
    elif length:
        environ["wsgi.input"] = io.BytesIO(frame.payload[at:])
    if length:
        environ.setdefault("CONTENT_LENGTH", str(length))
