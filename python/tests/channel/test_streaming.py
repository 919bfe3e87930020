from __future__ import annotations

import threading
import time
from typing import Any, List

import pytest

from support import frames
from support.frames import Frame
from support.slot import Serve


def shape(answer: List[Frame]) -> List[Any]:
    return [(frame.kind, frame.body, frame.is_end) for frame in answer]


class Body:
    """An iterable whose end is observed."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.closed = 0

    def __iter__(self) -> Any:
        yield from self.parts

    def close(self) -> None:
        self.closed += 1


def replying(body: Any, headers: Any = ()) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(headers))
        return body

    return app


def test_parts_are_sent_at_once(serve: Serve) -> None:
    go = threading.Semaphore(0)

    def parts() -> Any:
        for part in (b"a", b"", b"b"):
            go.acquire()
            yield part

    body = Body(parts())
    slot = serve(replying(body, [("x", "y")]))
    slot.write(frames.request())
    assert slot.is_quiet()
    go.release()
    assert shape([slot.receive()]) == [("response", b"a", False)]
    go.release()
    assert slot.is_quiet()
    go.release()
    assert shape([slot.receive(), slot.receive()]) == [("data", b"b", False), ("data", b"", True)]
    slot.finish()
    assert body.closed == 1


def test_one_part_of_known_length_is_one_frame(serve: Serve) -> None:
    answer = serve(replying(Body([b"hello"]), [("Content-Length", "5")])).exchange()

    assert shape(answer) == [("response", b"hello", True)]


def test_the_last_part_of_known_length_ends_the_answer(serve: Serve) -> None:
    answer = serve(replying(Body([b"", b"a", b"b", b""]), [("content-length", "2")])).exchange()

    assert shape(answer) == [("response", b"a", False), ("data", b"b", True)]


def test_what_comes_after_the_last_part_is_still_done(serve: Serve) -> None:
    done = []

    def parts() -> Any:
        yield b"a"
        done.append("after")

    slot = serve(replying(parts(), [("content-length", "1")]))
    slot.exchange()
    slot.finish()
    assert done == ["after"]


def test_the_answer_does_not_wait_for_close(serve: Serve) -> None:
    go = threading.Event()

    class Slow(Body):
        def close(self) -> None:
            go.wait(20)

    slot = serve(replying(Slow([b"a"]), [("content-length", "1")]))
    slot.write(frames.request(stream=1) + frames.request(stream=2))
    assert shape(slot.answer(1)) == [("response", b"a", True)]
    go.set()
    slot.answer(2)


def test_a_large_part(serve: Serve) -> None:
    part = bytes(range(256)) * 10_000
    answer = serve(replying(Body([part]))).exchange()

    assert b"".join(frame.body for frame in answer) == part
    assert shape(answer)[-1] == ("data", b"", True)


def test_start_response_during_the_iteration(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        yield b""
        start_response("201 Created", [("x", "y")])
        yield b""
        yield b"hello"

    answer = serve(app).exchange()
    assert (answer[0].aux, answer[0].headers) == (201, [("x", "y")])
    assert shape(answer) == [("response", b"hello", False), ("data", b"", True)]


def test_start_response_at_the_end_of_the_iteration(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        yield b""
        start_response("201 Created", [])

    answer = serve(app).exchange()
    assert [(frame.aux, frame.is_end) for frame in answer] == [(201, True)]


def test_write(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        write = start_response("200 OK", [])
        assert write(b"a") is None
        write(b"")
        write(b"b")
        return [b"c", b"d"]

    answer = serve(app).exchange()
    assert answer[0].kind == "response"
    assert b"".join(frame.body for frame in answer) == b"abcd"
    assert [frame.is_end for frame in answer][-1] is True


def test_write_of_all_that_was_announced(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        write = start_response("200 OK", [("content-length", "2")])
        write(b"ab")
        write(b"surplus")
        return [b"surplus"]

    assert shape(serve(app).exchange()) == [("response", b"ab", True)]


def test_write_takes_bytes_alone(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        start_response("200 OK", [])("text")
        return []

    assert serve(app).exchange()[0].aux == 500
    assert "TypeError" in capfd.readouterr().err


def test_the_client_leaves(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    seen = threading.Event()

    def parts() -> Any:
        yield b"first"
        seen.wait(20)
        while True:
            yield b"more"

    body = Body(parts())
    slot = serve(replying(body))
    slot.write(frames.request(stream=7))
    slot.receive()
    slot.write(frames.cancel(7))
    seen.set()
    answer = slot.answer(7)

    assert (answer[-1].kind, answer[-1].is_end) == ("cancel", True)
    slot.finish()
    assert body.closed == 1
    assert capfd.readouterr().err == ""


def test_the_client_leaves_an_application_that_writes(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    errors = []
    seen = threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        write(b"first")
        seen.wait(20)
        try:
            while True:
                write(b"more")
        except OSError as error:
            errors.append(error)
            raise

    slot = serve(app)
    slot.write(frames.request(stream=7))
    slot.receive()
    slot.write(frames.cancel(7))
    seen.set()

    assert slot.answer(7)[-1].kind == "cancel"
    assert isinstance(errors[0], BrokenPipeError)
    assert capfd.readouterr().err == ""


def test_the_agent_is_gone(serve: Serve) -> None:
    seen = threading.Event()

    def parts() -> Any:
        yield b"first"
        seen.wait(20)
        while True:
            yield b"more" * 10_000

    body = Body(parts())
    slot = serve(replying(body))
    slot.write(frames.request())
    slot.receive()
    slot.close()
    seen.set()
    slot.join()
    assert body.closed == 1


def test_a_slow_agent_holds_the_application_up(serve: Serve) -> None:
    sent = []

    def parts() -> Any:
        for _ in range(64):
            yield b"x" * 65_536
            sent.append(True)

    slot = serve(replying(Body(parts())))
    slot.write(frames.request())
    slot.receive()
    before = -1
    while before < len(sent):
        before = len(sent)
        time.sleep(0.05)
    assert before < 32
    rest = slot.answer()
    assert sum(len(frame.body) for frame in rest) == 63 * 65_536
