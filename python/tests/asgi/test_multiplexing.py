"""Many requests at once on one channel, and on several."""

from __future__ import annotations

import asyncio
import contextvars

from support import frames
from support.asgi import Latch, respond, without_lifespan


def test_answers_in_another_order(serve):
    first = Latch()

    async def app(scope, receive, send):
        if scope["path"] == "/first":
            await first.reached()
        await respond(send, scope["path"])

    channel = serve(app)
    channel.request("/first", stream=7)
    assert channel.get("/second", stream=8) == "/second"
    first.set()
    assert channel.answer(7)[0].body == b"/first"


def test_answers_of_one_turn_leave_together(serve):
    async def app(scope, receive, send):
        await respond(send, "x" * 100)

    channel = serve(app)
    for _ in range(5):
        channel.write(b"".join(frames.request(stream=number) for number in range(32)))
        channel._readable(20)
        data = channel._socket.recv(1 << 20)
        count = 0
        while data:
            count += 1
            data = data[16 + frames.HEADER.unpack_from(data)[0] :]
        assert count == 32


def test_tasks_and_contexts_are_the_requests_own(serve):
    variable = contextvars.ContextVar("variable", default="unset")
    tasks = set()

    async def app(scope, receive, send):
        before = variable.get()
        variable.set(scope["path"])
        tasks.add(asyncio.current_task())
        await asyncio.sleep(0)
        await respond(send, f"{before} {variable.get()} {asyncio.current_task() in tasks}")

    channel = serve(app)
    channel.request("/a", stream=1)
    channel.request("/b", stream=2)
    assert [channel.answer(number)[0].body for number in (1, 2)] == [b"unset /a True", b"unset /b True"]
    assert len(tasks) == 2


def test_several_channels_on_one_loop(start):
    barrier = []

    async def app(scope, receive, send):
        barrier.append(scope["path"])
        while len(barrier) < 2:
            await asyncio.sleep(0.001)
        await respond(send, scope["path"])

    one, two = start(without_lifespan(app), channels=2).channels
    one.request("/one")
    assert two.get("/two") == "/two"
    assert one.answer()[0].body == b"/one"
    one.close()
    assert two.get("/three") == "/three"


def test_a_thousand_requests_that_wait(serve):
    go_on = Latch()

    async def app(scope, receive, send):
        await receive()
        await go_on.reached()
        await respond(send, scope["path"])

    channel = serve(app)
    for number in range(1000):
        channel.request(f"/{number}", stream=number)
    go_on.set()
    assert [channel.answer(number)[0].body for number in range(1000)] == [b"/%d" % number for number in range(1000)]


def test_the_loop_may_have_a_task_factory(start):
    made = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()

            def factory(loop, coroutine, **options):
                made.append(coroutine)
                return asyncio.Task(coroutine, loop=loop, **options)

            asyncio.get_running_loop().set_task_factory(factory)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        await respond(send, "made")

    channel = start(app).channels[0]
    assert channel.get() == "made"
    assert made
