"""The agent's end of control channels."""

from __future__ import annotations

import array
import json
import select
import socket
from typing import Any, Dict, Sequence

Message = Dict[str, Any]


def send(channel: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())] if descriptors else []
    channel.sendmsg([json.dumps(message).encode()], rights)


def receive(channel: socket.socket, timeout: float = 20) -> Message | None:
    """None at the end of the channel."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    if not poll.poll(timeout * 1000):
        raise TimeoutError(f"no message within {timeout} s")
    try:
        packet = channel.recv(1 << 16)
    except ConnectionResetError:  # comes first, once, when the process left without reading all
        return receive(channel, timeout)
    return json.loads(packet.decode()) if packet else None


def wait_for(channel: socket.socket, name: str, timeout: float = 20) -> Message:
    """The first message that is called so; the others before it are dropped."""
    while True:
        message = receive(channel, timeout)
        assert message is not None, f"the channel ended before {name!r}"
        if message["message"] == name:
            return message
        assert message["message"] != "failed", message
