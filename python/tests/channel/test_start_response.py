from __future__ import annotations

import contextlib
import sys
from typing import Any, List

import pytest

from support.slot import Serve


def raised_by(serve: Serve, work: Any) -> BaseException:
    """What start_response raises, as `work` calls it."""
    errors: List[BaseException] = []

    def app(environ: Any, start_response: Any) -> List[bytes]:
        try:
            work(start_response)
        except BaseException as error:
            errors.append(error)
        start_response("200 OK", [("x-second", "1")], (None, None, None) if errors else None)
        return [b"fine"]

    [frame] = serve(app).exchange()
    assert (frame.aux, frame.headers, frame.body) == (200, [("x-second", "1")], b"fine")
    return errors[0]


BAD: List[Any] = [
    (("200 OK",), TypeError),
    (("200 OK", [], None, 1), TypeError),
    ((200, []), TypeError),
    ((b"200 OK", []), TypeError),
    (("OK", []), ValueError),
    (("20", []), ValueError),
    (("2000", []), ValueError),
    (("99 Low", []), ValueError),
    (("100 Continue", []), ValueError),
    (("199 X", []), ValueError),
    (("\u0662\u0660\u0660 OK", []), ValueError),
    (("200 OK", None), TypeError),
    (("200 OK", [("x",)]), (TypeError, ValueError)),
    (("200 OK", [b"x"]), TypeError),
    (("200 OK", [("x", 1)]), TypeError),
    (("200 OK", [("x", b"y")]), TypeError),
    (("200 OK", [("x y", "z")]), ValueError),
    (("200 OK", [("", "z")]), ValueError),
    (("200 OK", [("x", "a\r\nb: c")]), ValueError),
    (("200 OK", [("x", "a\0")]), ValueError),
    (("200 OK", [("x", "\u20ac")]), ValueError),
    (("200 OK", [("x\u20ac", "a")]), ValueError),
    (("200 OK", [("x", "\udc80")]), ValueError),
    (("200 OK", [("content-length", "-1")]), ValueError),
    (("200 OK", [("content-length", "1,1")]), ValueError),
    (("200 OK", [("content-length", "1"), ("Content-Length", "2")]), ValueError),
    (("200 OK", [("x", "y" * 200_000)]), ValueError),
]


@pytest.mark.parametrize(("arguments", "error"), BAD, ids=lambda value: repr(value)[:40])
def test_what_it_refuses(serve: Serve, arguments: Any, error: Any) -> None:
    assert isinstance(raised_by(serve, lambda start_response: start_response(*arguments)), error)


def test_a_header_that_does_not_unpack_is_named(serve: Serve) -> None:
    error = raised_by(serve, lambda start_response: start_response("200 OK", [("x-bad", "a\nb")]))

    assert "x-bad" in str(error)


def test_a_second_call_needs_exc_info(serve: Serve) -> None:
    errors = []

    def app(environ: Any, start_response: Any) -> List[bytes]:
        start_response("200 OK", [("x-first", "1")])
        try:
            start_response("201 Created", [])
        except Exception as error:
            errors.append(error)
        return [b"x"]

    [frame] = serve(app).exchange()
    assert (frame.aux, frame.headers) == (200, [("x-first", "1")])
    assert errors


@pytest.mark.parametrize("by_name", [False, True])
def test_exc_info_replaces_what_was_not_sent(serve: Serve, by_name: bool) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        start_response("200 OK", [("content-length", "100")])
        try:
            raise KeyError("oh")
        except KeyError:
            if by_name:
                start_response("500 Oh", [("x-error", "1")], exc_info=sys.exc_info())
            else:
                start_response("500 Oh", [("x-error", "1")], sys.exc_info())
        return [b"failed"]

    [frame] = serve(app).exchange()
    assert (frame.aux, frame.headers, frame.body) == (500, [("x-error", "1")], b"failed")


def test_exc_info_is_raised_again_once_the_head_was_sent(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    closed = []

    def app(environ: Any, start_response: Any) -> Any:
        try:
            start_response("200 OK", [])
            yield b"half"
            try:
                raise KeyError("where")
            except KeyError:
                start_response("500 Oh", [], sys.exc_info())
            yield b"never"
        finally:
            closed.append(True)

    answer = serve(app).exchange()
    assert [(frame.kind, frame.body) for frame in answer] == [("response", b"half"), ("cancel", b"")]
    error = capfd.readouterr().err
    assert "KeyError: 'where'" in error
    assert 'raise KeyError("where")' in error
    assert closed


def test_keywords(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        start_response(headers=[("a", "b")], status="200 OK")
        return [b"x"]

    assert serve(app).exchange()[0].headers == [("a", "b")]


@pytest.mark.parametrize("keywords", [{"reason": 1}, {"status": "200 OK"}])
def test_unknown_keywords(serve: Serve, keywords: Any) -> None:
    error = raised_by(serve, lambda start_response: start_response("200 OK", [], **keywords))

    assert isinstance(error, TypeError)


def test_headers_may_be_any_iterable(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        start_response("200 OK", (pair for pair in [["a", "b"], ("c", "d")]))
        return [b"x"]

    assert serve(app).exchange()[0].headers == [("a", "b"), ("c", "d")]


def test_what_was_kept_is_of_no_use_for_other_requests(serve: Serve) -> None:
    kept: List[Any] = []

    def app(environ: Any, start_response: Any) -> List[bytes]:
        if kept:
            for call in kept:
                with contextlib.suppress(Exception):
                    call()
        else:
            write = start_response("200 OK", [])
            hint = environ["wsgi.early_hints"]
            kept.extend([lambda: start_response("201 X", []), lambda: write(b"x"), lambda: hint([("a", "b")])])
            return [b"first"]
        start_response("200 OK", [])
        return [b"second"]

    slot = serve(app)
    assert slot.body() == "first"
    answer = slot.exchange()
    assert [(frame.kind, frame.aux, frame.body) for frame in answer] == [("response", 200, b"second")]
