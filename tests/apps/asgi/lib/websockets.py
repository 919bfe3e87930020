"""WebSocket conversations, by path."""

import asyncio
import json

from lib import gate
from lib.requests import presentable


async def echo(socket):
    """Sends everything back until the client closes, or says `bye`; `close CODE REASON` closes in that way."""
    await socket.accept()
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            gate.note(f"disconnected-{message['code']}")
            return
        text = message.get("text")
        if text is None:
            await socket.send({"type": "websocket.send", "bytes": message["bytes"]})
        elif text == "bye":
            return await socket.send({"type": "websocket.close"})
        elif text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            return await socket.send({"type": "websocket.close", "code": int(code), "reason": reason})
        else:
            await socket.send({"type": "websocket.send", "text": text})


async def scope(socket):
    """Sends the scope and closes."""
    await socket.accept()
    shown = {name: presentable(value) for name, value in socket.scope.items()}
    await socket.send({"type": "websocket.send", "text": json.dumps(shown)})
    await socket.send({"type": "websocket.close"})


async def chat(socket):
    """Chooses the subprotocol `chat` if it was offered, and sets a header."""
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol="chat" if "chat" in offered else None, headers=[(b"x-accepted", b"yes")])
    await socket.send({"type": "websocket.send", "text": ",".join(offered)})
    await socket.send({"type": "websocket.close", "code": 1000, "reason": "done"})


async def refuse(socket):
    """Closes instead of accepting."""
    await socket.send({"type": "websocket.close"})


async def deny(socket):
    """Refuses with a response of its own."""
    await socket.send(
        {"type": "websocket.http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Basic")]}
    )
    await socket.send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
    await socket.send({"type": "websocket.http.response.body", "body": b"are you?"})


async def raise_before(_socket):
    raise RuntimeError("broken before accepting")


async def raise_after(socket):
    await socket.accept()
    raise RuntimeError("broken in the conversation")


async def return_before(_socket):
    """Neither accepts nor refuses."""


async def return_after(socket):
    """Accepts and leaves without a close."""
    await socket.accept()


async def push(socket):
    """Sends messages until the client is gone."""
    await socket.accept()
    gone = asyncio.ensure_future(socket.receive())
    number = 0
    while not gone.done():
        await socket.send({"type": "websocket.send", "text": f"message {number}"})
        number += 1
        await asyncio.sleep(0.002)
    gate.note(f"pushed-{gone.result()['type']}")


async def flood(socket):
    """Sends 1,000 messages of 100,000 bytes as fast as it may."""
    await socket.accept()
    for _ in range(1000):
        await socket.send({"type": "websocket.send", "bytes": b"x" * 100_000})
    await socket.send({"type": "websocket.close"})


async def deaf(socket):
    """Accepts and takes nothing until the gate `hear` opens; then says how many bytes came before `bye`."""
    await socket.accept()
    await gate.wait("hear")
    length = 0
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") == "bye":
            break
        length += len(message.get("bytes") or message.get("text") or "")
    await socket.send({"type": "websocket.send", "text": str(length)})
    await socket.send({"type": "websocket.close"})


CONVERSATIONS = {
    function.__name__.replace("_", "-"): function
    for function in [
        echo,
        scope,
        chat,
        refuse,
        deny,
        raise_before,
        raise_after,
        return_before,
        return_after,
        push,
        flood,
        deaf,
    ]
}


class Socket:
    def __init__(self, scope, receive, send):
        self.scope = scope
        self.receive = receive
        self.send = send

    async def accept(self, **how):
        message = await self.receive()
        assert message["type"] == "websocket.connect", message
        await self.send({"type": "websocket.accept", **how})


async def websocket(scope, receive, send):
    socket = Socket(scope, receive, send)
    await CONVERSATIONS.get(scope["path"].split("/")[1], refuse)(socket)
