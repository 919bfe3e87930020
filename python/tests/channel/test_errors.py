from __future__ import annotations

import os
from typing import Any, List

import pytest

from support.slot import Serve


class Closing:
    def __init__(self, parts: Any = (), error: Any = None) -> None:
        self.parts = parts
        self.error = error
        self.closed = 0

    def __iter__(self) -> Any:
        for part in self.parts:
            if isinstance(part, BaseException):
                raise part
            yield part

    def close(self) -> None:
        self.closed += 1
        if self.error:
            raise self.error


def failing(error: Any) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        raise error

    return app


def replying(body: Any, headers: Any = ()) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(headers))
        return body() if callable(body) else body

    return app


def test_an_exception_is_logged_and_answered(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    slot = serve(failing(ValueError("no such <thing>")))
    [frame] = slot.exchange("/a?b", method="POST")

    assert (frame.kind, frame.aux, frame.is_end) == ("response", 500, True)
    assert frame.headers == [("content-type", "text/html; charset=utf-8")]
    assert b"no such" not in frame.body
    log = capfd.readouterr().err
    assert f"[passenger] POST /a?b in process {os.getpid()} failed:\nTraceback" in log
    assert "ValueError: no such <thing>" in log
    assert "raise error" in log


def test_the_page_may_show_it(serve: Serve) -> None:
    [frame] = serve(failing(ValueError("no such <thing>")), show_errors=True).exchange()

    assert b"ValueError: no such &lt;thing&gt;" in frame.body


def test_the_worker_goes_on(serve: Serve) -> None:
    outcomes: List[Any] = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError(), None]

    def app(environ: Any, start_response: Any) -> List[bytes]:
        error = outcomes.pop(0)
        if error is not None:
            raise error
        start_response("200 OK", [])
        return [b"fine"]

    slot = serve(app)
    assert [slot.exchange()[0].aux for _ in range(5)] == [500, 500, 500, 500, 200]


def test_an_error_replaces_what_was_started(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("x", "y"), ("content-length", "5")])
        raise ValueError

    [frame] = serve(app).exchange()
    assert (frame.aux, [name for name, _ in frame.headers]) == (500, ["content-type"])


def test_an_error_of_a_head_request(serve: Serve) -> None:
    [frame] = serve(failing(ValueError())).exchange(method="HEAD")

    assert (frame.aux, frame.body) == (500, b"")


@pytest.mark.parametrize("headers", [[], [("content-length", "10")]])
def test_an_error_before_the_first_part(serve: Serve, headers: Any) -> None:
    body = Closing([ValueError("oh")])
    slot = serve(replying(body, headers))
    [frame] = slot.exchange()

    assert frame.aux == 500
    slot.finish()
    assert body.closed == 1


def test_an_error_half_way(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    body = Closing([b"half", ValueError("oh")])
    slot = serve(replying(body))
    answer = slot.exchange()

    assert [(frame.kind, frame.body) for frame in answer] == [("response", b"half"), ("cancel", b"")]
    assert "ValueError: oh" in capfd.readouterr().err
    slot.finish()
    assert body.closed == 1


def test_an_error_in_close(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    slot = serve(replying(Closing([b"all"], ValueError("in close"))))
    answer = slot.exchange()

    assert b"".join(frame.body for frame in answer) == b"all"
    assert answer[-1].kind == "data"
    slot.finish()
    assert "ValueError: in close" in capfd.readouterr().err


def test_an_error_in_close_after_another(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    slot = serve(replying(Closing([ValueError("first")], ValueError("in close"))))

    assert slot.exchange()[0].aux == 500
    slot.finish()
    log = capfd.readouterr().err
    assert "ValueError: first" in log
    assert "ValueError: in close" in log


BODIES: List[Any] = [
    (None, "TypeError"),
    (5, "TypeError"),
    ("text", "TypeError"),
    (b"bytes", "TypeError"),
    (["text"], "TypeError"),
    ([b"a", None], "TypeError"),
    (lambda: iter(["text"]), "TypeError"),
    ([bytearray(b"x")], "TypeError"),
]


@pytest.mark.parametrize(("body", "error"), BODIES, ids=repr)
def test_bodies_that_cannot_be_sent(serve: Serve, body: Any, error: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert serve(replying(body)).exchange()[0].aux == 500
    assert error in capfd.readouterr().err


@pytest.mark.parametrize("body", [[b"x"], [], Closing([b"x"])])
def test_start_response_was_not_called(serve: Serve, body: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert serve(lambda environ, start_response: body).exchange()[0].aux == 500
    assert "has not called start_response" in capfd.readouterr().err


def test_what_is_not_callable(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    assert serve(5).exchange()[0].aux == 500
    assert "TypeError" in capfd.readouterr().err


def test_an_exception_that_cannot_be_shown(serve: Serve) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    slot = serve(failing(Odd()), show_errors=True)
    assert slot.exchange()[0].aux == 500
    assert slot.exchange()[0].aux == 500


def test_an_unknown_frame_ends_the_channel(serve: Serve) -> None:
    slot = serve(None)
    slot.write(b"\0" * 4 + b"\x02\0\0\0" + b"\0" * 8)

    with pytest.raises(OSError, match="Passenger's agent sent something unreadable"):
        slot.join()
