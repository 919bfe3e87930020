"""WebSockets: the agent speaks the protocol, the worker sees messages."""

from __future__ import annotations

import asyncio
import struct

import pytest

from passenger.asgi.types import Message
from support.asgi import BINARY, CLOSE, MORE, TEXT, UPGRADE, Latch, closing, respond

WINDOW = 256 * 1024


async def echo(scope, receive, send):
    """Repeats what it hears; leaves with the client."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({**message, "type": "websocket.send"})


def accepted(channel, stream=1):
    frame = channel.next(stream)
    assert (frame.kind, frame.aux, frame.flags, frame.body) == ("response", 101, UPGRADE, b"")
    return frame


def test_the_scope(serve):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await send({"type": "websocket.accept", "subprotocol": "v2", "headers": [(b"x-a", b"b")]})

    channel = serve(app)
    channel.connect(protocols="v1, v2")
    assert accepted(channel).headers == [("x-a", "b"), ("sec-websocket-protocol", "v2")]
    [scope] = scopes
    assert (scope["type"], scope["scheme"], scope["path"]) == ("websocket", "ws", "/chat")
    assert scope["subprotocols"] == ["v1", "v2"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope
    assert closing(channel.next()) == (1000, "")


@pytest.mark.parametrize(("data", "aux"), [("hällo", TEXT), (b"\x00\xff", BINARY), ("", TEXT), (b"", BINARY)])
def test_messages_of_both_kinds(serve, data, aux):
    channel = serve(echo)
    channel.connect()
    accepted(channel)
    channel.say(data)
    frame = channel.next()
    assert (frame.kind, frame.aux, frame.flags) == ("message", aux, 0)
    assert frame.payload == (data.encode() if aux == TEXT else data)


def test_a_message_in_parts_is_joined(serve):
    channel = serve(echo)
    channel.connect()
    accepted(channel)
    text = "grüße".encode()
    for at in range(len(text) - 1):
        channel.write(struct.pack("<IBBHII", 1, 8, MORE, TEXT, 1, 0) + text[at : at + 1])
    channel.write(struct.pack("<IBBHII", 1, 8, 0, TEXT, 1, 0) + text[-1:])
    assert channel.next().payload == text


def test_a_long_message_leaves_in_parts(serve):
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": b"x" * 300_000})

    channel = serve(app)
    channel.connect()
    accepted(channel)
    channel.grant(100_000)
    parts = [channel.next() for _ in range(3)]
    assert [frame.flags for frame in parts] == [MORE, MORE, 0]
    assert sum(len(frame.payload) for frame in parts) == 300_000
    assert closing(channel.next()) == (1000, "")


def test_a_message_longer_than_all_credit_comes_in(serve):
    channel = serve(echo)
    channel.connect()
    accepted(channel)
    for _ in range(8):
        channel.say(b"x" * 65536, flags=MORE)
    channel.say(b"end")
    channel.grant(10 * WINDOW)
    given, length = 0, 0
    while length < 8 * 65536 + 3:
        frame = channel.next()
        given += frame.value if frame.kind == "window" else 0
        length += len(frame.payload)
    assert given >= 7 * 65536


def test_credit_is_given_back_as_the_application_receives(serve):
    go_on, accepting = Latch(), Latch()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        accepting.set()
        await go_on.reached()
        while (await receive())["type"] == "websocket.receive":
            pass

    channel = serve(app)
    channel.connect()
    accepted(channel)
    for _ in range(4):
        channel.say(b"x" * 65536)
    assert channel.is_quiet()
    go_on.set()
    assert [channel.next().value for _ in range(2)] == [131104, 131104]


def test_a_message_without_content_takes_credit_too(serve):
    channel = serve(echo)
    channel.connect()
    accepted(channel)
    for _ in range(8192):
        channel.say(b"")
    echoed = 0
    frame = channel.next()
    while frame.kind == "message":
        echoed += 1
        frame = channel.next()
    assert echoed <= 8192
    assert (frame.kind, frame.value) == ("window", 131072)


def test_parts_of_a_message_get_no_credit_back_while_the_application_has_others_to_receive(serve):
    go_on = Latch()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.reached()
        while (await receive())["type"] == "websocket.receive":
            pass

    channel = serve(app)
    channel.connect()
    accepted(channel)
    channel.say(b"first")
    channel.say(b"x" * 131072, flags=MORE)
    assert channel.is_quiet()
    go_on.set()
    assert channel.next().value == 131072 + 16 + 5 + 16


def test_send_waits_for_credit(serve):
    sent = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(6):
            await send({"type": "websocket.send", "bytes": b"x" * 100_000})
            sent.append(number)

    channel = serve(app)
    channel.connect()
    accepted(channel)
    assert [len(channel.next().payload) for _ in range(3)] == [100_000] * 3
    assert channel.is_quiet()
    assert sent == [0, 1, 2]
    channel.grant(WINDOW)
    channel.grant(WINDOW)
    assert [len(channel.next().payload) for _ in range(3)] == [100_000] * 3
    assert closing(channel.next())[0] == 1000


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, (1000, "")),
        ({"code": 4001, "reason": "tschüß"}, (4001, "tschüß")),
        ({"code": None, "reason": None}, (1000, "")),
    ],
)
def test_the_application_closes(serve, message, expected):
    seen, is_through = [], Latch()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", **message})
        seen.append(await receive())
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": "late"})
        is_through.set()

    channel = serve(app)
    channel.connect()
    accepted(channel)
    assert closing(channel.next()) == expected
    is_through.wait()
    assert seen == [{"type": "websocket.disconnect", "code": expected[0], "reason": expected[1]}]


@pytest.mark.parametrize(("code", "expected"), [(1001, 1001), (4000, 4000), (None, 1005)])
def test_the_client_closes(serve, code, expected):
    seen: list[Message] = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while not seen or seen[-1]["type"] == "websocket.receive":
            seen.append(await receive())
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": "late"})
        with pytest.raises(RuntimeError, match=r"after 'websocket\.disconnect' was received"):
            await receive()

    channel = serve(app)
    channel.connect()
    accepted(channel)
    channel.say("last words")
    channel.hang_up(code, "why" if code else "")
    frame = channel.next()
    assert (frame.kind, frame.aux, frame.is_end) == ("message", CLOSE, True)
    assert seen == [
        {"type": "websocket.receive", "text": "last words"},
        {"type": "websocket.disconnect", "code": expected, "reason": "why" if code else ""},
    ]


def test_the_client_vanishes(serve, capsys):
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        seen.append(await receive())
        await send({"type": "websocket.send", "text": "late"})

    channel = serve(app)
    channel.connect()
    accepted(channel)
    channel.cancel()
    frame = channel.next()
    assert (frame.kind, frame.is_end) == ("cancel", True)
    assert seen == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]
    assert capsys.readouterr().err == ""


def test_a_client_that_closes_frees_who_waits_for_credit(serve):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "bytes": b"x" * 1_000_000})

    channel = serve(app)
    channel.connect()
    accepted(channel)
    assert channel.next().flags == MORE
    channel.hang_up()
    frames = channel.answer()
    assert frames[-1].aux == CLOSE


@pytest.mark.parametrize(("leave", "last"), [("hang_up", "message"), ("cancel", "cancel")])
def test_a_client_that_leaves_before_it_has_all_ends_what_the_application_has_ended(serve, leave, last):
    is_through = Latch()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for message in ({"type": "websocket.send", "bytes": b"x" * 1_000_000}, {"type": "websocket.close"}):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(send(message), 0.05)
        asyncio.get_running_loop().call_soon(is_through.set)

    channel = serve(app)
    channel.connect()
    accepted(channel)
    is_through.wait()
    getattr(channel, leave)()
    assert channel.answer()[-1].kind == last


def test_refused_by_close(serve):
    seen, is_through = [], Latch()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.close"})
        seen.append(await receive())
        is_through.set()

    channel = serve(app)
    channel.connect()
    [frame] = channel.answer()
    assert (frame.kind, frame.aux, frame.body) == ("response", 403, b"")
    is_through.wait()
    assert seen == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]


def test_refused_with_a_response(serve):
    async def app(scope, receive, send):
        start = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Basic")]}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"are you?"})

    channel = serve(app)
    channel.connect()
    found = channel.answer()
    assert (found[0].aux, found[0].headers) == (401, [("www-authenticate", "Basic")])
    assert b"".join(frame.body for frame in found) == b"who are you?"


def test_an_application_that_does_not_know_websockets(serve, capsys):
    async def app(scope, receive, send):
        assert scope["type"] == "http"

    channel = serve(app)
    channel.connect()
    [frame] = channel.answer()
    assert (frame.kind, frame.aux) == ("response", 500)
    assert "WebSocket /chat in process" in capsys.readouterr().err


def test_an_application_that_fails(serve, capsys):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        raise ValueError("sorry")

    channel = serve(app)
    channel.connect()
    accepted(channel)
    assert closing(channel.next()) == (1011, "")
    assert "ValueError: sorry" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (
            {"type": "websocket.accept"},
            "RuntimeError: 'websocket.accept' was sent, but the WebSocket was accepted before",
        ),
        ({"type": "http.response.start"}, "RuntimeError: 'http.response.start' was sent; this server expects"),
        ({"type": "websocket.send"}, "TypeError: 'websocket.send' was sent without 'bytes' and without 'text'"),
        ({"type": "websocket.send", "text": b"x"}, "TypeError: 'text' of an ASGI message must be a str"),
        ({"type": "websocket.send", "bytes": "x"}, "TypeError: 'bytes' of an ASGI message must be bytes"),
        ({"type": "websocket.send", "text": "\ud800"}, "ValueError: the text of a message can't be sent"),
        ({"type": "websocket.close", "code": 1006}, "ValueError: 1006 can't be sent as the code of a close"),
        (
            {"type": "websocket.close", "reason": "x" * 124},
            "ValueError: the reason of a close is UTF-8 text of at most",
        ),
    ],
)
def test_mistakes_close_with_1011(serve, capsys, message, error):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send(message)

    channel = serve(app)
    channel.connect()
    accepted(channel)
    assert closing(channel.next()) == (1011, "")
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("message", [{"type": "websocket.send", "text": "x"}, {"type": "http.response.start"}])
def test_mistakes_before_the_handshake(serve, capsys, message):
    async def app(scope, receive, send):
        await send(message)

    channel = serve(app)
    channel.connect()
    [frame] = channel.answer()
    assert frame.aux == 500
    assert "RuntimeError" in capsys.readouterr().err


def test_several_tasks_share_a_websocket(serve):
    are_waiting = Latch()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

        async def repeat():
            return await send({"type": "websocket.send", "text": (await receive())["text"]})

        tasks = [asyncio.create_task(repeat()) for _ in range(3)]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        are_waiting.set()
        await asyncio.gather(*tasks)

    channel = serve(app)
    channel.connect()
    accepted(channel)
    are_waiting.wait()
    for word in ("a", "b", "c"):
        channel.say(word)
    assert sorted(channel.next().payload for _ in range(3)) == [b"a", b"b", b"c"]


def test_conversations_beside_requests(serve):
    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            return await echo(scope, receive, send)
        return await respond(send, "http")

    channel = serve(app)
    for stream in (1, 2):
        channel.connect(stream)
        accepted(channel, stream)
    channel.say("one", 1)
    assert channel.get(stream=3) == "http"
    channel.say("two", 2)
    assert [channel.next(stream).payload for stream in (1, 2)] == [b"one", b"two"]
