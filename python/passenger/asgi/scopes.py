"""What the scopes of all requests have in common; the extension fills in the rest."""

from __future__ import annotations

from typing import Any

from .types import Scope

COPIED = ["state", "extensions"]
"""Of these each request gets a copy, as applications may change them."""

_COMMON: Scope = {
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "path": "",
    "raw_path": b"",
    "query_string": b"",
    "root_path": "",
    "headers": [],
    "client": None,
    "server": None,
}


def http(state: dict[str, Any]) -> Scope:
    """A template for requests. `state` is the lifespan's."""
    extensions: Scope = {"http.response.pathsend": {}, "http.response.early_hint": {}}
    return {"type": "http", "method": "GET", "scheme": "http", **_COMMON, "state": state, "extensions": extensions}


def websocket(state: dict[str, Any]) -> Scope:
    """A template for WebSockets."""
    extensions: Scope = {"websocket.http.response": {}}
    return {
        "type": "websocket",
        "scheme": "ws",
        **_COMMON,
        "subprotocols": [],
        "state": state,
        "extensions": extensions,
    }
