"""Serves one slot: takes its requests, one after the other, to the WSGI application, and the answers back."""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterable

from .. import error_report
from .._native import Channel
from .._version import VERSION
from ..app import App
from ..pure.file_wrapper import FileWrapper
from ..pure.null_input import NullInput

Environ = Dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_SET_BY_REQUEST = ("REQUEST_METHOD", "REQUEST_URI", "RAW_URI", "PATH_INFO", "SERVER_NAME", "SERVER_PORT", "REMOTE_PORT")


class RequestHandler:
    """`channel_fd` is the descriptor of the slot's data channel, which it takes charge of."""

    def __init__(self, channel_fd: int, app: Application, settings: App) -> None:
        self._channel = Channel(channel_fd)
        self._app = app
        self._multithread = settings.multithread
        self._show_errors = settings.show_errors

    def run(self) -> None:
        """Returns when the agent or `shutdown` has ended the channel, and all that had arrived is answered. Raises
        OSError if the agent breaks the protocol."""
        try:
            self._channel.serve(self._app, self._environment(), self._report)
        finally:
            self._channel.close()

    def shutdown(self) -> None:
        """For any thread and for signal handlers."""
        self._channel.shutdown()

    def _environment(self) -> Environ:
        """What all environments have in common, and a place for what each request sets anew. That is faster than adding
        it; and for that many entries Python makes room for 42, in copies too: enough for most requests' headers."""
        environ: Environ = dict.fromkeys(_SET_BY_REQUEST, "")
        environ.update(
            {
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": "http",
                "wsgi.input": NullInput(),
                "wsgi.input_terminated": True,
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": self._multithread,
                "wsgi.multiprocess": True,
                "wsgi.run_once": False,
                "wsgi.file_wrapper": FileWrapper,
                "SERVER_PROTOCOL": "HTTP/1.1",
                "SERVER_SOFTWARE": f"Phusion_Passenger/{VERSION}",
                "GATEWAY_INTERFACE": "CGI/1.1",
                "SCRIPT_NAME": "",
                "QUERY_STRING": "",
                "REMOTE_ADDR": "127.0.0.1",
            }
        )
        return environ

    def _report(self, environ: Environ, error: BaseException) -> tuple[list[tuple[str, str]], bytes]:
        """Logs what the application has raised; headers and body of the error page."""
        report = error_report.ErrorReport(error, f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']}")
        sys.stderr.write(report.to_log())
        return [("content-type", error_report.CONTENT_TYPE)], report.page(self._show_errors)
