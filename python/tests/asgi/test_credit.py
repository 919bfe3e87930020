"""A slow client holds up its own stream, and no other."""

from __future__ import annotations

import asyncio

import pytest

from support.asgi import Latch, respond

WINDOW = 256 * 1024
START = {"type": "http.response.start", "status": 200, "headers": []}


def part(data, more=True):
    return {"type": "http.response.body", "body": data, "more_body": more}


def receive_bytes(channel, count, stream=1):
    """Body bytes of a stream, until there are so many."""
    found = b""
    while len(found) < count:
        found += channel.next(stream).body
    return found


def test_send_waits_for_credit(serve):
    sent = []

    async def app(scope, receive, send):
        if scope["path"] == "/other":
            return await respond(send, "served")
        await send(START)
        for number in range(10):
            await send(part(b"x" * 100_000))
            sent.append(number)
        return await send(part(b"", more=False))

    channel = serve(app)
    channel.request()
    # Below zero by one frame at most.
    assert len(receive_bytes(channel, 300_000)) == 300_000
    assert channel.get("/other", stream=2) == "served"
    assert sent == [0, 1, 2]
    channel.grant(30_000)
    assert channel.is_quiet()
    channel.grant(10_000_000)
    assert len(receive_bytes(channel, 700_000)) == 700_000
    assert channel.next().is_end
    assert sent[-1] == 9


def test_one_large_body_goes_as_far_as_credit_does(serve):
    data = bytes(range(256)) * 8192

    async def app(scope, receive, send):
        await respond(send, data)

    channel = serve(app)
    channel.request()
    found = receive_bytes(channel, WINDOW)
    while len(found) < len(data):
        assert channel.is_quiet(0.02)
        channel.grant(WINDOW)
        found += receive_bytes(channel, min(WINDOW, len(data) - len(found)))
    assert found == data


def test_who_waits_for_credit_learns_that_the_client_is_gone(serve):
    errors = []

    async def app(scope, receive, send):
        try:
            await respond(send, b"x" * 1_000_000)
        except OSError as error:
            errors.append(error)
            raise

    channel = serve(app)
    channel.request()
    receive_bytes(channel, WINDOW)
    channel.cancel()
    assert channel.answer()[-1].kind == "cancel"
    assert len(errors) == 1


def test_a_client_that_leaves_before_it_has_all_ends_what_the_application_has_ended(serve):
    is_through = Latch()

    async def app(scope, receive, send):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(respond(send, b"x" * 1_000_000), 0.05)
        asyncio.get_running_loop().call_soon(is_through.set)

    channel = serve(app)
    channel.request()
    receive_bytes(channel, WINDOW)
    is_through.wait()
    channel.cancel()
    assert channel.answer()[-1].kind == "cancel"


def test_what_was_sent_by_a_task_that_was_given_up_still_goes_out_whole(serve):
    is_given_up = Latch()

    async def app(scope, receive, send):
        await send(START)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(send(part(b"x" * 500_000)), 0.05)
        is_given_up.set()
        await send(part(b"end", more=False))

    channel = serve(app)
    channel.request()
    receive_bytes(channel, WINDOW)
    is_given_up.wait()
    channel.grant(1_000_000)
    assert b"".join(frame.body for frame in channel.answer()).endswith(b"xend")


def test_an_agent_that_does_not_read(serve):
    """Then the kernel takes no more; everything arrives when it reads again."""
    begun = []

    async def app(scope, receive, send):
        await send(START)
        for number in range(4):
            await send(part(bytes([65 + number]) * 60_000))
        begun.append(scope["path"])
        await send(part(b"", more=False))

    channel = serve(app)
    for number in range(20):
        channel.request(f"/{number}", stream=number)
    receive_first = channel.next(0)
    assert receive_first.kind == "response"
    for number in range(20):
        frames = channel.answer(number)
        body = b"".join(frame.body for frame in frames)
        if number == 0:
            body = receive_first.body + body
        assert body == b"".join(bytes([65 + index]) * 60_000 for index in range(4))
    assert len(begun) == 20


def test_senders_wait_while_the_channel_is_full(serve):
    sent = []

    async def app(scope, receive, send):
        await send(START)
        await send(part(b"x" * 200_000))
        sent.append(scope["path"])
        await send(part(b"", more=False))

    channel = serve(app)
    for number in range(50):
        channel.request(f"/{number}", stream=number)
    channel._readable(20)
    # 10 MB do not fit the socket: most wait, until the agent reads.
    assert len(sent) < 25
    for number in range(50):
        assert sum(len(frame.body) for frame in channel.answer(number)) == 200_000
    assert len(sent) == 50
