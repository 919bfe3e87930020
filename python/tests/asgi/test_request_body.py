"""What `receive` gives for http."""

from __future__ import annotations

import asyncio
import tempfile

import pytest

from support.asgi import Latch, respond


async def count(scope, receive, send):
    """Answers with the lengths of the pieces of the body, and whether it is what was sent."""
    lengths, body, more = [], b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        more = message["more_body"]
        lengths.append(len(message["body"]))
        body += message["body"]
    assert body == data(len(body))
    await respond(send, repr(lengths))


def data(length):
    return (b"0123456789" * (length // 10 + 1))[:length]


@pytest.mark.parametrize(
    ("length", "pieces"), [(0, [0]), (1, [1]), (65536, [65536]), (65537, [65536, 1]), (200_000, [65536] * 3 + [3392])]
)
def test_a_body_comes_in_pieces_of_64_kb(serve, length, pieces):
    assert serve(count).get(method="POST", body=data(length)) == repr(pieces)


@pytest.mark.parametrize("length", [0, 100, 1_000_000, 20_000_000])
def test_a_body_in_a_file(serve, length):
    with tempfile.TemporaryFile() as file:
        file.write(data(length))
        file.flush()
        answer = serve(count).get(method="PUT", file=file.fileno(), file_size=length)
    assert sum(eval(answer)) == length


def test_a_file_that_is_too_short_is_an_error(serve, capfd):
    async def app(scope, receive, send):
        import os

        # What nothing but a full disk can do, after the agent has counted.
        [fd] = [fd for fd in map(int, os.listdir("/proc/self/fd")) if _is_deleted(fd, 1234)]
        os.truncate(fd, 1000)
        await count(scope, receive, send)

    def _is_deleted(fd, size):
        import os

        try:
            return os.fstat(fd).st_size == size and os.fstat(fd).st_nlink == 0
        except OSError:
            return False

    channel = serve(app)
    with tempfile.TemporaryFile() as file:
        file.write(data(1234))
        file.flush()
        channel.request(method="PUT", file=file.fileno(), file_size=1234)
    [frame] = channel.answer()
    assert frame.aux == 500


def test_after_the_body_receive_waits_for_the_client_to_leave(serve):
    is_waiting, seen = Latch(), []

    async def app(scope, receive, send):
        await receive()
        is_waiting.set()
        seen.append(await receive())
        seen.append(await receive())
        with pytest.raises(OSError, match="the client is gone"):
            await respond(send)

    channel = serve(app)
    channel.request()
    is_waiting.wait()
    assert channel.is_quiet()
    channel.cancel()
    [frame] = channel.answer()
    assert (frame.kind, seen) == ("cancel", [{"type": "http.disconnect"}] * 2)


def test_after_the_response_receive_says_disconnect(serve):
    seen, is_through = [], Latch()

    async def app(scope, receive, send):
        waiting = asyncio.ensure_future(receive_rest(receive))
        await asyncio.sleep(0)
        await respond(send)
        seen.append(await waiting)
        is_through.set()

    async def receive_rest(receive):
        while (await receive())["type"] == "http.request":
            pass
        return await receive()

    serve(app).get()
    is_through.wait()
    assert seen == [{"type": "http.disconnect"}]


def test_receive_may_become_a_task_or_be_given_up(serve):
    async def app(scope, receive, send):
        task = asyncio.create_task(receive())
        assert (await task)["type"] == "http.request"
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.01)
        task = asyncio.create_task(receive())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.create_task(respond(send, "through"))

    assert serve(app).get() == "through"
