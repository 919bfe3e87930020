"""Keeps a megabyte for every request, for good: `/5` keeps five."""

import os

leaked = []


async def application(scope, receive, send):
    assert scope["type"] == "http"
    leaked.append("x" * (int(scope["path"][1:] or "1") * 1024 * 1024))
    body = f"{os.getpid()} leaked {sum(map(len, leaked)) // 1024 // 1024} MB\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})
