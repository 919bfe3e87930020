"""How a worker stops: what has arrived is answered first."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from passenger import hooks
from support.asgi import Latch, closing, respond, without_lifespan

START = {"type": "http.response.start", "status": 200, "headers": []}


def test_the_agent_closes_for_writing(start):
    go_on = Latch()

    async def app(scope, receive, send):
        await go_on.reached()
        await respond(send, scope["path"])

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    for number in range(3):
        channel.request(f"/{number}", stream=number)
    channel.close_write()
    assert channel.is_quiet()
    go_on.set()
    assert [channel.answer(number)[0].body for number in range(3)] == [b"/0", b"/1", b"/2"]
    worker.wait()


def test_told_to_leave_it_takes_no_more(start):
    go_on = Latch()

    async def app(scope, receive, send):
        await go_on.reached()
        await respond(send, "last")

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.request()
    worker.server.shutdown()
    with pytest.raises(BrokenPipeError):
        for stream in itertools.count(2):
            channel.request(stream=stream)
    go_on.set()
    assert channel.answer()[0].body == b"last"


def test_a_long_answer_needs_no_credit_when_none_can_come(start):
    async def app(scope, receive, send):
        await respond(send, b"x" * 2_000_000)

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.request()
    assert channel.next().kind == "response"
    channel.close_write()
    assert sum(len(frame.body) for frame in channel.answer()) == 2_000_000
    worker.wait()


def test_what_goes_on_after_the_answer_is_waited_for(start):
    go_on, has_ended = Latch(), Latch()

    async def app(scope, receive, send):
        await respond(send, "answer")
        await go_on.reached()
        has_ended.set()

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    assert channel.get() == "answer"
    worker.server.shutdown()
    go_on.set()
    worker.wait()
    has_ended.wait()


def test_what_takes_too_long_is_cancelled(start, capsys):
    outcome = []

    async def app(scope, receive, send):
        try:
            if scope["path"] == "/begun":
                await send(START)
                await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise

    worker = start(without_lifespan(app), graceful_timeout=0.3)
    [channel] = worker.channels
    channel.request("/slow", stream=1)
    channel.request("/begun", stream=2)
    assert channel.next(2).body == b"begun"
    worker.server.shutdown()
    assert [channel.next(stream).kind for stream in (1, 2)] == ["cancel", "cancel"]
    worker.wait()
    assert outcome == ["cancelled"] * 2
    assert "[passenger] GET /slow in process" in capsys.readouterr().err


def test_a_task_that_cannot_be_cancelled_does_not_keep_the_worker(start, monkeypatch):
    from passenger.asgi import tasks

    monkeypatch.setattr(tasks, "CANCELLING_TIME", 0.1)
    is_caught = Latch()

    async def app(scope, receive, send):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if is_caught._event.is_set():
                    raise
                is_caught.set()

    worker = start(without_lifespan(app), graceful_timeout=0.1)
    worker.channels[0].request()
    worker.server.shutdown()
    is_caught.wait()
    worker.wait()


@pytest.mark.parametrize(("seconds", "end"), [(0.2, "done"), (600, "cancelled")])
def test_out_of_band_work_ends_before_the_lifespan(start, monkeypatch, capsys, seconds, end):
    begun, events = Latch(), []

    async def work():
        begun.set()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        events.append("done")

    async def app(scope, receive, send):
        for kind in ("startup", "shutdown"):
            await receive()
            events.append(kind)
            await send({"type": f"lifespan.{kind}.complete"})

    monkeypatch.setitem(hooks._hooks, "oob_work", [work])
    worker = start(app, graceful_timeout=20 if end == "done" else 0.1)
    worker.server.do_oob_work(lambda: events.append("said"))
    begun.wait()
    worker.server.shutdown()
    worker.wait()
    assert events == ["startup", end, "said", "shutdown"]
    assert "hook failed" not in capsys.readouterr().err


def test_websockets_are_closed_at_once(start):
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        seen.append(await receive())

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.connect()
    channel.next()
    worker.server.shutdown()
    assert closing(channel.next()) == (1012, "")
    worker.wait()
    assert seen == [{"type": "websocket.disconnect", "code": 1012, "reason": ""}]


def test_an_agent_that_is_gone(start, capsys):
    seen: list[object] = []
    is_waiting = Latch()

    async def app(scope, receive, send):
        await receive()
        is_waiting.set()
        for _ in range(1000):
            try:
                await send({**START} if not seen else {"type": "http.response.body", "body": b"x", "more_body": True})
            except OSError:
                seen.append(await receive())
                return
            seen.append("sent")
            await asyncio.sleep(0.01)

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.request()
    is_waiting.wait()
    channel.close()
    worker.wait()
    assert seen[-1] == {"type": "http.disconnect"}
    assert capsys.readouterr().err == ""


def test_an_agent_that_dies_with_answers_unread(start):
    """The kernel reports an error then, for which some loops call but once: here while there is still something to read."""
    is_answered, has_died = Latch(), Latch()

    async def app(scope, receive, send):
        await respond(send, "nobody reads this")
        await asyncio.sleep(0.01)
        is_answered.set()
        has_died.wait()  # the loop stands still

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.request()
    is_answered.wait()
    channel.grant(1)
    channel.close()
    has_died.set()
    worker.wait()


def test_an_agent_that_breaks_the_protocol(start, capsys):
    seen, is_waiting = [], Latch()

    async def app(scope, receive, send):
        await receive()
        is_waiting.set()
        seen.append(await receive())

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.request()
    is_waiting.wait()
    channel.write(b"\0\0\0\0\x63" + b"\0" * 11)
    worker.wait()
    assert seen == [{"type": "http.disconnect"}]
    assert "gives up a channel: OSError: Passenger's agent sent something unreadable: unknown frame kind 99" in (
        capsys.readouterr().err
    )
    with pytest.raises(EOFError):
        channel.receive()


@pytest.mark.parametrize("data", [b"\0\0\0\0\x08\0\x01\0\x01\0\0\0\0\0\0\0", b"\0\0\0\0\x04\0\0\0\x01\0\0\0\0\0\0\0"])
def test_frames_that_make_no_sense_there(start, capsys, data):
    async def app(scope, receive, send):
        await receive()
        await receive()

    worker = start(without_lifespan(app))
    [channel] = worker.channels
    channel.request()
    channel.write(data)
    worker.wait()
    assert "unexpected" in capsys.readouterr().err


def test_frames_for_streams_that_have_ended_are_ignored(start):
    async def app(scope, receive, send):
        await respond(send, "fine")

    [channel] = start(without_lifespan(app)).channels
    channel.get()
    channel.cancel()
    channel.grant(5)
    channel.hang_up()
    assert channel.get() == "fine"
