"""Serves one slot: takes its requests, one after the other, to the WSGI application, and the answers back."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

from .. import error_report
from .._version import VERSION
from ..app import App
from .answer import Answer
from .connection import Connection, Disconnected
from .environ import Environ, build
from .file_wrapper import FileWrapper
from .frames import CANCEL, END, Frame, encode
from .null_input import NullInput

Application = Callable[[Environ, Callable[..., Any]], Any]


class RequestHandler:
    """`channel_fd` is the descriptor of the slot's data channel, which it takes charge of."""

    def __init__(self, channel_fd: int, app: Application, settings: App) -> None:
        self._connection = Connection(channel_fd)
        self._app = app
        self._show_errors = settings.show_errors
        self._template: Environ = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": settings.multithread,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.input": NullInput(),
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
            "SERVER_SOFTWARE": f"Phusion_Passenger/{VERSION}",
            "GATEWAY_INTERFACE": "CGI/1.1",
        }

    def run(self) -> None:
        """Returns when the agent or `shutdown` has ended the channel, and all that had arrived is answered. Raises
        OSError if the agent breaks the protocol."""
        try:
            while True:
                frame = self._connection.next_frame()
                if frame is not None:
                    self._handle(frame)
                elif not self._connection.receive():
                    return
        except Disconnected:
            pass  # the agent is gone: nobody waits for an answer
        finally:
            self._connection.close()

    def shutdown(self) -> None:
        """For any thread and for signal handlers."""
        self._connection.shutdown()

    def _handle(self, frame: Frame) -> None:
        if frame.kind == CANCEL:
            return  # late: the stream was answered
        if self._connection.is_cancelled(frame.stream):
            if frame.descriptor is not None:
                os.close(frame.descriptor)
            self._connection.send(encode(CANCEL, frame.stream, flags=END))
            return
        try:
            environ = build(self._template, frame)
        except ValueError as error:
            raise OSError(f"Passenger's agent sent something unreadable: {error}") from None
        answer = Answer(self._connection, frame.stream, environ["REQUEST_METHOD"] == "HEAD")
        environ["wsgi.early_hints"] = answer.inform
        body = environ["wsgi.input"]
        try:
            self._answer(environ, answer)
        except BaseException as error:
            # SystemExit, too: one request must not end those of other threads.
            self._recover(environ, answer, error)
        finally:
            body.close()

    def _answer(self, environ: Environ, answer: Answer) -> None:
        body = self._app(environ, answer.start_response)
        try:
            if isinstance(body, (list, tuple)):
                answer.whole(body)
            elif not (type(body) is FileWrapper and answer.file(body)):
                for part in body:
                    if not answer.send(part):
                        break
                answer.finish()
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    def _recover(self, environ: Environ, answer: Answer, error: BaseException) -> None:
        """Whatever the application raises, the client gets an answer and the worker goes on."""
        if not isinstance(error, Disconnected):
            request_line = f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']}"
            report = error_report.ErrorReport(error, request_line)
            sys.stderr.write(report.to_log())
            if not answer.begun:
                answer.fail(report.page(self._show_errors), error_report.CONTENT_TYPE)
        answer.cancel()
