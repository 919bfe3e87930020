"""Base of the handler classes: one instance a request, one method a path."""

import json
from http import HTTPStatus
from urllib.parse import parse_qs


def dispatch(*handlers):
    """A WSGI application that calls the method which the path names."""

    def application(environ, start_response):
        name, *arguments = (environ["PATH_INFO"][1:] or "hello").split("/")
        name = name.replace("-", "_")
        for handler in handlers:
            # Python's keywords can't name a method.
            method = vars(handler).get(name) or vars(handler).get(name + "_")
            if method:
                return method(handler(environ, start_response), *arguments)
        body = f"no such path: {environ['PATH_INFO']}\n".encode("latin-1")
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [body]

    return application


class Handler:
    def __init__(self, environ, start_response):
        self.environ = environ
        self.start_response = start_response
        query = parse_qs(environ.get("QUERY_STRING", ""))
        self.params = {name: values[-1] for name, values in query.items()}

    def start(self, code, *headers):
        """Starts a response with this status; returns `write`."""
        try:
            reason = HTTPStatus(code).phrase
        except ValueError:
            reason = "Unknown"
        return self.start_response(f"{code} {reason}", list(headers))

    def text(self, string, *headers):
        return self._whole("text/plain", string.encode(), headers)

    def json(self, value):
        return self._whole("application/json", json.dumps(value).encode())

    def _whole(self, content_type, body, headers=()):
        self.start(200, ("Content-Type", content_type), ("Content-Length", str(len(body))), *headers)
        return [body]
