from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from support.slot import Serve, Slot

BODY = b"one\ntwo\nthree"
Read = Callable[[Any], Any]


def answer_with(work: Callable[[Dict[str, Any]], Any]) -> Any:
    def app(environ: Dict[str, Any], start_response: Any) -> List[bytes]:
        text = repr(work(environ))
        start_response("200 OK", [])
        return [text.encode()]

    return app


@pytest.fixture(params=["in the frame", "in a file"])
def send(request: pytest.FixtureRequest, serve: Serve) -> Any:
    """What an application makes of a body that arrived in one way or the other."""

    def send(work: Callable[[Dict[str, Any]], Any], body: bytes = BODY, **options: Any) -> str:
        slot = serve(answer_with(work))
        if request.param == "in the frame":
            return slot.body(method="POST", body=body, **options)
        with tempfile.TemporaryFile() as file:
            file.write(body)
            file.flush()
            return slot.body(method="POST", file=file.fileno(), file_size=len(body), **options)

    return send


READS: List[Any] = [
    (lambda stream: stream.read(), BODY),
    (lambda stream: [stream.read(5), stream.read(100), stream.read(1)], [b"one\nt", b"wo\nthree", b""]),
    (lambda stream: [stream.readline(), stream.readline(2), stream.readline()], [b"one\n", b"tw", b"o\n"]),
    (lambda stream: stream.readlines(), [b"one\n", b"two\n", b"three"]),
    (lambda stream: list(stream), [b"one\n", b"two\n", b"three"]),
    (lambda stream: [stream.read(-1), stream.read(), stream.readline(), list(stream)], [BODY, b"", b"", []]),
]


@pytest.mark.parametrize(("read", "expected"), READS)
def test_reading(send: Any, read: Read, expected: Any) -> None:
    assert send(lambda environ: read(environ["wsgi.input"])) == repr(expected)


def test_the_length_of_a_body_that_came_without_one(send: Any) -> None:
    assert send(lambda environ: environ["CONTENT_LENGTH"]) == repr(str(len(BODY)))
    assert send(lambda environ: environ["CONTENT_LENGTH"], headers=[("content-length", "13")]) == repr("13")


def test_no_body_ends_at_once(serve: Serve) -> None:
    def work(environ: Dict[str, Any]) -> Any:
        stream = environ["wsgi.input"]
        stream.close()
        buffered = io.BufferedReader(stream)
        reads = [stream.read(), stream.read(5), stream.readline(), stream.readlines(), list(stream), buffered.read()]
        buffered.detach()
        return reads

    slot = serve(answer_with(work))
    for _ in range(2):
        assert slot.body() == repr([b"", b"", b"", [], [], b""])


def test_the_space_of_a_file_is_given_back(serve: Serve, tmp_path: Path) -> None:
    kept = []

    def work(environ: Dict[str, Any]) -> int:
        kept.append(environ["wsgi.input"])
        return os.fstat(kept[0].fileno()).st_size

    slot = serve(answer_with(work))
    with open(tmp_path / "body", "w+b") as file:
        file.write(BODY)
        file.flush()
        assert slot.body(method="POST", file=file.fileno(), file_size=len(BODY)) == str(len(BODY))
    slot.finish()

    assert kept[0].closed


def test_descriptors_are_not_lost(serve: Serve) -> None:
    def upload(slot: Slot) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(BODY)
            file.seek(3)  # read before, as after a worker's death
            assert slot.body(method="POST", file=file.fileno(), file_size=len(BODY)) == repr(BODY)

    slot = serve(answer_with(lambda environ: environ["wsgi.input"].read()))
    upload(slot)
    slot.body()  # the file of the request before is closed by now
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        upload(slot)

    assert slot.body() == repr(b"")
    assert len(os.listdir("/proc/self/fd")) == before
