"""What `send` makes of an http response."""

from __future__ import annotations

import asyncio
import os
import re

import pytest

from support.asgi import Latch, respond

START = {"type": "http.response.start", "status": 200, "headers": []}
LARGE = bytes(range(256)) * 2000


async def say(send, *messages):
    for message in messages:
        await send(message)


def app_that_sends(*messages):
    async def app(scope, receive, send):
        await say(send, *messages)

    return app


def body(data, more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


def answer(serve, *messages, **request):
    channel = serve(app_that_sends(*messages))
    channel.request(**request)
    return channel.answer()


def test_a_small_body_is_one_frame(serve):
    headers = [(b"content-type", b"text/plain"), [b"Set-Cookie", b"a=1"], (b"Set-Cookie", b"b=2")]
    [frame] = answer(serve, {**START, "status": 201, "headers": headers}, body(b"hello"))
    assert (frame.kind, frame.aux, frame.body) == ("response", 201, b"hello")
    assert frame.headers == [("content-type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


def test_defaults(serve):
    [frame] = answer(serve, {"type": "http.response.start", "status": 404}, {"type": "http.response.body"})
    assert (frame.aux, frame.headers, frame.body) == (404, [], b"")


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_like_bodies(serve, data):
    [frame] = answer(serve, START, body(data))
    assert frame.body == b"abc"


def test_a_streamed_body(serve):
    found = answer(serve, START, body(b"one", True), body(b"", True), body(b"two", True), body(b""))
    assert [(frame.kind, frame.body) for frame in found] == [("response", b"one"), ("data", b"two"), ("data", b"")]


def test_the_head_waits_for_the_body(serve):
    go_on = Latch()

    async def app(scope, receive, send):
        await send(START)
        await go_on.reached()
        await send(body(b"now"))

    channel = serve(app)
    channel.request()
    assert channel.is_quiet()
    go_on.set()
    assert channel.answer()[0].body == b"now"


def test_a_part_of_the_body_leaves_at_once(serve):
    go_on = Latch()

    async def app(scope, receive, send):
        await say(send, START, body(b"first", True))
        await go_on.reached()
        await send(body(b"last"))

    channel = serve(app)
    channel.request()
    assert channel.next().body == b"first"
    go_on.set()
    assert channel.next().body == b"last"


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"512000")]])
def test_a_large_body_is_split_and_its_length_announced(serve, headers):
    channel = serve(app_that_sends({**START, "headers": headers}, body(LARGE)))
    channel.request()
    channel.grant(1 << 20)
    head, *parts = channel.answer()
    assert head.headers == [("content-length", "512000")]
    assert len(parts) == 4
    assert b"".join(frame.body for frame in parts) == LARGE


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_responses_without_a_body(serve, method, status):
    headers = [(b"content-length", b"5")]
    [frame] = answer(serve, {**START, "status": status, "headers": headers}, body(b"hello"), method=method)
    assert (frame.headers, frame.body) == ([("content-length", "5")], b"")
    found = answer(serve, {**START, "status": status}, body(b"hel", True), body(b"lo"), method=method)
    assert b"".join(frame.body for frame in found) == b""


def test_early_hints(serve):
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>"]}
    interim, final = answer(serve, hint, START, body(b"x"))
    assert (interim.kind, interim.aux) == ("informational", 103)
    assert interim.headers == [("link", "</a.css>; rel=preload"), ("link", "</b.js>")]
    assert final.body == b"x"


def test_a_file_by_its_path(serve, tmp_path):
    path = tmp_path / "täxt"
    path.write_bytes(b"contents")
    channel = serve(app_that_sends(START, {"type": "http.response.pathsend", "path": str(path)}))
    channel.request()
    head, file = channel.answer()
    assert (head.kind, file.kind, file.range) == ("response", "file", (0, 8))
    assert os.pread(channel.files[0], 100, 0) == b"contents"


def test_a_path_that_is_no_file(serve, tmp_path, capsys):
    for path in (tmp_path, tmp_path / "missing"):
        [frame] = answer(serve, START, {"type": "http.response.pathsend", "path": str(path)})
        assert frame.aux == 500


def test_trailers_are_dropped(serve):
    trailers = {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
    [frame] = answer(serve, {**START, "trailers": True}, body(b"x"), trailers)
    assert frame.body == b"x"


def test_headers_of_the_connection_are_left_out(serve):
    [frame] = answer(serve, {**START, "headers": [(b"transfer-encoding", b"chunked")]}, body(b"x"))
    assert frame.headers == []


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([body(b"x")], "RuntimeError: 'http.response.body' was sent, but the response has not started"),
        ([START, START], "RuntimeError: 'http.response.start' was sent, but the response has started"),
        ([{"type": "websocket.accept"}], "RuntimeError: 'websocket.accept' was sent; this server expects"),
        ([{"status": 200}], "TypeError: this ASGI message has no 'type'"),
        ([[]], "TypeError: an ASGI message is a dict; this is [] (list)"),
        ([{"type": 5}], "TypeError: 'type' of an ASGI message must be a str; this is 5 (int)"),
        ([{"type": "http.response.start"}], "TypeError: the ASGI message 'http.response.start' has no 'status'"),
        ([{**START, "status": "200"}], "TypeError: 'status' of an ASGI message must be an int; this is '200' (str)"),
        ([{**START, "status": 99}], "ValueError: 99 is no status for a response"),
        ([{**START, "status": 70000}], "ValueError: 70000 is no valid 'status'"),
        ([{**START, "headers": [("a", "b")]}], "TypeError: a header is a pair of bytes"),
        ([{**START, "headers": [b"ab"]}], "TypeError: a header is a pair of bytes"),
        ([{**START, "headers": 5}], "TypeError: 'headers' of an ASGI message must be an iterable; this is 5 (int)"),
        ([{**START, "headers": [(b"a", b"b\r\nc: d")]}], "ValueError: the header 'a' can't be sent"),
        ([START, body("text")], "TypeError: 'body' of an ASGI message must be bytes; this is 'text' (str)"),
        ([{**START, "headers": [(b"content-length", b"x")]}], "ValueError: the header 'content-length' can't be sent"),
        (
            [{**START, "headers": [(b"content-length", b"5")]}, body(b"four")],
            "is 1 bytes shorter than its content-length",
        ),
        ([{**START, "headers": [(b"content-length", b"3")]}, body(b"four")], "is longer than its content-length"),
        ([], "RuntimeError: the application returned without completing its response"),
        ([START], "RuntimeError: the application returned without completing its response"),
    ],
)
def test_mistakes_are_answered_with_500_and_logged(serve, capsys, messages, error):
    [frame] = answer(serve, *messages)
    assert (frame.kind, frame.aux) == ("response", 500)
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(
    "rest",
    [
        [],
        [body(b"more")],
        [{**START}],
        [{"type": "http.response.pathsend", "path": "/etc/hostname"}],
    ],
)
def test_what_has_begun_and_cannot_be_completed_is_cut_off(serve, capsys, rest):
    headers = [(b"content-length", b"100")]
    first, *_, last = answer(serve, {**START, "headers": headers}, body(b"begun", True), *rest)
    assert (first.body, last.kind, last.is_end) == (b"begun", "cancel", True)
    assert "RuntimeError" in capsys.readouterr().err


def test_an_exception(serve, capsys):
    async def app(scope, receive, send):
        raise ValueError("no <such> thing")

    channel = serve(app)
    channel.request("/a?b=c")
    [frame] = channel.answer()
    assert frame.aux == 500
    assert b"such" not in frame.body
    log = capsys.readouterr().err
    assert re.search(rf"\[passenger\] GET /a\?b=c in process {os.getpid()} failed:\nTraceback", log)
    assert "ValueError: no <such> thing" in log
    assert "passenger/asgi" not in log


def test_an_exception_is_shown_where_errors_may_be(serve):
    async def app(scope, receive, send):
        raise ValueError("no <such> thing")

    assert "ValueError: no &lt;such&gt; thing" in serve(app, show_errors=True).get()


def test_an_exception_after_the_answer_is_logged(serve, capsys):
    is_out = Latch()

    async def app(scope, receive, send):
        await respond(send, "fine")
        await is_out.reached()
        raise ValueError("too late")

    channel = serve(app)
    assert channel.get() == "fine"
    is_out.set()
    channel.get(stream=2)
    assert "ValueError: too late" in capsys.readouterr().err


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_ends_a_program_ends_one_request(serve, capsys, error):
    async def app(scope, receive, send):
        if scope["path"] == "/bad":
            raise error
        await respond(send, "alive")

    channel = serve(app)
    channel.request("/bad")
    assert channel.answer()[-1].is_end
    assert channel.get() == "alive"


def test_a_client_that_leaves_is_no_mistake(serve, capsys):
    is_gone = Latch()

    async def app(scope, receive, send):
        await receive()
        await receive()
        try:
            await respond(send)
        except OSError as error:
            is_gone.set()
            raise RuntimeError("as frameworks do") from error

    channel = serve(app)
    channel.request()
    channel.cancel()
    is_gone.wait()
    assert channel.answer()[0].kind == "cancel"
    assert capsys.readouterr().err == ""
