import asyncio
from typing import Any, Awaitable, Callable, Iterable, Literal, Sequence

PROTOCOL: int
"""The version of the protocol that is spoken with the agent."""

class Disconnected(BrokenPipeError):
    """Nobody waits for the answer any more: the client is gone, or the agent is."""

class Control:
    """A process's end of its control channel. Takes charge of the descriptor of a connected SOCK_SEQPACKET socket.

    Its methods raise OSError. One thread may wait for messages while others send some."""

    def __init__(self, fd: int) -> None: ...
    def receive(self) -> tuple[Literal["load", "spawn", "oob_work", "promote"], dict[str, Any], list[int]] | None:
        """Waits for the next message: its name, its members (those of `app` among them), and the descriptors that came
        with it, which are the caller's to close. None when the agent has closed the channel, or after `shutdown`."""

    def hello(self, language: str, version: str) -> None:
        """The first message of a process."""

    def progress(self, step: str) -> None:
        """A step begins."""

    def spawned(self, ticket: int, pid: int) -> None:
        """A worker was forked."""

    def ready(self, pid: int, multiplexed: bool) -> None:
        """A preloader: the application is loaded. A worker: it serves, many requests at once if `multiplexed`."""

    def failed(self, step: str, reason: str, output: str) -> None:
        """The process can't do what it was told. Texts that are too long are cut."""

    def exited(self, pid: int, code: int | None, signal: int | None) -> None:
        """A worker that this process forked has ended."""

    def leaving(self, pid: int) -> None:
        """A worker wants to end: the agent is to send it no more requests."""

    def oob_work_done(self, pid: int) -> None:
        """The out-of-band work is over."""

    def shutdown(self) -> None:
        """Makes `receive` return None, in another thread too."""

    def close(self) -> None:
        """Closes the descriptor. Raises RuntimeError while another thread waits for a message."""

class Channel:
    """A slot's end of its data channel. Takes charge of the descriptor of a connected SOCK_STREAM socket."""

    def __init__(self, fd: int) -> None: ...
    def serve(
        self,
        app: Callable[..., Iterable[bytes]],
        environment: dict[str, Any],
        report: Callable[[dict[str, Any], BaseException], tuple[list[tuple[str, str]], bytes]],
    ) -> None:
        """Serves requests with the WSGI application `app`, one after the other, until the agent or `shutdown` has ended
        the channel and all that had arrived is answered.

        Each environment is a copy of `environment` and what is particular to the request. What `app` raises is given to
        `report`, with the environment: it returns the headers and the body of the error page.

        Raises OSError if the agent breaks the protocol, and what signal handlers raise while it waits."""

    def shutdown(self) -> None:
        """Makes `serve` return when what has arrived is answered. For any thread and for signal handlers."""

    def close(self) -> None:
        """Closes the descriptor. Raises RuntimeError while another thread serves."""

class AsgiStream:
    """A request or a WebSocket: what the application's `receive` and `send` are. Hashable by identity."""

    def receive(self) -> Awaitable[dict[str, Any]]:
        """ASGI's `receive`."""

    def send(self, message: dict[str, Any]) -> Awaitable[None]:
        """ASGI's `send`. At once raises TypeError, ValueError or RuntimeError for what is wrong with the message, and
        Disconnected when the client is gone; the result waits while the client or the agent is slow."""

    def drain(self) -> Awaitable[None]:
        """Waits until all that was sent has left the stream. Raises Disconnected when it never will."""

    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """Sends a whole response for an application that has not begun one."""

    def give_up(self, code: int) -> None:
        """Ends the stream unless that was done: a WebSocket with `code`, an answer by cutting it off."""

    @property
    def ended(self) -> bool:
        """Whether the last frame is out."""

    @property
    def finished(self) -> bool:
        """Whether all was said, even if a part of it has to wait."""

    @property
    def begun(self) -> bool:
        """Whether the client has seen a part of the answer."""

    @property
    def lost(self) -> bool:
        """Whether the client is gone."""

    @property
    def open(self) -> bool:
        """Whether it is a WebSocket that the application has accepted and not closed."""

class AsgiChannel:
    """A multiplexed data channel on an event loop. Its methods are for the loop's thread."""

    def __init__(
        self,
        fd: int,
        event_loop: asyncio.AbstractEventLoop,
        start: Callable[[AsgiStream, dict[str, Any], int | None], None],
        stop: Callable[[AsgiStream], None],
        ended: Callable[[Exception | None], None],
        http: dict[str, Any],
        websocket: dict[str, Any],
        copied: Sequence[str],
        eager: bool,
    ) -> None:
        """Takes charge of the descriptor.

        `start(stream, scope, body)` is called for each request; `body` is the descriptor of the file with the body, if
        it is in one, and the callee's to close. `stop(stream)` is called for a request that has been running for too
        long; its stream has ended. `ended(error)` is called once, when nothing more can be received.
        `http` and `websocket` are what scopes have in common; of the dicts that `copied` names each scope gets a copy.
        `eager`: whether `start` runs the application itself up to its first wait."""

    def open(self) -> None:
        """Begins to take requests."""

    def shutdown(self) -> None:
        """Makes the agent send nothing more. What has arrived is served; then `ended` is called."""

    def close(self) -> None:
        """Sends what is left, waiting if need be, and drops the streams."""
