"""An ASGI server in a thread of this process; the test is its agent."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import Any

from . import frames
from .agent_end import AgentEnd
from .frames import Frame

UPGRADE, MORE = 4, 8
TEXT, BINARY, CLOSE = 1, 2, 8


class Channel(AgentEnd):
    """The agent's end of a multiplexed data channel."""

    def __init__(self, channel: socket.socket) -> None:
        super().__init__(channel)
        self._early: dict[int, list[Frame]] = {}

    def request(self, target: str = "/", stream: int = 1, file: int | None = None, **request: Any) -> None:
        self.write(frames.request(target, stream=stream, **request), file)

    def next(self, stream: int = 1) -> Frame:
        """The next frame of a stream; those of others are kept."""
        while not self._early.get(stream):
            frame = self.receive()
            self._early.setdefault(frame.stream, []).append(frame)
        return self._early[stream].pop(0)

    def answer(self, stream: int = 1) -> list[Frame]:
        found = [self.next(stream)]
        while not found[-1].is_end:
            found.append(self.next(stream))
        return found

    def get(self, target: str = "/", **request: Any) -> str:
        """The body of the answer to a request of its own."""
        self.request(target, **request)
        return b"".join(frame.body for frame in self.answer(request.get("stream", 1))).decode()

    def grant(self, credit: int, stream: int = 1) -> None:
        self.write(frames.HEADER.pack(0, 7, 0, 0, stream, credit))

    def cancel(self, stream: int = 1) -> None:
        self.write(frames.cancel(stream))

    def stop(self, stream: int = 1) -> None:
        """Cancels a request that has taken too long."""
        self.write(frames.frame(10, stream, aux=1))

    def connect(self, stream: int = 1, protocols: str = "") -> None:
        """Sends a handshake."""
        headers = [("host", "example.com")] + ([("sec-websocket-protocol", protocols)] if protocols else [])
        self.request("/chat", stream=stream, flags=UPGRADE, headers=headers)

    def say(self, data: str | bytes, stream: int = 1, flags: int = 0) -> None:
        """Sends a message."""
        payload, aux = (data.encode(), TEXT) if isinstance(data, str) else (data, BINARY)
        self.write(frames.frame(8, stream, payload, flags, aux))

    def hang_up(self, code: int | None = 1000, reason: str = "", stream: int = 1) -> None:
        """Sends a close."""
        payload = b"" if code is None else struct.pack(">H", code) + reason.encode()
        self.write(frames.frame(8, stream, payload, 0, CLOSE))


def closing(frame: Frame) -> tuple[int, str]:
    """Code and reason of a close that ends its stream."""
    assert (frame.kind, frame.aux, frame.is_end) == ("message", CLOSE, True), frame
    return struct.unpack(">H", frame.payload[:2])[0], frame.payload[2:].decode()


class Worker:
    """A running server."""

    def __init__(self, app: Any, channels: int = 1, show_errors: bool = False, **options: Any) -> None:
        from passenger.asgi import Server

        pairs = [socket.socketpair() for _ in range(channels)]
        self.channels = [Channel(ours) for ours, _ in pairs]
        self.show_errors = show_errors
        self.error: BaseException | None = None
        self.is_serving = threading.Event()
        self._has_ended = threading.Event()
        descriptors = [theirs.detach() for _, theirs in pairs]
        self.server = Server(descriptors, app, self, self.is_serving.set, **options)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.server.run()
        except BaseException as error:
            self.error = error
        self._has_ended.set()
        self.is_serving.set()

    def wait(self, timeout: float = 20) -> None:
        """Until the server has ended."""
        assert self._has_ended.wait(timeout), "the server does not end"
        self._thread.join()

    def stop(self) -> None:
        for channel in self.channels:
            channel.close()
        self.wait()


def without_lifespan(app: Any) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] != "lifespan"
        await app(scope, receive, send)

    return application


async def respond(send: Any, body: str | bytes = "", status: int = 200, headers: Any = ()) -> None:
    """A whole response."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body.encode() if isinstance(body, str) else body})


class Latch:
    """What the test tells the application's loop, from its own thread, or learns from it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(20), "it does not happen"

    async def reached(self) -> None:
        while not self._event.is_set():
            await asyncio.sleep(0.001)
