from __future__ import annotations

import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any, List

import pytest

from support.slot import Serve, Slot

DATA = bytes(range(256)) * 400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def wrapping(make: Any, headers: Any = (), method: str = "") -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(headers))
        return environ["wsgi.file_wrapper"](make(), 1000)

    return app


def file_of(slot: Slot, **request: Any) -> Any:
    """The bytes of the file that was handed over, and the headers."""
    head, file = slot.exchange(**request)
    assert (head.kind, head.is_end, file.kind, file.aux) == ("response", False, "file", 1)
    offset, length = file.range
    [descriptor] = slot.files
    return os.pread(descriptor, length, offset), head.headers


@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_file_is_handed_over(serve: Serve, path: Path, buffering: int) -> None:
    opened: List[Any] = []

    def make() -> Any:
        opened.append(open(path, "rb", buffering))
        return opened[-1]

    slot = serve(wrapping(make, [("x", "y")]))
    assert file_of(slot) == (DATA, [("x", "y"), ("content-length", str(len(DATA)))])
    slot.finish()
    assert opened[0].closed


def test_from_where_it_was_read_to(serve: Serve, path: Path) -> None:
    def make() -> Any:
        file = open(path, "rb")
        file.read(10)
        return file

    assert file_of(serve(wrapping(make)))[0] == DATA[10:]


def test_as_much_as_was_announced(serve: Serve, path: Path) -> None:
    slot = serve(wrapping(lambda: open(path, "rb"), [("Content-Length", "7")]))

    assert file_of(slot) == (DATA[:7], [("Content-Length", "7")])


def test_a_temporary_file(serve: Serve) -> None:
    def make() -> Any:
        file = tempfile.NamedTemporaryFile()
        file.write(DATA)
        file.seek(0)
        return file

    assert file_of(serve(wrapping(make)))[0] == DATA


def test_less_than_was_announced(serve: Serve, path: Path) -> None:
    answer = serve(wrapping(lambda: open(path, "rb"), [("Content-Length", str(len(DATA) + 1))])).exchange()

    assert answer[-1].kind == "cancel"


def test_what_is_no_file(serve: Serve) -> None:
    answer = serve(wrapping(lambda: io.BytesIO(DATA))).exchange()

    assert b"".join(frame.body for frame in answer) == DATA


def test_a_file_that_reads_otherwise_than_its_descriptor(serve: Serve, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "file.gz", "wb") as file:
        file.write(DATA)
    answer = serve(wrapping(lambda: gzip.open(tmp_path / "file.gz", "rb"))).exchange()

    assert b"".join(frame.body for frame in answer) == DATA


def test_a_class_around_a_file_that_reads_otherwise(serve: Serve, path: Path) -> None:
    class Reversed:
        def __init__(self) -> None:
            self.file = open(path, "rb")

        def read(self, size: int) -> bytes:
            return self.file.read(size)[::-1]

        def close(self) -> None:
            self.file.close()

    answer = serve(wrapping(Reversed)).exchange()
    body = b"".join(frame.body for frame in answer)
    assert body == b"".join(DATA[at : at + 1000][::-1] for at in range(0, len(DATA), 1000))


def test_a_subclass_that_reads_otherwise(serve: Serve, path: Path) -> None:
    class Upper(io.FileIO):
        def read(self, size: Any = -1) -> bytes:
            return super().read(size).upper()

    answer = serve(wrapping(lambda: Upper(str(path)))).exchange()

    assert b"".join(frame.body for frame in answer) == DATA.upper()


def test_a_pipe(serve: Serve) -> None:
    def make() -> Any:
        reader, writer = os.pipe()
        os.write(writer, b"piped")
        os.close(writer)
        return os.fdopen(reader, "rb")

    assert b"".join(frame.body for frame in serve(wrapping(make)).exchange()) == b"piped"


def test_head(serve: Serve, path: Path) -> None:
    [frame] = serve(wrapping(lambda: open(path, "rb"))).exchange(method="HEAD")

    assert (frame.kind, frame.body, frame.is_end) == ("response", b"", True)


def test_an_empty_file(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    answer = serve(wrapping(lambda: open(tmp_path / "empty", "rb"))).exchange()

    assert (b"".join(frame.body for frame in answer), answer[-1].kind) == (b"", "response")


def test_descriptors_stay_with_their_frames(serve: Serve, tmp_path: Path) -> None:
    numbers = iter(range(20))

    def make() -> Any:
        path = tmp_path / str(next(numbers))
        path.write_text(path.name)
        return open(path, "rb")

    from support import frames

    slot = serve(wrapping(make))
    slot.write(b"".join(frames.request(stream=stream) for stream in range(20)))
    for stream in range(20):
        slot.answer(stream)
    assert [os.read(descriptor, 9).decode() for descriptor in slot.files] == [str(number) for number in range(20)]
