from __future__ import annotations

import os
import time
from typing import Any, List, Sequence, Tuple

import pytest

from support.frames import Frame
from support.slot import Serve

OK = "200 OK"


def replying(body: Any, headers: Sequence[Tuple[str, str]] = (), status: str = OK) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers))
        return body() if callable(body) else body

    return app


def shape(answer: List[Frame]) -> List[Any]:
    return [(frame.kind, frame.body, frame.is_end) for frame in answer]


def test_a_list_is_one_frame(serve: Serve) -> None:
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=\xe9"), ("X-Empty", "")]
    [frame] = serve(replying([b"he", b"", b"llo"], headers, "404 Not Found")).exchange()

    assert (frame.kind, frame.aux, frame.body, frame.is_end) == ("response", 404, b"hello", True)
    assert frame.headers == headers


@pytest.mark.parametrize("body", [[], (), [b""], (b"",), lambda: iter([]), lambda: iter([b""])])
def test_nothing_is_one_frame(serve: Serve, body: Any) -> None:
    assert shape(serve(replying(body)).exchange()) == [("response", b"", True)]


@pytest.mark.parametrize("body", [(b"a", b"b"), [b"ab"], [b"a", b"", b"b"]])
def test_what_is_at_hand_is_one_frame(serve: Serve, body: Any) -> None:
    for headers in ([], [("content-length", "2")]):
        assert shape(serve(replying(body, headers)).exchange()) == [("response", b"ab", True)]


class Iterated:
    """As Django's response: its iterator is that of a list."""

    def __init__(self, parts: List[bytes]) -> None:
        self.parts = parts
        self.closed = 0

    def __iter__(self) -> Any:
        return iter(self.parts)

    def close(self) -> None:
        self.closed += 1


def test_an_object_around_a_list(serve: Serve) -> None:
    body = Iterated([b"a", b"b"])
    slot = serve(replying(body))
    answer = slot.exchange()
    slot.finish()

    assert b"".join(frame.body for frame in answer) == b"ab"
    assert answer[-1].is_end
    assert body.closed == 1


def test_the_status_may_be_a_number_alone(serve: Serve) -> None:
    assert serve(replying([b""], status="299")).exchange()[0].aux == 299


@pytest.mark.parametrize("parts", [[b"x" * 100_000], [b"x" * 20_000] * 5, [b"y" * 900_000]])
def test_large_bodies_in_one_frame(serve: Serve, parts: List[bytes]) -> None:
    [frame] = serve(replying(parts)).exchange()

    assert frame.body == b"".join(parts)


@pytest.mark.parametrize("count", [1, 3])
def test_bodies_beyond_a_frame_have_a_length(serve: Serve, count: int) -> None:
    parts = [os.urandom(2_500_000) for _ in range(count)]
    answer = serve(replying(parts, [("x-a", "b")])).exchange()

    assert dict(answer[0].headers) == {"x-a": "b", "content-length": str(count * 2_500_000)}
    assert b"".join(frame.body for frame in answer) == b"".join(parts)
    assert [frame.is_end for frame in answer] == [False] * (len(answer) - 1) + [True]


def test_an_announced_length_beyond_a_frame(serve: Serve) -> None:
    answer = serve(replying([b"x" * 3_000_000], [("Content-Length", "3000000")])).exchange()

    assert answer[0].headers == [("Content-Length", "3000000")]
    assert sum(len(frame.body) for frame in answer) == 3_000_000


@pytest.mark.parametrize("body", [[b"hello"], [b"hel", b"lo"], lambda: iter([b"hello", b""])])
def test_head_has_headers_alone(serve: Serve, body: Any) -> None:
    [frame] = serve(replying(body, [("Content-Length", "5")])).exchange(method="HEAD")

    assert (frame.headers, frame.body, frame.is_end) == ([("Content-Length", "5")], b"", True)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body(serve: Serve, status: str) -> None:
    assert shape(serve(replying([b"hello"], status=status)).exchange()) == [("response", b"", True)]


def test_head_ends_an_endless_body(serve: Serve) -> None:
    closed = []

    def endless() -> Any:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    slot = serve(replying(endless()))
    assert shape(slot.exchange(method="HEAD")) == [("response", b"", True)]
    slot.finish()
    assert closed


@pytest.mark.parametrize("body", [[b"hello"], [b"h", b"ello"], lambda: iter([b"hello"])])
def test_what_is_longer_than_announced_is_cut(serve: Serve, body: Any) -> None:
    answer = serve(replying(body, [("Content-Length", "3")])).exchange()

    assert b"".join(frame.body for frame in answer) == b"hel"
    assert answer[-1].kind in ("response", "data")


@pytest.mark.parametrize("body", [[b"hello"], [b"hel", b"lo"], lambda: iter([b"hello"])])
def test_what_is_shorter_than_announced_never_looks_complete(
    serve: Serve, body: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = serve(replying(body, [("Content-Length", "9")])).exchange("/short")

    assert [frame.kind for frame in answer] in (["response", "cancel"], ["response", "data", "cancel"])
    assert "GET /short" in capfd.readouterr().err


def test_nothing_where_something_was_announced(serve: Serve) -> None:
    assert serve(replying([], [("Content-Length", "9")])).exchange()[0].aux == 500


def test_headers_that_concern_the_connection_are_left_out(serve: Serve) -> None:
    headers = [("Transfer-Encoding", "chunked"), ("TE", "trailers"), ("Upgrade", "h2c"), ("Trailer", "x"), ("X-A", "b")]

    assert serve(replying([b""], headers)).exchange()[0].headers == [("X-A", "b")]


def test_the_service_time(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        time.sleep(0.02)
        start_response(OK, [])
        return [b"x"]

    [frame] = serve(app).exchange()
    assert 20_000 <= frame.value < 5_000_000
