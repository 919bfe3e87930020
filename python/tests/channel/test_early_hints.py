from __future__ import annotations

from typing import Any, List

import pytest

from support.slot import Serve

LINK = [("Link", "</app.css>; rel=preload"), ("Link", "</app.js>; rel=preload")]


def test_hints_go_ahead(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> List[bytes]:
        environ["wsgi.early_hints"](LINK)
        start_response("200 OK", [])
        environ["wsgi.early_hints"](LINK[:1])
        return [b"x"]

    first, second, last = serve(app).exchange()
    assert (first.kind, first.aux, first.headers) == ("informational", 103, LINK)
    assert (second.kind, second.headers) == ("informational", LINK[:1])
    assert (last.kind, last.body) == ("response", b"x")


def test_late_hints_are_dropped(serve: Serve) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"x"
        environ["wsgi.early_hints"](LINK)

    assert [frame.kind for frame in serve(app).exchange()] == ["response", "data"]


@pytest.mark.parametrize("headers", [[("Link", "a\r\nb")], [("Link", 5)], 5])
def test_hints_that_cannot_be_sent(serve: Serve, headers: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["wsgi.early_hints"](headers)

    assert [(frame.kind, frame.aux) for frame in serve(app).exchange()] == [("response", 500)]
