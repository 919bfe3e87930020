"""Base of the handler classes: one instance a request, one coroutine a path."""

import json
from urllib.parse import parse_qs


def dispatch(*handlers):
    """An application for http scopes that calls the method which the path names."""

    async def application(scope, receive, send):
        name, *arguments = (scope["path"][1:] or "hello").split("/")
        name = name.replace("-", "_")
        for handler in handlers:
            # Python's keywords can't name a method.
            method = vars(handler).get(name) or vars(handler).get(name + "_")
            if method:
                await method(handler(scope, receive, send), *arguments)
                return
        handler = Handler(scope, receive, send)
        await handler.answer(404, "text/plain", f"no such path: {scope['path']}\n".encode())

    return application


class Handler:
    def __init__(self, scope, receive, send):
        self.scope = scope
        self.receive = receive
        self.send = send
        query = parse_qs(scope["query_string"].decode())
        self.params = {name: values[-1] for name, values in query.items()}

    async def start(self, status, *headers):
        """Starts a response; header names and values are text."""
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    async def body(self, body=b"", more_body=False):
        await self.send({"type": "http.response.body", "body": body, "more_body": more_body})

    async def answer(self, status, content_type, body, *headers):
        length = str(len(body))
        await self.start(status, ("content-type", content_type), ("content-length", length), *headers)
        await self.body(body)

    async def text(self, string, *headers):
        await self.answer(200, "text/plain", string.encode(), *headers)

    async def json(self, value):
        await self.answer(200, "application/json", json.dumps(value).encode())

    async def pieces(self):
        """The request body as it comes."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client left")
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return
