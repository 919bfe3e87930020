"""What a worker does when the agent says that a request has taken too long."""

from __future__ import annotations

import asyncio

import pytest

from passenger import diagnosis
from support.asgi import Latch, respond, without_lifespan


def test_the_task_is_cancelled_and_others_go_on(start, capfd):
    cancelled = Latch()

    async def waiting_for_godot():
        await asyncio.sleep(600)

    async def app(scope, receive, send):
        if scope["path"] == "/endless":
            try:
                await waiting_for_godot()
            except asyncio.CancelledError:
                cancelled.set()
                raise
        await respond(send, "ok")

    [channel] = start(without_lifespan(app)).channels
    channel.request("/endless", stream=1)
    assert channel.get(stream=2) == "ok"
    channel.stop(1)
    [frame] = channel.answer(1)
    assert frame.kind == "cancel"
    assert channel.get(stream=3) == "ok"
    cancelled.wait()
    printed = capfd.readouterr().err
    assert "cancels a request that takes too long" in printed
    assert "in waiting_for_godot" in printed


def test_the_answer_comes_though_the_application_does_not_let_itself_be_cancelled(start):
    waiting, cancelled, go_on = Latch(), Latch(), Latch()

    async def app(scope, receive, send):
        waiting.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            await go_on.reached()

    [channel] = start(without_lifespan(app)).channels
    channel.request()
    waiting.wait()
    channel.stop()
    cancelled.wait()
    [frame] = channel.answer()
    assert frame.kind == "cancel"
    go_on.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_task_is_cancelled_though_it_cannot_be_described(start, monkeypatch):
    def describe(task):
        raise UnicodeError

    monkeypatch.setattr(diagnosis, "task", describe)
    waiting, cancelled = Latch(), Latch()

    async def app(scope, receive, send):
        waiting.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    [channel] = start(without_lifespan(app)).channels
    channel.request()
    waiting.wait()
    channel.stop()
    cancelled.wait()
    [frame] = channel.answer()
    assert frame.kind == "cancel"
