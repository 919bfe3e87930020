"""An exception that ended a request, for the log and for the client."""

from __future__ import annotations

import html
import os

from . import backtrace

CONTENT_TYPE = "text/html; charset=utf-8"
"""Of `ErrorReport.page`."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #222; background: #f6f6f4 }
header { padding: 2rem; color: #fff; background: #a3252f }
h1 { margin: 0; font-size: 1.3rem; white-space: pre-wrap; overflow-wrap: anywhere }
main { padding: 2rem }
pre { padding: 1rem; overflow: auto; font: 13px/1.6 ui-monospace, monospace; background: #fff; border: 1px solid #ddd }
"""


class ErrorReport:
    """`request_line` says which request it was: `GET /search?q=tea`."""

    def __init__(self, error: BaseException, request_line: str) -> None:
        self._error = error
        self._request_line = backtrace.text(request_line)

    def to_log(self) -> str:
        """One text, to be written at once, so that the lines of several workers do not mix."""
        traceback = backtrace.describe(self._error)
        return f"[passenger] {self._request_line} in process {os.getpid()} failed:\n{traceback}"

    def page(self, show: bool) -> bytes:
        """An HTML page, with the exception if `show`."""
        if show:
            body = self._details()
        else:
            body = "<h1>Internal Server Error</h1><p>The application could not answer this request.</p>"
        return f"<!doctype html><meta charset=utf-8><title>Internal Server Error</title>{body}".encode()

    def _details(self) -> str:
        return (
            f"<style>{STYLE}</style>"
            f"<header><h1>{html.escape(backtrace.title(self._error))}</h1></header>"
            f"<main><p>{html.escape(self._request_line)}</p>"
            f"<pre>{html.escape(backtrace.describe(self._error))}</pre>"
            "<p>Shown because the environment is development. In production clients see none of this.</p></main>"
        )
